package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A property is one thing that a restored tree must have. set makes it in the folder that is kept, seen reads it from a
// tree; what is seen in the source must be seen in the restored tree.
type property struct {
	name string
	root bool // can be made by root alone
	set  func(f *folder)
	seen func(f *folder) string
}

// A folder is a tree under test.
type folder struct {
	t   *testing.T
	dir string
}

func (f *folder) at(name string) string { return filepath.Join(f.dir, name) }

func (f *folder) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *folder) file(name, content string) {
	f.t.Helper()
	f.must(os.MkdirAll(filepath.Dir(f.at(name)), 0o755))
	f.must(os.WriteFile(f.at(name), []byte(content), 0o644))
}

func (f *folder) stat(name string) (st unix.Stat_t) {
	f.t.Helper()
	f.must(unix.Lstat(f.at(name), &st))
	return st
}

// contents returns type and content of a file.
func contents(name string) func(*folder) string {
	return func(f *folder) string {
		b, err := os.ReadFile(f.at(name))
		f.must(err)
		return string(b)
	}
}

func modeOf(name string) func(*folder) string {
	return func(f *folder) string { return fmt.Sprintf("%o", f.stat(name).Mode) }
}

func mtime(name string) func(*folder) string {
	return func(f *folder) string {
		st := f.stat(name)
		return fmt.Sprintf("%d.%09d", st.Mtim.Sec, st.Mtim.Nsec)
	}
}

func ownerOf(name string) func(*folder) string {
	return func(f *folder) string { st := f.stat(name); return fmt.Sprintf("%d:%d", st.Uid, st.Gid) }
}

func device(name string) func(*folder) string {
	return func(f *folder) string { st := f.stat(name); return fmt.Sprintf("%o %x", st.Mode, st.Rdev) }
}

func xattr(name, attr string) func(*folder) string {
	return func(f *folder) string {
		b := make([]byte, 4096)
		n, err := unix.Lgetxattr(f.at(name), attr, b)
		f.must(err)
		return fmt.Sprintf("%q", b[:n])
	}
}

func target(name string) func(*folder) string {
	return func(f *folder) string {
		s, err := os.Readlink(f.at(name))
		f.must(err)
		return s
	}
}

// touch sets the mtime of a file, not following links.
func touch(name string, sec int64) func(*folder) {
	return func(f *folder) {
		ts := []unix.Timespec{{Sec: sec, Nsec: 987654321}, {Sec: sec, Nsec: 987654321}}
		f.must(unix.UtimesNanoAt(unix.AT_FDCWD, f.at(name), ts, unix.AT_SYMLINK_NOFOLLOW))
	}
}

func setxattr(name, attr, value string) func(*folder) {
	return func(f *folder) { f.must(unix.Lsetxattr(f.at(name), attr, []byte(value), 0)) }
}

func put(name, content string) func(*folder) {
	return func(f *folder) { f.file(name, content) }
}

// fileNamed is the property that a file of this name comes back.
func fileNamed(what, name string) property {
	return property{name: what, set: put(name, "content of it"), seen: contents(name)}
}

const (
	aclUser       = "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x04\x00\xd2\x04\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff\x10\x00\x06\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff"
	netBind       = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	before1970    = -86400 * 365 * 20
	after2099     = 4200000000
	sparseSize    = 16 << 20
	longComponent = "a component of a path that is much longer than those that people use, so that forty are over the limit"
)

// inDepth calls do in the directory that lies forty long components below dir, making them if make is set.
func inDepth(f *folder, create bool, do func(fd int)) {
	fd, err := unix.Open(f.dir, unix.O_DIRECTORY|unix.O_RDONLY, 0)
	f.must(err)
	for range 40 {
		if create {
			f.must(unix.Mkdirat(fd, longComponent, 0o755))
		}
		next, err := unix.Openat(fd, longComponent, unix.O_DIRECTORY|unix.O_RDONLY, 0)
		unix.Close(fd)
		f.must(err)
		fd = next
	}
	defer unix.Close(fd)
	do(fd)
}

