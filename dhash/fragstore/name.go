package fragstore

import (
	"fmt"

	"github.com/multiformats/go-multihash"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// A Name names one fragment: fragment Index of one coding of a block.
type Name struct {
	Score  venti.Score
	Coding dhash.Coding
	Index  int
}

// The kinds of records in the arenas. Others are left alone: 19 is set aside for small signed records.
const (
	kindFragment  = 16
	kindClaims    = 17
	kindDiversion = 18
)

const (
	positionLen = 16 // how much of a block's position stands in the key of a row
	codingLen   = 16 // how much of a coding stands in keys: nobody finds a second coding that begins alike
	scoreLen    = 2 + venti.ScoreSize
	recordLen   = scoreLen + codingLen + 1
	groupLen    = 1 + positionLen
	rowLen      = groupLen + codingLen + 1

	// The first byte of a row's key says what the row is about.
	rowFragment  = 'f'
	rowDiversion = 'd'
)

// recordKey returns the key of a record about the fragment: the score as a multihash, half of the coding, the index.
func (n Name) recordKey() []byte {
	mh, err := multihash.Encode(n.Score[:], multihash.SHA2_256)
	if err != nil {
		panic(err) // a constant code and length
	}
	return append(append(mh, n.Coding[:codingLen]...), byte(n.Index))
}

// rowKey returns the key of a row about the fragment. Rows are in the order of the positions of blocks.
func (n Name) rowKey(what byte) []byte {
	b := append(groupKey(what, n.Score), n.Coding[:codingLen]...)
	return append(b, byte(n.Index))
}

// groupKey returns what the keys of all rows about fragments of a block begin with.
func groupKey(what byte, s venti.Score) []byte {
	at := dhash.KeyOf(s)
	return append(append(make([]byte, 0, rowLen), what), at[:positionLen]...)
}

// parseRecordKey is the inverse of recordKey, but for the second half of the coding.
func parseRecordKey(key []byte) (n Name, err error) {
	if len(key) != recordLen {
		return n, fmt.Errorf("%w: key of %d bytes", errRecord, len(key))
	}
	h, err := multihash.Decode(key[:scoreLen])
	if err != nil {
		return n, fmt.Errorf("%w: key: %w", errRecord, err)
	}
	if h.Code != multihash.SHA2_256 || h.Length != venti.ScoreSize {
		return n, fmt.Errorf("%w: hash %s of %d bytes is not known to this program", errRecord, h.Name, h.Length)
	}
	n.Score = venti.Score(h.Digest)
	copy(n.Coding[:], key[scoreLen:recordLen-1])
	n.Index = int(key[recordLen-1])
	return n, nil
}

// indexKey returns the key of the row that a record is about.
func indexKey(kind byte, key []byte) ([]byte, error) {
	what := byte(rowFragment)
	switch kind {
	case kindFragment, kindClaims:
	case kindDiversion:
		what = rowDiversion
	default:
		return nil, fmt.Errorf("%w: kind %d is not known to this program", errRecord, kind)
	}
	n, err := parseRecordKey(key)
	if err != nil {
		return nil, err
	}
	return n.rowKey(what), nil
}

// String returns the name for people.
func (n Name) String() string {
	return fmt.Sprintf("fragment %d of %s (coding %x)", n.Index, n.Score.Short(), n.Coding[:4])
}
