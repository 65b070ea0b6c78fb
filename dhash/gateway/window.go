package gateway

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"ventidhash/dhash"
)

// window bounds bytes. One block is let in however large it is.
type window struct {
	sem  *semaphore.Weighted
	size int64
}

func newWindow(size int64) *window { return &window{semaphore.NewWeighted(size), size} }

func (w *window) acquire(ctx context.Context, n int64) error {
	return w.sem.Acquire(ctx, min(n, w.size))
}
func (w *window) release(n int64) { w.sem.Release(min(n, w.size)) }

// slowness remembers which members lagged or failed lately. It holds at most as many as the swarm has, since only
// members of the table are asked.
type slowness struct {
	mu      sync.Mutex
	members map[dhash.ID]lag
}

// A lag says until when a member is left for last, and for how long it was.
type lag struct {
	until time.Time
	span  time.Duration
}

// A member that lags is left for last for slowFirst, and for twice as long each time that it does so again; up to slowMax.
const (
	slowFirst = 15 * time.Second
	slowMax   = 4 * time.Minute
)

func newSlowness() *slowness { return &slowness{members: map[dhash.ID]lag{}} }

func (s *slowness) set(id dhash.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	l := s.members[id]
	if now.Before(l.until) {
		return // said by several at once
	}
	l.span = min(max(slowFirst, 2*l.span), slowMax)
	l.until = now.Add(l.span)
	s.members[id] = l
}

func (s *slowness) clear(id dhash.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.members, id)
}

func (s *slowness) is(id dhash.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.members[id].until)
}
