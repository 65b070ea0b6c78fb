package restore_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/restore"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

// Whatever stands in the target before, nothing outside it is touched.
func TestNothingOutsideTheTarget(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	write(t, filepath.Join(src, "dir/file"), "new")
	write(t, filepath.Join(src, "plain"), "new")
	write(t, filepath.Join(src, "a"), "linked")
	must(t, os.Link(filepath.Join(src, "a"), filepath.Join(src, "z")))
	a := keep(t, src)
	for _, ow := range []restore.Overwrite{restore.Always, restore.IfChanged, restore.Never} {
		outside, target := t.TempDir(), t.TempDir()
		write(t, filepath.Join(outside, "file"), "precious")
		write(t, filepath.Join(outside, "hard"), "precious too")
		before := describe(t, outside)
		must(t, os.Symlink(outside, filepath.Join(target, "dir")))
		must(t, os.Symlink(filepath.Join(outside, "file"), filepath.Join(target, "plain")))
		must(t, os.Link(filepath.Join(outside, "hard"), filepath.Join(target, "a")))
		must(t, os.Symlink(filepath.Join(outside, "nothing yet"), filepath.Join(target, "z")))
		rep, warned := try(t, a.Tree, src, restore.Config{Target: target, Overwrite: ow, Delete: true})
		after := describe(t, outside)
		dropLinkCount := func(lines []string) []string { // the test's own hard link may be gone from the target
			return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.Contains(l, "hard") })
		}
		sameLines(t, dropLinkCount(before), dropLinkCount(after))
		b, err := os.ReadFile(filepath.Join(outside, "hard"))
		if must(t, err); string(b) != "precious too" {
			t.Errorf("overwrite %d: a file outside was written through a hard link: %q", ow, b)
		}
		if ow == restore.Always {
			same(t, src, target)
		} else if rep.Skipped+rep.Failed() == 0 {
			t.Errorf("overwrite %d: %+v, %q", ow, rep, warned)
		}
	}
}

// A snapshot cannot hold names that lead out of a directory: reading it fails, and nothing is written.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"..", "../x", "a/b", "/etc", ".", ""} {
		store, sealer := ventitest.NewMemory(), newSealer(t)
		sink, src := tree.NewSink(store, sealer, nil), tree.NewSource(store, sealer, 1<<20)
		// A directory's stream by hand, for no writer makes one like this: version, then a record.
		body := venti.AppendBytes(nil, name)
		body = append(body, byte(vac.Symlink), 0)
		body = append(body, make([]byte, 11)...) // mode, owner, group, names, times, device, inode: all zero
		body = venti.AppendBytes(body, "target")
		w := tree.NewWriter(t.Context(), sink, tree.Entries())
		_, err := w.Write(append([]byte{1}, venti.AppendBytes(nil, body)...))
		must(t, err)
		top, err := w.Close()
		must(t, err)
		ref, err := sink.PutRoot(t.Context(), [32]byte{}, &venti.Root{Kind: venti.RootSnapshot, Top: top})
		must(t, err)
		tr, err := vac.Open(t.Context(), src, ref)
		must(t, err)
		target := filepath.Join(t.TempDir(), "in", "target")
		must(t, os.MkdirAll(target, 0o755))
		rep, warned := try(t, tr, "", restore.Config{Target: target})
		if rep.Files != 0 || rep.Failed() == 0 {
			t.Errorf("name %q: %+v, %q", name, rep, warned)
		}
		if got := describe(t, filepath.Dir(target)); len(got) > 2 {
			t.Errorf("name %q: %q", name, got)
		}
	}
}

