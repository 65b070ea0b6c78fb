package prune_test

import (
	"context"
	"sync"

	"ventidhash/venti"
	"ventidhash/venti/disk"
)

// faulty is a store whose reads can fail.
type faulty struct {
	venti.Store
	fault error
	only  venti.Score // unless zero, the one block that fails

	// mu protects the following.
	mu   sync.Mutex
	when func() bool
	left int
}

// fail lets a read fail after so many good ones, when the condition holds.
func (f *faulty) fail(when func() bool, after int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.when, f.left = when, after
}

func (f *faulty) Get(ctx context.Context, s venti.Score) ([]byte, error) {
	f.mu.Lock()
	fails := false
	if f.when != nil && f.when() && (f.only.IsZero() || f.only == s) {
		f.left--
		fails = f.left == -1
	}
	f.mu.Unlock()
	if fails {
		return nil, &venti.BlockError{Op: "get", Score: s, Err: f.fault}
	}
	return f.Store.Get(ctx, s)
}

// surveyless is a store without Survey.
type surveyless struct{ stepper }

// A stepper is what prune needs of a store.
type stepper interface {
	Session(ctx context.Context) (*disk.Session, error)
	Trash(ctx context.Context, live func(venti.Score) bool) (disk.TrashReport, error)
	Settled(ctx context.Context, except ...*disk.Session) (disk.Settled, error)
	Reclaim(ctx context.Context, settled disk.Settled, cfg disk.ReclaimConfig) (disk.ReclaimReport, error)
}
