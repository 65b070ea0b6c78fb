package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/venti"
)

// A corruptError is venti.ErrCorrupt in words of its own, for files that are no blocks.
type corruptError struct {
	text  string
	cause error
}

func (e *corruptError) Error() string   { return e.text }
func (e *corruptError) Unwrap() []error { return []error{venti.ErrCorrupt, e.cause} }

func corruptf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &corruptError{err.Error(), err}
}

// writeFile replaces the file name by data: it will hold either what it held or all of data, after a crash too.
// Only one writer at a time may do so. The caller syncs the folder.
func writeFile(name string, data []byte) error {
	tmp := name + ".tmp"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := fillFile(f, data); err != nil {
		os.Remove(tmp)
		return err
	}
	return os.Rename(tmp, name)
}

// fillFile writes data to f, makes it durable and closes f.
func fillFile(f *os.File, data []byte) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// lockPoll is how often a lock that another holds is tried again.
const lockPoll = 20 * time.Millisecond

// lock takes the lock of dir, waiting while another process or goroutine holds it, and returns what gives it back. The
// kernel gives it back when the process ends.
func lock(ctx context.Context, dir string) (unlock func() error, err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
		select {
		case <-time.After(lockPoll):
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("waiting for %s, which another process holds: %w", f.Name(), ctx.Err())
		}
	}
}
