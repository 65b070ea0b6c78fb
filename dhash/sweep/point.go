package sweep

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sort"

	"ventidhash/dhash"
)

// A Point stands for one coding of one block, where members are compared: the first eight bytes of the block's position
// (dhash.KeyOf) and the first four of the coding's name. Points are ordered by position, then by tag.
type Point struct {
	Position uint64
	Tag      uint32
}

// pointAt returns the point of a coding of the block at a position.
func pointAt(key dhash.Key, c dhash.Coding) Point {
	return Point{binary.BigEndian.Uint64(key[:]), binary.BigEndian.Uint32(c[:])}
}

// Less reports whether p comes before q.
func (p Point) Less(q Point) bool {
	return p.Position < q.Position || p.Position == q.Position && p.Tag < q.Tag
}

// comparePoints orders points.
func comparePoints(p, q Point) int {
	return cmp.Or(cmp.Compare(p.Position, q.Position), cmp.Compare(p.Tag, q.Tag))
}

// pointLen is the length of an encoded point: position, then tag, big-endian, so that bytes sort as points do.
const pointLen = 12

func (p Point) bytes() (b [pointLen]byte) {
	binary.BigEndian.PutUint64(b[:], p.Position)
	binary.BigEndian.PutUint32(b[8:], p.Tag)
	return b
}

// pointOf returns the point whose encoding begins with b and goes on with zeros.
func pointOf(b []byte) Point {
	var full [pointLen]byte
	copy(full[:], b)
	return Point{binary.BigEndian.Uint64(full[:]), binary.BigEndian.Uint32(full[8:])}
}

// between returns the point with the shortest encoding, trailing zeros not counted, that is after p and not after q. p
// must be less than q.
func between(p, q Point) Point {
	a, b := p.bytes(), q.bytes()
	n := 0
	for a[n] == b[n] {
		n++
	}
	return pointOf(b[:n+1])
}

// Points is a list of different points in order, at 12 bytes each. The zero value is empty.
type Points struct {
	positions []uint64
	tags      []uint32
}

// Len returns the number of points.
func (l *Points) Len() int { return len(l.positions) }

// At returns point i.
func (l *Points) At(i int) Point { return Point{l.positions[i], l.tags[i]} }

// Grow makes room for n more points.
func (l *Points) Grow(n int) {
	l.positions, l.tags = slices.Grow(l.positions, n), slices.Grow(l.tags, n)
}

// Add appends p if it comes after the last point, and reports whether it does.
func (l *Points) Add(p Point) bool {
	if n := l.Len(); n > 0 && !l.At(n-1).Less(p) {
		return false
	}
	l.positions = append(l.positions, p.Position)
	l.tags = append(l.tags, p.Tag)
	return true
}

// index returns the number of the first point that is not less than p, or Len.
func (l *Points) index(p Point) int {
	return sort.Search(l.Len(), func(i int) bool { return !l.At(i).Less(p) })
}

// find returns the number of p, and whether it is there.
func (l *Points) find(p Point) (int, bool) {
	i := l.index(p)
	return i, i < l.Len() && l.At(i) == p
}
