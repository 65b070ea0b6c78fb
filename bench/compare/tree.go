package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const readSize = 256 << 10

// warm reads every file once, so that no tool pays for the disk.
func warm(dir string) error {
	buf := make([]byte, readSize)
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, buf)
		return err
	})
}

// differences compares a restored tree with its source: names, types, sizes and contents, and when full is set modes
// and modification times, the root directory's among them. Each difference is one line.
func differences(source, copied string, full bool) ([]string, error) {
	var found []string
	report := func(name, format string, args ...any) {
		found = append(found, name+": "+fmt.Sprintf(format, args...))
	}
	a, b := make([]byte, readSize), make([]byte, readSize)
	seen := make(map[string]bool)
	err := filepath.WalkDir(source, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		seen[name] = true
		want, err := os.Lstat(path)
		if err != nil {
			return err
		}
		got, err := os.Lstat(filepath.Join(copied, name))
		if errors.Is(err, fs.ErrNotExist) {
			report(name, "missing")
			return nil
		}
		if err != nil {
			return err
		}
		if want.Mode().Type() != got.Mode().Type() {
			report(name, "is %v, want %v", got.Mode().Type(), want.Mode().Type())
			return nil
		}
		if full && want.Mode() != got.Mode() {
			report(name, "mode %v, want %v", got.Mode(), want.Mode())
		}
		if full && !want.ModTime().Equal(got.ModTime()) {
			report(name, "modified %v, want %v", got.ModTime().UTC(), want.ModTime().UTC())
		}
		same, err := sameContent(path, filepath.Join(copied, name), want, got, a, b)
		if err == nil && !same {
			report(name, "content differs")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(copied, func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // reported as missing above
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(copied, path)
		if err == nil && !seen[name] {
			report(name, "not in the source")
		}
		return err
	})
	return found, err
}

// sameContent compares two regular files or symbolic links; anything else has no content. The buffers are scratch.
func sameContent(path, other string, want, got fs.FileInfo, a, b []byte) (bool, error) {
	switch {
	case want.Mode().Type() == fs.ModeSymlink:
		x, err := os.Readlink(path)
		if err != nil {
			return false, err
		}
		y, err := os.Readlink(other)
		return x == y, err
	case !want.Mode().IsRegular():
		return true, nil
	case want.Size() != got.Size():
		return false, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	g, err := os.Open(other)
	if err != nil {
		return false, err
	}
	defer g.Close()
	for {
		n, err := io.ReadFull(f, a)
		m, otherErr := io.ReadFull(g, b)
		if !bytes.Equal(a[:n], b[:m]) {
			return false, nil
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return true, nil
		}
		if err := errors.Join(err, otherErr); err != nil {
			return false, err
		}
	}
}
