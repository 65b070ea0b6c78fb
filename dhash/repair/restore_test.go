package repair_test

import (
	"errors"
	"slices"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/venti"
)

// TestDamagedFragmentIsMadeAgain: a member that cannot read its own fragment makes it again of the others', with its claims;
// not when another member has it by now, and not when too few are there.
func TestDamagedFragmentIsMadeAgain(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 30)
		enc := s.put(1, 2000, usual)
		m := s.holders(enc)[3]
		h := fragstore.Held{Name: fragstore.Name{Score: enc.Score, Coding: enc.Coding, Index: m.holds(enc.Coding)[0]},
			Code: enc.Code, Length: enc.Length, Claims: cl}
		m.wipe()
		if err := m.rep.Restore(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		s.full(enc, 20)
		if k := m.held[h.Name]; k == nil || !slices.Equal(k.claims, cl) {
			t.Errorf("it is not there with its claims: %+v", k)
		}

		f := enc.Fragment(h.Index)
		i := slices.IndexFunc(s.members, func(m *member) bool { return len(m.held) == 0 })
		s.members[i].keep(nil, &f, enc.Coding) // as trash
		m.wipe()
		if err := m.rep.Restore(t.Context(), h); err != nil || m.held[h.Name] == nil {
			t.Errorf("another one has given it up, and it was not made again: %v", err)
		}

		m.wipe()
		s.members[i].keep(cl, &f, enc.Coding)
		if err := m.rep.Restore(t.Context(), h); err != nil || len(m.held) != 0 {
			t.Errorf("another one has it, and it was made again: %v", err)
		}

		other := s.put(2, 2000, usual)
		lost := s.lose(other, 13, die)
		h.Name = fragstore.Name{Score: other.Score, Coding: other.Coding, Index: lost[0].holds(other.Coding)[0]}
		for _, m := range s.members {
			if err := m.rep.Restore(t.Context(), h); !m.dead && len(m.holds(other.Coding)) == 0 && !errors.Is(err, venti.ErrUnavailable) {
				t.Errorf("of 7 fragments: %v", err)
			}
		}
	})
}

// TestTooFewGoodFragmentsAreUnavailable: that the last member asked sent something bad does not say that the block is.
func TestTooFewGoodFragmentsAreUnavailable(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 30)
		enc := s.put(1, 2000, usual)
		m := s.holders(enc)[3]
		h := fragstore.Held{Name: fragstore.Name{Score: enc.Score, Coding: enc.Coding, Index: m.holds(enc.Coding)[0]},
			Code: enc.Code, Length: enc.Length, Claims: cl}
		m.wipe()
		for _, other := range s.members {
			other.liar = true
		}
		if err := m.rep.Restore(t.Context(), h); !errors.Is(err, venti.ErrUnavailable) || errors.Is(err, dhash.ErrFragment) {
			t.Errorf("all lie: %v", err)
		}
	})
}
