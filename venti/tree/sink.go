package tree

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/zeebo/blake3"

	"ventidhash/venti"
	"ventidhash/venti/seal"
)

// A Hash is the BLAKE3-256 of a plaintext.
type Hash = [32]byte

// known remembers which plaintexts are stored already. Both methods are called from many goroutines at once.
type known interface {
	// Leaf returns the block that holds exactly the plaintext with this hash and length.
	Leaf(ctx context.Context, h Hash, size int) (venti.Ref, bool)
	// AddLeaf remembers that ref does.
	AddLeaf(h Hash, size int, ref venti.Ref)
}

// A Sink seals plaintexts and stores them, on as many workers as there are processors. It may be used by many
// goroutines at once.
type Sink struct {
	store  venti.Store
	sealer *seal.Sealer
	known  known
	gear   *[256]uint64
	slots  chan struct{} // one token for each block being sealed or waiting for it

	large, small chan []byte // free buffers of largeBuf and smallBuf capacity; a sync.Pool would drop them at each GC

	blocks atomic.Int64
	bytes  atomic.Int64
}

// Both have room for a sealed block as well: the small ones for that of the longest leaf of entries.
const (
	largeBuf = venti.MaxBlock
	smallBuf = smallLeaf + 1<<10
)

// NewSink returns a Sink over store. known may be nil; else leaves of files that it knows are not sealed again.
func NewSink(store venti.Store, sealer *seal.Sealer, known known) *Sink {
	slots := 2 * runtime.GOMAXPROCS(0)
	return &Sink{store: store, sealer: sealer, known: known, gear: newGear(), slots: make(chan struct{}, slots),
		large: make(chan []byte, 2*slots), small: make(chan []byte, 2*slots)}
}

// Written returns how many blocks, and bytes of them, the Sink has handed to its store, those that the store had
// already included.
func (s *Sink) Written() (blocks, bytes int64) { return s.blocks.Load(), s.bytes.Load() }

// A Pending is a block on its way into the store.
type Pending struct {
	done chan struct{}
	ref  venti.Ref
	err  error
}

// Wait returns the block's ref once it has been stored, or the error that stopped it.
func (p *Pending) Wait() (venti.Ref, error) {
	<-p.done
	return p.ref, p.err
}

// Done is closed when Wait would not block.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Buffer returns an empty slice with room for a plaintext of at most size bytes. Give it to Go.
func (s *Sink) Buffer(size int) []byte {
	if size <= smallBuf {
		return take(s.small, smallBuf)
	}
	return take(s.large, largeBuf)
}

func (s *Sink) recycle(b []byte) {
	switch cap(b) {
	case largeBuf:
		give(s.large, b)
	case smallBuf:
		give(s.small, b)
	}
}

// take returns an empty buffer from the free list, or a new one of n bytes.
func take(free chan []byte, n int) []byte {
	select {
	case b := <-free:
		return b[:0]
	default:
		return make([]byte, 0, n)
	}
}

// give puts a buffer on the free list if there is room.
func give(free chan []byte, b []byte) {
	select {
	case free <- b:
	default:
	}
}

// Go seals and stores plain in the background, and takes the slice over. leaf says that plain is content of a file,
// which the Sink's known plaintexts are about. Go blocks while too many blocks are under way.
func (s *Sink) Go(ctx context.Context, plain []byte, leaf bool) *Pending {
	p := &Pending{done: make(chan struct{})}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		p.err = ctx.Err()
		close(p.done)
		return p
	}
	go func() {
		defer func() {
			s.recycle(plain)
			<-s.slots
			close(p.done)
		}()
		p.ref, p.err = s.put(ctx, plain, leaf)
	}()
	return p
}

// put seals and stores plain, unless it is known.
func (s *Sink) put(ctx context.Context, plain []byte, leaf bool) (venti.Ref, error) {
	if err := ctx.Err(); err != nil { // before the work of sealing; a store that is quick may never look
		return venti.Ref{}, err
	}
	leaf = leaf && s.known != nil
	var h Hash
	if leaf {
		h = blake3.Sum256(plain)
		if ref, ok := s.known.Leaf(ctx, h, len(plain)); ok {
			return ref, nil
		}
	}
	ref, err := s.seal(ctx, plain, s.store.Put)
	if err == nil && leaf {
		s.known.AddLeaf(h, len(plain), ref)
	}
	return ref, err
}

// PutPointer seals and stores a pointer block. It does not keep the slice.
func (s *Sink) PutPointer(ctx context.Context, plain []byte) (venti.Ref, error) {
	return s.seal(ctx, plain, s.putVital)
}

func (s *Sink) putVital(ctx context.Context, block []byte) (venti.Score, error) {
	return venti.PutVital(ctx, s.store, block)
}

// seal seals plain, and stores it by put.
func (s *Sink) seal(ctx context.Context, plain []byte, put func(context.Context, []byte) (venti.Score, error)) (venti.Ref, error) {
	block, key, err := s.sealer.Seal(s.Buffer(len(plain)+seal.Overhead), plain)
	defer s.recycle(block)
	if err != nil {
		return venti.Ref{}, err
	}
	s.blocks.Add(1)
	s.bytes.Add(int64(len(block)))
	score, err := put(ctx, block)
	if err != nil {
		return venti.Ref{}, err
	}
	return venti.Ref{Score: score, Key: key}, nil
}
