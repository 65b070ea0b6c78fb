package repair_test

import (
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/repair"
)

// TestOnlyWhoseTurnItIsAsks: of all the holders that hear of a short block the closest asks the others at once, and each
// other one when it would be its turn.
func TestOnlyWhoseTurnItIsAsks(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 30)
		enc := s.put(1, 2000, usual)
		s.lose(enc, 6, wipe)
		holders := s.holders(enc)
		s.sweep()
		s.now(holders[1:]...)
		if s.haves > 0 {
			t.Fatalf("%d asked before their turn", s.haves)
		}
		s.now(holders[0])
		s.full(enc, 20)
		if most := 2 * len(s.members); s.haves == 0 || s.haves > most {
			t.Errorf("the closest asked %d times, want no more than %d", s.haves, most)
		}
		asked := s.haves
		time.Sleep(16 * time.Minute)
		s.now()
		if again := s.haves - asked; again == 0 || again > 2*len(s.members) { // the closest looks at what it made
			t.Errorf("%d asked when it was the next one's turn", again)
		}
		time.Sleep(10 * time.Hour)
		s.now()
		if st := s.total(); st.Made != 6 || st.Queued != 0 {
			t.Errorf("%d made, %d still queued", st.Made, st.Queued)
		}
	})
}

// TestNearLossNobodyWaits: what was counted may be more than there is, so whoever hears of a block near its loss looks.
func TestNearLossNobodyWaits(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 30)
		enc := s.put(1, 2000, usual)
		s.lose(enc, usual.Total-usual.UrgentLine()-1, wipe)
		last := s.holders(enc)[usual.UrgentLine()]
		s.sweep(last)
		s.now(last)
		if s.haves == 0 {
			t.Error("the farthest holder did not look")
		}
	})
}

// TestWipedMemberWhenTheFirstFails: it gets back what it had also if the closest holder does nothing about it.
func TestWipedMemberWhenTheFirstFails(t *testing.T) {
	within(t, func(t *testing.T) {
		var said dhash.ID
		s := newSwarm(t, 30, func(c *repair.Config) { c.Wiped = func(id dhash.ID) bool { return id == said } })
		enc := s.put(1, 2000, usual)
		said = s.lose(enc, 1, wipe)[0].id
		others := s.holders(enc)[1:]
		s.sweep(others...)
		s.now(others...)
		if st := s.total(); st.Made != 0 {
			t.Fatal("somebody acted at once")
		}
		time.Sleep(16 * time.Minute)
		s.now(others...)
		s.full(enc, 20)
		if st := others[0].rep.Stats(); st.Made != 1 {
			t.Errorf("the next closest made %d, want 1", st.Made)
		}
	})
}

// TestNewsOfWhatIsLookedAt: what is heard of a block while it is dealt with, by what was seen before, is not forgotten.
func TestNewsOfWhatIsLookedAt(t *testing.T) {
	within(t, func(t *testing.T) {
		var meanwhile func()
		s := newSwarm(t, 30, func(c *repair.Config) {
			c.Retiring = func(dhash.ID) bool {
				if f := meanwhile; f != nil {
					meanwhile = nil
					f()
				}
				return false
			}
		})
		enc := s.put(1, 2000, usual)
		first := s.holders(enc)[0]
		s.sweep(first)
		meanwhile = func() {
			s.lose(enc, 10, wipe)
			s.sweep(first)
		}
		s.now(first)
		s.full(enc, 20)
	})
}
