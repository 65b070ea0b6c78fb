package dataset_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ventidhash/bench/dataset"
)

// digest hashes names, modes, times and contents of a tree.
func digest(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(h, strings.TrimPrefix(path, dir), info.Mode().Type(), info.ModTime().UnixNano())
		if d.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		h.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// source makes a small tree for a Go set to copy.
func source(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	set := dataset.Set{Kind: dataset.Small, Seed: 99, Shrink: 100}
	if err := set.Make(context.Background(), filepath.Join(dir, "src")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// made makes a set, changes it if asked, and returns its folder.
func made(t *testing.T, set dataset.Set, change bool) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := set.Make(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	if change {
		if err := set.Change(context.Background(), dir); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func sets(t *testing.T) []dataset.Set {
	return []dataset.Set{
		{Kind: dataset.Go, Seed: 1, Source: source(t)},
		{Kind: dataset.Noise, Seed: 1, Shrink: 400},
		{Kind: dataset.Small, Seed: 1, Shrink: 50},
		{Kind: dataset.Thumbs, Seed: 1, Shrink: 100},
	}
}

func TestSameSeedSameTree(t *testing.T) {
	for _, set := range sets(t) {
		t.Run(string(set.Kind), func(t *testing.T) {
			plain, changed := digest(t, made(t, set, false)), digest(t, made(t, set, true))
			if again := digest(t, made(t, set, false)); again != plain {
				t.Errorf("made twice: %s and %s", plain, again)
			}
			if again := digest(t, made(t, set, true)); again != changed {
				t.Errorf("changed twice: %s and %s", changed, again)
			}
			if plain == changed {
				t.Error("the change changed nothing")
			}
			set.Seed++
			if other := digest(t, made(t, set, true)); other == changed {
				t.Error("another seed made the same tree")
			}
		})
	}
}

// TestGolden keeps figures of different versions and machines comparable: a new digest is a new benchmark.
func TestGolden(t *testing.T) {
	for _, test := range []struct {
		set           dataset.Set
		made, changed string
	}{
		{dataset.Set{Kind: dataset.Noise, Seed: 1, Shrink: 400}, "1e04bfce02266a12", "31be3d858e73ee10"},
		{dataset.Set{Kind: dataset.Small, Seed: 1, Shrink: 50}, "0ca4c28a18c47dc4", "d7263101f4084ce1"},
		{dataset.Set{Kind: dataset.Thumbs, Seed: 1, Shrink: 100}, "055c916a9dcd790a", "592ef7a1f2cd4a63"},
	} {
		if got := digest(t, made(t, test.set, false)); got != test.made {
			t.Errorf("%s made: %s, want %s", test.set.Kind, got, test.made)
		}
		if got := digest(t, made(t, test.set, true)); got != test.changed {
			t.Errorf("%s changed: %s, want %s", test.set.Kind, got, test.changed)
		}
	}
}

func TestChangeTouchesOnePercent(t *testing.T) {
	for _, set := range sets(t) {
		t.Run(string(set.Kind), func(t *testing.T) {
			before, after := contents(t, made(t, set, false)), contents(t, made(t, set, true))
			edited, added, removed := 0, 0, 0
			for name, data := range after {
				old, ok := before[name]
				if !ok {
					added++
				} else if old != data {
					edited++
				}
			}
			for name := range before {
				if _, ok := after[name]; !ok {
					removed++
				}
			}
			switch set.Kind {
			case dataset.Go:
				if n := len(before) / 100; edited != n || added != max(1, n/10) || removed != added {
					t.Errorf("%d files: %d edited, %d added, %d removed", len(before), edited, added, removed)
				}
			case dataset.Small, dataset.Thumbs:
				if n := len(before) / 100; edited != n || added+removed != 0 {
					t.Errorf("%d files: %d edited, %d added, %d removed", len(before), edited, added, removed)
				}
			case dataset.Noise:
				if edited == 0 || len(before) != 8 || len(after) != 8 {
					t.Errorf("%d files of %d edited", edited, len(after))
				}
			}
		})
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCompressibility pins what the package comment says about the contents.
func TestCompressibility(t *testing.T) {
	dir := made(t, dataset.Set{Kind: dataset.Small, Seed: 3, Shrink: 50}, false)
	plain, packed := make(map[string]int), make(map[string]int)
	for name, data := range contents(t, dir) {
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		w.Write([]byte(data))
		w.Close()
		if len(data) < 1<<10 || len(data) > 4<<10 {
			t.Errorf("%s has %d bytes", name, len(data))
		}
		plain[filepath.Ext(name)] += len(data)
		packed[filepath.Ext(name)] += out.Len()
	}
	for suffix, want := range map[string][2]float64{".eml": {0.5, 0.6}, ".conf": {0.5, 0.65}, ".dat": {0.45, 0.55}} {
		ratio := float64(packed[suffix]) / float64(plain[suffix])
		if ratio < want[0] || ratio > want[1] {
			t.Errorf("%s compresses to %.2f, want %.2f to %.2f", suffix, ratio, want[0], want[1])
		}
	}
}

func TestRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, set := range map[string]dataset.Set{
		"unknown kind": {Kind: "mail"},
		"shrink":       {Kind: dataset.Small, Shrink: -1},
	} {
		if set.Make(context.Background(), dir) == nil || set.Change(context.Background(), dir) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := (dataset.Set{Kind: dataset.Small}).Make(context.Background(), dir); err == nil {
		t.Error("made a set over somebody's files")
	}
}
