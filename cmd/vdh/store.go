package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"ventidhash/snapshot/prune"
	"ventidhash/venti"
	"ventidhash/venti/disk"
	"ventidhash/venti/tree"
)

// cacheSize is how many bytes of plaintext blocks a verb keeps.
const cacheSize = 24 << 20

// blocks returns the store. Where there is none yet, it is made if create is set.
func (a *app) blocks(ctx context.Context, create bool) (venti.Store, error) {
	at, err := a.where()
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if at.swarm {
		err = a.join(ctx, create)
		return a.swarm, err
	}
	if err := a.openFolder(ctx, at, create); err != nil {
		return nil, err
	}
	return a.disk, nil
}

// join opens the swarm; mu is held.
func (a *app) join(ctx context.Context, create bool) error {
	if a.swarm != nil {
		return nil
	}
	stop := a.tellDialling()
	s, err := a.dial(ctx, create)
	stop()
	if err != nil {
		return err
	}
	a.swarm = s
	if a.limit > 0 {
		a.swarm = &pacedSwarm{swarmStore: s, pace: &pace{rate: a.limit}, growth: growth(ctx, s)}
	}
	if a.patience > 0 {
		a.quiets = a.tellOutages(s)
	}
	return nil
}

// openFolder opens the store in a folder of this machine; mu is held.
func (a *app) openFolder(ctx context.Context, at location, create bool) error {
	if a.disk != nil {
		return nil
	}
	if err := at.there(); err != nil {
		if !create {
			return err
		}
		if err := a.mayMakeStore(at); err != nil {
			return err
		}
		a.note("vdh: making a store at %s", at.dir)
	}
	s, err := disk.Open(ctx, disk.Config{Dir: at.dir})
	if err == nil {
		a.disk = s
	}
	return err
}

// mayMakeStore refuses to make a store where this machine has kept snapshots before: the disk that it was on is likely
// not mounted, and a backup would go to the wrong one without a word.
func (a *app) mayMakeStore(at location) error {
	owner, err := a.identity(false)
	if err != nil {
		return err
	}
	cache, err := knownDir(at.dir, owner.PublicKey())
	if err != nil {
		return err
	}
	if _, err := os.Stat(cache); err == nil && at.there() != nil { // else another process has just made it
		return fmt.Errorf("the store at %s is gone; is its disk mounted? If it was removed on purpose, remove %s as well",
			at.dir, cache)
	}
	return nil
}

// session returns the store, and begins a session of it unless there is one: until the program ends, nothing that it
// has put, asked for or found in the catalog is taken away by a prune. Begin it before reading the catalog: see package
// prune.
func (a *app) session(ctx context.Context) (venti.Store, error) {
	store, err := a.blocks(ctx, false)
	if err != nil {
		return nil, err
	}
	if a.disk != nil && a.lease == nil {
		a.lease, err = a.disk.Session(ctx)
	}
	if a.disk == nil && a.writing == nil {
		return a.beginWriting()
	}
	return store, err
}

// beginWriting begins a session of a swarm, for the owner.
func (a *app) beginWriting() (_ venti.Store, err error) {
	at, err := a.where()
	if err != nil {
		return nil, err
	}
	if a.writing, err = prune.Begin(at.notes(a.owner), time.Now()); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.swarm, a.source = writing{a.swarm}, nil
	return a.swarm, nil
}

// reading is session for verbs that only read, which may read a store that they cannot write to. What is let go of a swarm
// can be read for as long as it is in the trash.
func (a *app) reading(ctx context.Context) error {
	at, err := a.where()
	if err != nil {
		return err
	}
	if at.swarm {
		_, err = a.blocks(ctx, false)
		return err
	}
	_, err = a.session(ctx)
	if errors.Is(err, fs.ErrPermission) || isReadOnly(err) {
		return nil
	}
	return err
}

// plain returns the source of the store's blocks.
func (a *app) plain(ctx context.Context) (*tree.Source, error) {
	if a.source != nil {
		return a.source, nil
	}
	store, err := a.blocks(ctx, false)
	if err != nil {
		return nil, err
	}
	sealer, err := a.seals()
	if err != nil {
		return nil, err
	}
	a.source = tree.NewSource(store, sealer, cacheSize)
	return a.source, nil
}

// late is the store, opened when a block is first asked for: listing snapshots rarely needs one.
type late struct{ a *app }

// Get implements venti.Store.
func (l late) Get(ctx context.Context, s venti.Score) ([]byte, error) {
	st, err := l.a.blocks(ctx, false)
	if err != nil {
		return nil, err
	}
	return st.Get(ctx, s)
}

// Put implements venti.Store.
func (l late) Put(ctx context.Context, b []byte) (venti.Score, error) {
	st, err := l.a.blocks(ctx, false)
	if err != nil {
		return venti.Score{}, err
	}
	return st.Put(ctx, b)
}

// PutVital implements venti.VitalStore.
func (l late) PutVital(ctx context.Context, b []byte) (venti.Score, error) {
	st, err := l.a.blocks(ctx, false)
	if err != nil {
		return venti.Score{}, err
	}
	return venti.PutVital(ctx, st, b)
}

// Has implements venti.Store.
func (l late) Has(ctx context.Context, s []venti.Score) ([]bool, error) {
	st, err := l.a.blocks(ctx, false)
	if err != nil {
		return nil, err
	}
	return st.Has(ctx, s)
}

// Sync implements venti.Store.
func (l late) Sync(ctx context.Context) error {
	st, err := l.a.blocks(ctx, false)
	if err != nil {
		return err
	}
	return st.Sync(ctx)
}

// nothing is a store without any block, for a dry run where there is no store.
type nothing struct{}

// Get implements venti.Store.
func (nothing) Get(_ context.Context, s venti.Score) ([]byte, error) {
	return nil, &venti.BlockError{Op: "get", Score: s, Err: venti.ErrNotFound}
}

// Put implements venti.Store.
func (nothing) Put(_ context.Context, b []byte) (venti.Score, error) { return venti.Sum(b), nil }

// Has implements venti.Store.
func (nothing) Has(_ context.Context, s []venti.Score) ([]bool, error) {
	return make([]bool, len(s)), nil
}

// Sync implements venti.Store.
func (nothing) Sync(context.Context) error { return nil }
