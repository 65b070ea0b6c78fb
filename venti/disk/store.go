package disk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"ventidhash/venti"
	"ventidhash/venti/wire"
)

// A Store is the store in a folder of this machine. It implements venti.Store, and any number of processes may have the
// same folder open: one of them owns it and serves the others through a socket in the folder. Which one is of no
// concern to the caller, and may change at any time.
//
// All methods may be called from many goroutines.
type Store struct {
	cfg Config
	log *slog.Logger
	id  string

	turn   chan struct{} // holds one value; whoever has it may acquire the store
	owning atomic.Int32  // calls of Own that contend for the store
	added  atomic.Int64  // see Added

	mu     sync.Mutex // protects the following
	cur    *tenure    // nil while this process is neither owner nor guest
	closed bool
}

var (
	errClosed = errors.New("store is closed")
	errHanded = errors.New("store was handed over")
)

// maxTries bounds how often an operation is begun again because the owner went away.
const maxTries = 16

// Open opens the store in cfg.Dir, and makes it if the folder is new or empty. A folder that holds other things is
// refused. If another process has the store, Open connects to it. If the folder cannot be written to, the store can
// only be read.
//
// ctx bounds Open only. Close the store in the end: the blocks that were put are safe without, but the next Open has to
// look for more.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	id, err := openFolder(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	s := &Store{cfg: cfg, log: cfg.Log, id: id, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	if _, err := s.tenure(ctx); err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	return s, nil
}

// ID returns the 32 hexadecimal digits that were drawn when the store was made.
func (s *Store) ID() string { return s.id }

// Get implements venti.Store.
func (s *Store) Get(ctx context.Context, score venti.Score) (block []byte, err error) {
	err = s.do(ctx, func(st venti.Store) error {
		block, err = st.Get(ctx, score)
		return err
	})
	return block, blockError("get", score, err)
}

// Put implements venti.Store.
func (s *Store) Put(ctx context.Context, block []byte) (score venti.Score, err error) {
	if len(block) > venti.MaxBlock {
		err := fmt.Errorf("%w: %d bytes, at most %d", venti.ErrTooLarge, len(block), venti.MaxBlock)
		return venti.Score{}, &venti.BlockError{Op: "put", Score: venti.Sum(block), Err: err}
	}
	err = s.do(ctx, func(st venti.Store) error {
		isNew := true
		if c, ok := st.(*core); ok {
			score, isNew, err = c.putNew(ctx, block)
		} else {
			score, err = st.Put(ctx, block)
		}
		if isNew && err == nil {
			s.added.Add(int64(len(block)))
		}
		return err
	})
	var be *venti.BlockError
	if err != nil && !errors.As(err, &be) {
		err = blockError("put", venti.Sum(block), err)
	}
	return score, err
}

// Added returns how many bytes of blocks this Store was given by Put that were not there before. While another process
// owns the store, that is not known, and all count.
func (s *Store) Added() int64 { return s.added.Load() }

// Has implements venti.Store. A block reported true, trash or not, stays for as long as a session lasts that had begun
// when Has was called.
func (s *Store) Has(ctx context.Context, scores []venti.Score) (has []bool, err error) {
	err = s.do(ctx, func(st venti.Store) error {
		has, err = st.Has(ctx, scores)
		return err
	})
	return has, err
}

// Sync implements venti.Store. It covers what was put through any process, also through one that has died since.
func (s *Store) Sync(ctx context.Context) error {
	return s.do(ctx, func(st venti.Store) error { return st.Sync(ctx) })
}

// Close ends this process's part in the store. Operations in flight end first. Other processes go on.
func (s *Store) Close() error {
	<-s.turn
	defer func() { s.turn <- struct{}{} }()
	s.mu.Lock()
	cur := s.cur
	s.cur, s.closed = nil, true
	s.mu.Unlock()
	if cur == nil {
		return nil
	}
	return cur.end()
}

// do calls f with the store as this process has it, and again if it turns out that the owner went away meanwhile: all
// operations may be repeated.
func (s *Store) do(ctx context.Context, f func(venti.Store) error) error {
	for try := 1; ; try++ {
		t, err := s.tenure(ctx)
		if err != nil {
			return err
		}
		if t.enter() {
			err = f(t.store)
			t.leave()
		} else {
			err = errHanded
		}
		if !errors.Is(err, errHanded) && !errors.Is(err, wire.ErrLost) {
			return err
		}
		s.drop(t)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if try == maxTries {
			return fmt.Errorf("%w: the store's owner went away %d times: %w", venti.ErrUnavailable, try, err)
		}
	}
}

// blockError says which block err is about, if it does not do so itself.
func blockError(op string, s venti.Score, err error) error {
	var be *venti.BlockError
	if err == nil || errors.As(err, &be) {
		return err
	}
	return &venti.BlockError{Op: op, Score: s, Err: err}
}

// tenure returns how this process has the store, and acquires it if it has not.
func (s *Store) tenure(ctx context.Context) (*tenure, error) {
	if t, err := s.current(); t != nil || err != nil {
		return t, err
	}
	select {
	case <-s.turn:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { s.turn <- struct{}{} }()
	if t, err := s.current(); t != nil || err != nil {
		return t, err
	}
	t, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cur = t
	return t, nil
}

func (s *Store) current() (*tenure, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	return s.cur, nil
}

// drop ends t, which has turned out to be over.
func (s *Store) drop(t *tenure) {
	s.mu.Lock()
	if s.cur == t {
		s.cur = nil
	}
	s.mu.Unlock()
	if err := t.end(); err != nil {
		s.log.Warn("leaving the store", slog.Any("err", err))
	}
}
