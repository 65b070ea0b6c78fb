package restore

import (
	"os"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
)

// A place is a file of the target as system calls name it: by an open descriptor, or, where fd is negative, by a name
// in an open directory; a link of that name is not followed.
type place struct {
	dir  int
	name string
	fd   int
}

// A status is what the file system says of a file.
type status struct {
	typ      vac.Type // 0 if it is none that a snapshot can hold
	mode     uint32   // as in vac.Dir
	uid, gid uint32
	dev, ino uint64
	rdev     uint64
	size     int64
	mtime    vac.Stamp
}

const (
	dirFlags  = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	readFlags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	makeFlags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
)

// again calls f until a signal does not interrupt it, and names the system call in its error.
func again(call string, f func() error) error {
	for {
		switch err := f(); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return os.NewSyscallError(call, err)
		}
	}
}

func openAt(dir int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags, mode)
		if err == nil {
			return fd, nil
		}
		if err != unix.EINTR {
			return -1, os.NewSyscallError("open", err)
		}
	}
}

// closeFD closes a descriptor through which nothing was written.
func closeFD(fd int) { _ = unix.Close(fd) }

func (p place) stat() (status, error) {
	var st unix.Stat_t
	err := again("stat", func() error {
		if p.fd >= 0 {
			return unix.Fstat(p.fd, &st)
		}
		return unix.Fstatat(p.dir, p.name, &st, unix.AT_SYMLINK_NOFOLLOW)
	})
	if err != nil {
		return status{}, err
	}
	return status{typ: vac.TypeOf(uint32(st.Mode)), mode: uint32(st.Mode) & 0o7777, uid: st.Uid, gid: st.Gid,
		dev: uint64(st.Dev), ino: st.Ino, rdev: uint64(st.Rdev), size: st.Size,
		mtime: vac.Stamp{Sec: int64(st.Mtim.Sec), Nsec: uint32(st.Mtim.Nsec)}}, nil
}

// chown sets owner and group; -1 leaves one as it is.
func (p place) chown(uid, gid int) error {
	return again("chown", func() error {
		if p.fd >= 0 {
			return unix.Fchown(p.fd, uid, gid)
		}
		return unix.Fchownat(p.dir, p.name, uid, gid, unix.AT_SYMLINK_NOFOLLOW)
	})
}

func (p place) chmod(mode uint32) error {
	return again("chmod", func() error {
		if p.fd >= 0 {
			return unix.Fchmod(p.fd, mode)
		}
		return chmodAt(p.dir, p.name, mode)
	})
}

// setTime sets the time of the last change and leaves that of the last access.
func (p place) setTime(s vac.Stamp) error {
	ts, err := unix.TimeToTimespec(s.Time())
	if err != nil {
		return os.NewSyscallError("utimens", err)
	}
	return again("utimens", func() error { return setTime(p, ts) })
}

// readLink returns the target of the symbolic link p, which has size bytes.
func (p place) readLink(size int64) (string, error) {
	buf := make([]byte, size+1)
	n := 0
	err := again("readlink", func() (err error) {
		n, err = unix.Readlinkat(p.dir, p.name, buf)
		return err
	})
	return string(buf[:max(n, 0)]), err
}

// unlink removes the file that name names in a directory; flags may be unix.AT_REMOVEDIR.
func unlink(dir int, name string, flags int) error {
	return again("unlink", func() error { return unix.Unlinkat(dir, name, flags) })
}

// readNames returns the names in a directory, in no order.
func readNames(dir int) ([]string, error) {
	fd, err := openAt(dir, ".", dirFlags, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "directory")
	defer f.Close()
	return f.Readdirnames(-1)
}

// write writes all of b at an offset.
func write(fd int, b []byte, off int64) error {
	for len(b) > 0 {
		n, err := unix.Pwrite(fd, b, off)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return os.NewSyscallError("write", err)
		case n == 0:
			return os.NewSyscallError("write", unix.EIO)
		}
		b, off = b[n:], off+int64(n)
	}
	return nil
}
