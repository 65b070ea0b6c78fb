package mount_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/mount"
	"ventidhash/venti/ventitest"
)

// everything makes a directory with one of everything that a file system can hold. As root that includes devices,
// other owners and trusted attributes.
func everything(t testing.TB, dir string) {
	t.Helper()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, content := range map[string]string{"small": "small\n", "empty": "", "with\nnewline": "n", "caf\xe9 \xff\xfe": "b",
		" lead trail ": "s", "q'\"*?[a]$`\\": "q", strings.Repeat("n", 255): "l", "setuid": "s", "mode000": "m", "old": "o",
		"far": "f", "attrs": "x", "acl": "a", "cap": "c", "sub/a": "a", "sub/deep/b": "b", "links/one": "linked"} {
		write(t, at(name), []byte(content))
	}
	write(t, at("large"), noise(1, 3<<20))
	write(t, at("medium"), noise(2, 200<<10))
	must(t, os.Mkdir(at("emptydir"), 0o750))
	for _, name := range []string{"links/two", "sub/three", "zlink"} {
		must(t, os.Link(at("links/one"), at(name)))
	}
	must(t, os.Symlink("small", at("symlink")))
	must(t, os.Symlink("/nowhere/at all", at("dangling")))
	must(t, os.Link(at("dangling"), at("sub/dangling2")))
	must(t, unix.Mkfifo(at("fifo"), 0o640))
	must(t, unix.Mknod(at("socket"), unix.S_IFSOCK|0o666, 0))
	for name, value := range map[string]string{"user.text": "value", "user.binary": "\x00\xff\x00=\n", "user.empty": "",
		"user.long": strings.Repeat("v", 3000)} {
		must(t, unix.Setxattr(at("attrs"), name, []byte(value), 0))
	}
	must(t, unix.Setxattr(at("sub"), "user.dir", []byte("on a directory"), 0))
	must(t, unix.Setxattr(at("acl"), "system.posix_acl_access", accessList(1234), 0))
	must(t, unix.Setxattr(at("sub/deep"), "system.posix_acl_default", accessList(1234), 0))
	for _, name := range []string{"sparse", "sub/sparse2"} {
		f, err := os.Create(at(name))
		must(t, err)
		must(t, f.Truncate(10<<20))
		_, err = f.WriteAt(noise(3, 128<<10), 1<<20)
		must(t, err)
		must(t, f.Close())
	}
	write(t, at("hollow"), nil)
	must(t, os.Truncate(at("hollow"), 100_000)) // small enough to lie in a shared block
	if os.Geteuid() == 0 {
		must(t, unix.Mknod(at("char"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
		must(t, unix.Mknod(at("block"), unix.S_IFBLK|0o660, int(unix.Mkdev(259, 70000))))
		for i, name := range []string{"small", "symlink", "fifo", "sub/deep", "links/one", "acl"} {
			must(t, os.Lchown(at(name), 1000+i, 2000+i))
		}
		must(t, unix.Setxattr(at("attrs"), "trusted.secret", []byte("t"), 0))
		must(t, unix.Lsetxattr(at("symlink"), "trusted.link", []byte("on a link"), 0))
		must(t, unix.Setxattr(at("cap"), "security.capability", []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0))
	}
	for name, mode := range map[string]uint32{"setuid": 0o6755, "emptydir": 0o1777, "mode000": 0, "sub": 0o2711} {
		must(t, unix.Chmod(at(name), mode))
	}
	for name, sec := range map[string]int64{"old": -86400*365*20 - 1, "far": 4200000000, "symlink": 1600000000,
		"fifo": 1400000000, "sub": 1200000000, "emptydir": -1, "": 1000000000} {
		ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: sec, Nsec: 123456789}}
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, at(name), ts, unix.AT_SYMLINK_NOFOLLOW))
	}
}

// accessList is a POSIX ACL: user::rw-, user:WHO:r--, group::---, mask::r--, other::---.
func accessList(who uint32) []byte {
	b := []byte{2, 0, 0, 0}
	for _, e := range [][3]uint32{{1, 6, 1<<32 - 1}, {2, 4, who}, {4, 0, 1<<32 - 1}, {16, 4, 1<<32 - 1}, {32, 0, 1<<32 - 1}} {
		b = append(b, byte(e[0]), 0, byte(e[1]), 0, byte(e[2]), byte(e[2]>>8), byte(e[2]>>16), byte(e[2]>>24))
	}
	return b
}

func TestEverything(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	everything(t, dir)
	tr := keep(t, ventitest.NewMemory(), dir)
	for _, path := range []string{"", dir} {
		m := mountIt(t, mount.Config{Tree: tr, Path: path})
		got := m.dir
		if path == "" {
			got = m.at(dir)
		}
		same(t, dir, got)
		same(t, dir, got) // once more, as the kernel has it now
		if os.Geteuid() == 0 {
			if _, err := os.Open(filepath.Join(got, "char")); err == nil {
				t.Error("a device can be opened")
			}
		}
		for what, err := range map[string]error{
			"make": os.WriteFile(filepath.Join(got, "new"), nil, 0o644), "append": os.Truncate(filepath.Join(got, "small"), 0),
			"remove": os.Remove(filepath.Join(got, "small")), "mkdir": os.Mkdir(filepath.Join(got, "d"), 0o755),
			"attribute": unix.Setxattr(filepath.Join(got, "small"), "user.x", nil, 0),
		} {
			if err == nil {
				t.Errorf("%s: it can be changed", what)
			}
		}
		m.unmount()
	}
}

