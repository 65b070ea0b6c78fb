package prune_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"ventidhash/snapshot/prune"
	"ventidhash/venti"
	"ventidhash/venti/disk"
)

// hooked is a store that calls before[step] when a step begins, and after[step] when it has ended.
type hooked struct {
	stepper
	before, after map[string]func() error
}

func (h hooked) call(hooks map[string]func() error, step string) error {
	if f := hooks[step]; f != nil {
		return f()
	}
	return nil
}

func (h hooked) Session(ctx context.Context) (*disk.Session, error) {
	if err := h.call(h.before, "session"); err != nil {
		return nil, err
	}
	s, err := h.stepper.Session(ctx)
	if after := h.call(h.after, "session"); err == nil && after != nil {
		return nil, errors.Join(after, s.Close())
	}
	return s, err
}

func (h hooked) Trash(ctx context.Context, live func(venti.Score) bool) (disk.TrashReport, error) {
	if err := h.call(h.before, "trash"); err != nil {
		return disk.TrashReport{}, err
	}
	r, err := h.stepper.Trash(ctx, live)
	return r, errors.Join(err, h.call(h.after, "trash"))
}

func (h hooked) Settled(ctx context.Context, except ...*disk.Session) (disk.Settled, error) {
	if err := h.call(h.before, "settled"); err != nil {
		return disk.Settled{}, err
	}
	s, err := h.stepper.Settled(ctx, except...)
	return s, errors.Join(err, h.call(h.after, "settled"))
}

func (h hooked) Reclaim(ctx context.Context, s disk.Settled, cfg disk.ReclaimConfig) (disk.ReclaimReport, error) {
	if err := h.call(h.before, "reclaim"); err != nil {
		return disk.ReclaimReport{}, err
	}
	r, err := h.stepper.Reclaim(ctx, s, cfg)
	return r, errors.Join(err, h.call(h.after, "reclaim"))
}

// moments are when something can happen beside a prune, in order.
var moments = []string{"before session", "after session", "before trash", "after trash", "before settled", "after settled",
	"before reclaim", "after reclaim"}

// during prunes and calls each function at its moment.
func (w *world) during(ctx context.Context, at map[string]func() error) (prune.Report, error) {
	h := hooked{stepper: w.store, before: map[string]func() error{}, after: map[string]func() error{}}
	for m, f := range at {
		var when, step string
		fmt.Sscanf(m, "%s %s", &when, &step)
		if when == "before" {
			h.before[step] = f
		} else {
			h.after[step] = f
		}
	}
	cfg := w.config()
	cfg.Store = h
	return prune.Run(ctx, cfg)
}

// TestInterrupted ends a prune at each moment, by an error and by cancelling. Everything stays readable, and the next
// prune completes the work.
func TestInterrupted(t *testing.T) {
	boom := errors.New("boom")
	for _, m := range moments {
		for _, how := range []error{boom, context.Canceled} {
			w, _, b, _ := seeded(t)
			w.forget(t, b)
			ctx, cancel := context.WithCancel(t.Context())
			_, err := w.during(ctx, map[string]func() error{m: func() error {
				cancel()
				if how == boom {
					return boom
				}
				return nil
			}})
			cancel()
			if !errors.Is(err, how) && m != "after reclaim" {
				t.Errorf("%s: error %v, want %v", m, err, how)
			}
			w.mustSound(t)
			rep := must(prune.Run(t.Context(), w.config()))(t)
			if got := w.blocks(t); got != rep.LiveBlocks || rep.WaitingBytes != 0 {
				t.Errorf("%s: %d blocks are left of %+v", m, got, rep)
			}
			w.mustSound(t)
		}
	}
}

