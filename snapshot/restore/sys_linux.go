package restore

import (
	"bytes"
	"errors"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// searchFlags open a directory in order to find names in it, which takes no permission to read it.
const searchFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// setTime calls utimensat; by descriptor it takes a null name, which package unix has no way to give.
func setTime(p place, mtime unix.Timespec) error {
	ts := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, mtime}
	if p.fd < 0 {
		return unix.UtimesNanoAt(p.dir, p.name, ts[:], unix.AT_SYMLINK_NOFOLLOW)
	}
	_, _, e := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(p.fd), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if e != 0 {
		return e
	}
	return nil
}

// chmodAt sets a mode without following a link. Kernels before 6.6 have no call for that; there it goes through /proc.
func chmodAt(dir int, name string, mode uint32) error {
	err := unix.Fchmodat(dir, name, mode, unix.AT_SYMLINK_NOFOLLOW)
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	return unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), mode)
}

func makeNode(dir int, name string, mode uint32, major, minor uint32) error {
	return unix.Mknodat(dir, name, mode, int(unix.Mkdev(major, minor)))
}

// proc returns a path that leads to p through its directory's descriptor. The l-variants of the attribute calls do not
// follow its last component.
func (p place) proc() string { return "/proc/self/fd/" + strconv.Itoa(p.dir) + "/" + p.name }

func (p place) setXattr(name, value string) error {
	b := unsafe.Slice(unsafe.StringData(value), len(value))
	return again("setxattr", func() error {
		if p.fd >= 0 {
			return unix.Fsetxattr(p.fd, name, b, 0)
		}
		return unix.Lsetxattr(p.proc(), name, b, 0)
	})
}

// removeXattr removes an attribute; one that is not there is no error.
func (p place) removeXattr(name string) error {
	err := again("removexattr", func() error {
		if p.fd >= 0 {
			return unix.Fremovexattr(p.fd, name)
		}
		return unix.Lremovexattr(p.proc(), name)
	})
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	return err
}

// xattr returns the value of an attribute, and whether there is one.
func (p place) xattr(name string) (string, bool, error) {
	b, err := p.grow("getxattr", func(b []byte) (int, error) {
		if p.fd >= 0 {
			return unix.Fgetxattr(p.fd, name, b)
		}
		return unix.Lgetxattr(p.proc(), name, b)
	})
	if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EOPNOTSUPP) {
		return "", false, nil
	}
	return string(b), err == nil, err
}

// xattrs returns the names of the attributes; a file system without any has none.
func (p place) xattrs() ([]string, error) {
	b, err := p.grow("listxattr", func(b []byte) (int, error) {
		if p.fd >= 0 {
			return unix.Flistxattr(p.fd, b)
		}
		return unix.Llistxattr(p.proc(), b)
	})
	if errors.Is(err, unix.EOPNOTSUPP) {
		return nil, nil
	}
	var names []string
	for name := range bytes.SplitSeq(b, []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, err
}

// grow calls read with a buffer that is large enough.
func (p place) grow(call string, read func([]byte) (int, error)) ([]byte, error) {
	for size := 256; ; size = 64 << 10 {
		buf := make([]byte, size)
		n := 0
		err := again(call, func() (err error) {
			n, err = read(buf)
			return err
		})
		if errors.Is(err, unix.ERANGE) && size == 256 {
			continue
		}
		return buf[:max(n, 0)], err
	}
}

// syncFS makes durable what was written to the file system of fd.
func syncFS(fd int) error { return unix.Syncfs(fd) }

// dropCache has the next reads of fd come from the disk. It is a hint.
func dropCache(fd int) { _ = unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) }

// device returns the number of a device as status has it.
func device(major, minor uint32) uint64 { return unix.Mkdev(major, minor) }

// startWriteback asks the kernel to begin writing a range to the disk and does not wait for it. It is a hint.
func startWriteback(fd int, off, n int64) {
	_ = unix.SyncFileRange(fd, off, n, unix.SYNC_FILE_RANGE_WRITE)
}

// giveBack tells the kernel that the first n bytes of a file need not be kept in memory. It is a hint, which passes over
// what is not on the disk yet.
func giveBack(fd int, n int64) {
	if n > 0 { // 0 would mean all of the file
		_ = unix.Fadvise(fd, 0, n, unix.FADV_DONTNEED)
	}
}
