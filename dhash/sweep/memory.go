package sweep

import (
	"slices"

	"ventidhash/dhash"
)

const (
	maxRemembered = 1 << 21 // points, at 12 bytes and a bit for each neighbour
	maxAge        = 28      // rounds that what is remembered is good for
)

// A memory knows from the round before which neighbour lacks what. Repair is lazy, so that much is lacking for long, all over
// the keyspace; and what both sides know to be lacking at one of them need not be told from round to round. A point that
// the other side is known to lack is left out of the fingerprints, which are then the same as long as it does.
//
// That says nothing wrong as long as both expect the same members to hold the point. If they differ, the other side may have
// got it and not compare it; therefore all is asked anew now and then.
type memory struct {
	regions []remembered // not overlapping, in no order
}

// remembered is what was lacking at from … to.
type remembered struct {
	from, to uint64
	points   *Points
	lacks    map[dhash.ID]bitset
	age      int // rounds since all was asked
}

// overlaps reports whether r says something about a region.
func (r *remembered) overlaps(g *region) bool { return r.from <= g.last && g.from <= r.to }

// known returns which of the points that a neighbour is expected to hold it is known to lack; nil is none.
func (m *memory) known(g *region, n *neighbour) (known bitset) {
	for i := range m.regions {
		r := &m.regions[i]
		lacks := r.lacks[n.id]
		if lacks == nil || r.age >= maxAge || !r.overlaps(g) {
			continue
		}
		for j := range r.points.Len() {
			if !lacks.has(j) || r.points.positions[j] < r.from || r.points.positions[j] > r.to {
				continue
			}
			if at, here := g.points.find(r.points.At(j)); here && n.shared.has(at) {
				if known == nil {
					known = newBitset(g.points.Len())
				}
				known.set(at)
			}
		}
	}
	return known
}

// learn remembers what the neighbours lack in a region, in place of what was known of it. Of a neighbour that was not compared
// with it remembers what it knew.
func (m *memory) learn(g *region) {
	next := remembered{from: g.from, to: g.last, points: new(Points), lacks: map[dhash.ID]bitset{}}
	for i := range m.regions {
		if r := &m.regions[i]; r.overlaps(g) {
			next.age = max(next.age, r.age+1)
		}
	}
	if next.age > maxAge {
		next.age = 0
	}
	total := 0
	m.regions = slices.DeleteFunc(m.regions, func(r remembered) bool { return g.from <= r.from && r.to <= g.last })
	for i := range m.regions {
		r := &m.regions[i]
		if r.overlaps(g) {
			if r.from < g.from {
				r.to = g.from - 1
			} else {
				r.from = g.last + 1
			}
		}
		total += r.points.Len()
	}
	any := newBitset(g.points.Len())
	for _, n := range g.neighbours {
		any.add(n.remember())
	}
	if count := any.count(); count == 0 || total+count > maxRemembered {
		return
	}
	next.points.Grow(any.count())
	for i := range g.points.Len() {
		if !any.has(i) {
			continue
		}
		for _, n := range g.neighbours {
			if n.remember().has(i) {
				b := next.lacks[n.id]
				growBit(&b, next.points.Len())
				next.lacks[n.id] = b
			}
		}
		next.points.Add(g.points.At(i))
	}
	for id, b := range next.lacks {
		all := newBitset(next.points.Len())
		all.add(b)
		next.lacks[id] = all
	}
	m.regions = append(m.regions, next)
}

// remember returns what is to be remembered of a neighbour.
func (n *neighbour) remember() bitset {
	if n.live == Live && n.err == nil {
		return n.lacks
	}
	return n.known
}
