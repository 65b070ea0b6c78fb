package restore

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
)

// A writer is the pass that restores.
type writer struct{ *run }

func (writer) prefetches() {}

// enter makes the directory f or opens the one that is there.
func (w writer) enter(_ context.Context, f *folder) bool {
	if f.parent != nil {
		if err := w.open(f); err != nil {
			w.refuse(Create, f, "", err)
			return false
		}
	}
	st, err := place{fd: f.fd}.stat()
	if err != nil {
		w.fail(Create, f, "", err)
		return false
	}
	f.dev, f.ino = st.dev, st.ino
	if f.was == 0 {
		f.was = st.mode
	}
	if !w.who.root && st.uid == w.who.uid && st.mode&0o700 != 0o700 {
		if err := (place{fd: f.fd}).chmod(st.mode | 0o700); err != nil {
			w.fail(Create, f, "", err)
			return false
		}
	}
	if f.fresh && f.parent != nil {
		f.inherits = f.parent.inherits
	} else if _, f.inherits, err = (place{fd: f.fd}).xattr(aclDefault); err != nil {
		w.fail(Attribute, f, "", err)
	}
	if !f.fresh && w.cfg.Delete && !f.plain {
		w.note(f)
	}
	w.done.Dirs.Add(1)
	return true
}

// open makes and opens f in its parent.
func (w writer) open(f *folder) error {
	dir, mode := f.parent.fd, uint32(0o700)
	if f.plain {
		mode = 0o755
	}
	make := func() error {
		err := again("mkdir", func() error { return unix.Mkdirat(dir, f.name, mode) })
		f.fresh = err == nil
		return err
	}
	err := make()
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f.fd, err = openAt(dir, f.name, dirFlags, 0)
	switch {
	case errors.Is(err, unix.EACCES) && !w.who.root:
		p := place{dir: dir, name: f.name, fd: -1}
		st, e := p.stat()
		if e != nil || st.typ != vac.Directory {
			return err
		}
		if e := p.chmod(0o700); e != nil {
			return err
		}
		f.was = st.mode
		f.fd, err = openAt(dir, f.name, dirFlags, 0)
	case errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP):
		if w.cfg.Overwrite != Always {
			return errInTheWay
		}
		if err := unlink(dir, f.name, 0); err != nil {
			return err
		}
		if err := make(); err != nil {
			return err
		}
		f.fd, err = openAt(dir, f.name, dirFlags, 0)
	}
	return err
}

// refuse counts that name in f could not be made, and ends everything if nothing else can be made either.
func (w writer) refuse(kind Kind, f *folder, name string, err error) {
	w.fail(kind, f, name, err)
	w.left.add(f, name)
	if isFatal(err) {
		w.fatal("write", f, name, err)
	}
}

// finish removes what should not be in f, and gives f its metadata.
func (w writer) finish(ctx context.Context, f *folder, fd int) {
	if fd < 0 {
		return // what closed it has been reported
	}
	w.prune(ctx, f, fd)
	switch {
	case f.plain || !f.fresh && (!f.wanted || w.cfg.Overwrite == Never):
		if st, err := (place{fd: fd}).stat(); err == nil && st.mode != f.was && !f.fresh {
			if err := (place{fd: fd}).chmod(f.was); err != nil {
				w.fail(Mode, f, "", err)
			}
		}
	default:
		w.apply(place{fd: fd}, f, "", f.dir, f.fresh)
		w.dirs.Add(1)
	}
}

// entry restores d in f.
func (w writer) entry(ctx context.Context, f *folder, d *vac.Dir) {
	var kept bool
	var err error
	if d.Linked() {
		kept, err = w.linked(ctx, f, d)
	} else {
		kept, err = w.put(ctx, f, d)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return
	case err != nil:
		w.refuse(kindOf(err), f, d.Name, err)
	case kept:
		w.skipped.Add(1)
		w.left.add(f, d.Name)
		w.done.Bytes.Add(d.Size)
	default:
		w.files.Add(1)
		w.bytes.Add(d.Size)
	}
	w.done.Files.Add(1)
}

// put makes d in f under its name, unless what is there may stay. If something is in the way, or d does not fit one
// write, it is made under a temporary name first.
func (w writer) put(ctx context.Context, f *folder, d *vac.Dir) (kept bool, err error) {
	free := f.fresh
	if !free {
		st, err := place{dir: f.fd, name: d.Name, fd: -1}.stat()
		if free = errors.Is(err, fs.ErrNotExist); !free {
			if err != nil {
				return false, err
			}
			if w.keeps(f, d, st) {
				if w.cfg.Overwrite == IfChanged {
					w.apply(place{dir: f.fd, name: d.Name, fd: -1}, f, d.Name, d, false)
				}
				return true, nil
			}
		}
	}
	if free && d.Content.Kind != vac.Stream {
		err := w.create(ctx, f, d, d.Name)
		if errors.Is(err, fs.ErrExist) {
			err = errTwice
		}
		return false, err
	}
	tmp := w.temps.name()
	if err := w.create(ctx, f, d, tmp); err != nil {
		return false, err
	}
	return false, w.install(ctx, f, tmp, d.Name, free)
}

// create makes d under a name that is free. After an error there is nothing under it.
func (w writer) create(ctx context.Context, f *folder, d *vac.Dir, name string) (err error) {
	if d.Type == vac.File {
		return w.file(ctx, f, d, name)
	}
	switch d.Type {
	case vac.Symlink:
		err = again("symlink", func() error { return unix.Symlinkat(d.Target, f.fd, name) })
	default:
		err = again("mknod", func() error {
			return makeNode(f.fd, name, d.Type.Format()|d.Mode&0o777, d.Major, d.Minor)
		})
	}
	if err == nil {
		w.apply(place{dir: f.fd, name: name, fd: -1}, f, d.Name, d, true)
	}
	return err
}

// install gives what stands under a temporary name its own name, in the place of what is there.
func (w writer) install(ctx context.Context, f *folder, tmp, name string, free bool) error {
	rename := func() error {
		return again("rename", func() error { return unix.Renameat(f.fd, tmp, f.fd, name) })
	}
	err := rename()
	if err != nil && !free && isDirError(err) {
		if err = w.clear(ctx, f, name); err == nil {
			err = rename()
		}
	}
	if err != nil {
		_ = unlink(f.fd, tmp, 0) // the first error counts
	}
	return err
}

// clear removes the directory that is in the way of name.
func (w writer) clear(ctx context.Context, f *folder, name string) error {
	err := unlink(f.fd, name, unix.AT_REMOVEDIR)
	if err == nil {
		return nil
	}
	if !w.cfg.Delete {
		return errDirThere
	}
	n, err := removeAll(ctx, f.fd, name, f.dev)
	w.deleted.Add(n)
	return err
}

func isDirError(err error) bool {
	return errors.Is(err, unix.EISDIR) || errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, os.ErrExist)
}
