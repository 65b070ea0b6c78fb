package vac_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

func TestFS(t *testing.T) {
	r := newRig(t)
	tr := r.snapshot(t,
		dir("empty"),
		dir("home",
			dir("ann", file("a", "A"), file("large", words(1, 5_000)), file("none", ""), dir("deep", dir("er", file("x", "X")))),
			link("me", "ann"), link("top", "/"), link("x", "./me/../ann/deep//er/x"), link("again", "x")),
		dir("many", crowd(500)...),
		file("readme", "read me"),
		file("name with spaces é", "text"),
		link("away", "/home/ann/a"))
	fsys := tr.FS(t.Context())
	err := fstest.TestFS(fsys, "empty", "home/ann/a", "home/ann/large", "home/me", "many/file-000499", "readme", "away")
	if err != nil {
		t.Error(err)
	}
	if sub, err := fs.Sub(fsys, "home/ann"); err != nil {
		t.Error(err)
	} else if b, err := fs.ReadFile(sub, "deep/er/x"); string(b) != "X" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if err := fstest.TestFS(r.snapshot(t).FS(t.Context())); err != nil {
		t.Errorf("empty snapshot: %v", err)
	}
}

// TestFSLinks follows links to wherever they lead, and nowhere else.
func TestFSLinks(t *testing.T) {
	r := newRig(t)
	long := link("long", strings.Repeat("d/../", 500)+"f")
	tr := r.snapshot(t, dir("d", file("x", "X"), link("up", "../f"), link("out", "../../../../f"), link("dir", ".")),
		file("f", "F"),
		link("abs", "/d/x"), link("loop", "pool"), link("pool", "loop"), link("self", "self/x"), link("dangling", "d/none"),
		link("nothing", ""), link("slash", "f/"), link("into", "f/x"), link("chain", "d/dir/dir/dir/up"), long)
	fsys := tr.FS(t.Context())
	for path, want := range map[string]string{
		"d/up": "F", "d/out": "F", "d/dir/dir/x": "X", "abs": "X", "chain": "F", "long": "F",
		"loop": "", "self": "", "dangling": "", "slash": "", "into": "", "f/x": "", "f/.": "", "d/dir/../f": "",
	} {
		b, err := fs.ReadFile(fsys, path)
		var pe *fs.PathError
		if string(b) != want || (err == nil) != (want != "") || err != nil && !errors.As(err, &pe) {
			t.Errorf("%s: %q, %v", path, b, err)
		}
		if _, err := fs.Stat(fsys, path); (err == nil) != (want != "") {
			t.Errorf("stat %s: %v", path, err)
		}
	}
	if info, err := fs.Stat(fsys, "d/up"); err != nil || info.Name() != "up" || info.Size() != 1 || info.Mode() != 0o644 {
		t.Errorf("%v, %v", info, err)
	}
	if info, err := fs.Lstat(fsys, "loop"); err != nil || info.Mode().Type() != fs.ModeSymlink || info.Size() != 4 {
		t.Errorf("%v, %v", info, err)
	}
	if target, err := fs.ReadLink(fsys, "d/dir/up"); target != "../f" || err != nil {
		t.Errorf("%q, %v", target, err)
	}
	for _, path := range []string{"f", "d", "none", "/x", ""} {
		if target, err := fs.ReadLink(fsys, path); err == nil {
			t.Errorf("readlink %q: %q", path, target)
		}
	}
}

