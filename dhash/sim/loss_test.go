package sim_test

import (
	"errors"
	"testing"
	"time"

	"ventidhash/dhash/sim"
	"ventidhash/venti"
)

// Three members of ten vanish at once. Everything can be read, at once and when it has been noticed.
func TestThirtyPercentVanish(t *testing.T) {
	run(t, ten(5), func(t *testing.T, s *sim.Swarm) {
		want := blocks(s, 10, 16<<10)
		scores := s.Put(0, want...)
		g := s.Client(1)
		before := read(t, g, scores, want)
		s.Kill(7, 8, 9)
		after := read(t, g, scores, want)
		t.Logf("10 gets: %v; with three members gone %v", before, after)
		if after > 10*before {
			t.Error("that is too long")
		}
		t.Logf("noticed after %v", s.Settle())
		t.Logf("10 gets then: %v", read(t, s.Client(6), scores, want))
	})
}

// When one member more is gone than a block can spare, a get says within seconds that the block is unavailable. When one
// of them is back, the block can be read.
func TestOneTooMany(t *testing.T) {
	run(t, ten(6), func(t *testing.T, s *sim.Swarm) {
		want := blocks(s, 2, 16<<10)
		scores := s.Put(0, want...)
		g := s.Client(0)
		unavailable := func(limit time.Duration) {
			t.Helper()
			begun := time.Now()
			_, err := g.Get(t.Context(), scores[0])
			took := time.Since(begun)
			t.Logf("after %v: %v", took, err)
			if !errors.Is(err, venti.ErrUnavailable) || took > limit {
				t.Errorf("after %v, of at most %v: %v", took, limit, err)
			}
		}
		s.Kill(upTo(10)[3:]...)
		unavailable(16 * time.Second)
		s.Settle()
		unavailable(16 * time.Second)
		s.Restart(9)
		t.Logf("one is back, noticed after %v", s.Settle())
		t.Logf("2 gets: %v", read(t, g, scores, want))
		s.Leave(9)
		unavailable(16 * time.Second)
	})
}
