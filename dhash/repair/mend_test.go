package repair_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/repair"
	"ventidhash/venti"
)

var usual = dhash.Code{Need: 8, Total: 20}

// within runs a test in virtual time.
func within(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// full checks that all fragments of a coding are held once, by as many members.
func (s *swarm) full(enc *codec.Encoded, want int) {
	s.t.Helper()
	different, all := s.present(enc)
	if different != want || all != want {
		s.t.Errorf("block %s: %d different fragments, %d in all, want %d of both", enc.Score.Short(), different, all, want)
	}
	if id, ok := s.twoMade[enc.Score]; ok {
		s.t.Errorf("block %s: member %s was given two fragments", enc.Score.Short(), id)
	}
	if err := s.read(enc.Score); err != nil {
		s.t.Error(err)
	}
}

// lose wipes n of the holders of a block, never the closest one, and returns them.
func (s *swarm) lose(enc *codec.Encoded, n int, how func(*member)) []*member {
	list := s.holders(enc)[1 : n+1]
	for _, m := range list {
		how(m)
	}
	return list
}

func wipe(m *member) { m.wipe() }
func die(m *member)  { m.dead = true }
func leave(m *member) {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	m.dead, m.gone = true, true
}

func TestNothingAboveThreshold(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 30)
		enc := s.put(1, 2000, usual)
		s.lose(enc, 3, wipe)
		s.sweep()
		s.now()
		if st := s.total(); st.Made != 0 || s.gets != 0 {
			t.Errorf("%d fragments made and %d read with 17 of 20 present", st.Made, s.gets)
		}
	})
}

func TestWipedMembersAreFilledAgain(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 30)
		enc := s.put(1, 2000, usual)
		s.lose(enc, 4, wipe)
		s.sweep()
		s.now()
		s.full(enc, 20)
		if st := s.total(); st.Made != 4 || st.Repaired != 1 {
			t.Errorf("%d made by %d repairs, want 4 by 1", st.Made, st.Repaired)
		}
	})
}

func TestAbsentWithinGraceIsLeftAlone(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		all := s.putAll(20, 1000, usual)
		for _, m := range s.members[:12] { // 30 %
			m.dead = true
		}
		s.sweep()
		s.now()
		for _, enc := range all {
			if n, _ := s.present(enc); n <= usual.UrgentLine() {
				t.Fatal("the seeds are chosen so that no block is urgent; choose others")
			}
		}
		if st := s.total(); st.Made != 0 || s.gets != 0 {
			t.Errorf("%d fragments made", st.Made)
		}
		time.Sleep(24 * time.Hour)
		for _, m := range s.members[:12] {
			m.gone = true
		}
		before := s.bytes
		short, made := 0, 0
		for _, enc := range all {
			if n, _ := s.present(enc); n <= usual.Threshold() {
				short++
				made += 20 - n
			}
		}
		s.sweep()
		s.now()
		for _, enc := range all {
			if n, total := s.present(enc); n <= usual.Threshold() || n != total {
				t.Errorf("block %s has %d different fragments, %d in all", enc.Score.Short(), n, total)
			}
		}
		if st := s.total(); int(st.Made) != made || int(st.Repaired) != short {
			t.Errorf("%d fragments of %d blocks made, want %d of %d, once in the whole swarm", st.Made, st.Repaired, made, short)
		}
		most := int64(short*7+made) * int64(usual.PayloadSize(1000))
		if got := s.bytes - before; got > most {
			t.Errorf("%d bytes moved, want at most %d", got, most)
		}
	})
}

func TestUrgentWithinGrace(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		enc := s.put(1, 2000, usual)
		back := s.lose(enc, 10, die)
		s.sweep()
		s.now()
		if n, _ := s.present(enc); n != usual.Threshold() {
			t.Fatalf("%d present, want the threshold", n)
		}
		for _, m := range back {
			m.dead = false
		}
		if n, _ := s.present(enc); n < 20 {
			t.Errorf("only %d different fragments with those that came back", n)
		}
	})
}

func TestReturningFragmentsCountAndSurplusIsTrimmed(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		enc := s.put(1, 2000, usual)
		back := s.lose(enc, 5, leave)
		s.sweep()
		s.now()
		s.full(enc, 20)
		for _, m := range back {
			m.dead, m.gone = false, false
		}
		if different, all := s.present(enc); different != 20 || all != 25 {
			t.Fatalf("%d, %d", different, all)
		}
		s.sweep()
		s.now()
		if _, all := s.present(enc); all != 25 {
			t.Fatalf("%d fragments after the first survey, want all 25", all)
		}
		time.Sleep(5 * time.Hour)
		s.sweep()
		s.now()
		if _, all := s.present(enc); all != 25 {
			t.Fatalf("%d fragments after 5 hours, want all 25", all)
		}
		time.Sleep(2 * time.Hour)
		s.now()
		s.full(enc, 20)
		if st := s.total(); st.Trimmed != 5 {
			t.Errorf("%d trimmed, want 5", st.Trimmed)
		}
	})
}

func TestCoordinatorThatNeverActs(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 30)
		enc := s.put(1, 2000, usual)
		s.lose(enc, 6, wipe)
		others := s.holders(enc)[1:]
		s.sweep(others...)
		s.now(others...)
		if st := s.total(); st.Made != 0 {
			t.Fatal("somebody acted at once")
		}
		time.Sleep(16 * time.Minute)
		s.now(others...)
		s.full(enc, 20)
		if st := others[0].rep.Stats(); st.Made != 6 {
			t.Errorf("the next closest made %d, want 6", st.Made)
		}
		time.Sleep(10 * time.Hour)
		s.now(others...)
		s.full(enc, 20)
		if st := s.total(); st.Made != 6 || st.Queued != 0 {
			t.Errorf("%d made, %d still queued", st.Made, st.Queued)
		}
	})
}

