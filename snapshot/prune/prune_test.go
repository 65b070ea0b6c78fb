package prune_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ventidhash/snapshot/prune"
	"ventidhash/venti"
	"ventidhash/venti/disk"
)

// must returns v, or ends the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// seeded is a world with three snapshots; each next one shares half of its directories with the one before.
func seeded(t *testing.T) (w *world, a, b, c venti.Score) {
	t.Helper()
	w = newWorld(t)
	ctx := t.Context()
	a = must(w.backup(ctx, venti.Score{}, contents{1, 1, 1, 1, 1, 1}))(t)
	b = must(w.backup(ctx, a, contents{2, 2, 2, keep, keep, keep}))(t)
	c = must(w.backup(ctx, b, contents{3, 3, 3, keep, keep, keep}))(t)
	return w, a, b, c
}

func (w *world) forget(t *testing.T, scores ...venti.Score) {
	t.Helper()
	if err := w.cat.Remove(context.Background(), scores...); err != nil {
		t.Fatal(err)
	}
}

func TestPrune(t *testing.T) {
	w, a, b, c := seeded(t)
	ctx := t.Context()
	// What remains of catalogs that have been replaced is free from the start.
	rep := must(prune.Run(ctx, w.config()))(t)
	if rep.Snapshots != 3 || rep.FreedBlocks == 0 || rep.FreedBlocks > 10 || rep.Missing != 0 || rep.WaitingBytes != 0 {
		t.Errorf("nothing forgotten: %+v", rep)
	}
	w.mustSound(t)
	before := must(w.store.Stats(ctx))(t)
	w.forget(t, b)
	var steps []prune.Step
	cfg := w.config()
	cfg.Progress = func(p prune.Progress) {
		if len(steps) == 0 || steps[len(steps)-1] != p.Step {
			steps = append(steps, p.Step)
		}
	}
	rep = must(prune.Run(ctx, cfg))(t)
	after := must(w.store.Stats(ctx))(t)
	perSlot := int64(1 + 1 + 5 + 1) // shared block, directory, long file, give or take a leaf of the directory
	if rep.Snapshots != 2 || rep.FreedBlocks < 3*perSlot-3 || rep.FreedBlocks > 3*perSlot+6 || rep.TrashBlocks != rep.FreedBlocks {
		t.Errorf("one of three forgotten: %+v", rep)
	}
	if after.Trash != 0 || after.Blocks != rep.LiveBlocks || after.Bytes != rep.LiveBytes || before.ArenaBytes-after.ArenaBytes < 3*50_000 {
		t.Errorf("the store had %+v, and then %+v; %+v", before, after, rep)
	}
	if got := len(steps); got != 4 || steps[0] != prune.Mark || steps[3] != prune.Reclaim {
		t.Errorf("steps: %v", steps)
	}
	w.mustSound(t)
	w.forget(t, a, c)
	if _, err := prune.Run(ctx, w.config()); !errors.Is(err, prune.ErrEmpty) {
		t.Errorf("empty catalog: %v", err)
	}
	if got := w.blocks(t); got < after.Blocks {
		t.Errorf("%d blocks are left of %d", got, after.Blocks)
	}
	cfg = w.config()
	cfg.Empty = true
	must(prune.Run(ctx, cfg))(t)
	if got := w.blocks(t); got > 4 {
		t.Errorf("%d blocks are left of nothing", got)
	}
	w.mustSound(t)
}

// survey is a store with Survey.
type survey struct{ *disk.Store }

func (s survey) Survey(ctx context.Context, live func(venti.Score) bool) (rep disk.TrashReport, err error) {
	st, err := s.Stats(ctx)
	return disk.TrashReport{Live: 7, Trash: st.Blocks - 7}, err
}

func TestDryRun(t *testing.T) {
	w, _, b, _ := seeded(t)
	w.forget(t, b)
	cfg := w.config()
	cfg.DryRun = true
	cfg.Store = surveyless{w.store}
	if _, err := prune.Run(t.Context(), cfg); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a store without Survey: %v", err)
	}
	cfg.Store = survey{w.store}
	rep := must(prune.Run(t.Context(), cfg))(t)
	if rep.Snapshots != 2 || rep.LiveBlocks != 7 || rep.TrashBlocks != w.blocks(t)-7 || rep.FreedBlocks != 0 {
		t.Errorf("dry run: %+v", rep)
	}
	if st := must(w.store.Stats(t.Context()))(t); st.Trash != 0 {
		t.Errorf("dry run made trash: %+v", st)
	}
}

func TestValidate(t *testing.T) {
	w := newWorld(t)
	for _, field := range []string{"Store", "Source", "Catalog", "MinDead"} {
		cfg := w.config()
		switch field {
		case "Store":
			cfg.Store = nil
		case "Source":
			cfg.Source = nil
		case "Catalog":
			cfg.Catalog = nil
		case "MinDead":
			cfg.Reclaim.MinDead = 2
		}
		if _, err := prune.Run(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("bad %s: %v", field, err)
		}
	}
}

// TestUnreadable damages what the walk has to go through. Then nothing is freed, and the error says what to do.
func TestUnreadable(t *testing.T) {
	for _, fault := range []error{venti.ErrNotFound, venti.ErrUnavailable, venti.ErrCorrupt} {
		w, _, b, c := seeded(t)
		w.forget(t, b)
		before := w.blocks(t)
		st := &faulty{Store: w.store, fault: fault}
		w.source = st
		reads := 0
		for {
			st.fail(func() bool { return true }, reads)
			rep, err := prune.Run(t.Context(), w.config())
			if err == nil {
				break
			}
			if !errors.Is(err, fault) || rep.FreedBlocks != 0 {
				t.Fatalf("read %d fails: %v, %+v", reads, err, rep)
			}
			if got := w.blocks(t); got != before {
				t.Fatalf("%d of %d blocks are left", got, before)
			}
			reads++
		}
		if reads < 2+2*slots {
			t.Errorf("%d reads were tried", reads)
		}
		w.source = w.store
		w.mustSound(t)

		st.fail(func() bool { return true }, 0)
		w.source = st
		st.only = c
		_, err := prune.Run(t.Context(), w.config())
		if err == nil || !strings.Contains(err.Error(), "vac:"+c.String()) || !strings.Contains(err.Error(), "nothing was freed") {
			t.Errorf("the root of a snapshot: %v", err)
		}
		if say := "vdh forget " + c.String(); strings.Contains(err.Error(), say) == errors.Is(fault, venti.ErrUnavailable) {
			t.Errorf("advice: %v", err)
		}
	}
}
