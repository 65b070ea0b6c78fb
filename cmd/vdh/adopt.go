package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"ventidhash/snapshot"
	"ventidhash/venti"
)

func newAdopt(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "adopt SCORE...",
		Short: "put snapshots back on the list that were forgotten or lost",
		Long: `Puts snapshots of this identity on the list that are in the store and not on it: because they were
forgotten, or because the list was lost and an older one came back. vdh snapshots --all finds them.
A whole score is looked up at once; for the first digits of one, the whole store is searched.

Every block of such a snapshot is looked for first. One that lacks blocks, since a prune has taken
them, is not put on the list; vdh restore brings back of it what there is. Tags are not known any
more, nor what the store had grown by.

With --json, one line of "type":"adopted" each with the fields of vdh snapshots. The exit code is 4
if the list could not be handed out to the members of the swarm.`,
		Example: `  vdh snapshots --all
  vdh adopt 4f1c0ab2`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error { return a.adopt(cmd.Context(), names) },
	}
	return a.patiently(cmd)
}

func (a *app) adopt(ctx context.Context, names []string) error {
	list, err := a.listToChange(ctx)
	if err != nil {
		return err
	}
	var off []snapshot.Snapshot // that are not on the list; nil as long as nobody has looked
	for _, name := range names {
		n, err := snapshot.ParseName(name)
		if err != nil {
			return usage{err}
		}
		if n.Latest || n.HasCapability() || n.SubPath != "" {
			return usage{fmt.Errorf("%s: give the score of a snapshot, or its first digits", printable(name))}
		}
		if s, _, err := n.Find(list); err == nil && s.Listed() {
			a.note("vdh: %s is on the list already", s.Score.Short())
			continue
		}
		if n.Prefix != "" && off == nil {
			found, err := a.search(ctx)
			if err != nil {
				return err
			}
			found.note(a)
			off = found.unlisted(list)
		}
		s, _, err := n.Find(off)
		if err != nil {
			return err
		}
		if err := a.adoptOne(ctx, s); err != nil {
			return err
		}
	}
	return a.thinly(ctx)
}

// adoptOne puts one snapshot on the list.
func (a *app) adoptOne(ctx context.Context, s snapshot.Snapshot) error {
	t, err := a.openOwn(ctx, s)
	if err != nil {
		return err
	}
	if t.Root.Kind != venti.RootSnapshot {
		return fmt.Errorf("%w: vac:%s is a list of snapshots", snapshot.ErrNoSnapshot, s.Score)
	}
	s = snapshotOf(t)
	if err := a.present(ctx, s); err != nil {
		return fmt.Errorf("snapshot %s is not whole in this store, and stays off the list: %w", s.Score.Short(), err)
	}
	cat, err := a.snapshots(ctx)
	if err != nil {
		return err
	}
	if err := a.kept(cat.Add(ctx, s)); err != nil {
		return err
	}
	if a.json {
		return a.print(lineOf("adopted", s))
	}
	_, err = fmt.Fprintf(a.out, "%s  %s  %s  %s\n", scoreText(s.Score), localTime(s.Time), printable(s.Host), showPaths(s.Paths))
	return err
}
