package plan

import "math"

// A Snapshot is a number of blocks that are wanted together.
type Snapshot struct {
	Blocks float64 // how many
	Levels int     // pointer blocks on the way to each of them: all of these are needed too
}

// Unavailable returns how many blocks are to be expected unavailable at a time, if each is with probability u. They are
// not lost: a retry after members have come back finds them.
func (s Snapshot) Unavailable(u float64) float64 { return s.Blocks * u }

// Unreachable returns how many leaves are to be expected out of reach, because they or a block on the way to them are
// unavailable: a leaf with probability u, and a pointer block with probability pointer.
func (s Snapshot) Unreachable(u, pointer float64) float64 {
	// 1 − (1−u)(1−pointer)^Levels without the loss of digits
	return s.Blocks * -math.Expm1(math.Log1p(-u)+float64(s.Levels)*math.Log1p(-pointer))
}

// AllReadable returns the probability that all blocks are available at once, if each is unavailable with probability u
// whatever the others are. Blocks that share their holders fail together, so that it is more in truth, and then more
// of them are missing at once.
func (s Snapshot) AllReadable(u float64) float64 { return math.Exp(s.Blocks * math.Log1p(-u)) }

// Lost returns how many blocks are to be expected lost for good in so many years, if the mean time to the loss of one
// is mttdl years, which is much longer.
func (s Snapshot) Lost(years, mttdl float64) float64 { return s.Blocks * years / mttdl }

// LossProbability returns the probability that any block is lost within so many years.
func (s Snapshot) LossProbability(years, mttdl float64) float64 {
	return -math.Expm1(-s.Lost(years, mttdl))
}

// Pointers returns how many pointer blocks a tree of so many leaves has on each level, the lowest first, with fanout
// rows in each, at least 2.
func Pointers(leaves, fanout int64) (levels []int64) {
	for leaves > 1 {
		leaves = (leaves + fanout - 1) / fanout
		levels = append(levels, leaves)
	}
	return levels
}
