package dataset

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// A Kind names one of the data sets.
type Kind string

// The kinds, described in the package comment.
const (
	Go     Kind = "go"
	Noise  Kind = "noise"
	Small  Kind = "small"
	Thumbs Kind = "thumbs"
)

// Kinds returns the kinds by which backup programs are compared, in the order in which reports show them.
func Kinds() []Kind { return []Kind{Go, Noise, Small} }

// Modification times of files as first made and of files that Change touched. A copy of the Go tree keeps its own.
var (
	madeAt    = time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)
	changedAt = time.Date(2024, 9, 2, 17, 0, 0, 0, time.UTC)
)

// A Set is a data set that has not been made yet.
type Set struct {
	Kind Kind
	// Seed decides all that is drawn at random.
	Seed uint64
	// Shrink makes the set that many times smaller, for trials. Zero and one mean full size.
	Shrink int
	// Source is the tree that a Go set copies. Empty means the installed Go tree.
	Source string
}

// Validate reports a Set that cannot be made.
func (s Set) Validate() error {
	if s.Kind != Thumbs && !slices.Contains(Kinds(), s.Kind) {
		return fmt.Errorf("dataset: Kind %q is none of %v, and not %s", s.Kind, Kinds(), Thumbs)
	}
	if s.Shrink < 0 {
		return fmt.Errorf("dataset: Shrink %d is negative", s.Shrink)
	}
	return nil
}

// Make writes the set into dir, which must not exist yet or be empty.
func (s Set) Make(ctx context.Context, dir string) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if names, err := os.ReadDir(dir); err != nil {
		return err
	} else if len(names) > 0 {
		return fmt.Errorf("dataset: %s is not empty", dir)
	}
	switch s.Kind {
	case Go:
		return s.makeGo(ctx, dir)
	case Noise:
		return s.makeNoise(ctx, dir)
	case Thumbs:
		return s.makeThumbs(ctx, dir)
	default:
		return s.makeSmall(ctx, dir)
	}
}

// Change makes the set's change to a tree that Make wrote into dir. A second Change of the same tree is not a second
// day: it draws the same numbers again.
func (s Set) Change(ctx context.Context, dir string) error {
	if err := s.Validate(); err != nil {
		return err
	}
	switch s.Kind {
	case Go:
		return s.changeGo(ctx, dir)
	case Noise:
		return s.changeNoise(ctx, dir)
	case Thumbs:
		return s.changeThumbs(ctx, dir)
	default:
		return s.changeSmall(ctx, dir)
	}
}

// scaled divides n by Shrink, and leaves at least one.
func (s Set) scaled(n int) int { return max(1, n/max(1, s.Shrink)) }

// source returns the random numbers of one purpose. Purposes are independent of each other, so that a file's content
// does not depend on the order in which files are made.
func (s Set) source(purpose string, index int) *rand.PCG {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %d", s.Kind, purpose, index)
	return rand.NewPCG(s.Seed, h.Sum64())
}

// minutesAfter spreads modification times, with nanoseconds that are not zero.
func minutesAfter(t time.Time, index int) time.Time {
	return t.Add(time.Duration(index)*time.Minute + time.Duration(index+1)*time.Microsecond)
}

// writeFile writes a new file, or an old one in place, with a given modification time.
func writeFile(path string, data []byte, mtime time.Time) error {
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	return os.Chtimes(path, mtime, mtime)
}

// dateDirectories gives every directory under dir a modification time that does not depend on when it was made.
func dateDirectories(dir string) error {
	index := 0
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		index++
		mtime := minutesAfter(madeAt, index)
		return os.Chtimes(path, mtime, mtime)
	})
}

// regularFiles lists the regular files below dir in lexical order, those of at most limit bytes.
func regularFiles(dir string, limit int64) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > 0 && info.Size() <= limit {
			files = append(files, path)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("dataset: no files in " + dir)
	}
	return files, err
}
