package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/snapshot"
	"ventidhash/snapshot/prune"
	"ventidhash/venti"
)

func newForget(a *app) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "forget NAME...",
		Short: "take snapshots off the list",
		Long: `Takes the named snapshots out of the catalog and prints them. Their blocks stay until vdh prune, and
until then a whole score still opens a snapshot. Nothing is asked.

With --json, one line of "type":"forgotten" each with the fields of vdh snapshots.`,
		Example:           "  vdh forget 4f1c0ab2 93ab77e0\n  vdh forget --dry-run latest",
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: completeNames(a, false),
		RunE:              func(cmd *cobra.Command, names []string) error { return a.forget(cmd.Context(), names, dryRun) },
	}
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "change nothing, only print what would be forgotten")
	return cmd
}

func (a *app) forget(ctx context.Context, names []string, dryRun bool) error {
	if _, err := a.identity(false); err != nil {
		return err
	}
	if _, err := a.session(ctx); err != nil {
		return err
	}
	gone, err := a.listed(ctx, names)
	if err != nil {
		return err
	}
	if !dryRun {
		cat, err := a.snapshots(ctx)
		if err != nil {
			return err
		}
		if err := a.noteForgotten(ctx, gone); err != nil {
			return err
		}
		err = cat.Update(ctx, func(list []snapshot.Snapshot) ([]snapshot.Snapshot, error) {
			return slices.DeleteFunc(list, func(s snapshot.Snapshot) bool {
				return slices.ContainsFunc(gone, func(g snapshot.Snapshot) bool { return g.Score == s.Score })
			}), nil
		})
		if err != nil {
			return err
		}
	}
	for _, s := range gone {
		if a.json {
			err = a.print(lineOf("forgotten", s))
		} else {
			_, err = fmt.Fprintf(a.out, "%s  %s  %s  %s\n", scoreText(s.Score), localTime(s.Time), printable(s.Host), showPaths(s.Paths))
		}
		if err != nil {
			return err
		}
	}
	switch n := count(int64(len(gone)), "snapshot", "snapshots"); {
	case dryRun:
		a.note("dry run: nothing was forgotten")
	case a.swarm != nil:
		a.note("forgot %s; vdh prune tells the members of the swarm what they can let go", n)
	default:
		a.note("forgot %s; vdh prune gives their space back", n)
	}
	return a.thinly(ctx)
}

// noteForgotten puts down for the next prune of a swarm which snapshots are about to be forgotten.
func (a *app) noteForgotten(ctx context.Context, gone []snapshot.Snapshot) error {
	if a.swarm == nil {
		return nil
	}
	at, err := a.where()
	if err != nil {
		return err
	}
	scores := make([]venti.Score, len(gone))
	for i, s := range gone {
		scores[i] = s.Score
	}
	return prune.Forget(ctx, at.notes(a.owner), time.Now(), scores...)
}
