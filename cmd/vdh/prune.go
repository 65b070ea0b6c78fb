package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/prune"
	"ventidhash/venti/disk"
)

// pruneFlags are what the words of a prune say.
type pruneFlags struct{ dryRun, empty, retain, confirm, alone bool }

func newPrune(a *app) *cobra.Command {
	var f pruneFlags
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "give back the space that no snapshot needs",
		Long: `Frees the blocks that no snapshot in the catalog needs. Backups and restores may run meanwhile, and
nobody waits. What a running backup may still want stays until a later prune. A store in a folder
that several identities use is not pruned, since one cannot see what another needs.

Of a swarm, every member that may hold such blocks is told so, and keeps them in its trash for 30
days more. Before, what other machines of this identity have put on the list is taken in, and all
that is kept is walked: where too few members answer to say what the list is, or a directory cannot
be read, nothing is let go. A member that cannot be reached is told by the next prune. One that is
to let go of more than a tenth of what it keeps for this identity waits for a second word, a day
later at the earliest: vdh prune --confirm. What was stored in the last day stays until then, as a
backup on another machine may be about to use it, unless --alone says that there is none. A machine
whose backup took longer, or could not be put on the list at once, claims all of it anew before it
is, out of the trash if need be; it has 30 days for that. Once in 30 days, or with --retain, the
members are told all that is still needed, so that nothing is kept for ever because a word was
lost. Blocks that were stored in the last three days are left alone by that.

The exit code is 4 if some members could not be told everything, and 11 if nothing was done because
members or blocks are unavailable.

With --json, one line of "type":"summary" with snapshots, live_blocks, live_bytes, unneeded_blocks,
unneeded_bytes, freed_blocks, freed_bytes, waiting_bytes, missing_blocks, dry_run; and for a swarm
one of "type":"lender" for each member with id, name, released_fragments, released_bytes, retained,
waiting (number, kind, fragments, bytes, since, confirm_from), paused, paused_until, refused, error,
and one of "type":"summary" with snapshots, live_blocks, unneeded_blocks, forgotten, unread, lenders,
told, released_fragments, released_bytes, waiting_fragments, waiting_bytes, backups_running, dry_run,
idle (there was nothing to do, and nothing was walked).`,
		Example: "  vdh forget 4f1c0ab2 && vdh prune\n  vdh prune --dry-run\n  vdh prune --store swarm --confirm",
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.prune(cmd.Context(), f) },
	}
	l := cmd.Flags()
	l.BoolVarP(&f.dryRun, "dry-run", "n", false, "free nothing, only say what would be")
	l.BoolVar(&f.empty, "empty", false, "free everything if the catalog has no snapshot left")
	l.BoolVar(&f.retain, "retain", false, "swarm: tell the members all that is needed, so that they find what is not")
	l.BoolVar(&f.confirm, "confirm", false, "swarm: give the second word for what waits for it")
	l.BoolVar(&f.alone, "alone", false, "swarm: no other machine backs up as this identity")
	return cmd
}

// soleOwner is a store that reclaims nothing once somebody else has a catalog in it.
type soleOwner struct {
	*disk.Store
	check func() error
}

// Reclaim looks for other owners before it frees anything: one may have come while the snapshots were walked.
func (s soleOwner) Reclaim(ctx context.Context, settled disk.Settled, cfg disk.ReclaimConfig) (disk.ReclaimReport, error) {
	if err := s.check(); err != nil {
		return disk.ReclaimReport{}, err
	}
	return s.Store.Reclaim(ctx, settled, cfg)
}

func (a *app) prune(ctx context.Context, f pruneFlags) error {
	at, err := a.where()
	if err != nil {
		return err
	}
	if at.swarm {
		return a.pruneSwarm(ctx, at, f)
	}
	if f.retain || f.confirm || f.alone {
		return usage{errors.New("--retain, --confirm and --alone are for a swarm; see: vdh prune --help")}
	}
	owner, err := a.identity(false)
	if err != nil {
		return err
	}
	if _, err := a.blocks(ctx, false); err != nil {
		return err
	}
	cat, err := a.snapshots(ctx)
	if err != nil {
		return err
	}
	src, err := a.plain(ctx)
	if err != nil {
		return err
	}
	alone := func() error {
		others, err := at.strangers(owner)
		if err == nil && len(others) > 0 {
			err = fmt.Errorf("the store at %s also has the snapshots of %s, whose blocks would be lost; nothing was freed",
				at.dir, count(int64(len(others)), "other identity", "other identities"))
		}
		return err
	}
	if err := alone(); err != nil {
		return err
	}
	var now tallyOf[prune.Progress]
	stop := a.watch(ctx, "prune", 0, func() tally {
		p := now.load()
		return tally{what: fmt.Sprintf("%s, %d snapshots, %d blocks", p.Step, p.Snapshots, p.Blocks)}
	})
	rep, err := prune.Run(ctx, prune.Config{Store: soleOwner{a.disk, alone}, Source: src, RootKey: owner.RootKey(), Catalog: cat,
		DryRun: f.dryRun, Empty: f.empty, Progress: now.store})
	stop()
	if errors.Is(err, prune.ErrEmpty) {
		return fmt.Errorf("%w; if this is the right store and identity and nothing in it is wanted, add --empty", err)
	}
	if err != nil {
		return err
	}
	return a.reportPrune(rep, f.dryRun)
}

// pruneSummary is the JSON line of a prune.
type pruneSummary struct {
	Type           string `json:"type"` // "summary"
	Snapshots      int    `json:"snapshots"`
	LiveBlocks     int64  `json:"live_blocks"`
	LiveBytes      int64  `json:"live_bytes"`
	UnneededBlocks int64  `json:"unneeded_blocks"`
	UnneededBytes  int64  `json:"unneeded_bytes"`
	FreedBlocks    int64  `json:"freed_blocks"`
	FreedBytes     int64  `json:"freed_bytes"`
	WaitingBytes   int64  `json:"waiting_bytes"`
	MissingBlocks  int64  `json:"missing_blocks"`
	DryRun         bool   `json:"dry_run,omitempty"`
}

func (a *app) reportPrune(r prune.Report, dryRun bool) error {
	if a.json {
		err := a.print(pruneSummary{"summary", r.Snapshots, r.LiveBlocks, r.LiveBytes, r.TrashBlocks, r.TrashBytes,
			r.FreedBlocks, r.FreedBytes, r.WaitingBytes, r.Missing, dryRun})
		if err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.out, "%s %s in %d blocks; %s in %d blocks are not needed\n", count(int64(r.Snapshots), "snapshot needs", "snapshots need"),
			size(r.LiveBytes), r.LiveBlocks, size(r.TrashBytes), r.TrashBlocks)
		if dryRun {
			a.note("dry run: nothing was freed")
		} else {
			fmt.Fprintf(a.out, "%s freed; %s not needed stay for now (a backup is running, or they lie among blocks that are needed)\n",
				size(r.FreedBytes), size(r.WaitingBytes))
		}
	}
	if r.Missing > 0 {
		return fmt.Errorf("the store lacks %s that snapshots need; vdh check says which files that touches",
			count(r.Missing, "block", "blocks"))
	}
	return nil
}
