package equal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// Config says what to compare. Source, Copy and Differs are needed.
type Config struct {
	Source, Copy string // two directories

	// Differs hears of each difference: the path in both trees, and what differs, as it is in the copy and should be.
	Differs func(path, what string)

	// Owned leaves out what a user who is not root cannot give a file: an owner other than himself, set-id bits of files
	// that others own, and attributes other than user.* and access control lists.
	Owned bool
}

// A Count says how much was compared.
type Count struct {
	Files       int64 // that are no directories
	Dirs        int64
	Bytes       int64 // of regular files, of the source
	Differences int64
}

// Trees compares two trees. An error says that it could not be done, or that ctx is done; a difference is no error.
// Neither tree should change meanwhile.
func Trees(ctx context.Context, cfg Config) (Count, error) {
	c := &comparison{cfg: cfg, ctx: ctx, euid: uint32(os.Geteuid()), twins: map[inode]inode{}, back: map[inode]inode{},
		a: make([]byte, bufferSize), b: make([]byte, bufferSize)}
	err := c.entry("")
	return c.count, err
}

const bufferSize = 256 << 10

// inode names a file whatever its names are.
type inode struct{ dev, ino uint64 }

// comparison is one call of Trees.
type comparison struct {
	cfg   Config
	ctx   context.Context // of the one call
	euid  uint32
	count Count
	a, b  []byte // scratch

	// Files that have several names in either tree: each has one counterpart, and is that of no other.
	twins, back map[inode]inode
}

func (c *comparison) differs(path, format string, args ...any) {
	c.count.Differences++
	c.cfg.Differs(cmp.Or(path, "."), fmt.Sprintf(format, args...))
}

// entry compares what is called path in both trees.
func (c *comparison) entry(path string) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	pa, pb := filepath.Join(c.cfg.Source, path), filepath.Join(c.cfg.Copy, path)
	var want, got unix.Stat_t
	if err := lstat(pa, &want); err != nil {
		return err
	}
	if err := lstat(pb, &got); errors.Is(err, fs.ErrNotExist) {
		c.differs(path, "missing")
		return nil
	} else if err != nil {
		return err
	}
	kind := want.Mode & unix.S_IFMT
	if kind == unix.S_IFDIR {
		c.count.Dirs++
	} else {
		c.count.Files++
	}
	if kind != got.Mode&unix.S_IFMT {
		c.differs(path, "is of type %o, not %o", got.Mode&unix.S_IFMT, kind)
		return nil
	}
	c.status(path, &want, &got)
	if err := c.attributes(path, pa, pb); err != nil {
		return err
	}
	switch kind {
	case unix.S_IFDIR:
		return c.directory(path)
	case unix.S_IFLNK:
		return c.link(path, pa, pb)
	case unix.S_IFREG:
		c.count.Bytes += want.Size
		if want.Size != got.Size {
			c.differs(path, "has %d bytes, not %d", got.Size, want.Size)
			return nil
		}
		return c.content(path, pa, pb)
	}
	if kind != unix.S_IFIFO && kind != unix.S_IFSOCK && want.Rdev != got.Rdev {
		c.differs(path, "is device %x, not %x", got.Rdev, want.Rdev)
	}
	return nil
}

func lstat(path string, st *unix.Stat_t) error {
	if err := unix.Lstat(path, st); err != nil {
		return &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	return nil
}

// status compares what lstat says but the type and the size.
func (c *comparison) status(path string, want, got *unix.Stat_t) {
	mask := uint32(0o7777)
	if c.cfg.Owned && want.Uid != c.euid {
		mask = 0o1777
	} else if want.Uid != got.Uid || !c.cfg.Owned && want.Gid != got.Gid {
		c.differs(path, "belongs to %d:%d, not %d:%d", got.Uid, got.Gid, want.Uid, want.Gid)
	}
	if a, b := uint32(want.Mode)&mask, uint32(got.Mode)&mask; a != b {
		c.differs(path, "has mode %04o, not %04o", b, a)
	}
	if want.Mtim != got.Mtim {
		c.differs(path, "was modified at %d.%09d, not %d.%09d", got.Mtim.Sec, got.Mtim.Nsec, want.Mtim.Sec, want.Mtim.Nsec)
	}
	if want.Mode&unix.S_IFMT == unix.S_IFDIR || want.Nlink == 1 && got.Nlink == 1 {
		return
	}
	a, b := inode{uint64(want.Dev), want.Ino}, inode{uint64(got.Dev), got.Ino}
	twin, seen := c.twins[a]
	origin, seenBack := c.back[b]
	switch {
	case seen && twin != b:
		c.differs(path, "is a file of its own, not a hard link")
	case seenBack && origin != a:
		c.differs(path, "is a hard link, not a file of its own")
	}
	c.twins[a], c.back[b] = b, a
}

// directory compares the names in a directory, and what they name.
func (c *comparison) directory(path string) error {
	want, err := os.ReadDir(filepath.Join(c.cfg.Source, path))
	if err != nil {
		return err
	}
	got, err := os.ReadDir(filepath.Join(c.cfg.Copy, path))
	if err != nil {
		return err
	}
	for _, d := range got {
		byName := func(e os.DirEntry, name string) int { return cmp.Compare(e.Name(), name) }
		if _, found := slices.BinarySearchFunc(want, d.Name(), byName); !found {
			c.differs(filepath.Join(path, d.Name()), "not in the source")
		}
	}
	for _, d := range want {
		if err := c.entry(filepath.Join(path, d.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) link(path, pa, pb string) error {
	want, err := os.Readlink(pa)
	if err != nil {
		return err
	}
	got, err := os.Readlink(pb)
	if err == nil && want != got {
		c.differs(path, "leads to %q, not %q", got, want)
	}
	return err
}
