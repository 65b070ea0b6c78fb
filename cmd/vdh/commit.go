package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
)

// snapshotOfRun returns the line of the catalog about what a run has made.
func snapshotOfRun(res *archive.Result, took time.Duration) snapshot.Snapshot {
	r := res.Root
	return snapshot.Snapshot{Score: res.Ref.Score, Time: r.Time, Host: r.Host, User: r.User, Paths: r.Paths, Files: r.Files,
		Dirs: r.Dirs, Bytes: r.Bytes, Added: uint64(res.Added), Duration: took, Incomplete: uint64(res.Failed)}
}

// commit puts a snapshot into the catalog, which makes it durable. basis is the snapshot of which it uses blocks without
// having asked for them. Where that has left the catalog, or never was in it, every block is looked for first: a prune
// may have taken some (see package prune). So may one on another machine where it took long since begin. m is what is to
// be kept of this machine with it, nil if nothing is.
func (a *app) commit(ctx context.Context, cat *catalog.Catalog, snap snapshot.Snapshot, basis venti.Score, begin time.Time,
	m *snapshot.Machine) error {
	err := cat.UpdateWith(ctx, m, func(list []snapshot.Snapshot) ([]snapshot.Snapshot, error) {
		gone := !basis.IsZero() && !listed(list, basis)
		if gone || a.shared && time.Since(begin) > freshClaims {
			err := a.present(ctx, snap)
			switch {
			case err != nil && gone:
				return nil, fmt.Errorf("the snapshot %s, which this one builds on, was forgotten and pruned meanwhile; "+
					"run the command again: %w", basis.Short(), err)
			case err != nil:
				return nil, err
			}
		}
		list = slices.DeleteFunc(list, func(s snapshot.Snapshot) bool { return s.Score == snap.Score })
		return append(list, snap), nil
	})
	if err := a.kept(err); err != nil {
		return fmt.Errorf("the snapshot is not kept: %w", err)
	}
	return nil
}

// backupSummary is the JSON line of a backup.
type backupSummary struct {
	Type      string    `json:"type"` // "summary"
	Score     string    `json:"score,omitempty"`
	Parent    string    `json:"parent,omitempty"`
	Time      time.Time `json:"time"`
	Host      rawName   `json:"host"`
	Paths     []rawName `json:"paths"`
	Tags      []rawName `json:"tags"`
	Files     uint64    `json:"files"`
	Dirs      uint64    `json:"dirs"`
	Bytes     uint64    `json:"bytes"`
	New       int64     `json:"new"`
	Changed   int64     `json:"changed"`
	Unchanged int64     `json:"unchanged"`
	Failed    int64     `json:"failed"`
	Read      int64     `json:"bytes_read"`
	Added     int64     `json:"bytes_added"` // to the store, compressed and sealed
	Seconds   float64   `json:"seconds"`
	DryRun    bool      `json:"dry_run,omitempty"`

	*redundancy // of a swarm
}

func (a *app) reportBackup(snap snapshot.Snapshot, res *archive.Result, held *redundancy, f *backupFlags) error {
	s := backupSummary{Type: "summary", Time: snap.Time, Host: rawName(snap.Host), Paths: rawNames(snap.Paths),
		Tags: rawNames(snap.Tags), Files: snap.Files, Dirs: snap.Dirs, Bytes: snap.Bytes, New: res.New, Changed: res.Changed,
		Unchanged: res.Same, Failed: res.Failed, Read: res.Read, Added: res.Added, Seconds: snap.Duration.Seconds(), DryRun: f.dryRun,
		redundancy: held}
	if !f.dryRun {
		s.Score = scoreText(snap.Score)
	}
	s.Parent = scoreText(snap.Parent)
	if a.json {
		return a.print(s)
	}
	a.note("%d new, %d changed, %d unchanged; %s in %d files, %s read, %s added, %.1f s",
		s.New, s.Changed, s.Unchanged, size(int64(s.Bytes)), s.Files, size(s.Read), size(s.Added), s.Seconds)
	if f.dryRun {
		a.note("dry run: nothing was stored")
		return nil
	}
	_, err := fmt.Fprintln(a.out, s.Score)
	return err
}
