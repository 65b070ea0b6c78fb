package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"ventidhash/venti"
	"ventidhash/venti/disk"
	"ventidhash/venti/tree"
)

// cacheSize is how many bytes of plaintext blocks a verb keeps.
const cacheSize = 24 << 20

// storeDir returns the folder of the store.
func (a *app) storeDir() (string, error) {
	if strings.Contains(a.storePath, "://") {
		return "", usage{fmt.Errorf("--store %q: a store is a folder of this machine", a.storePath)}
	}
	if a.storePath != "" {
		return filepath.Abs(a.storePath)
	}
	dir, err := dataDir()
	return filepath.Join(dir, "store"), err
}

// storeThere returns an error that says what to do if there is no store in dir.
func storeThere(dir string) error {
	_, err := os.Stat(filepath.Join(dir, "FORMAT"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no store at %s: the first vdh backup makes one, --store names another; "+
			"if it was there before, is its disk mounted?", dir)
	}
	return err
}

// blocks returns the store. Where there is none yet, it is made if create is set.
func (a *app) blocks(ctx context.Context, create bool) (*disk.Store, error) {
	if a.store != nil {
		return a.store, nil
	}
	dir, err := a.storeDir()
	if err != nil {
		return nil, err
	}
	if err := storeThere(dir); err != nil {
		if !create {
			return nil, err
		}
		if err := a.mayMakeStore(dir); err != nil {
			return nil, err
		}
		a.note("vdh: making a store at %s", dir)
	}
	a.store, err = disk.Open(ctx, disk.Config{Dir: dir})
	return a.store, err
}

// mayMakeStore refuses to make a store where this machine has kept snapshots before: the disk that it was on is likely
// not mounted, and a backup would go to the wrong one without a word.
func (a *app) mayMakeStore(dir string) error {
	owner, err := a.identity(false)
	if err != nil {
		return err
	}
	cache, err := knownDir(dir, owner.PublicKey())
	if err != nil {
		return err
	}
	if _, err := os.Stat(cache); err == nil && storeThere(dir) != nil { // else another process has just made it
		return fmt.Errorf("the store at %s is gone; is its disk mounted? If it was removed on purpose, remove %s as well",
			dir, cache)
	}
	return nil
}

// session begins a session of the store, unless there is one: until the program ends, nothing that it has put, asked
// for or found in the catalog is taken away by a prune. Begin it before reading the catalog: see package prune.
func (a *app) session(ctx context.Context) (*disk.Store, error) {
	store, err := a.blocks(ctx, false)
	if err == nil && a.lease == nil {
		a.lease, err = store.Session(ctx)
	}
	return store, err
}

// reading is session for verbs that only read, which may read a store that they cannot write to.
func (a *app) reading(ctx context.Context) error {
	_, err := a.session(ctx)
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
