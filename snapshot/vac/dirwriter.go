package vac

import (
	"context"
	"errors"
	"fmt"
	"io"

	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// A DirWriter makes the content of one directory from its entries in order of name. Where it is told that an entry is
// the next one of an older version of the directory, it writes nothing until something differs: a directory that stays
// as it was costs no block, no sealing and no hashing.
//
// Use it from one goroutine; call Close or CloseStream exactly once.
type DirWriter struct {
	ctx  context.Context // of this one directory
	sink *tree.Sink
	src  *tree.Source

	old  Content // the older version, while same
	same bool    // all so far is equal to the first kept records of old
	kept int

	last    string
	buf     []byte // the stream so far, until it is over nestMax
	scratch []byte
	stream  *tree.Writer
}

// NewDirWriter returns a DirWriter. old is the content of an older version of the directory in src, or the zero
// Content.
func NewDirWriter(ctx context.Context, sink *tree.Sink, src *tree.Source, old Content) *DirWriter {
	return &DirWriter{ctx: ctx, sink: sink, src: src, old: old, same: old.Kind != Empty}
}

// Keep adds the next entry of the old version, whose record is raw, unchanged. It may be called only while every call
// before it was Keep, for each of the old entries in turn; after anything else it is Add of a finished record.
func (w *DirWriter) Keep(name string, raw []byte) error {
	if err := w.order(name); err != nil {
		return err
	}
	if w.same {
		w.kept++
		return nil
	}
	return w.write(raw)
}

// Drop says that the next entry of the old version is not in the new one.
func (w *DirWriter) Drop() error { return w.differ() }

// Add adds the entry d, which is not in the old version as it is.
func (w *DirWriter) Add(d *Dir) error {
	if err := checkName(d.Name); err != nil {
		return err
	}
	if err := w.order(d.Name); err != nil {
		return err
	}
	if err := w.differ(); err != nil {
		return err
	}
	var rec []byte
	rec, w.scratch = appendRecord(nil, w.scratch, d)
	if len(rec) > maxRecord {
		return fmt.Errorf("record of %q: %d bytes is over the bound of %d", d.Name, len(rec), maxRecord)
	}
	return w.write(rec)
}

func (w *DirWriter) order(name string) error {
	if name <= w.last {
		return fmt.Errorf("%q comes after %q: entries are added in order of name", name, w.last)
	}
	w.last = name
	return nil
}

// differ writes what was kept so far, since the directory is not the old one any more.
func (w *DirWriter) differ() error {
	if !w.same {
		return nil
	}
	w.same = false
	old := NewEntries(w.ctx, w.src, w.old)
	defer old.Close()
	for range w.kept {
		if _, err := old.Next(); err != nil {
			return err
		}
		if err := w.write(old.Raw()); err != nil {
			return err
		}
	}
	return nil
}

func (w *DirWriter) write(rec []byte) error {
	if w.stream != nil {
		_, err := w.stream.Write(rec)
		return err
	}
	if len(w.buf) == 0 {
		w.buf = append(w.buf, dirVersion)
	}
	if w.buf = append(w.buf, rec...); len(w.buf) > nestMax {
		return w.spill()
	}
	return nil
}

// spill begins a stream with what is in buf.
func (w *DirWriter) spill() error {
	w.stream = tree.NewWriter(w.ctx, w.sink, tree.Entries())
	_, err := w.stream.Write(w.buf)
	w.buf = nil
	return err
}

// Close ends the directory and returns its content, and whether it is the old version.
func (w *DirWriter) Close() (c Content, same bool, err error) {
	switch {
	case w.same:
		return w.old, true, nil
	case w.stream != nil:
		e, err := w.stream.Close()
		return Content{Kind: Stream, Stream: e}, false, err
	case len(w.buf) > 0:
		return Content{Kind: Nested, Nested: w.buf}, false, nil
	default:
		return Content{}, w.old.Kind == Empty, nil
	}
}

// CloseStream ends the directory as a stream of its own whatever its length; the top directory is one. An empty
// directory is a stream of its version byte.
func (w *DirWriter) CloseStream() (venti.Entry, error) {
	if w.same && w.old.Kind == Stream {
		return w.old.Stream, nil
	}
	if err := w.differ(); err != nil {
		return venti.Entry{}, err
	}
	if w.stream == nil {
		if len(w.buf) == 0 {
			w.buf = append(w.buf, dirVersion)
		}
		if err := w.spill(); err != nil {
			return venti.Entry{}, err
		}
	}
	return w.stream.Close()
}

// Abort releases what an unfinished directory holds.
func (w *DirWriter) Abort() {
	if w.stream != nil {
		_, err := w.stream.Close()
		_ = err // the one that led here is reported
	}
}

// Entries reads the entries of one directory in order of name. Use it from one goroutine, and Close it.
type Entries struct {
	stream  *tree.Stream // nil once all is in buf
	ref     venti.Ref
	buf     []byte
	raw     []byte
	last    string
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

// Next returns the next entry, or io.EOF after the last. A record that is not as it must be is venti.ErrCorrupt.
func (e *Entries) Next() (*Dir, error) {
	if e.err != nil {
		return nil, e.err
	}
	d, err := e.next()
	if err != nil {
		var be *venti.BlockError
		if err != io.EOF && !errors.As(err, &be) && !errors.Is(err, context.Canceled) {
			err = &venti.BlockError{Op: "read directory", Score: e.ref.Score, Err: fmt.Errorf("%w: %w", venti.ErrCorrupt, err)}
		}
		e.err = err
		return nil, err
	}
	return d, nil
}

func (e *Entries) next() (*Dir, error) {
	if !e.started {
		if err := e.need(1); err != nil {
			return nil, err
		}
		if e.buf[0] != dirVersion {
			return nil, fmt.Errorf("directory version %d is not known to this program", e.buf[0])
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
		return nil, unexpected(err)
	}
	e.raw = e.buf[: head+size : head+size]
	e.buf = e.buf[head+size:]
	d, err := parseBody(e.raw[head:], e.names)
	if err != nil {
		return nil, err
	}
	if d.Name <= e.last {
		return nil, fmt.Errorf("%.80q comes after %.80q", d.Name, e.last)
	}
	e.last = d.Name
	return d, nil
}

// length reads the length in front of a record.
func (e *Entries) length() (size, head int, err error) {
	for n := 1; ; n++ {
		if err := e.need(n); err != nil {
			return 0, 0, unexpected(err)
		}
		if e.buf[n-1] < 0x80 || n == 10 {
			d := venti.NewDecoder(e.buf[:n])
			size = int(d.Uint(maxRecord))
			return size, n, d.Finish()
		}
	}
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// need makes at least n bytes of buf available. Slices given out before stay as they are.
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
			return errors.New("zeros in a directory")
		}
		if len(e.buf) == 0 {
			e.buf = p.Data
		} else {
			e.buf = append(e.buf[:len(e.buf):len(e.buf)], p.Data...)
		}
	}
	return nil
}

// Raw returns the record of the entry that Next returned last. Do not change it; it stays valid.
func (e *Entries) Raw() []byte { return e.raw }

// Close releases what is under way.
func (e *Entries) Close() {
	if e.stream != nil {
		e.stream.Close()
		e.stream = nil
	}
}
