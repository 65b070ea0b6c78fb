package repair_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ventidhash/dhash/codec"
)

func TestFullMembersAreStoodInFor(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 40)
		enc := s.put(1, 2000, usual)
		lost := s.lose(enc, 6, wipe)
		lost[0].full, lost[1].refuse, lost[2].refuse = true, true, true
		s.sweep()
		s.now()
		s.full(enc, 20)
		for _, m := range lost[:3] {
			if len(m.held) > 0 {
				t.Error("a full member holds something")
			}
		}
	})
}

func TestNobodyHasRoom(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 20)
		enc := s.put(1, 2000, usual)
		lost := s.lose(enc, 6, func(m *member) { m.wipe(); m.full = true })
		s.sweep()
		s.now()
		if st := s.total(); st.Failed != 1 || st.LastError == nil {
			t.Fatalf("%+v", st)
		}
		for _, m := range lost {
			m.full = false
		}
		time.Sleep(2 * time.Minute)
		s.now()
		s.full(enc, 20)
	})
}

func TestDomainsAreKept(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 60)
		for i, m := range s.members { // six sites of ten hosts
			m.domain = fmt.Sprintf("site%d/host%d", i%6, i)
		}
		for seed := range uint64(20) {
			enc := s.put(seed, 500, usual)
			for _, m := range s.holders(enc)[1:9] {
				for n := range m.held {
					if n.Score == enc.Score {
						delete(m.held, n)
					}
				}
			}
			s.sweep()
			s.now()
			s.full(enc, 20)
			sites := map[int]int{}
			for _, m := range s.holders(enc) {
				sites[slices.Index(s.members, m)%6]++
			}
			for site, n := range sites {
				if n > usual.DomainLimit() {
					t.Errorf("site %d has %d fragments", site, n)
				}
			}
		}
	})
}

// The members that are nearest now are in the site that holds its share already, at members farther away.
func TestDomainsOfThoseThatHoldCount(t *testing.T) {
	within(t, func(t *testing.T) {
		for seed := range uint64(10) {
			s := newSwarm(t, 36)
			enc := s.put(seed, 500, usual)
			for i, m := range s.holders(enc) {
				if i < usual.DomainLimit() {
					m.domain = fmt.Sprintf("here/host%d", i)
				} else if i >= 14 {
					m.wipe()
				}
			}
			s.join(8)
			for i, m := range s.members[36:] {
				m.domain = fmt.Sprintf("here/other%d", i)
			}
			s.sweep()
			s.now(s.holders(enc)[0])
			here := 0
			for _, m := range s.holders(enc) {
				if strings.HasPrefix(m.domain, "here/") {
					here++
				}
			}
			if n, _ := s.present(enc); n < usual.Threshold() || here > usual.DomainLimit() {
				t.Errorf("seed %d: %d fragments, %d of them in one site", seed, n, here)
			}
		}
	})
}

func TestNeverMoreThanFifteenRequests(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 60)
		for i := range 100 {
			s.put(uint64(i), 300, usual)
		}
		for _, m := range s.members[:15] {
			leave(m)
		}
		s.sweep()
		for _, m := range s.members[15:] {
			s.most = 0
			s.now(m)
			if s.most > 15 {
				t.Fatalf("%d requests at once", s.most)
			}
		}
	})
}

func TestRandomLossesAreRepaired(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 45)
		var all []*codec.Encoded
		for i := range 15 {
			c := usual
			if i%3 == 0 {
				c.Need = 4
			}
			all = append(all, s.put(uint64(i), 100+i*50, c))
		}
		for round := range 6 {
			m := s.members[round*7%45]
			if round%2 == 0 {
				m.wipe()
			} else {
				leave(m)
			}
			s.rounds(4, 6*time.Hour)
			for _, enc := range all {
				n, total := s.present(enc)
				if n <= enc.Code.Threshold() || total > 20 {
					t.Errorf("round %d, block %s: %d different, %d in all", round, enc.Score.Short(), n, total)
				}
				if id, ok := s.twoMade[enc.Score]; ok {
					t.Errorf("round %d: member %s was given two fragments of %s", round, id, enc.Score.Short())
				}
			}
		}
	})
}
