package prune

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	runningDir = "running"
	runPrefix  = "run-"
)

// A Writing says that a program is writing blocks of snapshots that are not in the catalog yet. The kernel ends it when the
// program dies.
type Writing struct{ f *os.File }

// Begin begins a Writing in a folder, which is made if need be. Begin it before reading the catalog, and Close it after the
// last change of it.
func Begin(dir string, now time.Time) (*Writing, error) {
	dir = filepath.Join(dir, runningDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s%d-%016x", runPrefix, max(0, now.UnixMilli()), rand.Uint64())
	temp := filepath.Join(dir, "."+name) // not seen before it is locked
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		err = os.Rename(temp, filepath.Join(dir, name))
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(temp), f.Close())
	}
	return &Writing{f}, nil
}

// Close ends the Writing.
func (r *Writing) Close() error {
	dir, name := filepath.Split(r.f.Name())
	err := os.Remove(filepath.Join(dir, strings.TrimPrefix(name, ".")))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, r.f.Close())
}

// Running returns how many Writings there are in a folder, and when the oldest of them began. It tidies up after programs
// that died.
func Running(dir string) (n int, oldest time.Time, err error) {
	dir = filepath.Join(dir, runningDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, time.Time{}, nil
	}
	if err != nil {
		return 0, time.Time{}, err
	}
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), runPrefix)
		digits, _, _ := strings.Cut(text, "-")
		ms, err := strconv.ParseInt(digits, 10, 64)
		if !ok || err != nil {
			continue
		}
		alive, err := held(filepath.Join(dir, e.Name()))
		if err != nil {
			return 0, time.Time{}, err
		}
		if !alive {
			continue
		}
		n++
		if t := time.UnixMilli(ms); oldest.IsZero() || t.Before(oldest) {
			oldest = t
		}
	}
	return n, oldest, nil
}

// held reports whether somebody holds the lock on a file, and removes it if nobody does.
func held(name string) (bool, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case errors.Is(err, unix.EWOULDBLOCK):
		return true, nil
	case err != nil:
		return false, err
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return false, nil
}
