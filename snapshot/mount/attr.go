package mount

import (
	"context"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
)

// forever is how long the kernel may keep what cannot change, in seconds.
const forever = 10 * 365 * 24 * 3600

const blockSize = 512 // that st_blocks counts in

// attr fills out with what stat shows of the entry e. Bytes is how much of a file's content is not holes.
func attr(out *fuse.Attr, ino uint64, e *vac.Dir, bytes int64) {
	*out = fuse.Attr{Ino: ino, Mode: e.Type.Format() | e.Mode, Nlink: max(e.Links, 1), Owner: fuse.Owner{Uid: e.UID, Gid: e.GID},
		Atime: uint64(e.ModTime.Sec), Atimensec: e.ModTime.Nsec, // when it was read is not recorded
		Mtime: uint64(e.ModTime.Sec), Mtimensec: e.ModTime.Nsec,
		Ctime: uint64(e.ChangeTime.Sec), Ctimensec: e.ChangeTime.Nsec}
	switch e.Type {
	case vac.File:
		out.Size = uint64(e.Size)
		out.Blocks = (uint64(bytes) + blockSize - 1) / blockSize
	case vac.Symlink:
		out.Size = uint64(len(e.Target))
	case vac.CharDevice, vac.BlockDevice:
		out.Rdev = uint32(unix.Mkdev(e.Major, e.Minor))
	}
}

// folderAttr fills out with what stat shows of a folder, which belongs to who mounted.
func (f *fileSystem) folderAttr(out *fuse.Attr, name key, last time.Time) {
	*out = fuse.Attr{Ino: name.inode(), Mode: unix.S_IFDIR | 0o555, Nlink: 1, Owner: f.mounter}
	if last.IsZero() {
		return
	}
	out.SetTimes(&last, &last, &last)
}

// topAttr fills out with what stat shows of the top directory of a snapshot, of which there is no entry.
func (f *fileSystem) topAttr(out *fuse.Attr, v *volume) {
	t := v.snap.Time
	*out = fuse.Attr{Ino: v.name.inode(), Mode: unix.S_IFDIR | 0o755, Nlink: 1, Owner: f.mounter}
	out.SetTimes(&t, &t, &t)
}

// entryAttr fills out with what stat shows of the entry e of the directory d. Where it cannot be found out now how much
// of a sparse file is holes, sure is false.
func (f *fileSystem) entryAttr(ctx context.Context, out *fuse.Attr, d *directory, e *vac.Dir) (sure bool) {
	bytes, sure := e.Size, true
	if e.Sparse {
		if n, err := f.stored(ctx, d, e); err == nil {
			bytes = n
		} else {
			sure = false
		}
	}
	attr(out, fileKey(d.of.name, d.name, e).inode(), e, bytes)
	return sure
}

// attrTime says how long the kernel may keep an entry's attributes.
func attrTime(sure bool) uint64 {
	if sure {
		return forever
	}
	return 1
}