// Content that is lost is named, nothing stands under its name, and the rest comes back.
func TestLostContent(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	write(t, filepath.Join(src, "large"), noise(1, 5<<20))
	write(t, filepath.Join(src, "small"), "small")
	store := ventitest.NewMemory()
	tr := keepIn(t, store, src)
	d, err := tr.Lookup(t.Context(), src+"/large")
	must(t, err)
	var leaf venti.Score
	must(t, tree.Walk(t.Context(), tr.Source(), d.Content.Stream, func(b tree.Block, err error) (bool, error) {
		if b.Level == 0 {
			leaf = b.Ref.Score
		}
		return true, err
	}))
	store.Drop(leaf)
	target := t.TempDir()
	rep, warned := try(t, tr, src, restore.Config{Target: target})
	if rep.Failures[restore.Content] != 1 || len(warned) != 1 || !strings.Contains(warned[0], "large") || !strings.Contains(warned[0], leaf.String()) {
		t.Errorf("%+v, %q", rep, warned)
	}
	entries, err := os.ReadDir(target)
	must(t, err)
	if len(entries) != 1 || entries[0].Name() != "small" {
		t.Errorf("the target has %v", entries)
	}
}

func TestCancelled(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	for i := range 200 {
		write(t, filepath.Join(src, string(rune('a'+i%26))+strings.Repeat("x", i/26)), noise(uint64(i), 3000))
	}
	a := keep(t, src)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := restore.Run(ctx, a.Tree, src, restore.Config{Target: t.TempDir()})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

const asUser = "RESTORE_TEST_AS_USER"

// As a normal user, what may be restored is, and what could not be is counted. The test runs itself again as nobody.
func TestAsUser(t *testing.T) {
	if os.Getenv(asUser) == "" {
		if os.Geteuid() != 0 {
			t.Skip("needs root to become another user")
		}
		dir, err := os.MkdirTemp("/tmp", "restore-as-user")
		must(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		must(t, os.Chmod(dir, 0o777))
		exe := filepath.Join(dir, "test")
		self, err := os.Executable()
		must(t, err)
		b, err := os.ReadFile(self)
		must(t, err)
		must(t, os.WriteFile(exe, b, 0o755))
		cmd := exec.Command(exe, "-test.run", "^TestAsUser$", "-test.v")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), asUser+"=1", "TMPDIR="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestAsUser") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	src := filepath.Join(t.TempDir(), "src")
	write(t, filepath.Join(src, "closed/readonly/file"), "in a closed directory")
	must(t, os.Chmod(filepath.Join(src, "closed/readonly"), 0o555))
	a := keep(t, src)
	// The snapshot says that root owns a file, and has a device.
	d := &vac.Dir{Name: "device", Type: vac.CharDevice, Major: 1, Minor: 3, Links: 1, Mode: 0o600}
	e := &vac.Dir{Name: "roots", Type: vac.File, Links: 1, Mode: 0o644, User: "root", Group: "root"}
	store, sealer := ventitest.NewMemory(), newSealer(t)
	sink, source := tree.NewSink(store, sealer, nil), tree.NewSource(store, sealer, 1<<20)
	w := vac.NewDirWriter(t.Context(), sink, source, vac.Content{})
	must(t, w.Add(d))
	must(t, w.Add(e))
	top, err := w.CloseStream()
	must(t, err)
	ref, err := sink.PutRoot(t.Context(), [32]byte{}, &venti.Root{Kind: venti.RootSnapshot, Top: top})
	must(t, err)
	tr, err := vac.Open(t.Context(), source, ref)
	must(t, err)
	target := t.TempDir()
	rep, warned := try(t, tr, "", restore.Config{Target: target})
	if rep.Failures[restore.Create] != 1 || rep.Failures[restore.Owner] != 1 || rep.Files != 1 {
		t.Errorf("%+v, %q", rep, warned)
	}
	target = filepath.Join(t.TempDir(), "target")
	run(t, a.Tree, src, restore.Config{Target: target})
	same(t, src, target)
	must(t, unix.Chmod(filepath.Join(target, "closed/readonly"), 0o755))
	must(t, unix.Chmod(filepath.Join(src, "closed/readonly"), 0o755))
}
