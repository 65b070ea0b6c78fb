package repair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// When no source has answered for so long, others are asked as well.
const lag = 2 * time.Second

// fetching is the reading of as many fragments of one coding as give its block.
type fetching struct {
	r      *Repairer
	ctx    context.Context // of all requests
	score  venti.Score
	coding dhash.Coding
	code   dhash.Code
	why    cause

	queue   []holding // not asked for yet, the most promising first
	got     map[int]*dhash.Fragment
	bad     map[dhash.ID]bool // members whose fragment was bad, or not there
	flying  map[dhash.ID]int  // which fragment each member was asked for
	late    int               // of these requests, those that are not waited for any more
	results chan arrival
	last    error
}

// An arrival is the end of one request.
type arrival struct {
	from     dhash.ID
	fragment *dhash.Fragment
	err      error
}

// fetch gets as many different fragments as give the block, this member's own first and then from the members that
// answer soonest. It also returns the members whose fragments were bad, or not there.
func (r *Repairer) fetch(ctx context.Context, score venti.Score, coding dhash.Coding, c *count,
	why cause) ([]*dhash.Fragment, map[dhash.ID]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*r.cfg.Timeout)
	f := &fetching{r: r, ctx: ctx, score: score, coding: coding, code: c.view.Code, why: why,
		got: map[int]*dhash.Fragment{}, bad: map[dhash.ID]bool{}, flying: map[dhash.ID]int{}, results: make(chan arrival)}
	for _, h := range c.sources {
		if h.member.ID != r.cfg.Self {
			f.queue = append(f.queue, h)
			continue
		}
		name := fragstore.Name{Score: score, Coding: coding, Index: h.held.Index}
		if own, _, err := r.ownFragment(ctx, name); err == nil {
			f.got[own.Index] = own
		}
	}
	r.byLatency(f.queue)
	f.run()
	cancel()
	for range f.flying {
		<-f.results
	}
	if len(f.got) < f.code.Need {
		return nil, f.bad, fmt.Errorf("%w: %d of the %d fragments that block %s takes could be read (the last failure: %v)",
			venti.ErrUnavailable, len(f.got), f.code.Need, score.Short(), cmp.Or(f.last, errors.New("no more sources")))
	}
	list := make([]*dhash.Fragment, 0, len(f.got))
	for _, fragment := range f.got {
		list = append(list, fragment)
	}
	return list, f.bad, nil
}

// byLatency orders holdings by how soon an answer is to be expected. Members that have not been read from come first,
// so that they are known.
func (r *Repairer) byLatency(list []holding) {
	mean := make(map[dhash.ID]time.Duration, len(list))
	for _, h := range list {
		mean[h.member.ID], _ = r.cfg.Peers.Latency(h.member.ID)
	}
	slices.SortStableFunc(list, func(a, b holding) int { return cmp.Compare(mean[a.member.ID], mean[b.member.ID]) })
}

// run asks until there are enough, or nobody is left to ask.
func (f *fetching) run() {
	timer := time.NewTimer(lag)
	defer timer.Stop()
	for len(f.got) < f.code.Need {
		for len(f.got)+len(f.flying)-f.late < f.code.Need && f.ask() {
		}
		if len(f.flying) == 0 {
			return
		}
		timer.Reset(lag)
		select {
		case a := <-f.results:
			f.take(a)
		case <-timer.C:
			f.late = len(f.flying)
		}
	}
}

// ask asks for the next fragment that is not there, and reports whether there was one to ask for.
func (f *fetching) ask() bool {
	for i, h := range f.queue {
		if _, busy := f.flying[h.member.ID]; busy || f.got[h.held.Index] != nil || f.bad[h.member.ID] {
			continue
		}
		if f.late == 0 && f.asked(h.held.Index) {
			continue // a second one of the same may be wanted if the first fails
		}
		f.queue = slices.Delete(f.queue, i, i+1)
		f.flying[h.member.ID] = h.held.Index
		go func() {
			fragment, err := f.get(h.member.ID)
			f.results <- arrival{h.member.ID, fragment, err}
		}()
		return true
	}
	return false
}

func (f *fetching) asked(index int) bool {
	for _, i := range f.flying {
		if i == index {
			return true
		}
	}
	return false
}

func (f *fetching) get(from dhash.ID) (*dhash.Fragment, error) {
	if err := f.r.enter(f.ctx); err != nil {
		return nil, err
	}
	defer f.r.leave()
	ctx, cancel := context.WithTimeout(f.ctx, f.r.cfg.Timeout)
	defer cancel()
	fragment, coding, err := f.r.cfg.Peers.Get(ctx, from, peer.Want{Score: f.score, Coding: f.coding})
	if err == nil && (coding != f.coding || fragment.Code != f.code) {
		err = fmt.Errorf("%w: it is of another coding than it was asked for", dhash.ErrFragment)
	}
	return fragment, err
}

// take deals with the end of a request.
func (f *fetching) take(a arrival) {
	index := f.flying[a.from]
	delete(f.flying, a.from)
	f.late = min(f.late, len(f.flying))
	if a.err == nil {
		f.got[a.fragment.Index] = a.fragment
		f.r.spent(f.why, len(a.fragment.Payload), 0)
		return
	}
	f.last = a.err
	if errors.Is(a.err, dhash.ErrFragment) || errors.Is(a.err, dhash.ErrNoFragment) || errors.Is(a.err, venti.ErrCorrupt) {
		f.bad[a.from] = true
		f.r.tally(func(s *Stats) { s.Bad++ })
		f.r.cfg.Log.Warn("a member does not have the fragment that it says it has", slog.String("member", a.from.Short()),
			slog.String("block", f.score.Short()), slog.Int("index", index), slog.Any("err", a.err))
	}
}
