package snapshot

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"ventidhash/venti"
)

var (
	// ErrNoSnapshot says that no snapshot in the list has the name.
	ErrNoSnapshot = errors.New("no such snapshot")

	// ErrAmbiguous says that more than one snapshot has the name.
	ErrAmbiguous = errors.New("more than one snapshot has this name")
)

// A Snapshot is what the catalog records about one snapshot. Text may be any bytes; it is a file system's.
type Snapshot struct {
	Score      venti.Score   // of the root block
	Time       time.Time     // when the walk began; UTC, nanoseconds
	Host       string        // the machine that was walked
	User       string        // who ran the walk
	Paths      []string      // what was walked: absolute paths, sorted
	Tags       []string      // labels that the user gave
	Files      uint64        // entries that are no directories
	Dirs       uint64        // directories
	Bytes      uint64        // sum of the sizes of the regular files
	Added      uint64        // bytes that the store did not have before
	Duration   time.Duration // how long it took
	Parent     venti.Score   // the snapshot that it was compared with; zero if none
	Share      bool          // made to be shared: prune keeps it, and it is never the latest
	Incomplete uint64        // files that could not be read
}

// Listed reports whether s comes from a list. Find makes a Snapshot that doesn't, with nothing but its score, of a full
// score that no list has.
func (s Snapshot) Listed() bool { return !s.Time.IsZero() }

// Compare orders snapshots by time, then by score.
func Compare(a, b Snapshot) int {
	if c := a.Time.Compare(b.Time); c != 0 {
		return c
	}
	return bytes.Compare(a.Score[:], b.Score[:])
}

// Parent returns the snapshot that a new one of the same paths on the same host is compared with: the newest that is
// no share. The order of paths does not matter.
func Parent(list []Snapshot, host string, paths []string) (Snapshot, bool) {
	want := slices.Sorted(slices.Values(paths))
	return newest(list, func(s Snapshot) bool {
		return s.Host == host && slices.Equal(slices.Sorted(slices.Values(s.Paths)), want)
	})
}

// newest returns the newest snapshot that is no share and that fits.
func newest(list []Snapshot, fits func(Snapshot) bool) (found Snapshot, ok bool) {
	for _, s := range list {
		if !s.Share && (!ok || Compare(s, found) > 0) && fits(s) {
			found, ok = s, true
		}
	}
	return found, ok
}
