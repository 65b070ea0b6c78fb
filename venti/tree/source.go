package tree

import (
	"bytes"
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"ventidhash/venti"
	"ventidhash/venti/seal"
)

// A Source fetches and opens blocks, and keeps the plaintexts last used. It may be used by many goroutines at once; two
// that want the same block fetch it once.
type Source struct {
	store  venti.Store
	sealer *seal.Sealer
	limit  int
	former []seal.RootKey

	// mu protects the following. Sum of the weights of the values in lru == size.
	mu     sync.Mutex
	lru    *list.List // of *cached, most recent first
	byRef  map[venti.Ref]*list.Element
	flying map[venti.Ref]*flight
	size   int
}

// A cached block; of a pointer block the rows are kept as well once they have been parsed.
type cached struct {
	ref   venti.Ref
	plain []byte
	rows  []row
	level int   // of the pointer block
	below int64 // the bytes of the stream that rows stand for
}

func (c *cached) weight() int { return len(c.plain) + len(c.rows)*(venti.RefSize+8) }

// A flight is one fetch that others may wait for.
type flight struct {
	done  chan struct{}
	plain []byte
	err   error
	left  bool // the one who fetched was cancelled, which is not the others' business
}

// NewSource returns a Source over store that caches up to limit bytes of plaintext.
func NewSource(store venti.Store, sealer *seal.Sealer, limit int) *Source {
	return &Source{store: store, sealer: sealer, limit: limit, lru: list.New(),
		byRef: map[venti.Ref]*list.Element{}, flying: map[venti.Ref]*flight{}}
}

// AlsoOwn makes OwnRoot open roots under these keys as well, of those whom the owner has followed. It is called before the
// Source is used.
func (s *Source) AlsoOwn(former []seal.RootKey) { s.former = former }

// Store returns the store that the Source reads.
func (s *Source) Store() venti.Store { return s.store }

// Block returns the plaintext of the block that ref names, from the cache if it is there. The slice is shared: do not
// change it. Errors are those of the store and of seal.Open.
func (s *Source) Block(ctx context.Context, ref venti.Ref) ([]byte, error) {
	for {
		s.mu.Lock()
		if el, ok := s.byRef[ref]; ok {
			s.lru.MoveToFront(el)
			s.mu.Unlock()
			return el.Value.(*cached).plain, nil
		}
		f, ok := s.flying[ref]
		if !ok {
			break
		}
		s.mu.Unlock()
		select {
		case <-f.done:
			if !f.left {
				return f.plain, f.err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f := &flight{done: make(chan struct{})}
	s.flying[ref] = f
	s.mu.Unlock()

	f.plain, f.err = s.Fetch(ctx, ref)
	f.left = f.err != nil && ctx.Err() != nil

	s.mu.Lock()
	delete(s.flying, ref)
	if f.err == nil {
		s.keep(ref, f.plain)
	}
	s.mu.Unlock()
	close(f.done)
	return f.plain, f.err
}

// keep caches plain; mu is held.
func (s *Source) keep(ref venti.Ref, plain []byte) {
	if len(plain) > s.limit {
		return
	}
	s.byRef[ref] = s.lru.PushFront(&cached{ref: ref, plain: plain})
	s.size += len(plain)
	s.shrink()
}

// shrink forgets what was not used for longest until the rest is within the limit; mu is held.
func (s *Source) shrink() {
	for s.size > s.limit {
		c := s.lru.Remove(s.lru.Back()).(*cached)
		delete(s.byRef, c.ref)
		s.size -= c.weight()
	}
}

// parsed returns the rows of a pointer block, if they are cached for that level and length.
func (s *Source) parsed(ref venti.Ref, level int, size int64) ([]row, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	el, ok := s.byRef[ref]
	if !ok {
		return nil, false
	}
	c := el.Value.(*cached)
	if c.rows == nil || c.level != level || c.below != size {
		return nil, false
	}
	s.lru.MoveToFront(el)
	return c.rows, true
}

// keepRows adds its rows to a pointer block that is cached.
func (s *Source) keepRows(ref venti.Ref, rows []row, level int, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if el, ok := s.byRef[ref]; ok {
		c := el.Value.(*cached)
		s.size -= c.weight()
		c.rows, c.level, c.below = rows, level, size
		s.size += c.weight()
		s.shrink()
	}
}

// Fetch is Block without the cache; the caller owns the slice.
func (s *Source) Fetch(ctx context.Context, ref venti.Ref) ([]byte, error) {
	block, err := s.store.Get(ctx, ref.Score)
	if err != nil {
		return nil, err
	}
	return s.sealer.Open(nil, ref, block)
}

// Root fetches and opens the root block that ref names.
func (s *Source) Root(ctx context.Context, ref venti.Ref) (*venti.Root, error) {
	block, err := s.store.Get(ctx, ref.Score)
	if err != nil {
		return nil, err
	}
	return s.openRoot(ref, block)
}

// OwnRoot fetches and opens the root block with the given score for the owner of k, and returns its ref as well. Where k
// does not open it the keys of AlsoOwn are tried; the error is that of k.
func (s *Source) OwnRoot(ctx context.Context, k seal.RootKey, score venti.Score) (*venti.Root, venti.Ref, error) {
	block, err := s.store.Get(ctx, score)
	if err != nil {
		return nil, venti.Ref{}, err
	}
	if len(s.former) == 0 {
		return s.ownRoot(k, block)
	}
	root, ref, err := s.ownRoot(k, bytes.Clone(block)) // opening a block spoils it
	for i := 0; i < len(s.former) && errors.Is(err, venti.ErrCorrupt); i++ {
		if root, ref, formerErr := s.ownRoot(s.former[i], bytes.Clone(block)); formerErr == nil {
			return root, ref, nil
		}
	}
	return root, ref, err
}

func (s *Source) ownRoot(k seal.RootKey, block []byte) (*venti.Root, venti.Ref, error) {
	ref, err := seal.RootRef(k, block)
	if err != nil {
		return nil, venti.Ref{}, err
	}
	root, err := s.openRoot(ref, block)
	return root, ref, err
}

func (s *Source) openRoot(ref venti.Ref, block []byte) (*venti.Root, error) {
	plain, err := s.sealer.OpenRoot(ref, block)
	if err != nil {
		return nil, err
	}
	r, err := venti.ParseRoot(plain)
	if err != nil {
		return nil, corrupt(ref, err)
	}
	return r, nil
}

// PutRoot seals r under k and stores it.
func (s *Sink) PutRoot(ctx context.Context, k seal.RootKey, r *venti.Root) (venti.Ref, error) {
	plain := venti.AppendRoot(nil, r)
	if _, err := venti.ParseRoot(plain); err != nil { // over a bound, for instance too many paths
		return venti.Ref{}, fmt.Errorf("root cannot be written: %w", err)
	}
	block, ref, err := s.sealer.SealRoot(k, plain)
	if err != nil {
		return venti.Ref{}, err
	}
	_, err = s.putVital(ctx, block)
	return ref, err
}
