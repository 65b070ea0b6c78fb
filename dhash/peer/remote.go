package peer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	libp2p "github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const (
	firstPause = 500 * time.Millisecond // after a failure, before the next dial
	lastPause  = 15 * time.Second       // a machine that was asleep is to go on soon after it woke
	seenEvery  = time.Second
)

// A remote is a member as the client knows it: at most one link that is in use, and what was learnt.
type remote struct {
	client  *Client
	id      dhash.ID
	window  *budget
	latency latency
	told    atomic.Int64 // when Seen was last called, in nanoseconds since 1970

	users int       // calls under way; protected by Client.mu
	used  time.Time // when the last began; protected by Client.mu

	mu     sync.Mutex // protects the following
	link   *link      // the one to use, or nil
	all    map[*link]struct{}
	dial   *dial // under way, or nil
	pause  time.Duration
	retry  time.Time // not to be dialled before
	why    error     // of the pause
	closed bool
}

// A dial is an attempt to open a stream, for all who wait for one.
type dial struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the following are set
	link   *link
	err    error
}

// get returns a link that can be used, and whether it is a new one.
func (r *remote) get(ctx context.Context) (l *link, fresh bool, err error) {
	r.mu.Lock()
	switch {
	case r.closed:
		r.mu.Unlock()
		return nil, false, &lostError{errClosed}
	case r.link != nil && r.link.usable():
		l = r.link
		r.mu.Unlock()
		return l, false, nil
	}
	if r.dial == nil {
		if left := time.Until(r.retry); left > 0 {
			defer r.mu.Unlock()
			return nil, false, fmt.Errorf("%w: not tried again for %v: %w", venti.ErrUnavailable,
				left.Round(time.Millisecond), r.why)
		}
		dialCtx, cancel := context.WithTimeout(context.Background(), r.client.cfg.Dial)
		r.dial = &dial{cancel: cancel, done: make(chan struct{})}
		d := r.dial
		r.client.work.Go(func() { r.connect(dialCtx, d) })
	}
	d := r.dial
	r.mu.Unlock()
	select {
	case <-d.done:
		return d.link, true, d.err
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
}

// connect opens a stream. It runs in a goroutine of its own, so that who gives up waiting costs the others nothing.
func (r *remote) connect(ctx context.Context, d *dial) {
	defer d.cancel()
	reused := r.client.host.Network().Connectedness(libp2p.ID(r.id)) == network.Connected
	stream, err := r.open(ctx)
	r.mu.Lock()
	r.dial = nil
	switch {
	case err != nil:
		r.pauseFor(err)
		d.err = fmt.Errorf("%w: connecting: %w", venti.ErrUnavailable, err)
	case r.closed:
		stream.Reset()
		d.err = &lostError{errClosed}
	default:
		d.link = r.start(stream, reused)
		r.link = d.link
		r.all[d.link] = struct{}{}
	}
	over := r.closed
	r.mu.Unlock()
	close(d.done)
	if err != nil && !over {
		r.client.failed(r.id, d.err)
	}
}

func (r *remote) open(ctx context.Context) (network.Stream, error) {
	c := r.client
	if c.cfg.Connect != nil {
		if err := c.cfg.Connect(ctx, r.id); err != nil {
			return nil, err
		}
	}
	return c.host.NewStream(ctx, libp2p.ID(r.id), Protocol)
}

// pauseFor sets the time before which the member is not dialled again. r.mu is held.
func (r *remote) pauseFor(why error) {
	r.pause = min(max(2*r.pause, firstPause), lastPause)
	r.retry = time.Now().Add(r.pause/2 + rand.N(r.pause/2))
	r.why = why
}

// retire makes sure that no more requests go over l, which still lives.
func (r *remote) retire(l *link) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link == l {
		r.link = nil
	}
}

// lost notes that a link has ended, with so many requests outstanding.
func (r *remote) lost(l *link, waiting int, cause error) {
	orderly := errors.Is(cause, errIdle) || errors.Is(cause, errClosing) || errors.Is(cause, errClosed)
	blamed := !orderly && (waiting > 0 || errors.Is(cause, errMalformed))
	r.mu.Lock()
	delete(r.all, l)
	if r.link == l {
		r.link = nil
	}
	if !r.closed && (blamed || !orderly && !l.proven.Load()) {
		if (l.proven.Load() || l.outdated(cause)) && !errors.Is(cause, errStalled) && !errors.Is(cause, errMalformed) {
			r.pause = 0 // it was well: it may have been restarted, and is dialled at once
		} else {
			r.pauseFor(cause)
		}
	}
	over := r.closed
	r.mu.Unlock()
	if blamed && !over {
		r.client.failed(r.id, &lostError{cause})
	}
}

// seen notes an answer.
func (r *remote) seen(now time.Time) {
	last := r.told.Load()
	if now.UnixNano()-last < int64(seenEvery) || !r.told.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	r.mu.Lock()
	r.pause = 0
	r.mu.Unlock()
	if seen := r.client.cfg.Seen; seen != nil {
		seen(r.id)
	}
}

// close ends all links.
func (r *remote) close(cause error) {
	r.mu.Lock()
	r.closed = true
	links := make([]*link, 0, len(r.all))
	for l := range r.all {
		links = append(links, l)
	}
	if r.dial != nil {
		r.dial.cancel()
	}
	r.mu.Unlock()
	for _, l := range links {
		l.fail(cause)
	}
}

// idle reports whether nothing is lost when the remote is forgotten. Its caller holds Client.mu.
func (r *remote) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.users == 0 && r.dial == nil
}
