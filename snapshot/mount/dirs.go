package mount

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"ventidhash/snapshot"
	"ventidhash/snapshot/vac"
)

// treeTop returns the directory at path of t as the top of a mount.
func treeTop(ctx context.Context, t *vac.Tree, path string) (*directory, error) {
	v := &volume{snap: snapshotOf(t), name: snapshotKey(t.Ref.Score), tree: t}
	top := &directory{of: v, name: v.name}
	path = strings.Trim(path, "/")
	if path == "" {
		return top, nil
	}
	for part := range strings.SplitSeq(path, "/") {
		top.name = childKey(top.name, part)
	}
	self, err := t.Lookup(ctx, path)
	if err != nil {
		return nil, err
	}
	if self.Type != vac.Directory {
		return nil, &fs.PathError{Op: "mount", Path: path, Err: fmt.Errorf("it is no directory, and only a directory can be mounted")}
	}
	top.self = self
	return top, nil
}

// snapshotOf returns what an opened snapshot says of itself, as far as a mount shows it.
func snapshotOf(t *vac.Tree) snapshot.Snapshot {
	r := t.Root
	return snapshot.Snapshot{Score: t.Ref.Score, Time: r.Time, Host: r.Host, Files: r.Files, Dirs: r.Dirs, Bytes: r.Bytes}
}

// newest returns the snapshot that is mounted, or the newest one.
func (d *directory) newest(ctx context.Context, f *fileSystem) *snapshot.Snapshot {
	if !d.isFolder() {
		return &d.of.snap
	}
	top, err := f.shelf.folders(ctx)
	if err != nil {
		return nil
	}
	return top.Kids["latest"].Snapshot
}

// OpenDir begins the reading of a directory. Of a folder the names are those at this moment until it is closed. Where
// no folder is in the mount, the kernel need not ask again for any directory.
func (f *fileSystem) OpenDir(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	if f.shelf == nil {
		return fuse.ENOSYS
	}
	serial, _ := split(in.NodeId)
	d := f.table.find(serial)
	if d == nil {
		return f.status(f.ctx, "list", nil, nil, errStale)
	}
	if !d.isFolder() {
		out.OpenFlags = fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE
		return fuse.OK
	}
	ctx, done := f.begin(cancel)
	defer done()
	here, err := f.folder(ctx, d)
	if err != nil {
		return f.status(ctx, "list", d, nil, err)
	}
	var names []fuse.DirEntry
	if here != nil {
		for _, name := range here.Names() {
			names = append(names, fuse.DirEntry{Name: name, Mode: unix.S_IFDIR, Ino: kidKey(here.Kids[name]).inode()})
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handle++
	f.handles[f.handle] = names
	out.Fh = f.handle
	return fuse.OK
}

// ReleaseDir ends the reading of a directory.
func (f *fileSystem) ReleaseDir(in *fuse.ReleaseIn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.handles, in.Fh)
}

// ReadDir lists names.
func (f *fileSystem) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return f.readDir(cancel, in, func(e fuse.DirEntry, _ func(*fuse.EntryOut)) bool { return out.AddDirEntry(e) })
}

// ReadDirPlus lists names with all that a look-up of each would say.
func (f *fileSystem) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	return f.readDir(cancel, in, func(e fuse.DirEntry, fill func(*fuse.EntryOut)) bool {
		about := out.AddDirLookupEntry(e)
		if about != nil && fill != nil {
			fill(about)
		}
		return about != nil
	})
}

// readDir gives the entries of a directory from in.Offset on to add, until that has no more room. fill says more about
// an entry; it is nil where the kernel has to look up the name itself.
func (f *fileSystem) readDir(cancel <-chan struct{}, in *fuse.ReadIn, add func(e fuse.DirEntry, fill func(*fuse.EntryOut)) bool) fuse.Status {
	ctx, done := f.begin(cancel)
	defer done()
	serial, _ := split(in.NodeId)
	d := f.table.find(serial)
	if d == nil {
		return f.status(ctx, "list", nil, nil, errStale)
	}
	up := d
	if d.up != nil {
		up = d.up
	}
	at := in.Offset
	for i, dot := range []fuse.DirEntry{{Name: ".", Ino: d.name.inode()}, {Name: "..", Ino: up.name.inode()}} {
		dot.Mode = unix.S_IFDIR
		if at == uint64(i) {
			if !add(dot, nil) {
				return fuse.OK
			}
			at++
		}
	}
	if d.isFolder() {
		f.mu.Lock()
		names := f.handles[in.Fh]
		f.mu.Unlock()
		for at -= 2; at < uint64(len(names)); at++ {
			if !add(names[at], nil) {
				break
			}
		}
		return fuse.OK
	}
	l, err := f.listing(ctx, d)
	if err != nil {
		return f.status(ctx, "list", d, nil, err)
	}
	for at -= 2; at < uint64(len(l.dirs)); at++ {
		e := l.dirs[at]
		entry := fuse.DirEntry{Name: e.Name, Mode: e.Type.Format(), Ino: fileKey(d.of.name, d.name, e).inode()}
		if !add(entry, func(out *fuse.EntryOut) { f.give(ctx, d, l, int(at), out) }) {
			break
		}
	}
	return fuse.OK
}

// GetXAttr returns an extended attribute.
func (f *fileSystem) GetXAttr(cancel <-chan struct{}, in *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	ctx, done := f.begin(cancel)
	defer done()
	d, e, err := f.entry(ctx, in.NodeId)
	if err != nil {
		return 0, f.status(ctx, "read attributes of", d, e, err)
	}
	for i := range e.Xattrs {
		if e.Xattrs[i].Name == name {
			return fit(dest, e.Xattrs[i].Value)
		}
	}
	return 0, fuse.ENOATTR
}

// ListXAttr returns the names of the extended attributes.
func (f *fileSystem) ListXAttr(cancel <-chan struct{}, in *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	ctx, done := f.begin(cancel)
	defer done()
	d, e, err := f.entry(ctx, in.NodeId)
	if err != nil {
		return 0, f.status(ctx, "list attributes of", d, e, err)
	}
	var b strings.Builder
	for i := range e.Xattrs {
		b.WriteString(e.Xattrs[i].Name)
		b.WriteByte(0)
	}
	return fit(dest, b.String())
}

// fit copies text to dest if it has room.
func fit(dest []byte, text string) (uint32, fuse.Status) {
	if len(text) > len(dest) {
		return uint32(len(text)), fuse.ERANGE
	}
	copy(dest, text)
	return uint32(len(text)), fuse.OK
}
