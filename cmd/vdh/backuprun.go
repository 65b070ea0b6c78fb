package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/catalog"
)

// runBackup archives, catalogues and reports.
func (a *app) runBackup(ctx context.Context, cat *catalog.Catalog, cfg archive.Config, f *backupFlags) error {
	a.follow(&cfg)
	expected := int64(0)
	if cfg.Parent != nil {
		expected = int64(cfg.Parent.Root.Bytes)
	}
	stop := a.watch(ctx, "backup", expected, archiveTally(cfg.Progress))
	begin := time.Now()
	var res *archive.Result
	var err error
	if f.stdin {
		res, err = archive.Stream(ctx, cfg, interruptible(ctx, a.in), f.stdinName)
	} else {
		res, err = archive.Run(ctx, cfg)
	}
	stop()
	if err != nil {
		return err
	}
	if !f.dryRun {
		if err := a.countAdded(ctx, res); err != nil {
			return err
		}
	}
	snap := snapshotOfRun(res, time.Since(begin))
	snap.Tags, snap.Parent = f.tags, res.Root.Prev
	if !f.dryRun {
		if err := a.commit(ctx, cat, snap, snap.Parent, begin, a.setUp(ctx, cat)); err != nil {
			return err
		}
	}
	var held *redundancy
	if !f.dryRun {
		if held, err = a.redundancy(ctx); err != nil {
			return err
		}
	}
	if err := a.reportBackup(snap, res, held, f); err != nil {
		return err
	}
	if !f.dryRun {
		a.heartbeat(ctx)
	}
	return verdict(res.Failed, a.lagging(held.shortfall()))
}

// countAdded corrects what a run has added to a swarm, which only says that when all blocks have arrived.
func (a *app) countAdded(ctx context.Context, res *archive.Result) error {
	if a.swarm == nil {
		return nil
	}
	if err := a.swarm.Sync(ctx); err != nil {
		return err
	}
	r, err := a.redundancy(ctx)
	if err == nil {
		res.Added = r.Added
	}
	return err
}

// verdict returns the error of a backup that is kept, though not as it should be. Files that could not be read decide
// the exit code, since nothing but the user can help them. short is what else is not as it should be.
func verdict(failed int64, short error) error {
	if failed == 0 {
		return short
	}
	text := fmt.Sprintf("%d files or directories could not be read, or changed meanwhile; the rest is kept", failed)
	if short != nil {
		text += "; " + short.Error()
	}
	return partial{text}
}

// interruptible returns what r gives, until ctx ends. A read of r that is under way then is left to its fate.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	out, in := io.Pipe()
	go func() {
		_, err := io.CopyBuffer(in, r, make([]byte, 256<<10))
		in.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { in.CloseWithError(ctx.Err()) })
	return out
}