// TestBeside lets a backup of blocks that are garbage begin, take its parent, write and commit at each combination of
// moments of a prune.
func TestBeside(t *testing.T) {
	n := 0
	for begin := range moments {
		for write := begin; write < len(moments); write++ {
			for commit := write; commit < len(moments); commit++ {
				w, a, b, _ := seeded(t)
				ctx := t.Context()
				w.forget(t, b)
				var bk *backup
				steps := []struct {
					moment int
					do     func() error
				}{
					{begin, func() (err error) {
						if bk, err = w.begin(ctx); err != nil {
							return err
						}
						return bk.choose(ctx, a)
					}},
					{write, func() error { return bk.write(ctx, contents{2, 2, 2, keep, keep, 9}) }},
					{commit, func() error { return bk.commit(ctx) }},
				}
				at := map[string]func() error{}
				for i, m := range moments {
					at[m] = func() error {
						for _, s := range steps {
							if s.moment == i {
								if err := s.do(); err != nil {
									return err
								}
							}
						}
						return nil
					}
				}
				if _, err := w.during(ctx, at); err != nil {
					t.Fatalf("begin %s, write %s, commit %s: %v", moments[begin], moments[write], moments[commit], err)
				}
				w.mustSound(t)
				w.forget(t, a)
				must(prune.Run(ctx, w.config()))(t)
				w.mustSound(t)
				n++
			}
		}
	}
	t.Logf("%d combinations", n)
}

// TestParentForgotten takes everything over from a parent that another backup has made since the prune began, out of
// garbage, and that is forgotten before the prune looks again.
func TestParentForgotten(t *testing.T) {
	for committed, wants := range map[string]error{"before settled": nil, "after reclaim": errGone} {
		w, _, b, _ := seeded(t)
		ctx := t.Context()
		w.forget(t, b)
		first, err := w.begin(ctx)
		if err != nil {
			t.Fatal(err)
		}
		// The blocks of the parent are stored before the marks are made, and marked with the rest.
		if err := first.write(ctx, contents{2, 2, 2, 2, 2, 2}); err != nil {
			t.Fatal(err)
		}
		var second *backup
		at := map[string]func() error{
			"after trash": func() (err error) {
				if err := first.commit(ctx); err != nil {
					return err
				}
				if second, err = w.begin(ctx); err != nil {
					return err
				}
				if err := second.choose(ctx, first.made.Score); err != nil {
					return err
				}
				return w.cat.Remove(ctx, first.made.Score)
			},
		}
		at[committed] = func() error {
			if err := second.write(ctx, contents{keep, keep, keep, keep, keep, keep}); err != nil {
				return err
			}
			if err := second.commit(ctx); !errors.Is(err, wants) {
				t.Errorf("commit %s: %v, want %v", committed, err, wants)
			}
			return nil
		}
		must(w.during(ctx, at))(t)
		w.mustSound(t)
	}
}

// TestTwoPrunes runs a whole prune at each moment of another, with a backup of garbage that is committed between the
// moments at which the two look at the catalog.
func TestTwoPrunes(t *testing.T) {
	for outer := range moments {
		for _, inner := range moments {
			w, a, b, _ := seeded(t)
			ctx := t.Context()
			w.forget(t, b)
			_, err := w.during(ctx, map[string]func() error{moments[outer]: func() error {
				_, err := w.during(ctx, map[string]func() error{inner: func() error {
					_, err := w.backup(ctx, a, contents{2, 2, 2, keep, keep, keep})
					return err
				}})
				return err
			}})
			if err != nil {
				t.Fatalf("inner prune %s, backup %s of it: %v", moments[outer], inner, err)
			}
			w.mustSound(t)
		}
	}
}

// TestPruneTrashAgain lets a second prune, which looked at the catalog earlier, mark a block again that the first one
// took out of the trash, just before the first one frees what is settled.
func TestPruneTrashAgain(t *testing.T) {
	w, a, b, _ := seeded(t)
	ctx := t.Context()
	w.forget(t, b)
	looked, goOn, marked, end := make(chan bool), make(chan bool), make(chan bool), make(chan bool)
	second := make(chan error, 1)
	_, err := w.during(ctx, map[string]func() error{
		"before trash": func() error {
			go func() {
				_, err := w.during(ctx, map[string]func() error{
					"before trash": func() error { close(looked); <-goOn; return nil },
					"after trash":  func() error { close(marked); <-end; return nil },
				})
				second <- err
			}()
			<-looked
			return nil
		},
		"after trash": func() error {
			_, err := w.backup(ctx, a, contents{2, 2, 2, keep, keep, keep})
			return err
		},
		"before reclaim": func() error { close(goOn); <-marked; return nil },
	})
	close(end)
	if err := errors.Join(err, <-second); err != nil {
		t.Error(err)
	}
	w.mustSound(t)
}
