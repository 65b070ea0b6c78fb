package check_test

import (
	"context"
	"errors"
	"sync"

	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// A faulty is a store in memory that fails as it is told.
type faulty struct {
	*ventitest.Memory

	// mu protects the following.
	mu     sync.Mutex
	faults map[venti.Score]error // of Get, by block
	hook   func() error          // asked before each read; called with mu held
}

func newFaulty() *faulty {
	return &faulty{Memory: ventitest.NewMemory(), faults: map[venti.Score]error{}, hook: func() error { return nil }}
}

func (f *faulty) fault(s venti.Score) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.hook(); err != nil {
		return err
	}
	if err := f.faults[s]; err != nil {
		return &venti.BlockError{Op: "get", Score: s, Err: err}
	}
	return nil
}

func (f *faulty) Get(ctx context.Context, s venti.Score) ([]byte, error) {
	if err := f.fault(s); err != nil {
		return nil, err
	}
	return f.Memory.Get(ctx, s)
}

// Has says of a faulty block that it is not there, or fails if the block is unavailable.
func (f *faulty) Has(ctx context.Context, scores []venti.Score) ([]bool, error) {
	has, err := f.Memory.Has(ctx, scores)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.hook(); err != nil {
		return nil, err
	}
	for i, s := range scores {
		if errors.Is(f.faults[s], venti.ErrUnavailable) {
			return nil, &venti.BlockError{Op: "has", Score: s, Err: f.faults[s]}
		}
		has[i] = has[i] && f.faults[s] == nil
	}
	return has, err
}

// set makes Get of a block fail with err, until it is called with nil.
func (f *faulty) set(s venti.Score, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[s] = err
}

// before sets what is asked before each read.
func (f *faulty) before(hook func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}
