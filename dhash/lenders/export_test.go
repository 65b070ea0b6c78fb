package lenders

import (
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// ReencodeLenders decodes and encodes again the lines of lenders.
func ReencodeLenders(b []byte) ([]byte, []Lender, error) {
	list, err := parseLenders(b)
	if err != nil {
		return nil, nil, err
	}
	return encodeLenders(list), list, nil
}

// ReencodeOwed decodes and encodes again what is owed.
func ReencodeOwed(b []byte) ([]byte, error) {
	o, err := parseOwed(b)
	if err != nil {
		return nil, err
	}
	return o.encode(), nil
}

// A Span is a range of positions with what is needed in it.
type Span struct {
	From, To dhash.Key
	Scores   []venti.Score
}

// Spans cuts the keyspace.
func Spans(live []venti.Score, limit int) (out []Span) {
	for _, s := range spans(live, limit) {
		out = append(out, Span{s.from, s.to, s.scores})
	}
	return out
}

// Line sets what is known of a lender.
func (l *Ledger) Line(id dhash.ID, change func(*Lender)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l.line(id, time.Now()))
}

// ReencodeHanded decodes and encodes again the notes on hand-overs.
func ReencodeHanded(b []byte) ([]byte, error) {
	list, err := parseHanded(b)
	if err != nil {
		return nil, err
	}
	return encodeHanded(list), nil
}
