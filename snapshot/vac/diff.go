package vac

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// A ChangeKind says what is different about a path.
type ChangeKind byte

const (
	Added ChangeKind = iota + 1
	Removed
	TypeChanged     // such as a file that was a directory; nothing else was compared
	ContentChanged  // of a file; its metadata may have changed as well
	MetadataChanged // and nothing else
)

// A Change is one path that is different. The Path begins with a slash and goes on from where the comparison began; it
// is empty for that place itself.
type Change struct {
	Path     string
	Kind     ChangeKind
	Old, New *Dir // nil where there is none
}

// Diff compares what is at pathA of a with what is at pathB of b and calls fn for each path that is different, a
// directory before what is in it, otherwise in order of name. It reads entries only, and no directory whose content is
// the same in both. What lies below an added or removed directory is added or removed as well, unless fn returns
// fs.SkipDir for that directory. Any other error of fn ends the comparison and is returned.
//
// Files have the same content if their bytes are known to be the same: those in shared blocks by their hash, wherever
// they lie; others if they are stored in the same tree of blocks. A file that was stored in two ways, with another
// convergence secret for instance, counts as changed. Metadata is mode, owner and group, modification time, extended
// attributes, link target and device number; not what merely says where a file was: inode, links, change time.
func Diff(ctx context.Context, a, b *Tree, pathA, pathB string, fn func(Change) error) error {
	was, err := a.Lookup(ctx, pathA)
	if err != nil {
		return err
	}
	is, err := b.Lookup(ctx, pathB)
	if err != nil {
		return err
	}
	d := differ{a, b, fn}
	return d.entry(ctx, "", was, is)
}

type differ struct {
	a, b *Tree
	fn   func(Change) error
}

// entry compares two entries, of which one may be nil, and what is below them.
func (d *differ) entry(ctx context.Context, path string, was, is *Dir) error {
	if kind := compare(was, is); kind != 0 {
		err := d.fn(Change{path, kind, was, is})
		if err == fs.SkipDir && (isDirectory(was) || isDirectory(is)) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	var old, now Content
	if isDirectory(was) {
		old = was.Content
	}
	if isDirectory(is) {
		now = is.Content
	}
	if sameContent(&old, &now) {
		return nil
	}
	return d.directory(ctx, path, old, now)
}

// directory compares the entries of two directories, of which one may be empty because there is none.
func (d *differ) directory(ctx context.Context, path string, old, now Content) error {
	was, is := NewEntries(ctx, d.a.src, old), NewEntries(ctx, d.b.src, now)
	defer was.Close()
	defer is.Close()
	next := func(es *Entries) (*Dir, error) {
		e, err := es.Next()
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("directory %q: %w", path, err)
		}
		return e, nil
	}
	x, err := next(was)
	if err != nil {
		return err
	}
	y, err := next(is)
	for err == nil && (x != nil || y != nil) {
		p, q := x, y
		switch {
		case y == nil || x != nil && x.Name < y.Name:
			q = nil
		case x == nil || y.Name < x.Name:
			p = nil
		}
		if err := d.entry(ctx, path+"/"+name(p, q), p, q); err != nil {
			return err
		}
		if p != nil {
			x, err = next(was)
		}
		if q != nil && err == nil {
			y, err = next(is)
		}
	}
	return err
}

// name returns the name that two entries have, of which one may be nil.
func name(p, q *Dir) string {
	if p != nil {
		return p.Name
	}
	return q.Name
}

func isDirectory(d *Dir) bool { return d != nil && d.Type == Directory }

// compare returns what is different about two entries themselves, or 0.
func compare(was, is *Dir) ChangeKind {
	switch {
	case was == nil:
		return Added
	case is == nil:
		return Removed
	case was.Type != is.Type:
		return TypeChanged
	case was.Type == File && (was.Size != is.Size || !sameContent(&was.Content, &is.Content)):
		return ContentChanged
	case was.Mode != is.Mode || was.UID != is.UID || was.GID != is.GID || was.User != is.User || was.Group != is.Group ||
		was.ModTime != is.ModTime || was.Target != is.Target || was.Major != is.Major || was.Minor != is.Minor ||
		!slices.Equal(was.Xattrs, is.Xattrs):
		return MetadataChanged
	}
	return 0
}

// sameContent reports whether two contents of the same length are known to be the same.
func sameContent(a, b *Content) bool {
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case Sliced:
		return a.Slice.Hash == b.Slice.Hash
	case Stream:
		return a.Stream == b.Stream
	case Nested:
		return bytes.Equal(a.Nested, b.Nested)
	}
	return true
}
