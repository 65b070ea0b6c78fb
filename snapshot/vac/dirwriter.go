package vac

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// A DirWriter makes the content of one directory from its entries in order of name. Where it is told that an entry is
// the next one of an older version of the directory, it writes nothing until something differs: a directory that stays
// as it was costs no block, no sealing and no hashing.
//
// Use it from one goroutine; end it by Close, CloseStream or Abort. An entry that is refused leaves it as it was; after
// any other error it makes no directory any more.
type DirWriter struct {
	ctx  context.Context // of this one directory
	sink *tree.Sink
	src  *tree.Source

	old  Content // the older version, while same
	same bool    // all so far is equal to the first kept records of old
	kept int

	last   string // name of the last entry
	prior  prior  // what stands before the next record that is written
	body   []byte // of the record being written
	other  []byte // of a record to compare it with
	rec    []byte
	names  texts
	buf    []byte // the stream so far, until it is over nestMax
	stream *tree.Writer
	err    error // what stopped the writing
}

// NewDirWriter returns a DirWriter. old is the content of an older version of the directory in src, or the zero
// Content.
func NewDirWriter(ctx context.Context, sink *tree.Sink, src *tree.Source, old Content) *DirWriter {
	return &DirWriter{ctx: ctx, sink: sink, src: src, old: old, same: old.Kind != Empty, names: texts{}}
}

// Keep adds d, the next entry of the old version, unchanged. It may be called only while every call before it was
// Keep, for each of the old entries in turn; after anything else it is Add of an entry that is known to be sound.
func (w *DirWriter) Keep(d *Dir) error {
	if err := w.order(d.Name); err != nil {
		return err
	}
	w.last = d.Name
	if w.same {
		w.kept++
		return nil
	}
	return w.write(d)
}

// Drop says that the next entry of the old version is not in the new one.
func (w *DirWriter) Drop() error {
	if w.err != nil {
		return w.err
	}
	return w.differ()
}

// ErrEntry says that an entry cannot be put into a directory: a name that no file has, or a value beyond its bounds.
var ErrEntry = errors.New("entry that cannot be stored")

// longer is how many bytes more a record may have behind another one than in front of all.
const longer = 64

// Add adds the entry d, which is not in the old version as it is. It refuses with ErrEntry whatever a reader would
// refuse.
func (w *DirWriter) Add(d *Dir) error {
	w.body = appendBody(w.body[:0], &prior{}, d) // what holds of the first record holds of it anywhere
	if len(w.body) > maxRecord-longer {
		return fmt.Errorf("%w: record of %.80q: %d bytes is over the bound of %d", ErrEntry, d.Name, len(w.body), maxRecord-longer)
	}
	if _, err := parseBody(w.body, &prior{}, w.names); err != nil {
		return fmt.Errorf("%w: %w", ErrEntry, err)
	}
	if err := w.order(d.Name); err != nil {
		return err
	}
	w.last = d.Name
	if err := w.differ(); err != nil {
		return err
	}
	return w.write(d)
}

// Replace is Add for an entry of which the old version's next entry is old. If d turns out to be the same, it is Keep.
// It reports whether it was.
func (w *DirWriter) Replace(d, old *Dir) (same bool, err error) {
	w.body = appendBody(w.body[:0], &prior{}, d)
	w.other = appendBody(w.other[:0], &prior{}, old)
	if bytes.Equal(w.body, w.other) {
		return true, w.Keep(d)
	}
	if err := w.Drop(); err != nil {
		return false, err
	}
	return false, w.Add(d)
}

// order returns the error that stands, or one if name may not come next.
func (w *DirWriter) order(name string) error {
	if w.err == nil && name <= w.last {
		return fmt.Errorf("%w: %.80q comes after %.80q", ErrEntry, name, w.last)
	}
	return w.err
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
		var d *Dir
		if d, w.err = old.Next(); w.err != nil {
			return w.err
		}
		if err := w.write(d); err != nil {
			return err
		}
	}
	return nil
}

// write writes the record of d.
func (w *DirWriter) write(d *Dir) error {
	w.body = appendBody(w.body[:0], &w.prior, d)
	w.rec = venti.AppendBytes(w.rec[:0], w.body)
	w.prior.next(d)
	if w.stream != nil {
		_, w.err = w.stream.Write(w.rec)
		return w.err
	}
	if len(w.buf) == 0 {
		w.buf = append(w.buf, dirVersion)
	}
	if w.buf = append(w.buf, w.rec...); len(w.buf) > nestMax {
		return w.spill()
	}
	return nil
}

// spill begins a stream with what is in buf.
func (w *DirWriter) spill() error {
	w.stream = tree.NewWriter(w.ctx, w.sink, tree.Entries())
	_, w.err = w.stream.Write(w.buf)
	w.buf = nil
	return w.err
}

// Close ends the directory and returns its content, and whether it is the old version.
func (w *DirWriter) Close() (c Content, same bool, err error) {
	switch {
	case w.err != nil:
		w.Abort()
		return Content{}, false, w.err
	case w.same:
		return w.old, true, nil
	case w.stream != nil:
		e, err := w.end()
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
	if w.err == nil && w.same && w.old.Kind == Stream {
		return w.old.Stream, nil
	}
	if w.err == nil {
		w.err = w.differ()
	}
	if w.err == nil && w.stream == nil {
		if len(w.buf) == 0 {
			w.buf = append(w.buf, dirVersion)
		}
		w.err = w.spill()
	}
	if w.err != nil {
		w.Abort()
		return venti.Entry{}, w.err
	}
	return w.end()
}

// end closes the stream.
func (w *DirWriter) end() (e venti.Entry, err error) {
	e, w.err = w.stream.Close()
	w.stream = nil
	return e, w.err
}

// Abort releases what an unfinished directory holds. After Close it does nothing.
func (w *DirWriter) Abort() {
	if w.stream != nil {
		_, err := w.stream.Close()
		_ = err // the one that led here is reported
		w.stream = nil
	}
}
