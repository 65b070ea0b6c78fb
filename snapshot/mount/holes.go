package mount

import (
	"context"
	"errors"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
	"ventidhash/venti/tree"
)

// errStop ends a walk that has found what it looked for.
var errStop = errors.New("stop")

// leaves calls fn for the leaves of the stream of e that end behind from, in order, until fn returns false. What lies
// between them is zeros.
func leaves(ctx context.Context, t *vac.Tree, e *vac.Dir, from int64, fn func(b tree.Block) bool) error {
	err := tree.Walk(ctx, t.Source(), e.Content.Stream, func(b tree.Block, err error) (bool, error) {
		switch {
		case err != nil:
			return false, err
		case b.Off+b.Len <= from:
			return false, nil
		case b.Level == 0 && !fn(b):
			return false, errStop
		}
		return true, nil
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// stored returns how many bytes of a sparse file are not holes.
func (f *fileSystem) stored(ctx context.Context, d *directory, e *vac.Dir) (n int64, err error) {
	t, err := f.tree(ctx, d)
	if err != nil {
		return 0, err
	}
	for r, err := range f.ranges(ctx, t, e, 0) {
		if err != nil {
			return 0, err
		}
		n += r.to - r.from
	}
	return n, nil
}

// A span is a part of a file.
type span struct{ from, to int64 }

// zeroPage is what a hole in a small file is told by: a file system keeps data in pieces of this length.
const zeroPage = 4096

// ranges gives the parts of a sparse file that are data and end behind from, in order; they may touch. After an error
// it ends.
func (f *fileSystem) ranges(ctx context.Context, t *vac.Tree, e *vac.Dir, from int64) func(yield func(span, error) bool) {
	return func(yield func(span, error) bool) {
		var err error
		switch e.Content.Kind {
		case vac.Stream:
			ended := false
			err = leaves(ctx, t, e, from, func(b tree.Block) bool {
				ended = !yield(span{b.Off, b.Off + b.Len}, nil)
				return !ended
			})
			if ended {
				return
			}
		case vac.Sliced:
			var b []byte
			if b, err = t.Bytes(ctx, e); err == nil {
				pages(b, from, func(s span) bool { return yield(s, nil) })
				return
			}
		}
		if err != nil {
			yield(span{}, err)
		}
	}
}

// pages calls fn for the pages of b that are not all zeros and end behind from, until fn returns false.
func pages(b []byte, from int64, fn func(span) bool) {
	for at := from / zeroPage * zeroPage; at < int64(len(b)); at += zeroPage {
		end := min(at+zeroPage, int64(len(b)))
		if !zeros(b[at:end]) && !fn(span{at, end}) {
			return
		}
	}
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Lseek finds data and holes in a file.
func (f *fileSystem) Lseek(cancel <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	ctx, done := f.begin(cancel)
	defer done()
	d, e, err := f.entry(ctx, in.NodeId)
	if err != nil {
		return f.status(ctx, "seek", d, e, err)
	}
	off := int64(in.Offset)
	if e.Type != vac.File {
		return fuse.EINVAL
	}
	if off < 0 || off >= e.Size {
		return fuse.Status(unix.ENXIO)
	}
	switch {
	case in.Whence == unix.SEEK_DATA && !e.Sparse:
	case in.Whence == unix.SEEK_HOLE && !e.Sparse:
		off = e.Size
	case in.Whence == unix.SEEK_DATA || in.Whence == unix.SEEK_HOLE:
		t, err := f.tree(ctx, d)
		if err == nil {
			off, err = f.seek(ctx, t, e, off, in.Whence == unix.SEEK_HOLE)
		}
		if err != nil {
			return f.status(ctx, "seek", d, e, err)
		}
	default:
		return fuse.EINVAL
	}
	out.Offset = uint64(off)
	return fuse.OK
}

// seek returns the offset of the first data, or of the first hole, at off or behind it. The end of a file is a hole.
func (f *fileSystem) seek(ctx context.Context, t *vac.Tree, e *vac.Dir, off int64, hole bool) (int64, error) {
	for r, err := range f.ranges(ctx, t, e, off) {
		switch {
		case err != nil:
			return 0, err
		case !hole:
			return max(off, r.from), nil
		case r.from > off:
			return off, nil
		}
		off = r.to
	}
	if !hole {
		return 0, unix.ENXIO
	}
	return min(off, e.Size), nil
}
