package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ventidhash/snapshot"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// Config says what to copy and where to. All but the options is needed.
type Config struct {
	From    *tree.Source
	To      venti.Store
	RootKey seal.RootKey // opens the snapshots

	// List puts a snapshot into the catalog of To, which makes everything put before durable. It is called once for each
	// snapshot that is complete there, the oldest first.
	List func(context.Context, snapshot.Snapshot) error

	// Options.
	DryRun   bool           // send nothing and list nothing
	Damaged  func(Damage)   // hears of each block that cannot be had, once; from one goroutine at a time
	Done     func(Copied)   // hears of each snapshot when it is dealt with; from the goroutine of Run
	Progress func(Progress) // hears how far Run has come; must be quick; from one goroutine at a time
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.From == nil:
		return errors.New("transfer: From is nil")
	case c.To == nil:
		return errors.New("transfer: To is nil")
	case c.List == nil && !c.DryRun:
		return errors.New("transfer: List is nil")
	}
	return nil
}

// A Damage is a block that cannot be had from the store that it should come from.
type Damage struct {
	Score venti.Score
	Path  string      // of a file or directory that needs it; "" for the top of the snapshot
	Root  venti.Score // of a snapshot that needs it
	Err   error       // wraps venti.ErrNotFound, venti.ErrUnavailable or venti.ErrCorrupt
}

// Copied says what became of one snapshot.
type Copied struct {
	Snapshot snapshot.Snapshot
	Blocks   int64 // that were sent, or are to be
	Bytes    int64 // of them as they are stored; in a dry run of their contents, without pointer blocks
	Lacking  int   // blocks that cannot be had, of those that were met before the snapshot was given up: above 0, it is not listed
}

// Progress says how far a run has come.
type Progress struct {
	Snapshots int   // dealt with
	Blocks    int64 // met
	Sent      int64 // blocks
	Bytes     int64 // of the blocks sent
}

// Report is what a run did. Of blocks, each is counted once however many snapshots need it.
type Report struct {
	Snapshots  int   // that were to be copied
	Complete   int   // of them, those that are whole in To
	Blocks     int64 // met
	Sent       int64 // blocks that To did not have
	Bytes      int64 // of them; see Copied
	Lacking    int64 // blocks that cannot be had
	OnlyAbsent bool  // all of the lacking are unavailable now, none is known to be lost or damaged
}

// Run copies snapshots. Damage is no error: it is in the Report. With an error, the snapshots that Done has heard of are
// dealt with, and what else was sent is found by the next run.
func Run(ctx context.Context, snaps []snapshot.Snapshot, cfg Config) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	c := &copier{cfg: cfg, met: map[venti.Score]vac.Way{}}
	c.bad.errs = map[venti.Score]error{}
	snaps = slices.Clone(snaps)
	slices.SortFunc(snaps, snapshot.Compare) // the parents first
	for _, s := range snaps {
		done, err := c.snapshot(ctx, s)
		if err != nil {
			return c.report(len(snaps)), fmt.Errorf("copying vac:%s: %w", s.Score, err)
		}
		if done.Lacking == 0 {
			c.complete++
		}
		c.now(func(p *Progress) { p.Snapshots++ })
		if cfg.Done != nil {
			cfg.Done(done)
		}
	}
	return c.report(len(snaps)), nil
}

func (c *copier) report(snaps int) Report {
	lacking, only := c.bad.count()
	return Report{Snapshots: snaps, Complete: c.complete, Blocks: c.progress.Blocks, Sent: c.progress.Sent,
		Bytes: c.progress.Bytes, Lacking: lacking, OnlyAbsent: only}
}

// snapshot copies one snapshot.
func (c *copier) snapshot(ctx context.Context, s snapshot.Snapshot) (Copied, error) {
	c.root, c.undo, c.lacking, c.shares = s.Score, c.undo[:0], map[venti.Score]bool{}, nil
	sent, bytes := c.progress.Sent, c.progress.Bytes
	err := c.walk(ctx, s)
	if err != nil {
		return Copied{}, err
	}
	done := Copied{Snapshot: s, Blocks: c.progress.Sent - sent, Bytes: c.progress.Bytes - bytes, Lacking: len(c.lacking)}
	if done.Lacking > 0 {
		for _, u := range slices.Backward(c.undo) { // so that whoever else needs these subtrees meets what is lacking
			c.met[u.score] = u.way
		}
		return done, nil
	}
	if c.cfg.DryRun {
		return done, nil
	}
	return done, c.cfg.List(ctx, s)
}

// walk goes through a snapshot, and returns when all of it is stored, as far as it can be had.
func (c *copier) walk(ctx context.Context, s snapshot.Snapshot) error {
	t, err := vac.OpenOwn(ctx, c.cfg.From, c.cfg.RootKey, s.Score)
	if err != nil {
		return c.damage(ctx, s.Score, "", err)
	}
	if c.cfg.DryRun {
		c.shares, _ = vac.ReadShares(ctx, c.cfg.From, t.Root.Shared) // an error means that less is known about lengths
	}
	w, ctx := newWorkers(ctx, c)
	err = t.Ways(ctx, func(u vac.Use, how vac.Way, err error) (bool, error) {
		if err != nil {
			return false, c.damage(ctx, u.Ref.Score, u.Path, err)
		}
		return c.meet(ctx, w, u, how)
	})
	if err == nil {
		err = c.flush(ctx, w)
	}
	return w.wait(err)
}
