package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/lenders"
	"ventidhash/dhash/placement"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/prune"
	"ventidhash/venti"
)

const (
	// otherBackup is for how long a backup of the same identity may have been running on another machine, unless there is
	// none: what was claimed since then is not let go. One that takes longer, or whose snapshot is published late, claims
	// everything anew before (app.commit, app.vet).
	otherBackup = 24 * time.Hour

	// ownMargin is how much earlier than it says a backup of this machine may have begun by a lender's clock: that may have
	// been set meanwhile, by less than what makes a lender give nothing up.
	ownMargin = 65 * time.Minute

	// lateAfter is how long a forgotten snapshot that cannot be read is tried again. After that, retain sets find what
	// only it needed.
	lateAfter = 60 * 24 * time.Hour
)

// A swarmPrune is one prune of a swarm.
type swarmPrune struct {
	*app
	f       pruneFlags
	at      location
	notes   string // folder
	ledger  *lenders.Ledger
	members []dhash.ID

	cut       time.Time // claims from then on stay
	running   int       // backups of this machine
	forgotten []prune.Forgotten
	found     *prune.Found
}

func (a *app) pruneSwarm(ctx context.Context, at location, f pruneFlags) (err error) {
	owner, err := a.identity(false)
	if err != nil {
		return err
	}
	if _, err := a.blocks(ctx, false); err != nil {
		return err
	}
	p := &swarmPrune{app: a, f: f, at: at, notes: at.notes(owner)}
	if p.ledger, p.members, err = a.ledger(ctx, true); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.ledger.Close()) }()
	return p.run(ctx)
}

// run goes through the steps in the only order that is safe: the lenders' clocks first, then who is writing, then the
// catalog, and the lenders again. Whoever writes and is not in the catalog when it is walked makes claims that are not
// older than p.cut.
func (p *swarmPrune) run(ctx context.Context) error {
	p.cut = time.Now()
	if !p.f.alone {
		p.cut = p.cut.Add(-otherBackup)
	}
	var heard []lenders.Heard
	if !p.f.dryRun {
		var err error
		if heard, err = p.greet(ctx); err != nil {
			return err
		}
	}
	n, oldest, err := prune.Running(p.notes)
	if err != nil {
		return err
	}
	if p.running = n; n > 0 && oldest.Add(-ownMargin).Before(p.cut) {
		p.cut = oldest.Add(-ownMargin)
	}
	if p.forgotten, err = prune.ReadForgotten(p.notes); err != nil {
		return err
	}
	if !p.f.dryRun && !p.f.retain && len(p.forgotten) == 0 && !p.ledger.Due(heard) {
		return p.nothing(heard)
	}
	if err := p.search(ctx); err != nil {
		return err
	}
	if p.f.dryRun {
		return p.report(nil)
	}
	if err := p.owe(ctx); err != nil {
		return err
	}
	stop := p.watch(ctx, "prune", 0, func() tally { return tally{what: "telling the members"} })
	told, err := p.ledger.Tell(ctx, lenders.Tell{Heard: heard, Cut: p.cut, Live: p.found.Live, Needs: p.found.Needs, Older: p.found.Older,
		Near: nearTo(p.members), Retain: p.f.retain, Confirm: p.f.confirm})
	stop()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	return p.report(told)
}

// greet sends the heartbeats, which show the lenders' clocks.
func (p *swarmPrune) greet(ctx context.Context) ([]lenders.Heard, error) {
	heard, err := p.ledger.Heartbeat(ctx, p.members, 0)
	if err != nil {
		return nil, err
	}
	for _, h := range heard {
		if h.Err == nil {
			return heard, ctx.Err()
		}
		err = h.Err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("%w: none of %s answers, so nothing was let go; try again later (%w)", venti.ErrUnavailable,
		count(int64(len(heard)), "member", "members"), err)
}

// agree sees to it that the list here is the one that all machines of the identity go by, with what each has added. It hands
// the head out in any case: a member that knows a newer one objects, even if those that were asked did not know it. And all
// that the lists of former identities say here has to be on it.
func (p *swarmPrune) agree(ctx context.Context, cat *catalog.Catalog) error {
	if p.f.dryRun {
		p.refresh(ctx, refreshTime)
		return nil
	}
	err := cat.Republish(ctx)
	if err == nil {
		err = p.inherited(p.at, cat)
	}
	if err == nil {
		for _, l := range p.ledger.Lenders() {
			if l.Other {
				p.note("vdh: another machine has spoken to the members for this identity since the last prune here; it goes by the same list")
				break
			}
		}
		p.ledger.Trust()
		return nil
	}
	if ctx.Err() == nil {
		err = fmt.Errorf("what other machines of this identity have backed up is not known for sure, so nothing was let go; "+
			"try again later: %w", cause(err))
	}
	return err
}

// search finds what can be let go.
func (p *swarmPrune) search(ctx context.Context) error {
	cat, err := p.snapshots(ctx)
	if err != nil {
		return err
	}
	if err := p.agree(ctx, cat); err != nil {
		return err
	}
	src, err := p.plain(ctx)
	if err != nil {
		return err
	}
	var now tallyOf[prune.Progress]
	stop := p.watch(ctx, "prune", 0, func() tally {
		w := now.load()
		return tally{what: fmt.Sprintf("%s, %d snapshots, %d blocks", w.Step, w.Snapshots, w.Blocks)}
	})
	p.found, err = prune.Search(ctx, prune.SearchConfig{Source: src, RootKey: p.owner.RootKey(), Catalog: cat,
		Forgotten: p.forgotten, Empty: p.f.empty, Progress: now.store})
	stop()
	if errors.Is(err, prune.ErrEmpty) {
		return fmt.Errorf("%w; if this is the right swarm and identity and nothing in it is wanted, add --empty", err)
	}
	return err
}

// owe puts down what was found before anybody is told.
func (p *swarmPrune) owe(ctx context.Context) error {
	var after time.Time
	for _, f := range p.forgotten {
		if f.Time.After(after) {
			after = f.Time
		}
	}
	if err := p.ledger.Owe(p.found.Gone, after, p.found.Needs); err != nil {
		return err
	}
	done := p.found.Done
	for _, l := range p.found.Late {
		if time.Since(l.Time) > lateAfter {
			done = append(done, l.Score)
		}
	}
	if len(done) == 0 {
		return nil
	}
	return prune.LetGo(ctx, p.notes, done...)
}

// nearest is how many members may hold a block: more than any code has fragments, with room for members that were full,
// away or too close together when it was placed. In a swarm that has no more everybody is told everything.
const nearest = 64

// nearTo returns what tells whether a member may hold a block.
func nearTo(members []dhash.ID) func(dhash.ID, venti.Score) bool {
	if len(members) <= nearest {
		return nil
	}
	all := make([]placement.Member, len(members))
	for i, id := range members {
		all[i] = placement.Member{ID: id, Key: id.Key()}
	}
	table := placement.New(all)
	type reach struct{ at, last dhash.Key }
	var mu sync.Mutex
	known := map[venti.Score]reach{} // how far the last of those goes
	return func(id dhash.ID, s venti.Score) bool {
		mu.Lock()
		defer mu.Unlock()
		r, ok := known[s]
		if !ok {
			r.at = dhash.KeyOf(s)
			r.last = distance(r.at, table.Closest(r.at, nearest)[nearest-1].Key)
			known[s] = r
		}
		d := distance(r.at, id.Key())
		return bytes.Compare(d[:], r.last[:]) <= 0
	}
}

func distance(a, b dhash.Key) (d dhash.Key) {
	for i := range d {
		d[i] = a[i] ^ b[i]
	}
	return d
}
