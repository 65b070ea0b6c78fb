package vac

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"ventidhash/venti"
)

// FS returns the snapshot as a file system, whose context governs everything that is read through it. It implements
// fs.ReadDirFS, fs.StatFS and fs.ReadLinkFS, and may be used by many goroutines at once. Sys of what it says about a
// file is the file's *Dir.
//
// Open, Stat and ReadDir follow symbolic links. An absolute target begins at the top of the snapshot, as the paths in a
// snapshot do, and ".." at the top stays there, so that no link leads out of it. Names are bytes: a path need not be
// UTF-8, otherwise it must be as fs.ValidPath says. What is neither file nor directory can be opened for its Stat only.
func (t *Tree) FS(ctx context.Context) fs.FS { return &fileSystem{ctx: ctx, t: t} }

// A fileSystem is a Tree as package fs wants it.
type fileSystem struct {
	ctx context.Context // of all reading; the interfaces of package fs leave no other place for it
	t   *Tree

	// mu protects the following.
	mu     sync.Mutex
	recent []listing // of the directories last used, latest first
}

// A listing is a directory that was read as a whole, for it can be read from its beginning only.
type listing struct {
	stream venti.Entry
	dirs   []*Dir
}

const (
	maxRecent = 4
	maxLinks  = 40 // on one path; as Linux has it
)

var (
	_ fs.ReadDirFS  = (*fileSystem)(nil)
	_ fs.StatFS     = (*fileSystem)(nil)
	_ fs.ReadLinkFS = (*fileSystem)(nil)

	errLinks = errors.New("too many levels of symbolic links")
)

// list returns the entries of the directory d, sorted by name. With an error it returns those before it.
func (f *fileSystem) list(d *Dir) ([]*Dir, error) {
	large := d.Content.Kind == Stream
	if large {
		if dirs, ok := f.listed(d.Content.Stream); ok {
			return dirs, nil
		}
	}
	es := NewEntries(f.ctx, f.t.src, d.Content)
	defer es.Close()
	var dirs []*Dir
	for {
		e, err := es.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return dirs, err
		}
		dirs = append(dirs, e)
	}
	if large {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.recent = slices.Insert(f.recent[:min(len(f.recent), maxRecent-1)], 0, listing{d.Content.Stream, dirs})
	}
	return dirs, nil
}

// listed returns the entries of a directory that was read lately.
func (f *fileSystem) listed(stream venti.Entry) ([]*Dir, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.recent, func(l listing) bool { return l.stream == stream })
	if i < 0 {
		return nil, false
	}
	l := f.recent[i]
	copy(f.recent[1:i+1], f.recent[:i])
	f.recent[0] = l
	return l.dirs, true
}

// find returns what name stands for; follow says whether a link at its end is followed, as those before it are.
func (f *fileSystem) find(op, name string, follow bool) (*Dir, error) {
	if !validPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	d, err := f.resolve(strings.Split(name, "/"), follow)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return d, nil
}

// resolve walks from the top along names, and along the targets of links.
func (f *fileSystem) resolve(names []string, follow bool) (*Dir, error) {
	way := []*Dir{f.t.Top()}
	links := 0
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		if way[len(way)-1].Type != Directory {
			return nil, fs.ErrNotExist
		}
		switch name {
		case "", ".":
			continue
		case "..":
			way = way[:max(len(way)-1, 1)]
			continue
		}
		d, err := f.child(way[len(way)-1], name)
		if err != nil {
			return nil, err
		}
		if d.Type != Symlink || len(names) == 0 && !follow {
			way = append(way, d)
			continue
		}
		if links++; links > maxLinks {
			return nil, errLinks
		}
		if strings.HasPrefix(d.Target, "/") {
			way = way[:1]
		}
		names = append(strings.Split(d.Target, "/"), names...)
	}
	return way[len(way)-1], nil
}

// child returns the entry of the directory d called name.
func (f *fileSystem) child(d *Dir, name string) (*Dir, error) {
	dirs, err := f.list(d)
	i, ok := slices.BinarySearchFunc(dirs, name, func(d *Dir, name string) int { return strings.Compare(d.Name, name) })
	switch {
	case ok:
		return dirs[i], nil
	case err != nil:
		return nil, err
	}
	return nil, fs.ErrNotExist
}

