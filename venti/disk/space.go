package disk

import (
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// space returns how many bytes are free for us on the disk that holds dir, and how many it has.
func space(dir string) (free, total int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), int64(st.Blocks) * int64(st.Bsize), nil
}

// roomCheck keeps the disk from being filled to the last byte: the index needs some room to be written, and a writer
// that is told early loses nothing.
type roomCheck struct {
	since atomic.Int64 // bytes put since the last look
	full  atomic.Bool
}

// check returns an error when less than the reserve is free. It looks every MiB, and always while the disk is full.
func (r *roomCheck) check(cfg Config, n int) error {
	if r.since.Add(int64(n)) < 1<<20 && !r.full.Load() {
		return nil
	}
	r.since.Store(0)
	free, total, err := space(cfg.Dir)
	if err != nil {
		return nil // a file system that does not say; the write itself will
	}
	full := free < cfg.reserve(total)
	r.full.Store(full)
	if full {
		return fmt.Errorf("the disk of %s is full: %d MiB are free, of which %d are kept back for the index (free some space or prune, then run again; what was stored is safe): %w",
			cfg.Dir, free>>20, cfg.reserve(total)>>20, unix.ENOSPC)
	}
	return nil
}

// forIndex returns an error when the index may find no room: Badger would try for ever.
func (r *roomCheck) forIndex(cfg Config) error {
	free, total, err := space(cfg.Dir)
	if err == nil && free < cfg.reserve(total)/2 {
		return fmt.Errorf("the disk of %s is full: %w", cfg.Dir, unix.ENOSPC)
	}
	return nil
}
