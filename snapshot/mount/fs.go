package mount

import (
	"context"
	"log/slog"
	"os"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"

	"ventidhash/snapshot/layout"
	"ventidhash/snapshot/vac"
)

// A fileSystem answers the kernel. What it does not answer (everything that would change something) the kernel is told
// not to ask again.
type fileSystem struct {
	fuse.RawFileSystem
	ctx     context.Context // of all reading, until the mount ends; the interface leaves no other place for it
	cfg     Config
	mounter fuse.Owner
	shelf   *shelf // nil if one snapshot is mounted
	table   *table
	lists   *lists
	faults  faults
	readers readers

	mu      sync.Mutex                 // protects the following
	handles map[uint64][]fuse.DirEntry // names in folders that are being read
	handle  uint64
}

// newFileSystem returns the file system of cfg. What it shows first is read here, so that it is known to be there.
func newFileSystem(ctx context.Context, cfg Config) (*fileSystem, error) {
	f := &fileSystem{RawFileSystem: fuse.NewDefaultRawFileSystem(), ctx: ctx, cfg: cfg,
		mounter: fuse.Owner{Uid: uint32(os.Geteuid()), Gid: uint32(os.Getegid())},
		lists:   newLists(cfg.Entries, cfg.Log), handles: map[uint64][]fuse.DirEntry{}}
	f.readers.init()
	if cfg.Snapshots != nil {
		f.shelf = &shelf{from: cfg.Snapshots, zone: cfg.Zone, log: cfg.Log}
		f.table = newTable(&directory{name: folderKey("")})
		_, err := f.shelf.folders(ctx)
		return f, err
	}
	top, err := treeTop(ctx, cfg.Tree, cfg.Path)
	if err != nil {
		return nil, err
	}
	f.table = newTable(top)
	return f, nil
}

// String names the file system in messages of the library.
func (f *fileSystem) String() string { return "vdh" }

// tree returns the snapshot that d lies in.
func (f *fileSystem) tree(ctx context.Context, d *directory) (*vac.Tree, error) {
	return d.of.open(ctx, f.cfg.Snapshots)
}

// listing returns the entries of d, which lies in a snapshot.
func (f *fileSystem) listing(ctx context.Context, d *directory) (*listing, error) {
	return f.lists.of(ctx, d, func(ctx context.Context) (*listing, error) {
		t, err := f.tree(ctx, d)
		if err != nil {
			return nil, err
		}
		self := d.self
		if self == nil {
			self = t.Top()
		}
		l, skipped, err := readListing(ctx, t, self)
		if skipped > 0 {
			f.cfg.Log.Warn("names that are too long for a mounted directory are not shown", slog.String("path", d.where()),
				slog.Int("names", skipped))
		}
		return l, err
	})
}

// entry returns what the kernel's number id stands for: the entry of a file and the directory that it is in, or a
// directory itself.
func (f *fileSystem) entry(ctx context.Context, id uint64) (*directory, *vac.Dir, error) {
	serial, slot := split(id)
	d := f.table.find(serial)
	switch {
	case d == nil || slot < selfSlot:
		return nil, nil, errStale
	case slot == selfSlot && d.self != nil:
		return d, d.self, nil
	case slot == selfSlot:
		return d, &vac.Dir{Type: vac.Directory}, nil
	}
	l, err := f.listing(ctx, d)
	if err != nil {
		return d, nil, err
	}
	i := int(slot - firstSlot)
	if i >= len(l.dirs) {
		return d, nil, errStale
	}
	return d, l.dirs[i], nil
}

// Lookup finds a name in a directory.
func (f *fileSystem) Lookup(cancel <-chan struct{}, in *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	serial, _ := split(in.NodeId)
	d := f.table.find(serial)
	if d == nil {
		return f.status(f.ctx, "look up "+name, nil, nil, errStale)
	}
	ctx, done := f.begin(cancel)
	defer done()
	if d.isFolder() {
		return f.lookupFolder(ctx, d, name, out)
	}
	l, err := f.listing(ctx, d)
	if err != nil {
		return f.status(ctx, "list", d, nil, err)
	}
	i, ok := l.find(name)
	if !ok { // and never will be
		*out = fuse.EntryOut{EntryValid: forever}
		return fuse.OK
	}
	f.give(ctx, d, l, i, out)
	return fuse.OK
}

