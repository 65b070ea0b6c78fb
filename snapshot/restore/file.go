package restore

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/vac"
	"ventidhash/venti/tree"
)

// streamAhead is how many leaves of a file are fetched at once.
const streamAhead = 4

// file makes the regular file d under a name that is free. After an error there is nothing under it.
func (w writer) file(ctx context.Context, f *folder, d *vac.Dir, name string) error {
	small, err := w.small(ctx, d)
	if err != nil {
		return err
	}
	if d.Content.Kind == vac.Stream {
		w.show(f, d.Name)
	}
	fd, err := openAt(f.fd, name, makeFlags, d.Mode&0o777)
	if err != nil {
		return err
	}
	switch d.Content.Kind {
	case vac.Sliced:
		if err = write(fd, small, 0); err == nil {
			w.done.Bytes.Add(d.Size)
		}
	case vac.Stream:
		err = w.stream(ctx, fd, d)
	}
	if err == nil {
		w.apply(place{fd: fd}, f, d.Name, d, true)
	}
	if e := unix.Close(fd); e != nil && e != unix.EINTR && err == nil {
		err = os.NewSyscallError("close", e)
	}
	if err != nil {
		_ = unlink(f.fd, name, 0) // the first error counts
	}
	return err
}

// show lets Progress show a path.
func (r *run) show(f *folder, name string) {
	path := r.base + f.path(name)
	r.done.path.Store(&path)
}

// A contentError is an error of reading content from the snapshot.
type contentError struct{ err error }

func (e *contentError) Error() string { return e.err.Error() }
func (e *contentError) Unwrap() error { return e.err }

// kindOf tells a failure of reading from one of writing.
func kindOf(err error) Kind {
	var c *contentError
	if errors.As(err, &c) {
		return Content
	}
	return Create
}

// small returns the content of a file that lies in a shared block, and nil for others. A block that could not be had
// is not asked for again: many files may lie in it, and each try may take long.
func (r *run) small(ctx context.Context, d *vac.Dir) ([]byte, error) {
	if d.Content.Kind != vac.Sliced {
		return nil, nil
	}
	ref := d.Content.Slice.Block
	r.mu.Lock()
	err := r.bad[ref]
	r.mu.Unlock()
	if err != nil {
		return nil, &contentError{err}
	}
	b, err := r.tree.Bytes(ctx, d)
	if err == nil {
		return b, nil
	}
	if _, e := r.source().Block(ctx, ref); e != nil && ctx.Err() == nil {
		r.mu.Lock()
		r.bad[ref] = e
		r.mu.Unlock()
	}
	return nil, &contentError{err}
}

// stream writes the content of d into the new file fd. Zeros become holes if the file had any, and are written if not.
func (r *run) stream(ctx context.Context, fd int, d *vac.Dir) error {
	s := tree.NewStream(ctx, r.source(), d.Content.Stream, 0, streamAhead)
	defer s.Close()
	behind := writeback{fd: fd}
	for {
		p, err := s.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return &contentError{err}
		}
		switch {
		case p.Data != nil:
			err = write(fd, p.Data, p.Off)
		case !d.Sparse:
			err = writeZeros(ctx, fd, p.Off, p.Len)
		}
		if err != nil {
			return err
		}
		behind.reached(p.Off + p.Len)
		r.done.Bytes.Add(p.Len)
	}
	if !d.Sparse {
		return nil
	}
	return again("truncate", func() error { return unix.Ftruncate(fd, d.Size) })
}

// writebackStep is how many bytes of a large file are handed to the disk at a time.
const writebackStep = 8 << 20

// A writeback has a large file reach the disk while it is being written, and gives back the memory of what should be
// there: a restore of any size leaves the machine the memory it had, and writes to pages that are free again.
type writeback struct {
	fd    int
	begun int64
}

// reached says that everything before off is written.
func (w *writeback) reached(off int64) {
	if off-w.begun < writebackStep {
		return
	}
	startWriteback(w.fd, w.begun, off-w.begun)
	giveBack(w.fd, w.begun-writebackStep)
	w.begun = off
}

// writeZeros writes n zero bytes.
func writeZeros(ctx context.Context, fd int, off, n int64) error {
	zeros := make([]byte, min(n, 256<<10))
	for n > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := zeros[:min(n, int64(len(zeros)))]
		if err := write(fd, b, off); err != nil {
			return err
		}
		off, n = off+int64(len(b)), n-int64(len(b))
	}
	return nil
}
