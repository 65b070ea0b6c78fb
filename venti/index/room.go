package index

import (
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Room keeps a disk from being filled to the last byte: the index needs some room to be written, and a writer that is
// told early loses nothing. Its methods may be called from many goroutines.
type Room struct {
	Dir     string // on the disk
	Reserve int64  // bytes to leave free; 0 means 32 MiB, or 1/16 of the disk if that is less

	since atomic.Int64 // bytes since the last look
	full  atomic.Bool
}

// ErrNoRoom says that no more than the reserve is free.
var ErrNoRoom = errors.New("the disk is full")

// Free returns how many bytes are free beyond the reserve; it may be negative. The second result is the reserve.
func (r *Room) Free() (free, reserve int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(r.Dir, &st); err != nil {
		return 0, 0, fmt.Errorf("asking for the free space of %s: %w", r.Dir, err)
	}
	if reserve = r.Reserve; reserve <= 0 {
		reserve = min(32<<20, int64(st.Blocks)*int64(st.Bsize)/16)
	}
	return int64(st.Bavail)*int64(st.Bsize) - reserve, reserve, nil
}

// Check returns an error that wraps ErrNoRoom when n bytes are about to be written and less than the reserve is free. It
// looks every MiB, and always while the disk is full.
func (r *Room) Check(n int) error {
	if r.since.Add(int64(n)) < 1<<20 && !r.full.Load() {
		return nil
	}
	r.since.Store(0)
	free, reserve, err := r.Free()
	if err != nil {
		return nil // a file system that does not say; the write itself will
	}
	r.full.Store(free < 0)
	if free < 0 {
		return fmt.Errorf("%w (%s): %d MiB are free, of which %d are kept back for the index (free some space or prune, then run again; what was stored is safe): %w",
			ErrNoRoom, r.Dir, (free+reserve)>>20, reserve>>20, unix.ENOSPC)
	}
	return nil
}

// forIndex returns an error when the index may find no room: Badger would try for ever.
func (r *Room) forIndex() error {
	if r == nil {
		return nil
	}
	free, reserve, err := r.Free()
	if err == nil && free < -reserve/2 {
		return fmt.Errorf("%w (%s): %w", ErrNoRoom, r.Dir, unix.ENOSPC)
	}
	return nil
}
