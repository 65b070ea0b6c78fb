package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
)

// A handle is an open directory that several users share; the last one to release it closes it. All files are reached
// from their directory's handle, so that a path may be longer than the system takes, and a directory that is renamed
// during the walk stays the same one.
type handle struct {
	fd    int
	users atomic.Int32
}

func newHandle(fd int) *handle {
	h := &handle{fd: fd}
	h.users.Store(1)
	return h
}

func (h *handle) share() *handle {
	h.users.Add(1)
	return h
}

func (h *handle) release() {
	if h.users.Add(-1) == 0 {
		unix.Close(h.fd)
	}
}

// names lists the directory; what could be listed before an error is returned with it.
func (h *handle) names() ([]string, error) {
	fd, err := unix.FcntlInt(uintptr(h.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "directory")
	defer f.Close()
	return f.Readdirnames(-1)
}

func splitPath(path string) (dir, base string) {
	if path == "/" {
		return "/", "."
	}
	return filepath.Dir(path), filepath.Base(path)
}

func fstatat(h *handle, name string, st *unix.Stat_t) error {
	for {
		if err := unix.Fstatat(h.fd, name, st, unix.AT_SYMLINK_NOFOLLOW); err != unix.EINTR {
			return err
		}
	}
}

func readlinkat(h *handle, name string) (string, error) {
	buf := make([]byte, 4096)
	for {
		n, err := unix.Readlinkat(h.fd, name, buf)
		if err != nil {
			return "", err
		}
		if n < len(buf) {
			return string(buf[:n]), nil
		}
		buf = make([]byte, 2*len(buf))
	}
}

func fileType(st *unix.Stat_t) vac.Type { return vac.TypeOf(st.Mode) }

// procPath names a file without following it if it is a symbolic link, however long its path is.
func procPath(h *handle, name string) string { return fmt.Sprintf("/proc/self/fd/%d/%s", h.fd, name) }
