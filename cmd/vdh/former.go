package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/lenders"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/prune"
	"ventidhash/venti"
	"ventidhash/venti/seal"
)

// An identity that follows others (vdh key rotate) takes over from them what is in each store when that is next used: the
// list of snapshots, the notes on lenders, the cache, and, in a swarm, what the lenders hold.

// inherit takes over what the lists of former identities say. Where that cannot be now, and there is no list of the
// identity itself yet, the catalog is that of the last former one, so that what there is can be read, and a backup is noted.
// In a swarm nobody else hears of that, and it is not known what others have noted.
func (a *app) inherit(ctx context.Context, at location) error {
	for _, f := range a.owner.Former() {
		todo, err := a.catalog.Inherits(at.catalog(f), f)
		if err == nil && !todo {
			continue
		}
		if err == nil {
			err = a.inheritFrom(ctx, at, f)
		}
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.note("vdh: the list of snapshots of the identity before is not taken over yet: %v", err)
		if _, own := a.catalog.Head(); errors.Is(own, catalog.ErrNoHead) {
			cfg := catalog.Config{Dir: at.catalog(f), Store: late{a}, Owner: f}
			if at.swarm {
				cfg.Heads = unheard{err}
			}
			a.catalog, err = catalog.Open(cfg)
			return err
		}
	}
	return nil
}

// unheard is where no other machine is heard of: that of the list of a former identity, for the swarm goes by that of its
// heir, which is not there yet.
type unheard struct{ err error }

// Find implements catalog.Heads.
func (u unheard) Find(context.Context) ([]venti.Head, bool, error) {
	return nil, false, fmt.Errorf("%w: the list of the identity before is not taken over yet: %w", venti.ErrUnavailable, u.err)
}

// Publish implements catalog.Heads.
func (u unheard) Publish(ctx context.Context, _ venti.Head) ([]venti.Head, error) {
	_, _, err := u.Find(ctx)
	return nil, err
}

// inherited returns an error if a list of a former identity says anything that is not taken over.
func (a *app) inherited(at location, cat *catalog.Catalog) error {
	for _, f := range a.owner.Former() {
		if todo, err := cat.Inherits(at.catalog(f), f); err != nil || todo {
			return errors.Join(fmt.Errorf("the list of snapshots of the identity before was not taken over; if it is damaged for good, and "+
				"vdh snapshots lists all that is to be kept, remove %s", at.catalog(f)), err)
		}
	}
	return nil
}

// inheritFrom takes over the list of one former identity. It is a writer of its own: no prune takes what it stores.
func (a *app) inheritFrom(ctx context.Context, at location, f *catalog.Owner) (err error) {
	if _, err := a.blocks(ctx, false); err != nil {
		return err
	}
	switch {
	case a.disk != nil && a.lease == nil:
		s, err := a.disk.Session(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
	case a.disk == nil && a.writing == nil:
		w, err := prune.Begin(at.notes(a.owner), time.Now())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, w.Close()) }()
	}
	return a.catalog.Inherit(ctx, at.catalog(f), f)
}

