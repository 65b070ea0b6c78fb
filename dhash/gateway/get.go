package gateway

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// Get implements venti.Store.
func (g *Gateway) Get(ctx context.Context, s venti.Score) ([]byte, error) {
	block, err := g.get(ctx, s)
	if err != nil {
		return nil, &venti.BlockError{Op: "get", Score: s, Err: err}
	}
	return block, nil
}

func (g *Gateway) get(ctx context.Context, s venti.Score) ([]byte, error) {
	if err := errors.Join(ctx.Err(), g.life.Err()); err != nil {
		return nil, err
	}
	if s == venti.ZeroScore() {
		return []byte{}, nil
	}
	if block := g.inFlight(s); block != nil {
		return block, nil
	}
	var block []byte
	err := g.patiently(ctx, s, func() (err error) {
		block, err = g.fetch(ctx, s)
		return err
	})
	return block, err
}

// inFlight returns a block that is on its way to its holders, or nil.
func (g *Gateway) inFlight(s venti.Score) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.flying[s]
	if p == nil {
		return nil
	}
	fragments := make([]*dhash.Fragment, p.enc.Code.Need)
	for i := range fragments {
		f := p.enc.Fragment(i)
		fragments[i] = &f
	}
	block, err := g.codec.Decode(p.enc.Coding, fragments) // the buffer stays while p flies
	if err != nil {
		return nil
	}
	return block
}

// fetch gets a block from its holders.
func (g *Gateway) fetch(ctx context.Context, s venti.Score) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx)
	table := g.cfg.Table()
	code := g.cfg.Code(max(1, table.Len()), false)
	members := g.holders(table, s, code)
	f := &getting{g: g, score: s, ctx: ctx, guess: code, results: make(chan answer), groups: map[dhash.Coding]*group{},
		out: map[dhash.ID]asked{}, seen: map[dhash.ID]bool{}}
	first := min(code.Total, len(members))
	f.queue = append(g.ranked(members[:first]), members[first:]...)
	for _, m := range members {
		f.seen[m.ID] = true
	}
	block, coding, err := f.run()
	if err == nil {
		for id, a := range f.out {
			if a.hedged {
				g.slow.strike(id)
			}
		}
	}
	cancel()
	for ; f.flights > 0; f.flights-- {
		<-f.results
	}
	if err == nil {
		f.blame(block, coding)
	}
	return block, err
}

// ranked orders members by how soon an answer is to be expected. Those that lagged or are absent come last.
func (g *Gateway) ranked(members []placement.Member) []placement.Member {
	rank := make(map[dhash.ID]float64, len(members))
	for _, m := range members {
		mean, _ := g.cfg.Peers.Latency(m.ID)
		r := float64(cmp.Or(mean, time.Millisecond)) * (0.75 + rand.Float64()/2) // so that equals share the work
		if g.lags(m.ID) {
			r += float64(time.Hour)
		}
		rank[m.ID] = r
	}
	out := slices.Clone(members)
	slices.SortFunc(out, func(a, b placement.Member) int { return cmp.Compare(rank[a.ID], rank[b.ID]) })
	return out
}
