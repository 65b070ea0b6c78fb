package repair_test

import (
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/placement"
	"ventidhash/dhash/repair"
	"ventidhash/venti"
)

// settled checks that the fragments of a coding are held by exactly the members that should hold them, once each.
func (s *swarm) settled(enc *codec.Encoded) {
	s.t.Helper()
	s.full(enc, enc.Code.Total)
	var want []*member
	for _, m := range s.table().Holders(dhash.KeyOf(enc.Score), enc.Code, 0) {
		want = append(want, s.byID[m.ID])
	}
	for _, m := range s.holders(enc) {
		if !slices.Contains(want, m) {
			s.t.Errorf("block %s: member %s should not hold a fragment", enc.Score.Short(), m.id.Short())
		}
	}
}

func TestStraysAreHandedToNewMembers(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 25)
		all := s.putAll(10, 1000, usual)
		s.join(12)
		s.sweep()
		s.now()
		st := s.total()
		if st.HandedOff == 0 || st.Made != 0 || s.gets != 0 {
			t.Fatalf("%d handed off, %d made, %d read", st.HandedOff, st.Made, s.gets)
		}
		for _, enc := range all {
			if different, all := s.present(enc); different != 20 || all == 20 {
				t.Errorf("right after the hand-off: %d different, %d in all", different, all)
			}
		}
		for range 3 {
			time.Sleep(6 * time.Hour)
			s.sweep()
			s.now()
		}
		for _, enc := range all {
			s.settled(enc)
		}
		if after := s.total(); after.Trimmed != after.HandedOff || after.HandedOff != st.HandedOff {
			t.Errorf("%d handed off, then %d, %d trimmed", st.HandedOff, after.HandedOff, after.Trimmed)
		}
	})
}

// The swarm grows so fast that hardly any holder of a block is where others look for it.
func TestFastGrowth(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 25)
		all := s.putAll(5, 1000, usual)
		s.join(125)
		for range 10 {
			s.sweep()
			s.together()
			for _, enc := range all {
				if n, _ := s.present(enc); n < 20 {
					t.Fatalf("%d fragments of %s", n, enc.Score.Short())
				}
			}
			time.Sleep(6 * time.Hour)
		}
		for _, enc := range all {
			list := s.holders(enc)
			for _, m := range list {
				if !s.table().Responsible(m.id, dhash.KeyOf(enc.Score), usual, placement.Slack) {
					t.Errorf("member %s is too far away to hold a fragment", m.id.Short())
				}
			}
			if len(list) < 17 {
				t.Errorf("%d holders of %s", len(list), enc.Score.Short())
			}
		}
		if st := s.total(); st.Made > 50 { // what was out of sight was made in vain, but not again and again
			t.Errorf("%d fragments made", st.Made)
		}
	})
}

func TestReceiverThatForgetsGetsNothingTrimmed(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 25)
		enc := s.put(1, 1000, usual)
		s.join(12)
		s.sweep()
		s.now()
		for range 4 {
			time.Sleep(4 * time.Hour)
			for _, m := range s.members[25:] {
				m.wipe()
			}
			s.sweep()
			s.now()
		}
		if st := s.total(); st.Trimmed != 0 {
			t.Errorf("%d trimmed, though no other member kept them", st.Trimmed)
		}
		if n, _ := s.present(enc); n != 20 {
			t.Errorf("%d present", n)
		}
	})
}

func TestRetiringMembersAreEmptied(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		all := s.putAll(10, 1000, usual)
		retiring := s.members[:6]
		for _, m := range retiring {
			m.leaves = true
		}
		s.onCopy = func(m *member) {
			if m.leaves {
				t.Error("a retiring member got a fragment")
			}
		}
		s.rounds(5, 6*time.Hour)
		for _, m := range retiring {
			for _, enc := range all {
				if n := m.holds(enc.Coding); len(n) > 0 {
					t.Errorf("a retiring member still keeps %v of %s", n, enc.Score.Short())
				}
			}
		}
		for _, enc := range all {
			if n, _ := s.present(enc); n != 20 {
				t.Errorf("%d fragments of %s", n, enc.Score.Short())
			}
		}
	})
}

// In a swarm of as many members as fragments nobody can take those of one that retires. It goes all the same, unless
// the block would be at its threshold then.
func TestRetiringFromASmallSwarm(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 20)
		all := s.putAll(5, 1000, usual)
		retire := func(n int) (left int) {
			for _, m := range s.members[:n] {
				m.leaves = true
			}
			s.rounds(4, 6*time.Hour)
			for _, m := range s.members[:n] {
				left += len(m.held)
				for _, k := range m.held {
					if len(k.claims) == 0 {
						left--
					}
				}
			}
			return left
		}
		if left := retire(3); left != 0 {
			t.Errorf("%d fragments are kept by those that retire", left)
		}
		if left := retire(4); left != 5 {
			t.Errorf("the fourth keeps %d fragments, want all 5", left)
		}
		for _, enc := range all {
			if n, _ := s.present(enc); n != 17 {
				t.Errorf("%d fragments of %s", n, enc.Score.Short())
			}
		}
	})
}

func TestRetiringMembersAreSources(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		enc := s.put(1, 1000, usual)
		for _, m := range s.holders(enc)[6:12] {
			m.leaves = true
		}
		for _, m := range s.holders(enc)[12:] {
			m.wipe() // 6 stay, 6 retire, 8 are lost
		}
		s.sweep()
		s.now()
		seen := map[int]bool{}
		for _, m := range s.holders(enc) {
			if !m.leaves {
				for _, i := range m.holds(enc.Coding) {
					seen[i] = true
				}
			}
		}
		if len(seen) < usual.Threshold() {
			t.Errorf("%d fragments at members that stay", len(seen))
		}
	})
}

