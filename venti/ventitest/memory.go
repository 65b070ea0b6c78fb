package ventitest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"ventidhash/venti"
)

// Memory is a venti.Store in memory, for tests. NewMemory makes one. Everything may be called from many goroutines at
// once, the hooks that break something too.
type Memory struct {
	// mu protects the following.
	mu     sync.Mutex
	blocks map[venti.Score][]byte
	away   map[venti.Score]bool
	fail   error
	bytes  int64
	gets   int
	syncs  int
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{blocks: map[venti.Score][]byte{}, away: map[venti.Score]bool{}}
}

var _ venti.Store = (*Memory)(nil)

// Get implements venti.Store. What it returns is hashed, so a block that Corrupt has changed is venti.ErrCorrupt.
func (m *Memory) Get(ctx context.Context, s venti.Score) ([]byte, error) {
	b, err := m.find(ctx, s)
	if err == nil && venti.Sum(b) != s {
		err = venti.ErrCorrupt
	}
	if err != nil {
		return nil, &venti.BlockError{Op: "get", Score: s, Err: err}
	}
	return b, nil
}

func (m *Memory) find(ctx context.Context, s venti.Score) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gets++
	if m.fail != nil {
		return nil, m.fail
	}
	if m.away[s] {
		return nil, venti.ErrUnavailable
	}
	b, ok := m.blocks[s]
	if !ok {
		return nil, venti.ErrNotFound
	}
	return append([]byte{}, b...), nil
}

// Put implements venti.Store. It mends a block that Corrupt has changed.
func (m *Memory) Put(ctx context.Context, block []byte) (venti.Score, error) {
	s := venti.Sum(block)
	if err := m.add(ctx, s, block); err != nil {
		return venti.Score{}, &venti.BlockError{Op: "put", Score: s, Err: err}
	}
	return s, nil
}

func (m *Memory) add(ctx context.Context, s venti.Score, block []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(block) > venti.MaxBlock {
		return fmt.Errorf("%w: %d bytes, at most %d", venti.ErrTooLarge, len(block), venti.MaxBlock)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.away[s] {
		return venti.ErrUnavailable
	}
	old, ok := m.blocks[s]
	if ok && bytes.Equal(old, block) {
		return nil
	}
	m.bytes += int64(len(block) - len(old))
	m.blocks[s] = append([]byte{}, block...)
	return nil
}

// Has implements venti.Store.
func (m *Memory) Has(ctx context.Context, scores []venti.Score) ([]bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	has := make([]bool, len(scores))
	for i, s := range scores {
		if m.away[s] {
			return nil, &venti.BlockError{Op: "has", Score: s, Err: venti.ErrUnavailable}
		}
		_, has[i] = m.blocks[s]
	}
	return has, nil
}

// Sync implements venti.Store.
func (m *Memory) Sync(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.syncs++
	if m.fail != nil {
		return m.fail
	}
	return ctx.Err()
}

// Syncs returns how often Sync was called.
func (m *Memory) Syncs() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.syncs
}

// Len returns the number of blocks.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.blocks)
}

// Bytes returns the sum of the lengths of all blocks.
func (m *Memory) Bytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes
}

// Gets returns how often Get was called.
func (m *Memory) Gets() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gets
}

// Scores returns the scores of all blocks, sorted.
func (m *Memory) Scores() []venti.Score {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []venti.Score
	for s := range m.blocks {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b venti.Score) int { return slices.Compare(a[:], b[:]) })
	return out
}

// Drop removes a block, and reports whether it was there.
func (m *Memory) Drop(s venti.Score) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blocks[s]
	m.bytes -= int64(len(b))
	delete(m.blocks, s)
	return ok
}

// Corrupt flips a bit of a block, and reports whether the block was there; Get then fails with venti.ErrCorrupt until
// the block is put again.
func (m *Memory) Corrupt(s venti.Score) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blocks[s]
	if ok {
		b = append([]byte{}, b...)
		if len(b) == 0 {
			b = []byte{0}
			m.bytes++
		}
		b[len(b)/2] ^= 1
		m.blocks[s] = b
	}
	return ok
}

// Unavailable makes Get, Put and Has of a block fail with venti.ErrUnavailable while away.
func (m *Memory) Unavailable(s venti.Score, away bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.away[s] = away
}

// Fail makes every operation fail with err until it is called with nil.
func (m *Memory) Fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}
