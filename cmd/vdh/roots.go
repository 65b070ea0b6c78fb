package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"ventidhash/dhash"
	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
	"ventidhash/venti/seal"
)

// A search is what a search of the whole store for roots came to.
type search struct {
	*catalog.FoundRoots
	damaged int64 // places of a folder that cannot be read, and may have been roots; of a swarm, roots that are damaged or lost
	silent  error // why not all members of a swarm could be asked; nil if all were
}

// search finds every root of the identity that the store has, whether a list names it or not.
func (a *app) search(ctx context.Context) (*search, error) {
	if err := a.reading(ctx); err != nil {
		return nil, err
	}
	store, err := a.blocks(ctx, false)
	if err != nil {
		return nil, err
	}
	var s search
	var met atomic.Int64
	stop := a.watch(ctx, "search", 0, func() tally { return tally{what: count(met.Load(), "root", "roots")} })
	defer stop()
	each := func(ctx context.Context, fn func(venti.Score, []byte) error) (err error) {
		counting := func(score venti.Score, block []byte) error {
			met.Add(1)
			return fn(score, block)
		}
		if a.disk != nil {
			s.damaged, err = a.disk.Beginning(ctx, seal.RootByte, counting)
		} else {
			s.damaged, s.silent, err = a.eachOfSwarm(ctx, counting)
		}
		return err
	}
	s.FoundRoots, err = catalog.Search(ctx, a.owner, store, each)
	return &s, err
}

// rootsAtOnce is how many roots are fetched from a swarm at once.
const rootsAtOnce = 16

// eachOfSwarm calls fn for each block that the members say looks like a root of the owner. damaged is how many of them are
// damaged or lost; silent says why not all could be asked about.
func (a *app) eachOfSwarm(ctx context.Context, fn func(venti.Score, []byte) error) (damaged int64, silent, err error) {
	var scores []venti.Score // bounded by what the swarm takes from its members
	err = a.swarm.Roots(ctx, dhash.Owner(a.owner.PublicKey()), func(s venti.Score) error {
		scores = append(scores, s)
		return nil
	})
	if ctx.Err() != nil {
		return 0, nil, ctx.Err()
	}
	if errors.Is(err, venti.ErrUnavailable) {
		silent, err = err, nil
	}
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var work sync.WaitGroup
	var mu sync.Mutex // held while fn runs; protects damaged and silent
	turns := make(chan struct{}, rootsAtOnce)
	for _, score := range scores {
		turns <- struct{}{}
		work.Go(func() {
			defer func() { <-turns }()
			block, err := a.swarm.Get(ctx, score)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case ctx.Err() != nil:
			case errors.Is(err, venti.ErrUnavailable):
				silent = err
			case err == nil:
				if err := fn(score, block); err != nil {
					cancel(err)
				}
			default:
				damaged++
			}
		})
	}
	work.Wait()
	if ctx.Err() != nil {
		return 0, nil, context.Cause(ctx)
	}
	return damaged, silent, nil
}

// note says what a search may have missed.
func (s *search) note(a *app) {
	switch {
	case s.damaged > 0 && a.swarm != nil:
		a.note("vdh: %s damaged or lost", count(s.damaged, "root that members name is", "roots that members name are"))
	case s.damaged > 0:
		a.note("vdh: %s of the store cannot be read, and may have been a root (vdh check says more)", count(s.damaged, "place", "places"))
	}
	if s.silent != nil || s.Absent > 0 {
		a.note("vdh: there may be more, for not all members answer: %v", errors.Join(s.silent, absent(s.Absent)))
	}
}

// absent returns an error if roots that are named by others cannot be had now.
func absent(n int) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", venti.ErrUnavailable, count(int64(n), "root that another one follows", "roots that others follow"))
}

// unlisted returns what roots say of snapshots that are not on a list, by time.
func (s *search) unlisted(list []snapshot.Snapshot) (out []snapshot.Snapshot) {
	on := map[venti.Score]bool{}
	for i := range list {
		on[list[i].Score] = true
	}
	for i := range s.Snapshots {
		if r := &s.Snapshots[i]; !on[r.Score] {
			out = append(out, snapshotOfRoot(r.Score, &r.Root))
		}
	}
	slices.SortFunc(out, snapshot.Compare)
	return out
}

// snapshotOfRoot returns what a root says of its snapshot.
func snapshotOfRoot(score venti.Score, r *venti.Root) snapshot.Snapshot {
	return snapshot.Snapshot{Score: score, Time: r.Time, Host: r.Host, User: r.User, Paths: r.Paths, Files: r.Files, Dirs: r.Dirs,
		Bytes: r.Bytes, Parent: r.Prev}
}

// printAll prints the snapshots that fit, and those that no list names.
func (a *app) printAll(ctx context.Context, fits func(snapshot.Snapshot) bool) error {
	list, err := a.list(ctx)
	if err != nil {
		a.note("vdh: the list of snapshots cannot be read: %v", err)
	}
	found, err := a.search(ctx)
	if err != nil {
		return err
	}
	off := found.unlisted(list)
	unlisted := map[venti.Score]bool{}
	for _, s := range off {
		unlisted[s.Score] = true
	}
	all := slices.DeleteFunc(slices.Concat(list, off), func(s snapshot.Snapshot) bool { return !fits(s) })
	slices.SortFunc(all, snapshot.Compare)
	if err := a.printTable(all, nil, unlisted); err != nil {
		return err
	}
	found.note(a)
	if n := len(off); n > 0 {
		a.note("vdh: %s not on the list, for %s forgotten, or the list was lost. vdh restore and the others open\n"+
			"one by its score, as long as no prune has taken of it; vdh adopt puts it back on the list", count(int64(n), "snapshot is",
			"snapshots are"), plural(n, "it was", "they were"))
	}
	return nil
}
