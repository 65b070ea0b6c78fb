package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"ventidhash/venti"
)

// A tally gathers what the walk and the workers find.
type tally struct {
	progress func(Progress)

	// mu protects the following.
	mu      sync.Mutex
	now     Progress
	damaged map[venti.Score]*Damage
}

// count changes the counters and reports them.
func (t *tally) count(change func(*Progress)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.now)
	if t.progress != nil {
		t.progress(t.now)
	}
}

// damage notes that block s is not as it must be; the first error stands. An err that is none of the three kinds says
// nothing about a block and is returned: it ends the run.
func (t *tally) damage(s venti.Score, err error) error {
	if errors.Is(err, venti.ErrTooLarge) {
		err = fmt.Errorf("%w: %w", venti.ErrCorrupt, err)
	}
	if !errors.Is(err, venti.ErrNotFound) && !errors.Is(err, venti.ErrUnavailable) && !errors.Is(err, venti.ErrCorrupt) {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.damaged[s] == nil {
		t.damaged[s] = &Damage{Score: s, Err: err}
		t.now.Damaged++
	}
	return nil
}

// find returns the record of block s, or nil.
func (t *tally) find(s venti.Score) *Damage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.damaged[s]
}

// list returns the damage sorted by score.
func (t *tally) list() []Damage {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Damage
	for _, d := range slices.SortedFunc(maps.Values(t.damaged), func(a, b *Damage) int { return bytes.Compare(a.Score[:], b.Score[:]) }) {
		out = append(out, *d)
	}
	return out
}

// blame returns the block that err is about; s if err does not say.
func blame(err error, s venti.Score) venti.Score {
	var be *venti.BlockError
	if errors.As(err, &be) && !be.Score.IsZero() {
		return be.Score
	}
	return s
}

// corrupt says that block s opened and does not hold what refers to it claims.
func corrupt(s venti.Score, format string, args ...any) error {
	return &venti.BlockError{Op: "check", Score: s, Err: fmt.Errorf("%w: "+format, append([]any{venti.ErrCorrupt}, args...)...)}
}

// ended returns the error of ctx if it is over. An error of a read says nothing about a block then.
func ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
