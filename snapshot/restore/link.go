package restore

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
)

// links finds the entries of a snapshot that were one file.
type links struct {
	mu     sync.Mutex // protects groups
	groups map[linkKey]*linkGroup
}

type linkKey struct {
	device uint32
	inode  uint64
	typ    vac.Type
}

// A linkGroup is one file with several names.
type linkGroup struct {
	seen uint32 // names met; links.mu protects it

	// mu protects the following. It is held while a name of the group is made, so that the others find it.
	mu       sync.Mutex
	folder   *folder // of a name that was restored; nil before
	name     string
	dev, ino uint64 // which file that was
}

// of returns the group of d. It forgets a group that has shown all its names.
func (l *links) of(d *vac.Dir) *linkGroup {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.groups == nil {
		l.groups = map[linkKey]*linkGroup{}
	}
	key := linkKey{d.Device, d.Inode, d.Type}
	g := l.groups[key]
	if g == nil {
		g = new(linkGroup)
		l.groups[key] = g
	}
	if g.seen++; g.seen >= d.Links {
		delete(l.groups, key)
	}
	return g
}

// linked restores d, which may be another name of a file that was restored before. If no link can be made, d becomes a
// file of its own.
func (w writer) linked(ctx context.Context, f *folder, d *vac.Dir) (kept bool, err error) {
	g := w.links.of(d)
	g.mu.Lock()
	defer g.mu.Unlock()
	here := place{dir: f.fd, name: d.Name, fd: -1}
	if g.folder != nil {
		kept, err = w.link(ctx, g, f, d)
		if err == nil || isFatal(err) || ctx.Err() != nil {
			return kept, err
		}
		if !errors.Is(err, errOther) {
			w.fail(Link, f, d.Name, err)
		}
	}
	kept, err = w.put(ctx, f, d)
	if err != nil || kept && w.cfg.Overwrite == Never {
		return kept, err
	}
	if st, err := here.stat(); err == nil {
		g.folder, g.name, g.dev, g.ino = f, d.Name, st.dev, st.ino
	}
	return kept, nil
}

// errOther says that what was restored as the first name of a group is not there any more.
var errOther = errors.New("the other name stands for another file by now")

// link makes d in f another name of the group's file.
func (w writer) link(ctx context.Context, g *linkGroup, f *folder, d *vac.Dir) (kept bool, err error) {
	free := f.fresh
	if !free {
		st, err := place{dir: f.fd, name: d.Name, fd: -1}.stat()
		if err == nil && (st.dev == g.dev && st.ino == g.ino || w.keeps(f, d, st)) {
			return true, nil
		}
		free = err != nil
	}
	dir := f.fd
	if g.folder != f {
		var done func()
		if dir, done, err = g.folder.reach(w.target); err != nil {
			return false, err
		}
		defer done()
	}
	name := d.Name
	if !free {
		name = w.temps.name()
	}
	if err := again("link", func() error { return unix.Linkat(dir, g.name, f.fd, name, 0) }); err != nil {
		return false, err
	}
	st, err := place{dir: f.fd, name: name, fd: -1}.stat()
	if err == nil && (st.dev != g.dev || st.ino != g.ino) {
		err = errOther
	}
	if err != nil {
		_ = unlink(f.fd, name, 0) // the first error counts
		return false, err
	}
	if !free {
		if err := w.install(ctx, f, name, d.Name, false); err != nil {
			return false, err
		}
	}
	w.hardLinks.Add(1)
	w.done.Bytes.Add(d.Size)
	return false, nil
}
