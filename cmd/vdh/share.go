package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/archive"
)

func newShare(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "share NAME[/PATH]",
		Short: "let somebody else read a part of a snapshot",
		Long: `Makes a snapshot of what is at PATH, and prints its name with the key that opens it and nothing
else: vac:SCORE#KEY. Whoever has that name and can read the store needs no identity. Treat it like a
password; whoever has it can keep what it opens.

A share is kept, and listed by vdh snapshots, until vdh forget.

With --json, one line of "type":"share" with name, score, key and path.`,
		Example: `  vdh share latest/srv/www
  vdh restore 'vac:4f1c…#93ab…' --store /mnt/archive --target out     # the other side`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeNames(a, true),
		RunE:              func(cmd *cobra.Command, names []string) error { return a.share(cmd.Context(), names[0]) },
	}
}

func (a *app) share(ctx context.Context, name string) error {
	owner, err := a.identity(false)
	if err != nil {
		return err
	}
	store, err := a.session(ctx)
	if err != nil {
		return err
	}
	n, err := a.open(ctx, name)
	if err != nil {
		return err
	}
	if _, err := n.lookup(ctx); err != nil {
		return err
	}
	cat, err := a.snapshots(ctx)
	if err != nil {
		return err
	}
	cfg := archive.Config{Store: store, Sealer: a.sealer, Source: a.source, RootKey: owner.RootKey()}
	a.follow(&cfg)
	stop := a.watch(ctx, "share", 0, archiveTally(cfg.Progress))
	begin := time.Now()
	res, err := archive.Share(ctx, cfg, n.tree, n.path)
	stop()
	if err != nil {
		return err
	}
	snap := snapshotOfRun(res, time.Since(begin))
	snap.Share = true
	if err := a.commit(ctx, cat, snap, n.tree.Ref.Score, begin, nil); err != nil {
		return err
	}
	full := scoreText(res.Ref.Score) + "#" + res.Ref.Key.String()
	if a.json {
		err = a.print(map[string]any{"type": "share", "name": full, "score": scoreText(res.Ref.Score),
			"key": res.Ref.Key.String(), "path": rawName(n.path)})
	} else {
		_, err = fmt.Fprintln(a.out, full)
	}
	if err != nil {
		return err
	}
	return a.thinly(ctx)
}
