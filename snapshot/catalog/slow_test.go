package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/snapshot"
	"ventidhash/venti"
)

// hanging is Heads of which an answer comes never, or late.
type hanging struct {
	*board
	finds   int
	until   time.Time // nobody is found before
	publish bool      // hangs
}

func (h *hanging) Find(ctx context.Context) ([]venti.Head, bool, error) {
	h.finds++
	if time.Now().Before(h.until) {
		return nil, false, errCut
	}
	return h.board.Find(ctx)
}

func (h *hanging) Publish(ctx context.Context, head venti.Head) ([]venti.Head, error) {
	if !h.publish {
		return h.board.Publish(ctx, head)
	}
	h.published++
	<-ctx.Done()
	return nil, ctx.Err()
}

var errCut = fmt.Errorf("%w: nobody answers", venti.ErrUnavailable)

// slow is a store that is waited for.
type slow struct {
	venti.Store
	took time.Duration
}

func (s slow) Sync(ctx context.Context) error {
	time.Sleep(s.took)
	return s.Store.Sync(ctx)
}

// What takes long and fails is not done time and again while the lock is held, and is not taken for others who are quicker.
func TestSlowFailureIsNoCrowd(t *testing.T) {
	bad := errors.New("blocks are missing")
	t.Run("vet", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b, at := twoMachines(t)
			must(t, mustOpen(t, b).Add(t.Context(), snap(0)))
			must(t, mustOpen(t, a).Refresh(t.Context()))
			at.put = errCut
			wantApart(t, mustOpen(t, a).Add(t.Context(), snap(1)), errCut)
			at.put = nil
			asked := 0
			a.Vet = func(context.Context, snapshot.Snapshot, []snapshot.Snapshot) error {
				asked++
				time.Sleep(time.Minute)
				return bad
			}
			wantApart(t, mustOpen(t, a).Add(t.Context(), snap(2)), bad)
			if asked != 1 {
				t.Errorf("a snapshot that is not whole was vetted %d times", asked)
			}
		})
	})
	t.Run("publish", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, _, at := twoMachines(t)
			a.Heads = &hanging{board: at, publish: true}
			begin := time.Now()
			wantApart(t, mustOpen(t, a).Add(t.Context(), snap(0)), context.DeadlineExceeded)
			if took := time.Since(begin); at.published != 1 || took > 30*time.Second {
				t.Errorf("publishing that hangs was tried %d times, in %v", at.published, took)
			}
		})
	})
	t.Run("find", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, _, at := twoMachines(t)
			h := &hanging{board: at, until: time.Now().Add(time.Hour)}
			a.Heads, a.Store = h, slow{a.Store, time.Minute}
			wantApart(t, mustOpen(t, a).Add(t.Context(), snap(0)), errCut)
			if h.finds != 2 || at.published > 0 {
				t.Errorf("heads were looked for %d times, and %d published", h.finds, at.published)
			}
		})
	})
}

// Where nobody was found, and the list took long to be written, heads are looked for again: the store was waited for, and
// with it perhaps those who have the heads.
func TestFoundAfterALongWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, at := twoMachines(t)
		must(t, mustOpen(t, b).Add(t.Context(), snap(0)))
		a.Heads, a.Store = &hanging{board: at, until: time.Now().Add(time.Second)}, slow{a.Store, time.Minute}
		var vetted []venti.Score
		a.Vet = func(_ context.Context, s snapshot.Snapshot, _ []snapshot.Snapshot) error {
			vetted = append(vetted, s.Score)
			return nil
		}
		must(t, mustOpen(t, a).Add(t.Context(), snap(1)))
		must(t, mustOpen(t, b).Refresh(t.Context()))
		wantList(t, mustOpen(t, b), snaps(2))
		if len(vetted) != 1 || vetted[0] != snap(1).Score {
			t.Errorf("vetted %v: what was looked at before so long a time has to be looked at again", vetted)
		}
	})
}

// What a change puts on the list is not vetted because another machine was quicker: whoever changed it knows.
func TestChangeIsNotVettedInALaterRound(t *testing.T) {
	a, b, at := twoMachines(t)
	must(t, mustOpen(t, b).Add(t.Context(), snap(0)))
	a.Heads = &between{at, func() { must(t, mustOpen(t, b).Add(t.Context(), snap(1))) }}
	a.Vet = func(_ context.Context, s snapshot.Snapshot, _ []snapshot.Snapshot) error {
		t.Errorf("snapshot %s was vetted", s.Score.Short())
		return nil
	}
	n := at.published
	must(t, mustOpen(t, a).Add(t.Context(), snap(2)))
	if at.published < n+3 { // the other machine's, the one that was too late, and the one after it
		t.Fatalf("%d published: nobody was quicker", at.published-n)
	}
	must(t, mustOpen(t, b).Refresh(t.Context()))
	wantList(t, mustOpen(t, b), snaps(3))
}

// It is where the other machine has forgotten something that the change may build on.
func TestChangeIsVettedAfterOthersHaveForgotten(t *testing.T) {
	a, b, at := twoMachines(t)
	must(t, mustOpen(t, b).Add(t.Context(), snap(0)))
	a.Heads = &between{at, func() { must(t, mustOpen(t, b).Remove(t.Context(), snap(0).Score)) }}
	var vetted []venti.Score
	a.Vet = func(_ context.Context, s snapshot.Snapshot, list []snapshot.Snapshot) error {
		if vetted = append(vetted, s.Score); len(list) != 1 {
			t.Errorf("vetted with a list of %d", len(list))
		}
		return nil
	}
	must(t, mustOpen(t, a).Add(t.Context(), snap(2)))
	if len(vetted) != 1 || vetted[0] != snap(2).Score {
		t.Errorf("%d snapshots were vetted, not that of the change", len(vetted))
	}
	must(t, mustOpen(t, b).Refresh(t.Context()))
	wantList(t, mustOpen(t, b), []snapshot.Snapshot{snap(2)})
}

// Without Heads nobody can have agreed.
func TestRepublishAlone(t *testing.T) {
	cfg, _ := newConfig(t)
	must(t, mustOpen(t, cfg).Add(t.Context(), snap(0)))
	if err := mustOpen(t, cfg).Republish(t.Context()); err == nil {
		t.Error("the head was handed out to nobody, and that is no error")
	}
}