func TestPoisonedItem(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 30)
		poison := s.put(99, 2000, usual)
		for _, m := range s.holders(poison) { // what is stored cannot be parsed, on all disks
			for n, k := range m.held {
				if n.Score == poison.Score {
					k.encoded = k.encoded[:20]
				}
			}
		}
		encs := []*codec.Encoded{poison}
		for i := range 10 {
			encs = append(encs, s.put(uint64(i), 1000, usual))
		}
		for _, enc := range encs {
			for _, m := range s.holders(enc)[1:6] {
				for n := range m.held {
					if n.Score == enc.Score {
						delete(m.held, n)
					}
				}
			}
		}
		s.sweep()
		s.now()
		for _, enc := range encs[1:] {
			s.full(enc, 20)
		}
		first := s.holders(poison)[0]
		if st := first.rep.Stats(); st.Failed != 1 || st.Queued == 0 || st.LastError == nil || st.Irreparable != 1 {
			t.Errorf("of the poisoned block: %+v", st)
		}
		time.Sleep(48 * time.Hour) // it is tried again, ever more seldom
		ctx := t.Context()
		for range 100 {
			if err := first.rep.Now(ctx, nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		if st := first.rep.Stats(); st.Failed > 10 || st.Failed < 3 {
			t.Errorf("%d failures, want it tried again and backed off", st.Failed)
		}
	})
}

func TestIrreparableComesBack(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 36)
		enc := s.put(1, 2000, usual)
		down := s.lose(enc, 14, die) // 6 are left
		s.sweep()
		s.now()
		first := s.holders(enc)[0]
		if st := first.rep.Stats(); st.Irreparable != 1 || st.Queued != 1 || st.Made != 0 || st.LastError == nil {
			t.Fatalf("%+v", st)
		}
		time.Sleep(100 * time.Hour)
		s.now()
		if st := first.rep.Stats(); st.Irreparable != 1 || st.Oldest < 100*time.Hour {
			t.Fatalf("after 100 hours: %+v", st)
		}
		for _, m := range down[:3] {
			m.dead = false
		}
		for _, m := range down[3:] {
			m.gone = true
		}
		time.Sleep(8 * time.Hour)
		s.now()
		s.full(enc, 20)
		time.Sleep(time.Hour)
		s.now()
		if st := first.rep.Stats(); st.Irreparable != 0 || st.Queued != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestReleasedDuringRepair(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 30, func(c *repair.Config) {
			store := c.Store.(disk)
			c.Store = releasing{store}
		})
		enc := s.put(1, 2000, usual)
		s.lose(enc, 6, wipe)
		s.sweep()
		s.now()
		time.Sleep(10 * time.Hour)
		s.now()
		if s.copies != 0 {
			t.Errorf("%d fragments of a released block were sent", s.copies)
		}
		if st := s.total(); st.Queued != 0 {
			t.Errorf("%d items of a released block are queued", st.Queued)
		}
	})
}

// releasing is a disk whose fragments are released as soon as one is read for a repair.
type releasing struct{ disk }

func (r releasing) Get(ctx context.Context, score venti.Score, pick func(fragstore.Held) bool,
	b []byte) ([]byte, fragstore.Held, error) {
	out, h, err := r.disk.Get(ctx, score, pick, b)
	for _, m := range r.m.s.members {
		for _, k := range m.held {
			k.claims = nil
		}
	}
	return out, h, err
}

func TestReleaseUnderWayIsNotUndone(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 30)
		enc := s.put(1, 2000, usual)
		for _, m := range s.holders(enc)[9:] { // the owner's word has reached 11 of 20
			for _, k := range m.held {
				k.claims = nil
			}
		}
		s.sweep()
		s.now()
		if s.copies != 0 {
			t.Fatalf("%d fragments of a block that is being released were sent", s.copies)
		}
		// If it does not come here for days it is not coming: what is in the trash elsewhere is taken out again.
		for range 20 {
			time.Sleep(4 * time.Hour)
			s.sweep()
			s.now()
		}
		s.full(enc, 20)
	})
}

// TestWipedMemberIsFilledAtOnce: for a member that says that it was wiped what is missing is made although the block is above
// its threshold, once, and for nobody else; also where whoever stood in for it before has given up what it had.
func TestWipedMemberIsFilledAtOnce(t *testing.T) {
	for _, stoodIn := range []bool{false, true} {
		t.Run(fmt.Sprintf("stood in %v", stoodIn), func(t *testing.T) {
			within(t, func(t *testing.T) {
				var said dhash.ID
				s := newSwarm(t, 30, func(c *repair.Config) { c.Wiped = func(id dhash.ID) bool { return id == said } })
				enc := s.put(1, 2000, usual)
				if stoodIn {
					f := enc.Fragment(s.holders(enc)[1].holds(enc.Coding)[0]) // of the member that is lost
					s.byID[s.table().Closest(dhash.KeyOf(enc.Score), 21)[20].ID].keep(nil, &f, enc.Coding)
				}
				lost := s.lose(enc, 1, wipe)[0]
				s.sweep()
				s.now()
				if st := s.total(); st.Made != 0 {
					t.Fatalf("%d made for a member that has said nothing", st.Made)
				}
				said = lost.id
				s.sweep()
				s.now()
				s.full(enc, 20)
				if st := s.total(); st.Made != 1 || len(lost.holds(enc.Coding)) != 1 {
					t.Errorf("%d made; it holds %v", st.Made, lost.holds(enc.Coding))
				}
			})
		})
	}
}
