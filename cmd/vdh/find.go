package main

import (
	"context"
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

A directory or snapshot that cannot be read is reported, the rest is looked through, and the exit
code is 3.

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
	w := &walker{app: a}
	if f.all {
		if err := w.findAll(ctx, f); err != nil {
			return err
		}
		return w.verdict()
	}
	n, err := a.open(ctx, name)
	if err == nil {
		err = w.findIn(ctx, n, f)
	}
	if err != nil {
		return err
	}
	return w.verdict()
}

// findAll looks through all snapshots.
func (w *walker) findAll(ctx context.Context, f *findFlags) error {
	if err := w.reading(ctx); err != nil {
		return err
	}
	w.look(ctx)
	list, err := w.list(ctx)
	if err != nil {
		return err
	}
	for _, s := range slices.Backward(list) {
		t, err := w.openOwn(ctx, s)
		if err != nil {
			w.name = ""
			err = w.fail(ctx, "vac:"+s.Score.Short(), err)
		} else {
			err = w.findIn(ctx, &named{s, t, ""}, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// findIn prints what fits in one snapshot.
func (w *walker) findIn(ctx context.Context, n *named, f *findFlags) error {
	d, err := n.lookup(ctx)
	if err != nil {
		return err
	}
	l := lister{app: w.app, of: n.tree, long: f.long, whole: true}
	if f.all {
		l.name = "vac:" + n.tree.Ref.Score.Short()
		w.name = l.name
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
	return w.below(ctx, n.tree, d, n.path, visit)
}
