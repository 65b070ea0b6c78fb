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
	mu    sync.Mutex
	until map[dhash.ID]time.Time
}

func newSlowness() *slowness { return &slowness{until: map[dhash.ID]time.Time{}} }

func (s *slowness) set(id dhash.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until[id] = time.Now().Add(slowFor)
}

func (s *slowness) clear(id dhash.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.until, id)
}

func (s *slowness) is(id dhash.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.until[id]
	if ok && time.Now().After(until) {
		delete(s.until, id)
		return false
	}
	return ok
}