// inodes returns the inode number of every path below dir, as stat says, after checking that listings say the same.
func inodes(t testing.TB, dir string) map[string]uint64 {
	t.Helper()
	out := map[string]uint64{}
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		must(t, unix.Lstat(path, &st))
		rel, err := filepath.Rel(dir, path)
		out[rel] = st.Ino
		if e.IsDir() {
			for name, ino := range listed(t, path) {
				var st unix.Stat_t
				must(t, unix.Lstat(filepath.Join(path, name), &st))
				if st.Ino != ino {
					t.Errorf("%s in %s is listed as inode %d, and is %d", name, path, ino, st.Ino)
				}
			}
		}
		return err
	}))
	return out
}

// listed returns the inode numbers in a directory's listing.
func listed(t testing.TB, dir string) map[string]uint64 {
	t.Helper()
	f, err := os.Open(dir)
	must(t, err)
	defer f.Close()
	out := map[string]uint64{}
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Getdents(int(f.Fd()), buf)
		must(t, err)
		if n == 0 {
			return out
		}
		for b := buf[:n]; len(b) > 0; {
			size := int(b[16]) | int(b[17])<<8
			name, _, _ := strings.Cut(string(b[19:size]), "\x00")
			var ino uint64
			for i := range 8 {
				ino |= uint64(b[i]) << (8 * i)
			}
			if name != "." && name != ".." {
				out[name] = ino
			}
			b = b[size:]
		}
	}
}

func TestInodes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	everything(t, dir)
	store := ventitest.NewMemory()
	tr := keep(t, store, dir)
	var was map[string]uint64
	for range 2 {
		m := mountIt(t, mount.Config{Tree: tr, Path: dir})
		now := inodes(t, m.dir)
		if was != nil && !maps.Equal(was, now) {
			t.Error("inode numbers are others in another mount")
		}
		was = now
		m.unmount()
	}
	paths := map[uint64][]string{}
	for path, ino := range was {
		paths[ino] = append(paths[ino], path)
	}
	linked := 0
	for _, group := range paths {
		if len(group) > 1 {
			linked++
		}
	}
	if linked != 2 {
		t.Errorf("%d groups of hard links, not 2: %v", linked, paths)
	}
	s := newShelf(t, store)
	score := s.add(tr, "here", time.Now())
	m := mountIt(t, mount.Config{Snapshots: s})
	for _, view := range []string{"latest", "ids/" + score.String(), "hosts/here/latest"} {
		if !maps.Equal(was, inodes(t, m.at(view, dir))) {
			t.Errorf("inode numbers in %s are others", view)
		}
	}
	inodes(t, m.dir) // of the folders
}

func TestRefresh(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	write(t, filepath.Join(dir, "f"), []byte("one"))
	store := ventitest.NewMemory()
	s := newShelf(t, store)
	m := mountIt(t, mount.Config{Snapshots: s, Zone: time.UTC})
	if names := names(t, m.dir); !slices.Equal(names, []string{"dates", "hosts", "ids"}) {
		t.Errorf("without a snapshot there are %q", names)
	}
	at := time.Date(2026, 11, 21, 3, 7, 0, 0, time.UTC)
	one := s.add(keep(t, store, dir), "a", at)
	eventually(t, "there is a latest", func() bool { _, err := os.Stat(m.at("latest", dir, "f")); return err == nil })
	old, err := os.Open(m.at("latest", dir))
	must(t, err)
	defer old.Close()

	write(t, filepath.Join(dir, "f"), []byte("three"))
	two := s.add(keep(t, store, dir), "b", at.Add(10*time.Second))
	eventually(t, "latest is the newer one", func() bool {
		b, _ := os.ReadFile(m.at("latest", dir, "f"))
		return string(b) == "three"
	})
	for path, want := range map[string]string{"ids/" + one.String(): "one", "ids/" + two.String(): "three",
		"hosts/a/latest": "one", "hosts/b/latest": "three", "hosts/a/dates/2026/11/21/0307": "one",
		"dates/2026/11/21/0307": "one", "dates/2026/11/21/0307.1": "three"} {
		readAll(t, m.at(path, dir, "f"), []byte(want))
	}
	fd, err := unix.Openat(int(old.Fd()), "f", unix.O_RDONLY, 0)
	must(t, err)
	b := make([]byte, 10)
	if n, _ := unix.Read(fd, b); string(b[:n]) != "one" {
		t.Errorf("who was in latest before sees %q now", b[:n])
	}
	unix.Close(fd)

	// A list that cannot be read leaves what there was; a snapshot that leaves the list leaves the folders.
	list, _ := s.List(t.Context())
	s.set(list, unix.EIO)
	eventually(t, "the list is asked for, and cannot be read", func() bool {
		readAll(t, m.at("ids", one.String(), dir, "f"), []byte("one"))
		return s.failed() > 0
	})
	readAll(t, m.at("ids", one.String(), dir, "f"), []byte("one"))
	s.set(list[1:], nil)
	eventually(t, "the forgotten one is gone", func() bool { _, err := os.Stat(m.at("ids", one.String())); return os.IsNotExist(err) })
	if names := names(t, m.at("hosts")); !slices.Equal(names, []string{"b"}) {
		t.Errorf("hosts are %q", names)
	}
}

