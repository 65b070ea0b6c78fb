package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"ventidhash/snapshot"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

// A named snapshot is what the words of a command name: a snapshot, and a path in it.
type named struct {
	snap snapshot.Snapshot
	tree *vac.Tree
	path string // absolute, clean; empty for the whole snapshot
}

// open opens the snapshot that name names. Of a name that may mean another snapshot because of what other machines have
// done, they are asked for that; a whole score means what it says, and waits for nobody.
func (a *app) open(ctx context.Context, name string) (*named, error) {
	n, err := snapshot.ParseName(name)
	if err != nil {
		return nil, usage{err}
	}
	if n.HasCapability() {
		return a.openShared(ctx, n)
	}
	if _, err := a.identity(false); err != nil {
		return nil, err
	}
	if err := a.reading(ctx); err != nil {
		return nil, err
	}
	if n.Score.IsZero() {
		a.look(ctx)
	}
	list, err := a.list(ctx)
	if err != nil {
		return nil, err
	}
	snap, path, err := n.Find(list)
	if err != nil {
		return nil, err
	}
	t, err := a.openOwn(ctx, snap)
	return &named{snap, t, path}, err
}

// list returns the snapshots of the catalog.
func (a *app) list(ctx context.Context) ([]snapshot.Snapshot, error) {
	cat, err := a.snapshots(ctx)
	if err != nil {
		return nil, err
	}
	return cat.List(ctx)
}

// openOwn opens one of the owner's snapshots.
func (a *app) openOwn(ctx context.Context, snap snapshot.Snapshot) (*vac.Tree, error) {
	src, err := a.plain(ctx)
	if err != nil {
		return nil, err
	}
	t, err := vac.OpenOwn(ctx, src, a.owner.RootKey(), snap.Score)
	switch {
	case err == nil || snap.Listed():
		return t, err
	case errors.Is(err, venti.ErrNotFound):
		return nil, fmt.Errorf("%w: vac:%s is not in the catalog, and not in this store (--store names another)",
			snapshot.ErrNoSnapshot, snap.Score)
	case errors.Is(err, venti.ErrCorrupt):
		return nil, fmt.Errorf("vac:%s is no snapshot of this identity; ask its owner for vac:SCORE#KEY (vdh share): %w",
			snap.Score, err)
	}
	return nil, err
}

// openShared opens a snapshot by the capability in its name; no identity is needed.
func (a *app) openShared(ctx context.Context, n snapshot.Name) (*named, error) {
	if err := a.reading(ctx); err != nil {
		return nil, err
	}
	src, err := a.plain(ctx)
	if err != nil {
		return nil, err
	}
	t, err := vac.Open(ctx, src, venti.Ref{Score: n.Score, Key: n.Capability})
	switch {
	case errors.Is(err, venti.ErrNotFound):
		return nil, fmt.Errorf("%w: vac:%s is not in this store (--store names another)", snapshot.ErrNoSnapshot, n.Score)
	case errors.Is(err, venti.ErrCorrupt):
		return nil, fmt.Errorf("the key behind # does not open vac:%s: %w", n.Score, err)
	case err != nil:
		return nil, err
	}
	return &named{snapshotOf(t), t, n.SubPath}, nil
}

// snapshotOf returns what an opened snapshot says of itself.
func snapshotOf(t *vac.Tree) snapshot.Snapshot {
	return snapshotOfRoot(t.Ref.Score, t.Root)
}

// lookup returns the entry that n's path names, or an error that says where it is missing.
func (n *named) lookup(ctx context.Context) (*vac.Dir, error) {
	d, err := n.tree.Lookup(ctx, n.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is not in snapshot %s (%s)", printable(n.path), n.tree.Ref.Score.Short(), showPaths(n.tree.Root.Paths))
	}
	return d, err
}

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
