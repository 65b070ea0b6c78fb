package head

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const (
	findTime  = 10 * time.Second // for all answers, at most
	lateTime  = 2 * time.Second  // for the others, once more than half of the members have answered
	laterTime = time.Second      // likewise, once two thirds of the keepers have
)

// Found says what the members know of an owner's head.
type Found struct {
	// Heads are those of the highest sequence that anybody has, in the order of scores. More than one is a conflict, none
	// says that nobody has any.
	Heads []venti.Head

	Asked    int // members
	Answered int // of those
	Agree    int // of those, that have one of Heads

	// Of those asked, the keepers are the ones to which Publish hands a head. Of any two majorities of them, of those that
	// took the newest head and of those that answer here, one member is in both.
	Keepers int // members
	Heard   int // of the keepers, that have answered
	Kept    int // of those, that have one of Heads
}

// Find asks members, the one closest to the owner's key first, at most Keepers+Slack of them, for the owner's heads.
// ask checks signatures and that the heads are the owner's. A member that has an old one, or none, changes nothing but
// the count, and one that hangs costs at most 10 s, a second or two where most others answer, and next to nothing if
// absent, which may be nil, says that it is known not to answer now.
//
// The error wraps venti.ErrUnavailable if nobody answered, or if nobody has a head and no majority of the keepers has
// said so; it is that of ctx if ctx ended first. If few have answered Found says so, and the head may be an old one.
func Find(ctx context.Context, members []dhash.ID, absent func(dhash.ID) bool,
	ask func(context.Context, dhash.ID) ([]venti.Head, error)) (Found, error) {
	members = members[:min(len(members), Keepers+Slack)]
	keepers := min(len(members), Keepers)
	f := Found{Asked: len(members), Keepers: keepers}
	var last error
	others := await(members, absent)
	fan(ctx, members, findTime, ask, func(i int, heads []venti.Head, err error) time.Duration {
		none := others.done(i)
		if err != nil {
			last = err
		} else {
			f.add(heads, i < keepers)
		}
		switch {
		case none && 2*f.Heard > keepers:
			return absentTime
		case 3*f.Heard >= 2*keepers:
			return laterTime
		case 2*f.Answered > f.Asked:
			return lateTime
		}
		return findTime
	})
	switch {
	case ctx.Err() != nil:
		return f, ctx.Err()
	case f.Answered == 0:
		return f, fmt.Errorf("%w: asking for an owner's head: none of %d members answers: %w", venti.ErrUnavailable, f.Asked,
			orNone(last))
	case len(f.Heads) == 0 && 2*f.Heard <= keepers:
		return f, fmt.Errorf("%w: none of the %d members that answer has a head of the owner, and the others of %d may have one",
			venti.ErrUnavailable, f.Answered, f.Asked)
	}
	return f, nil
}

// orNone returns err, or what there is to say where there is none.
func orNone(err error) error {
	if err == nil {
		return context.DeadlineExceeded
	}
	return err
}

// add counts the answer of a member, a keeper or another one.
func (f *Found) add(heads []venti.Head, keeper bool) {
	f.Answered++
	if keeper {
		f.Heard++
	}
	agrees := false
	for _, h := range heads {
		switch {
		case len(f.Heads) > 0 && h.Sequence < f.Heads[0].Sequence:
			continue
		case len(f.Heads) > 0 && h.Sequence > f.Heads[0].Sequence:
			f.Heads, f.Agree, f.Kept = nil, 0, 0
		}
		agrees = true
		if !slices.ContainsFunc(f.Heads, func(o venti.Head) bool { return Equal(o, h) }) {
			f.Heads = append(f.Heads, h)
			slices.SortFunc(f.Heads, byScore)
		}
	}
	if agrees {
		f.Agree++
	}
	if agrees && keeper {
		f.Kept++
	}
}
