package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/check"
	"ventidhash/venti"
	"ventidhash/venti/disk"
)

func newCheck(a *app) *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check [NAME...]",
		Short: "look for damage, and say which files it touches",
		Long: `Looks at every block that the snapshots need, of all snapshots unless some are named, and at the
catalog; and, where the store is a folder, compares its index with what lies on the disk. Directories
are always read. Contents are read, verified and compared with the hashes in the snapshots with
--read-data, which takes as long as reading the store; without it, it is only made sure that each
block is there. --read-data-part 3/30 reads the third of thirty parts, so that thirty such checks,
one a night, read it all; vdh run does that.

In a swarm that is made sure by challenge: every member that says it holds a fragment of a block has
to send a part of it that it could not foresee, with the hashes that lead to the name of the whole.
That is done for every block, directories included, and costs 1.6 KB for each fragment. A block that
is not proven is fetched instead, or is damaged. Members that failed are named, with the number of
blocks: they sent what proves nothing (false), do not have what they say they hold (lacking), did not
answer (silent), or are to hold a fragment and say that they do not (without).
ABOVE is how many fragments more were proven than it takes to bring a block back. vdh status says
when a snapshot was last proven.

Each damaged block is printed with every file that it touches. Once the file is read by a backup
again (vdh backup --force), a block that the store has lost is stored anew.

Exit code 1 if anything that a snapshot needs is damaged, 11 if all that is wrong is that blocks
cannot be had now, 4 if all can be had and fewer fragments of a block were proven than a stored block
should have. The last line says what was looked at.

With --json, one line of "type":"damage" with score, state (missing, corrupt, unavailable), error and
touched (part, path, offset, length, snapshots) for each block, and one of "type":"summary" with ok,
read_data, read_part, snapshots, files, blocks, bytes_read, damaged, seconds, and for a folder
store_records and store_damaged. In a swarm, without --read-data, there is a line of "type":"short"
with score, part, path, proven, need and total for each block below the threshold (at most 1000), and
the one of "type":"summary" also has proven (blocks), unproven, read_instead, not_downloaded (bytes),
above (how many blocks have how many), below_threshold, weakest (score, path, present, need, total)
and members (id, name, false, lacking, silent, without).`,
		Example:           "  vdh check\n  vdh check --read-data latest",
		ValidArgsFunction: completeNames(a, false),
		RunE:              func(cmd *cobra.Command, names []string) error { return a.check(cmd.Context(), names, f) },
	}
	cmd.Flags().BoolVar(&f.readData, "read-data", false, "read and verify all contents")
	cmd.Flags().Var(&f.part, "read-data-part", "read and verify a part of all contents, like 3/30")
	return cmd
}

// checkFlags say what of the contents a check reads.
type checkFlags struct {
	readData bool
	part     partFlag
}

// config returns what a check has to look at.
func (f checkFlags) config() (check.Config, error) {
	cfg := check.Config{ReadData: f.readData}
	if f.part.of > 0 {
		if f.readData {
			return cfg, usage{errors.New("give --read-data or --read-data-part, not both")}
		}
		cfg.ReadData, cfg.Only = true, f.part.has
	}
	return cfg, nil
}

func (a *app) check(ctx context.Context, names []string, f checkFlags) error {
	cfg, err := f.config()
	if err != nil {
		return err
	}
	owner, err := a.identity(false)
	if err != nil {
		return err
	}
	if err := a.reading(ctx); err != nil {
		return err
	}
	cat, err := a.snapshots(ctx)
	if err != nil {
		return err
	}
	r := checkReport{readData: cfg.ReadData, part: f.part, all: len(names) == 0, begin: time.Now()}
	if r.snaps, err = a.listed(ctx, names); err != nil {
		return err
	}
	if root, err := cat.Root(ctx); err == nil {
		cfg.Catalog = root.Score
	} else if len(r.snaps) > 0 {
		return err
	}
	src, err := a.plain(ctx)
	if err != nil {
		return err
	}
	if a.swarm != nil && !cfg.ReadData {
		r.proofs = newProving(a.swarm)
		cfg.Prove = r.proofs.prove
	}
	var now tallyOf[check.Progress]
	cfg.Progress = now.store
	stop := a.watch(ctx, "check", 0, func() tally { return checkTally(now.load(), len(r.snaps), a.disk != nil) })
	look := func() (err error) {
		r.found, err = check.Run(ctx, src, owner.RootKey(), r.snaps, cfg)
		return err
	}
	if a.disk == nil {
		err = look()
	} else {
		err = a.checkFolder(ctx, &r, look)
	}
	stop()
	if err != nil {
		return fmt.Errorf("the check did not come to its end: %w", err)
	}
	if r.proofs != nil {
		if asked := r.proofs.Proven + r.proofs.Unproven; asked != r.found.Blocks {
			return fmt.Errorf("the check did not come to its end: %d blocks are needed, %d were to be proven", r.found.Blocks,
				asked)
		}
		a.keepProofs(ctx, &r)
		r.proofs.askNames(ctx)
	} else if a.disk != nil && (f.readData || !r.found.OK()) {
		a.keepProofs(ctx, &r)
	}
	return a.reportCheck(&r)
}

// checkFolder looks at the snapshots, and at what lies on the disk. If the contents of all are asked for, or of a part,
// those that no snapshot needs are read too, since a later backup may build on them.
func (a *app) checkFolder(ctx context.Context, r *checkReport, look func() error) error {
	verify := func(read func(venti.Score) bool) error {
		store, err := a.disk.Verify(ctx, read, func(d disk.Damage) { r.records = append(r.records, d) })
		r.store = &store
		return err
	}
	if !r.readData || !r.all {
		if err := verify(nil); err != nil { // first, so that the index is right
			return err
		}
		return look()
	}
	// A read that waits for the disk keeps its processor from other goroutines for a while.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2 * runtime.GOMAXPROCS(0)))
	if err := look(); err != nil {
		return err
	}
	if err := verify(func(s venti.Score) bool { return !r.found.HasRead(s) && r.part.has(s) }); err != nil || r.found.OK() {
		return err
	}
	return look() // the index is right now, and where there is another copy it points at that
}

func checkTally(p check.Progress, of int, folder bool) tally {
	switch {
	case p.Blocks == 0 && folder:
		return tally{what: "comparing the store's index with its segments"}
	case p.Naming:
		return tally{what: fmt.Sprintf("naming what %d damaged blocks touch, %d of %d snapshots", p.Damaged, p.Snapshots, of)}
	}
	return tally{what: fmt.Sprintf("%d of %d snapshots, %d blocks, %s read, %d damaged", p.Snapshots, of, p.Blocks,
		size(p.Bytes), p.Damaged)}
}

// state names what is wrong with a block in one word.
func state(err error) string {
	switch {
	case errors.Is(err, venti.ErrNotFound):
		return "missing"
	case errors.Is(err, venti.ErrUnavailable):
		return "unavailable"
	}
	return "corrupt"
}
