package vac_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// village is a tree with everything in it: nested and large directories, small, large, empty and sparse files, links
// and devices.
func village() []node {
	sparse := file("sparse", "")
	sparse.Size, sparse.Sparse = 1<<30, true
	sparse.Content = vac.Content{Kind: vac.Stream, Stream: venti.Entry{Size: 1 << 30}}
	null := special("null", vac.CharDevice)
	null.Major, null.Minor = 1, 3
	return []node{
		dir("dev", null, special("fifo", vac.Fifo), special("log", vac.Socket), special("sda", vac.BlockDevice)),
		dir("empty"),
		dir("home",
			dir("ann", file("a", "A"), file("large", words(1, 300_000)), file("none", ""), dir("deep", dir("er", file("x", "X")))),
			dir("many", crowd(3000)...),
			link("me", "ann")),
		file("readme", "read me"),
		sparse,
	}
}

func TestLookup(t *testing.T) {
	r := newRig(t)
	tr := r.snapshot(t, village()...)
	for path, want := range map[string]vac.Type{
		"": vac.Directory, "/": vac.Directory, ".": vac.Directory, "home": vac.Directory, "/home/ann/": vac.Directory,
		"home//ann/./deep/er/x": vac.File, "home/many/file-001234": vac.File, "home/me": vac.Symlink, "dev/null": vac.CharDevice,
	} {
		d, err := tr.Lookup(t.Context(), path)
		if err != nil || d.Type != want {
			t.Errorf("%q: %+v, %v", path, d, err)
		}
	}
	for _, path := range []string{"x", "home/x", "home/..", "..", "readme/x", "home/me/a",
		"home/many/file-9999999", "empty/x", "\x00"} {
		d, err := tr.Lookup(t.Context(), path)
		var pe *fs.PathError
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &pe) || pe.Path != path {
			t.Errorf("%q: %+v, %v", path, d, err)
		}
	}
	if d, err := tr.Lookup(t.Context(), "readme"); err != nil {
		t.Error(err)
	} else if _, err := tr.Entries(t.Context(), d); err == nil {
		t.Error("a file has entries")
	}

	r.fresh()
	r.Fail(os.ErrNotExist) // of a disk that lost a file of its own
	again, err := vac.Open(t.Context(), r.src, tr.Ref)
	if again != nil || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	r.Fail(nil)
	if tr, err = vac.Open(t.Context(), r.src, tr.Ref); err != nil {
		t.Fatal(err)
	}
	r.Fail(os.ErrNotExist)
	var be *venti.BlockError
	if _, err := tr.Lookup(t.Context(), "readme"); !errors.As(err, &be) {
		t.Errorf("a store that lost its disk: %v", err)
	}
}

func TestOpenOwn(t *testing.T) {
	r := newRig(t)
	key := seal.RootKey{5}
	for _, kind := range []venti.RootKind{venti.RootSnapshot, venti.RootCatalog} {
		ref, err := r.sink.PutRoot(t.Context(), key, &venti.Root{Kind: kind, Host: "h"})
		if err != nil {
			t.Fatal(err)
		}
		own, err := vac.OpenOwn(t.Context(), r.src, key, ref.Score)
		shared, err2 := vac.Open(t.Context(), r.src, ref)
		if kind == venti.RootCatalog {
			if err == nil || err2 == nil {
				t.Error("a catalog was opened as a snapshot")
			}
			continue
		}
		if err != nil || err2 != nil || own.Ref != ref || shared.Ref != ref || own.Root.Host != "h" || own.Source() != r.src {
			t.Errorf("%v, %v", err, err2)
		}
		if _, err := vac.OpenOwn(t.Context(), r.src, seal.RootKey{6}, ref.Score); !errors.Is(err, venti.ErrCorrupt) {
			t.Errorf("another owner's key: %v", err)
		}
	}
}

