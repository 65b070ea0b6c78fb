package sweep

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sort"

	"github.com/zeebo/blake3"
)

// A Salt makes the fingerprints of one session different from those of all others, so that whoever can choose what is
// stored cannot choose blocks whose fingerprints cancel.
type Salt [16]byte

// A fingerprint is what two equal sets of points have in common, and two different ones not.
type fingerprint [16]byte

// blockLen is how many points lie between two sums that are kept: so many hashes a fingerprint takes on either side.
const blockLen = 32

// bitset has a bit for each point, blockLen in a word. A nil one is all zeros.
type bitset []uint32

func newBitset(n int) bitset       { return make(bitset, (n+blockLen-1)/blockLen) }
func (b bitset) set(i int)         { b[i/blockLen] |= 1 << (i % blockLen) }
func (b bitset) has(i int) bool    { return b != nil && b[i/blockLen]>>(i%blockLen)&1 != 0 }
func (b bitset) word(i int) uint32 { return b[i/blockLen] }
func (b bitset) add(other bitset) { // other may be shorter
	for i, w := range other {
		b[i] |= w
	}
}

// without returns the bits of b that other does not have.
func (b bitset) without(other bitset) bitset {
	if other == nil {
		return b
	}
	rest := make(bitset, len(b))
	for i, w := range b {
		rest[i] = w &^ other[i]
	}
	return rest
}

func (b bitset) count() (n int) {
	for _, w := range b {
		n += bits.OnesCount32(w)
	}
	return n
}

// sum is a number of 128 bits, modulo their overflow.
type sum struct{ hi, lo uint64 }

func (s sum) plus(t sum) sum {
	lo, carry := bits.Add64(s.lo, t.lo, 0)
	hi, _ := bits.Add64(s.hi, t.hi, carry)
	return sum{hi, lo}
}

func (s sum) minus(t sum) sum {
	lo, borrow := bits.Sub64(s.lo, t.lo, 0)
	hi, _ := bits.Sub64(s.hi, t.hi, borrow)
	return sum{hi, lo}
}

// A Set is what one side of a session holds in a range of positions, made ready to be compared. Some of its points are
// compared; the others only answer when they are asked for by name. It takes 13 bytes a point and is immutable.
type Set struct {
	salt     Salt
	from, to uint64 // the positions covered, both included
	lo, hi   int    // the numbers of the points there
	points   *Points
	compared bitset
	sums     []sum    // of the hashes of the compared points before each block
	counts   []uint32 // how many these are

	// What the asking side wants to know about: the compared points, and those of which it knows from before that the
	// other one lacks them, so that they are not compared.
	wanted bitset
	ranks  []uint32 // how many are wanted before each block
}

// NewSet returns the set of those points that lie at from … to, both included, of which those are compared for whose
// numbers compared says so; nil compares all. It keeps points, which must not change any more.
func NewSet(salt Salt, from, to uint64, points *Points, compared func(i int) bool) *Set {
	b := newBitset(points.Len())
	for i := range points.Len() {
		if compared == nil || compared(i) {
			b.set(i)
		}
	}
	return newSet(salt, from, to, points, b, b)
}

// newSet returns a set of which more may be wanted than is compared.
func newSet(salt Salt, from, to uint64, points *Points, wanted, compared bitset) *Set {
	s := &Set{salt: salt, points: points, compared: compared, wanted: wanted,
		sums: make([]sum, len(compared)+1), counts: make([]uint32, len(compared)+1), ranks: make([]uint32, len(compared)+1)}
	for w := range compared {
		s.sums[w+1] = s.sums[w].plus(s.partial(w*blockLen, blockLen))
		s.counts[w+1] = s.counts[w] + uint32(bits.OnesCount32(compared[w]))
		s.ranks[w+1] = s.ranks[w] + uint32(bits.OnesCount32(wanted[w]))
	}
	return s.part(from, to)
}

