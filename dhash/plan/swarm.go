package plan

import (
	"fmt"
	"math"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
)

// A Swarm is what is known or assumed of one. All fields but Rho must be set.
type Swarm struct {
	Members   int
	P         float64 // how likely a member answers
	Rho       float64 // how much members fail together, from 0; see BetaBinomial
	Nines     float64 // the target, to be had when repair begins
	Lifetime  time.Duration
	Repair    time.Duration
	Bandwidth float64 // what a member may spend on repair, in bytes a second
	Data      float64 // bytes that the swarm keeps, each counted once
	Blocks    float64 // how many blocks these are
}

// MaxMembers bounds Swarm.Members.
const MaxMembers = 1_000_000

// Validate names the first field that is out of its range, and the range.
func (s Swarm) Validate() error {
	switch {
	case s.Members < 1 || s.Members > MaxMembers:
		return fmt.Errorf("members %d: want 1 to %d", s.Members, MaxMembers)
	case !(s.P >= 0.01 && s.P <= 0.9999):
		return fmt.Errorf("availability %v: want 0.01 to 0.9999, the part of the time that a member answers", s.P)
	case !(s.Rho >= 0 && s.Rho <= 0.9):
		return fmt.Errorf("rho %v: want 0 to 0.9; 0 is members that fail independently", s.Rho)
	case !(s.Nines >= 0.5 && s.Nines <= 12):
		return fmt.Errorf("nines %v: want 0.5 to 12", s.Nines)
	case s.Lifetime < time.Hour || s.Lifetime > 100*Year:
		return fmt.Errorf("lifetime %v: want an hour to a hundred years, the mean time until a member is gone for good", s.Lifetime)
	case s.Repair < time.Second || s.Repair > Year:
		return fmt.Errorf("repair %v: want a second to a year, the mean time that a repair takes", s.Repair)
	case !(s.Bandwidth >= 1 && s.Bandwidth <= 1e15):
		return fmt.Errorf("bandwidth %v: want 1 to 1e15 bytes a second", s.Bandwidth)
	case !(s.Data >= 1 && s.Data <= 1e21):
		return fmt.Errorf("data %v: want 1 to 1e21 bytes", s.Data)
	case !(s.Blocks >= 1 && s.Blocks <= 1e18):
		return fmt.Errorf("blocks %v: want 1 to 1e18", s.Blocks)
	}
	return nil
}

// Unavailability returns that of a block of code c, with all fragments in place.
func (s Swarm) Unavailability(c dhash.Code) float64 { return BetaBinomial(c, s.P, s.Rho) }

// Reaches reports whether a block of which these fragments are left is on target.
func (s Swarm) Reaches(left dhash.Code) bool {
	return s.Unavailability(left) <= math.Pow(10, -s.Nines)*(1+slack)
}

// maxNines bounds what is said about availability, as a number of nines.
const maxNines = 15

func (s Swarm) nines(c dhash.Code) float64 { return min(codec.Nines(s.Unavailability(c)), maxNines) }

// A Figures is what a code would be worth in a swarm. Repair begins at Code.Threshold.
type Figures struct {
	Code     dhash.Code
	Fits     bool    // there is a member for each fragment; if not, the other figures are of a swarm where there is
	OnTarget bool    // Threshold is
	Overhead float64 // bytes stored for each byte kept

	Fresh     float64 // nines with all fragments in place, at most 15
	Threshold float64 // nines where repair begins, at most 15
	Mean      float64 // nines over the time from one repair to the next, at most 15

	Retry    float64 // blocks to be expected unavailable at any time, so that a read of them has to be tried again
	Readable float64 // the probability that none is
	MTTDL    [3]float64
	Lost     float64 // blocks to be expected lost for good in a year, by M2

	Traffic float64 // what a member reads and writes for lazy repair, in bytes a second
	Eager   float64 // what it would read if every lost fragment were made again by itself, k·S/T, in bytes a second
}

// Assess returns what code c is worth. s and c must be valid.
func (s Swarm) Assess(c dhash.Code) Figures {
	ch := Churn{s.Lifetime, s.Repair}
	cycle := NewCycle(c, c.Threshold(), ch, s.Unavailability)
	all := Snapshot{Blocks: s.Blocks}
	left := dhash.Code{Need: c.Need, Total: c.Threshold()}
	f := Figures{
		Code:      c,
		Fits:      c.Total <= s.Members,
		OnTarget:  s.Reaches(left),
		Overhead:  c.Overhead(),
		Fresh:     s.nines(c),
		Threshold: s.nines(left),
		Mean:      min(codec.Nines(cycle.Unavailability), maxNines),
		Retry:     all.Unavailable(cycle.Unavailability),
		Readable:  all.AllReadable(cycle.Unavailability),
		MTTDL:     [3]float64{MTTDL(M1, c, 0, ch), MTTDL(M1s, c, 0, ch), cycle.MTTDL},
		Lost:      min(all.Lost(1, cycle.MTTDL), s.Blocks),
		Traffic:   cycle.Traffic * s.Data / float64(s.Members) / Year.Seconds(),
	}
	f.Eager, _ = EagerTraffic(c, s.Held(c), s.Lifetime)
	return f
}

// Held returns how many bytes of fragments a member holds on average, with code c.
func (s Swarm) Held(c dhash.Code) float64 { return s.Data * c.Overhead() / float64(s.Members) }

// Choose returns the code that a swarm should have for ordinary blocks: Total is the number of members, at most that of
// codec.Policy, and Need the largest that is on target when repair begins, or 1 if none is. With Rho 0 it is what
// codec.Policy chooses. s must be valid.
func (s Swarm) Choose() dhash.Code {
	c := dhash.Code{Need: 1, Total: codec.Policy{}.Code(s.Members, false).Total}
	for left := c.Threshold(); c.Need < left && s.Reaches(dhash.Code{Need: c.Need + 1, Total: left}); {
		c.Need++
	}
	return c
}

// MembersNeeded returns from how many members on the swarm would be on target with the code that is then chosen, 0 if no
// number does it.
func (s Swarm) MembersNeeded() int {
	needed := 0
	for s.Members = dhash.MaxTotal; s.Members > 0; s.Members-- {
		c := s.Choose()
		if !s.Reaches(dhash.Code{Need: c.Need, Total: c.Threshold()}) {
			break
		}
		needed = s.Members
	}
	return needed
}
