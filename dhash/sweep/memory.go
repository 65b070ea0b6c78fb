package sweep

import (
	"slices"

	"ventidhash/dhash"
)

const (
	maxRemembered = 1 << 21 // points, at 12 bytes and a bit for each neighbour
	maxAge        = 28      // rounds that what is remembered is good for
)

// A memory knows from the round before which neighbour lacks what, and what it has that this member lacks. Repair is
// lazy, and members are away when blocks are stored, so that much is lacking for long, all over the keyspace; and what
// both sides know to be lacking at one of them need not be told from round to round. A point that the other side is
// known to lack is left out of the fingerprints, and one that it has beside ours is put in, so that they are the same
// as long as that is so.
//
// That says nothing wrong as long as both expect the same members to hold the point. If they differ, the other side may
// have got it and not compare it; therefore all is asked anew now and then.
type memory struct {
	regions []remembered // not overlapping, in no order
}

// remembered is how the neighbours differed at from … to.
type remembered struct {
	from, to uint64
	age      int // rounds since all was asked
	lacks    marked
	more     marked
}

// marked is a list of points, and for each neighbour the bits of those that are marked.
type marked struct {
	points *Points
	bits   map[dhash.ID]bitset
}

// overlaps reports whether r says something about a region.
func (r *remembered) overlaps(g *region) bool { return r.from <= g.last && g.from <= r.to }

// size returns how many points are remembered.
func (r *remembered) size() int { return r.lacks.points.Len() + r.more.points.Len() }

// each calls fn for the points at from … to that are marked for a neighbour.
func (m *marked) each(id dhash.ID, from, to uint64, fn func(Point)) {
	bits := m.bits[id]
	if bits == nil {
		return
	}
	for i := m.points.index(Point{Position: from}); i < m.points.Len() && m.points.positions[i] <= to; i++ {
		if bits.has(i) {
			fn(m.points.At(i))
		}
	}
}

// known returns which of the points that a neighbour is expected to hold it is known to lack, and which it has that
// this member lacks; nil is none.
func (m *memory) known(g *region, n *neighbour) (lacks bitset, more *Points) {
	var others []Point
	for i := range m.regions {
		r := &m.regions[i]
		if r.age >= maxAge || !r.overlaps(g) {
			continue
		}
		from, to := max(r.from, g.from), min(r.to, g.last)
		r.lacks.each(n.id, from, to, func(p Point) {
			if at, here := g.points.find(p); here && n.shared.has(at) {
				if lacks == nil {
					lacks = newBitset(g.points.Len())
				}
				lacks.set(at)
			}
		})
		r.more.each(n.id, from, to, func(p Point) {
			if at, here := g.points.find(p); !here || !n.shared.has(at) {
				others = append(others, p)
			}
		})
	}
	if others != nil {
		more = pointsOf(others)
	}
	return lacks, more
}

// learn remembers how the neighbours differ in a region, in place of what was known of it. Of a neighbour that was not
// compared with it remembers what it knew.
func (m *memory) learn(g *region) {
	next := remembered{from: g.from, to: g.last}
	total := 0
	for i := range m.regions {
		if r := &m.regions[i]; r.overlaps(g) {
			next.age = max(next.age, r.age+1)
		}
	}
	if next.age > maxAge {
		next.age = 0
	}
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
		total += r.size()
	}
	lacks, more := map[dhash.ID]*Points{}, map[dhash.ID]*Points{}
	for _, n := range g.neighbours {
		lacks[n.id], more[n.id] = n.differences(g.points)
	}
	next.lacks, next.more = mark(lacks), mark(more)
	if size := next.size(); size > 0 && total+size <= maxRemembered {
		m.regions = append(m.regions, next)
	}
}

// differences returns what a neighbour lacks, and what it has that this member lacks, as far as is known after a sweep.
func (n *neighbour) differences(points *Points) (lacks, more *Points) {
	bits, more := n.known, n.beyond
	if n.live == Live && n.err == nil {
		bits, more = n.lacks, n.more
	}
	lacks = new(Points)
	for i := range points.Len() {
		if bits.has(i) {
			lacks.Add(points.At(i))
		}
	}
	return lacks, more
}

// mark returns all the points of the neighbours' lists, marked with whose they are.
func mark(lists map[dhash.ID]*Points) marked {
	var all []*Points
	for _, list := range lists {
		if list != nil {
			all = append(all, list)
		}
	}
	m := marked{merge(all), map[dhash.ID]bitset{}}
	for id, list := range lists {
		if list == nil || list.Len() == 0 {
			continue
		}
		bits := newBitset(m.points.Len())
		for i := range list.Len() {
			at, _ := m.points.find(list.At(i))
			bits.set(at)
		}
		m.bits[id] = bits
	}
	return m
}
