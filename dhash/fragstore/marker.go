package fragstore

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"ventidhash/venti"
)

const (
	markerName    = "FORMAT"
	markerTemp    = ".FORMAT.new"
	markerHead    = "vdh fragment store\n"
	markerVersion = "version 1\n"
	lockName      = "lock"
)

// ErrMarker says that a folder is not this member's: its marker is missing, damaged or another member's. Nothing in it
// was touched.
var ErrMarker = errors.New("not this member's fragments")

// openFolder makes or checks the store's folder and locks it. It returns the store's id, 32 hexadecimal digits, and the
// lock.
func openFolder(cfg Config) (id string, lock *os.File, err error) {
	dir := cfg.Dir
	if !cfg.Existing {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", nil, err
		}
	}
	id, err = readMarker(cfg)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case fresh && cfg.Existing:
		return "", nil, fmt.Errorf("%w: %s has no file %s, and had one before (is its disk mounted?)", ErrMarker, dir, markerName)
	case fresh:
		if err := checkEmpty(dir); err != nil {
			return "", nil, err
		}
	case err != nil:
		return "", nil, err
	}
	if lock, err = lockFolder(dir); err != nil {
		return "", nil, err
	}
	if fresh {
		if id, err = readMarker(cfg); errors.Is(err, fs.ErrNotExist) { // nobody was quicker
			id, err = writeMarker(cfg)
		}
	}
	if err != nil {
		return "", nil, errors.Join(err, lock.Close())
	}
	return id, lock, nil
}

// checkEmpty refuses a folder in which there is anything but what an interrupted Open leaves.
func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != markerTemp && e.Name() != lockName && e.Name() != "lost+found" {
			return fmt.Errorf("%w: %s holds other things (%s, …) and no file %s; name an empty or a new folder",
				ErrMarker, dir, e.Name(), markerName)
		}
	}
	return nil
}

// lockFolder makes sure that no other process has the store, and writes this one's number into the lock file.
func lockFolder(dir string) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		pid, _ := io.ReadAll(io.LimitReader(f, 20)) // for people only
		err = fmt.Errorf("%w: process %s has the fragments in %s; one member runs once (stop the other)",
			venti.ErrUnavailable, strings.TrimSpace(string(pid)), dir)
	} else if err == nil {
		text := strconv.Itoa(os.Getpid()) + "\n"
		if _, err = f.WriteAt([]byte(text), 0); err == nil {
			err = f.Truncate(int64(len(text)))
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// writeMarker makes the marker in one step, last.
func writeMarker(cfg Config) (id string, err error) {
	var random [16]byte
	rand.Read(random[:]) // never fails
	id = hex.EncodeToString(random[:])
	temp := filepath.Join(cfg.Dir, markerTemp)
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(markerHead + markerVersion + "id " + id + "\nmember " + cfg.Member.String() + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	if err := os.Rename(temp, filepath.Join(cfg.Dir, markerName)); err != nil {
		return "", err
	}
	d, err := os.Open(cfg.Dir)
	if err != nil {
		return "", err
	}
	return id, errors.Join(d.Sync(), d.Close())
}

// readMarker returns the id of the store; fs.ErrNotExist says that there is no marker.
func readMarker(cfg Config) (id string, err error) {
	path := filepath.Join(cfg.Dir, markerName)
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(string(b), markerHead)
	if !ok {
		return "", fmt.Errorf("%w: %s is damaged or another program's", ErrMarker, path)
	}
	if rest, ok = strings.CutPrefix(rest, markerVersion); !ok {
		version, _, _ := strings.Cut(rest, "\n")
		return "", fmt.Errorf("%w: %s says %.20q, which this program does not know", ErrMarker, path, version)
	}
	rest, ok = strings.CutPrefix(rest, "id ")
	id, member, found := strings.Cut(strings.TrimSuffix(rest, "\n"), "\nmember ")
	if raw, err := hex.DecodeString(id); !ok || !found || err != nil || len(raw) != 16 || strings.ToLower(id) != id {
		return "", fmt.Errorf("%w: %s is damaged", ErrMarker, path)
	}
	if member != cfg.Member.String() {
		return "", fmt.Errorf("%w: %s belongs to member %.100s, not to %s; name this member's folder", ErrMarker, cfg.Dir,
			member, cfg.Member)
	}
	return id, nil
}
