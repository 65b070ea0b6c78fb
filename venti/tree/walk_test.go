package tree_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/tree"
)

type visit struct {
	b   tree.Block
	err error
}

// walked collects the visits of a walk that descends everywhere and goes on after errors.
func walked(t *testing.T, r *rig, e venti.Entry) []visit {
	t.Helper()
	var out []visit
	err := tree.Walk(t.Context(), r.src, e, func(b tree.Block, err error) (bool, error) {
		out = append(out, visit{b, err})
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWalk holds that the visits are exactly the blocks that were stored, each once, parents first, and that on each
// level they and the holes make up the stream.
func TestWalk(t *testing.T) {
	r := newRig(t)
	e, want := lakes(t, r)
	seen := map[venti.Score]bool{}
	next := map[int]int64{}
	var levels []int
	for i, v := range walked(t, r, e) {
		b := v.b
		if v.err != nil || seen[b.Ref.Score] {
			t.Fatalf("visit %d of %+v: again, or %v", i, b, v.err)
		}
		seen[b.Ref.Score] = true
		if i == 0 && (b.Ref != e.Top || b.Level != e.Depth || b.Off != 0 || b.Len != e.Size) {
			t.Errorf("first visit is %+v of %+v", b, e)
		}
		if b.Off < next[b.Level] || !bytes.Equal(want[next[b.Level]:b.Off], make([]byte, b.Off-next[b.Level])) {
			t.Errorf("%+v after %d: what lies between is no hole", b, next[b.Level])
		}
		next[b.Level] = b.Off + b.Len
		if i > 0 && b.Level > levels[i-1] && b.Off != next[b.Level-1] {
			t.Errorf("%+v comes before all below the last one was visited", b)
		}
		levels = append(levels, b.Level)
		if b.Level == 0 {
			plain, err := r.src.Block(t.Context(), b.Ref)
			if err != nil {
				t.Fatal(err)
			}
			check(t, fmt.Sprint(b), plain, want[b.Off:b.Off+b.Len])
		}
	}
	got := slices.SortedFunc(maps.Keys(seen), func(a, b venti.Score) int { return bytes.Compare(a[:], b[:]) })
	if !slices.Equal(got, r.Scores()) {
		t.Errorf("%d blocks visited, %d stored", len(got), len(r.Scores()))
	}
}

func TestWalkReadsNoLeaves(t *testing.T) {
	r := newRig(t)
	e, _ := lakes(t, r)
	clear(r.gets)
	for _, v := range walked(t, r, e) {
		if n := r.gets[v.b.Ref.Score]; (v.b.Level == 0) != (n == 0) {
			t.Errorf("%+v was fetched %d times", v.b, n)
		}
	}
}

func TestWalkHole(t *testing.T) {
	r := newRig(t)
	if v := walked(t, r, venti.Entry{Size: 1 << 50}); len(v) > 0 {
		t.Errorf("%d visits of a hole", len(v))
	}
}

// TestWalkPrune declines to descend once, and stops once.
func TestWalkPrune(t *testing.T) {
	r := newRig(t)
	e, _ := lakes(t, r)
	all := walked(t, r, e)
	at := slices.IndexFunc(all, func(v visit) bool { return v.b.Level == 1 })
	pruned := all[at].b
	below := 0
	for _, v := range all[at+1:] {
		if v.b.Level != 0 {
			break
		}
		below++
	}
	n := 0
	err := tree.Walk(t.Context(), r.src, e, func(b tree.Block, err error) (bool, error) {
		n++
		return b != pruned, err
	})
	if err != nil || n != len(all)-below || below == 0 {
		t.Errorf("%d visits of %d without the %d below one: %v", n, len(all), below, err)
	}
	stop := errors.New("stop")
	n = 0
	err = tree.Walk(t.Context(), r.src, e, func(b tree.Block, err error) (bool, error) {
		if n++; n == 5 {
			return true, stop
		}
		return true, nil
	})
	if err != stop || n != 5 {
		t.Errorf("stopped after %d visits with %v", n, err)
	}
}

// TestWalkDamage holds that a pointer block that cannot be had is visited a second time, with the reason, and that the
// walk goes on behind it.
func TestWalkDamage(t *testing.T) {
	r := newRig(t)
	e, _ := lakes(t, r)
	all := walked(t, r, e)
	for i, v := range all {
		if v.b.Level == 0 {
			continue
		}
		r.src = tree.NewSource(r.store, r.sealer, 0)
		r.Unavailable(v.b.Ref.Score, true)
		below := 0
		for below+i+1 < len(all) && all[i+1+below].b.Level < v.b.Level {
			below++
		}
		got := walked(t, r, e)
		if len(got) != len(all)-below+1 {
			t.Errorf("%d visits without %+v, want %d", len(got), v.b, len(all)-below+1)
		}
		var be *venti.BlockError
		if g := got[i+1]; g.b != v.b || !errors.Is(g.err, venti.ErrUnavailable) || !errors.As(g.err, &be) ||
			be.Score != v.b.Ref.Score {
			t.Errorf("visit after %+v is %+v, %v", v.b, g.b, g.err)
		}
		err := tree.Walk(t.Context(), r.src, e, func(_ tree.Block, err error) (bool, error) { return true, err })
		if !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("the error that visit returned came back as %v", err)
		}
		r.Unavailable(v.b.Ref.Score, false)
	}
}

func TestWalkCancelled(t *testing.T) {
	r := newRig(t)
	e, _ := lakes(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := tree.Walk(ctx, r.src, e, func(_ tree.Block, err error) (bool, error) {
		if n++; n == 3 {
			cancel()
			r.src = nil
		}
		return true, nil
	})
	if n < 3 || err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("%d visits, %v", n, err)
	}
	r.src = tree.NewSource(r.store, r.sealer, 0)
	n = 0
	err = tree.Walk(ctx, r.src, e, func(_ tree.Block, err error) (bool, error) { n++; return true, err })
	if n != 1 || err != context.Canceled {
		t.Errorf("%d visits, %v", n, err)
	}
}
