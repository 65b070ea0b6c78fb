package vac

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// Entries reads the entries of one directory in order of name. Use it from one goroutine, and Close it.
type Entries struct {
	stream  *tree.Stream // nil once all is in buf
	ref     venti.Ref    // of the directory's own stream; zero of a nested one
	buf     []byte
	prior   prior
	started bool
	names   texts
	err     error
}

// NewEntries returns the entries of the directory whose content is c. The context governs all reading.
func NewEntries(ctx context.Context, src *tree.Source, c Content) *Entries {
	e := &Entries{names: texts{}}
	switch c.Kind {
	case Empty:
		e.err = io.EOF
	case Nested:
		e.buf = c.Nested
	case Stream:
		e.ref = c.Stream.Top
		e.stream = tree.NewStream(ctx, src, c.Stream, 0, 2)
	default:
		e.err = errContent
	}
	return e
}

// Next returns the next entry, or io.EOF after the last. A record that is not as it must be is venti.ErrCorrupt; errors
// of the blocks are passed on as they are.
func (e *Entries) Next() (d *Dir, err error) {
	if e.err == nil {
		d, e.err = e.next()
	}
	if e.err != nil {
		return nil, e.err
	}
	return d, nil
}

func (e *Entries) next() (*Dir, error) {
	if !e.started {
		if err := e.need(1); err != nil {
			return nil, e.short(err)
		}
		if e.buf[0] != dirVersion {
			return nil, e.corrupt(fmt.Errorf("directory version %d is not known to this program", e.buf[0]))
		}
		e.buf = e.buf[1:]
		e.started = true
	}
	if err := e.need(1); err != nil {
		return nil, err // io.EOF: the end
	}
	size, head, err := e.length()
	if err != nil {
		return nil, err
	}
	if err := e.need(head + size); err != nil {
		return nil, e.short(err)
	}
	body := e.buf[head : head+size : head+size]
	e.buf = e.buf[head+size:]
	d, err := parseBody(body, &e.prior, e.names)
	if err != nil {
		return nil, e.corrupt(err)
	}
	e.prior.next(d)
	return d, nil
}

// length reads the length in front of a record.
func (e *Entries) length() (size, head int, err error) {
	for n := 1; ; n++ {
		if err := e.need(n); err != nil {
			return 0, 0, e.short(err)
		}
		if e.buf[n-1] < 0x80 || n == 10 {
			d := venti.NewDecoder(e.buf[:n])
			size = int(d.Uint(maxRecord))
			if err := d.Finish(); err != nil {
				return 0, 0, e.corrupt(fmt.Errorf("length of a record: %w", err))
			}
			return size, n, nil
		}
	}
}

// corrupt says that the bytes are sound and are not those of a directory.
func (e *Entries) corrupt(err error) error {
	err = fmt.Errorf("%w: %w", venti.ErrCorrupt, err)
	if e.ref.IsZero() {
		return fmt.Errorf("read directory: %w", err)
	}
	return &venti.BlockError{Op: "read directory", Score: e.ref.Score, Err: err}
}

// short makes an end where there should be more an error of its own.
func (e *Entries) short(err error) error {
	if err == io.EOF {
		return e.corrupt(io.ErrUnexpectedEOF)
	}
	return err
}

// need makes at least n bytes of buf available, or returns io.EOF or the error of the stream. Slices given out before
// stay as they are.
func (e *Entries) need(n int) error {
	for len(e.buf) < n {
		if e.stream == nil {
			return io.EOF
		}
		p, err := e.stream.Next()
		if err != nil {
			return err
		}
		if p.Data == nil {
			// The end of a record of attributes can be a leaf of zeros, which has no block.
			if p.Len > maxRecord {
				return e.corrupt(errors.New("more zeros than a record can have"))
			}
			p.Data = make([]byte, p.Len)
		}
		if len(e.buf) == 0 {
			e.buf = p.Data
		} else {
			e.buf = append(e.buf[:len(e.buf):len(e.buf)], p.Data...)
		}
	}
	return nil
}

// Close releases what is under way.
func (e *Entries) Close() {
	if e.stream != nil {
		e.stream.Close()
		e.stream = nil
	}
	if e.err == nil {
		e.err = io.ErrClosedPipe
	}
}