// With two that each hold the same fragment one of them keeps it, whoever looks first.
func TestDuplicatesAmongExpectedHolders(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		enc := s.put(1, 1000, usual)
		list := s.holders(enc)
		for i, m := range list[1:3] { // both get what the first has, instead of their own
			delete(m.held, fragstore.Name{Score: enc.Score, Coding: enc.Coding, Index: i + 1})
			f := enc.Fragment(0)
			m.keep(cl, &f, enc.Coding)
		}
		s.rounds(6, 6*time.Hour)
		different, all := s.present(enc)
		if different != 18 || all != 18 {
			t.Errorf("%d different, %d in all", different, all)
		}
		if got := list[0].holds(enc.Coding); !slices.Equal(got, []int{0}) {
			t.Errorf("the closest keeps %v", got)
		}
		list[5].wipe()
		list[6].wipe()
		s.sweep()
		s.now()
		s.full(enc, 20)
	})
}

// Members that look at the same time send nothing to the same place: neither two strays, nor a stray and what is made.
func TestAllAtTheSameTime(t *testing.T) {
	for seed := range uint64(8) {
		within(t, func(t *testing.T) {
			s := newSwarm(t, 25)
			var all []*codec.Encoded
			for i := range uint64(10) {
				all = append(all, s.put(100*seed+i, 1000, usual))
			}
			s.join(14)
			for _, m := range s.members[3+seed : 9+seed] {
				m.wipe()
			}
			s.sweep()
			s.together()
			for _, enc := range all {
				if id, ok := s.twoMade[enc.Score]; ok {
					t.Errorf("seed %d: member %s was given two fragments", seed, id)
				}
				if n, _ := s.present(enc); n <= usual.Threshold() {
					t.Errorf("seed %d: %d fragments of %s", seed, n, enc.Score.Short())
				}
			}
		})
	}
}

// What two surveys say counts only if none between them says otherwise.
func TestConfirmationsBeginAnew(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 60)
		enc := s.put(1, 1000, usual)
		stray := s.byID[s.table().Holders(dhash.KeyOf(enc.Score), usual, 3)[22].ID]
		f := enc.Fragment(4)
		stray.keep(cl, &f, enc.Coding)
		list := s.holders(enc)
		list = slices.DeleteFunc(list, func(m *member) bool { return m == stray })
		s.sweep(stray)
		s.now(stray)
		time.Sleep(6*time.Hour - 3*time.Minute)
		for _, m := range list[4:14] { // the keeper of fragment 4, and others: the block is short, and another one's to mend
			m.dead = true
		}
		time.Sleep(3 * time.Minute)
		s.now(stray)
		if len(stray.holds(enc.Coding)) != 1 {
			t.Fatal("trimmed while the other holder is silent")
		}
		for _, m := range list[4:14] {
			m.dead = false
		}
		time.Sleep(3 * time.Hour) // until it would have been its turn to mend
		s.now(stray)
		if len(stray.holds(enc.Coding)) != 1 || stray.rep.Stats().Queued != 1 {
			t.Fatal("trimmed after one survey")
		}
		time.Sleep(6 * time.Hour)
		s.now(stray)
		if len(stray.holds(enc.Coding)) != 0 {
			t.Error("not trimmed")
		}
	})
}

// A block that is short and has strays.
func TestMendingBesideStrays(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 25)
		all := s.putAll(10, 1000, usual)
		s.join(12)
		for _, m := range s.members[3:8] {
			m.wipe()
		}
		s.rounds(8, 6*time.Hour)
		for _, enc := range all {
			n, total := s.present(enc)
			if n <= usual.Threshold() || n != total {
				t.Errorf("%d different, %d in all", n, total)
			}
			if _, ok := s.twoMade[enc.Score]; ok {
				t.Error("a member was given two fragments")
			}
			for _, m := range s.holders(enc) {
				if !s.table().Responsible(m.id, dhash.KeyOf(enc.Score), usual, placement.Slack) {
					t.Errorf("member %s is too far away to hold a fragment", m.id.Short())
				}
			}
		}
	})
}

func TestClaimsOfAllOwnersAreCopied(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		enc := s.put(1, 1000, usual)
		var many []dhash.Claim
		for i := range byte(20) {
			many = append(many, dhash.Claim{Owner: dhash.Owner{100 + i}, Mark: [16]byte{i + 1}})
		}
		for _, m := range s.holders(enc) {
			f := enc.Fragment(m.holds(enc.Coding)[0])
			m.keep(many, &f, enc.Coding)
		}
		lost := s.lose(enc, 6, wipe)
		s.sweep()
		s.now()
		s.full(enc, 20)
		for _, m := range lost {
			for _, k := range m.held {
				if len(k.claims) != 21 {
					t.Errorf("%d claims, want 21", len(k.claims))
				}
			}
		}
	})
}

// A member that holds nothing of a block does nothing about it: it does not know who claims it.
func TestOnlyHoldersRepair(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		enc := s.put(1, 1000, usual)
		s.lose(enc, 6, wipe)
		for _, m := range s.members {
			if len(m.holds(enc.Coding)) == 0 {
				m.rep.Add([]repair.Candidate{{Score: enc.Score, Coding: enc.Coding, Code: usual, Present: 14},
					{Score: venti.Score{1}, Code: dhash.Code{Need: 9, Total: 4}}})
				s.now(m)
				if st := m.rep.Stats(); st.Queued != 0 {
					t.Errorf("%d queued", st.Queued)
				}
			}
		}
		if s.copies != 0 {
			t.Errorf("%d copies", s.copies)
		}
	})
}
