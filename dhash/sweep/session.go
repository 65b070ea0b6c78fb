package sweep

import (
	"encoding/binary"
	"errors"
	"fmt"

	"ventidhash/venti"
)

// ErrRounds says that a session has taken more messages than any honest one: the other side makes nothing of it.
var ErrRounds = errors.New("a session without end")

// A Session compares a set with that of another member, which answers by Respond:
//
//	for message := s.Next(); message != nil; message = s.Next() {
//		answer := … // what the other member answers to it
//		if err := s.Take(answer); err != nil { … }
//	}
//
// Whatever the other one answers, it ends: every answer that is taken brings each range that it is about to an end, or
// to parts that are a fraction of it, and the number of messages is bounded (ErrRounds).
type Session struct {
	set     *Set
	waiting []ask // in order, not overlapping
	asked   int   // how many of them the last message has
	lacks   bitset
	extra   uint64
	beyond  *beyond // what the other one was known to have that we lack
	more    []Point // what it is known to have now
	cut     uint64  // where the other set ends, if it is not 0
	rounds  int
	bytes   Traffic
}

// Traffic says what sessions have cost.
type Traffic struct {
	Rounds   int64 // messages, each with its answer
	Sent     int64 // bytes
	Received int64 // bytes
}

// Add adds what other sessions cost.
func (t *Traffic) Add(other Traffic) {
	t.Rounds += other.Rounds
	t.Sent += other.Sent
	t.Received += other.Received
}

// NewSession returns a session about a set.
func NewSession(set *Set) *Session { return newSession(set, nil) }

// newSession returns a session about a set, and points beside it that the other one is known to compare.
func newSession(set *Set, more *Points) *Session {
	s := &Session{set: set, beyond: newBeyond(set, more)}
	s.ask(Point{Position: set.from}, Point{}, set.lo, set.hi, maxList)
	return s
}

// ask has the points i … j-1, which are those of a range, be asked for: by name if at most list of them are wanted.
func (s *Session) ask(lo, hi Point, i, j, list int) {
	a := ask{lo: lo, hi: hi, kind: askSame}
	if count := s.set.rank(j) - s.set.rank(i); 0 < count && count <= list {
		a.kind, a.list = askList, make([]Point, 0, count)
		for ; i < j; i++ {
			if s.set.wanted.has(i) {
				a.list = append(a.list, s.set.points.At(i))
			}
		}
	} else {
		a.print = s.fingerprint(lo, hi, i, j)
	}
	s.waiting = append(s.waiting, a)
}

// Next returns the next message, or nil if there is nothing more to ask. It may be called again for the same message
// until an answer was taken.
func (s *Session) Next() []byte {
	if len(s.waiting) == 0 {
		return nil
	}
	b := appendHeader(make([]byte, 0, 256), s.set)
	last := Point{Position: s.set.from}
	s.asked = 0
	for i := range s.waiting {
		n := len(b)
		if b = s.waiting[i].append(b, last); len(b) > MaxMessage {
			b = b[:n]
			break
		}
		s.asked++
		if last = s.waiting[i].hi; last == (Point{}) {
			break
		}
	}
	s.bytes.Rounds++
	s.bytes.Sent += int64(len(b))
	return b
}

// maxRounds bounds the messages of a session: an honest other one answers some hundred ranges, or thousands of points
// that are named, by each.
func (s *Session) maxRounds() int { return 32 + (s.set.hi-s.set.lo)/1024 }

// Take takes the answer to what Next returned. Errors wrap ErrMessage or ErrRounds, and end the session; what it has
// found out until then is worth nothing.
func (s *Session) Take(answer []byte) error {
	s.bytes.Received += int64(len(answer))
	if s.rounds++; s.rounds > s.maxRounds() {
		return fmt.Errorf("%w: %d messages about %d points", ErrRounds, s.rounds, s.set.hi-s.set.lo)
	}
	if len(answer) > MaxMessage {
		return fmt.Errorf("%w: an answer of %d bytes", ErrMessage, len(answer))
	}
	d := venti.NewDecoder(answer)
	if v := d.Byte(); v != version && d.Err() == nil {
		return fmt.Errorf("%w: version %d is not known to this program", ErrMessage, v)
	}
	switch kind := d.Byte(); {
	case kind == answerCut:
		s.takeCut(d)
	case kind > answerCut:
		d.Fail(fmt.Errorf("an answer of kind %d", kind))
	default:
		s.takeReplies(d)
	}
	if err := d.Finish(); err != nil {
		return fmt.Errorf("%w: answer: %w", ErrMessage, err)
	}
	return nil
}

