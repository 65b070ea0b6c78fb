package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/snapshot"
	"ventidhash/snapshot/prune"
	"ventidhash/snapshot/retain"
	"ventidhash/venti"
)

func newForget(a *app) *cobra.Command {
	var (
		dryRun bool
		keep   keepFlags
		filter snapshotFilter
	)
	cmd := &cobra.Command{
		Use:   "forget [NAME...]",
		Short: "take snapshots off the list, by name or by what is to be kept",
		Long: `Takes snapshots out of the catalog and prints them. Their blocks stay until vdh prune, and until then
a whole score still opens a snapshot. Nothing is asked.

With names, those are forgotten. With --keep flags, everything is that none of the flags keeps, for
each host and list of paths apart. --keep-daily 7 keeps the newest snapshot of each of the last seven
days that have one; if there are fewer such days, it keeps the oldest snapshot as well. Weeks are
those of ISO 8601, and all is by the clock of this machine. --keep-within is a time before the newest
snapshot: 1y6m, 2w, 7d or 36h, where m is a month. A number may be "all". The newest snapshot of each
host and list of paths is always kept, the newest of which every file could be read as well, and so
is what vdh share made and what has a time to come. --host, --path and --tag leave all others out of
it. With --dry-run each snapshot is listed, with the reasons for which it is kept.

With --json, one line of "type":"forgotten" each with the fields of vdh snapshots; and with --keep
flags one of "type":"kept" for each that is kept, with these fields and why, a list of reasons.`,
		Example: `  vdh forget 4f1c0ab2 93ab77e0
  vdh forget --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --keep-yearly all --dry-run
  vdh forget --keep-within 30d --host www && vdh prune`,
		ValidArgsFunction: completeNames(a, false),
		RunE: func(cmd *cobra.Command, names []string) error {
			if given := cmd.Flags().Changed; len(names) > 0 && !slices.ContainsFunc(policyFlags(cmd.Flags()), given) {
				keep, filter = keepFlags{}, snapshotFilter{} // of the config file
			}
			f, err := newForgetting(names, &keep, &filter)
			if err != nil {
				return err
			}
			f.dryRun = dryRun
			return a.forget(cmd.Context(), f)
		},
	}
	keep.add(cmd.Flags())
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "change nothing, only print what would be forgotten")
	cmd.Flags().StringArrayVar(&filter.hosts, "host", nil, "with --keep flags: only of this host")
	cmd.Flags().StringArrayVar(&filter.paths, "path", nil, "with --keep flags: only those that hold this path")
	cmd.Flags().StringArrayVar(&filter.tags, "tag", nil, "with --keep flags: only those with this tag")
	return cmd
}

// A forgetting says what to forget: what is named, or what a policy does not keep of the snapshots that it is about.
type forgetting struct {
	names  []string
	policy *retain.Policy // nil with names
	about  func(snapshot.Snapshot) bool
	dryRun bool

	groups []retain.Group      // what came of the policy
	gone   []snapshot.Snapshot // what is forgotten
}

func newForgetting(names []string, keep *keepFlags, filter *snapshotFilter) (*forgetting, error) {
	f := &forgetting{names: names, about: filter.fits}
	p, err := keep.policy()
	filtered := len(filter.hosts)+len(filter.paths)+len(filter.tags) > 0
	switch {
	case len(names) == 0 && errors.Is(err, retain.ErrNoRule):
		return nil, usage{errors.New("give the names of snapshots, or say with --keep flags what is to be kept; see: vdh forget --help")}
	case len(names) > 0 && errors.Is(err, retain.ErrNoRule) && !filtered:
		return f, nil
	case len(names) > 0:
		return nil, usage{errors.New("give either names, or --keep flags and what these are about; see: vdh forget --help")}
	case err != nil:
		return nil, usage{err}
	}
	f.policy = &p
	return f, nil
}

// plan decides what is forgotten of a list.
func (f *forgetting) plan(now time.Time, list []snapshot.Snapshot) (err error) {
	f.groups, err = retain.Plan(now, slices.DeleteFunc(slices.Clone(list), func(s snapshot.Snapshot) bool { return !f.about(s) }), *f.policy)
	f.gone = retain.Drop(f.groups)
	return err
}

func (a *app) forget(ctx context.Context, f *forgetting) (err error) {
	list, err := a.listToChange(ctx)
	switch {
	case err != nil:
		return err
	case f.policy == nil:
		f.gone, err = a.listed(ctx, f.names)
	default:
		err = f.plan(time.Now(), list)
	}
	if err != nil {
		return err
	}
	if !f.dryRun && len(f.gone) > 0 {
		if err := a.takeOff(ctx, f); err != nil {
			return err
		}
	}
	if err := a.reportForgotten(f); err != nil {
		return err
	}
	return a.thinly(ctx)
}

// listToChange returns the snapshots of the catalog, about to be changed: in a session, and with what other machines have done.
func (a *app) listToChange(ctx context.Context) ([]snapshot.Snapshot, error) {
	if _, err := a.identity(false); err != nil {
		return nil, err
	}
	if _, err := a.session(ctx); err != nil {
		return nil, err
	}
	a.refresh(ctx, refreshTime)
	return a.list(ctx)
}

// takeOff takes what is to be forgotten off the catalog. By a policy that is decided once more, about the list that is
// there when nobody else can change it.
func (a *app) takeOff(ctx context.Context, f *forgetting) error {
	cat, err := a.snapshots(ctx)
	if err != nil {
		return err
	}
	return a.kept(cat.Update(ctx, func(list []snapshot.Snapshot) ([]snapshot.Snapshot, error) {
		if f.policy != nil {
			if err := f.plan(time.Now(), list); err != nil {
				return nil, err
			}
		}
		if err := a.noteForgotten(ctx, f.gone); err != nil {
			return nil, err
		}
		gone := map[venti.Score]bool{}
		for _, s := range f.gone {
			gone[s.Score] = true
		}
		return slices.DeleteFunc(list, func(s snapshot.Snapshot) bool { return gone[s.Score] }), nil
	}))
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

// sayForgotten says what comes next, for people.
func (a *app) sayForgotten(f *forgetting) {
	n := count(int64(len(f.gone)), "snapshot", "snapshots")
	switch {
	case a.told:
	case f.dryRun:
		a.note("dry run: nothing was forgotten")
	case len(f.gone) == 0:
		a.note("nothing to forget")
	case a.swarm != nil:
		a.note("forgot %s; vdh prune tells the members of the swarm what they can let go", n)
	default:
		a.note("forgot %s; vdh prune gives their space back", n)
	}
}

// reportForgotten prints what was forgotten, and of a policy what was kept, and why.
func (a *app) reportForgotten(f *forgetting) (err error) {
	defer func() {
		if err == nil {
			a.sayForgotten(f)
		}
	}()
	switch {
	case a.json:
		return a.printVerdicts(f)
	case f.policy != nil && f.dryRun:
		return a.explainKept(f.groups)
	}
	for _, s := range f.gone {
		_, err = fmt.Fprintf(a.out, "%s  %s  %s  %s\n", scoreText(s.Score), localTime(s.Time), printable(s.Host), showPaths(s.Paths))
		if err != nil {
			return err
		}
	}
	return nil
}
