package restore

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"syscall"
)

// A Kind says what failed about an entry.
type Kind string

const (
	Content   Kind = "content"   // its blocks are missing or damaged; nothing stands under its name
	Create    Kind = "create"    // it could not be made or written
	List      Kind = "list"      // a directory's entries could not all be read from the snapshot
	Link      Kind = "link"      // it is not a hard link as it was, but a file of its own
	Owner     Kind = "owner"     // it belongs to another user or group
	Mode      Kind = "mode"      // it has other permissions
	Attribute Kind = "attribute" // an extended attribute or ACL could not be set; each one counts
	Time      Kind = "time"      // it has another modification time
	Remove    Kind = "remove"    // it is not in the snapshot and could not be removed
	Mismatch  Kind = "mismatch"  // read again, it differs from the snapshot
)

// A Report is what a Run did.
type Report struct {
	Files    int64          // entries restored that are no directories
	Links    int64          // how many of them are hard links to another one
	Dirs     int64          // directories restored
	Bytes    int64          // content of the regular files restored
	Skipped  int64          // entries left as they were found
	Deleted  int64          // entries removed since the snapshot does not have them
	Verified int64          // entries read again, directories included
	Failures map[Kind]int64 // how many of each kind; nil if there were none
}

// Failed returns the number of all failures.
func (r Report) Failed() int64 {
	var n int64
	for _, c := range r.Failures {
		n += c
	}
	return n
}

// A tally counts what becomes a Report.
type tally struct {
	files, hardLinks, dirs, bytes, skipped, deleted, verified atomic.Int64

	// mu protects the following, and serialises warn.
	mu       sync.Mutex
	failures map[Kind]int64
	warn     func(path string, err error)
}

func (t *tally) report() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Report{Files: t.files.Load(), Links: t.hardLinks.Load(), Dirs: t.dirs.Load(), Bytes: t.bytes.Load(),
		Skipped: t.skipped.Load(), Deleted: t.deleted.Load(), Verified: t.verified.Load(), Failures: maps.Clone(t.failures)}
}

// fail counts a failure and warns of it.
func (t *tally) fail(kind Kind, path func() string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failures == nil {
		t.failures = map[Kind]int64{}
	}
	t.failures[kind]++
	if t.warn != nil && (kind != Owner || t.failures[kind] == 1) {
		t.warn(path(), err)
	}
}

// isFatal reports whether an error of making or writing a file would meet every other file too.
func isFatal(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}
