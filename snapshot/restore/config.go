package restore

import (
	"errors"
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync/atomic"
)

// An Overwrite says what becomes of something that stands in the target where an entry of the snapshot belongs.
// Directories are never replaced by directories: the entries go into what is there.
type Overwrite byte

const (
	// Always replaces it. A directory in the place of something else is replaced if it is empty or Config.Delete is
	// set.
	Always Overwrite = iota

	// IfChanged leaves the content of a regular file that has the size and the modification time of the snapshot's, of
	// a symbolic link with the same target, and of a special file of the same kind. Owner, attributes and mode are
	// put right.
	IfChanged

	// Never leaves it as it is, the owner, attributes, mode and time of a directory included.
	Never
)

// A Config says where to restore and how. Only Target must be set, and for Tar not even that.
type Config struct {
	// Target is the directory to restore into. It is made if it is not there.
	Target string

	// Include, if not empty, names what is restored: patterns as in a gitignore file, relative to the path that is
	// restored. What matches is restored with everything below it; directories above it are made as needed, and left
	// as they are where they exist. Exclude names what is not restored, and wins.
	Include, Exclude []string

	Overwrite Overwrite

	// Delete removes what lies in a restored directory and not in the snapshot, except what the patterns rule out.
	// Directories that were not walked, but lead to those that were, are left alone.
	Delete bool

	// NumericIDs gives files the numbers of their owners. Otherwise the name counts where this machine knows it.
	NumericIDs bool

	// Verify reads everything that was written once more, from the disk as far as the system allows, and compares it
	// with the snapshot.
	Verify bool

	// DryRun changes nothing: it counts what would be restored, skipped and deleted.
	DryRun bool

	// Sync makes everything durable before Run returns.
	Sync bool

	// Workers is how many files are written at once; 0 means as many as there are processors, at most eight.
	Workers int

	// Progress, if not nil, is kept up to date. It serves one Run.
	Progress *Progress

	// Warn, if not nil, is told of every failure that does not end the run, with the path in the snapshot. Calls do
	// not overlap. Owners that could not be given are told once and counted.
	Warn func(path string, err error)
}

// Validate reports what cannot be right about c.
func (c *Config) Validate() error {
	switch {
	case c.Target == "":
		return errors.New("restore: Target is empty")
	case c.Overwrite > Never:
		return fmt.Errorf("restore: Overwrite %d is not known", c.Overwrite)
	case c.Workers < 0:
		return fmt.Errorf("restore: Workers %d is negative", c.Workers)
	}
	return c.validatePatterns()
}

func (c *Config) validatePatterns() error {
	for _, list := range [2]struct {
		name     string
		patterns []string
	}{{"Include", c.Include}, {"Exclude", c.Exclude}} {
		for _, p := range list.patterns {
			if strings.Trim(p, "!/ ") == "" {
				return fmt.Errorf("restore: %s has a pattern that names nothing: %q", list.name, p)
			}
			if _, err := path.Match(p, ""); err != nil {
				return fmt.Errorf("restore: %s has a bad pattern: %q", list.name, p)
			}
		}
	}
	return nil
}

func (c *Config) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return min(runtime.GOMAXPROCS(0), 8)
}

// Progress is how far a Run has come. It may be read at any time. When everything is restored, the totals are those
// of the snapshot's root.
type Progress struct {
	Files atomic.Int64 // entries dealt with that are no directories, skipped and failed ones included
	Dirs  atomic.Int64 // directories dealt with
	Bytes atomic.Int64 // content of regular files dealt with

	path atomic.Pointer[string]
}

// Path returns a path that is being worked on, or "".
func (p *Progress) Path() string {
	if s := p.path.Load(); s != nil {
		return *s
	}
	return ""
}
