package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/head"
	"ventidhash/dhash/member"
	"ventidhash/dhash/placement"
	"ventidhash/dhash/repair"
	"ventidhash/dhash/sweep"
)

// Upkeep says how a member keeps what it holds. The zero value has the swarm's times; tests shorten them.
type Upkeep struct {
	Sweep time.Duration // all that is held is compared with the other members once in it; 0 means 6 h
	Scrub time.Duration // all that is held is hashed once in it; 0 means 30 days
	Rate  int64         // bytes a second for repair that is not urgent; 0 means 4 MiB
	Trash time.Duration // what nobody claims stays so long; 0 means 30 days

	Limits claim.Limits
}

func (u Upkeep) withDefaults() Upkeep {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&u.Sweep, 6*time.Hour)
	set(&u.Scrub, 30*24*time.Hour)
	return u
}

// validate names the field that is out of its range.
func (u Upkeep) validate() error {
	for _, f := range []struct {
		name string
		d    time.Duration
		min  time.Duration
	}{{"Sweep", u.Sweep, time.Second}, {"Scrub", u.Scrub, time.Second}, {"Trash", u.Trash, 0}} {
		if f.d != 0 && (f.d < f.min || f.d > 366*24*time.Hour) {
			return fmt.Errorf("node: Upkeep.%s is %v, not within %v and a year", f.name, f.d, f.min)
		}
	}
	if u.Rate < 0 {
		return fmt.Errorf("node: Upkeep.Rate is %d, below 0", u.Rate)
	}
	return u.Limits.Validate()
}

const (
	observeGap = 5 * time.Minute // between two looks at the clock and at the roster
	tendGap    = 6 * time.Hour   // between two looks at the books and at the trash
	scrubGap   = time.Minute     // between two parts of a scrub
)

// upkeep is what a member does unasked: it compares what it holds, and owners' heads, with the other members, repairs, hashes what lies on its
// disk, and empties the trash.
type upkeep struct {
	n         *Node
	cfg       Upkeep
	log       *slog.Logger
	began     time.Time
	sweeper   *sweep.Sweeper
	responder *sweep.Responder
	repairer  *repair.Repairer
	keeper    *head.Keeper
	staying   atomic.Pointer[seating] // the table without those that retire

	scrubbing sync.Mutex // one scrub at a time

	mu       sync.Mutex // protects the following
	env      claim.Environment
	scrubbed Scrubbed
}

// newUpkeep makes the parts; run runs them. The fragment store and the presence are there.
func newUpkeep(n *Node) (u *upkeep, err error) {
	u = &upkeep{n: n, cfg: n.cfg.Upkeep.withDefaults(), log: n.log, began: time.Now()}
	self := n.cfg.Folder.ID()
	if u.responder, err = sweep.NewResponder(sweep.ResponderConfig{Self: self, Store: n.store, Table: u.table}); err != nil {
		return nil, err
	}
	u.sweeper, err = sweep.New(sweep.Config{Self: self, Store: n.store, Table: u.table, Live: u.live, Log: n.log,
		Reconcile: n.p.peers.Reconcile, Found: u.found, Weak: u.weak, Interval: u.cfg.Sweep,
		Cursor: filepath.Join(n.cfg.Folder.Dir, cursorFile)})
	if err != nil {
		return nil, err
	}
	if u.keeper, err = head.NewKeeper(head.KeeperConfig{Self: self, Shelf: n.heads, Table: u.table, Send: n.p.peers.Heads,
		Near:     func(o dhash.Owner) bool { return isNear(n.p.table(), self, o) },
		Interval: u.cfg.Sweep, Log: n.log}); err != nil {
		return nil, err
	}
	const second = time.Second // in which little happens, however often is swept
	u.repairer, err = repair.New(repair.Config{Self: self, Peers: n.p.peers, Store: n.store, Table: n.p.table, Policy: n.p.policy,
		Roster: u.counted, Grace: n.p.grace, Retiring: u.retiring, Wiped: u.wiped, Rate: u.cfg.Rate, Busy: n.busy,
		Takeover: max(u.cfg.Sweep/24, second), Confirm: u.cfg.Sweep, Retry: max(u.cfg.Sweep/360, second), Log: n.log})
	u.observe()
	return u, err
}

