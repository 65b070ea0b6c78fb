package plan

import (
	"fmt"
	"math"
	"time"

	"ventidhash/dhash"
)

// Year is a year.
const Year = 8766 * time.Hour

// A Model says how the fragments of a block that are gone come back.
type Model byte

// The models. Under each of them a fragment's disk lives for an exponential time.
const (
	M1  Model = iota // parallel: each missing fragment is made by itself, in the time of a repair
	M1s              // serial: one missing fragment at a time
	M2               // batch: nothing until the trigger is reached, then all that is missing at once; this is what members do
)

// String returns the model's name.
func (m Model) String() string {
	switch m {
	case M1:
		return "M1"
	case M1s:
		return "M1s"
	case M2:
		return "M2"
	}
	return fmt.Sprintf("Model(%d)", byte(m))
}

// A Churn says how fast fragments are lost for good, and how fast they come back. Both are positive.
type Churn struct {
	Lifetime time.Duration // mean time that a member lives with its disk
	Repair   time.Duration // mean time from when a repair is due to when it is done
}

// rates returns losses of one fragment and repairs, a year.
func (c Churn) rates() (lam, mu float64) {
	return float64(Year) / float64(c.Lifetime), float64(Year) / float64(c.Repair)
}

// MTTDL returns the mean time in years until fewer than c.Need fragments of a block are left, from all of them. trigger
// is the number of fragments at which, and below which, M2 repairs; Total−1 is eager, and less than Need is never. M1
// and M1s do not look at it. It is at most math.MaxFloat64.
func MTTDL(m Model, c dhash.Code, trigger int, ch Churn) float64 {
	lam, mu := ch.rates()
	if m == M2 {
		return min(batchMTTDL(c, trigger, lam, mu), math.MaxFloat64)
	}
	// h is the mean time to go from i fragments to i−1.
	h := 1 / (float64(c.Total) * lam)
	sum := h
	for i := c.Total - 1; i >= c.Need; i-- {
		repair := mu
		if m == M1 {
			repair *= float64(c.Total - i)
		}
		die := float64(i) * lam
		h = 1/die + repair/die*h
		sum += h
	}
	return min(sum, math.MaxFloat64)
}

// batchMTTDL solves the chain of M2, in which a repair leads from any state to the first. From i fragments, al is the
// mean time until the block is lost or repaired, and ga the probability that it is lost, both divided by what is common
// to them; no digit is lost to a subtraction.
func batchMTTDL(c dhash.Code, trigger int, lam, mu float64) float64 {
	al, ga := 0.0, 1.0
	for i := c.Need; i <= c.Total; i++ {
		die, out := float64(i)*lam, float64(i)*lam
		if i <= trigger && i < c.Total {
			out += mu
		}
		al, ga = (1+die*al)/out, die*ga/out
	}
	return al / ga
}

// A Cycle is the life of a block between two repairs, on average.
type Cycle struct {
	Unavailability float64 // mean over the cycle
	Traffic        float64 // by repair, in lengths of the block a year: each repair reads it, and writes what is missing
	MTTDL          float64 // in years, of model M2
}

// NewCycle returns the cycle of a block that is repaired at trigger fragments and below. unavailability is asked for
// the code with fewer and fewer fragments: Need of Total, of Total−1, … of Need.
func NewCycle(c dhash.Code, trigger int, ch Churn, unavailability func(dhash.Code) float64) Cycle {
	lam, mu := ch.rates()
	var time, bad, moved float64
	reached := 1.0 // how likely a cycle comes down to i fragments
	for i := c.Total; i >= c.Need; i-- {
		die, repair := float64(i)*lam, 0.0
		if i <= trigger && i < c.Total {
			repair = mu
		}
		stay := reached / (die + repair)
		time += stay
		bad += stay * unavailability(dhash.Code{Need: c.Need, Total: i})
		moved += stay * repair * batch(c, c.Total-i)
		reached = stay * die
	}
	return Cycle{bad / time, moved / time, MTTDL(M2, c, trigger, ch)}
}

// batch returns how many lengths of a block it takes to make so many of its fragments.
func batch(c dhash.Code, missing int) float64 {
	if c.Need == 1 {
		return float64(missing) // a copy is sent from holder to holder
	}
	return 1 + float64(missing)/float64(c.Need)
}

// EstimateTraffic returns about what Cycle.Traffic is, in one line: as if each cycle went down to the trigger and was
// repaired there.
func EstimateTraffic(c dhash.Code, trigger int, ch Churn) float64 {
	lam, mu := ch.rates()
	time := 1 / mu
	for i := trigger + 1; i <= c.Total; i++ {
		time += 1 / (float64(i) * lam)
	}
	return batch(c, c.Total-trigger) / time
}

// EagerTraffic returns what a member that holds so many bytes of fragments reads and writes for repair, in bytes a
// second, if each fragment that is lost is made again by itself, from Need others: it is what lazy repair saves.
func EagerTraffic(c dhash.Code, held float64, lifetime time.Duration) (read, write float64) {
	write = held / lifetime.Seconds()
	return write * float64(c.Need), write
}
