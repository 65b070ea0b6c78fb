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
	until   time.Time
	span    time.Duration
	strikes int // requests in a row that were given up
}

// maxStrikes is how many requests in a row a member may fail to answer before somebody else has, until it counts as
// lagging. One in twenty is late by the meaning of the 95th percentile.
const maxStrikes = 3

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
	l.until, l.strikes = now.Add(l.span), 0
	s.members[id] = l
}

// strike notes that a request to a member was given up because others were quicker.
func (s *slowness) strike(id dhash.ID) {
	s.mu.Lock()
	l := s.members[id]
	l.strikes++
	s.members[id] = l
	s.mu.Unlock()
	if l.strikes >= maxStrikes {
		s.set(id)
	}
}

// clear notes that a member has answered.
func (s *slowness) clear(id dhash.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.members, id)
}

// forget clears everybody: what made them lag is over.
func (s *slowness) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.members)
}

func (s *slowness) is(id dhash.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Before(s.members[id].until)
}
