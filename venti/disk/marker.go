package disk

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	markerName    = "FORMAT"
	markerTemp    = ".FORMAT.new"
	markerHead    = "venti disk store\n"
	markerVersion = "version 1\n"
)

var errMarker = errors.New("not a store")

// openFolder makes or checks the store's folder and returns the store's id, 32 hexadecimal digits.
//
// Two processes may make the same store at once: the folder itself is locked while the marker is made.
func openFolder(dir string) (id string, err error) {
	if id, err = readMarker(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	d, err := os.Open(dir)
	if err != nil {
		return "", err
	}
	defer d.Close() // and with it the lock goes
	if err := flock(d, unix.LOCK_EX); err != nil {
		return "", fmt.Errorf("locking %s: %w", dir, err)
	}
	if id, err = readMarker(dir); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	entries, err := d.ReadDir(-1)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.Name() != markerTemp && e.Name() != "lost+found" {
			return "", fmt.Errorf("%w: %s holds other things (%s, …) and no file %s; name an empty or a new folder",
				errMarker, dir, e.Name(), markerName)
		}
	}
	return writeMarker(d)
}

// writeMarker makes the marker in one step, last.
func writeMarker(d *os.File) (id string, err error) {
	var random [16]byte
	rand.Read(random[:]) // never fails
	id = hex.EncodeToString(random[:])
	temp := filepath.Join(d.Name(), markerTemp)
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(markerHead + markerVersion + "id " + id + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	if err := os.Rename(temp, filepath.Join(d.Name(), markerName)); err != nil {
		return "", err
	}
	return id, d.Sync()
}

// readMarker returns the id of the store in dir; fs.ErrNotExist says that there is none.
func readMarker(dir string) (id string, err error) {
	path := filepath.Join(dir, markerName)
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(string(b), markerHead)
	if !ok {
		return "", fmt.Errorf("%w: %s is damaged or another program's", errMarker, path)
	}
	rest, ok = strings.CutPrefix(rest, markerVersion)
	if !ok {
		version, _, _ := strings.Cut(rest, "\n")
		return "", fmt.Errorf("%w: %s says %.20q, which this program does not know", errMarker, path, version)
	}
	id, ok = strings.CutPrefix(strings.TrimSuffix(rest, "\n"), "id ")
	if raw, err := hex.DecodeString(id); !ok || err != nil || len(raw) != 16 {
		return "", fmt.Errorf("%w: %s is damaged", errMarker, path)
	}
	return id, nil
}
