package restore

import (
	"errors"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
)

// coldDepth is the depth below which a folder's descriptor is closed while the walk is in a directory below it, so that
// a tree may be deeper than descriptors may be many.
const coldDepth = 64

// A folder is a directory of the target on its way through a traversal.
type folder struct {
	parent *folder // nil for the target itself
	name   string
	depth  int
	parts  []string // components of its path for the filter, if there is one

	dir    *vac.Dir // what it is in the snapshot
	plain  bool     // the snapshot knows nothing about it but its name; dir says nothing else
	wanted bool     // it is restored itself, not just on the way to something that is

	// The walk sets these before any entry is passed on.
	made     bool // it has been entered
	failed   bool // it could not be entered; everything below is passed over
	broken   bool // its entries could not all be read
	fresh    bool // it was made by this run
	inherits bool // the file system gives what is made in it an ACL
	missing  bool // in a dry run: it is not there
	was      uint32
	dev, ino uint64
	extras   map[string]struct{} // names in the target that the snapshot has not shown yet; nil if nobody wants to know

	// mu protects the following. While users > 0 and not cold, fd is open; once users is 0, it is closed for good.
	mu    sync.Mutex
	fd    int
	users int // batches under way in it, and one for the walk
	cold  bool
}

// isPlain reports whether d is a directory that was not walked, but leads to one that was.
func isPlain(d *vac.Dir) bool {
	return d.Type == vac.Directory && d.ModTime == vac.Stamp{} && d.ChangeTime == vac.Stamp{} && d.Inode == 0
}

// child returns the folder for the entry d of f; it is not entered yet.
func (f *folder) child(d *vac.Dir, filtered bool) *folder {
	c := &folder{parent: f, name: d.Name, depth: f.depth + 1, dir: d, plain: isPlain(d), wanted: true, fd: -1, users: 1}
	if filtered {
		c.parts = f.join(d.Name)
	}
	return c
}

// join returns the components of the path of name in f.
func (f *folder) join(name string) []string { return append(f.parts[:len(f.parts):len(f.parts)], name) }

// path returns the path of f below the target, and of name in it if that is not "". It begins with a slash.
func (f *folder) path(name string) string {
	var names []string
	if name != "" {
		names = append(names, name)
	}
	for ; f.parent != nil; f = f.parent {
		names = append(names, f.name)
	}
	var b strings.Builder
	for i := len(names) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(names[i])
	}
	return b.String()
}

// hold keeps f open for one more user.
func (f *folder) hold() {
	f.mu.Lock()
	f.users++
	f.mu.Unlock()
}

// release ends what hold began. After the last one it returns f's descriptor, which the caller closes.
func (f *folder) release() (fd int, last bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users--
	switch {
	case f.users == 0:
		fd, f.fd = f.fd, -1
		return fd, true
	case f.users == 1 && f.cold:
		f.close()
	}
	return -1, false
}

// close closes the descriptor; mu is held.
func (f *folder) close() {
	if f.fd >= 0 {
		closeFD(f.fd)
		f.fd = -1
	}
}

// cool lets f be closed while the walk is below it.
func (f *folder) cool() {
	if f.depth < coldDepth || !f.made {
		return
	}
	f.mu.Lock()
	f.cold = true
	if f.users == 1 {
		f.close()
	}
	f.mu.Unlock()
}

var errMoved = errors.New("directory was moved while it was being restored")

// warm opens f again, from its child, which is open.
func (f *folder) warm(child *folder) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cold = false
	if f.fd >= 0 || !f.made || f.missing {
		return nil
	}
	if child.fd < 0 {
		return errMoved
	}
	fd, err := openAt(child.fd, "..", dirFlags, 0)
	if err != nil {
		return err
	}
	if st, err := (place{fd: fd}).stat(); err != nil || st.dev != f.dev || st.ino != f.ino {
		closeFD(fd)
		return errMoved
	}
	f.fd = fd
	return nil
}

// reach returns a descriptor through which names in f can be found, and what closes it. It opens f again, from the
// target down, if it is closed.
func (f *folder) reach(target int) (fd int, done func(), err error) {
	f.mu.Lock()
	if f.fd >= 0 {
		if fd, err = unix.FcntlInt(uintptr(f.fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			f.mu.Unlock()
			return -1, nil, err
		}
		f.mu.Unlock()
		return fd, func() { closeFD(fd) }, nil
	}
	f.mu.Unlock()
	if f.parent == nil {
		return target, func() {}, nil
	}
	names := strings.Split(f.path("")[1:], "/")
	fd = target
	for _, name := range names {
		next, err := openAt(fd, name, searchFlags, 0)
		if fd != target {
			closeFD(fd)
		}
		if err != nil {
			return -1, nil, err
		}
		fd = next
	}
	return fd, func() { closeFD(fd) }, nil
}
