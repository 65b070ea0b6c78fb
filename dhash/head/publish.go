package head

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const (
	publishTime = 30 * time.Second // for all answers, at most
	restTime    = 5 * time.Second  // for the others, once a majority keeps the head
)

// Published says what came of handing out a head.
type Published struct {
	Asked int // members
	Kept  int // of those, that have it on their disk now

	// Others are verified heads of the same owner that name another catalog, by sequence and score: those of the same or a
	// higher sequence are in conflict or newer, and those of a lower one have given way to the head.
	Others []venti.Head
}

// Publish sends a head to members, those that are closest to its owner's key, at most Keepers of them, and returns when
// all have answered, or 5 s after a majority has kept it; members that absent, which may be nil, knows not to answer
// now it hardly waits for. send checks the signatures of what comes back. Members that did not get it get it from the
// others in time.
//
// The error wraps venti.ErrUnavailable if nobody keeps the head and nothing newer or in conflict is the reason; it is
// that of ctx if ctx ended first.
func Publish(ctx context.Context, members []dhash.ID, absent func(dhash.ID) bool, h venti.Head,
	send func(context.Context, dhash.ID) (Verdict, []venti.Head, error)) (Published, error) {
	members = members[:min(len(members), Keepers)]
	type answer struct {
		verdict Verdict
		others  []venti.Head
	}
	p := Published{Asked: len(members)}
	why := fmt.Errorf("no answer within %v", publishTime)
	others := await(members, absent)
	fan(ctx, members, publishTime, func(ctx context.Context, id dhash.ID) (answer, error) {
		v, others, err := send(ctx, id)
		return answer{v, others}, err
	}, func(i int, a answer, err error) time.Duration {
		none := others.done(i)
		if err == nil && !a.verdict.Kept() {
			err = refused(a.verdict)
		}
		if err != nil {
			why = err
		} else {
			p.Kept++
		}
		p.add(h, a.others)
		switch most := 2*p.Kept > p.Asked; {
		case most && none:
			return absentTime
		case most:
			return restTime
		}
		return publishTime
	})
	switch {
	case ctx.Err() != nil:
		return p, ctx.Err()
	case p.Kept == 0 && len(p.Others) == 0:
		return p, fmt.Errorf("%w: none of %d members keeps the head of number %d: %w", venti.ErrUnavailable, p.Asked, h.Sequence,
			why)
	}
	return p, nil
}

// refused says why a member does not keep a head.
func refused(v Verdict) error {
	if v == Future {
		return fmt.Errorf("members say that it is %v: is the clock of this machine right?", v)
	}
	return fmt.Errorf("a member refuses it: %v", v)
}

// add notes what stands against h.
func (p *Published) add(h venti.Head, others []venti.Head) {
	for _, o := range others {
		known := func(k venti.Head) bool { return Equal(k, o) }
		if o.Owner == h.Owner && !Equal(o, h) && !slices.ContainsFunc(p.Others, known) {
			p.Others = append(p.Others, o)
		}
	}
	slices.SortFunc(p.Others, func(a, b venti.Head) int {
		if a.Sequence != b.Sequence {
			return cmp.Compare(a.Sequence, b.Sequence)
		}
		return byScore(a, b)
	})
}
