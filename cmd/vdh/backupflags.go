package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"ventidhash/snapshot/archive"
)

// backupFlags are what the words of a backup say.
type backupFlags struct {
	exclude, excludeFiles, excludeIfPresent, tags []string
	excludeCaches, oneFileSystem, dryRun, force   bool
	stdin                                         bool
	stdinName, host, time                         string
}

func (f *backupFlags) add(l *pflag.FlagSet) {
	l.StringArrayVarP(&f.exclude, "exclude", "e", nil, "leave out what matches this pattern")
	l.StringArrayVar(&f.excludeFiles, "exclude-file", nil, "read patterns from this file, one a line")
	l.BoolVar(&f.excludeCaches, "exclude-caches", false, "leave out the contents of directories with a CACHEDIR.TAG")
	l.StringArrayVar(&f.excludeIfPresent, "exclude-if-present", nil,
		"leave out the contents of directories that hold a file of this name")
	l.BoolVarP(&f.oneFileSystem, "one-file-system", "x", false, "stay on the file system of each path")
	l.StringArrayVar(&f.tags, "tag", nil, "tag the snapshot")
	l.StringVar(&f.host, "host", "", "record this host name (default the machine's)")
	l.StringVar(&f.time, "time", "", "record this time: 2006-01-02T15:04:05Z or 2006-01-02 15:04:05")
	l.BoolVarP(&f.dryRun, "dry-run", "n", false, "walk and read, store nothing")
	l.BoolVar(&f.force, "force", false, "read every file, unchanged or not")
	l.BoolVar(&f.stdin, "stdin", false, "keep what comes on standard input as one file")
	l.StringVar(&f.stdinName, "stdin-name", "stdin", "name of that file")
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
	patterns := slices.Clone(f.exclude)
	for _, name := range f.excludeFiles {
		more, err := archive.ReadPatterns(name)
		if err != nil {
			return cfg, err
		}
		patterns = append(patterns, more...)
	}
	own, err := a.ownFolders(cfg.Paths)
	if err != nil {
		return cfg, err
	}
	if cfg.Exclude, err = archive.NewExclude(append(patterns, own...), cfg.Paths); err != nil {
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

// ownFolders returns patterns for the folders of the store and the cache, which no snapshot keeps: they change while it
// is made.
func (a *app) ownFolders(paths []string) ([]string, error) {
	at, err := a.where()
	if err != nil {
		return nil, err
	}
	cache, err := xdg("XDG_CACHE_HOME", ".cache")
	if err != nil {
		return nil, err
	}
	var patterns []string
	for _, dir := range []string{at.dir, cache} {
		dir = realPath(dir)
		for _, p := range paths {
			real := realPath(p)
			if archive.Within(real, dir) {
				return nil, usage{fmt.Errorf("%s lies in %s, where vdh keeps what it stores", printable(p), printable(dir))}
			}
			if archive.Within(dir, real) { // under the name that the walk comes by
				patterns = append(patterns, literal.Replace(filepath.Join(p, strings.TrimPrefix(dir, real))))
			}
		}
	}
	return patterns, nil
}

// realPath returns the path without symbolic links, also of what does not exist yet.
func realPath(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err == nil || path == filepath.Dir(path) {
		return cmp.Or(real, path)
	}
	return filepath.Join(realPath(filepath.Dir(path)), filepath.Base(path))
}

// literal makes a path a pattern that means that path alone.
var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// parseTime reads a time that the user gives; without a zone it is local.
func parseTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q: give it like 2006-01-02T15:04:05Z or 2006-01-02 15:04:05", text)
}

// known opens the cache of contents that this owner has in this store, which is open.
func (a *app) known() (*archive.Known, error) {
	at, err := a.where()
	if err != nil {
		return nil, err
	}
	store := at.dir
	if at.swarm {
		store = swarmWord + ":" + a.swarm.ID()
	}
	dir, err := ownKnownDir(store, a.owner)
	if err != nil {
		return nil, err
	}
	return archive.OpenKnown(dir)
}