func TestOpen(t *testing.T) {
	r := newRig(t)
	tr := r.snapshot(t, village()...)
	for path, want := range map[string]string{
		"readme": "read me", "home/ann/a": "A", "home/ann/none": "", "home/ann/large": words(1, 300_000)[:5000],
		"home/ann/deep/er/x": "X", "home/many/file-002999": "content of 2999", "sparse": strings.Repeat("\x00", 5000),
	} {
		d, err := tr.Lookup(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		rd, err := tr.Open(t.Context(), d)
		if err != nil {
			t.Fatal(path, err)
		}
		if err := iotest.TestReader(io.NewSectionReader(rd, 0, int64(len(want))), []byte(want)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if end, err := rd.Seek(0, io.SeekEnd); end != d.Size || err != nil {
			t.Errorf("%s: the end is at %d of %d, %v", path, end, d.Size, err)
		}
		if err := rd.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, path := range []string{"home", "home/me", "dev/null", ""} {
		d, err := tr.Lookup(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tr.Open(t.Context(), d); err == nil {
			t.Errorf("%q was opened as a file", path)
		}
		if _, err := tr.Bytes(t.Context(), d); err == nil {
			t.Errorf("%q has bytes", path)
		}
	}
}

// TestBytes holds that the bytes of a slice are checked, so that an entry that points elsewhere gives no other file's.
func TestBytes(t *testing.T) {
	r := newRig(t)
	tr := r.snapshot(t, file("a", "first file"), file("b", "second one"))
	d, err := tr.Lookup(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := tr.Bytes(t.Context(), d); string(b) != "second one" || err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	score := d.Content.Slice.Block.Score
	for what, change := range map[string]func(d *vac.Dir){
		"the other file":    func(d *vac.Dir) { d.Content.Slice.Offset = 0 },
		"another hash":      func(d *vac.Dir) { d.Content.Slice.Hash[0] ^= 1 },
		"shorter":           func(d *vac.Dir) { d.Size-- },
		"behind the end":    func(d *vac.Dir) { d.Size++ },
		"far behind":        func(d *vac.Dir) { d.Content.Slice.Offset = 1<<32 - 1 },
		"longer than stuff": func(d *vac.Dir) { d.Size = 1 << 40 },
	} {
		e := *d
		change(&e)
		b, err := tr.Bytes(t.Context(), &e)
		_, err2 := tr.Open(t.Context(), &e)
		var be *venti.BlockError
		if b != nil || !errors.Is(err, venti.ErrCorrupt) || !errors.As(err, &be) || be.Score != score ||
			!errors.Is(err2, venti.ErrCorrupt) {
			t.Errorf("%s: %q, %v, %v", what, b, err, err2)
		}
	}
	r.fresh()
	r.Drop(score)
	if tr, err = vac.Open(t.Context(), r.src, tr.Ref); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Bytes(t.Context(), d); !errors.Is(err, venti.ErrNotFound) {
		t.Errorf("missing block: %v", err)
	}
}

func TestWalkDir(t *testing.T) {
	r := newRig(t)
	tr := r.snapshot(t, village()...)
	var got []string
	err := tr.WalkDir(t.Context(), tr.Top(), "", func(path string, d *vac.Dir) error {
		if !strings.HasPrefix(path, "/home/many/") {
			got = append(got, path)
		}
		if path == "/home/ann/deep" {
			return fs.SkipDir
		}
		return nil
	})
	want := "/dev /dev/fifo /dev/log /dev/null /dev/sda /empty /home /home/ann /home/ann/a /home/ann/deep " +
		"/home/ann/large /home/ann/none /home/many /home/me /readme /sparse"
	if err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, %v", got, err)
	}
	stop := errors.New("stop")
	n := 0
	err = tr.WalkDir(t.Context(), tr.Top(), "x", func(path string, d *vac.Dir) error {
		if n++; path == "x/home/many/file-000005" {
			return stop
		}
		return nil
	})
	if err != stop || n != 21 {
		t.Errorf("%d visits, %v", n, err)
	}
	if d, _ := tr.Lookup(t.Context(), "readme"); tr.WalkDir(t.Context(), d, "", nil) == nil {
		t.Error("a file was walked")
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = tr.WalkDir(ctx, tr.Top(), "", func(string, *vac.Dir) error { cancel(); r.fresh(); return nil })
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestShares writes the table of shared blocks and reads it back.
func TestShares(t *testing.T) {
	r := newRig(t)
	for _, n := range []int{0, 1, 10_000} {
		s := vac.Shares{}
		for i := range n {
			s[venti.Sum([]byte(fmt.Sprint(i)))] = vac.Share{Size: uint64(i), Used: uint64(i) * 1000}
		}
		e, err := s.Write(t.Context(), r.sink)
		if err != nil || (e == venti.Entry{}) != (n == 0) {
			t.Fatal(e, err)
		}
		got, err := vac.ReadShares(t.Context(), r.src, e)
		if err != nil || !maps.Equal(got, s) {
			t.Errorf("%d rows of %d: %v", len(got), n, err)
		}
	}
	for what, e := range map[string]venti.Entry{"zeros": {Size: 100}, "text": r.stream(t, "text")} {
		if _, err := vac.ReadShares(t.Context(), r.src, e); !errors.Is(err, venti.ErrCorrupt) {
			t.Errorf("table of %s: %v", what, err)
		}
	}
	if _, err := vac.ReadShares(t.Context(), r.src, venti.Entry{Size: 1 << 50}); err == nil {
		t.Error("a table of 2⁵⁰ bytes was read")
	}
	e := r.stream(t, words(1, 10_000))
	r.src = tree.NewSource(r.store, r.sealer, 0)
	r.Unavailable(e.Top.Score, true)
	_, err := vac.ReadShares(t.Context(), r.src, e)
	if !errors.Is(err, venti.ErrUnavailable) || errors.Is(err, venti.ErrCorrupt) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (vac.Shares{venti.Score{1}: {}}).Write(ctx, r.sink); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestFileMode compares with what the operating system makes of the same bits.
func TestFileMode(t *testing.T) {
	for want, d := range map[fs.FileMode]vac.Dir{
		0o644: {Type: vac.File, Mode: 0o644}, fs.ModeDir | fs.ModeSticky | 0o777: {Type: vac.Directory, Mode: 0o1777},
		fs.ModeSetuid | fs.ModeSetgid | 0o755:     {Type: vac.File, Mode: 0o6755},
		fs.ModeSymlink | 0o777:                    {Type: vac.Symlink, Mode: 0o777},
		fs.ModeNamedPipe:                          {Type: vac.Fifo},
		fs.ModeSocket | 1:                         {Type: vac.Socket, Mode: 1},
		fs.ModeDevice | fs.ModeCharDevice | 0o666: {Type: vac.CharDevice, Mode: 0o666},
		fs.ModeDevice | 0o660:                     {Type: vac.BlockDevice, Mode: 0o660},
	} {
		if got := d.FileMode(); got != want {
			t.Errorf("%+v: %v, want %v", d, got, want)
		}
	}
	stamps := []vac.Stamp{{Sec: -1, Nsec: 999_999_999}, {}, {Nsec: 1}, {Sec: 1}}
	if !slices.IsSortedFunc(stamps, func(a, b vac.Stamp) int {
		if a.Before(b.Time()) {
			return -1
		}
		return 1
	}) {
		t.Error("stamps are not in order")
	}
	if (&vac.Dir{Type: vac.Directory, Links: 5}).Linked() || !(&vac.Dir{Type: vac.Fifo, Links: 2}).Linked() {
		t.Error("Linked")
	}
}
