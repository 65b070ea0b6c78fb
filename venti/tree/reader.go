package tree

import (
	"context"
	"fmt"
	"io"

	"ventidhash/venti"
)

// A Piece is a run of bytes of a stream: a leaf, or zeros of any length.
type Piece struct {
	Off, Len int64
	Data     []byte // Len bytes; nil for zeros
}

// A Stream gives the pieces of a stream in order, and fetches some leaves ahead. Use it from one goroutine, and Close
// it.
type Stream struct {
	ctx    context.Context // of this one stream; Close cancels it
	cancel context.CancelFunc
	src    *Source
	cursor *cursor
	from   int64
	ahead  int
	queue  []*fetch
	end    bool
	err    error
}

// A fetch is one piece on its way; it may be read once done is closed.
type fetch struct {
	piece Piece
	err   error
	done  chan struct{}
}

// NewStream returns the pieces of e from the one that contains offset from; ahead is how many leaves are fetched at
// once, at least 1. The context governs the whole Stream.
func NewStream(ctx context.Context, src *Source, e venti.Entry, from int64, ahead int) *Stream {
	ctx, cancel := context.WithCancel(ctx)
	return &Stream{ctx: ctx, cancel: cancel, src: src, cursor: newCursor(src, e), from: from, ahead: max(ahead, 1)}
}

// Next returns the next piece, or io.EOF after the last. Its Data is the caller's to read, not to change.
func (s *Stream) Next() (Piece, error) {
	if s.err != nil {
		return Piece{}, s.err
	}
	s.fill()
	if len(s.queue) == 0 {
		s.err = io.EOF
		return Piece{}, s.err
	}
	f := s.queue[0]
	s.queue = s.queue[1:]
	<-f.done
	if s.err = f.err; f.err != nil {
		return Piece{}, f.err
	}
	return f.piece, nil
}

// fill starts fetches until enough are under way. An error of the cursor comes after the pieces before it.
func (s *Stream) fill() {
	for !s.end && len(s.queue) < s.ahead {
		f := &fetch{done: make(chan struct{})}
		r, off, ok, err := s.cursor.next(s.ctx, s.from)
		switch {
		case err != nil:
			s.end, f.err = true, err
			close(f.done)
		case !ok:
			s.end = true
			return
		default:
			f.piece = Piece{Off: off, Len: r.n}
			if s.ahead == 1 || r.ref.IsZero() {
				f.get(s.ctx, s.src, r)
			} else {
				go f.get(s.ctx, s.src, r)
			}
		}
		s.queue = append(s.queue, f)
	}
}

// get fetches the leaf of r.
func (f *fetch) get(ctx context.Context, src *Source, r row) {
	defer close(f.done)
	if !r.ref.IsZero() {
		f.piece.Data, f.err = src.leaf(ctx, r)
	}
}

// smallLeaf is the length up to which leaves that are read in order go through the cache: directories as a rule.
const smallLeaf = 256 << 10

// leaf returns the plaintext of a leaf, checked against the length that its row gives.
func (s *Source) leaf(ctx context.Context, r row) (plain []byte, err error) {
	if r.n <= smallLeaf {
		plain, err = s.Block(ctx, r.ref)
	} else {
		plain, err = s.Fetch(ctx, r.ref)
	}
	return r.whole(plain, err)
}

// whole passes on the plaintext of the leaf of r if it has the length that r says.
func (r row) whole(plain []byte, err error) ([]byte, error) {
	if err == nil && int64(len(plain)) != r.n {
		err = corrupt(r.ref, fmt.Errorf("leaf of %d bytes where %d were expected", len(plain), r.n))
	}
	if err != nil {
		return nil, err
	}
	return plain, nil
}

// Close stops the Stream and returns when nothing of it runs any more.
func (s *Stream) Close() {
	s.cancel()
	for _, f := range s.queue {
		<-f.done
	}
	s.queue, s.end, s.err = nil, true, io.ErrClosedPipe
}

// A Reader reads one stream. ReadAt may be called from many goroutines at once; Read and Seek keep one offset and are
// for one goroutine. Close it.
type Reader struct {
	ctx    context.Context // of this one reader; the io interfaces leave no other place for it
	src    *Source
	entry  venti.Entry
	off    int64
	stream *Stream
	piece  Piece
}

// readAhead is how many leaves a Reader that is read in order fetches at once.
const readAhead = 4

// NewReader returns a Reader of e. The context governs all its reads.
func NewReader(ctx context.Context, src *Source, e venti.Entry) *Reader {
	return &Reader{ctx: ctx, src: src, entry: e}
}

// Size returns the length of the stream in bytes.
func (r *Reader) Size() int64 { return r.entry.Size }

// Read implements io.Reader. After an error, the next Read tries again from the same offset.
func (r *Reader) Read(p []byte) (int, error) {
	if r.off >= r.entry.Size {
		return 0, io.EOF
	}
	if r.stream == nil {
		r.stream = NewStream(r.ctx, r.src, r.entry, r.off, readAhead)
		r.piece = Piece{Off: r.off}
	}
	if r.off >= r.piece.Off+r.piece.Len {
		piece, err := r.stream.Next()
		if err != nil {
			r.Close()
			return 0, err
		}
		r.piece = piece
	}
	n := r.piece.copy(p, r.off)
	r.off += int64(n)
	return n, nil
}

// copy fills p from offset off of the stream as far as the piece goes.
func (c Piece) copy(p []byte, off int64) int {
	skip := off - c.Off
	if c.Data != nil {
		return copy(p, c.Data[skip:])
	}
	n := int(min(int64(len(p)), c.Len-skip))
	clear(p[:n])
	return n
}

// Seek implements io.Seeker.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.off
	case io.SeekEnd:
		offset += r.entry.Size
	default:
		return r.off, fmt.Errorf("seek from %d, which is no place", whence)
	}
	if offset < 0 {
		return r.off, fmt.Errorf("seek to %d", offset)
	}
	if offset != r.off {
		r.Close()
		r.off = offset
	}
	return offset, nil
}

// Close releases what the Reader has under way. It can be read on from where it was.
func (r *Reader) Close() error {
	if r.stream != nil {
		r.stream.Close()
		r.stream = nil
	}
	return nil
}

// ReadAt implements io.ReaderAt. Blocks go through the Source's cache.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at %d", off)
	}
	done := 0
	c := newCursor(r.src, r.entry)
	for done < len(p) {
		row, start, ok, err := c.next(r.ctx, off)
		if err != nil {
			return done, err
		}
		if !ok {
			return done, io.EOF
		}
		piece := Piece{Off: start, Len: row.n}
		if !row.ref.IsZero() {
			if piece.Data, err = row.whole(r.src.Block(r.ctx, row.ref)); err != nil {
				return done, err
			}
		}
		n := piece.copy(p[done:], off)
		done += n
		off += int64(n)
	}
	return done, nil
}
