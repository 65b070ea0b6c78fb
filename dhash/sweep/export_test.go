package sweep

import "time"

// Small returns the config of a Sweeper whose regions are small.
func Small(c Config, items int) Config {
	c.regionItems = items
	return c
}

// SmallSets returns the config of a Responder whose sets are small.
func SmallSets(c ResponderConfig, points int) ResponderConfig {
	c.maxSet = points
	return c
}

// Kept returns how many sets a Responder keeps, how many points are in them, and how many members it remembers.
func (r *Responder) Kept() (sets, points, askers int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.askers {
		if a.set != nil {
			sets++
			points += a.set.points.Len()
		}
	}
	if points != r.kept {
		panic("the sum is not kept")
	}
	return sets, points, len(r.askers)
}

// MaxCached bounds what Kept returns.
const MaxCached = maxCached

// KeepFor is how long a set is kept.
const KeepFor = keepFor

// EncodeCursor and ParseCursor are those of the cursor's file.
func EncodeCursor(position uint64, due time.Time) []byte { return cursor{position, due}.encode() }

// ParseCursor is the inverse of EncodeCursor.
func ParseCursor(b []byte) (position uint64, due time.Time, err error) {
	c, err := parseCursor(b)
	return c.position, c.due, err
}

// Reencode parses a query and encodes it anew.
func Reencode(message []byte) ([]byte, error) {
	q, err := parseQuery(message)
	if err != nil {
		return nil, err
	}
	b := appendHeader(nil, &Set{salt: q.salt, from: q.from, to: q.to})
	last := Point{Position: q.from}
	for i := range q.asks {
		b = q.asks[i].append(b, last)
		last = q.asks[i].hi
	}
	return b, nil
}

// Bytes returns how many bytes a set takes, without what the points of both sides share.
func (s *Set) Bytes() int {
	return 8*len(s.points.positions) + 4*len(s.points.tags) + 4*len(s.compared) +
		16*len(s.sums) + 4*len(s.counts) + 4*len(s.ranks)
}

// Asked is an ask that is no skip.
type Asked struct {
	Kind   byte
	Points int
}

// Asks returns those of a message.
func Asks(message []byte) (all []Asked) {
	q, err := parseQuery(message)
	if err != nil {
		panic(err)
	}
	for _, a := range q.asks {
		all = append(all, Asked{a.kind, len(a.list)})
	}
	return all
}

// NewAskingSet returns a set of an asker that knows some of the points to be lacking.
func NewAskingSet(salt Salt, from, to uint64, points *Points, known func(i int) bool) *Set {
	all, left := newBitset(points.Len()), newBitset(points.Len())
	for i := range points.Len() {
		all.set(i)
		if !known(i) {
			left.set(i)
		}
	}
	return newSet(salt, from, to, points, all, left)
}
