package disk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/venti"
	"ventidhash/venti/wire"
)

// Own makes this process the store's owner. If another process is, it is asked to hand the store over and becomes a
// guest; it refuses while it runs Trash, Reclaim, Verify, Survey or Stats itself. Own waits for as long as Config.Wait says,
// then it returns an error that wraps venti.ErrUnavailable.
//
// The owner may be asked in turn, at any time but during those calls. They call Own themselves.
func (s *Store) Own(ctx context.Context) error {
	t, err := s.owner(ctx)
	if err != nil {
		return fmt.Errorf("taking over the store: %w", err)
	}
	if t.core.cfg.readOnly {
		return fmt.Errorf("taking over the store: %w", unix.EROFS)
	}
	return nil
}

// owner returns this process's tenure as owner, or as one who can only read.
func (s *Store) owner(ctx context.Context) (*tenure, error) {
	t, err := s.tenure(ctx)
	if err != nil || t.core != nil && !t.isOver() {
		return t, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.cfg.wait(), errWaited)
	defer cancel()
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		want, err := tryLock(filepath.Join(s.cfg.Dir, wantName), unix.LOCK_EX)
		if err != nil {
			return nil, err
		}
		if want != nil {
			t, err := s.takeOver(ctx)
			want.Close()
			if errors.Is(context.Cause(ctx), errWaited) && t == nil {
				return nil, s.inUse(err)
			}
			return t, err
		}
		if err := pause(ctx, wait); err != nil {
			return nil, s.inUse(err)
		}
	}
}

var errWaited = errors.New("waited for too long")

// takeOver asks the owner for the store until this process has it. Meanwhile all others stand back.
func (s *Store) takeOver(ctx context.Context) (*tenure, error) {
	s.owning.Add(1)
	defer s.owning.Add(-1)
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		t, err := s.tenure(ctx)
		if err != nil {
			return nil, err
		}
		if t.core != nil && !t.isOver() {
			return t, nil
		}
		if t.core == nil {
			err = t.guest.Yield(ctx)
			if err != nil && !errors.Is(err, wire.ErrLost) && !errors.Is(err, venti.ErrUnavailable) {
				return nil, err
			}
		}
		if err != nil && !errors.Is(err, wire.ErrLost) { // busy: ask again later
			if perr := pause(ctx, wait); perr != nil {
				return nil, fmt.Errorf("%w; %w", err, perr)
			}
			continue
		}
		s.drop(t)
	}
}

// isOver reports whether the tenure has ended.
func (t *tenure) isOver() bool {
	if !t.enter() {
		return true
	}
	t.leave()
	return false
}

// tend runs f as the owner, whom nobody can ask for the store before f returns.
func (s *Store) tend(ctx context.Context, write bool, f func(*core) error) error {
	for {
		t, err := s.owner(ctx)
		if err != nil {
			return err
		}
		if write && t.core.cfg.readOnly {
			return unix.EROFS
		}
		t.busy.Lock()
		if !t.enter() {
			t.busy.Unlock()
			s.drop(t)
			continue
		}
		defer t.busy.Unlock()
		defer t.leave()
		return f(t.core)
	}
}
