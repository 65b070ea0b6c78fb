package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/zeebo/blake3"
	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
	"ventidhash/venti/tree"
)

// A checker is the pass of the verification: it compares what was written with the snapshot.
type checker struct{ *run }

// enter opens f, unless it was not restored.
func (c checker) enter(_ context.Context, f *folder) bool {
	if f.parent == nil {
		return true
	}
	if c.left.has(f, "") {
		return false
	}
	fd, err := openAt(f.parent.fd, f.name, searchFlags, 0)
	if err == nil {
		f.fd = fd
		var st status
		st, err = place{fd: fd}.stat()
		f.dev, f.ino = st.dev, st.ino
	}
	if err != nil {
		c.fail(Mismatch, f, "", err)
		return false
	}
	return true
}

// finish compares the metadata of f.
func (c checker) finish(_ context.Context, f *folder, fd int) {
	if f.plain || !f.wanted || c.cfg.Overwrite == Never || fd < 0 {
		return
	}
	c.verified.Add(1)
	st, err := place{fd: fd}.stat()
	if err == nil {
		err = c.compare(f.dir, st)
	}
	if err != nil {
		c.fail(Mismatch, f, "", err)
	}
}

// entry compares d with what is in its place.
func (c checker) entry(ctx context.Context, f *folder, d *vac.Dir) {
	if c.left.has(f, d.Name) {
		return
	}
	err := c.check(ctx, f, d)
	if err != nil && ctx.Err() != nil {
		return
	}
	c.verified.Add(1)
	if err != nil {
		c.fail(Mismatch, f, d.Name, err)
	}
}

func (c checker) check(ctx context.Context, f *folder, d *vac.Dir) error {
	p := place{dir: f.fd, name: d.Name, fd: -1}
	st, err := p.stat()
	if err != nil {
		return err
	}
	if err := c.compare(d, st); err != nil {
		return err
	}
	switch d.Type {
	case vac.File:
		return c.content(ctx, p, d, st)
	case vac.Symlink:
		target, err := p.readLink(st.size)
		if err == nil && target != d.Target {
			err = fmt.Errorf("leads to %q, not %q", target, d.Target)
		}
		return err
	}
	return nil
}

// compare compares what a status says with d. Modes are compared as far as the run may set them; what it could not set
// has been reported.
func (c checker) compare(d *vac.Dir, st status) error {
	modes := uint32(0o7777)
	if !c.who.root {
		modes = 0o777
	}
	if d.Type == vac.Directory && d.Mode&0o100 == 0 && !c.who.root {
		modes = 0 // set at the end
	}
	switch {
	case st.typ != d.Type:
		return errors.New("is a file of another type")
	case d.Type == vac.File && st.size != d.Size:
		return fmt.Errorf("has %d bytes, not %d", st.size, d.Size)
	case st.mtime != d.ModTime:
		return fmt.Errorf("was changed at %v, not %v", st.mtime.Time(), d.ModTime.Time())
	case d.Type != vac.Symlink && (st.mode^d.Mode)&modes != 0:
		return fmt.Errorf("has mode %04o, not %04o", st.mode, d.Mode)
	case (d.Type == vac.CharDevice || d.Type == vac.BlockDevice) && st.rdev != device(d.Major, d.Minor):
		return fmt.Errorf("is device %#x, not %d:%d", st.rdev, d.Major, d.Minor)
	}
	return nil
}

var errDiffers = errors.New("content differs from the snapshot")

// content reads the file p and compares it. A slice has a hash to compare with; a stream is fetched once more.
func (c checker) content(ctx context.Context, p place, d *vac.Dir, st status) error {
	fd, err := openAt(p.dir, p.name, readFlags, 0)
	if errors.Is(err, unix.EACCES) {
		if e := p.chmod(st.mode | 0o400); e == nil {
			fd, err = openAt(p.dir, p.name, readFlags, 0)
			if e := p.chmod(st.mode); e != nil && err == nil {
				closeFD(fd)
				return e
			}
		}
	}
	if err != nil {
		return err
	}
	dropCache(fd)
	file := os.NewFile(uintptr(fd), "file")
	defer file.Close()
	switch d.Content.Kind {
	case vac.Sliced:
		h := blake3.New()
		if _, err := io.Copy(h, file); err != nil {
			return err
		}
		if !bytes.Equal(h.Sum(nil)[:len(vac.Digest{})], d.Content.Slice.Hash[:]) {
			return errDiffers
		}
		return nil
	case vac.Stream:
		return c.streamed(ctx, file, d)
	}
	return nil
}

// streamed compares a file with its stream.
func (c checker) streamed(ctx context.Context, file io.ReaderAt, d *vac.Dir) error {
	s := tree.NewStream(ctx, c.source(), d.Content.Stream, 0, streamAhead)
	defer s.Close()
	buf, zeros := make([]byte, 256<<10), make([]byte, 256<<10)
	for {
		p, err := s.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for done := int64(0); done < p.Len; {
			if err := ctx.Err(); err != nil {
				return err
			}
			b := buf[:min(int64(len(buf)), p.Len-done)]
			if _, err := file.ReadAt(b, p.Off+done); err != nil {
				return err
			}
			want := zeros[:len(b)]
			if p.Data != nil {
				want = p.Data[done : done+int64(len(b))]
			}
			if !bytes.Equal(b, want) {
				return fmt.Errorf("%w between bytes %d and %d", errDiffers, p.Off+done, p.Off+done+int64(len(b)))
			}
			done += int64(len(b))
		}
	}
}
