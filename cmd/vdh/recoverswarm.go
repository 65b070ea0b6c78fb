package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
)

// tokenPrefix is what every invitation begins with, and no address.
const tokenPrefix = "vdh1"

// swarmBack brings back what the members of a swarm have of the owner.
func (r *recovery) swarmBack(ctx context.Context, at location) error {
	if err := r.wayIn(ctx); err != nil {
		return err
	}
	if _, err := r.blocks(ctx, false); err != nil {
		return err
	}
	if err := r.listBack(ctx, at); err != nil {
		return err
	}
	if err := r.saveIdentity(); err != nil {
		return err
	}
	if err := r.machineBack(ctx); err != nil {
		return err
	}
	if r.f.all || r.f.latest {
		if err := r.printRecovered(); err != nil {
			return err
		}
		return r.files(ctx)
	}
	return r.printSwarm(ctx)
}

// wayIn finds out how to be a client of the swarm: as the member that this machine is, or becomes by a token, or for the
// owner's key, by a member whose address is known.
func (r *recovery) wayIn(ctx context.Context) error {
	f, err := r.member()
	if err == nil {
		r.line.SwarmID = swarmID(f)
		return nil
	}
	if !errors.Is(err, node.ErrNoSwarm) {
		return err
	}
	if strings.HasPrefix(r.f.via, tokenPrefix) {
		return r.byToken()
	}
	addr, err := node.ParseAddr(r.f.via)
	if err != nil {
		return usage{err}
	}
	f, err = node.Rescue(ctx, r.owner.SigningKey(), addr, program())
	switch {
	case errors.Is(err, dhash.ErrStranger):
		return fmt.Errorf("%s keeps nothing of this owner: is it the right phrase, not one that another has followed "+
			"(vdh key rotate), and the right swarm? another member may know more, or take a token: %w", printable(r.f.via), err)
	case errors.Is(err, venti.ErrUnavailable):
		return fmt.Errorf("nobody answers at %s as a member of a swarm does; does a node run there, and does the firewall let this "+
			"machine in? The address of another member does as well, or a token (vdh swarm invite): %w", printable(r.f.via), err)
	case err != nil:
		return fmt.Errorf("asking %s for a way into the swarm: %w", printable(r.f.via), err)
	}
	r.rescued, r.line.SwarmID = f, swarmID(f)
	r.note("vdh: %s lets the owner into the swarm %s", printable(r.f.via), printable(f.Manifest.Name))
	return nil
}

// byToken makes this machine a new member.
func (r *recovery) byToken() error {
	v, err := member.ParseInvitation(r.f.via)
	if err != nil {
		return err
	}
	dir, err := swarmDir()
	if err != nil {
		return err
	}
	f, err := node.Join(dir, v, archive.Hostname(), time.Now())
	if err != nil {
		return err
	}
	r.line.SwarmID, r.line.Membership = swarmID(f), newPlace
	r.note("vdh: joined the swarm as %s", f.ID())
	return nil
}

// listBack finds the newest list of snapshots, and makes it the catalog of this machine.
func (r *recovery) listBack(ctx context.Context, at location) error {
	found, err := r.swarm.Heads(ctx, dhash.Owner(r.owner.PublicKey()))
	if err != nil {
		return fmt.Errorf("asking the members for the list of snapshots: %w", err)
	}
	r.line.Asked, r.line.Answered, r.line.Agree, r.line.Lists = found.Asked, found.Answered, found.Agree, len(found.Heads)
	if len(found.Heads) == 0 {
		return fmt.Errorf("no list of this owner is known to the %s that answered, of %d that were asked: "+
			"is it the right phrase? A backup makes the list known; before, a snapshot is found by its score alone",
			count(int64(found.Answered), "member", "members"), found.Asked)
	}
	var heads [][]byte
	for _, h := range found.Heads {
		heads = append(heads, h.Append(nil))
	}
	var store venti.Store = &unwritten{Store: r.swarm}
	if _, err := os.Stat(at.catalog(r.owner)); err == nil || len(heads) > 1 { // a new list may come of them
		if store, err = r.session(ctx); err != nil {
			return err
		}
	}
	h, err := catalog.Recover(ctx, catalog.Config{Dir: at.catalog(r.owner), Store: store, Owner: r.owner}, heads...)
	var some *catalog.UnpublishedError
	switch {
	case errors.Is(err, catalog.ErrOldHead):
		r.note("vdh: the list that is here has all that the members have, number %d", found.Heads[0].Sequence)
		cat, e := r.snapshots(ctx)
		if e == nil {
			h, e = cat.Head()
		}
		err = e
	case errors.As(err, &some):
		r.note("vdh: not all lists could be read, so that snapshots may be missing until the next backup: %v", some.Err)
		h, err = some.Head, nil
	}
	if err != nil {
		return fmt.Errorf("the list of snapshots, which %d of %d members agree on, cannot be read: %w", found.Agree,
			found.Answered, err)
	}
	r.line.Sequence, r.line.Time = h.Sequence, h.Time.UTC().Format(time.RFC3339)
	list, err := r.list(ctx)
	if err != nil {
		return err
	}
	r.line.Snapshots = len(list)
	r.note("vdh: the list of snapshots is back, of %s, with %s; number %d is the newest that is known to %d of the %s that answered",
		localTime(h.Time), count(int64(len(list)), "snapshot", "snapshots"), found.Heads[0].Sequence, found.Agree,
		count(int64(found.Answered), "member", "members"))
	if old, err := r.rotated(ctx); err == nil && old {
		r.note("vdh: this identity was followed by another one (vdh key rotate): this is what there was until then, and nothing " +
			"can be stored as it any more; the words of the other bring everything back, also what came later")
	}
	if 2*found.Answered < found.Asked {
		r.note("vdh: %d of the members that should know did not answer, so there may be a newer one; the same command, later, finds it",
			found.Asked-found.Answered)
	}
	if len(found.Heads) > 1 {
		r.note("vdh: there were %d lists of that number, written at the same time or by a machine that went back in time; "+
			"they are one now, with all that each had", len(found.Heads))
		r.publish(ctx)
	}
	return nil
}

// publish tells the members of a list that was merged here.
func (r *recovery) publish(ctx context.Context) {
	cat, err := r.snapshots(ctx)
	if err == nil {
		err = cat.Refresh(ctx)
	}
	if err != nil && ctx.Err() == nil {
		r.note("vdh: the members do not know that yet, and the next backup tells them: %v", err)
	}
}

// unwritten is a store of which a list is read that is there: it need not be stored once more, which takes long while
// members hang. Nothing else can be put.
type unwritten struct {
	venti.Store
	got sync.Map // the scores
}

// Get implements venti.Store.
func (u *unwritten) Get(ctx context.Context, s venti.Score) ([]byte, error) {
	b, err := u.Store.Get(ctx, s)
	if err == nil {
		u.got.Store(s, true)
	}
	return b, err
}

// Put implements venti.Store.
func (u *unwritten) Put(_ context.Context, b []byte) (venti.Score, error) {
	s := venti.Sum(b)
	if _, ok := u.got.Load(s); !ok {
		return s, fmt.Errorf("block %s of a list that is only read is a new one, and is stored nowhere", s.Short())
	}
	return s, nil
}

// Sync implements venti.Store.
func (u *unwritten) Sync(context.Context) error { return nil }

// printRecovered prints the JSON line, at once: what follows takes longer.
func (r *recovery) printRecovered() error {
	if !r.json {
		return nil
	}
	r.line.Store = rawName(swarmWord)
	return errors.Join(r.print(r.line), r.out.Flush())
}