// TestFSOther opens what is neither file nor directory, and names that are no text.
func TestFSOther(t *testing.T) {
	r := newRig(t)
	tr := r.snapshot(t, dir("dev", special("fifo", vac.Fifo), special("null", vac.CharDevice)),
		dir("\xff\xfe", file("\x80", "bytes")))
	fsys := tr.FS(t.Context())
	for path, mode := range map[string]fs.FileMode{
		"dev/fifo": fs.ModeNamedPipe, "dev/null": fs.ModeDevice | fs.ModeCharDevice, "dev": fs.ModeDir} {
		f, err := fsys.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil || info.Mode().Type() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
		if d, ok := info.Sys().(*vac.Dir); !ok || d.UID != 7 || d.User != "u" {
			t.Errorf("%s: Sys is %T", path, info.Sys())
		}
		if n, err := f.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
			t.Errorf("read %s: %v", path, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	if b, err := fs.ReadFile(fsys, "\xff\xfe/\x80"); string(b) != "bytes" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := fs.ReadDir(fsys, "dev/fifo"); err == nil {
		t.Error("a fifo has entries")
	}
	for _, path := range []string{"", "/", "/dev", "dev/", "dev//fifo", "./dev", "dev/.", "dev/..", "../dev", "dev\x00"} {
		for what, f := range map[string]func() error{
			"open":    func() error { _, err := fsys.Open(path); return err },
			"stat":    func() error { _, err := fs.Stat(fsys, path); return err },
			"lstat":   func() error { _, err := fs.Lstat(fsys, path); return err },
			"readdir": func() error { _, err := fs.ReadDir(fsys, path); return err },
		} {
			var pe *fs.PathError
			if err := f(); !errors.Is(err, fs.ErrInvalid) || !errors.As(err, &pe) || pe.Op != what || pe.Path != path {
				t.Errorf("%s %q: %v", what, path, err)
			}
		}
	}
}

// TestFSDamage holds that a directory that cannot be read to its end gives what it can and the reason, and that nothing
// behind it counts as missing.
func TestFSDamage(t *testing.T) {
	r := newRig(t)
	tr := r.snapshot(t, dir("many", crowd(5000)...), file("f", "F"))
	var last venti.Score
	for _, u := range used(t, tr) {
		if u.Path == "/many" && u.Leaf {
			last = u.Ref.Score
		}
	}
	r.fresh()
	tr, err := vac.Open(t.Context(), r.src, tr.Ref)
	if err != nil {
		t.Fatal(err)
	}
	r.Unavailable(last, true)
	fsys := tr.FS(t.Context())
	list, err := fs.ReadDir(fsys, "many")
	if len(list) < 1000 || len(list) >= 5000 || !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("%d entries, %v", len(list), err)
	}
	f, err := fsys.Open("many")
	if err != nil {
		t.Fatal(err)
	}
	got := 0
	for {
		part, err := f.(fs.ReadDirFile).ReadDir(700)
		if got += len(part); err != nil {
			if !errors.Is(err, venti.ErrUnavailable) || got != len(list) {
				t.Errorf("in parts: %d entries, %v", got, err)
			}
			break
		}
	}
	if b, err := fs.ReadFile(fsys, "many/file-000000"); string(b) != "content of 0" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := fs.Stat(fsys, "many/file-004999"); errors.Is(err, fs.ErrNotExist) || !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("a file that may be there: %v", err)
	}
	r.Unavailable(last, false)
	if b, err := fs.ReadFile(fsys, "many/file-004999"); string(b) != "content of 4999" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// TestFSListing holds that a large directory is not read again for each of its files.
func TestFSListing(t *testing.T) {
	r := newRig(t)
	var kids []node
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		kids = append(kids, dir(name, crowd(2000)...))
	}
	tr := r.snapshot(t, kids...)
	ctx, cancel := context.WithCancel(t.Context())
	fsys := tr.FS(ctx)
	n := 0
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if n++; err == nil && !d.IsDir() && n%7 == 0 {
			_, err = fs.ReadFile(fsys, path)
		}
		return err
	})
	if err != nil || n != 1+6+6*2000 {
		t.Errorf("%d files, %v", n, err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				if _, err := fs.Stat(fsys, kids[(i+j)%6].Name+"/file-001000"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	cancel()
	if _, err := fs.ReadFile(r.snapshot(t, file("x", words(1, 9000))).FS(ctx), "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
