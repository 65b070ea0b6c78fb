package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/restore"
)

func newRestore(a *app) *cobra.Command {
	var (
		cfg       restore.Config
		overwrite string
	)
	cmd := &cobra.Command{
		Use:   "restore NAME[/PATH] --target DIR",
		Short: "bring files back",
		Long: `Restores a snapshot, or a part of one, into a directory, with owners, modes, times, links, holes,
attributes and ACLs. Of a directory, the contents go into the target; a file goes into it under its
name; the whole snapshot goes below the target under the paths it was walked from, so that
--target / brings everything back in place.

--include and --exclude are patterns as in a .gitignore file, relative to the path that is restored.

What could not be restored is reported, the rest is done, and the exit code is 3. A restore that was
interrupted is run again with --overwrite if-changed. When the members of the swarm are out of reach,
it waits for them and goes on (--patience).

With --json, one line of "type":"summary" with score, path, target, files, dirs, bytes, links,
skipped, deleted, verified, failed, failures (by kind), seconds, dry_run.`,
		Example: `  vdh restore latest --target /tmp/out
  vdh restore 4f1c0ab2/srv/www --target /srv/www --overwrite if-changed --delete --verify
  vdh restore latest --target / --include /etc/ssh`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeNames(a, true),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.restore(cmd.Context(), names[0], overwrite, cfg)
		},
	}
	l := cmd.Flags()
	l.StringVarP(&cfg.Target, "target", "t", "", "directory to restore into; it is made if need be")
	l.StringArrayVarP(&cfg.Include, "include", "i", nil, "restore only what matches this pattern")
	l.StringArrayVarP(&cfg.Exclude, "exclude", "e", nil, "leave out what matches this pattern")
	l.StringVar(&overwrite, "overwrite", "always", "replace what is there: always, if-changed (by size and time) or never")
	l.BoolVar(&cfg.Delete, "delete", false, "remove what is not in the snapshot from the directories restored")
	l.BoolVar(&cfg.Verify, "verify", false, "read everything again and compare it with the snapshot")
	l.BoolVar(&cfg.NumericIDs, "numeric-ids", false, "give files the numbers of their owners, whatever the names say")
	l.BoolVar(&cfg.Sync, "sync", false, "return only when everything is safely on the disk")
	l.BoolVarP(&cfg.DryRun, "dry-run", "n", false, "change nothing, only count")
	return a.patiently(cmd)
}

func (a *app) restore(ctx context.Context, name, overwrite string, cfg restore.Config) error {
	if cfg.Target == "" {
		return usage{errors.New("say where to restore to with --target DIR (--target / is in place)")}
	}
	for _, o := range []restore.Overwrite{restore.Always, restore.IfChanged, restore.Never, restore.Never + 1} {
		if cfg.Overwrite = o; o.String() == overwrite {
			break
		}
	}
	if cfg.Overwrite > restore.Never {
		return usage{fmt.Errorf("--overwrite %q: give always, if-changed or never", overwrite)}
	}
	err := cfg.Validate()
	if err != nil {
		return usage{err}
	}
	if cfg.Target, err = filepath.Abs(cfg.Target); err != nil {
		return err
	}
	n, err := a.open(ctx, name)
	if err != nil {
		return err
	}
	if _, err := n.lookup(ctx); err != nil {
		return err
	}
	p := &restore.Progress{}
	cfg.Progress, cfg.Warn = p, a.fileError
	total := int64(0)
	if n.path == "" && len(cfg.Include) == 0 {
		total = int64(n.tree.Root.Bytes)
	}
	stop := a.watch(ctx, "restore", total, func() tally {
		return tally{files: p.Files.Load(), bytes: p.Bytes.Load(), current: p.Path()}
	})
	begin := time.Now()
	rep, err := restore.Run(ctx, n.tree, n.path, cfg)
	stop()
	if err != nil {
		return err
	}
	return a.reportRestore(n, cfg, rep, time.Since(begin))
}

// restoreSummary is the JSON line of a restore.
type restoreSummary struct {
	Type     string                 `json:"type"` // "summary"
	Score    string                 `json:"score"`
	Path     rawName                `json:"path"`
	Target   rawName                `json:"target"`
	Files    int64                  `json:"files"`
	Dirs     int64                  `json:"dirs"`
	Bytes    int64                  `json:"bytes"`
	Links    int64                  `json:"links"`
	Skipped  int64                  `json:"skipped"`
	Deleted  int64                  `json:"deleted"`
	Verified int64                  `json:"verified"`
	Failed   int64                  `json:"failed"`
	Failures map[restore.Kind]int64 `json:"failures,omitempty"`
	Seconds  float64                `json:"seconds"`
	DryRun   bool                   `json:"dry_run,omitempty"`
}

func (a *app) reportRestore(n *named, cfg restore.Config, r restore.Report, took time.Duration) error {
	if a.json {
		err := a.print(restoreSummary{Type: "summary", Score: scoreText(n.tree.Ref.Score), Path: rawName(n.path),
			Target: rawName(cfg.Target), Files: r.Files, Dirs: r.Dirs, Bytes: r.Bytes, Links: r.Links, Skipped: r.Skipped,
			Deleted: r.Deleted, Verified: r.Verified, Failed: r.Failed(), Failures: r.Failures, Seconds: took.Seconds(),
			DryRun: cfg.DryRun})
		if err != nil {
			return err
		}
	} else {
		verb := "restored"
		if cfg.DryRun {
			verb = "dry run, nothing was changed: would restore"
		}
		a.note("%s %s and %s, %s; %d left as they were, %d deleted, %d verified, %.1f s", verb, count(r.Files, "file", "files"),
			count(r.Dirs, "directory", "directories"), size(r.Bytes), r.Skipped, r.Deleted, r.Verified, took.Seconds())
	}
	if r.Failed() > 0 {
		return partial{fmt.Sprintf("%s could not be dealt with as they should; the rest is done", count(r.Failed(), "thing", "things"))}
	}
	return nil
}
