package mount

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

const (
	maxReaders = 64      // files whose last reads are remembered
	aheadBytes = 4 << 20 // fetched ahead of one who reads forwards
	near       = 1 << 20 // reads this far apart may be one reader's: the kernel sends several at once, in any order
	maxFetches = 32      // blocks that are fetched at once for reads
	maxAhead   = 4       // and ahead of them
)

// readers remembers who reads which large file where, and bounds what is fetched at once.
type readers struct {
	demand, ahead chan struct{} // slots

	mu    sync.Mutex // protects the following
	files map[uint64]*reader
	clock uint64
}

func (r *readers) init() {
	r.demand, r.ahead = make(chan struct{}, maxFetches), make(chan struct{}, maxAhead)
	r.files = map[uint64]*reader{}
}

// A reader is how a large file was read last.
type reader struct {
	used uint64 // under readers.mu

	mu       sync.Mutex   // protects the following
	leaves   []tree.Block // all that lie in known, in order
	known    span
	next     int64 // where one who reads forwards goes on
	forwards bool
	asked    int64 // up to where leaves were fetched ahead
}

// of returns the reader of the file with the given number.
func (r *readers) of(id uint64) *reader {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clock++
	one, ok := r.files[id]
	if !ok {
		if len(r.files) >= maxReaders {
			r.evict()
		}
		one = &reader{}
		r.files[id] = one
	}
	one.used = r.clock
	return one
}

// evict forgets the reader not used for longest; mu is held.
func (r *readers) evict() {
	var oldest uint64
	for id, one := range r.files {
		if old := r.files[oldest]; old == nil || one.used < old.used {
			oldest = id
		}
	}
	delete(r.files, oldest)
}

// Open need not be answered: the kernel then opens files without asking, and keeps what it has read.
func (f *fileSystem) Open(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status {
	return fuse.ENOSYS
}

// Read returns bytes of a file.
func (f *fileSystem) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	ctx, done := f.begin(cancel)
	defer done()
	d, e, err := f.entry(ctx, in.NodeId)
	var b []byte
	if err == nil {
		b, err = f.read(ctx, in.NodeId, d, e, int64(in.Offset), buf)
	}
	if err != nil {
		return nil, f.status(ctx, "read", d, e, err)
	}
	return fuse.ReadResultData(b), fuse.OK
}

// read returns the bytes of e at off, as many as fit into buf. They may be in buf, or in a block that is shared.
func (f *fileSystem) read(ctx context.Context, id uint64, d *directory, e *vac.Dir, off int64, buf []byte) ([]byte, error) {
	if e.Type != vac.File || off >= e.Size || off < 0 {
		return nil, nil
	}
	end := min(behind(off, int64(len(buf))), e.Size)
	t, err := f.tree(ctx, d)
	if err != nil {
		return nil, err
	}
	switch e.Content.Kind {
	case vac.Sliced:
		var b []byte
		err := f.slot(ctx, f.readers.demand, func() (err error) {
			b, err = t.Bytes(ctx, e)
			return err
		})
		if err != nil {
			return nil, err
		}
		return b[off:end], nil
	case vac.Stream:
		return f.stream(ctx, f.readers.of(id), t, e, span{off, end}, buf)
	}
	return nil, nil
}

// behind returns the offset n behind off, or the last that there is: a snapshot may say that a file is as long as
// numbers go.
func behind(off, n int64) int64 { return off + min(n, math.MaxInt64-off) }

// slot calls fn when one of the slots is free.
func (f *fileSystem) slot(ctx context.Context, slots chan struct{}, fn func() error) error {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-slots }()
	return fn()
}

// stream returns the part s of a large file.
func (f *fileSystem) stream(ctx context.Context, r *reader, t *vac.Tree, e *vac.Dir, s span, buf []byte) ([]byte, error) {
	leaves, ahead, err := r.plan(ctx, t, e, s)
	if err != nil {
		return nil, err
	}
	for _, b := range ahead {
		f.fetchAhead(t, b)
	}
	if len(leaves) == 1 && leaves[0].Off <= s.from && leaves[0].Off+leaves[0].Len >= s.to { // most often
		b, err := f.leaf(ctx, t, leaves[0])
		if err != nil {
			return nil, err
		}
		return b[s.from-leaves[0].Off : s.to-leaves[0].Off], nil
	}
	out, done := buf[:s.to-s.from], int64(0)
	for _, l := range leaves {
		b, err := f.leaf(ctx, t, l)
		if err != nil {
			return nil, err
		}
		if l.Off < s.from {
			done = int64(copy(out, b[s.from-l.Off:]))
			continue
		}
		at := l.Off - s.from
		clear(out[done:at]) // a hole
		done = at + int64(copy(out[at:], b))
	}
	clear(out[done:])
	return out, nil
}

// leaf returns the plaintext of a leaf, checked against the length that is known.
func (f *fileSystem) leaf(ctx context.Context, t *vac.Tree, l tree.Block) (b []byte, err error) {
	err = f.slot(ctx, f.readers.demand, func() error {
		b, err = t.Source().Block(ctx, l.Ref)
		return err
	})
	if err == nil && int64(len(b)) != l.Len {
		err = &venti.BlockError{Op: "read", Score: l.Ref.Score,
			Err: fmt.Errorf("%w: leaf of %d bytes where %d were expected", venti.ErrCorrupt, len(b), l.Len)}
	}
	return b, err
}

// fetchAhead fetches a leaf into the cache, unless enough is being fetched already. An error shows again when the leaf
// is read.
func (f *fileSystem) fetchAhead(t *vac.Tree, l tree.Block) {
	select {
	case f.readers.ahead <- struct{}{}:
	default:
		return
	}
	go func() {
		defer func() { <-f.readers.ahead }()
		ctx, cancel := context.WithTimeout(f.ctx, f.cfg.Patience)
		defer cancel()
		_, _ = t.Source().Block(ctx, l.Ref)
	}()
}

// plan returns the leaves that s lies in, and those to fetch ahead if the file is being read forwards.
func (r *reader) plan(ctx context.Context, t *vac.Tree, e *vac.Dir, s span) (now, ahead []tree.Block, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forwards = r.next > 0 && s.from > r.next-near && s.from < r.next+near
	if !r.forwards {
		r.asked = s.to
	}
	r.next = max(s.to, 1)
	if s.from < r.known.from || min(behind(s.to, aheadBytes), e.Size) > r.known.to {
		if err := r.learn(ctx, t, e, s); err != nil {
			return nil, nil, err
		}
	}
	for _, l := range r.leaves {
		switch {
		case l.Off+l.Len <= s.from:
		case l.Off < s.to:
			now = append(now, l)
		case r.forwards && l.Off >= r.asked && l.Off < behind(s.to, aheadBytes):
			ahead = append(ahead, l)
			r.asked = l.Off + l.Len
		}
	}
	return now, ahead, nil
}

// learn finds out which leaves lie from s on, as far as two windows of what is fetched ahead reach; mu is held.
func (r *reader) learn(ctx context.Context, t *vac.Tree, e *vac.Dir, s span) error {
	to := behind(s.to, 2*aheadBytes)
	var found []tree.Block
	err := leaves(ctx, t, e, max(s.from-near, 0), func(b tree.Block) bool {
		if b.Off < to {
			found = append(found, b)
		}
		return b.Off < to
	})
	if err != nil {
		return err
	}
	r.leaves, r.known = found, span{max(s.from-near, 0), to}
	return nil
}
