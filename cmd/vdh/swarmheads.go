package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"ventidhash/dhash"
	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/transfer"
	"ventidhash/venti"
)

// swarmHeads is where the machines of an owner find each other's heads: with the members of the swarm, which is joined
// when that is first asked for.
type swarmHeads struct{ a *app }

// open returns the swarm.
func (h swarmHeads) open(ctx context.Context) (swarmStore, error) {
	st, err := h.a.blocks(ctx, false)
	if err != nil {
		return nil, err
	}
	return st.(swarmStore), nil // there are heads only of a swarm
}

// Find implements catalog.Heads. A majority of those to which heads are handed has to answer, so that it and those that keep
// the newest head have a member in common.
func (h swarmHeads) Find(ctx context.Context) (newest []venti.Head, kept bool, err error) {
	s, err := h.open(ctx)
	if err != nil {
		return nil, false, err
	}
	found, err := s.Heads(ctx, dhash.Owner(h.a.owner.PublicKey()))
	if err == nil && 2*found.Heard <= found.Keepers {
		err = fmt.Errorf("%w: %d of the %d members answer that should keep it", venti.ErrUnavailable, found.Heard, found.Keepers)
	}
	return found.Heads, len(found.Heads) == 1 && 2*found.Kept > found.Keepers, err
}

// Publish implements catalog.Heads.
func (h swarmHeads) Publish(ctx context.Context, head venti.Head) ([]venti.Head, error) {
	s, err := h.open(ctx)
	if err != nil {
		return nil, err
	}
	done, err := s.PublishHead(ctx, head)
	blocked := false
	for _, o := range done.Others {
		blocked = blocked || o.Sequence >= head.Sequence
	}
	if err == nil && !blocked && 2*done.Kept <= done.Asked {
		err = fmt.Errorf("%w: %d of the %d members keep it that should", venti.ErrUnavailable, done.Kept, done.Asked)
	}
	return done.Others, err
}

// freshClaims is for how long after a backup has begun no other machine can have let go of what it claimed: less than the
// margin of vdh prune.
const freshClaims = otherBackup / 2

// vet is catalog.Config.Vet: it claims every block of a snapshot anew that was not published in time, if another machine
// may have let go of some. Those that it has let go of less than 30 days ago are still in the members' trash.
func (a *app) vet(ctx context.Context, s snapshot.Snapshot, list []snapshot.Snapshot) error {
	age := time.Since(s.Time)
	if age >= 0 && age < freshClaims && !s.Share && (s.Parent.IsZero() || listed(list, s.Parent)) {
		return nil
	}
	if a.onlyReads {
		return errOnlyReads
	}
	err := a.present(ctx, s)
	if errors.Is(err, venti.ErrNotFound) {
		err = fmt.Errorf("another machine of this identity has let go of what it needs; forget it, and back up again "+
			"(vdh forget %s): %w", s.Score.Short(), err)
	}
	return err
}

// present asks for every block of a snapshot, which a prune then leaves alone. What the members of a swarm have in their
// trash only is put again, since it is not claimed any more.
func (a *app) present(ctx context.Context, s snapshot.Snapshot) error {
	store, err := a.session(ctx)
	if err != nil {
		return err
	}
	t, err := a.openOwn(ctx, s)
	if err != nil || a.disk != nil {
		if err == nil {
			err = archive.Present(ctx, t)
		}
		return err
	}
	var first error
	rep, err := transfer.Run(ctx, []snapshot.Snapshot{s}, transfer.Config{From: t.Source(), To: store, RootKey: a.owner.RootKey(),
		List:    func(ctx context.Context, _ snapshot.Snapshot) error { return store.Sync(ctx) },
		Damaged: func(d transfer.Damage) { first = cmp.Or(first, d.Err) }})
	switch {
	case err != nil:
		return err
	case rep.Lacking > 0 && rep.OnlyAbsent:
		return fmt.Errorf("%s unavailable now: %w", count(rep.Lacking, "block is", "blocks are"), first)
	case rep.Lacking > 0:
		return fmt.Errorf("%w: %s, %v", venti.ErrNotFound, count(rep.Lacking, "block is missing", "blocks are missing"), first)
	}
	return nil
}

// listed reports whether a list has a snapshot.
func listed(list []snapshot.Snapshot, score venti.Score) bool {
	for i := range list {
		if list[i].Score == score {
			return true
		}
	}
	return false
}

// refreshTime bounds how long a verb waits for what other machines have done.
const refreshTime = 5 * time.Second

// kept takes the error of a change of the catalog, and returns what is wrong with the change itself. That the list is not
// the one that other machines find is no failure of it: lagging says so in the end.
func (a *app) kept(err error) error {
	var apart *catalog.UnpublishedError
	if !errors.As(err, &apart) {
		if err == nil {
			a.apart = nil
		}
		return err
	}
	a.apart = apart
	return nil
}

// lagging returns a thin error if the list of snapshots could not be handed out, joined with what else is short.
func (a *app) lagging(short error) error {
	if a.apart == nil {
		return short
	}
	text := "stored, but " + a.apart.Error()
	if short != nil {
		text = short.Error() + "; " + a.apart.Error()
	}
	return thin{text}
}

// refresh takes in what other machines of this identity have done to the list of snapshots, if the store is a swarm, and
// tells them of what they do not know. Without that, the list is the one that this machine knows, and a note says so.
func (a *app) refresh(ctx context.Context, limit time.Duration) {
	a.asked = true
	if err := a.takeIn(ctx, limit); err != nil && ctx.Err() == nil {
		a.note("vdh: this is what this machine knows; whether others have changed the list could not be found out, or not be "+
			"told to them: %v", cause(err))
	}
}

// takeIn is refresh for who says himself what went wrong. That the list cannot be opened is said to who wants it.
func (a *app) takeIn(ctx context.Context, limit time.Duration) error {
	cat, err := a.snapshots(ctx)
	if err != nil || !a.shared {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return cat.Refresh(ctx)
}

// look takes in what other machines have done to the list, for verbs that only read: once in a run of the program, however
// many names they look up, and not while a shell waits.
func (a *app) look(ctx context.Context) {
	if a.asked || a.completing {
		return
	}
	a.asked = true
	if err := a.takeInOnly(ctx); err != nil && ctx.Err() == nil {
		a.note("vdh: the list of snapshots may be out of date, for what other machines have done to it could not be found out: %v",
			cause(err))
	}
}

// takeInOnly is takeIn without a claim on anything: what only this machine knows of stays so if others could not be told of
// it otherwise.
func (a *app) takeInOnly(ctx context.Context) error {
	was := a.onlyReads
	a.onlyReads = true
	err := a.takeIn(ctx, refreshTime)
	a.onlyReads = was
	if errors.Is(err, errOnlyReads) {
		return nil
	}
	return err
}

// errOnlyReads keeps back what is to be claimed before others hear of it.
var errOnlyReads = errors.New("this command only reads")

// cause returns what keeps a list from being the one elsewhere.
func cause(err error) error {
	var apart *catalog.UnpublishedError
	if errors.As(err, &apart) {
		return apart.Err
	}
	return err
}
