package sweep_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/placement"
	"ventidhash/dhash/sweep"
)

func TestSweepOfAWholeSwarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // members have no time to wait for each other
		w := newSwarm(t, random(1), 24, 600)
		for _, o := range w.members {
			r := w.check(o)
			for _, n := range r.Neighbours {
				if n.Rounds != 1 || n.Sent+n.Received > 60 || n.Lacks != 0 || n.Extra != 0 {
					t.Fatalf("nothing is missing, and yet %+v", n)
				}
			}
			if r.Missing() != 0 || r.Strays != 0 {
				t.Fatalf("%+v", r)
			}
		}
	})
}

func TestSweepCountsWhatIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // members have no time to wait for each other
		for seed := range uint64(5) {
			r := random(seed)
			w := newSwarm(t, r, 24+r.IntN(37), 200+r.IntN(500))
			for _, o := range w.members {
				switch r.IntN(10) {
				case 0: // wiped
					o.shelf.drop(func(fragstore.Held) bool { return true })
				case 1:
					o.shelf.drop(func(fragstore.Held) bool { return r.IntN(4) == 0 })
				case 2: // part of a disk
					o.shelf.drop(func(h fragstore.Held) bool { k := dhash.KeyOf(h.Score); return k[0] < 60 })
				case 3:
					o.live = sweep.Absent
				case 4:
					o.live = sweep.Gone
				case 5:
					o.failing = true
				case 6: // trash is not there
					for i := range o.shelf.held {
						if r.IntN(3) == 0 {
							o.shelf.held[i].Claims = nil
						}
					}
				case 7: // its roster is not that of the others
					o.table = placement.New(append(w.roster[:1:1], w.roster[3:]...))
				}
			}
			w.members[0].table = placement.New(w.roster[:len(w.roster)-1])
			for _, o := range w.members {
				w.check(o)
			}
		}
	})
}

// A member that joins makes others strays, and has nothing yet.
func TestSweepAfterAJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // members have no time to wait for each other
		r := random(5)
		w := newSwarm(t, r, 30, 400)
		last := w.members[29]
		before := placement.New(w.roster[:29])
		for _, o := range w.members {
			o.shelf.drop(func(fragstore.Held) bool { return true })
		}
		blocks := w.blocks
		w.blocks = nil
		for _, b := range blocks {
			w.store(before, b.Code, b.Score, b.Coding)
		}
		if len(last.shelf.held) != 0 {
			t.Fatal("the new member holds something")
		}
		strays := int64(0)
		for _, o := range w.members {
			strays += w.check(o).Strays
		}
		if strays == 0 {
			t.Fatal("no strays")
		}
	})
}

// Several codings of a block, and several fragments of one, are told apart.
func TestSweepOfManyCodings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // members have no time to wait for each other
		r := random(9)
		w := newSwarm(t, r, 24, 50)
		for n := range 100 {
			w.store(w.members[0].table, dhash.Code{Need: 1 + n%8, Total: 20}, scoreOf(uint64(n%3)),
				dhash.Coding{byte(r.Uint32()), byte(n), 3: 1})
		}
		o := w.members[3]
		for _, h := range o.shelf.held[:20:20] {
			h.Index = (h.Index + 1) % h.Code.Total
			o.shelf.add(h)
		}
		w.members[5].shelf.drop(func(h fragstore.Held) bool { return h.Coding[1]%3 == 1 })
		for _, m := range w.members {
			w.check(m)
		}
	})
}

func TestSweepDiskFails(t *testing.T) {
	w := newSwarm(t, random(1), 5, 5)
	o := w.members[0]
	o.shelf.err = errors.New("bad disk")
	s := w.sweeper(o, func([]sweep.Item) { t.Error("found something") })
	if _, err := s.Now(t.Context(), nil); !errors.Is(err, o.shelf.err) {
		t.Fatal(err)
	}
	// Another member's bad disk is that member's absence.
	for _, o := range w.members[1:] {
		o.responder = nil
	}
	o.shelf.err = nil
	r, err := sweep.NewResponder(sweep.ResponderConfig{Self: w.members[1].id, Store: &shelf{err: errors.New("bad")},
		Table: func() *placement.Table { return o.table }})
	if err != nil {
		t.Fatal(err)
	}
	w.members[1].responder = r
	for _, o := range w.members[2:] {
		o.live = sweep.Absent
	}
	w.members[1].failing = true // for the truth
	report := w.check(o)
	if n := report.Neighbours[w.members[1].id]; n.Failed != 1 {
		t.Fatalf("%+v", n)
	}
}
