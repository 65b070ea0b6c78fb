package restore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/restore"
)

// everything makes a directory with one of everything that a file system can hold. As root that includes devices,
// other owners and trusted attributes.
func everything(t testing.TB, dir string) {
	t.Helper()
	root := os.Geteuid() == 0
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.MkdirAll(dir, 0o755))
	for name, content := range map[string]string{"small": "small\n", "empty": "", "with\nnewline": "n", "caf\xe9 \xff\xfe": "b",
		" lead trail ": "s", "q'\"*?[a]$`\\": "q", strings.Repeat("n", 255): "l", "large": noise(1, 3<<20), "medium": noise(2, 200<<10),
		"setuid": "s", "setgid": "s", "mode000": "m", "ns": "n", "old": "o", "far": "f", "attrs": "x", "acl": "a", "cap": "c",
		"sub/a": "a", "sub/deep/b": "b", "links/one": "linked", "readonly/f": "r"} {
		write(t, at(name), content)
	}
	must(t, os.Mkdir(at("emptydir"), 0o750))
	must(t, os.Mkdir(at("sticky"), 0o755))
	must(t, os.Link(at("links/one"), at("links/two")))
	must(t, os.Link(at("links/one"), at("sub/three")))
	must(t, os.Link(at("links/one"), at("zlink")))
	must(t, os.Symlink("small", at("symlink")))
	must(t, os.Symlink("/nowhere/at all", at("dangling")))
	must(t, os.Link(at("dangling"), at("sub/dangling2")))
	must(t, unix.Mkfifo(at("fifo"), 0o640))
	must(t, unix.Mknod(at("socket"), unix.S_IFSOCK|0o666, 0))
	for name, value := range map[string]string{"user.text": "value", "user.binary": "\x00\xff\x00=\n", "user.empty": ""} {
		must(t, unix.Setxattr(at("attrs"), name, []byte(value), 0))
	}
	must(t, unix.Setxattr(at("sub"), "user.dir", []byte("on a directory"), 0))
	must(t, unix.Setxattr(at("acl"), "system.posix_acl_access", accessList(), 0))
	must(t, unix.Setxattr(at("sub/deep"), "system.posix_acl_access", accessList(), 0))
	must(t, unix.Setxattr(at("sub/deep"), "system.posix_acl_default", accessList(), 0))
	sparse(t, at("sparse"))
	sparse(t, at("sub/sparse2"))
	if root {
		rootOnly(t, at)
	}
	for name, mode := range map[string]uint32{"setuid": 0o4755, "setgid": 0o2755, "sticky": 0o1777, "mode000": 0, "readonly": 0o555,
		"sub": 0o2711, "socket": 0o600} {
		must(t, unix.Chmod(at(name), mode))
	}
	if root {
		must(t, unix.Setxattr(at("cap"), "security.capability", capability(), 0))
	}
	for name, sec := range map[string]int64{"old": -86400*365*20 - 1, "far": 4200000000, "ns": 1700000000, "symlink": 1600000000,
		"dangling": 1500000000, "fifo": 1400000000, "sub/deep": 1300000000, "sub": 1200000000, "emptydir": -1, "readonly": 1100000000,
		"links": 1000000001, "": 1000000000} {
		setTime(t, at(name), sec, 123456789)
	}
}

func rootOnly(t testing.TB, at func(string) string) {
	t.Helper()
	must(t, unix.Mknod(at("char"), unix.S_IFCHR|0o640, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(at("block"), unix.S_IFBLK|0o660, int(unix.Mkdev(259, 70000))))
	for i, name := range []string{"small", "symlink", "fifo", "sub/deep", "char", "links/one", "setuid", "cap", "acl"} {
		must(t, os.Lchown(at(name), 1000+i, 2000+i))
	}
	must(t, unix.Setxattr(at("attrs"), "trusted.secret", []byte("t"), 0))
	must(t, unix.Lsetxattr(at("symlink"), "trusted.link", []byte("on a link"), 0))
	must(t, unix.Lsetxattr(at("fifo"), "trusted.fifo", []byte("on a fifo"), 0))
}

// accessList is a POSIX ACL: user::rw-, user:1234:r--, group::r--, mask::rw-, other::---.
func accessList() []byte {
	b := []byte{2, 0, 0, 0}
	for _, e := range [][3]uint32{{1, 7, 1<<32 - 1}, {2, 4, 1234}, {4, 4, 1<<32 - 1}, {16, 6, 1<<32 - 1}, {32, 0, 1<<32 - 1}} {
		b = append(b, byte(e[0]), 0, byte(e[1]), 0, byte(e[2]), byte(e[2]>>8), byte(e[2]>>16), byte(e[2]>>24))
	}
	return b
}

// capability is cap_net_bind_service=ep, revision 2.
func capability() []byte {
	return []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
}

// sparse makes a file of 10 MiB with some bytes at 1 MiB and at the end.
func sparse(t testing.TB, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	must(t, f.Truncate(10<<20))
	_, err = f.WriteAt([]byte(noise(3, 100<<10)), 1<<20)
	must(t, err)
	_, err = f.WriteAt([]byte("end"), 10<<20-3)
	must(t, err)
}

// blocks returns how many bytes of disk a file takes.
func blocks(t testing.TB, path string) int64 {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	return st.Blocks * 512
}

func TestEverything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	everything(t, dir)
	a := keep(t, dir)
	for _, workers := range []int{1, 4} {
		target := filepath.Join(t.TempDir(), "deep", "target")
		rep := run(t, a.Tree, dir, restore.Config{Target: target, Workers: workers, Verify: true})
		same(t, dir, target)
		for _, name := range []string{"sparse", "sub/sparse2"} {
			if n := blocks(t, filepath.Join(target, name)); n > 1<<20 {
				t.Errorf("%s takes %d bytes: its holes are filled", name, n)
			}
		}
		if rep.Files+1 != int64(a.Root.Files)+1 || rep.Links != 4 || rep.Skipped != 0 {
			t.Errorf("report %+v for %d files", rep, a.Root.Files)
		}
	}
}

func TestWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	everything(t, dir)
	a := keep(t, dir)
	target := t.TempDir()
	setTime(t, target, 1234567890, 5)
	must(t, os.Chmod(target, 0o711))
	run(t, a.Tree, "", restore.Config{Target: target})
	same(t, dir, filepath.Join(target, dir))
	st, err := os.Stat(target)
	must(t, err)
	if st.Mode().Perm() != 0o711 {
		t.Errorf("the target has mode %v now", st.Mode())
	}
	up, err := os.Stat(filepath.Dir(filepath.Join(target, dir)))
	must(t, err)
	if up.Mode().Perm() != 0o755 {
		t.Errorf("a directory on the way has mode %v", up.Mode())
	}
}

func TestSingle(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	everything(t, dir)
	a := keep(t, dir)
	target := t.TempDir()
	for _, name := range []string{"small", "dangling", "fifo", "large", "links/one"} {
		run(t, a.Tree, dir+"/"+name, restore.Config{Target: target})
		var want, got []string
		want = append(want, describeFile(t, filepath.Dir(filepath.Join(dir, name)), filepath.Join(dir, name), map[uint64]string{}))
		got = append(got, describeFile(t, target, filepath.Join(target, filepath.Base(name)), map[uint64]string{}))
		sameLines(t, want, got)
	}
}