// regain takes former identities that the list names, and the identity file does not, into that file: a machine that was
// brought back by the words of the last identity alone has what it takes to read everything. Where the file cannot be
// written they are known for this run.
func (a *app) regain(ctx context.Context) {
	former, err := a.catalog.Former(ctx)
	if err != nil || len(former) == 0 {
		return // whoever wants the list is told what is wrong with it
	}
	next, err := a.owner.Follow(former...)
	if err != nil || len(next.Former()) == len(a.owner.Former()) {
		return // an identity that has followed so many was not made by this program
	}
	dir, err := dataDir()
	if err == nil {
		var here *catalog.Owner
		if here, err = catalog.LoadOwner(dir); err == nil && here.PublicKey().Equal(a.owner.PublicKey()) {
			_, err = catalog.ReplaceOwner(ctx, dir, here, next)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // where there is none, it is put there later
		a.note("vdh: the identities before this one are not noted: %v", err)
	}
	a.owner, a.source = next, nil
}

// formerKeys returns the keys that opened roots before.
func (a *app) formerKeys() []seal.RootKey {
	if a.owner == nil {
		return nil
	}
	return a.owner.FormerRootKeys()
}

// formerMarks returns the keys of the marks of claims that were made before.
func (a *app) formerMarks() [][32]byte {
	if a.owner == nil {
		return nil
	}
	return a.owner.FormerMarkKeys()
}

// formerSigners returns the keys of those who have handed over to the owner, the last one first.
func formerSigners(o *catalog.Owner) (keys []ed25519.PrivateKey) {
	for _, f := range o.Former() {
		keys = append(keys, f.SigningKey())
	}
	return keys
}

// moveToHeir makes what belonged to the last former identity that has any the identity's own, unless it has its own.
func moveToHeir(o *catalog.Owner, name func(*catalog.Owner) string) {
	if _, err := os.Lstat(name(o)); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	for _, f := range o.Former() {
		if os.Rename(name(f), name(o)) == nil {
			return
		}
	}
}

// takeNotes takes over what this machine has noted on lenders, and on what is to be let go of a swarm.
func takeNotes(dir string, o *catalog.Owner) {
	at := location{swarm: true, dir: filepath.Join(dir, "swarm")}
	moveToHeir(o, at.notes)
}

// ownKnownDir is knownDir for an owner, who takes over the cache of a former identity.
func ownKnownDir(store string, o *catalog.Owner) (string, error) {
	dir, err := knownDir(store, o.PublicKey())
	if err == nil {
		moveToHeir(o, func(o *catalog.Owner) string {
			dir, _ := knownDir(store, o.PublicKey()) // which did not fail before
			return dir
		})
	}
	return dir, err
}

// handOverTime bounds how much longer a backup takes because some members have not heard of a rotation yet.
const handOverTime = 5 * time.Second

// handOver tells members that have not heard yet that the former identities have handed over to this one, so that what is
// stored under their names is found. What goes wrong with it does no harm but that some of it is stored again.
func (a *app) handOver(ctx context.Context) {
	if len(a.owner.Former()) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, handOverTime)
	defer cancel()
	l, members, err := a.ledger(ctx, false)
	if err == nil {
		_, _, err = l.HandOver(ctx, members)
		err = errors.Join(err, l.Close())
	}
	if err != nil && a.verbose {
		a.note("vdh: telling the members of the identity before: %v", err)
	}
}

// askRotated is how many members are asked whether an identity was followed by another one, and rotatedTime how long that
// may take.
const (
	askRotated  = 8
	rotatedTime = 2 * time.Second
)

// rotated reports whether any of some members that answer knows that the identity has handed over to another one. What one
// member says is not certain, and nothing depends on it.
func (a *app) rotated(ctx context.Context) (bool, error) {
	swarm, members, err := a.memberIDs(ctx, false)
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, rotatedTime)
	defer cancel()
	rand.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	members = members[:min(len(members), askRotated)]
	said := make(chan bool, len(members))
	for _, id := range members {
		go func() { said <- a.refused(ctx, swarm, id) }()
	}
	old := false
	for range members {
		old = <-said || old
	}
	return old, nil
}

// refused reports whether a member refuses a heartbeat because the identity has handed over.
func (a *app) refused(ctx context.Context, swarm [32]byte, id dhash.ID) bool {
	raw, _, err := claim.Sign(a.owner.SigningKey(), swarm, claim.Statement{Kind: claim.Heartbeat, Lender: id, Number: 1,
		Date: time.Now().Truncate(time.Second)})
	if err != nil {
		return false
	}
	b, err := a.swarm.State(ctx, id, raw)
	if err != nil {
		return false
	}
	answer, err := claim.ParseAnswer(b)
	return err == nil && answer.Reason == claim.HandedOver
}

// followed returns an error that says what to do if the identity was followed by another one: it can read, and not write.
func followed(cat *catalog.Catalog) error {
	err := cat.Followed()
	if errors.Is(err, catalog.ErrFollowed) {
		err = fmt.Errorf("%w (vdh key rotate), and can only read; the words of that one make this machine the same: "+
			"vdh key rotate --given", err)
	}
	return err
}

// conflicts returns how many lenders have given what a former identity had there to somebody else.
func conflicts(list []lenders.Handed) int {
	of := map[dhash.ID]bool{}
	for _, h := range list {
		if h.Other {
			of[h.ID] = true
		}
	}
	return len(of)
}