// run does it all until ctx is done.
func (u *upkeep) run(ctx context.Context) error {
	var work sync.WaitGroup
	errs := make(chan error, 2)
	work.Go(func() { errs <- u.sweeper.Run(ctx) })
	work.Go(func() { errs <- u.repairer.Run(ctx) })
	work.Go(func() { u.keeper.Run(ctx) })
	work.Go(func() { every(ctx, observeGap, func() { u.observe() }) })
	if u.n.cfg.Retire {
		work.Go(func() { every(ctx, time.Minute, func() { u.leaving() }) })
	}
	work.Go(func() { every(ctx, min(tendGap, u.cfg.Sweep), func() { u.tend(ctx) }) })
	work.Go(func() {
		gap := min(scrubGap, u.cfg.Scrub/10)
		every(ctx, gap, func() { u.scrubPart(ctx, gap) })
	})
	work.Wait()
	return errors.Join(<-errs, <-errs)
}

// every calls do at intervals until ctx is done.
func every(ctx context.Context, gap time.Duration, do func()) {
	tick := time.NewTicker(gap)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}

// table returns the members that stay: what those hold that retire is to go to others.
func (u *upkeep) table() *placement.Table {
	members, changed := u.n.p.roster.Table(time.Now())
	if s := u.staying.Load(); s != nil && s.changed == changed {
		return s.table
	}
	var stay []placement.Member
	for _, m := range members {
		if !u.retiring(m.ID) {
			stay = append(stay, m)
		}
	}
	s := &seating{changed, placement.New(stay)}
	u.staying.Store(s)
	return s.table
}

// retiring reports whether a member has said that it is about to leave.
func (u *upkeep) retiring(id dhash.ID) bool {
	st, ok := u.n.p.roster.Get(id, time.Now())
	return ok && st.Record.State == member.Retiring
}

// live says what this member makes of another one's silence.
func (u *upkeep) live(id dhash.ID) sweep.Liveness {
	st, ok := u.n.p.roster.Get(id, time.Now())
	switch {
	case !ok || st.Liveness == member.Gone:
		return sweep.Gone
	case st.Liveness == member.Dead || st.Liveness == member.Away:
		return sweep.Absent
	}
	return sweep.Live
}

// counted returns how many members answer, and how many there are that are not gone.
func (u *upkeep) counted() (alive, known int) {
	for _, m := range u.n.p.roster.List(time.Now()) {
		switch m.Liveness {
		case member.Alive, member.Suspect: // a suspect that nobody has asked lately is no worse than one that was
			if m.Failing.IsZero() {
				alive++
			}
			known++
		case member.Away, member.Dead:
			known++
		}
	}
	return alive, known
}

// weak reports whether the swarm's policy wants blocks of such a code coded anew.
func (u *upkeep) weak(c dhash.Code) bool {
	return repair.Weaker(c, repair.Wanted(u.n.p.policy(), max(1, u.n.p.table().Len()), c))
}

// found passes on what a sweep has found, and what repair may do something about: while a member is away, almost all blocks
// are short of one.
func (u *upkeep) found(_ context.Context, items []sweep.Item) {
	filling := slices.ContainsFunc(u.n.p.roster.List(time.Now()), func(st member.Status) bool { return st.Record.State == member.Wiped })
	var list []repair.Candidate
	for _, it := range items {
		c := repair.Candidate{Score: it.Score, Coding: it.Coding, Code: it.Code, Present: it.Present, Rank: it.Rank,
			Stray: it.Stray}
		low := it.Present <= it.Code.UrgentLine()+1 || it.Present+it.Absent <= it.Code.Threshold()+1 // two may be the same
		if low || filling || it.Stray || it.Weak {
			list = append(list, c)
		}
	}
	u.repairer.Add(list)
}

// wiped reports whether a member has said that it has lost what it held.
func (u *upkeep) wiped(id dhash.ID) bool {
	st, ok := u.n.p.roster.Get(id, time.Now())
	return ok && st.Record.State == member.Wiped
}

// refilled reports whether this member, which was wiped, has got back what it should hold, by its last round of the sweep.
func (u *upkeep) refilled() bool {
	if u == nil {
		return false // it has not been made yet
	}
	last, ok := u.sweeper.Last()
	return ok && agreed(last)
}

