package prune_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ventidhash/snapshot/prune"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

func (w *world) searchConfig(forgotten ...venti.Score) prune.SearchConfig {
	cfg := prune.SearchConfig{Source: w.src(), RootKey: w.owner.RootKey(), Catalog: w.cat}
	for i, s := range forgotten {
		cfg.Forgotten = append(cfg.Forgotten, prune.Forgotten{Score: s, Time: time.Unix(int64(1e9+i), 0)})
	}
	return cfg
}

// needed returns every block that snapshots need, each use walked.
func (w *world) needed(t *testing.T, snapshots ...venti.Score) map[venti.Score]bool {
	t.Helper()
	all := map[venti.Score]bool{}
	for _, s := range snapshots {
		tree := must(vac.OpenOwn(t.Context(), w.src(), w.owner.RootKey(), s))(t)
		err := tree.Blocks(t.Context(), func(u vac.Use, err error) (bool, error) {
			all[u.Ref.Score] = true
			return true, err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestSearch compares what can be let go with what is left over when all blocks are written down.
func TestSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 10 {
		w := newWorld(t)
		var all []venti.Score
		parent := venti.Score{}
		for range 6 {
			var c contents
			for i := range c {
				if c[i] = r.IntN(4); r.IntN(2) == 0 {
					c[i] = keep
				}
			}
			parent = must(w.backup(t.Context(), parent, c))(t)
			all = append(all, parent)
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		n := 1 + r.IntN(5)
		gone, kept := all[:n], all[n:]
		gone = slices.DeleteFunc(slices.Clone(gone), func(s venti.Score) bool { return slices.Contains(kept, s) })
		w.forget(t, gone...)
		f := must(prune.Search(t.Context(), w.searchConfig(gone...)))(t)
		live, old := w.needed(t, kept...), w.needed(t, gone...)
		for s := range live {
			if !f.Needs(s) || !slices.Contains(f.Live, s) {
				t.Errorf("block %s is needed", s.Short())
			}
		}
		for _, s := range f.Gone {
			if live[s] || !old[s] || f.Needs(s) {
				t.Errorf("block %s is let go", s.Short())
			}
			delete(old, s)
		}
		for s := range old {
			if !live[s] {
				t.Errorf("block %s is not let go", s.Short())
			}
		}
		if len(f.Done) != len(gone) || f.Lost != 0 || len(f.Late) != 0 || f.Snapshots == 0 {
			t.Errorf("%d done, %d lost, %v", len(f.Done), f.Lost, f.Late)
		}
	}
}

// TestSearchUnreadable has each read fail in turn: of what is kept, that ends the search; of what was forgotten, less is
// let go, and never anything that is needed.
func TestSearchUnreadable(t *testing.T) {
	for _, fault := range []error{venti.ErrNotFound, venti.ErrUnavailable, venti.ErrCorrupt} {
		w, a, b, c := seeded(t)
		w.forget(t, a, b)
		live, old := w.needed(t, c), w.needed(t, a, b)
		st := &faulty{Store: w.store, fault: fault}
		w.source = st
		refused, less := 0, 0
		for reads := 0; ; reads++ {
			failed := false
			st.fail(func() bool { return true }, reads)
			f, err := prune.Search(t.Context(), w.searchConfig(a, b))
			if err != nil {
				if !errors.Is(err, fault) || f != nil || !strings.Contains(err.Error(), "nothing was freed") {
					t.Fatalf("read %d fails: %v", reads, err)
				}
				refused++
				continue
			}
			for _, s := range f.Gone {
				if live[s] || !old[s] {
					t.Errorf("read %d fails: block %s is let go", reads, s.Short())
				}
			}
			for s := range live {
				if !f.Needs(s) {
					t.Errorf("read %d fails: block %s is needed", reads, s.Short())
				}
			}
			if failed = f.Lost > 0 || len(f.Late) > 0; !failed {
				break
			}
			if late := errors.Is(fault, venti.ErrUnavailable); late != (len(f.Late) == 1) || late == (f.Lost > 0) || len(f.Done)+len(f.Late) != 2 {
				t.Errorf("read %d fails: %d done, %d lost, late %v", reads, len(f.Done), f.Lost, f.Late)
			}
			for _, l := range f.Late {
				other := a
				if l.Score == a {
					other = b
				}
				for _, s := range f.Gone {
					if !w.needed(t, other)[s] {
						t.Errorf("read %d fails: block %s is let go", reads, s.Short())
					}
				}
				break
			}
			less++
		}
		if refused < slots || less < 2 {
			t.Errorf("%v: %d searches ended, %d let less go", fault, refused, less)
		}
	}
}

// TestOlder tells apart what older and newer snapshots need.
func TestOlder(t *testing.T) {
	w, a, b, c := seeded(t)
	f := must(prune.Search(t.Context(), w.searchConfig()))(t)
	list := must(w.cat.List(t.Context()))(t)
	all := []venti.Score{a, b, c}
	for i, s := range list {
		want := w.needed(t, all[:i]...)
		got := f.Older(s.Time)
		for _, s := range got {
			if !want[s] {
				t.Errorf("block %s is not needed by the first %d", s.Short(), i)
			}
			delete(want, s)
		}
		if len(want) > 0 {
			t.Errorf("%d blocks are missing of those of the first %d", len(want), i)
		}
	}
	if n := len(f.Older(time.Now().Add(time.Hour))); n != len(w.needed(t, all...)) || n >= len(f.Live) {
		t.Errorf("%d of %d", n, len(f.Live))
	}
}

// TestSearchEmpty refuses a catalog that has nothing, unless that is meant.
func TestSearchEmpty(t *testing.T) {
	w, a, b, c := seeded(t)
	w.forget(t, a, b, c)
	cfg := w.searchConfig(a, b, c)
	if _, err := prune.Search(t.Context(), cfg); !errors.Is(err, prune.ErrEmpty) {
		t.Errorf("%v", err)
	}
	cfg.Empty = true
	if f := must(prune.Search(t.Context(), cfg))(t); len(f.Gone) != len(w.needed(t, a, b, c)) {
		t.Errorf("%d are let go", len(f.Gone))
	}
	for _, cfg := range []prune.SearchConfig{{}, {Source: w.src()}} {
		if _, err := prune.Search(t.Context(), cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
