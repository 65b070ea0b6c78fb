package repair

import (
	"cmp"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
)

// A View is what a holder knows of one coding of a block when a sweep has counted it.
type View struct {
	Code    dhash.Code
	Present int           // different fragments that are held by members that answer, this one included
	Absent  int           // different fragments more, of members that do not answer and were not silent for the grace period
	Claimed bool          // an owner claims the block, as this member knows; what nobody claims is not repaired
	Rank    int           // how many of the members that hold and answer are closer to the block than this one
	Short   time.Duration // for how long this member has seen the block short
}

// An Action is what to do about a block.
type Action byte

// The actions, the least pressing first.
const (
	Nothing Action = iota
	Wait           // it is short, and another member's turn to act, or there is nothing to be made of what is present
	Recode         // the swarm's policy wants another code for it
	Mend           // at or below the threshold: make what is missing, within the budget
	Urgent         // close to its loss: at once
)

// String returns the action's name.
func (a Action) String() string {
	switch a {
	case Nothing:
		return "nothing"
	case Wait:
		return "wait"
	case Recode:
		return "recode"
	case Mend:
		return "mend"
	case Urgent:
		return "urgent"
	}
	return "unknown"
}

// UrgentLine is dhash.Code.UrgentLine.
func UrgentLine(c dhash.Code) int { return c.UrgentLine() }

// Decide returns what this member should do about a block, and how many fragments it should make of it, the missing
// ones being those that are neither present nor absent. If it is urgent they are at least as many as the present ones
// lack to the threshold, whoever may return. takeover is the time after which the next closest holder acts beside the
// closest one. want is the code that the policy gives to such a block today; the zero Code wants nothing. Decide is
// pure, and the same in the swarm and in its simulation.
func Decide(v View, want dhash.Code, takeover time.Duration) (Action, int) {
	c := v.Code
	switch {
	case !v.Claimed:
		return Nothing, 0
	case v.Present <= c.UrgentLine():
		return turn(v, takeover, Urgent, max(c.Threshold()-v.Present, c.Total-v.Present-v.Absent))
	case v.Present+v.Absent <= c.Threshold() && v.Present+v.Absent < c.Total:
		return turn(v, takeover, Mend, c.Total-v.Present-v.Absent)
	case Weaker(c, want):
		return turn(v, takeover, Recode, want.Total)
	}
	return Nothing, 0
}

// turn returns the action if it is this member's turn and it can be done.
func turn(v View, takeover time.Duration, a Action, count int) (Action, int) {
	if v.Present < v.Code.Need || v.Short < time.Duration(v.Rank)*takeover {
		return Wait, 0
	}
	return a, count
}

// Weaker reports whether a block of code c should be coded anew where the policy wants another code: whether its loss
// takes fewer members.
func Weaker(c, want dhash.Code) bool {
	if want == (dhash.Code{}) || c == want {
		return false
	}
	return c.Total-c.Need < want.Total-want.Need
}

// recodeGain is how many nines a new code has to bring, at the repair threshold, to be worth coding blocks anew: without it
// a swarm that grows would do so with all that it holds at each member that joins.
const recodeGain = 0.5

// Wanted returns the code that a block of code c is to have today, in a swarm of so many members: the one that the
// policy gives, if that makes it safer by half a nine at least, and else the zero Code. Whether the block is vital
// (codec.Policy) is not written in its fragments, and is told from the code: that of a vital block in the swarm that it
// was stored in is known from Total. Where both codes are the same the block is taken for a vital one; that swarm was so
// small that little was stored in it.
func Wanted(p codec.Policy, members int, c dhash.Code) dhash.Code {
	want := p.Code(members, c.Need <= p.Code(c.Total, true).Need)
	nines := func(c dhash.Code) float64 {
		return codec.Nines(codec.Unavailability(dhash.Code{Need: c.Need, Total: c.Threshold()}, cmp.Or(p.P, 0.9)))
	}
	if nines(want) < nines(c)+recodeGain {
		return dhash.Code{}
	}
	return want
}
