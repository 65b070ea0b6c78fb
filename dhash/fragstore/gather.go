package fragstore

import (
	"context"
	"sync"
	"time"
)

// gatherTime is how long the first who wants something durable waits for others to join. A client has many fragments
// under way, so it loses nothing by it, and a member saves most of its system calls: measured with 24 members and
// fragments of 33 KB, an fsync for each batch that happened to be there took as much of the processor as everything else.
const gatherTime = 30 * time.Millisecond

// A gatherer lets all who come within a time share one sync.
type gatherer struct {
	wait time.Duration
	sync func() error // makes durable everything that was appended before it is called
	work sync.WaitGroup

	mu   sync.Mutex
	next *round // that can still be joined; nil if there is none
}

// A round is one sync, and who waits for it.
type round struct {
	done chan struct{}
	err  error // once done is closed
}

// join returns when everything that was appended before the call is durable. ctx bounds the wait alone.
func (g *gatherer) join(ctx context.Context) error {
	g.mu.Lock()
	r := g.next
	if r == nil {
		r = &round{done: make(chan struct{})}
		g.next = r
		g.work.Add(1)
		time.AfterFunc(g.wait, func() {
			defer g.work.Done()
			g.mu.Lock()
			g.next = nil
			g.mu.Unlock()
			r.err = g.sync()
			close(r.done)
		})
	}
	g.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
