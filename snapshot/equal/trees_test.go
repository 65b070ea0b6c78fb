package equal_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/equal"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// tree makes a tree with one of everything that a user can make. Two calls make equal trees.
func tree(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.MkdirAll(at("sub/empty"), 0o755), os.WriteFile(at("file"), []byte("content"), 0o644),
		os.WriteFile(at("sub/large"), make([]byte, 600_000), 0o600), os.WriteFile(at("sub/other"), []byte("content"), 0o644),
		os.Link(at("file"), at("sub/linked")), os.Symlink("nowhere", at("sub/link")), unix.Mkfifo(at("fifo"), 0o600))
	if err := unix.Lsetxattr(at("file"), "user.note", []byte("value"), 0); err != nil {
		t.Logf("no attributes here: %v", err)
	}
	var names []string
	must(t, filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		names = append(names, path)
		return err
	}))
	slices.Reverse(names) // directories after what they hold
	for _, name := range names {
		must(t, touch(name, 1_500_000_000_123_456_789))
	}
	return dir
}

func touch(name string, nanoseconds int64) error {
	ts := unix.NsecToTimespec(nanoseconds)
	return unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}

// untouched does something to a tree such that the time of the directories stays.
func untouched(dir string, do func() error) error {
	return or(do(), touch(filepath.Join(dir, "sub"), 1_500_000_000_123_456_789), touch(dir, 1_500_000_000_123_456_789))
}

func or(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func compare(t *testing.T, cfg equal.Config) (equal.Count, []string) {
	t.Helper()
	var lines []string
	cfg.Differs = func(path, what string) { lines = append(lines, path+": "+what) }
	n, err := equal.Trees(t.Context(), cfg)
	must(t, err)
	if int(n.Differences) != len(lines) {
		t.Errorf("%d differences counted, %d told", n.Differences, len(lines))
	}
	return n, lines
}

func TestEqual(t *testing.T) {
	n, lines := compare(t, equal.Config{Source: tree(t), Copy: tree(t)})
	if want := (equal.Count{Files: 6, Dirs: 3, Bytes: 600_021}); n != want || len(lines) > 0 {
		t.Errorf("%+v, want %+v; %q", n, want, lines)
	}
}

// TestDifferences changes one thing in a copy; that thing is found, and nothing else.
func TestDifferences(t *testing.T) {
	rewrite := func(name string, size, at int) func(string) error {
		return func(dir string) error {
			b := make([]byte, size)
			if at >= 0 {
				b[at] = 1
			}
			name := filepath.Join(dir, name)
			return or(os.WriteFile(name, b, 0o600), touch(name, 1_500_000_000_123_456_789))
		}
	}
	for name, test := range map[string]struct {
		change func(dir string) error
		want   string // the path, and the start of what differs
	}{
		"first byte": {rewrite("sub/large", 600_000, 0), "sub/large: differs"},
		"last byte":  {rewrite("sub/large", 600_000, 599_999), "sub/large: differs between byte 524288 and 600000"},
		"length":     {rewrite("sub/large", 599_999, -1), "sub/large: has 599999 bytes"},
		"mode": {func(d string) error {
			return os.Chmod(filepath.Join(d, "sub/empty"), 0o700)
		}, "sub/empty: has mode 0700, not 0755"},
		"nanosecond": {func(d string) error {
			return touch(filepath.Join(d, "fifo"), 1_500_000_000_123_456_788)
		}, "fifo: was modified"},
		"root time": {func(d string) error { return touch(d, 1) }, ".: was modified"},
		"link time": {func(d string) error { return touch(filepath.Join(d, "sub/link"), 1) }, "sub/link: was modified"},
		"missing":   {func(d string) error { return os.Remove(filepath.Join(d, "fifo")) }, "fifo: missing"},
		"more": {func(d string) error {
			return os.WriteFile(filepath.Join(d, "sub/new"), nil, 0o600)
		}, "sub/new: not in the source"},
		"type": {func(d string) error {
			return or(os.Remove(filepath.Join(d, "fifo")), os.Mkdir(filepath.Join(d, "fifo"), 0o600))
		}, "fifo: is of type"},
		"target": {func(d string) error {
			link := filepath.Join(d, "sub/link")
			return or(os.Remove(link), os.Symlink("elsewhere", link), touch(link, 1_500_000_000_123_456_789))
		}, `sub/link: leads to "elsewhere", not "nowhere"`},
		"owner": {func(d string) error {
			return os.Lchown(filepath.Join(d, "sub/link"), 12345, -1)
		}, "sub/link: belongs to 12345"},
		"group": {func(d string) error { return os.Lchown(filepath.Join(d, "sub/link"), -1, 12345) }, "sub/link: belongs to"},
		"attribute": {func(d string) error {
			return unix.Lsetxattr(filepath.Join(d, "file"), "user.note", []byte("other"), 0)
		}, "file: has attribute user.note"},
		"no attribute": {func(d string) error {
			return unix.Lremovexattr(filepath.Join(d, "file"), "user.note")
		}, "file: lacks attribute user.note"},
		"new attribute": {func(d string) error {
			return unix.Lsetxattr(filepath.Join(d, "sub"), "user.more", []byte("x"), 0)
		}, "sub: has attribute user.more"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := tree(t), tree(t)
			err := untouched(b, func() error { return test.change(b) })
			if strings.HasPrefix(test.want, ".:") {
				err = test.change(b)
			}
			if os.IsPermission(err) || err == unix.ENOTSUP || err == unix.ENODATA {
				t.Skip(err)
			}
			must(t, err)
			_, lines := compare(t, equal.Config{Source: a, Copy: b})
			linked := name == "attribute" || name == "no attribute" // seen under both names
			if len(lines) == 0 || !strings.HasPrefix(lines[0], test.want) || len(lines) != 1 && !linked {
				t.Errorf("%q, want %q", lines, test.want)
			}
		})
	}
}

