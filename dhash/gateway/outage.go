package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const (
	probeTime = 5 * time.Second // that members have to answer a probe
	probeGap  = 2 * time.Second // between two of them
	probeAge  = time.Second     // how old one may be for those who wait
	probeMax  = 64              // members asked

	// After an outage, members come back one after the other, since who failed is not dialled again at once (package peer).
	// Blocks wait until all have, or nobody else did for so long.
	settleTime = 16 * time.Second
)

// An Outage says that blocks wait for the swarm: so few members answer that none could be brought back. The zero Outage is
// none.
type Outage struct {
	Since     time.Time // when that was found out
	Until     time.Time // when whoever waits longest gives up
	Answering int       // members
	Need      int       // as many would do
}

// outage is what a Gateway knows about whether its swarm can be reached.
type outage struct {
	// members is the most that were in the table: in a long outage it empties, and fills again later.
	members atomic.Int64

	on atomic.Bool // too few members answered, and not all that are to be expected do yet

	probing sync.Mutex // held while members are asked; protects the following
	at      time.Time  // when that last began
	last    probed
	most    int       // members that answered at once in the outage that is on
	grew    time.Time // when that was first so

	mu      sync.Mutex // protects the following
	waiting int        // blocks
	now     Outage
}

// probed is the result of asking members.
type probed struct{ answers, members, need int }

// Outage returns the outage that there is now, if there is one.
func (g *Gateway) Outage() Outage {
	g.outage.mu.Lock()
	defer g.outage.mu.Unlock()
	return g.outage.now
}

// patiently calls try, and again for as long as it fails because the swarm is out of reach, up to Config.Wait. Where the
// members answer, what is unavailable is so twice in a row before that is believed: they may have come back in between.
func (g *Gateway) patiently(ctx context.Context, s venti.Score, try func() error) error {
	if g.cfg.Wait == 0 {
		return try()
	}
	g.swarmOf(g.cfg.Table().Len())
	err := try()
	until := time.Now().Add(g.cfg.Wait)
	for again := false; errors.Is(err, venti.ErrUnavailable) && g.goesOn(ctx); {
		waited, reached := g.await(ctx, s, until)
		if !reached || again && !waited {
			return err
		}
		again = true
		err = try()
	}
	return err
}

// swarmOf notes that there are so many members now, and returns how many there were at most.
func (g *Gateway) swarmOf(members int) int {
	for {
		most := g.outage.members.Load()
		if int64(members) <= most {
			return int(most)
		}
		if g.outage.members.CompareAndSwap(most, int64(members)) {
			return members
		}
	}
}

// usual returns the code of blocks that are not vital in the swarm as it was at its largest.
func (g *Gateway) usual() dhash.Code { return g.cfg.Code(max(1, g.swarmOf(0)), false) }

// members returns for how many members a block is to be coded when n are known. In an outage those count that there were: if
// it is long they are taken for gone one after the other, and are back all the same.
func (g *Gateway) members(n int) (int, error) {
	switch {
	case n == 0:
		return 0, fmt.Errorf("%w: no member of the swarm is known", venti.ErrUnavailable)
	case n < g.usual().Need:
		return 0, fmt.Errorf("%w: %d of the %d members that there were are left", venti.ErrUnavailable, n, g.swarmOf(n))
	case g.outage.on.Load():
		n = g.swarmOf(n)
	}
	return n, nil
}

// goesOn reports whether anything can still come of a block.
func (g *Gateway) goesOn(ctx context.Context) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failed == nil && ctx.Err() == nil && g.life.Err() == nil
}

// await returns once so many members answer that blocks can be brought back, or that cannot be waited for any longer;
// waited says that they did not at first. In an outage it goes on until no more of them come back.
func (g *Gateway) await(ctx context.Context, s venti.Score, until time.Time) (waited, reached bool) {
	since := time.Now()
	for ; ; waited = true {
		p := g.probe(ctx, s, since)
		switch {
		case !g.outage.on.Load():
			return waited, true
		case !waited:
			g.wait(1)
			defer g.wait(-1)
		}
		g.noteOutage(p, until)
		pause := time.NewTimer(probeGap)
		select {
		case now := <-pause.C:
			if now.After(until) {
				return true, false
			}
			since = now.Add(-probeAge)
		case <-ctx.Done():
			return true, false
		case <-g.life.Done():
			return true, false
		}
	}
}

// wait counts the blocks that wait.
func (g *Gateway) wait(n int) {
	o := &g.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting += n; o.waiting == 0 {
		o.now = Outage{}
	}
}

func (g *Gateway) noteOutage(p probed, until time.Time) {
	o := &g.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.now.Since.IsZero() {
		o.now.Since = time.Now()
	}
	if until.After(o.now.Until) {
		o.now.Until = until
	}
	o.now.Answering, o.now.Need = p.answers, p.need
}

// probe asks the members closest to a block whether they are there, unless somebody has begun to since a time.
func (g *Gateway) probe(asker context.Context, s venti.Score, since time.Time) probed {
	o := &g.outage
	o.probing.Lock()
	defer o.probing.Unlock()
	if o.at.After(since) {
		return o.last
	}
	o.at = time.Now()
	table := g.cfg.Table()
	known := g.swarmOf(table.Len())
	ctx, cancel := context.WithTimeout(asker, probeTime)
	defer cancel()
	members := table.Closest(dhash.KeyOf(s), min(probeMax, table.Len()))
	heard := make(chan bool, len(members))
	for _, m := range members {
		g.work.Go(func() {
			_, err := g.cfg.Peers.Have(ctx, m.ID, g.cfg.Owner, []venti.Score{s})
			heard <- err == nil
		})
	}
	o.last = probed{members: min(probeMax, known), need: g.usual().Need}
	for range members {
		if <-heard {
			o.last.answers++
		}
	}
	if asker.Err() != nil { // nobody was given the time to answer
		o.at = time.Time{}
		return o.last
	}
	g.takeIn(o.last)
	return o.last
}

// takeIn says by the answers to a probe whether an outage is on. o.probing is held.
func (g *Gateway) takeIn(p probed) {
	o, now := &g.outage, time.Now()
	if p.answers > o.most || !o.on.Load() {
		o.most, o.grew = p.answers, now
	}
	switch {
	case p.answers < p.need:
		o.on.Store(true)
	case o.on.Load() && (p.answers >= p.members || now.Sub(o.grew) > settleTime):
		o.on.Store(false)
		g.slow.forget()
	}
}
