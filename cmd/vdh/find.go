package main

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

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

type findFlags struct {
	all, ignoreCase, long bool
	types, newer, older   string
	patterns              []string
	after, before         time.Time
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

// parse checks the flags and patterns.
func (f *findFlags) parse(patterns []string) (err error) {
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("pattern %q: %w", p, err)
		}
		f.patterns = append(f.patterns, f.fold(p))
	}
	if i := strings.IndexFunc(f.types, func(r rune) bool { return !strings.ContainsRune("fdlpscb", r) }); i >= 0 {
		return fmt.Errorf("--type %q: give some of f d l p s c b", f.types)
	}
	if f.after, err = parseTime(f.newer); err == nil {
		f.before, err = parseTime(f.older)
	}
	return err
}

func (f *findFlags) fold(s string) string {
	if f.ignoreCase {
		return strings.ToLower(s)
	}
	return s
}

// fits reports whether the entry d at the path is looked for.
func (f *findFlags) fits(full string, d *vac.Dir) bool {
	t := d.ModTime.Time()
	switch {
	case f.types != "" && strings.IndexByte(f.types, kinds[d.Type].letter) < 0:
		return false
	case !f.after.IsZero() && !t.After(f.after), !f.before.IsZero() && !t.Before(f.before):
		return false
	}
	return slices.ContainsFunc(f.patterns, func(p string) bool {
		if !strings.Contains(p, "/") {
			ok, _ := path.Match(p, f.fold(d.Name))
			return ok
		}
		return matchPath(strings.Split(strings.TrimPrefix(p, "/"), "/"), strings.Split(f.fold(full)[1:], "/"))
	})
}

// matchPath reports whether the parts of a path match those of a pattern, in which ** stands for any number of parts.
func matchPath(pattern, parts []string) bool {
	for i, p := range pattern {
		if p == "**" {
			for j := i; j <= len(parts); j++ {
				if matchPath(pattern[i+1:], parts[j:]) {
					return true
				}
			}
			return false
		}
		if i >= len(parts) {
			return false
		}
		if ok, _ := path.Match(p, parts[i]); !ok {
			return false
		}
	}
	return len(pattern) == len(parts)
}
