package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFullDisk fills a small file system. The backup that meets it fails and says why; what was kept before stays whole,
// and with space again the next one succeeds.
func TestFullDisk(t *testing.T) {
	m := newMachine(t)
	disk := filepath.Join(m.dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	m.store = filepath.Join(disk, "store")
	fillTree(t, filepath.Join(m.dir, "tree", "first"), 1, 10<<20)
	first := m.must("backup", "tree")
	ballast := filepath.Join(disk, "ballast")
	if out, err := exec.Command("head", "-c", "30M", "/dev/zero").Output(); err != nil {
		t.Fatal(err)
	} else if err := os.WriteFile(ballast, out, 0o600); err != nil {
		t.Fatal(err)
	}
	fillTree(t, filepath.Join(m.dir, "tree", "second"), 2, 30<<20)
	for range 2 {
		code, out, errs := m.run("backup", "tree")
		if code != exitFailed || out != "" || !strings.Contains(errs, "is full") {
			t.Fatalf("exit code %d, printed %q, %q", code, out, errs)
		}
		if out := m.must("check", "--read-data"); !strings.Contains(out, "looked at 1 snapshot") {
			t.Fatal(out)
		}
		m.must("restore", first+m.dir+"/tree", "--target", "out")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	m.must("backup", "tree")
	m.must("check", "--read-data")
	m.must("restore", "latest"+m.dir+"/tree", "--target", "out", "--delete")
	sameTree(t, filepath.Join(m.dir, "tree"), filepath.Join(m.dir, "out"))
}
