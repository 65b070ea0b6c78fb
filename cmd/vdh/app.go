package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/disk"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// cacheSize is how many bytes of plaintext blocks a verb keeps.
const cacheSize = 24 << 20

// An app is one run of the program: the global flags, and what has been opened. Parts are opened when a verb first asks
// for them, so that a verb pays only for what it uses.
type app struct {
	in        io.Reader
	out, errs io.Writer

	storePath            string
	json, quiet, verbose bool

	owner   *catalog.Owner
	sealer  *seal.Sealer
	store   *disk.Store
	source  *tree.Source
	catalog *catalog.Catalog
}

// close closes what was opened.
func (a *app) close() error {
	if a.store == nil {
		return nil
	}
	err := a.store.Close()
	a.store = nil
	return err
}

func dataDir() (string, error) { return xdg("XDG_DATA_HOME", ".local/share") }

// storeDir returns the folder of the store.
func (a *app) storeDir() (string, error) {
	if a.storePath != "" {
		return filepath.Abs(a.storePath)
	}
	dir, err := dataDir()
	return filepath.Join(dir, "store"), err
}

// identity returns the owner. Where there is none yet, it makes one if create is set.
func (a *app) identity(create bool) (*catalog.Owner, error) {
	if a.owner != nil {
		return a.owner, nil
	}
	dir, err := dataDir()
	if err != nil {
		return nil, err
	}
	o, err := catalog.LoadOwner(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if !create {
			return nil, fmt.Errorf("there is no identity in %s yet: vdh backup or vdh init makes one", dir)
		}
		o, err = a.newIdentity(dir)
	}
	if err != nil {
		return nil, err
	}
	a.owner = o
	return o, nil
}

// seals returns the sealer of the owner; without an identity it can only open.
func (a *app) seals() (*seal.Sealer, error) {
	if a.sealer != nil {
		return a.sealer, nil
	}
	var secret seal.Secret
	if a.owner != nil {
		secret = a.owner.Secret()
	}
	s, err := seal.New(secret)
	a.sealer = s
	return s, err
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
	if _, err := os.Stat(dir); !create && errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no store at %s yet: vdh backup makes one, --store names another", dir)
	}
	a.store, err = disk.Open(ctx, disk.Config{Dir: dir})
	return a.store, err
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

func (l late) Get(ctx context.Context, s venti.Score) ([]byte, error) {
	st, err := l.a.blocks(ctx, false)
	if err != nil {
		return nil, err
	}
	return st.Get(ctx, s)
}

func (l late) Put(ctx context.Context, b []byte) (venti.Score, error) {
	st, err := l.a.blocks(ctx, false)
	if err != nil {
		return venti.Score{}, err
	}
	return st.Put(ctx, b)
}

func (l late) Has(ctx context.Context, s []venti.Score) ([]bool, error) {
	st, err := l.a.blocks(ctx, false)
	if err != nil {
		return nil, err
	}
	return st.Has(ctx, s)
}

func (l late) Sync(ctx context.Context) error {
	st, err := l.a.blocks(ctx, false)
	if err != nil {
		return err
	}
	return st.Sync(ctx)
}

// snapshots returns the owner's catalog. It lies in the store's folder, under the owner's public key, so that a store
// carried elsewhere brings its list along.
func (a *app) snapshots() (*catalog.Catalog, error) {
	if a.catalog != nil {
		return a.catalog, nil
	}
	owner, err := a.identity(false)
	if err != nil {
		return nil, err
	}
	dir, err := a.storeDir()
	if err != nil {
		return nil, err
	}
	a.catalog, err = catalog.Open(catalog.Config{
		Dir: filepath.Join(dir, "owners", hex.EncodeToString(owner.PublicKey())), Store: late{a}, Owner: owner})
	return a.catalog, err
}

// A named snapshot is what the words of a command name: a snapshot, and a path in it.
type named struct {
	snap snapshot.Snapshot
	tree *vac.Tree
	path string
}

// open opens the snapshot that name names.
func (a *app) open(ctx context.Context, name string) (*named, error) {
	n, err := snapshot.ParseName(name)
	if err != nil {
		return nil, usage{err}
	}
	if n.HasCapability() {
		return a.openShared(ctx, n)
	}
	cat, err := a.snapshots()
	if err != nil {
		return nil, err
	}
	list, err := cat.List(ctx)
	if err != nil {
		return nil, err
	}
	snap, path, err := n.Find(list)
	if err != nil {
		return nil, err
	}
	src, err := a.plain(ctx)
	if err != nil {
		return nil, err
	}
	t, err := vac.OpenOwn(ctx, src, a.owner.RootKey(), snap.Score)
	if errors.Is(err, venti.ErrNotFound) {
		err = fmt.Errorf("%w: %w", snapshot.ErrNoSnapshot, err)
	}
	return &named{snap, t, path}, err
}

// openShared opens a snapshot by the capability in its name; no identity is needed.
func (a *app) openShared(ctx context.Context, n snapshot.Name) (*named, error) {
	src, err := a.plain(ctx)
	if err != nil {
		return nil, err
	}
	t, err := vac.Open(ctx, src, venti.Ref{Score: n.Score, Key: n.Capability})
	if err != nil {
		return nil, err
	}
	return &named{snapshot.Snapshot{Score: n.Score, Time: t.Root.Time, Host: t.Root.Host, Paths: t.Root.Paths}, t, n.SubPath}, nil
}

// print writes v as one JSON line.
func (a *app) print(v any) error { return json.NewEncoder(a.out).Encode(v) }

// note prints a line for people on standard error, unless --quiet.
func (a *app) note(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.errs, format+"\n", args...)
	}
}