// agreed reports whether in a round of the sweep nobody had anything of the kind that this member should have and had not.
// A tenth of the neighbours may say otherwise, or not answer: what is really missing several of them have, and one that
// fails or lies does not keep this member wiped for ever.
func agreed(r sweep.Report) bool {
	dissent := 0
	for _, nb := range r.Neighbours {
		if nb.Extra > 0 || nb.Failed > 0 {
			dissent++
		}
	}
	return r.Items > 0 && 10*dissent <= len(r.Neighbours)
}

// observe notes what this member knows about itself, and returns it.
func (u *upkeep) observe() claim.Environment {
	running := time.Since(u.began)
	if u.n.cfg.Host == nil { // else in a simulation, whose clock is its own
		running = uptime(u.began)
	}
	alive, known := u.counted()
	env := u.n.store.Observe(time.Now(), running, known, alive)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.env = env
	return env
}

// state answers an owner's statement.
func (u *upkeep) state(ctx context.Context, _ dhash.ID, statement []byte) ([]byte, error) {
	a, err := u.n.store.Settle(ctx, statement, u.observe())
	if err != nil {
		return nil, err
	}
	return a.Encode(), nil
}

// tend looks after the owners' books and the trash.
func (u *upkeep) tend(ctx context.Context) {
	env := u.observe()
	rep, err := u.n.store.Tend(ctx, env)
	if err == nil && rep.Dropped.Fragments > 0 {
		u.log.Warn("the disk is full: what owners claim who were not heard of for most of a year is trash now",
			slog.Int64("fragments", rep.Dropped.Fragments), slog.Int64("bytes", rep.Dropped.Bytes))
	}
	var freed fragstore.CompactReport
	if err == nil {
		freed, err = u.n.store.Compact(ctx, env)
	}
	switch {
	case err != nil && ctx.Err() == nil:
		u.log.Warn("looking after the trash", slog.Any("err", err))
	case freed.Freed > 0:
		u.log.Info("trash freed", slog.Int64("fragments", freed.Freed), slog.Int64("bytes", freed.BytesFreed))
	}
}

// leaving says how far a member is that is about to leave.
func (u *upkeep) leaving() {
	left, heads := u.n.store.Stats().Fragments, u.keeper.Left()
	if left > 0 || heads > 0 {
		u.log.Info("retiring", slog.Int64("fragments_left", left), slog.Int("heads_left", heads))
	} else {
		u.log.Info("retired: nothing is left here, and this node can be stopped for good")
	}
}

// scrubPart hashes as much of what lies on the disk as is due in a gap.
func (u *upkeep) scrubPart(ctx context.Context, gap time.Duration) {
	due := float64(u.n.store.Stats().ArenaBytes) * float64(gap) / float64(u.cfg.Scrub)
	if _, err := u.scrub(ctx, max(1, int64(due))); err != nil && ctx.Err() == nil {
		u.log.Warn("scrub", slog.Any("err", err))
	}
}

// scrub hashes about limit bytes of what lies on the disk, and has what is damaged made again.
func (u *upkeep) scrub(ctx context.Context, limit int64) (fragstore.ScrubReport, error) {
	u.scrubbing.Lock()
	defer u.scrubbing.Unlock()
	rep, err := u.n.store.Scrub(ctx, limit, func(d fragstore.Damage) {
		u.log.Warn("damaged fragment", slog.String("block", d.Name.Score.Short()), slog.Any("err", d.Err))
	})
	if err == nil {
		err = u.restore(ctx)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.scrubbed.add(rep, time.Now())
	return rep, err
}

// maxRestored is how many damaged fragments are made again at a time.
const maxRestored = 256

// restore makes again what is known to be damaged here. What cannot be made now is tried again after the next part of the
// scrub.
func (u *upkeep) restore(ctx context.Context) error {
	if u.n.store.Stats().Bad == 0 {
		return nil
	}
	var bad []fragstore.Held
	enough := errors.New("enough")
	err := u.n.store.Bad(ctx, func(h fragstore.Held) error {
		if bad = append(bad, h); len(bad) == maxRestored {
			return enough
		}
		return nil
	})
	if err != nil && err != enough {
		return err
	}
	for _, h := range bad {
		if err := u.repairer.Restore(ctx, h); err != nil {
			u.log.Info("a damaged fragment could not be made again yet", slog.String("block", h.Score.Short()), slog.Any("err", err))
		}
	}
	return ctx.Err()
}
