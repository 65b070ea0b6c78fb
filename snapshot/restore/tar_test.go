package restore_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/restore"
	"ventidhash/snapshot/vac"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	ok(t, os.MkdirAll(filepath.Dir(path), 0o755))
	ok(t, os.WriteFile(path, []byte(content), 0o644))
}

// snapshotOf archives the directory dir into a store in memory.
func snapshotOf(t *testing.T, dir string) (*vac.Tree, *ventitest.Memory) {
	t.Helper()
	store := ventitest.NewMemory()
	sealer, err := seal.New(seal.Secret{1})
	ok(t, err)
	src := tree.NewSource(store, sealer, 16<<20)
	res, err := archive.Run(t.Context(), archive.Config{Store: store, Sealer: sealer, Source: src, Paths: []string{dir}})
	ok(t, err)
	tr, err := vac.Open(t.Context(), tree.NewSource(store, sealer, 16<<20), res.Ref)
	ok(t, err)
	return tr, store
}

// entries describes what is in an archive.
func entries(t *testing.T, b []byte) (lines []string) {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		ok(t, err)
		content, err := io.ReadAll(r)
		ok(t, err)
		line := fmt.Sprintf("%q %c %o %d.%09d", h.Name, h.Typeflag, h.Mode, h.ModTime.Unix(), h.ModTime.Nanosecond())
		if h.Linkname != "" {
			line += fmt.Sprintf(" -> %q", h.Linkname)
		}
		if h.Typeflag == tar.TypeReg {
			line += fmt.Sprintf(" %d %.20q", h.Size, content)
		}
		if v, ok := h.PAXRecords["SCHILY.xattr.user.odd"]; ok {
			line += fmt.Sprintf(" user.odd=%x", v)
		}
		lines = append(lines, line)
	}
}

func tarOf(t *testing.T, tr *vac.Tree, path string, cfg restore.Config) []string {
	t.Helper()
	var b bytes.Buffer
	if _, err := restore.Tar(context.Background(), tr, path, &b, cfg); err != nil {
		t.Fatal(err)
	}
	return entries(t, b.Bytes())
}

func TestTar(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "a"), "small")
	writeFile(t, filepath.Join(dir, "odd\xff\nname"), "x")
	writeFile(t, filepath.Join(dir, strings.Repeat("l", 200), strings.Repeat("m", 200)), "deep")
	writeFile(t, filepath.Join(dir, "large"), string(ventitest.Random(1, 3<<20)))
	ok(t, os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "hard")))
	ok(t, os.Symlink("nowhere\xfe", filepath.Join(dir, "link")))
	ok(t, unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	hasXattr := unix.Lsetxattr(filepath.Join(dir, "a"), "user.odd", []byte{0, 255, '\n'}, 0) == nil
	ok(t, unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(dir, "a"), []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: -1, Nsec: 123456789}}, 0))
	ok(t, unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Join(dir, "pipe"), []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: 5_000_000_000, Nsec: 1}}, 0))
	tr, _ := snapshotOf(t, dir)

	got := tarOf(t, tr, dir, restore.Config{})
	a := `"a" 0 644 -1.123456789 5 "small"`
	if hasXattr {
		a += " user.odd=00ff0a"
	}
	for _, want := range []string{a, `"hard" 1 644 -1.123456789 -> "a"`, `"pipe" 6 600 5000000000.000000001`} {
		if !slices.Contains(got, want) {
			t.Errorf("no entry %s", want)
		}
	}
	for _, want := range []string{`"./" 5`, `"odd\xff\nname" 0`, `"link" 2 777`, fmt.Sprintf("\"%s/%s\" 0", strings.Repeat("l", 200), strings.Repeat("m", 200)), `"large" 0 644`} {
		if !slices.ContainsFunc(got, func(l string) bool { return strings.HasPrefix(l, want) }) {
			t.Errorf("no entry like %s in\n%s", want, strings.Join(got, "\n"))
		}
	}
	if len(got) != 9 {
		t.Errorf("%d entries", len(got))
	}
	whole := tarOf(t, tr, "", restore.Config{})
	if name := fmt.Sprintf("%q", strings.TrimPrefix(dir, "/")+"/a"); !slices.ContainsFunc(whole, func(l string) bool { return strings.HasPrefix(l, name) }) {
		t.Errorf("no %s in the archive of everything:\n%s", name, strings.Join(whole, "\n"))
	}
	if one := tarOf(t, tr, dir+"/large", restore.Config{}); len(one) != 1 || !strings.HasPrefix(one[0], `"large"`) {
		t.Errorf("of one file: %q", one)
	}
	if some := tarOf(t, tr, dir, restore.Config{Include: []string{"/l*"}, Exclude: []string{"link"}}); len(some) != 3 {
		t.Errorf("filtered: %q", some)
	}
}

// TestTarDamage holds that an archive is well formed whatever is missing, and says so.
func TestTarDamage(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "large"), string(ventitest.Random(1, 3<<20)))
	writeFile(t, filepath.Join(dir, "small"), "x")
	tr, store := snapshotOf(t, dir)
	d, err := tr.Lookup(t.Context(), dir+"/small")
	ok(t, err)
	store.Drop(d.Content.Slice.Block.Score)
	var b bytes.Buffer
	var warned []string
	rep, err := restore.Tar(t.Context(), tr, dir, &b, restore.Config{Warn: func(path string, err error) { warned = append(warned, path) }})
	if !errors.Is(err, restore.ErrIncomplete) || rep.Failed() != 1 || rep.Failures[restore.Content] != 1 || !slices.Equal(warned, []string{dir + "/small"}) {
		t.Errorf("%v, %+v, %q", err, rep, warned)
	}
	if got := entries(t, b.Bytes()); len(got) != 2 {
		t.Errorf("%q", got)
	}

	var last vac.Use
	ok(t, tr.Blocks(t.Context(), func(u vac.Use, err error) (bool, error) {
		if u.Role == vac.RoleFile && u.Leaf {
			last = u
		}
		return true, err
	}))
	store.Drop(last.Ref.Score)
	b.Reset()
	rep, err = restore.Tar(t.Context(), tr, dir, &b, restore.Config{})
	if !errors.Is(err, restore.ErrIncomplete) || rep.Failures[restore.Content] != 2 {
		t.Errorf("%v, %+v", err, rep)
	}
	r := tar.NewReader(&b)
	for h, err := r.Next(); h.Name != "large"; h, err = r.Next() {
		ok(t, err)
	}
	got, err := io.ReadAll(r)
	ok(t, err)
	want := append(ventitest.Random(1, 3<<20)[:last.Off:last.Off], make([]byte, 3<<20-last.Off)...)
	if last.Off == 0 || !bytes.Equal(got, want) {
		t.Errorf("the archive does not have what there is up to byte %d and zeros behind", last.Off)
	}
}
