package sweep_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/sweep"
)

// again lets o sweep with the same sweeper, small regions, and compares what it finds with the truth.
func (w *swarm) again(o *one, s *sweep.Sweeper, found *[]sweep.Item) sweep.Report {
	w.t.Helper()
	*found = nil
	report, err := s.Now(w.t.Context(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	want, _ := w.truth(o)
	for _, i := range *found {
		if want[what{i.Score, i.Coding}] != i {
			w.t.Fatalf("found %+v\ntruth %+v", i, want[what{i.Score, i.Coding}])
		}
	}
	if len(*found) != len(want) {
		w.t.Fatalf("%d found of %d", len(*found), len(want))
	}
	w.extras(o, report)
	return report
}

// extras checks how much more the others are said to hold of what o is expected to hold.
func (w *swarm) extras(o *one, report sweep.Report) {
	w.t.Helper()
	mine := map[what]bool{}
	for _, h := range o.shelf.held {
		mine[what{h.Score, h.Coding}] = true
	}
	for _, m := range w.members {
		n := report.Neighbours[m.id]
		if m == o || n.Failed > 0 || n.Compared == 0 {
			continue
		}
		extra := int64(0)
		for _, h := range m.shelf.held {
			key := dhash.KeyOf(h.Score)
			both := o.table.Responsible(o.id, key, h.Code, 0) && o.table.Responsible(m.id, key, h.Code, 0)
			if both && !mine[what{h.Score, h.Coding}] {
				extra++
			}
		}
		if n.Extra != extra {
			w.t.Fatalf("%d extra, not %d", n.Extra, extra)
		}
	}
}

func (w *swarm) small2(o *one, found *[]sweep.Item) *sweep.Sweeper {
	w.t.Helper()
	s, err := sweep.New(sweep.Small(w.config(o, func(items []sweep.Item) { *found = append(*found, items...) }), 300))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// What is known to be lacking costs next to nothing in the next round.
func TestSweepRemembersWhatIsLacking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := random(12)
		w := newSwarm(t, r, 24, 1000)
		for _, o := range w.members {
			o.shelf.drop(func(fragstore.Held) bool { return r.IntN(5) == 0 })
		}
		o := w.members[0]
		var found []sweep.Item
		s := w.small2(o, &found)
		first := w.again(o, s, &found)
		for round := range 30 {
			next := w.again(o, s, &found)
			if next.Missing() != first.Missing() {
				t.Fatalf("%d missing, and %d before", next.Missing(), first.Missing())
			}
			a, b := first.Traffic(), next.Traffic()
			if fresh := b.Sent+b.Received > (a.Sent+a.Received)/10; fresh != (round == 28) {
				t.Fatalf("round %d: %+v after %+v", round, b, a)
			}
		}
	})
}

// Whatever is lost, found again and stored between two rounds is seen.
func TestSweepRoundAfterRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := random(13)
		w := newSwarm(t, r, 24, 600)
		o := w.members[0]
		var found []sweep.Item
		s := w.small2(o, &found)
		lost := map[*one][]fragstore.Held{}
		for range 15 {
			for _, m := range w.members {
				m.live, m.failing = sweep.Live, m != o && r.IntN(12) == 0
				if m != o && r.IntN(12) == 0 {
					m.live = sweep.Absent
				}
				part := r.IntN(1 + r.IntN(200))
				if m == o {
					part = 50
				}
				switch r.IntN(6) {
				case 0: // loses some
					m.shelf.drop(func(h fragstore.Held) bool {
						gone := r.IntN(1+part) == 0
						if gone {
							lost[m] = append(lost[m], h)
						}
						return gone
					})
				case 1: // gets some back
					for len(lost[m]) > 0 && rand.IntN(1+part) > 0 {
						m.shelf.add(lost[m][0])
						lost[m] = lost[m][1:]
					}
				}
			}
			for range r.IntN(100) {
				w.store(o.table, w.blocks[0].Code, scoreOf(r.Uint64()), w.blocks[0].Coding)
			}
			w.again(o, s, &found)
		}
	})
}

// What is left out of the fingerprints is still asked about by name where they differ.
func TestSessionWithWhatIsKnown(t *testing.T) {
	for seed := range uint64(100) {
		r := random(seed)
		all := pile(r, 1+r.IntN(5000))
		mine := listOf(without(all, func(int) bool { return r.IntN(20) == 0 }))
		has := map[sweep.Point]bool{}
		theirs := without(all, func(int) bool { return r.IntN(3) == 0 })
		for _, p := range theirs {
			has[p] = true
		}
		// Nearly all that they lack is known, and some that they do not lack is taken for known.
		known := func(i int) bool { return (r.IntN(100) > 0) != has[mine.At(i)] }
		s := sweep.NewSession(sweep.NewAskingSet(saltOf(seed), 0, math.MaxUint64, mine, known))
		other := sweep.NewSet(saltOf(seed), 0, math.MaxUint64, listOf(theirs), nil)
		for m := s.Next(); m != nil; m = s.Next() {
			answer, err := sweep.Respond(other, m)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Take(answer); err != nil {
				t.Fatal(err)
			}
		}
		common := 0
		for i := range mine.Len() {
			if s.Lacks(i) == has[mine.At(i)] {
				t.Fatalf("seed %d: point %d lacks %v", seed, i, s.Lacks(i))
			}
			if has[mine.At(i)] {
				common++
			}
		}
		if extra := len(theirs) - common; s.Extra() != uint64(extra) {
			t.Fatalf("%d extra, not %d", s.Extra(), extra)
		}
	}
}