func (s *Session) takeCut(d *venti.Decoder) {
	at := binary.BigEndian.Uint64(d.Fixed(8))
	if at <= s.set.from || at > s.set.to {
		d.Fail(errors.New("a cut outside the range"))
		return
	}
	s.cut, s.waiting = at, nil
}

// takeReplies takes those of the first ranges asked; the others are asked again.
func (s *Session) takeReplies(d *venti.Decoder) {
	asked, rest := s.waiting[:s.asked], s.waiting[s.asked:]
	s.waiting = nil
	n := 0
	for ; n < len(asked) && d.Err() == nil && (n == 0 || d.Len() > 0); n++ {
		if r := parseReply(d, &asked[n], s.set.to); d.Err() == nil {
			s.take(&asked[n], &r)
		}
	}
	s.waiting = append(append(s.waiting, asked[n:]...), rest...)
}

// take draws the conclusions from the reply to an ask.
func (s *Session) take(a *ask, r *reply) {
	i, j := s.set.span(a.lo, a.hi)
	switch r.kind {
	case saySame:
		s.asBefore(a.lo, a.hi, i, j)
	case sayNone:
		for ; i < j; i++ {
			if s.set.wanted.has(i) {
				s.lacking(i)
			}
		}
	case sayList:
		s.extra += uint64(r.extra)
		s.remember(r.more)
		for n, p := range a.list {
			if r.lacks[n] {
				at, _ := s.set.points.find(p)
				s.lacking(at)
			}
		}
	case saySplit:
		lo := a.lo
		for _, p := range r.parts {
			s.descend(lo, p)
			lo = p.hi
		}
	}
}

// descend asks on about a part of the other's that differs.
func (s *Session) descend(lo Point, p part) {
	i, j := s.set.span(lo, p.hi)
	count := s.set.rank(j) - s.set.rank(i)
	switch {
	case s.fingerprint(lo, p.hi, i, j) == p.print:
		s.asBefore(lo, p.hi, i, j)
	case count == 0:
		s.extra += uint64(p.count)
	case count <= maxList:
		s.ask(lo, p.hi, i, j, maxList)
	default:
		// Parts of our own, so that a range gets smaller whatever the other one makes of it. Few points are named at
		// once where that is no longer than a fingerprint.
		for _, hi := range append(s.set.split(i, j, min(fanOut, (count+fanOut-1)/fanOut)), p.hi) {
			_, end := s.set.span(lo, hi)
			s.ask(lo, hi, i, end, 1)
			lo, i = hi, end
		}
	}
}

// fingerprint returns what the other one should have of the points i … j-1, which are those of a range.
func (s *Session) fingerprint(lo, hi Point, i, j int) fingerprint {
	t, count := s.set.sum(i, j)
	first, last := s.beyond.span(lo, hi)
	return s.set.salt.fingerprint(t.plus(s.beyond.sums[last]).minus(s.beyond.sums[first]), count+last-first)
}

// asBefore notes that of the points i … j-1, which are those of a range, the other one lacks what it was known to lack,
// and has what it was known to have beside them.
func (s *Session) asBefore(lo, hi Point, i, j int) {
	first, last := s.beyond.span(lo, hi)
	s.extra += uint64(last - first)
	for n := first; n < last; n++ {
		s.remember([]Point{s.beyond.points.At(n)})
	}
	if s.set.count(i, j) == s.set.rank(j)-s.set.rank(i) {
		return
	}
	for ; i < j; i++ {
		if s.set.wanted.has(i) && !s.set.compared.has(i) {
			s.lacking(i)
		}
	}
}

// remember notes points that the other one has and we lack.
func (s *Session) remember(more []Point) {
	if len(s.more) < maxBeyond {
		s.more = append(s.more, more...)
	}
}

func (s *Session) lacking(i int) {
	if s.lacks == nil {
		s.lacks = newBitset(s.set.points.Len())
	}
	s.lacks.set(i)
}

// Lacks reports whether the other one has not got point number i of the list that the set was made of. It means
// something when Next has returned nil, Cut reports nothing, and the point is one that is compared.
func (s *Session) Lacks(i int) bool { return s.lacks.has(i) }

// Extra returns how many points the other one compares that are not among ours. It says how much this side lacks if
// both compare by the same table of members, and is an estimate else.
func (s *Session) Extra() uint64 { return s.extra }

// Cut returns the position before which the other's set ends, because what it has in the whole range is too much for
// one session. Then nothing was found out: the range up to there is to be compared, and the rest after it.
func (s *Session) Cut() (position uint64, cut bool) { return s.cut, s.cut != 0 }

// Traffic returns what the session has cost until now.
func (s *Session) Traffic() Traffic { return s.bytes }