func names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestManyEntries(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	for i := range 5000 {
		write(t, filepath.Join(dir, "many", fmt.Sprintf("a file with a name of some length %d", i)), []byte{byte(i)})
	}
	for i := range 300 {
		write(t, filepath.Join(dir, "dirs", fmt.Sprint(i), "f"), []byte{byte(i)})
	}
	tr := keep(t, ventitest.NewMemory(), dir)
	m := mountIt(t, mount.Config{Tree: tr, Path: dir, Entries: 1}) // so that listings are read anew all the time
	for range 2 {
		same(t, dir, m.dir)
	}
}

// The programs that people point at a mount.
func TestPrograms(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	everything(t, dir)
	must(t, os.Remove(filepath.Join(dir, "fifo"))) // diff would read it
	git := func(args ...string) *exec.Cmd {
		cmd := exec.Command("git", append([]string{"-c", "user.name=n", "-c", "user.email=e", "-c", "safe.directory=*"}, args...)...)
		cmd.Dir = filepath.Join(dir, "repo")
		return cmd
	}
	write(t, filepath.Join(dir, "repo", "sub", "tracked"), []byte("tracked"))
	var hasGit bool
	if _, err := exec.LookPath("git"); err == nil {
		hasGit = true
		for _, args := range [][]string{{"init", "-q"}, {"add", "."}, {"commit", "-q", "-m", "m"}} {
			out, err := git(args...).CombinedOutput()
			if err != nil {
				t.Fatalf("git %v: %v %s", args, err, out)
			}
		}
	}
	tr := keep(t, ventitest.NewMemory(), dir)
	m := mountIt(t, mount.Config{Tree: tr, Path: dir})
	for _, c := range [][]string{
		{"diff", "-r", "--no-dereference", "-x", "char", "-x", "block", "-x", "socket", dir, m.dir},
		{"rsync", "-naiHAX", "--delete", dir + "/", m.dir + "/"},
		{"rsync", "-naicHAX", "--delete", m.dir + "/", dir + "/"},
		{"find", m.dir, "-newermt", "2100-01-01", "-size", "+100M"},
		{"sh", "-c", "tar -C " + m.dir + " -cf - --exclude=socket --exclude=mode000 . | tar -C " + dir + " -df -"},
		{"git", "-c", "safe.directory=*", "-C", m.at("repo"), "status", "--porcelain"},
	} {
		if _, err := exec.LookPath(c[0]); err != nil || c[0] == "git" && !hasGit {
			t.Logf("there is no %s here", c[0])
			continue
		}
		out, err := exec.Command(c[0], c[1:]...).CombinedOutput()
		if err != nil || len(out) > 0 {
			t.Errorf("%v: %v\n%s", c, err, out)
		}
	}
}

// Others see what their permissions and ACLs let them, and nothing at all without AllowOther.
func TestOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	dir := filepath.Join(t.TempDir(), "src")
	write(t, filepath.Join(dir, "open"), []byte("o"))
	write(t, filepath.Join(dir, "closed"), []byte("c"))
	write(t, filepath.Join(dir, "listed"), []byte("l"))
	must(t, os.Chmod(filepath.Join(dir, "closed"), 0o600))
	must(t, unix.Setxattr(filepath.Join(dir, "listed"), "system.posix_acl_access", accessList(4321), 0))
	tr := keep(t, ventitest.NewMemory(), dir)
	for _, c := range []struct {
		all  bool
		uid  uint32
		want string
	}{{true, 65534, "open"}, {true, 4321, "listed open"}, {true, 0, "closed listed open"}, {false, 65534, ""}} {
		m := mountIt(t, mount.Config{Tree: tr, Path: dir, AllowOther: c.all})
		for d := m.dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
			if d != m.dir {
				must(t, os.Chmod(d, 0o755))
			}
		}
		var can []string
		for _, name := range []string{"closed", "listed", "open"} {
			cmd := exec.Command("cat", m.at(name))
			cmd.Dir = "/"
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.uid, Gid: 65534}}
			if cmd.Run() == nil {
				can = append(can, name)
			}
		}
		if got := strings.Join(can, " "); got != c.want {
			t.Errorf("user %d with AllowOther %v can read %q, not %q", c.uid, c.all, got, c.want)
		}
		m.unmount()
	}
}