// validPath is fs.ValidPath for names of any bytes.
func validPath(name string) bool {
	if name == "." {
		return true
	}
	for part := range strings.SplitSeq(name, "/") {
		if checkName(part) != nil {
			return false
		}
	}
	return true
}

// Open implements fs.FS. A regular file that it returns is an io.ReaderAt and an io.Seeker as well.
func (f *fileSystem) Open(name string) (fs.File, error) {
	d, err := f.find("open", name, true)
	if err != nil {
		return nil, err
	}
	about := info{path.Base(name), d}
	switch d.Type {
	case Directory:
		return &openDir{openOther: openOther{about}, f: f, path: name}, nil
	case File:
		r, err := f.t.Open(f.ctx, d)
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return &openFile{r, about}, nil
	}
	return openOther{about}, nil
}

// Stat implements fs.StatFS.
func (f *fileSystem) Stat(name string) (fs.FileInfo, error) { return f.about("stat", name, true) }

// Lstat implements fs.ReadLinkFS.
func (f *fileSystem) Lstat(name string) (fs.FileInfo, error) { return f.about("lstat", name, false) }

func (f *fileSystem) about(op, name string, follow bool) (fs.FileInfo, error) {
	d, err := f.find(op, name, follow)
	if err != nil {
		return nil, err
	}
	return info{path.Base(name), d}, nil
}

// ReadLink implements fs.ReadLinkFS.
func (f *fileSystem) ReadLink(name string) (string, error) {
	d, err := f.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	if d.Type != Symlink {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return d.Target, nil
}

// ReadDir implements fs.ReadDirFS.
func (f *fileSystem) ReadDir(name string) ([]fs.DirEntry, error) {
	d, err := f.find("readdir", name, true)
	if err != nil {
		return nil, err
	}
	return f.entries(name, d)
}

func (f *fileSystem) entries(name string, d *Dir) ([]fs.DirEntry, error) {
	if d.Type != Directory {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: errors.New("not a directory")}
	}
	dirs, err := f.list(d)
	if err != nil {
		err = &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	out := make([]fs.DirEntry, len(dirs))
	for i, d := range dirs {
		out[i] = info{d.Name, d}
	}
	return out, err
}

// info is a Dir as package fs wants it, under the last name of the path that led to it.
type info struct {
	name string
	d    *Dir
}

func (i info) Name() string               { return i.name }
func (i info) Mode() fs.FileMode          { return i.d.FileMode() }
func (i info) Type() fs.FileMode          { return i.d.FileMode().Type() }
func (i info) IsDir() bool                { return i.d.Type == Directory }
func (i info) ModTime() time.Time         { return i.d.ModTime.Time() }
func (i info) Sys() any                   { return i.d }
func (i info) Info() (fs.FileInfo, error) { return i, nil }
func (i info) String() string             { return fs.FormatFileInfo(i) }

// Size returns the length of a regular file or of a link's target.
func (i info) Size() int64 {
	if i.d.Type == Symlink {
		return int64(len(i.d.Target))
	}
	return i.d.Size
}

// openFile is a regular file.
type openFile struct {
	Reader
	about info
}

func (o *openFile) Stat() (fs.FileInfo, error) { return o.about, nil }

// openOther is what has no bytes to read.
type openOther struct{ about info }

func (o openOther) Stat() (fs.FileInfo, error) { return o.about, nil }
func (o openOther) Close() error               { return nil }

func (o openOther) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: o.about.name, Err: fs.ErrInvalid}
}

// openDir is a directory; its entries are read when they are first asked for.
type openDir struct {
	openOther
	f    *fileSystem
	path string
	read bool
	rest []fs.DirEntry
	err  error // after rest
}

// ReadDir implements fs.ReadDirFile.
func (o *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !o.read {
		o.rest, o.err = o.f.entries(o.path, o.about.d)
		o.read = true
	}
	if n <= 0 {
		out := o.rest
		o.rest = nil
		return out, o.err
	}
	n = min(n, len(o.rest))
	out := o.rest[:n:n]
	o.rest = o.rest[n:]
	switch {
	case n > 0:
		return out, nil
	case o.err != nil:
		return nil, o.err
	}
	return nil, io.EOF
}
