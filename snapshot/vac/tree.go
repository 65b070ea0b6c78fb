package vac

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// A Tree is a snapshot that has been opened. It may be used by many goroutines at once.
type Tree struct {
	Root *venti.Root
	Ref  venti.Ref // of the root block
	src  *tree.Source
}

// Open opens the snapshot whose root block ref names.
func Open(ctx context.Context, src *tree.Source, ref venti.Ref) (*Tree, error) {
	root, err := src.Root(ctx, ref)
	if err != nil {
		return nil, err
	}
	return newTree(src, root, ref)
}

// OpenOwn opens the snapshot with the given score for the owner of k.
func OpenOwn(ctx context.Context, src *tree.Source, k seal.RootKey, score venti.Score) (*Tree, error) {
	root, ref, err := src.OwnRoot(ctx, k, score)
	if err != nil {
		return nil, err
	}
	return newTree(src, root, ref)
}

func newTree(src *tree.Source, root *venti.Root, ref venti.Ref) (*Tree, error) {
	if root.Kind != venti.RootSnapshot {
		return nil, fmt.Errorf("root %s is no snapshot: its kind is %d", ref.Score, root.Kind)
	}
	return &Tree{Root: root, Ref: ref, src: src}, nil
}

// Source returns where the snapshot's blocks come from.
func (t *Tree) Source() *tree.Source { return t.src }

// Top returns the directory that holds everything; it has no name.
func (t *Tree) Top() *Dir {
	return &Dir{Type: Directory, Mode: 0o755, Links: 1, Content: Content{Kind: Stream, Stream: t.Root.Top}}
}

// Entries returns the entries of the directory d.
func (t *Tree) Entries(ctx context.Context, d *Dir) (*Entries, error) {
	if d.Type != Directory {
		return nil, &fs.PathError{Op: "list", Path: d.Name, Err: errors.New("not a directory")}
	}
	return NewEntries(ctx, t.src, d.Content), nil
}

// Lookup returns the entry at path, whose components are joined by slashes; empty components and leading slashes are
// passed over. Symbolic links are not followed. What is not there is an *fs.PathError with fs.ErrNotExist.
func (t *Tree) Lookup(ctx context.Context, path string) (*Dir, error) {
	d := t.Top()
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." {
			continue
		}
		next, err := t.child(ctx, d, name)
		if err != nil {
			return nil, err
		}
		if next == nil {
			return nil, &fs.PathError{Op: "find", Path: path, Err: fs.ErrNotExist}
		}
		d = next
	}
	return d, nil
}

// child returns the entry of d called name, or nil if d is no directory or has none. That is no error, so that an
// fs.ErrNotExist of a store's disk is not taken for it.
func (t *Tree) child(ctx context.Context, d *Dir, name string) (*Dir, error) {
	if d.Type != Directory {
		return nil, nil
	}
	es := NewEntries(ctx, t.src, d.Content)
	defer es.Close()
	for {
		e, err := es.Next()
		switch {
		case err == io.EOF || err == nil && e.Name > name:
			return nil, nil
		case err != nil:
			return nil, err
		case e.Name == name:
			return e, nil
		}
	}
}

// Bytes returns the content of a small file, which lies in a shared block, checked against its hash. The slice is
// shared: do not change it.
func (t *Tree) Bytes(ctx context.Context, d *Dir) ([]byte, error) {
	if d.Content.Kind != Sliced {
		return nil, fmt.Errorf("%q does not lie in a shared block", d.Name)
	}
	s := d.Content.Slice
	block, err := t.src.Block(ctx, s.Block)
	if err != nil {
		return nil, err
	}
	return s.cut(block, d)
}

// cut returns the slice's bytes out of the plaintext of its block.
func (s Slice) cut(block []byte, d *Dir) ([]byte, error) {
	end := int64(s.Offset) + d.Size
	if end > int64(len(block)) {
		return nil, &venti.BlockError{Op: "read", Score: s.Block.Score,
			Err: fmt.Errorf("%w: slice of %q ends at %d of %d bytes", venti.ErrCorrupt, d.Name, end, len(block))}
	}
	b := block[s.Offset:end:end]
	if DigestOf(b) != s.Hash {
		return nil, &venti.BlockError{Op: "read", Score: s.Block.Score,
			Err: fmt.Errorf("%w: bytes of %q do not have its hash", venti.ErrCorrupt, d.Name)}
	}
	return b, nil
}

// A Reader reads a regular file of a snapshot.
type Reader interface {
	io.ReadSeekCloser
	io.ReaderAt
}

// Open returns a reader of the regular file d. The context governs all its reads.
func (t *Tree) Open(ctx context.Context, d *Dir) (Reader, error) {
	if d.Type != File {
		return nil, &fs.PathError{Op: "read", Path: d.Name, Err: errors.New("not a regular file")}
	}
	if d.Content.Kind == Stream {
		return tree.NewReader(ctx, t.src, d.Content.Stream), nil
	}
	var b []byte
	if d.Content.Kind == Sliced {
		var err error
		if b, err = t.Bytes(ctx, d); err != nil {
			return nil, err
		}
	}
	return memory{bytes.NewReader(b)}, nil
}

// memory is a Reader of bytes at hand.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

// WalkDir calls fn for every entry below the directory d, parents before children, in order of name, each with its
// path: prefix, slash, names. fn may return fs.SkipDir for a directory. Any other error ends the walk.
func (t *Tree) WalkDir(ctx context.Context, d *Dir, prefix string, fn func(path string, d *Dir) error) error {
	es, err := t.Entries(ctx, d)
	if err != nil {
		return err
	}
	defer es.Close()
	for {
		e, err := es.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("directory %q: %w", prefix, err)
		}
		path := prefix + "/" + e.Name
		err = fn(path, e)
		if err == fs.SkipDir && e.Type == Directory {
			continue
		}
		if err == nil && e.Type == Directory {
			err = t.WalkDir(ctx, e, path, fn)
		}
		if err != nil {
			return err
		}
	}
}
