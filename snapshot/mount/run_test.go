package mount_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/mount"
	"ventidhash/venti/seal"
	"ventidhash/venti/ventitest"
)

func rootKey() seal.RootKey { return seal.RootKey{1} }

func TestRefusals(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	write(t, filepath.Join(src, "f"), []byte("f"))
	tr := keep(t, ventitest.NewMemory(), src)
	empty := t.TempDir()
	for what, c := range map[string]struct {
		cfg  mount.Config
		want string
	}{
		"nothing to show":     {mount.Config{Dir: empty}, "Snapshots or Tree"},
		"no directory":        {mount.Config{Tree: tr}, "Dir is empty"},
		"a missing directory": {mount.Config{Dir: filepath.Join(empty, "none"), Tree: tr}, "mkdir"},
		"a file":              {mount.Config{Dir: filepath.Join(src, "f"), Tree: tr}, "no directory"},
		"a full directory":    {mount.Config{Dir: src, Tree: tr}, "not empty"},
		"a file in it":        {mount.Config{Dir: empty, Tree: tr, Path: src + "/f"}, "only a directory"},
		"a path not in it":    {mount.Config{Dir: empty, Tree: tr, Path: "/no/such"}, "does not exist"},
	} {
		err := mount.Run(t.Context(), c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, which does not say %q", what, err, c.want)
		}
	}
}

func TestUnmount(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	write(t, filepath.Join(src, "f"), noise(1, 10<<20))
	tr := keep(t, ventitest.NewMemory(), src)
	gone := func(m *mounted) {
		t.Helper()
		if n := names(t, m.dir); len(n) != 0 {
			t.Errorf("there is still %q", n)
		}
	}
	t.Run("from outside", func(t *testing.T) {
		m := mountIt(t, mount.Config{Tree: tr, Path: src})
		out, err := exec.Command("fusermount3", "-u", m.dir).CombinedOutput()
		if err != nil {
			t.Fatalf("fusermount3 -u: %v %s", err, out)
		}
		m.ended()
		gone(m)
	})
	t.Run("by the context", func(t *testing.T) {
		m := mountIt(t, mount.Config{Tree: tr, Path: src})
		readAll(t, m.at("f"), noise(1, 10<<20))
		m.unmount()
		gone(m)
	})
	t.Run("in use", func(t *testing.T) {
		m := mountIt(t, mount.Config{Tree: tr, Path: src})
		f, err := os.Open(m.at("f"))
		must(t, err)
		defer f.Close()
		m.unmount()
		gone(m)
	})
	t.Run("a dead one", func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("only root can mount without a program")
		}
		needFUSE(t)
		dir := t.TempDir()
		dead, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
		must(t, err)
		must(t, unix.Mount("vdh", dir, "fuse", unix.MS_NODEV, "fd="+itoa(dead.Fd())+",rootmode=40000,user_id=0,group_id=0"))
		defer unix.Unmount(dir, unix.MNT_DETACH)
		dead.Close()
		err = mount.Run(t.Context(), mount.Config{Dir: dir, Tree: tr})
		if err == nil || !strings.Contains(err.Error(), "fusermount3 -u") {
			t.Errorf("a dead mount: %v", err)
		}
	})
}
