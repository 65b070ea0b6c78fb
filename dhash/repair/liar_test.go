package repair_test

import (
	"slices"
	"testing"
	"time"
)

func TestLiarIsNamedAndReplaced(t *testing.T) {
	for _, how := range []func(*member){func(m *member) { m.liar = true }, func(m *member) { m.empty = true }} {
		within(t, func(t *testing.T) {
			s := newSwarm(t, 40)
			enc := s.put(1, 2000, usual)
			s.lose(enc, 5, wipe)
			liars := s.lose(enc, 3, how) // of those left
			s.sweep()
			s.now()
			var honest []int
			for _, m := range s.holders(enc) {
				if !slices.Contains(liars, m) {
					honest = append(honest, m.holds(enc.Coding)...)
				}
			}
			slices.Sort(honest)
			st := s.total()
			if st.Bad == 0 || len(honest) != 20-3+int(st.Bad) || len(slices.Compact(honest)) != len(honest) {
				t.Errorf("honest members hold %v; %d liars were found", honest, st.Bad)
			}
		})
	}
}

// A member says that it holds every fragment. It counts for one.
func TestBoasterCountsOnce(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		enc := s.put(1, 2000, usual)
		lost := s.lose(enc, 6, wipe)
		for i := range 20 {
			f := enc.Fragment(i)
			lost[0].keep(cl, &f, enc.Coding)
		}
		clear(s.twoMade)
		lost[0].empty = true
		list := s.holders(enc)
		s.sweep(list[0])
		s.now(list[0])
		seen := map[int]bool{}
		for _, m := range s.holders(enc) {
			if m != lost[0] {
				seen[m.holds(enc.Coding)[0]] = true
			}
		}
		if len(seen) < 19 || len(s.twoMade) > 0 {
			t.Errorf("%d different fragments at honest members", len(seen))
		}
	})
}

func TestHangingSourceCostsATime(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		enc := s.put(1, 2000, usual)
		s.lose(enc, 5, wipe)
		s.lose(enc, 5, func(m *member) { m.hangs = true })
		s.sweep()
		began := time.Now()
		s.now()
		s.full(enc, 20)
		if d := time.Since(began); d > 30*time.Second {
			t.Errorf("it took %v", d)
		}
	})
}