// part returns the set of the points at from … to, without copying any.
func (s *Set) part(from, to uint64) *Set {
	p := *s
	p.from, p.to, p.lo, p.hi = from, to, s.points.index(Point{Position: from}), s.points.Len()
	if to < math.MaxUint64 {
		p.hi = s.points.index(Point{Position: to + 1})
	}
	return &p
}

// hash returns the hash of a point. All that is hashed is of fixed lengths, so nothing else hashes the same.
func (s Salt) hash(p Point) sum {
	var b [len(s) + pointLen]byte
	copy(b[:], s[:])
	text := p.bytes()
	copy(b[len(s):], text[:])
	h := blake3.Sum256(b[:])
	return sum{binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])}
}

// partial returns the sum of the compared among n points from the first of a block.
func (s *Set) partial(first, n int) (t sum) {
	if n == 0 {
		return t
	}
	for w := s.compared.word(first); w != 0; w &= w - 1 {
		i := bits.TrailingZeros32(w)
		if i >= n {
			break
		}
		t = t.plus(s.salt.hash(s.points.At(first + i)))
	}
	return t
}

// before returns how many points of b come before point i, given how many come before each block.
func (b bitset) before(i int, blocks []uint32) int {
	n := int(blocks[i/blockLen])
	if i%blockLen > 0 {
		n += bits.OnesCount32(b.word(i) & (1<<(i%blockLen) - 1))
	}
	return n
}

// rank returns how many wanted points come before point i.
func (s *Set) rank(i int) int { return s.wanted.before(i, s.ranks) }

// at returns the number of the wanted point before which there are r others.
func (s *Set) at(r int) int { return s.wanted.at(r, s.ranks) }

// at returns the number of the point of b before which there are r others, given how many come before each block.
func (b bitset) at(r int, blocks []uint32) int {
	w := sort.Search(len(b), func(w int) bool { return int(blocks[w+1]) > r })
	word := b[w]
	for range r - int(blocks[w]) {
		word &= word - 1
	}
	return w*blockLen + bits.TrailingZeros32(word)
}

// total returns the sum of the compared points before point i.
func (s *Set) total(i int) sum {
	return s.sums[i/blockLen].plus(s.partial(i/blockLen*blockLen, i%blockLen))
}

// span returns the numbers of the points of a range: the first, and the one after the last. A zero hi is the set's end.
func (s *Set) span(lo, hi Point) (i, j int) {
	i, j = max(s.lo, s.points.index(lo)), s.hi
	if hi != (Point{}) {
		j = min(s.hi, s.points.index(hi))
	}
	return min(i, j), j
}

// count returns how many of the points i … j-1 are compared.
func (s *Set) count(i, j int) int {
	return s.compared.before(j, s.counts) - s.compared.before(i, s.counts)
}

// sum returns the sum of the compared points i … j-1, and how many they are.
func (s *Set) sum(i, j int) (sum, int) { return s.total(j).minus(s.total(i)), s.count(i, j) }

// fingerprint returns that of the compared points i … j-1, and how many they are.
func (s *Set) fingerprint(i, j int) (fingerprint, int) {
	t, count := s.sum(i, j)
	return s.salt.fingerprint(t, count), count
}

func (s Salt) fingerprint(t sum, count int) (f fingerprint) {
	b := make([]byte, 0, len(s)+24)
	b = append(b, s[:]...)
	b = binary.BigEndian.AppendUint64(b, t.hi)
	b = binary.BigEndian.AppendUint64(b, t.lo)
	b = binary.BigEndian.AppendUint64(b, uint64(count))
	h := blake3.Sum256(b)
	copy(f[:], h[:])
	return f
}

// split cuts the wanted points i … j-1 into n parts that differ by at most one in their number, and returns the bounds
// between the parts: the least point of each but the first, abbreviated. n is at least 1 and at most their number.
func (s *Set) split(i, j, n int) []Point {
	first := s.rank(i)
	count := s.rank(j) - first
	bounds := make([]Point, 0, n)
	for c := 1; c < n; c++ {
		r := first + count*c/n
		bounds = append(bounds, between(s.points.At(s.at(r-1)), s.points.At(s.at(r))))
	}
	return bounds
}
