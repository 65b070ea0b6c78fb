package sweep

import (
	"encoding/binary"
	"fmt"
)

// Whether an answer is one.
const (
	answerWhole = iota // replies follow
	answerCut          // a position follows: nothing from there on is in the set that answers, so ask for less
)

// Respond answers a message of a session from a set that has the salt and the range of the message. It is pure, and
// needs nothing of the session's earlier messages. What it costs is bounded by the message's length times the logarithm
// of the set's. Errors wrap ErrMessage.
//
// Fingerprints and counts are those of the points that are compared. Whether a point is there that the message names is
// answered from all points, so that members who differ about what to compare still learn what the other one has.
func Respond(s *Set, message []byte) ([]byte, error) {
	q, err := parseQuery(message)
	if err != nil {
		return nil, err
	}
	return respond(s, q)
}

func respond(s *Set, q *query) ([]byte, error) {
	if q.salt != s.salt || q.from != s.from || q.to != s.to {
		return nil, fmt.Errorf("%w: it is about another set", ErrMessage)
	}
	b := []byte{version, answerWhole}
	for i := range q.asks {
		r := s.reply(&q.asks[i])
		n := len(b)
		if b = r.append(b, q.asks[i].lo); len(b) > MaxMessage {
			return b[:n], nil // what is left is asked again
		}
	}
	return b, nil
}

// reply answers one ask.
func (s *Set) reply(a *ask) (r reply) {
	i, j := s.span(a.lo, a.hi)
	if a.kind == askList {
		return s.replyToList(a, i, j)
	}
	print, count := s.fingerprint(i, j)
	switch {
	case print == a.print:
		r.kind = saySame
	case i == j:
		r.kind = sayNone
	default:
		r.kind, r.parts = saySplit, s.parts(i, j, a.hi, min(fanOut, max(1, count/8)))
	}
	return r
}

// replyToList answers which of the points that are listed are here, and what else there is of the points i … j-1.
func (s *Set) replyToList(a *ask, i, j int) reply {
	r := reply{kind: sayList, lacks: make([]bool, len(a.list)), extra: s.count(i, j)}
	for n, p := range a.list {
		at, here := s.points.find(p)
		here = here && i <= at && at < j
		r.lacks[n] = !here
		if here && s.compared.has(at) {
			r.extra--
		}
	}
	if r.extra > maxExtra {
		return r
	}
	list := a.list
	for n := s.compared.before(i, s.counts); len(r.more) < r.extra; n++ {
		p := s.points.At(s.compared.at(n, s.counts))
		for len(list) > 0 && list[0].Less(p) {
			list = list[1:]
		}
		if len(list) == 0 || list[0] != p {
			r.more = append(r.more, p)
		}
	}
	return r
}

// parts returns the points i … j-1, which end at hi, in n parts.
func (s *Set) parts(i, j int, hi Point, n int) []part {
	parts := make([]part, 0, n)
	for _, bound := range append(s.split(i, j, n), hi) {
		next := j
		if len(parts) < n-1 {
			next = s.points.index(bound)
		}
		p := part{hi: bound}
		p.print, p.count = s.fingerprint(i, next)
		parts = append(parts, p)
		i = next
	}
	return parts
}

// cutAnswer says that the set that answers ends before a position.
func cutAnswer(position uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{version, answerCut}, position)
}
