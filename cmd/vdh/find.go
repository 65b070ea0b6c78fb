package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"ventidhash/snapshot"
	"ventidhash/snapshot/vac"
)

func newFind(a *app) *cobra.Command {
	var f findFlags
	cmd := &cobra.Command{
		Use:   "find PATTERN... [NAME[/PATH]]",
		Short: "find files by name in a snapshot, or in all",
		Long: `Prints the path of each file whose name matches one of the patterns: * ? and [a-z] as in a shell. A
pattern with a slash is compared with the whole path in the snapshot; ** in it stands for any
directories. Without NAME, the newest snapshot is looked through.

With --all each line is a name to use with vdh cat or vdh restore, newest snapshot first.

With --json, lines as those of vdh ls.`,
		Example: `  vdh find '*.odt'
  vdh find '/srv/**/invoice-20[0-9]*' 4f1c0ab2
  vdh find --all --type f --newer 2026-01-01 passwd`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) error { return a.find(cmd.Context(), words, &f) },
	}
	l := cmd.Flags()
	l.BoolVarP(&f.all, "all", "a", false, "look through all snapshots")
	l.StringVar(&f.types, "type", "", "only these types: any of f d l p s c b")
	l.StringVar(&f.newer, "newer", "", "only what was changed after this time: 2006-01-02, 2006-01-02 15:04:05")
	l.StringVar(&f.older, "older", "", "only what was changed before this time")
	l.BoolVarP(&f.ignoreCase, "ignore-case", "i", false, "a and A are the same")
	l.BoolVarP(&f.long, "long", "l", false, "with mode, owner, size and time")
	return cmd
}

func (a *app) find(ctx context.Context, words []string, f *findFlags) error {
	name := "latest"
	if last := words[len(words)-1]; len(words) > 1 && !f.all {
		if _, err := snapshot.ParseName(last); err == nil {
			words, name = words[:len(words)-1], last
		}
	}
	if err := f.parse(words); err != nil {
		return usage{err}
	}
	if f.all {
		return a.findAll(ctx, f)
	}
	n, err := a.open(ctx, name)
	if err != nil {
		return err
	}
	return a.findIn(ctx, n, f)
}

// findAll looks through all snapshots.
func (a *app) findAll(ctx context.Context, f *findFlags) error {
	if err := a.reading(ctx); err != nil {
		return err
	}
	list, err := a.list(ctx)
	if err != nil {
		return err
	}
	for _, s := range slices.Backward(list) {
		t, err := a.openOwn(ctx, s)
		if err == nil {
			err = a.findIn(ctx, &named{s, t, ""}, f)
		}
		if err != nil {
			return fmt.Errorf("snapshot %s: %w", s.Score.Short(), err)
		}
	}
	return nil
}

// findIn prints what fits in one snapshot.
func (a *app) findIn(ctx context.Context, n *named, f *findFlags) error {
	d, err := n.lookup(ctx)
	if err != nil {
		return err
	}
	l := lister{app: a, of: n.tree, long: f.long, whole: true}
	if f.all {
		l.name = "vac:" + n.tree.Ref.Score.Short()
	}
	visit := func(path string, d *vac.Dir) error {
		if f.fits(path, d) {
			return l.entry(path, d)
		}
		return nil
	}
	if d.Type != vac.Directory {
		return visit(n.path, d)
	}
	return n.tree.WalkDir(ctx, d, n.path, visit)
}
