package peer

import (
	"context"
	"errors"
	"fmt"

	"ventidhash/dhash"
)

// A showing is an owner's grant that is shown to the member, once for all.
type showing struct {
	done chan struct{}
	err  error
}

// show shows the grant of an owner, unless that was done on this link. Who needs it meanwhile waits, and shows it in turn if
// whoever was first gives up.
func (l *link) show(ctx context.Context, owner dhash.Owner) error {
	grant := l.remote.client.cfg.Grant
	if grant == nil {
		return nil
	}
	for {
		l.mu.Lock()
		s := l.shown[owner]
		first := s == nil
		if first {
			s = &showing{done: make(chan struct{})}
			l.shown[owner] = s
		}
		l.mu.Unlock()
		if first {
			if s.err = l.present(ctx, owner, grant(owner)); s.err != nil {
				l.mu.Lock()
				delete(l.shown, owner) // another time may do
				l.mu.Unlock()
			}
			close(s.done)
			return s.err
		}
		select {
		case <-s.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if !errors.Is(s.err, context.Canceled) && !errors.Is(s.err, context.DeadlineExceeded) {
			return s.err
		}
	}
}

func (l *link) present(ctx context.Context, owner dhash.Owner, grant []byte) error {
	if len(grant) == 0 || len(grant) > MaxGrant {
		return fmt.Errorf("%w: this node has none of %d to %d bytes", ErrNotGranted, 1, MaxGrant)
	}
	body, err := l.roundTrip(ctx, kGrant, grant, nil)
	if err != nil {
		return fmt.Errorf("showing the owner's grant: %w", err)
	}
	if dhash.Owner(body) != owner {
		return fmt.Errorf("%w: the member read another owner from it", ErrNotGranted)
	}
	return nil
}
