package head

import (
	"context"
	"sync"
	"time"

	"ventidhash/dhash"
)

// fan does something with all members at once, and calls got with what came of it, one at a time. It returns when all
// have answered or failed, when ctx ends, or when its patience does: that is what got returns, a time that is left from
// then on and that only becomes shorter. Nothing of it runs any more then, as long as do ends with its context.
func fan[T any](ctx context.Context, members []dhash.ID, patience time.Duration, do func(context.Context, dhash.ID) (T, error),
	got func(i int, v T, err error) time.Duration) {
	type result struct {
		i   int
		v   T
		err error
	}
	ctx, cancel := context.WithCancel(ctx)
	results := make(chan result, len(members))
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	for i, id := range members {
		work.Go(func() {
			v, err := do(ctx, id)
			results <- result{i, v, err}
		})
	}
	end := time.Now().Add(patience)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for range members {
		select {
		case r := <-results:
			if at := time.Now().Add(got(r.i, r.v, r.err)); at.Before(end) {
				end = at
				timer.Reset(time.Until(end))
			}
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// absentTime is for members that are known not to answer now, once all others have: perhaps they are back.
const absentTime = 200 * time.Millisecond

// awaited counts members that are not known to be absent and of which nothing has come.
type awaited struct {
	absent []bool
	left   int
}

func await(members []dhash.ID, absent func(dhash.ID) bool) *awaited {
	a := &awaited{absent: make([]bool, len(members))}
	for i, id := range members {
		if a.absent[i] = absent != nil && absent(id); !a.absent[i] {
			a.left++
		}
	}
	return a
}

// done notes that something has come of member i, and reports whether no other is waited for.
func (a *awaited) done(i int) bool {
	if !a.absent[i] {
		a.left--
	}
	return a.left == 0
}
