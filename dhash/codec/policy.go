package codec

import (
	"fmt"
	"math"

	"ventidhash/dhash"
)

// slack is how much more than the target an unavailability may be, as a part of it, and still count as reaching it:
// 1/5 at p = 0.9 is five nines exactly, and 1.0000000000000002e-05 in floating point.
const slack = 1e-12

// Unavailability returns the probability that fewer than c.Need of c.Total members answer, if each answers with
// probability p, 0 < p < 1, independently. It is summed from below, term by term: 1−A would lose the digits that
// matter. c need not be valid; with Need > Total the result is 1. The relative error is below 1e-13 up to
// dhash.MaxTotal.
func Unavailability(c dhash.Code, p float64) float64 {
	if c.Need > c.Total {
		return 1
	}
	sum, ways := 0.0, 1.0 // ways = C(Total, i)
	for i := range max(0, c.Need) {
		sum += ways * math.Pow(p, float64(i)) * math.Pow(1-p, float64(c.Total-i))
		ways = ways * float64(c.Total-i) / float64(i+1)
	}
	return min(sum, 1)
}

// Availability returns 1 − Unavailability, for people; where nines are compared the latter serves better.
func Availability(c dhash.Code, p float64) float64 { return 1 - Unavailability(c, p) }

// Nines returns how many nines an unavailability u leaves: −log₁₀ u, 5 for 0.00001, +Inf for 0.
func Nines(u float64) float64 { return max(0, -math.Log10(u)) }

// A Policy says which code a block gets. The zero Policy is the default.
type Policy struct {
	Nines    float64    // to have at the repair threshold; 0 means 5
	P        float64    // the assumed probability that a member answers; 0 means 0.9
	MaxTotal int        // most fragments of a block; 0 means 20
	Fixed    dhash.Code // if not zero, the code whatever the target says
}

func (p Policy) withDefaults() Policy {
	if p.Nines == 0 {
		p.Nines = 5
	}
	if p.P == 0 {
		p.P = 0.9
	}
	if p.MaxTotal == 0 {
		p.MaxTotal = 20
	}
	return p
}

// Validate names the field that is out of its range and what the range is.
func (p Policy) Validate() error {
	q := p.withDefaults()
	switch {
	case !(q.Nines > 0 && q.Nines <= 15):
		return fmt.Errorf("policy: nines %v: want more than 0, at most 15", p.Nines)
	case !(q.P > 0 && q.P < 1):
		return fmt.Errorf("policy: availability of a member %v: want more than 0, less than 1", p.P)
	case q.MaxTotal < 1 || q.MaxTotal > dhash.MaxTotal:
		return fmt.Errorf("policy: at most %d fragments: want 1 to %d", p.MaxTotal, dhash.MaxTotal)
	case q.Fixed != dhash.Code{}:
		if err := q.Fixed.Validate(); err != nil {
			return fmt.Errorf("policy: %w", err)
		}
	}
	return nil
}

// Code returns the code of a new block in a swarm of so many members, this one included. Total is the number of
// members, at most MaxTotal, so that no member holds two fragments; Need is the largest that reaches the target at the
// repair threshold, or 1 if none does. A vital block (a pointer block or a root, whose loss costs all that is found
// through it) has half the Need. In a swarm smaller than Fixed.Total a fixed code shrinks in proportion.
//
// p must be valid. The same policy and number of members give the same code everywhere.
func (p Policy) Code(members int, vital bool) dhash.Code {
	p = p.withDefaults()
	members = max(1, members)
	c := p.Fixed
	if c == (dhash.Code{}) {
		c = p.best(min(members, p.MaxTotal))
	} else if members < c.Total {
		c = dhash.Code{Need: max(1, c.Need*members/c.Total), Total: members}
	}
	if vital {
		c.Need = max(1, c.Need/2)
	}
	return c
}

// best returns the code with the largest Need that reaches the target at the threshold, and with Need 1 if none does.
func (p Policy) best(total int) dhash.Code {
	best := dhash.Code{Need: 1, Total: total}
	for left := best.Threshold(); best.Need < left; best.Need++ {
		if !p.reaches(dhash.Code{Need: best.Need + 1, Total: left}) {
			break
		}
	}
	return best
}

func (p Policy) reaches(c dhash.Code) bool {
	return Unavailability(c, p.P) <= math.Pow(10, -p.Nines)*(1+slack)
}

// A Reach is what a swarm can promise about a block.
type Reach struct {
	Code      dhash.Code
	Fresh     float64 // nines with all fragments in place
	Threshold float64 // nines with Code.Threshold() of them, where repair begins: what may be promised
	OK        bool    // Threshold is on target
}

// Reach returns what a swarm of so many members has for ordinary blocks, so that one that is too small for the target
// is told so. p must be valid.
func (p Policy) Reach(members int) Reach {
	p = p.withDefaults()
	c := p.Code(members, false)
	left := dhash.Code{Need: c.Need, Total: c.Threshold()}
	return Reach{c, Nines(Unavailability(c, p.P)), Nines(Unavailability(left, p.P)), p.reaches(left)}
}
