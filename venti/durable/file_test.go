package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"ventidhash/venti/durable"
)

func TestFileIsReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "note")
	if _, err := durable.ReadFile(path, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	// What a crash has left beside it is not in the way.
	if err := os.WriteFile(filepath.Join(dir, ".note.new"), []byte("half of somethi"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "first", "second, longer", "3"} {
		if err := durable.WriteFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if b, err := durable.ReadFile(path, int64(len(content))); err != nil || string(b) != content {
			t.Errorf("%q: read %q, %v", content, b, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v are left, %v", entries, err)
	}
	if _, err := durable.ReadFile(path, 0); !errors.Is(err, durable.ErrTooLong) {
		t.Errorf("one byte of none: %v", err)
	}
}

// A write that fails leaves what was there, and nothing beside it.
func TestFailedWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "note")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil { // a folder that is not empty
		t.Fatal(err)
	}
	if err := durable.WriteFile(path, []byte("new")); err == nil {
		t.Error("a folder was replaced")
	}
	if err := durable.WriteFile(filepath.Join(dir, "nowhere", "note"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v are left, %v", entries, err)
	}
}
