package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/vac"
)

// backupFlags are what the words of a backup say.
type backupFlags struct {
	exclude, excludeFiles, excludeIfPresent, tags []string
	excludeCaches, oneFileSystem, dryRun, force   bool
	stdin                                         bool
	stdinName, host, time                         string
}

func newBackup(a *app) *cobra.Command {
	var f backupFlags
	cmd := &cobra.Command{
		Use:   "backup PATH...",
		Short: "keep a snapshot of files and print its score",
		Long: `Walks the paths, stores what is not stored yet, and prints one line, vac:SCORE, once everything is
safely on the disk. Files that did not change since the last snapshot of the same host and paths
are not opened.

Exclude patterns are those of .gitignore; ! takes back in. What could not be read is reported, the
rest is kept, and the exit code is 3. A backup that was interrupted is simply run again: what it
had stored is not stored twice.`,
		Example: `  vdh backup /srv
  vdh backup /home /etc --exclude '*.tmp' --exclude-caches --tag nightly
  pg_dump db | vdh backup --stdin --stdin-name db.sql`,
		RunE: func(cmd *cobra.Command, paths []string) error { return a.backup(cmd.Context(), paths, &f) },
	}
	l := cmd.Flags()
	l.StringArrayVarP(&f.exclude, "exclude", "e", nil, "leave out what matches this pattern")
	l.StringArrayVar(&f.excludeFiles, "exclude-file", nil, "read patterns from this file, one a line")
	l.BoolVar(&f.excludeCaches, "exclude-caches", false, "leave out the contents of directories with a CACHEDIR.TAG")
	l.StringArrayVar(&f.excludeIfPresent, "exclude-if-present", nil, "leave out the contents of directories that hold a file of this name")
	l.BoolVarP(&f.oneFileSystem, "one-file-system", "x", false, "stay on the file system of each path")
	l.StringArrayVar(&f.tags, "tag", nil, "tag the snapshot")
	l.StringVar(&f.host, "host", "", "record this host name (default the machine's)")
	l.StringVar(&f.time, "time", "", "record this time: 2006-01-02T15:04:05Z or 2006-01-02 15:04:05")
	l.BoolVarP(&f.dryRun, "dry-run", "n", false, "walk and read, store nothing")
	l.BoolVar(&f.force, "force", false, "read every file, unchanged or not")
	l.BoolVar(&f.stdin, "stdin", false, "keep what comes on standard input as one file")
	l.StringVar(&f.stdinName, "stdin-name", "stdin", "name of that file")
	return cmd
}

func (a *app) backup(ctx context.Context, paths []string, f *backupFlags) error {
	cfg, err := a.backupConfig(paths, f)
	if err != nil {
		return err
	}
	owner, err := a.identity(true)
	if err != nil {
		return err
	}
	store, err := a.blocks(ctx, true)
	if err != nil {
		return err
	}
	lease, err := store.Session(ctx) // before the catalog is read: see package prune
	if err != nil {
		return err
	}
	defer lease.Close()
	cat, err := a.snapshots()
	if err != nil {
		return err
	}
	if cfg.Source, err = a.plain(ctx); err != nil {
		return err
	}
	cfg.Store, cfg.Sealer, cfg.RootKey = store, a.sealer, owner.RootKey()
	list, err := cat.List(ctx)
	if err != nil {
		return err
	}
	if p, ok := snapshot.Parent(list, cfg.Host, cfg.Paths); ok && !f.stdin {
		if cfg.Parent, err = vac.OpenOwn(ctx, cfg.Source, owner.RootKey(), p.Score); err != nil {
			a.note("vdh: parent snapshot %s cannot be read, so every file is: %v", p.Score.Short(), err)
			cfg.Parent = nil
		}
	}
	if cfg.Known, err = a.known(owner.PublicKey()); err != nil {
		a.note("vdh: going on without the cache of known contents: %v", err)
	} else {
		defer cfg.Known.Close()
	}
	return a.runBackup(ctx, cat, cfg, f)
}

// backupConfig turns flags into what to archive.
func (a *app) backupConfig(paths []string, f *backupFlags) (archive.Config, error) {
	cfg := archive.Config{Host: f.host, OneFileSystem: f.oneFileSystem, DryRun: f.dryRun, Force: f.force}
	if f.stdin != (len(paths) == 0) {
		return cfg, usage{errors.New("give either paths or --stdin; see: vdh backup --help")}
	}
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return cfg, err
		}
		if _, err := os.Lstat(abs); err != nil {
			return cfg, err
		}
		cfg.Paths = append(cfg.Paths, abs)
	}
	cfg.Paths = archive.Clean(cfg.Paths)
	patterns := f.exclude
	for _, name := range f.excludeFiles {
		more, err := archive.ReadPatterns(name)
		if err != nil {
			return cfg, err
		}
		patterns = append(patterns, more...)
	}
	var err error
	if cfg.Exclude, err = archive.NewExclude(patterns, cfg.Paths); err != nil {
		return cfg, usage{err}
	}
	cfg.Exclude.Caches, cfg.Exclude.IfPresent = f.excludeCaches, f.excludeIfPresent
	if cfg.Time, err = parseTime(f.time); err != nil {
		return cfg, usage{err}
	}
	if cfg.Host == "" {
		cfg.Host = archive.Hostname()
	}
	if u, err := user.Current(); err == nil {
		cfg.User = u.Username
	}
	return cfg, nil
}

