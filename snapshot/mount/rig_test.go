package mount_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/mount"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

// wait bounds everything that a test waits for.
const wait = 20 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sealer(t testing.TB) *seal.Sealer {
	t.Helper()
	s, err := seal.New(seal.Secret{1})
	must(t, err)
	return s
}

// keep archives the directory dir into store, and opens the snapshot with a source of its own.
func keep(t testing.TB, store venti.Store, dir string) *vac.Tree {
	t.Helper()
	ctx := context.Background()
	res, err := archive.Run(ctx, archive.Config{Store: store, Sealer: sealer(t), Source: tree.NewSource(store, sealer(t), 16<<20),
		Paths: []string{dir}, Warn: func(path string, err error) { t.Errorf("archive %s: %v", path, err) }})
	must(t, err)
	return open(t, store, res.Ref)
}

func open(t testing.TB, store venti.Store, ref venti.Ref) *vac.Tree {
	t.Helper()
	tr, err := vac.Open(context.Background(), tree.NewSource(store, sealer(t), 16<<20), ref)
	must(t, err)
	return tr
}

// needFUSE skips a test where nothing can be mounted.
func needFUSE(t testing.TB) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("nothing can be mounted here: %v", err)
	}
	f.Close()
}

// A mounted is a mount that a test has made.
type mounted struct {
	t      testing.TB
	dir    string
	cancel context.CancelFunc
	done   chan error
}

// mountIt mounts what cfg says at a directory of its own until the test ends.
func mountIt(t testing.TB, cfg mount.Config) *mounted {
	t.Helper()
	needFUSE(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	m := &mounted{t: t, dir: dir, cancel: cancel, done: make(chan error, 1)}
	ready := make(chan struct{})
	cfg.Dir, cfg.Ready = dir, func() { close(ready) }
	go func() { m.done <- mount.Run(ctx, cfg) }()
	t.Cleanup(func() { m.unmount() })
	select {
	case <-ready:
	case err := <-m.done:
		t.Fatalf("mount: %v", err)
	case <-time.After(wait):
		t.Fatal("it does not get mounted")
	}
	return m
}

// unmount has Run end, and returns when it has.
func (m *mounted) unmount() {
	m.cancel()
	m.ended()
}

// ended waits until Run has ended.
func (m *mounted) ended() {
	m.t.Helper()
	select {
	case err, ok := <-m.done:
		if ok && err != nil {
			m.t.Errorf("the mount ended with: %v", err)
		}
		if ok {
			close(m.done)
		}
	case <-time.After(wait):
		m.t.Error("the mount does not end")
	}
}

func (m *mounted) at(path ...string) string {
	return filepath.Join(append([]string{m.dir}, path...)...)
}

// A shelf is a list of snapshots that a test changes.
type shelf struct {
	store venti.Store
	t     testing.TB

	mu    sync.Mutex // protects the following
	list  []snapshot.Snapshot
	refs  map[venti.Score]venti.Ref
	fail  error
	fails int // how often fail was returned
}

func newShelf(t testing.TB, store venti.Store) *shelf {
	return &shelf{store: store, t: t, refs: map[venti.Score]venti.Ref{}}
}

// add puts a snapshot on the list.
func (s *shelf) add(tr *vac.Tree, host string, at time.Time) venti.Score {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, snapshot.Snapshot{Score: tr.Ref.Score, Time: at, Host: host})
	s.refs[tr.Ref.Score] = tr.Ref
	return tr.Ref.Score
}

func (s *shelf) set(list []snapshot.Snapshot, fail error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list, s.fail = list, fail
}

func (s *shelf) List(context.Context) ([]snapshot.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		s.fails++
	}
	return slices.Clone(s.list), s.fail
}

// failed returns how often the list could not be read.
func (s *shelf) failed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fails
}

func (s *shelf) Open(ctx context.Context, snap snapshot.Snapshot) (*vac.Tree, error) {
	s.mu.Lock()
	ref := s.refs[snap.Score]
	s.mu.Unlock()
	return vac.Open(ctx, tree.NewSource(s.store, sealer(s.t), 16<<20), ref)
}

// eventually waits until ok returns true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(wait); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("it never came true that %s", what)
}

// describe lists everything there is to know about the files below a directory by path. Hard links are told by the
// first path of the file.
func describe(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	first := map[uint64]string{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		out[rel] = describeFile(t, path, rel, first)
		return err
	}))
	return out
}

func describeFile(t testing.TB, path, rel string, first map[uint64]string) string {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	var b strings.Builder
	fmt.Fprintf(&b, "%o %d:%d %d.%09d", st.Mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec)
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		content, err := os.ReadFile(path)
		fmt.Fprintf(&b, " size %d blocks %d %v %v", st.Size, st.Blocks/64, venti.Sum(content).Short(), err)
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		fmt.Fprintf(&b, " -> %q %d %v", target, st.Size, err)
	case unix.S_IFCHR, unix.S_IFBLK:
		fmt.Fprintf(&b, " dev %#x", st.Rdev)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		fmt.Fprintf(&b, " links %d ctime %d.%09d", st.Nlink, st.Ctim.Sec, st.Ctim.Nsec)
		if was, ok := first[st.Ino]; ok {
			fmt.Fprintf(&b, " is %q", was)
		} else {
			first[st.Ino] = rel
		}
	}
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	must(t, err)
	names := strings.FieldsFunc(string(buf[:n]), func(r rune) bool { return r == 0 })
	slices.Sort(names)
	for _, name := range names {
		n, err := unix.Lgetxattr(path, name, buf)
		fmt.Fprintf(&b, " %s=%x %v", name, buf[:max(n, 0)], err)
	}
	return b.String()
}

// same compares two trees in everything that describe tells.
func same(t testing.TB, want, got string) {
	t.Helper()
	a, b := describe(t, want), describe(t, got)
	for path, what := range a {
		if b[path] != what {
			t.Errorf("%q\n is %s\nnot %s", path, b[path], what)
		}
		delete(b, path)
	}
	for path, what := range b {
		t.Errorf("%q is there: %s", path, what)
	}
}

// write writes a file, and the directories above it.
func write(t testing.TB, path string, content []byte) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, content, 0o644))
}

// isEIO checks that err is an input/output error.
func isEIO(t testing.TB, what string, err error) {
	t.Helper()
	if !errors.Is(err, unix.EIO) {
		t.Errorf("%s: %v, not EIO", what, err)
	}
}

// readAll checks that a file has the content.
func readAll(t testing.TB, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes, %v; want %d bytes", path, len(got), err, len(want))
	}
}

var noise = ventitest.Random

func itoa(n uintptr) string { return fmt.Sprint(n) }
