package restore

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"ventidhash/snapshot/vac"
	"ventidhash/venti/tree"
)

var (
	errSocket = errors.New("a socket has no place in a tar archive")
	errXattr  = errors.New("an attribute with = in its name has no place in a tar archive")
)

// Tar writes what stands at path in the snapshot to w as a tar archive in the format of POSIX, the attributes as
// SCHILY.xattr records. Names are as Run would make them in its target. Of cfg, Include, Exclude, NumericIDs, Progress
// and Warn count.
//
// A failure that concerns one file is counted and told to cfg.Warn; the error then wraps ErrIncomplete, and the archive
// is well formed all the same. Where the content of a large file ends in a block that cannot be had, zeros stand for the
// rest. Sockets count as failures. With any other error the archive is cut short.
func Tar(ctx context.Context, t *vac.Tree, path string, w io.Writer, cfg Config) (Report, error) {
	if err := cfg.validatePatterns(); err != nil {
		return Report{}, err
	}
	d, err := t.Lookup(ctx, path)
	if err != nil {
		return Report{}, err
	}
	x := &taper{run: newRun(t, d, path, cfg), out: tar.NewWriter(w), linked: map[inode]string{}}
	if d.Type != vac.Directory {
		err = x.entry(ctx, nil, d)
	} else {
		if d.Name != "" && (x.filter.include == nil || x.filter.takes(nil, true)) {
			err = x.header(d, ".", tar.TypeDir, "")
			x.dirs.Add(1)
		}
		if err == nil {
			err = x.directory(ctx, nil, d)
		}
	}
	if err == nil {
		err = x.out.Close()
	}
	rep := x.report()
	if err == nil && rep.Failed() > 0 {
		err = fmt.Errorf("%w: %d failures", ErrIncomplete, rep.Failed())
	}
	return rep, err
}

// A taper is one call of Tar.
type taper struct {
	*run
	out    *tar.Writer
	linked map[inode]string // the name of the first of several hard links
}

// inode tells a file among those of the snapshot.
type inode struct {
	device uint32
	number uint64
}

func (x *taper) fails(kind Kind, parts []string, err error) {
	x.tally.fail(kind, func() string { return x.base + "/" + strings.Join(parts, "/") }, err)
}

// directory writes what is in the directory d, whose path below the one that was asked for is parts.
func (x *taper) directory(ctx context.Context, parts []string, d *vac.Dir) error {
	es, err := x.tree.Entries(ctx, d)
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
			if ctx.Err() != nil {
				return ctx.Err()
			}
			x.fails(List, parts, err)
			return nil
		}
		if err := x.entry(ctx, parts, e); err != nil {
			return err
		}
	}
}

// entry writes d, which lies in the directory at parts, and all that is below it.
func (x *taper) entry(ctx context.Context, parts []string, d *vac.Dir) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	parts = append(parts[:len(parts):len(parts)], d.Name)
	name := strings.Join(parts, "/")
	shown := x.base + "/" + name
	x.done.path.Store(&shown)
	takes := x.filter.takes(parts, d.Type == vac.Directory)
	if d.Type == vac.Directory {
		if takes {
			if err := x.header(d, name, tar.TypeDir, ""); err != nil {
				return err
			}
			x.dirs.Add(1)
			x.done.Dirs.Add(1)
		}
		if !x.filter.descends(parts) {
			return nil
		}
		return x.directory(ctx, parts, d)
	}
	if !takes {
		return nil
	}
	defer x.done.Files.Add(1)
	if d.Linked() {
		id := inode{d.Device, d.Inode}
		if first, ok := x.linked[id]; ok {
			x.files.Add(1)
			x.hardLinks.Add(1)
			return x.header(d, name, tar.TypeLink, first)
		}
		x.linked[id] = name
	}
	return x.file(ctx, parts, d)
}

