package peer

import (
	"container/list"
	"context"
	"sync"
)

// A budget is a number of bytes of which parts are taken and given back. Who comes first is served first, so that large
// parts are not starved by small ones. A part that is larger than the budget counts as all of it.
type budget struct {
	size int64

	mu      sync.Mutex // protects the following
	taken   int64      // may exceed size: see adjust
	waiting list.List  // of *waiter, oldest first
}

type waiter struct {
	n     int64
	ready chan struct{} // closed when n has been taken
}

func newBudget(size int64) *budget { return &budget{size: size} }

// take waits until n bytes are free and takes them, unless ctx ends before.
func (b *budget) take(ctx context.Context, n int64) error {
	n = min(n, b.size)
	b.mu.Lock()
	if b.waiting.Len() == 0 && b.taken+n <= b.size {
		b.taken += n
		b.mu.Unlock()
		return nil
	}
	w := &waiter{n: n, ready: make(chan struct{})}
	place := b.waiting.PushBack(w)
	b.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-w.ready: // both at once
		b.taken -= w.n
	default:
		b.waiting.Remove(place)
	}
	b.wake() // it may have been the first, and in the way of smaller ones
	return ctx.Err()
}

// give gives n bytes back.
func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken -= min(n, b.size)
	b.wake()
}

// adjust replaces a part of from bytes by one of to bytes without waiting, even if the budget is then exceeded: from was
// a guess.
func (b *budget) adjust(from, to int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken += min(to, b.size) - min(from, b.size)
	b.wake()
}

// inUse returns how many bytes are taken.
func (b *budget) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.taken
}

// wake serves those that wait, in order, for as long as there is room. b.mu is held.
func (b *budget) wake() {
	for e := b.waiting.Front(); e != nil; e = b.waiting.Front() {
		w := e.Value.(*waiter)
		if b.taken+w.n > b.size {
			return
		}
		b.taken += w.n
		b.waiting.Remove(e)
		close(w.ready)
	}
}