// properties are the 37 that backup programs were compared by, and which each of them loses some of.
func properties() []property {
	return []property{
		{name: "content", set: put("plain", strings.Repeat("content\n", 1000)), seen: contents("plain")},
		{name: "hard links", set: func(f *folder) {
			f.file("links/a", "linked")
			f.must(os.Link(f.at("links/a"), f.at("links/b")))
		}, seen: func(f *folder) string {
			a, b := f.stat("links/a"), f.stat("links/b")
			return fmt.Sprint(a.Ino == b.Ino, a.Nlink)
		}},
		{name: "symlink", set: func(f *folder) { f.must(os.Symlink("plain", f.at("symlink"))) }, seen: target("symlink")},
		{name: "dangling symlink", set: func(f *folder) { f.must(os.Symlink("/no/where", f.at("dangling"))) }, seen: target("dangling")},
		{name: "mtime of a symlink", set: touch("symlink", 1500000000), seen: mtime("symlink")},
		{name: "nanosecond mtime of a file", set: touch("plain", 1600000000), seen: mtime("plain")},
		{name: "mtime of a directory", set: touch("links", 1400000000), seen: mtime("links")},
		{name: "mtime before 1970", set: func(f *folder) { f.file("old", "o"); touch("old", before1970)(f) }, seen: mtime("old")},
		{name: "mtime after 2099", set: func(f *folder) { f.file("far", "f"); touch("far", after2099)(f) }, seen: mtime("far")},
		{name: "owner", root: true, set: func(f *folder) { f.file("owned", "o"); f.must(os.Lchown(f.at("owned"), 1234, 4321)) }, seen: ownerOf("owned")},
		{name: "owner of a symlink", root: true, set: func(f *folder) { f.must(os.Lchown(f.at("symlink"), 1234, 4321)) }, seen: ownerOf("symlink")},
		{name: "mode", set: func(f *folder) { f.file("mode", "m"); f.must(unix.Chmod(f.at("mode"), 0o751)) }, seen: modeOf("mode")},
		{name: "setuid and setgid", set: func(f *folder) { f.file("suid", "s"); f.must(unix.Chmod(f.at("suid"), 0o6755)) }, seen: modeOf("suid")},
		{name: "sticky", set: func(f *folder) { f.must(os.Mkdir(f.at("tmp"), 0o755)); f.must(unix.Chmod(f.at("tmp"), 0o1777)) }, seen: modeOf("tmp")},
		{name: "mode 000", root: true, set: func(f *folder) { f.file("closed", "c"); f.must(unix.Chmod(f.at("closed"), 0)) }, seen: modeOf("closed")},
		{name: "fifo", set: func(f *folder) { f.must(unix.Mkfifo(f.at("fifo"), 0o640)) }, seen: modeOf("fifo")},
		{name: "character device", root: true, set: func(f *folder) { f.must(unix.Mknod(f.at("char"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))) }, seen: device("char")},
		{name: "block device", root: true, set: func(f *folder) {
			f.must(unix.Mknod(f.at("block"), unix.S_IFBLK|0o600, int(unix.Mkdev(259, 70000))))
		}, seen: device("block")},
		{name: "socket", set: func(f *folder) { f.must(unix.Mknod(f.at("socket"), unix.S_IFSOCK|0o666, 0)) }, seen: modeOf("socket")},
		{name: "user attribute", set: setxattr("plain", "user.text", "value"), seen: xattr("plain", "user.text")},
		{name: "binary attribute", set: setxattr("plain", "user.binary", "\x00\xff\n="), seen: xattr("plain", "user.binary")},
		{name: "trusted attribute", root: true, set: setxattr("plain", "trusted.t", "secret"), seen: xattr("plain", "trusted.t")},
		{name: "attribute of a directory", set: setxattr("links", "user.dir", "d"), seen: xattr("links", "user.dir")},
		{name: "access ACL", set: func(f *folder) { f.file("acl", "a"); setxattr("acl", "system.posix_acl_access", aclUser)(f) }, seen: xattr("acl", "system.posix_acl_access")},
		{name: "default ACL", set: setxattr("tmp", "system.posix_acl_default", aclUser), seen: xattr("tmp", "system.posix_acl_default")},
		{name: "capability", root: true, set: func(f *folder) { f.file("cap", "c"); setxattr("cap", "security.capability", netBind)(f) }, seen: xattr("cap", "security.capability")},
		{name: "holes are kept", set: func(f *folder) {
			f.file("sparse", "begin")
			f.must(os.Truncate(f.at("sparse"), sparseSize))
		}, seen: func(f *folder) string { return fmt.Sprint(f.stat("sparse").Blocks < 64) }},
		{name: "content of a sparse file", set: func(f *folder) {
			fd, err := os.OpenFile(f.at("sparse"), os.O_WRONLY, 0)
			f.must(err)
			_, err = fd.WriteAt([]byte("in the middle"), sparseSize/2)
			f.must(err)
			f.must(fd.Close())
		}, seen: contents("sparse")},
		fileNamed("newline in a name", "a\nb"),
		fileNamed("a name that is no UTF-8", "caf\xe9\xff"),
		fileNamed("spaces in a name", "  two  and a tail "),
		fileNamed("quotes and globs in a name", `'"*?[a]\`),
		fileNamed("a name of 255 bytes", strings.Repeat("x", 255)),
		{name: "empty directory", set: func(f *folder) { f.must(os.Mkdir(f.at("nothing"), 0o750)) }, seen: modeOf("nothing")},
		{name: "empty file", set: put("empty", ""), seen: contents("empty")},
		{name: "a path of 40 long components", set: func(f *folder) {
			inDepth(f, true, func(fd int) {
				n, err := unix.Openat(fd, "deep", unix.O_CREAT|unix.O_WRONLY, 0o644)
				f.must(err)
				_, err = unix.Write(n, []byte("deep down"))
				f.must(err)
				unix.Close(n)
			})
		}, seen: func(f *folder) (s string) {
			inDepth(f, false, func(fd int) {
				n, err := unix.Openat(fd, "deep", unix.O_RDONLY, 0)
				f.must(err)
				b := make([]byte, 100)
				k, err := unix.Read(n, b)
				f.must(err)
				unix.Close(n)
				s = string(b[:k])
			})
			return s
		}},
		{name: "mtime of the root directory", set: touch("", 1300000000), seen: mtime("")},
	}
}

// removeDeep removes a tree whose paths are longer than the system takes, which os.RemoveAll can and t.TempDir relies
// on; it is here so that a failure shows where it happens.
func removeDeep(t *testing.T, dir string) {
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
}

// makeProperties makes in src all that is looked at, and returns it.
func makeProperties(src *folder) []property {
	src.t.Helper()
	removeDeep(src.t, src.dir)
	src.must(os.Mkdir(src.dir, 0o755))
	root := os.Geteuid() == 0
	props := properties()
	if len(props) != 37 {
		src.t.Fatalf("%d properties, not 37", len(props))
	}
	for i := range props {
		p := &props[i]
		p.set = onlyIf(root || !p.root, p.set)
	}
	// Times go last, for what is made later changes them.
	for _, times := range []bool{false, true} {
		for _, p := range props {
			if strings.Contains(p.name, "mtime") == times {
				p.set(src)
			}
		}
	}
	return props
}

// sameProperties checks that what is seen in src is seen in out.
func sameProperties(t *testing.T, props []property, src, out *folder) {
	for _, p := range props {
		t.Run(p.name, func(t *testing.T) {
			if p.root && os.Geteuid() != 0 {
				t.Skip("only root can make this")
			}
			want, got := p.seen(&folder{t, src.dir}), p.seen(&folder{t, out.dir})
			if !bytes.Equal([]byte(want), []byte(got)) {
				t.Errorf("was %.100q, came back as %.100q", want, got)
			}
		})
	}
}

func TestFidelity(t *testing.T) {
	m := newMachine(t)
	src, out := &folder{t, filepath.Join(m.dir, "src")}, &folder{t, filepath.Join(m.dir, "out")}
	removeDeep(t, out.dir)
	props := makeProperties(src)
	begin := time.Now()
	score := m.must("backup", "-q", src.dir)
	m.must("restore", "-q", score+src.dir, "--target", out.dir)
	t.Logf("kept and brought back in %v", time.Since(begin))
	sameProperties(t, props, src, out)
}

func onlyIf(ok bool, set func(*folder)) func(*folder) {
	if ok {
		return set
	}
	return func(*folder) {}
}
