// Package durable reads and replaces small files whole: after a crash there is the old content or the new one.
//
// It is for the notes of one program at a time, such as a lender's books. Blocks and fragments are in package arena.
package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// ErrTooLong says that a file is longer than anything that was ever written there.
var ErrTooLong = errors.New("file is too long")

// WriteFile makes path a file of that content, in one step, which is on the disk when WriteFile returns nil. Only its owner
// may read it. If it returns an error path holds what it held or the new content. Only one goroutine of one program at a
// time may write path: the content is at first in a file beside it, ".name.new".
func WriteFile(path string, content []byte) error {
	dir, name := filepath.Split(path)
	temp := filepath.Join(dir, "."+name+".new")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// ReadFile returns the content of a file, which has at most limit bytes, else the error wraps ErrTooLong. Like that of
// os.ReadFile it wraps fs.ErrNotExist if there is no file.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%w: %s has more than %d bytes", ErrTooLong, path, limit)
	}
	return b, err
}
