package sweep

import (
	"math"
	"slices"
)

// maxBeyond bounds the points that are remembered of what a neighbour has and this member lacks, for a session.
const maxBeyond = 1 << 16

// beyond is what the other side of a session is known to compare beside the points of the set: it has them, and we do
// not.
type beyond struct {
	points *Points
	sums   []sum // of the hashes of the points before each
	lo, hi int   // those in the set's range
}

func newBeyond(set *Set, more *Points) *beyond {
	if more == nil {
		more = new(Points)
	}
	b := &beyond{points: more, sums: make([]sum, more.Len()+1), lo: more.index(Point{Position: set.from}), hi: more.Len()}
	if set.to < math.MaxUint64 {
		b.hi = more.index(Point{Position: set.to + 1})
	}
	for i := range more.Len() {
		b.sums[i+1] = b.sums[i].plus(set.salt.hash(more.At(i)))
	}
	return b
}

// span returns the numbers of the points of a range, as Set.span does.
func (b *beyond) span(lo, hi Point) (i, j int) {
	i, j = max(b.lo, b.points.index(lo)), b.hi
	if hi != (Point{}) {
		j = min(b.hi, b.points.index(hi))
	}
	return min(i, j), j
}

// pointsOf returns a list of points that come in any order.
func pointsOf(all []Point) *Points {
	slices.SortFunc(all, comparePoints)
	all = slices.Compact(all)
	list := new(Points)
	list.Grow(len(all))
	for _, p := range all {
		list.Add(p)
	}
	return list
}

// merge returns the points of all lists.
func merge(lists []*Points) *Points {
	var all []Point
	for _, l := range lists {
		for i := range l.Len() {
			all = append(all, l.At(i))
		}
	}
	return pointsOf(all)
}