// file writes an entry that is neither a directory nor a hard link to another one.
func (x *taper) file(ctx context.Context, parts []string, d *vac.Dir) (err error) {
	name := strings.Join(parts, "/")
	switch d.Type {
	case vac.File:
		return x.regular(ctx, parts, d)
	case vac.Symlink:
		err = x.header(d, name, tar.TypeSymlink, d.Target)
	case vac.Fifo:
		err = x.header(d, name, tar.TypeFifo, "")
	case vac.CharDevice:
		err = x.header(d, name, tar.TypeChar, "")
	case vac.BlockDevice:
		err = x.header(d, name, tar.TypeBlock, "")
	default:
		delete(x.linked, inode{d.Device, d.Inode})
		x.fails(Create, parts, errSocket)
		return nil
	}
	if err == nil {
		x.files.Add(1)
	}
	return err
}

// regular writes a regular file.
func (x *taper) regular(ctx context.Context, parts []string, d *vac.Dir) error {
	small, err := x.small(ctx, d)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		delete(x.linked, inode{d.Device, d.Inode}) // another name of it may be tried again
		x.fails(Content, parts, err)
		return nil
	}
	if err := x.header(d, strings.Join(parts, "/"), tar.TypeReg, ""); err != nil {
		return err
	}
	if d.Content.Kind == vac.Stream {
		return x.content(ctx, parts, d)
	}
	if _, err := x.out.Write(small); err != nil {
		return err
	}
	x.wrote(d)
	return nil
}

// wrote counts a regular file that is in the archive as a whole.
func (x *taper) wrote(d *vac.Dir) {
	x.files.Add(1)
	x.bytes.Add(d.Size)
	if d.Content.Kind != vac.Stream {
		x.done.Bytes.Add(d.Size)
	}
}

// content writes the content of a large file, after its header.
func (x *taper) content(ctx context.Context, parts []string, d *vac.Dir) error {
	s := tree.NewStream(ctx, x.source(), d.Content.Stream, 0, streamAhead)
	defer s.Close()
	written := int64(0)
	for {
		p, err := s.Next()
		if err == io.EOF {
			x.wrote(d)
			return nil
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			x.fails(Content, parts, fmt.Errorf("the archive has zeros from byte %d on: %w", written, err))
			return x.zeros(ctx, d.Size-written)
		}
		if p.Data == nil {
			err = x.zeros(ctx, p.Len)
		} else {
			_, err = x.out.Write(p.Data)
			x.done.Bytes.Add(p.Len)
		}
		if err != nil {
			return err
		}
		written += p.Len
	}
}

func (x *taper) zeros(ctx context.Context, n int64) error {
	zeros := make([]byte, min(n, 256<<10))
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := zeros[:min(n, int64(len(zeros)))]
		if _, err := x.out.Write(b); err != nil {
			return err
		}
		n -= int64(len(b))
		x.done.Bytes.Add(int64(len(b)))
	}
	return nil
}

// header writes the header of the entry d.
func (x *taper) header(d *vac.Dir, name string, typ byte, link string) error {
	h := &tar.Header{Typeflag: typ, Name: name, Linkname: link, Mode: int64(d.Mode), Uid: int(d.UID), Gid: int(d.GID),
		ModTime: d.ModTime.Time(), Format: tar.FormatPAX}
	if !x.cfg.NumericIDs {
		h.Uname, h.Gname = d.User, d.Group
	}
	switch typ {
	case tar.TypeDir:
		h.Name += "/"
	case tar.TypeReg:
		h.Size = d.Size
	case tar.TypeChar, tar.TypeBlock:
		h.Devmajor, h.Devminor = int64(d.Major), int64(d.Minor)
	}
	if typ != tar.TypeLink {
		for _, a := range d.Xattrs {
			if strings.Contains(a.Name, "=") {
				x.tally.fail(Attribute, func() string { return x.base + "/" + name }, fmt.Errorf("%s: %w", a.Name, errXattr))
				continue
			}
			if h.PAXRecords == nil {
				h.PAXRecords = map[string]string{}
			}
			h.PAXRecords["SCHILY.xattr."+a.Name] = a.Value
		}
	}
	if err := x.out.WriteHeader(h); err != nil {
		return fmt.Errorf("tar: %q: %w", name, err)
	}
	return nil
}