// parseTime reads a time that the user gives; without a zone it is local.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q: give it like 2006-01-02T15:04:05Z or 2006-01-02 15:04:05", text)
}

// known opens the cache of contents that this owner has in this store.
func (a *app) known(owner []byte) (*archive.Known, error) {
	dir, err := xdg("XDG_CACHE_HOME", ".cache")
	if err != nil {
		return nil, err
	}
	store, err := a.storeDir()
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(append([]byte(store+"\x00"), owner...))
	return archive.OpenKnown(filepath.Join(dir, "known-"+hex.EncodeToString(id[:8])))
}

// backupSummary is the JSON line of a backup.
type backupSummary struct {
	Type      string    `json:"type"` // "summary"
	Score     string    `json:"score,omitempty"`
	Parent    string    `json:"parent,omitempty"`
	Time      time.Time `json:"time"`
	Host      rawName   `json:"host"`
	Paths     []rawName `json:"paths"`
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
}

// runBackup archives, catalogues and reports.
func (a *app) runBackup(ctx context.Context, cat *catalog.Catalog, cfg archive.Config, f *backupFlags) error {
	cfg.Progress = &archive.Progress{}
	cfg.Warn = func(path string, err error) { a.fileError(path, err) }
	if a.verbose {
		cfg.Saved = func(path string, what archive.Change, n int64) {
			fmt.Fprintf(a.errs, "%-9s %s (%s)\n", what, printable(path), size(n))
		}
	}
	expected := int64(0)
	if cfg.Parent != nil {
		expected = int64(cfg.Parent.Root.Bytes)
	}
	stop := a.watch(ctx, "backup", expected, func() tally {
		p := cfg.Progress
		t := tally{files: p.Files.Load(), bytes: p.Bytes.Load()}
		if c := p.Current.Load(); c != nil {
			t.current = *c
		}
		return t
	})
	begin := time.Now()
	var res *archive.Result
	var err error
	if f.stdin {
		res, err = archive.Stream(ctx, cfg, a.in, f.stdinName)
	} else {
		res, err = archive.Run(ctx, cfg)
	}
	stop()
	if err != nil {
		return err
	}
	snap := snapshot.Snapshot{Score: res.Ref.Score, Time: res.Root.Time, Host: res.Root.Host, User: res.Root.User,
		Paths: res.Root.Paths, Tags: f.tags, Files: res.Root.Files, Dirs: res.Root.Dirs, Bytes: res.Root.Bytes,
		Added: uint64(res.Added), Duration: time.Since(begin), Parent: res.Root.Prev, Incomplete: uint64(res.Failed)}
	if !f.dryRun {
		if err := a.commit(ctx, cat, snap); err != nil {
			return err
		}
	}
	if err := a.reportBackup(snap, res, f); err != nil {
		return err
	}
	if res.Failed > 0 {
		return partial{fmt.Sprintf("%d files or directories could not be read or changed meanwhile; the rest is kept", res.Failed)}
	}
	return nil
}

// commit puts a snapshot into the catalog, which makes it durable. Where its parent has left the catalog since the walk
// began, every block is looked for first: a prune may have taken some (see package prune).
func (a *app) commit(ctx context.Context, cat *catalog.Catalog, snap snapshot.Snapshot) error {
	return cat.Update(ctx, func(list []snapshot.Snapshot) ([]snapshot.Snapshot, error) {
		isParent := func(s snapshot.Snapshot) bool { return s.Score == snap.Parent }
		if !snap.Parent.IsZero() && !slices.ContainsFunc(list, isParent) {
			t, err := vac.OpenOwn(ctx, a.source, a.owner.RootKey(), snap.Score)
			if err == nil {
				err = archive.Present(ctx, t)
			}
			if err != nil {
				return nil, fmt.Errorf("the parent snapshot was forgotten and pruned meanwhile; run the backup again: %w", err)
			}
		}
		return append(list, snap), nil
	})
}

func (a *app) reportBackup(snap snapshot.Snapshot, res *archive.Result, f *backupFlags) error {
	s := backupSummary{Type: "summary", Time: snap.Time, Host: rawName(snap.Host), Paths: rawNames(snap.Paths),
		Files: snap.Files, Dirs: snap.Dirs, Bytes: snap.Bytes, New: res.New, Changed: res.Changed, Unchanged: res.Same,
		Failed: res.Failed, Read: res.Read, Added: res.Added, Seconds: snap.Duration.Seconds(), DryRun: f.dryRun}
	if !f.dryRun {
		s.Score = "vac:" + snap.Score.String()
	}
	if !snap.Parent.IsZero() {
		s.Parent = "vac:" + snap.Parent.String()
	}
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

// fileError reports a file that could not be dealt with, also with --quiet: it decides the exit code.
func (a *app) fileError(path string, err error) {
	if a.json {
		json.NewEncoder(a.errs).Encode(map[string]any{"type": "error", "path": rawName(path), "error": err.Error()})
		return
	}
	text := err.Error()
	var pe *fs.PathError
	if errors.As(err, &pe) && pe.Path == path { // do not say the path twice
		text = pe.Op + ": " + pe.Err.Error()
	}
	fmt.Fprintf(a.errs, "vdh: %s: %s\n", printable(path), text)
}
