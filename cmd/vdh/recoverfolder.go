package main

import (
	"context"
	"errors"
	"fmt"

	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
)

// recoverFolder brings the catalog of a store in a folder back: the one that lies beside it, or else what the blocks of
// the store alone say. The identity is there.
func (a *app) recoverFolder(ctx context.Context, at location) error {
	if at.there() != nil {
		a.note("vdh: its snapshots are listed by: vdh snapshots --store DIR")
		return nil
	}
	list, err := a.listBeside(ctx)
	lost := errors.Is(err, venti.ErrNotFound) || errors.Is(err, venti.ErrCorrupt) && !errors.Is(err, catalog.ErrOtherOwner)
	switch {
	case err == nil:
		a.note("vdh: %s has %s of it; see: vdh snapshots", at.dir, count(int64(len(list)), "snapshot", "snapshots"))
		return nil
	case errors.Is(err, catalog.ErrNoHead):
	case !lost:
		return err
	default:
		a.note("vdh: the list of snapshots cannot be read, and is looked for in the blocks of the store: %v", err)
	}
	return a.rebuild(ctx, at)
}

// listBeside returns the list that lies in the store's folder. Without one the error is catalog.ErrNoHead.
func (a *app) listBeside(ctx context.Context) ([]snapshot.Snapshot, error) {
	cat, err := a.snapshots(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := cat.Head(); err != nil {
		return nil, err
	}
	return cat.List(ctx)
}

// rebuild makes the list of snapshots anew from the roots that the store has.
func (a *app) rebuild(ctx context.Context, at location) error {
	found, err := a.search(ctx)
	if err != nil {
		return err
	}
	found.note(a)
	switch {
	case len(found.Catalogs)+len(found.Snapshots) > 0:
	case a.storePath == "": // nobody said that it is there
		a.note("vdh: its snapshots are listed by: vdh snapshots --store DIR")
		return nil
	case found.Strange > 0:
		return fmt.Errorf("%w: nothing in %s is of this identity, but there are %s of others; are these the words of another one?",
			snapshot.ErrNoSnapshot, at.dir, count(int64(found.Strange), "root", "roots"))
	default:
		return fmt.Errorf("%w: %s is empty, or holds nothing of this identity", snapshot.ErrNoSnapshot, at.dir)
	}
	var list []snapshot.Snapshot
	if len(found.Catalogs) > 0 {
		if list, err = a.relist(ctx, at, found.Catalogs); err != nil {
			return err
		}
	}
	if off := len(found.unlisted(list)); off > 0 {
		a.note("vdh: %s in %s %s on no list, perhaps because %s forgotten; see: vdh snapshots --all",
			count(int64(off), "snapshot", "snapshots"), at.dir, plural(off, "is", "are"), plural(off, "it was", "they were"))
	}
	return nil
}

// relist makes a list of those that roots lead to, and returns it.
func (a *app) relist(ctx context.Context, at location, roots []catalog.FoundRoot) ([]snapshot.Snapshot, error) {
	store, err := a.session(ctx)
	if err != nil {
		return nil, err
	}
	made, err := catalog.Rebuild(ctx, catalog.Config{Dir: at.catalog(a.owner), Store: store, Owner: a.owner}, roots)
	if errors.Is(err, venti.ErrNotFound) {
		a.note("vdh: %v", err)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a.catalog = nil
	list, err := a.list(ctx)
	if err != nil {
		return nil, err
	}
	a.note("vdh: the list was made anew from %s in the blocks of %s, and has %s", count(int64(made.Lists), "list", "lists"), at.dir,
		count(int64(len(list)), "snapshot", "snapshots"))
	if made.Unread > 0 {
		a.note("vdh: %s that may be newer cannot be read as a whole", count(int64(made.Unread), "list", "lists"))
	}
	return list, nil
}
