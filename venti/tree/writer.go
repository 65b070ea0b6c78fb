package tree

import (
	"context"
	"fmt"
	"io"

	"ventidhash/venti"
)

// readSize is how many bytes ReadFrom asks for at a time; what lies behind the end of a leaf is copied once.
const readSize = 256 << 10

// maxStream bounds the length of a stream: a row keeps its length in 63 bits less one for a flag.
const maxStream = 1 << 62

// A Writer makes one stream. Use it from one goroutine; call Close exactly once, also after an error.
type Writer struct {
	ctx    context.Context // of this one stream; the io interfaces leave no other place for it
	sink   *Sink
	leaf   bool
	cutter cutter
	buf    []byte // the leaf being filled
	queue  []queued
	levels [][]row // rows not yet in a pointer block, by level
	size   int64
	err    error
}

// A queued row waits for its block.
type queued struct {
	pending *Pending // nil for zeros
	n       int64
}

// NewWriter returns a Writer of a stream that is cut as c says. The context governs everything the Writer does.
func NewWriter(ctx context.Context, sink *Sink, c Cut) *Writer {
	w := &Writer{ctx: ctx, sink: sink, leaf: c != Entries(), levels: make([][]row, 1)}
	if w.err = c.Validate(); w.err == nil {
		w.cutter = newCutter(c, sink.gear)
	}
	return w
}

// Write adds p to the stream.
func (w *Writer) Write(p []byte) (int, error) {
	total := len(p)
	for len(p) > 0 && w.err == nil {
		if w.buf == nil {
			w.buf = w.sink.Buffer(w.cutter.cut.longest())
		}
		used, end := w.cutter.scan(p)
		w.buf = append(w.buf, p[:used]...)
		p = p[used:]
		if end {
			w.flush()
		}
	}
	if w.err != nil {
		return 0, w.err
	}
	return total, nil
}

// ReadFrom adds all that r gives to the stream. It reads into the leaf that is being filled, so that most bytes are
// not copied.
func (w *Writer) ReadFrom(r io.Reader) (total int64, err error) {
	for w.err == nil {
		if w.buf == nil {
			w.buf = w.sink.Buffer(w.cutter.cut.longest())
		}
		have := len(w.buf)
		room := w.buf[have:min(cap(w.buf), have+readSize)]
		n, err := r.Read(room)
		total += int64(n)
		w.take(room[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return total, err
		}
	}
	return total, w.err
}

// take cuts p, which lies in the buffer right behind its length.
func (w *Writer) take(p []byte) {
	for len(p) > 0 && w.err == nil {
		used, end := w.cutter.scan(p)
		w.buf = w.buf[:len(w.buf)+used]
		p = p[used:]
		if !end {
			return
		}
		var next []byte
		if len(p) > 0 {
			next = w.sink.Buffer(w.cutter.cut.longest())
			copy(next[:len(p)], p)
			p = next[:len(p)]
		}
		w.flush()
		w.buf = next
	}
}

// Hole adds n zero bytes that have no storage in the file read. A leaf always ends before a hole.
func (w *Writer) Hole(n int64) error {
	if n < 0 || n > maxStream {
		return fmt.Errorf("hole of %d bytes", n)
	}
	if n == 0 || w.err != nil {
		return w.err
	}
	if len(w.buf) > 0 {
		w.flush()
	}
	w.enqueue(queued{n: n})
	return w.err
}

// flush sends the filled leaf on its way.
func (w *Writer) flush() {
	buf := w.buf
	w.buf = nil
	w.cutter.reset()
	if isZero(buf) {
		n := int64(len(buf))
		w.sink.recycle(buf)
		w.enqueue(queued{n: n})
		return
	}
	n := int64(len(buf))
	w.enqueue(queued{pending: w.sink.Go(w.ctx, buf, w.leaf), n: n})
}

// isZero reports whether all of p is zero.
func isZero(p []byte) bool {
	for len(p) >= 8 {
		if p[0]|p[1]|p[2]|p[3]|p[4]|p[5]|p[6]|p[7] != 0 {
			return false
		}
		p = p[8:]
	}
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}

// enqueue keeps the order of rows while blocks finish in any order; the Sink bounds how many are under way.
func (w *Writer) enqueue(q queued) {
	if q.n > maxStream-w.size {
		w.fail(fmt.Errorf("stream is over %d bytes", int64(maxStream)))
		return
	}
	w.size += q.n
	w.queue = append(w.queue, q)
	w.drain(cap(w.sink.slots))
}

// drain turns queued rows into rows until at most keep are left.
func (w *Writer) drain(keep int) {
	for len(w.queue) > keep {
		q := w.queue[0]
		w.queue = w.queue[1:]
		r := row{n: q.n}
		if q.pending != nil {
			var err error
			if r.ref, err = q.pending.Wait(); err != nil {
				w.fail(err)
			}
		}
		if w.err == nil {
			w.add(0, r)
		}
	}
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// add appends r to the rows of a level, and makes a pointer block of them when it is time.
func (w *Writer) add(level int, r row) {
	if level == len(w.levels) {
		w.levels = append(w.levels, nil)
	}
	rows := w.levels[level]
	if n := len(rows); n > 0 && r.ref.IsZero() && rows[n-1].ref.IsZero() {
		rows[n-1].n += r.n
		return
	}
	w.levels[level] = append(rows, r)
	if endsPointer(r, len(rows)+1) {
		w.pointer(level)
	}
}

// pointer stores the rows of a level as a pointer block and adds its row to the level above.
func (w *Writer) pointer(level int) {
	rows := w.levels[level]
	w.levels[level] = rows[:0]
	up := row{}
	for _, r := range rows {
		up.n += r.n
	}
	if len(rows) > 1 || !rows[0].ref.IsZero() {
		if level+1 > venti.MaxDepth {
			w.fail(fmt.Errorf("tree is over depth %d", venti.MaxDepth))
			return
		}
		var err error
		up.ref, err = w.sink.PutPointer(w.ctx, appendPointer(nil, level+1, rows))
		if err != nil {
			w.fail(err)
			return
		}
	}
	w.add(level+1, up)
}

// Close ends the stream and returns its entry. When it returns, all blocks of the stream are stored, though not yet
// synced, and nothing of the Writer runs any more.
func (w *Writer) Close() (venti.Entry, error) {
	if len(w.buf) > 0 && w.err == nil {
		w.flush()
	}
	w.sink.recycle(w.buf)
	w.buf = nil
	w.drain(0)
	if w.err != nil || w.size == 0 {
		return venti.Entry{}, w.err
	}
	for level := 0; w.err == nil; level++ {
		rows := w.levels[level]
		if level == len(w.levels)-1 && len(rows) == 1 {
			e := venti.Entry{Top: rows[0].ref, Depth: level, Size: w.size}
			if e.Top.IsZero() {
				e.Depth = 0
			}
			return e, nil
		}
		if len(rows) > 0 {
			w.pointer(level)
		}
	}
	return venti.Entry{}, w.err
}