// TestHardLinks splits a file of two names, and joins two files, neither of which changes a byte or a time.
func TestHardLinks(t *testing.T) {
	split, joined := tree(t), tree(t)
	must(t, untouched(split, func() error {
		name := filepath.Join(split, "sub/linked")
		err := or(os.Remove(name), os.WriteFile(name, []byte("content"), 0o644))
		return or(err, unix.Lsetxattr(name, "user.note", []byte("value"), 0), touch(name, 1_500_000_000_123_456_789))
	}))
	must(t, untouched(joined, func() error {
		name := filepath.Join(joined, "sub/other")
		return or(os.Remove(name), os.Link(filepath.Join(joined, "file"), name))
	}))
	want := []string{"sub/linked: is a file of its own, not a hard link"}
	if _, lines := compare(t, equal.Config{Source: tree(t), Copy: split}); !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
	_, lines := compare(t, equal.Config{Source: tree(t), Copy: joined})
	if !slices.Contains(lines, "sub/other: is a hard link, not a file of its own") {
		t.Errorf("%q", lines)
	}
}

// TestOwned leaves out what only root can restore, and nothing else.
func TestOwned(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	a, b := tree(t), tree(t)
	must(t, os.Lchown(filepath.Join(a, "fifo"), 12345, 12345), os.Chmod(filepath.Join(a, "fifo"), 0o600|os.ModeSetuid))
	if _, lines := compare(t, equal.Config{Source: a, Copy: b}); len(lines) != 2 {
		t.Errorf("%q, want owner and mode", lines)
	}
	if _, lines := compare(t, equal.Config{Source: a, Copy: b, Owned: true}); len(lines) != 0 {
		t.Errorf("%q, want nothing", lines)
	}
	must(t, os.Chmod(filepath.Join(b, "fifo"), 0o640))
	if _, lines := compare(t, equal.Config{Source: a, Copy: b, Owned: true}); len(lines) != 1 {
		t.Errorf("%q, want the mode", lines)
	}
}

func TestCannot(t *testing.T) {
	cfg := equal.Config{Source: tree(t), Copy: tree(t), Differs: func(path, what string) { t.Error(path, what) }}
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if _, err := equal.Trees(ctx, cfg); err == nil {
		t.Error("compared although the context was done")
	}
	cfg.Source = filepath.Join(t.TempDir(), "nothing")
	if _, err := equal.Trees(t.Context(), cfg); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}
