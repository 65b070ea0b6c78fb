package main

import (
	"context"
	"crypto/rand"

	"github.com/spf13/cobra"

	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/vac"
	"ventidhash/venti/tree"
)

func newBackup(a *app) *cobra.Command {
	var f backupFlags
	cmd := &cobra.Command{
		Use:   "backup PATH...",
		Short: "keep a snapshot of files and print its score",
		Long: `Walks the paths, stores what is not stored yet, and prints one line, vac:SCORE, once everything is
safely on the disk, or with the members of the swarm. Files that did not change since the last
snapshot of the same host and paths are not opened.

Exclude patterns are those of .gitignore; ! takes back in. The store itself is left out. What could
not be read is reported, the rest is kept, and the exit code is 3. A backup that was interrupted is
simply run again: what it had stored is not stored twice. When the members of the swarm are out of
reach, because this machine slept or lost its network, it waits for them and goes on (--patience).

With --json, one line of "type":"summary" with score, parent, time, host, paths, tags, files, dirs,
bytes, new, changed, unchanged, failed, bytes_read, bytes_added, seconds, and for a swarm
blocks_put, blocks_new (those that the members did not have), blocks_below_target (too few fragments
are held), lowest_nines, the availability of the weakest block that was put or relied upon (3 is
99.9 %), target_nines, what the members agreed on, and threshold_nines, what a block may be down to
before it is repaired; and on standard error one line of "type":"error" with path and error for each
file that could not be read.`,
		Example: `  vdh backup /srv
  vdh backup /home /etc --exclude '*.tmp' --exclude-caches --tag nightly
  pg_dump db | vdh backup --stdin --stdin-name db.sql`,
		RunE: func(cmd *cobra.Command, paths []string) error { return a.backup(cmd.Context(), paths, &f) },
	}
	f.add(cmd.Flags())
	return a.patiently(cmd)
}

func (a *app) backup(ctx context.Context, paths []string, f *backupFlags) error {
	cfg, err := a.backupConfig(paths, f)
	if err != nil {
		return err
	}
	if f.dryRun {
		return a.dryRun(ctx, cfg, f)
	}
	if _, err := a.identity(true); err != nil {
		return err
	}
	if _, err := a.blocks(ctx, true); err != nil {
		return err
	}
	if cfg.Store, err = a.session(ctx); err != nil {
		return err
	}
	if a.disk != nil && a.limit > 0 {
		cfg.Store = pacedFolder{a.disk, &pace{rate: a.limit}}
	}
	a.refresh(ctx, refreshTime)
	if err := a.compareWith(ctx, &cfg, f); err != nil {
		return err
	}
	if cfg.Known != nil {
		defer cfg.Known.Close()
	}
	cat, err := a.snapshots(ctx)
	if err != nil {
		return err
	}
	return a.runBackup(ctx, cat, cfg, f)
}

// compareWith fills in the owner's keys, the parent snapshot and the contents that are known to be stored.
func (a *app) compareWith(ctx context.Context, cfg *archive.Config, f *backupFlags) error {
	list, err := a.list(ctx)
	if err != nil {
		return err
	}
	if cfg.Source, err = a.plain(ctx); err != nil {
		return err
	}
	cfg.Sealer, cfg.RootKey = a.sealer, a.owner.RootKey()
	if p, ok := snapshot.Parent(list, cfg.Host, cfg.Paths); ok && !f.stdin {
		if cfg.Parent, err = vac.OpenOwn(ctx, cfg.Source, cfg.RootKey, p.Score); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			a.note("vdh: the last snapshot, %s, cannot be read (vdh check says more), so every file is: %v", p.Score.Short(), err)
			cfg.Parent = nil
		}
	}
	if cfg.Known, err = a.known(); err != nil {
		a.note("vdh: going on without the cache of known contents: %v", err)
		cfg.Known = nil
	}
	return nil
}

// dryRun walks as a backup does and leaves no trace, not even an identity or a store.
func (a *app) dryRun(ctx context.Context, cfg archive.Config, f *backupFlags) error {
	at, err := a.where()
	if err != nil {
		return err
	}
	_, noIdentity := a.identity(false)
	if at.swarm {
		if _, err := a.blocks(ctx, false); err != nil {
			return err
		}
	}
	if noIdentity == nil && at.there() == nil {
		if cfg.Store, err = a.blocks(ctx, false); err != nil {
			return err
		}
		if err := a.compareWith(ctx, &cfg, f); err != nil {
			return err
		}
		if cfg.Known != nil {
			defer cfg.Known.Close()
		}
		return a.runBackup(ctx, nil, cfg, f)
	}
	if noIdentity != nil {
		if a.owner, err = catalog.NewOwner(rand.Reader); err != nil {
			return err
		}
	}
	if cfg.Sealer, err = a.seals(); err != nil {
		return err
	}
	cfg.RootKey, cfg.Store = a.owner.RootKey(), nothing{}
	cfg.Source = tree.NewSource(cfg.Store, cfg.Sealer, cacheSize)
	return a.runBackup(ctx, nil, cfg, f)
}
