package vac

import (
	"context"
	"fmt"
	"io"

	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// A Role says what a block is to the snapshot that refers to it.
type Role byte

const (
	RoleRoot      Role = iota // the root
	RoleDirectory             // part of a directory's stream, or of the table of shared blocks
	RoleFile                  // part of a file's stream
	RoleShared                // a block that small files share
)

// A Use is one reason why a snapshot needs a block.
type Use struct {
	Ref  venti.Ref
	Role Role
	Path string // of the file or directory; "" for the top
	Leaf bool   // not a pointer block
	Off  int64  // of the block's bytes in the file or directory; of the file in a shared block
	Len  int64  // how many bytes of the file or directory stand in or below the block
	Dir  *Dir   // the file or directory; nil for the top and for the root
}

// Blocks calls visit for every block that the snapshot needs, once for each use, parents before children. Contents of
// files are not read. Where visit returns false for the top block of a stream, or for a pointer block, what is below
// is passed over: a caller that remembers scores visits each block about once.
//
// Where a directory or a pointer block cannot be had, visit is called again for that use with the error; if it then
// returns nil, the walk goes on with what can be had.
func (t *Tree) Blocks(ctx context.Context, visit func(u Use, err error) (descend bool, stop error)) error {
	w := blockWalk{t: t, visit: visit}
	if _, err := visit(Use{Ref: t.Ref, Role: RoleRoot, Leaf: true}, nil); err != nil {
		return err
	}
	if _, err := w.stream(ctx, Use{Role: RoleDirectory}, t.Root.Shared); err != nil {
		return err
	}
	return w.directory(ctx, "", nil, Content{Kind: Stream, Stream: t.Root.Top})
}

type blockWalk struct {
	t     *Tree
	visit func(Use, error) (bool, error)
}

// stream visits the blocks of a stream; u is the use without what differs from block to block. whole is false if
// visit declined to descend at the top or something could not be had.
func (w *blockWalk) stream(ctx context.Context, u Use, e venti.Entry) (whole bool, err error) {
	whole = true
	err = tree.Walk(ctx, w.t.src, e, func(b tree.Block, err error) (bool, error) {
		v := u
		v.Ref, v.Leaf, v.Off, v.Len = b.Ref, b.Level == 0, b.Off, b.Len
		descend, stop := w.visit(v, err)
		if err != nil || b.Ref == e.Top && !descend {
			whole = false
		}
		return descend, stop
	})
	return whole, err
}

// directory visits the blocks of a directory and of everything below it.
func (w *blockWalk) directory(ctx context.Context, path string, d *Dir, c Content) error {
	use := Use{Role: RoleDirectory, Path: path, Dir: d}
	if c.Kind == Stream {
		if whole, err := w.stream(ctx, use, c.Stream); err != nil || !whole {
			return err
		}
		use.Ref, use.Len = c.Stream.Top, c.Stream.Size
	}
	es := NewEntries(ctx, w.t.src, c)
	defer es.Close()
	for {
		e, err := es.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			_, err = w.visit(use, fmt.Errorf("directory %q: %w", path, err))
			return err
		}
		if err := w.entry(ctx, path+"/"+e.Name, e); err != nil {
			return err
		}
	}
}

func (w *blockWalk) entry(ctx context.Context, path string, d *Dir) error {
	switch {
	case d.Type == Directory:
		return w.directory(ctx, path, d, d.Content)
	case d.Content.Kind == Sliced:
		s := d.Content.Slice
		_, err := w.visit(Use{Ref: s.Block, Role: RoleShared, Path: path, Leaf: true, Off: int64(s.Offset), Len: d.Size, Dir: d}, nil)
		return err
	case d.Content.Kind == Stream:
		_, err := w.stream(ctx, Use{Role: RoleFile, Path: path, Dir: d}, d.Content.Stream)
		return err
	}
	return nil
}
