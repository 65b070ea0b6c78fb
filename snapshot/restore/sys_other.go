//go:build !linux

package restore

import (
	"os"

	"golang.org/x/sys/unix"
)

const searchFlags = dirFlags

func setTime(p place, mtime unix.Timespec) error {
	if p.fd < 0 {
		return unix.UtimesNanoAt(p.dir, p.name, []unix.Timespec{mtime, mtime}, unix.AT_SYMLINK_NOFOLLOW)
	}
	sec, nsec := mtime.Unix()
	tv := unix.NsecToTimeval(sec*1e9 + nsec)
	return unix.Futimes(p.fd, []unix.Timeval{tv, tv})
}

func chmodAt(dir int, name string, mode uint32) error {
	return unix.Fchmodat(dir, name, mode, unix.AT_SYMLINK_NOFOLLOW)
}

func makeNode(int, string, uint32, uint32, uint32) error { return unix.EOPNOTSUPP }

func (p place) setXattr(string, string) error {
	return os.NewSyscallError("setxattr", unix.EOPNOTSUPP)
}

func (p place) removeXattr(string) error { return nil }

func (p place) xattr(string) (string, bool, error) { return "", false, nil }

func (p place) xattrs() ([]string, error) { return nil, nil }

func syncFS(int) error { return unix.Sync() }

func dropCache(int) {}

func device(major, minor uint32) uint64 { return unix.Mkdev(major, minor) }

func startWriteback(int, int64, int64) {}

func giveBack(int, int64) {}
