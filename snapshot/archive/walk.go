package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
)

// An item is one step of the walk on its way to the assembler.
type item struct {
	step step
	path string
	dir  *vac.Dir // of enter, add and keep
	was  *vac.Dir // the parent's entry, if it has one
	old  vac.Content
	job  *job  // of add: content being read
	err  error // of fail
	what Change
}

type step byte

const (
	enter step = iota // a directory begins
	leave             // it ends
	add               // an entry, new or changed
	keep              // an entry as the parent has it
	drop              // an entry of the parent is gone
	fail              // something could not be archived
)

// A walker produces the items of a run in order.
type walker struct {
	*run
	out  chan<- item
	jobs chan<- *job
}

func (w *walker) emit(it item) error {
	select {
	case w.out <- it:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

func (w *walker) failed(path string, err error) error {
	return w.emit(item{step: fail, path: path, err: err})
}

// virtual walks a directory that leads to archived paths and is not archived itself. old is nil if the parent has none.
func (w *walker) virtual(n *node, path string, old *vac.Content) error {
	olds := w.oldEntries(old)
	defer olds.close()
	for _, kid := range n.kids {
		if err := olds.skipTo(w, kid.name); err != nil {
			return err
		}
		was := olds.take(kid.name)
		full := path + "/" + kid.name
		if kid.path != "" {
			if err := w.start(kid, full, was); err != nil {
				return err
			}
			continue
		}
		it := item{step: enter, path: full, dir: &vac.Dir{Name: kid.name, Type: vac.Directory, Mode: 0o755, Links: 1}}
		var content *vac.Content
		if was != nil {
			it.was = was
			if was.Type == vac.Directory {
				content = &was.Content
				it.old = *content
			}
		}
		if err := w.emit(it); err != nil {
			return err
		}
		if err := w.virtual(kid, full, content); err != nil {
			return err
		}
		if err := w.emit(item{step: leave}); err != nil {
			return err
		}
	}
	return olds.skipTo(w, "")
}

// start walks one of the paths that are archived.
func (w *walker) start(n *node, path string, was *vac.Dir) error {
	parent, base := splitPath(n.path)
	fd, err := unix.Open(parent, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return w.failed(n.path, pathError("open", parent, err))
	}
	h := newHandle(fd)
	defer h.release()
	var st unix.Stat_t
	if err := fstatat(h, base, &st); err != nil {
		return w.failed(n.path, pathError("lstat", n.path, err))
	}
	return w.visit(h, base, path, &st, uint64(st.Dev), was)
}

// directory walks what is in the open directory h. dev is the file system of the archived path that it lies in.
func (w *walker) directory(h *handle, path string, dev uint64, old *vac.Content) error {
	names, err := h.names()
	if err != nil {
		if err := w.failed(path, pathError("list", path, err)); err != nil {
			return err
		}
	}
	ex := w.cfg.Exclude.enter(h, path, names)
	slices.Sort(names)
	olds := w.oldEntries(old)
	defer olds.close()
	var st unix.Stat_t
	for _, name := range names {
		full := path + "/" + name
		if err := fstatat(h, name, &st); err != nil {
			if err := w.failed(full, pathError("lstat", full, err)); err != nil {
				return err
			}
			continue
		}
		isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
		if ex.excluded(full, name, isDir) {
			continue
		}
		if err := olds.skipTo(w, name); err != nil {
			return err
		}
		if err := w.visit(h, name, full, &st, dev, olds.take(name)); err != nil {
			return err
		}
	}
	return olds.skipTo(w, "")
}

// visit emits the items of one file, with all that is below it.
func (w *walker) visit(h *handle, name, path string, st *unix.Stat_t, dev uint64, was *vac.Dir) error {
	w.cfg.Progress.Current.Store(&path)
	same := was != nil && w.unchanged(was, st)
	if same && was.Type != vac.Directory {
		return w.emit(item{step: keep, path: path, dir: was, was: was, what: Unchanged})
	}
	d, err := w.toDir(name, st)
	if err != nil {
		return w.lost(item{path: path, was: was}, err)
	}
	if d.Type == vac.Directory {
		return w.enter(h, name, path, d, uint64(st.Dev) != dev, dev, was, same)
	}
	it := item{step: add, path: path, dir: d, was: was}
	if d.Type != vac.File {
		if err := w.metadata(h, name, path, d); err != nil {
			return w.lost(it, err)
		}
		return w.emit(it)
	}
	it.job = &job{at: h.share(), name: name, path: path, dir: d, stat: *st, done: make(chan struct{})}
	select {
	case w.jobs <- it.job:
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
	return w.emit(it)
}

// enter walks a directory with all that is below it. foreign says that it lies on another file system.
func (w *walker) enter(h *handle, name, path string, d *vac.Dir, foreign bool, dev uint64, was *vac.Dir, same bool) error {
	it := item{step: enter, path: path, dir: d, was: was}
	var old *vac.Content
	if was != nil && was.Type == vac.Directory {
		old = &was.Content
		it.old = *old
	}
	fd, err := unix.Openat(h.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	var sub *handle
	if err == nil {
		sub = newHandle(fd)
		defer sub.release()
	} else if err := w.failed(path, pathError("open", path, err)); err != nil {
		return err
	}
	switch {
	case same && sub != nil:
		unchanged := *was // with its attributes
		it.dir = &unchanged
	case sub != nil:
		if d.Xattrs, err = fdXattrs(sub.fd); err != nil {
			if err := w.failed(path, pathError("read attributes of", path, err)); err != nil {
				return err
			}
		}
	}
	if err := w.emit(it); err != nil {
		return err
	}
	if sub != nil && !(foreign && w.cfg.OneFileSystem) {
		if err := w.directory(sub, path, dev, old); err != nil {
			return err
		}
	} else if old != nil && old.Kind != vac.Empty {
		if err := w.emit(item{step: drop}); err != nil {
			return err
		}
	}
	return w.emit(item{step: leave})
}

// lost emits a failure in the place of it.
func (w *walker) lost(it item, err error) error {
	it.step, it.err = fail, err
	return w.emit(it)
}

// unchanged reports whether the parent's entry d still describes the file with st, whose content need not be read.
func (w *walker) unchanged(d *vac.Dir, st *unix.Stat_t) bool {
	if w.cfg.Force || !d.ChangeTime.Before(w.trusted) || d.Type != fileType(st) ||
		d.Inode != st.Ino || d.ModTime != stampOf(st.Mtim) || d.ChangeTime != stampOf(st.Ctim) ||
		d.Mode != uint32(st.Mode)&0o7777 || d.UID != st.Uid || d.GID != st.Gid || d.Device != w.device(uint64(st.Dev)) {
		return false
	}
	if d.Type != vac.File {
		return true
	}
	if d.Size != st.Size || d.Links != uint32(st.Nlink) {
		return false
	}
	return d.Content.Kind != vac.Sliced || !w.leftBehind(d)
}

// leftBehind reports whether the shared block of d is to be left behind, because the parent used less than half of it.
func (w *walker) leftBehind(d *vac.Dir) bool {
	return sparse(w.old, d.Content.Slice.Block.Score)
}

// toDir makes the record of a file, without attributes and content.
func (w *walker) toDir(name string, st *unix.Stat_t) (*vac.Dir, error) {
	t := fileType(st)
	if t == 0 {
		return nil, fmt.Errorf("file of unknown type %#o", st.Mode&unix.S_IFMT)
	}
	d := &vac.Dir{Name: name, Type: t, Mode: uint32(st.Mode) & 0o7777, UID: st.Uid, GID: st.Gid,
		ModTime: stampOf(st.Mtim), ChangeTime: stampOf(st.Ctim),
		Device: w.device(uint64(st.Dev)), Inode: st.Ino, Links: 1}
	d.User, d.Group = w.owners.names(st.Uid, st.Gid)
	if t != vac.Directory {
		d.Links = uint32(max(st.Nlink, 1))
	}
	if t == vac.CharDevice || t == vac.BlockDevice {
		d.Major, d.Minor = unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev))
	}
	return d, nil
}

// device numbers file systems in the order in which the walk meets them, so that a number does not change when a disk
// gets another one.
func (w *walker) device(dev uint64) uint32 {
	n, ok := w.devices[dev]
	if !ok {
		n = uint32(len(w.devices))
		w.devices[dev] = n
	}
	return n
}

// metadata fills in what only a file that is no regular file has.
func (w *walker) metadata(h *handle, name, path string, d *vac.Dir) (err error) {
	if d.Type == vac.Symlink {
		if d.Target, err = readlinkat(h, name); err != nil {
			return pathError("read link", path, err)
		}
	}
	if d.Xattrs, err = nameXattrs(h, name); err != nil {
		return pathError("read attributes of", path, err)
	}
	return nil
}

// oldEntries gives the entries of a directory of the parent in step with the walk.
type oldEntries struct {
	es   *vac.Entries
	next *vac.Dir
}

func (w *walker) oldEntries(c *vac.Content) *oldEntries {
	if c == nil || w.cfg.Parent == nil {
		return &oldEntries{}
	}
	return &oldEntries{es: vac.NewEntries(w.ctx, w.cfg.Parent.Source(), *c)}
}

// skipTo passes over the entries before name, which are not in the file system any more; with "" over all that are
// left. A parent that cannot be read any further is reported, and all that it would have had counts as new.
func (o *oldEntries) skipTo(w *walker, name string) error {
	for o.es != nil {
		if o.next == nil {
			d, err := o.es.Next()
			if err != nil {
				o.close()
				if err == io.EOF || errors.Is(err, context.Canceled) {
					return w.ctx.Err()
				}
				if err := w.emit(item{step: drop}); err != nil {
					return err
				}
				return w.failed("(parent snapshot)", err)
			}
			o.next = d
		}
		if name != "" && o.next.Name >= name {
			return nil
		}
		o.next = nil
		if err := w.emit(item{step: drop}); err != nil {
			return err
		}
	}
	return nil
}

// take returns the entry called name, if it is the next one.
func (o *oldEntries) take(name string) *vac.Dir {
	e := o.next
	if e == nil || e.Name != name {
		return nil
	}
	o.next = nil
	return e
}

func (o *oldEntries) close() {
	if o.es != nil {
		o.es.Close()
		o.es = nil
	}
}

func pathError(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }

func stampOf(t unix.Timespec) vac.Stamp { return vac.Stamp{Sec: t.Sec, Nsec: uint32(t.Nsec)} }
