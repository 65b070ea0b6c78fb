package arena

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Sync returns nil once every record whose Append returned before Sync was called is durable. Callers that come
// together share one fsync. ctx bounds the wait for somebody else's fsync; one's own runs to its end.
func (a *Arena) Sync(ctx context.Context) error {
	if a.cfg.ReadOnly {
		return ErrReadOnly
	}
	target := a.seq.Load()
	for {
		a.syncMu.Lock()
		if err := a.failure(); err != nil {
			a.syncMu.Unlock()
			return err
		}
		if a.covered && a.synced >= target {
			a.syncMu.Unlock()
			return nil
		}
		if wait := a.syncing; wait != nil {
			a.syncMu.Unlock()
			select {
			case <-wait:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		done := make(chan struct{})
		a.syncing = done
		a.syncMu.Unlock()

		seq := a.seq.Load()
		err := a.syncAll()

		a.syncMu.Lock()
		if err == nil {
			a.synced, a.covered = max(a.synced, seq), true
		}
		a.syncing = nil
		close(done)
		a.syncMu.Unlock()
		if err != nil {
			return err
		}
	}
}

// syncAll makes durable all that has been written, and the names of the files. A failure is final.
func (a *Arena) syncAll() error {
	a.mu.Lock()
	var dirty []uint32
	for _, s := range a.segments {
		if s.synced < s.size.Load() {
			dirty = append(dirty, s.id)
		}
	}
	dir := a.dirDirty
	a.dirDirty = false
	a.mu.Unlock()

	var err error
	for _, id := range dirty {
		if err = a.syncSegment(id); err != nil {
			break
		}
	}
	if err == nil && dir {
		err = syncDir(a.cfg.Dir)
	}
	if err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.setFailed(err)
		return a.failed
	}
	return nil
}

// syncSegment makes one segment durable. One that is gone needs nothing.
func (a *Arena) syncSegment(id uint32) error {
	s, f, err := a.acquire(id)
	if errors.Is(err, ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer a.release(s)
	size := s.size.Load()
	if err := a.fsync(f); err != nil {
		return fmt.Errorf("the disk did not take what was written to %s (blocks since the last sync may be lost; "+
			"check the disk, then open the store again): %w", f.Name(), err)
	}
	a.mu.Lock()
	s.synced = max(s.synced, size)
	a.mu.Unlock()
	return nil
}

// SyncDir makes the names of the files in the arena's directory durable: after Remove, the space is given up for good.
func (a *Arena) SyncDir() error {
	if a.cfg.ReadOnly {
		return ErrReadOnly
	}
	return syncDir(a.cfg.Dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
