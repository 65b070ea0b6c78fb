package restore_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/restore"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

// An archived is a snapshot in memory.
type archived struct {
	*vac.Tree
	store *ventitest.Memory
	path  string // of the directory that was archived
}

func newSealer(t testing.TB) *seal.Sealer {
	t.Helper()
	s, err := seal.New(seal.Secret{1})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// keep archives the directory dir.
func keep(t testing.TB, dir string) archived {
	t.Helper()
	store := ventitest.NewMemory()
	return archived{keepIn(t, store, dir), store, dir}
}

func keepIn(t testing.TB, store venti.Store, dir string) *vac.Tree {
	t.Helper()
	sealer := newSealer(t)
	src := tree.NewSource(store, sealer, 16<<20)
	ctx := context.Background()
	res, err := archive.Run(ctx, archive.Config{Store: store, Sealer: sealer, Source: src, Paths: []string{dir},
		Warn: func(path string, err error) { t.Errorf("archive %s: %v", path, err) }})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := vac.Open(ctx, src, res.Ref)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// run restores with every failure being a failure of the test.
func run(t testing.TB, tr *vac.Tree, path string, cfg restore.Config) restore.Report {
	t.Helper()
	rep, warnings := try(t, tr, path, cfg)
	if rep.Failed() > 0 {
		t.Errorf("failures: %v\n%s", rep.Failures, strings.Join(warnings, "\n"))
	}
	return rep
}

// try restores and returns the warnings, sorted.
func try(t testing.TB, tr *vac.Tree, path string, cfg restore.Config) (restore.Report, []string) {
	t.Helper()
	var warnings []string
	cfg.Warn = func(path string, err error) { warnings = append(warnings, path+": "+err.Error()) }
	rep, err := restore.Run(context.Background(), tr, path, cfg)
	if err != nil {
		t.Fatalf("restore: %v\n%s", err, strings.Join(warnings, "\n"))
	}
	slices.Sort(warnings)
	return rep, warnings
}

// describe lists everything there is to know about the files below a directory, a line for each. Hard links are told
// by the first path of the file.
func describe(t testing.TB, dir string) []string {
	t.Helper()
	var lines []string
	first := map[uint64]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		lines = append(lines, describeFile(t, dir, path, first))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func describeFile(t testing.TB, dir, path string, first map[uint64]string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%q %o %d:%d %d.%09d", rel, st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		content, err := os.ReadFile(path)
		if err != nil {
			content = []byte(err.Error())
		}
		fmt.Fprintf(&b, " size %d %v", st.Size, venti.Sum(content).Short())
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, " -> %q", target)
	case unix.S_IFCHR, unix.S_IFBLK:
		fmt.Fprintf(&b, " dev %#x", st.Rdev)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		if was, ok := first[st.Ino]; ok {
			fmt.Fprintf(&b, " is %q", was)
		} else {
			first[st.Ino] = rel
		}
	}
	for _, name := range xattrNames(t, path) {
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(path, name, value)
		fmt.Fprintf(&b, " %s=%x %v", name, value[:max(n, 0)], err)
	}
	return b.String()
}

func xattrNames(t testing.TB, path string) []string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		return nil
	}
	var names []string
	for name := range bytes.SplitSeq(buf[:n], []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	slices.Sort(names)
	return names
}

// same compares two directories in everything that describe tells.
func same(t testing.TB, want, got string) {
	t.Helper()
	sameLines(t, describe(t, want), describe(t, got))
}

func sameLines(t testing.TB, want, got []string) {
	t.Helper()
	for _, l := range want {
		if !slices.Contains(got, l) {
			t.Errorf("missing: %s", l)
		}
	}
	for _, l := range got {
		if !slices.Contains(want, l) {
			t.Errorf("unexpected: %s", l)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes a file, and the directories above it.
func write(t testing.TB, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

// setTime sets the modification time of path itself.
func setTime(t testing.TB, path string, sec, nsec int64) {
	t.Helper()
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: sec, Nsec: nsec}}
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, path, ts, unix.AT_SYMLINK_NOFOLLOW))
}

// noise returns n bytes that do not compress and depend on seed.
func noise(seed uint64, n int) string { return string(ventitest.Random(seed, n)) }
