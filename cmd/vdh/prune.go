package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/prune"
	"ventidhash/venti/disk"
)

func newPrune(a *app) *cobra.Command {
	var dryRun, empty bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "give back the space that no snapshot needs",
		Long: `Frees the blocks that no snapshot in the catalog needs. Backups and restores may run meanwhile, and
nobody waits. What a running backup may still want stays until the next prune.

A store that several identities use is not pruned, since one cannot see what another needs; and a
swarm cannot be pruned yet.

With --json, one line of "type":"summary" with snapshots, live_blocks, live_bytes, unneeded_blocks,
unneeded_bytes, freed_blocks, freed_bytes, waiting_bytes, missing_blocks, dry_run.`,
		Example: "  vdh forget 4f1c0ab2 && vdh prune\n  vdh prune --dry-run",
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.prune(cmd.Context(), dryRun, empty) },
	}
	cmd.Flags().BoolVarP(&dryRun, "dry-run", "n", false, "free nothing, only say what would be")
	cmd.Flags().BoolVar(&empty, "empty", false, "free everything if the catalog has no snapshot left")
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

// errPruneSwarm says why a swarm is not pruned.
var errPruneSwarm = errors.New("a swarm cannot be pruned yet: the members keep every block that was stored; " +
	"forget what is not needed (vdh forget), and a version of vdh that can prune a swarm will free it")

func (a *app) prune(ctx context.Context, dryRun, empty bool) error {
	at, err := a.where()
	if err != nil {
		return err
	}
	if at.swarm {
		return errPruneSwarm
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
		DryRun: dryRun, Empty: empty, Progress: now.store})
	stop()
	if errors.Is(err, prune.ErrEmpty) {
		return fmt.Errorf("%w; if this is the right store and identity and nothing in it is wanted, add --empty", err)
	}
	if err != nil {
		return err
	}
	return a.reportPrune(rep, dryRun)
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
