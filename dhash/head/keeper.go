package head

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// MaxHeads is how many heads are sent to a member at once.
const MaxHeads = 256

const (
	sendTime = 10 * time.Second // for the answer of one neighbour
	parallel = 8                // neighbours that Now compares with at once
)

// A KeeperConfig says what a Keeper works with. All fields but Log are needed.
type KeeperConfig struct {
	Self  dhash.ID
	Shelf *Shelf

	// Table returns the members among which keepers are chosen: without those that are about to leave, this one perhaps.
	Table func() *placement.Table

	// Near reports whether this member is close enough to an owner's key to keep the head. What it is not near to it hands
	// on and drops.
	Near func(o dhash.Owner) bool

	// Send sends heads to a member, and returns a verdict for each and what is newer there. It checks signatures.
	Send func(ctx context.Context, to dhash.ID, heads []venti.Head) ([]Verdict, []venti.Head, error)

	// Interval is the time in which each neighbour is compared with at least once, also one that has come just now.
	Interval time.Duration

	Log *slog.Logger // nil discards
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c KeeperConfig) Validate() error {
	switch {
	case c.Self == "" || c.Shelf == nil || c.Table == nil || c.Near == nil || c.Send == nil:
		return errors.New("head: Self, Shelf, Table, Near and Send are needed")
	case c.Interval < time.Second:
		return fmt.Errorf("head: Interval is %v, below a second", c.Interval)
	}
	return nil
}

// A Keeper sees to it that the heads on a member's shelf are where they should be, and are the newest. Its methods may
// be called from many goroutines at once.
type Keeper struct {
	cfg KeeperConfig
	log *slog.Logger

	mu   sync.Mutex           // protects the following
	kept map[dhash.Owner]bool // by the last whole round: whose head most of those have that are to keep it; nil before
}

// NewKeeper returns a Keeper; it starts nothing.
func NewKeeper(cfg KeeperConfig) (*Keeper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{cfg: cfg, log: cfg.Log}, nil
}

// Run compares the shelf with all neighbours, over and over, until ctx ends. A round takes half of the interval, so
// that a member that has come in the middle of one is compared with within the interval; the first one is quick, for
// this member may have been away.
func (k *Keeper) Run(ctx context.Context) {
	spread := k.cfg.Interval / 20
	for wait(ctx, spread/2) { // this member has to learn who the others are first
		r := k.begin()
		for _, id := range r.neighbours {
			if !wait(ctx, spread/time.Duration(len(r.neighbours))) {
				return
			}
			k.compare(ctx, r, id)
		}
		k.end(r)
		if spread = k.cfg.Interval / 3; len(r.neighbours) == 0 {
			spread = k.cfg.Interval / 20
		}
	}
}

// wait returns false if ctx ends before the time is over.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// Now compares the shelf with all neighbours at once. It returns the error of ctx, or nil.
func (k *Keeper) Now(ctx context.Context) error {
	r := k.begin()
	turns := make(chan struct{}, parallel)
	var work sync.WaitGroup
	for _, id := range r.neighbours {
		turns <- struct{}{}
		work.Go(func() {
			defer func() { <-turns }()
			k.compare(ctx, r, id)
		})
	}
	work.Wait()
	if ctx.Err() == nil {
		k.end(r)
	}
	return ctx.Err()
}

// A round is one comparison with all neighbours.
type round struct {
	owners     []dhash.Owner
	keepers    []int                // of each owner, this member not counted
	with       map[dhash.ID][]int32 // the numbers of the owners that each neighbour is to keep
	neighbours []dhash.ID

	mu  sync.Mutex // protects has
	has []int      // of each owner, neighbours that have the head, or a newer one
}

// begin finds out who is to keep what.
func (k *Keeper) begin() *round {
	r := &round{owners: k.cfg.Shelf.Owners(), with: map[dhash.ID][]int32{}}
	r.keepers, r.has = make([]int, len(r.owners)), make([]int, len(r.owners))
	table := k.cfg.Table()
	for i, o := range r.owners {
		for _, m := range table.Closest(dhash.OwnerKey(o), Keepers) {
			if m.ID != k.cfg.Self {
				r.with[m.ID] = append(r.with[m.ID], int32(i))
				r.keepers[i]++
			}
		}
	}
	for id := range r.with {
		r.neighbours = append(r.neighbours, id)
	}
	slices.SortFunc(r.neighbours, func(a, b dhash.ID) int { return strings.Compare(string(a), string(b)) })
	return r
}

// compare sends a neighbour the heads that it is to keep, and takes what is newer there. What fails is done again in
// the next round.
func (k *Keeper) compare(ctx context.Context, r *round, id dhash.ID) {
	var heads []venti.Head
	var of []int32 // whose each of heads is
	send := func() bool {
		err := k.send(ctx, r, id, heads, of)
		if err != nil && ctx.Err() == nil {
			k.log.Debug("heads were not compared", slog.String("member", id.String()), slog.Any("err", err))
		}
		heads, of = heads[:0], of[:0]
		return err == nil
	}
	for _, i := range r.with[id] {
		list := k.cfg.Shelf.Of(r.owners[i])
		if len(heads)+len(list) > MaxHeads && !send() { // those of one owner go together
			return
		}
		for _, h := range list {
			heads, of = append(heads, h), append(of, i)
		}
	}
	if len(heads) > 0 {
		send()
	}
}

func (k *Keeper) send(ctx context.Context, r *round, id dhash.ID, heads []venti.Head, of []int32) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	verdicts, newer, err := k.cfg.Send(ctx, id, heads)
	if err != nil {
		return err
	}
	if len(verdicts) != len(heads) {
		return fmt.Errorf("%w: %d verdicts about %d heads", venti.ErrUnavailable, len(verdicts), len(heads))
	}
	r.count(verdicts, of)
	if len(newer) == 0 {
		return nil
	}
	_, _, err = k.cfg.Shelf.Take(newer, time.Now())
	return err
}

// count notes which owners' heads a neighbour has.
func (r *round) count(verdicts []Verdict, of []int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, v := range verdicts {
		first := i == 0 || of[i-1] != of[i]
		if first && (v.Kept() || v == Older) {
			r.has[of[i]]++
		}
	}
}

// Left returns of how many owners the head would be lost, or nearly, if this member went now: those of whom the last
// whole comparison with the neighbours did not find that most of those that are to keep the head have it, or a newer one.
func (k *Keeper) Left() (owners int) {
	all := k.cfg.Shelf.Owners()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, o := range all {
		if !k.kept[o] {
			owners++
		}
	}
	return owners
}

// end notes what most of those have by now that are to, and drops it if this member is not near to it.
func (k *Keeper) end(r *round) {
	var gone []dhash.Owner
	kept := make(map[dhash.Owner]bool, len(r.owners))
	for i, o := range r.owners {
		if kept[o] = 2*r.has[i] > r.keepers[i]; kept[o] && !k.cfg.Near(o) {
			gone = append(gone, o)
		}
	}
	k.mu.Lock()
	k.kept = kept
	k.mu.Unlock()
	if len(gone) == 0 {
		return
	}
	k.log.Info("heads were handed on to members that are closer to their owners", slog.Int("owners", len(gone)))
	if err := k.cfg.Shelf.Drop(gone...); err != nil {
		k.log.Warn("dropping heads that were handed on", slog.Any("err", err))
	}
}
