package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ventidhash/snapshot"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

func newStats(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "stats [NAME...]",
		Short: "say how much the store and the snapshots hold",
		Long: `Says how much the store holds, and what the snapshots would hold if each were a copy. TRASH is what
no snapshot needed when vdh prune last looked. What the members of a swarm hold for others is not
known; there, the directories of the snapshots are read, and the blocks counted that they need.

With --json, one line of "type":"store" with path, blocks, bytes, trash_blocks, trash_bytes,
damaged_blocks, segments, segment_bytes, index_bytes, or for a swarm one of "type":"swarm" with id,
blocks, pointer_blocks; and one of "type":"snapshots" with snapshots, files, dirs, bytes, bytes_added.`,
		Example:           "  vdh stats\n  vdh stats latest",
		ValidArgsFunction: completeNames(a, false),
		RunE:              func(cmd *cobra.Command, names []string) error { return a.stats(cmd.Context(), names) },
	}
}

type storeLine struct {
	Type         string  `json:"type"` // "store"
	Path         rawName `json:"path"`
	Blocks       int64   `json:"blocks"`
	Bytes        int64   `json:"bytes"`
	TrashBlocks  int64   `json:"trash_blocks"`
	TrashBytes   int64   `json:"trash_bytes"`
	Damaged      int64   `json:"damaged_blocks"`
	Segments     int     `json:"segments"`
	SegmentBytes int64   `json:"segment_bytes"`
	IndexBytes   int64   `json:"index_bytes"`
}

type totalLine struct {
	Type      string `json:"type"` // "snapshots"
	Snapshots int    `json:"snapshots"`
	Files     uint64 `json:"files"`
	Dirs      uint64 `json:"dirs"`
	Bytes     uint64 `json:"bytes"`
	Added     uint64 `json:"bytes_added"`
}

type swarmLine struct {
	Type     string `json:"type"` // "swarm"
	ID       string `json:"id"`
	Blocks   int64  `json:"blocks"`         // that the snapshots need
	Pointers int64  `json:"pointer_blocks"` // of them, pointer blocks and roots
}

func (a *app) stats(ctx context.Context, names []string) error {
	at, err := a.where()
	if err != nil {
		return err
	}
	if _, err := a.identity(false); err != nil {
		return err
	}
	if _, err := a.blocks(ctx, false); err != nil {
		return err
	}
	snaps, err := a.listed(ctx, names)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	if at.swarm {
		err = a.swarmStats(ctx, w, snaps)
	} else {
		err = a.folderStats(ctx, w, at.dir)
	}
	if err == nil {
		err = a.snapshotStats(w, snaps)
	}
	return errors.Join(err, w.Flush())
}

// folderStats says what a store in a folder holds.
func (a *app) folderStats(ctx context.Context, w io.Writer, dir string) error {
	st, err := a.disk.Stats(ctx)
	if err != nil {
		return err
	}
	if a.json {
		return a.print(storeLine{"store", rawName(dir), st.Blocks, st.Bytes, st.Trash, st.TrashBytes, st.Damaged, st.Segments,
			st.ArenaBytes, st.IndexBytes})
	}
	fmt.Fprintf(w, "store\t%s\n", printable(dir))
	fmt.Fprintf(w, "  blocks\t%d, %s\n", st.Blocks, size(st.Bytes))
	fmt.Fprintf(w, "  trash\t%d, %s\n", st.Trash, size(st.TrashBytes))
	fmt.Fprintf(w, "  damaged\t%d\n", st.Damaged)
	fmt.Fprintf(w, "  on the disk\t%s in %d segments, %s of index\n", size(st.ArenaBytes), st.Segments, size(st.IndexBytes))
	return nil
}

// swarmStats says which blocks of a swarm the snapshots need.
func (a *app) swarmStats(ctx context.Context, w io.Writer, snaps []snapshot.Snapshot) error {
	line := swarmLine{Type: "swarm", ID: a.swarm.ID()}
	var now tallyOf[int64]
	stop := a.watch(ctx, "stats", 0, func() tally {
		return tally{what: fmt.Sprintf("reading directories, %s so far", count(now.load(), "block", "blocks"))}
	})
	seen := map[venti.Score]bool{}
	err := a.eachBlock(ctx, snaps, func(u vac.Use) bool {
		if seen[u.Ref.Score] {
			return false
		}
		seen[u.Ref.Score] = true
		line.Blocks++
		if !u.Leaf || u.Role == vac.RoleRoot {
			line.Pointers++
		}
		now.store(line.Blocks)
		return true
	})
	stop()
	if err != nil {
		return fmt.Errorf("count the blocks that the snapshots need (vdh check says what is wrong): %w", err)
	}
	if a.json {
		return a.print(line)
	}
	fmt.Fprintf(w, "swarm\t%s\n", printable(line.ID))
	fmt.Fprintf(w, "  blocks needed\t%d, of them %d pointer blocks and roots\n", line.Blocks, line.Pointers)
	return nil
}

// eachBlock calls visit for each use of a block by the snapshots. Where it returns false, what is below is passed over.
func (a *app) eachBlock(ctx context.Context, snaps []snapshot.Snapshot, visit func(vac.Use) bool) error {
	for _, s := range snaps {
		t, err := a.openOwn(ctx, s)
		if err == nil {
			err = t.Blocks(ctx, func(u vac.Use, err error) (bool, error) { return err == nil && visit(u), err })
		}
		if err != nil {
			return fmt.Errorf("snapshot %s: %w", s.Score.Short(), err)
		}
	}
	return nil
}

// snapshotStats says what the snapshots would hold if each were a copy.
func (a *app) snapshotStats(w io.Writer, snaps []snapshot.Snapshot) error {
	t := totalLine{Type: "snapshots", Snapshots: len(snaps)}
	for _, s := range snaps {
		t.Files += s.Files
		t.Dirs += s.Dirs
		t.Bytes += s.Bytes
		t.Added += s.Added
	}
	if a.json {
		return a.print(t)
	}
	fmt.Fprintf(w, "snapshots\t%d\n", t.Snapshots)
	fmt.Fprintf(w, "  files\t%d, in %d directories\n", t.Files, t.Dirs)
	fmt.Fprintf(w, "  as copies\t%s\n", size(int64(t.Bytes)))
	fmt.Fprintf(w, "  added\t%s%s\n", size(int64(t.Added)), ratio(t.Bytes, t.Added))
	return nil
}

// ratio says how much less was added than the files have.
func ratio(whole, added uint64) string {
	if added == 0 {
		return ""
	}
	return fmt.Sprintf(", 1/%.1f of it", float64(whole)/float64(added))
}