// give tells the kernel what it needs to know about entry i of d, and counts that it knows.
func (f *fileSystem) give(ctx context.Context, d *directory, l *listing, i int, out *fuse.EntryOut) {
	e := l.dirs[i]
	*out = fuse.EntryOut{EntryValid: forever}
	sure := f.entryAttr(ctx, &out.Attr, d, e)
	out.AttrValid = attrTime(sure)
	if e.Type != vac.Directory {
		f.table.hold(d)
		out.NodeId = d.fileID(i)
		return
	}
	sub := f.table.meet(&directory{up: d, name: childKey(d.name, e.Name), at: place{up: d.serial, index: i}, of: d.of, self: e})
	out.NodeId = sub.id()
}

// lookupFolder finds a name in a folder above the snapshots.
func (f *fileSystem) lookupFolder(ctx context.Context, d *directory, name string, out *fuse.EntryOut) fuse.Status {
	here, err := f.folder(ctx, d)
	if err != nil {
		return f.status(ctx, "list", d, nil, err)
	}
	if here == nil {
		return fuse.ENOENT
	}
	k, ok := here.Kids[name]
	if !ok {
		return fuse.ENOENT
	}
	*out = fuse.EntryOut{EntryValid: uint64(fresh.Seconds())}
	if k.Folder != nil {
		sub := f.table.meet(&directory{up: d, name: folderKey(k.Folder.Path), at: place{path: k.Folder.Path}, path: k.Folder.Path})
		f.folderAttr(&out.Attr, sub.name, k.Folder.Last)
		out.NodeId, out.AttrValid = sub.id(), uint64(fresh.Seconds())
		return fuse.OK
	}
	path := join(d.path, name)
	v := &volume{snap: *k.Snapshot, name: snapshotKey(k.Snapshot.Score)}
	sub := f.table.meet(&directory{up: d, name: v.name, at: place{path: path, score: k.Snapshot.Score}, path: path, of: v})
	f.topAttr(&out.Attr, sub.of)
	out.NodeId, out.AttrValid = sub.id(), forever
	return fuse.OK
}

// folder returns what d is now, or nil if it is gone.
func (f *fileSystem) folder(ctx context.Context, d *directory) (*layout.Folder, error) {
	top, err := f.shelf.folders(ctx)
	if err != nil {
		return nil, err
	}
	return top.Find(d.path), nil
}

// Forget counts that the kernel has dropped a number.
func (f *fileSystem) Forget(id, n uint64) {
	serial, _ := split(id)
	if d := f.table.forget(serial, n); d != nil {
		f.lists.drop(d)
	}
}

// GetAttr is stat of what the kernel knows.
func (f *fileSystem) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	ctx, done := f.begin(cancel)
	defer done()
	d, e, err := f.entry(ctx, in.NodeId)
	if err != nil {
		return f.status(ctx, "stat", d, e, err)
	}
	_, slot := split(in.NodeId)
	out.AttrValid = forever
	switch {
	case d.isFolder():
		out.AttrValid = uint64(fresh.Seconds())
		here, err := f.folder(ctx, d)
		if err != nil {
			return f.status(ctx, "stat", d, nil, err)
		}
		if here == nil {
			here = &layout.Folder{}
		}
		f.folderAttr(&out.Attr, d.name, here.Last)
	case slot == selfSlot && d.self == nil:
		f.topAttr(&out.Attr, d.of)
	case slot == selfSlot:
		attr(&out.Attr, d.name.inode(), e, 0)
	default:
		sure := f.entryAttr(ctx, &out.Attr, d, e)
		out.AttrValid = attrTime(sure)
	}
	return fuse.OK
}

// Readlink returns the target of a symbolic link.
func (f *fileSystem) Readlink(cancel <-chan struct{}, in *fuse.InHeader) ([]byte, fuse.Status) {
	ctx, done := f.begin(cancel)
	defer done()
	d, e, err := f.entry(ctx, in.NodeId)
	if err != nil {
		return nil, f.status(ctx, "read link", d, e, err)
	}
	if e.Type != vac.Symlink {
		return nil, fuse.EINVAL
	}
	return []byte(e.Target), fuse.OK
}

// StatFs says how much there is: what the newest snapshot holds, and no room for more.
func (f *fileSystem) StatFs(cancel <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	ctx, done := f.begin(cancel)
	defer done()
	const block = 4096
	*out = fuse.StatfsOut{Bsize: block, Frsize: block, NameLen: 255}
	s := f.table.find(0).newest(ctx, f)
	if s != nil {
		out.Blocks = (s.Bytes + block - 1) / block
		out.Files = s.Files + s.Dirs
	}
	return fuse.OK
}
