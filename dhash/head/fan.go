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
