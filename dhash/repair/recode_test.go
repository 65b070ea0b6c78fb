package repair_test

import (
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/venti"
)

// readable fails the test if any block is not.
func (s *swarm) readable(when string) {
	s.t.Helper()
	for score := range s.blocks {
		if err := s.read(score); err != nil {
			s.t.Fatalf("%s: block %s: %v", when, score.Short(), err)
		}
	}
}

// codings returns what codes the claimed fragments of a block have, and how many different ones there are of each.
func (s *swarm) codings(enc *codec.Encoded) map[dhash.Code]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := map[dhash.Code]map[int]bool{}
	for _, m := range s.members {
		for n, k := range m.held {
			if n.Score == enc.Score && len(k.claims) > 0 && !m.dead {
				if seen[k.code] == nil {
					seen[k.code] = map[int]bool{}
				}
				seen[k.code][n.Index] = true
			}
		}
	}
	out := map[dhash.Code]int{}
	for c, set := range seen {
		out[c] = len(set)
	}
	return out
}

// modest is the policy by which blocks were stored that are not safe enough any more.
var modest = codec.Policy{Nines: 4}

// TestGoodEnoughIsLeftAlone: a block that is as safe as the policy wants, with another code, is not coded anew.
func TestGoodEnoughIsLeftAlone(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 0)
		s.policy = &codec.Policy{}
		s.join(10)
		enc := s.put(1, 500, s.policy.Code(10, false))
		s.join(10)
		s.rounds(3, 7*time.Hour)
		if st := s.total(); st.Recoded != 0 {
			t.Errorf("%s was coded anew in a swarm of 20", enc.Code)
		}
	})
}

func TestGrownSwarmCodesAnew(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 0)
		s.policy = &codec.Policy{}
		s.join(10)
		ordinary, vital := modest.Code(10, false), s.policy.Code(10, true)
		var all []*codec.Encoded
		for i := range 8 {
			c := ordinary
			if i%2 == 0 {
				c = vital
			}
			all = append(all, s.put(uint64(i), 1500, c))
		}
		s.join(10)
		s.onCopy = func(*member) { s.readable("before a copy") }
		for range 5 {
			s.sweep()
			for _, m := range s.members {
				s.now(m)
				s.readable("after " + string(m.id))
				for _, enc := range all { // never less than a whole coding, of the old or of the new code
					got := s.codings(enc)
					if c := s.policy.Code(20, enc.Code == vital); got[enc.Code] < enc.Code.Total && got[c] < c.Threshold() {
						t.Fatalf("block %s has only %v", enc.Score.Short(), got)
					}
				}
			}
			time.Sleep(6*time.Hour + time.Minute)
		}
		for _, enc := range all {
			want := s.policy.Code(20, enc.Code == vital)
			if got := s.codings(enc); len(got) != 1 || got[want] != want.Total {
				t.Errorf("block %s was %s and has %v now, want all of %s", enc.Score.Short(), enc.Code, got, want)
			}
		}
		if st := s.total(); st.Recoded != 8 || st.Queued != 0 {
			t.Errorf("%d coded anew, want 8 once; %d queued", st.Recoded, st.Queued)
		}
	})
}

func TestVitalBlocksAreCodedAnewFirst(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 0)
		s.policy = &codec.Policy{}
		s.join(10)
		ordinary, vital := modest.Code(10, false), s.policy.Code(10, true)
		var all []*codec.Encoded
		for i := range 40 {
			c := ordinary
			if i%4 == 0 {
				c = vital
			}
			all = append(all, s.put(uint64(i), 500, c))
		}
		s.join(10)
		m := busiest(s, all)
		s.sweep(m)
		s.now(m)
		isVital := map[venti.Score]bool{}
		for _, enc := range all {
			isVital[enc.Score] = enc.Code == vital
		}
		var order []bool // of the blocks, as they were begun
		seen := map[venti.Score]bool{}
		for _, score := range s.order {
			if !seen[score] {
				seen[score] = true
				order = append(order, isVital[score])
			}
		}
		first := slices.Index(order, false)
		if first <= 0 {
			t.Fatalf("vital blocks: %v: this proves nothing", order)
		}
		for _, late := range order[min(first+3, len(order)):] { // some are worked at at the same time
			if late {
				t.Errorf("vital blocks: %v, want them first", order)
			}
		}
	})
}

// Somebody plants a coding of the wanted code that is not one of the block. Nobody gives up anything for it.
func TestJunkDoesNotReplaceACoding(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 0)
		s.policy = &codec.Policy{}
		s.join(10)
		old := modest.Code(10, false)
		enc := s.put(1, 1500, old)
		s.join(10)
		want := s.policy.Code(20, false)
		junk := s.junkCoding(enc.Score, want)
		s.store(junk)
		honest, err := s.codec.Encode(enc.Score, s.blocks[enc.Score], want)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 {
			s.sweep()
			s.now()
			s.readable("later")
			if left, _ := s.present(enc); left < old.Total {
				if n, _ := s.present(honest); n < want.Threshold() {
					t.Fatalf("%d of the old coding are left, and %d of the honest new one are there", left, n)
				}
			}
			time.Sleep(7 * time.Hour)
		}
		if n, _ := s.present(honest); n != want.Total {
			t.Errorf("%d fragments of the honest new coding, want all", n)
		}
	})
}

// A coding that is not one of its block is not repaired.
func TestJunkIsNotSpread(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		enc := s.put(1, 1500, usual)
		junk := s.junkCoding(enc.Score, usual)
		s.store(junk)
		lost := s.lose(enc, 6, wipe)
		s.sweep()
		s.now()
		s.full(enc, 20)
		if n, _ := s.present(junk); n != 14 {
			t.Errorf("%d fragments of junk, want the 14 that were left", n)
		}
		junkAt := 0
		for _, m := range lost {
			junkAt += len(m.holds(junk.Coding))
		}
		if junkAt != 0 {
			t.Error("junk was spread")
		}
		gets := s.gets
		first := s.holders(junk)[0]
		if st := first.rep.Stats(); st.Junk != 1 || st.Irreparable != 0 {
			t.Errorf("%+v", st)
		}
		for range 4 { // what is known to be junk is read no more, and given up where the honest coding is whole
			time.Sleep(7 * time.Hour)
			s.now(first)
		}
		if len(first.holds(junk.Coding)) != 0 || len(first.holds(enc.Coding)) != 1 {
			t.Error("the junk is kept, or the honest fragment is not")
		}
		if s.gets > gets+8 {
			t.Errorf("%d more reads", s.gets-gets)
		}
		s.readable("in the end")
	})
}

// Of a coding so few fragments are left that nothing can be made of them, but there is another one.
func TestRestOfACodingGoes(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		rest := s.put(1, 1500, dhash.Code{Need: 10, Total: 20})
		for _, m := range s.holders(rest)[5:] {
			m.wipe()
		}
		enc, err := s.codec.Encode(rest.Score, s.blocks[rest.Score], usual)
		if err != nil {
			t.Fatal(err)
		}
		s.store(enc)
		s.rounds(3, 7*time.Hour)
		if n, _ := s.present(rest); n != 0 {
			t.Errorf("%d fragments of the old coding are kept", n)
		}
		if st := s.total(); st.Irreparable != 0 {
			t.Errorf("%d alarms", st.Irreparable)
		}
		s.full(enc, 20)
	})
}
