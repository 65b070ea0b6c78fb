package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ventidhash/snapshot"
	"ventidhash/venti/disk"
)

func newStats(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "stats [NAME...]",
		Short: "say how much the store and the snapshots hold",
		Long: `Says how much the store holds, and what the snapshots would hold if each were a copy. TRASH is what
no snapshot needed when vdh prune last looked.

With --json, one line of "type":"store" with path, blocks, bytes, trash_blocks, trash_bytes,
damaged_blocks, segments, segment_bytes, index_bytes, and one of "type":"snapshots" with snapshots,
files, dirs, bytes, bytes_added.`,
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

func (a *app) stats(ctx context.Context, names []string) error {
	dir, err := a.storeDir()
	if err != nil {
		return err
	}
	snaps, err := a.listed(ctx, names)
	if err != nil {
		return err
	}
	store, err := a.blocks(ctx, false)
	if err != nil {
		return err
	}
	st, err := store.Stats(ctx)
	if err != nil {
		return err
	}
	return a.printStats(dir, st, snaps)
}

func (a *app) printStats(dir string, st disk.Stats, snaps []snapshot.Snapshot) error {
	t := totalLine{Type: "snapshots", Snapshots: len(snaps)}
	for _, s := range snaps {
		t.Files += s.Files
		t.Dirs += s.Dirs
		t.Bytes += s.Bytes
		t.Added += s.Added
	}
	if a.json {
		err := a.print(storeLine{"store", rawName(dir), st.Blocks, st.Bytes, st.Trash, st.TrashBytes, st.Damaged, st.Segments,
			st.ArenaBytes, st.IndexBytes})
		if err != nil {
			return err
		}
		return a.print(t)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "store\t%s\n", printable(dir))
	fmt.Fprintf(w, "  blocks\t%d, %s\n", st.Blocks, size(st.Bytes))
	fmt.Fprintf(w, "  trash\t%d, %s\n", st.Trash, size(st.TrashBytes))
	fmt.Fprintf(w, "  damaged\t%d\n", st.Damaged)
	fmt.Fprintf(w, "  on the disk\t%s in %d segments, %s of index\n", size(st.ArenaBytes), st.Segments, size(st.IndexBytes))
	fmt.Fprintf(w, "snapshots\t%d\n", t.Snapshots)
	fmt.Fprintf(w, "  files\t%d, in %d directories\n", t.Files, t.Dirs)
	fmt.Fprintf(w, "  as copies\t%s\n", size(int64(t.Bytes)))
	fmt.Fprintf(w, "  added\t%s%s\n", size(int64(t.Added)), ratio(t.Bytes, t.Added))
	return w.Flush()
}

// ratio says how much less was added than the files have.
func ratio(whole, added uint64) string {
	if added == 0 {
		return ""
	}
	return fmt.Sprintf(", 1/%.1f of it", float64(whole)/float64(added))
}
