package sweep_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/placement"
	"ventidhash/dhash/sweep"
	"ventidhash/venti"
)

// shelf is a sweep.Store in memory.
type shelf struct {
	mu    sync.Mutex
	held  []fragstore.Held
	keys  []dhash.Key
	err   error
	walks int
}

func (s *shelf) add(h fragstore.Held) {
	key := dhash.KeyOf(h.Score)
	i, _ := slices.BinarySearchFunc(s.keys, key, func(a, b dhash.Key) int { return bytes.Compare(a[:], b[:]) })
	s.keys = slices.Insert(s.keys, i, key)
	s.held = slices.Insert(s.held, i, h)
}

// drop removes what gone names.
func (s *shelf) drop(gone func(fragstore.Held) bool) {
	held := s.held
	s.held, s.keys = nil, nil
	for _, h := range held {
		if !gone(h) {
			s.held = append(s.held, h)
			s.keys = append(s.keys, dhash.KeyOf(h.Score))
		}
	}
}

func (s *shelf) Walk(ctx context.Context, from, to dhash.Key, fn func(fragstore.Held) error) error {
	s.mu.Lock()
	s.walks++
	err := s.err
	s.mu.Unlock()
	if err != nil {
		return err
	}
	for i, key := range s.keys {
		if bytes.Compare(key[:], from[:]) < 0 || bytes.Compare(key[:], to[:]) > 0 {
			continue
		}
		if err := fn(s.held[i]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

var errSilent = errors.New("no answer")

// one is a member of a swarm in memory.
type one struct {
	id        dhash.ID
	shelf     *shelf
	table     *placement.Table
	responder *sweep.Responder
	live      sweep.Liveness // as all others see it
	failing   bool           // it is taken for live, and does not answer
}

// swarm is a swarm in memory; links are function calls.
type swarm struct {
	t       *testing.T
	members []*one
	byID    map[dhash.ID]*one
	roster  []placement.Member
	blocks  []fragstore.Held // what was stored, index 0
}

func scoreOf(n uint64) (s venti.Score) {
	binary.BigEndian.PutUint64(s[:], n)
	return venti.Sum(s[:])
}

// newSwarm returns a swarm whose members hold all fragments of as many blocks, of several codes.
func newSwarm(t *testing.T, r *rand.Rand, members, blocks int) *swarm {
	t.Helper()
	w := &swarm{t: t, byID: map[dhash.ID]*one{}}
	for i := range members {
		id := dhash.ID(fmt.Sprintf("member %d %d", i, r.Uint64()))
		domain := fmt.Sprintf("s%d/h%d", r.IntN(1+members/3), i)
		w.roster = append(w.roster, placement.Member{ID: id, Key: id.Key(), Domain: domain})
	}
	table := placement.New(w.roster)
	for _, m := range w.roster {
		o := &one{id: m.ID, shelf: new(shelf), table: table}
		var err error
		o.responder, err = sweep.NewResponder(sweep.ResponderConfig{Self: o.id, Store: o.shelf,
			Table: func() *placement.Table { return o.table }})
		if err != nil {
			t.Fatal(err)
		}
		w.members = append(w.members, o)
		w.byID[o.id] = o
	}
	codes := []dhash.Code{{Need: 8, Total: 20}, {Need: 4, Total: 20}, {Need: 3, Total: 10}}
	for range blocks {
		w.store(table, codes[r.IntN(len(codes))], scoreOf(r.Uint64()), dhash.Coding(venti.Sum([]byte{byte(r.Uint32())})))
	}
	return w
}

// store places a block.
func (w *swarm) store(t *placement.Table, c dhash.Code, s venti.Score, coding dhash.Coding) {
	h := fragstore.Held{Name: fragstore.Name{Score: s, Coding: coding}, Code: c, Length: 1000, Claims: make([]dhash.Claim, 1)}
	w.blocks = append(w.blocks, h)
	for _, p := range t.Place(dhash.KeyOf(s), c) {
		h.Index = p.Index
		w.byID[p.Member.ID].shelf.add(h)
	}
}

func (w *swarm) reconcile(self dhash.ID) func(context.Context, dhash.ID, []byte) ([]byte, error) {
	return func(ctx context.Context, id dhash.ID, m []byte) ([]byte, error) {
		if o := w.byID[id]; o != nil && !o.failing && o.live == sweep.Live {
			return o.responder.Answer(ctx, self, m)
		}
		return nil, errSilent
	}
}

// config returns what o sweeps with; found takes its items.
func (w *swarm) config(o *one, found func([]sweep.Item)) sweep.Config {
	return sweep.Config{Self: o.id, Store: o.shelf, Reconcile: w.reconcile(o.id),
		Table: func() *placement.Table { return o.table },
		Live:  func(id dhash.ID) sweep.Liveness { return w.byID[id].live },
		Found: func(_ context.Context, items []sweep.Item) { found(items) },
		Weak:  func(c dhash.Code) bool { return c.Total == 10 }}
}

func (w *swarm) sweeper(o *one, found func([]sweep.Item)) *sweep.Sweeper {
	w.t.Helper()
	s, err := sweep.New(w.config(o, found))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// what names a coding of a block.
type what struct {
	score  venti.Score
	coding dhash.Coding
}

// truth counts what o should find, from what all members really hold.
func (w *swarm) truth(o *one) (items map[what]sweep.Item, held int) {
	holders := map[what]map[dhash.ID]bool{}
	mine := map[what]fragstore.Held{}
	for _, m := range w.members {
		for _, h := range m.shelf.held {
			if len(h.Claims) == 0 {
				continue
			}
			name := what{h.Score, h.Coding}
			if holders[name] == nil {
				holders[name] = map[dhash.ID]bool{}
			}
			holders[name][m.id] = true
			if m == o {
				mine[name] = h
			}
		}
	}
	items = map[what]sweep.Item{}
	for name, h := range mine {
		i := sweep.Item{Score: h.Score, Coding: h.Coding, Code: h.Code, Length: h.Length, Present: 1,
			Stray: true, Weak: h.Code.Total == 10}
		before := 0
		var rest sweep.Item
		for _, m := range o.table.Holders(dhash.KeyOf(h.Score), h.Code, 0) {
			other := w.byID[m.ID]
			switch {
			case other == o:
				i.Stray, i.Rank = false, before
			case other.live == sweep.Absent || other.live == sweep.Live && other.failing:
				rest.Absent++
			case other.live == sweep.Live && holders[name][m.ID]:
				rest.Present++
				before++
			}
		}
		if !i.Stray {
			i.Present, i.Absent = 1+rest.Present, rest.Absent
		}
		urgent := min(h.Code.Need+3, h.Code.Threshold()-1)
		if i.Stray || i.Weak || i.Present+i.Absent < i.Code.Total || i.Present <= urgent {
			items[name] = i
		}
	}
	return items, len(mine)
}

// check lets o sweep and compares what it finds with the truth.
func (w *swarm) check(o *one) sweep.Report {
	w.t.Helper()
	var found []sweep.Item
	report, err := w.sweeper(o, func(items []sweep.Item) { found = append(found, items...) }).Now(w.t.Context(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	want, held := w.truth(o)
	if int(report.Items) != held {
		w.t.Fatalf("%d items swept, %d are held", report.Items, held)
	}
	seen := map[what]bool{}
	for n, i := range found {
		name := what{i.Score, i.Coding}
		if seen[name] {
			w.t.Fatalf("%v twice", i)
		}
		seen[name] = true
		if truth, ok := want[name]; !ok || truth != i {
			w.t.Fatalf("found %+v\ntruth %+v", i, truth)
		}
		if n > 0 && !i.Stray && (found[n-1].Stray || i.Present-i.Code.Need < found[n-1].Present-found[n-1].Code.Need) {
			w.t.Fatal("not the nearest to loss first")
		}
	}
	if len(found) != len(want) {
		w.t.Fatalf("%d items found of %d", len(found), len(want))
	}
	w.sums(report, found)
	return report
}

// sums checks a report against the items found.
func (w *swarm) sums(report sweep.Report, found []sweep.Item) {
	w.t.Helper()
	short, strays, weak := map[int]int64{}, int64(0), int64(0)
	for _, i := range found {
		switch {
		case i.Stray:
			strays++
		case i.Present+i.Absent < i.Code.Total || i.Present <= min(i.Code.Need+3, i.Code.Threshold()-1):
			short[i.Present-i.Code.Need]++
		}
		if i.Weak {
			weak++
		}
	}
	if report.Strays != strays || report.Weak != weak || len(short) != len(report.Short) {
		w.t.Fatalf("report %+v, found %d strays, %d weak, %v short", report, strays, weak, short)
	}
	for margin, n := range short {
		if report.Short[margin] != n {
			w.t.Fatalf("%d short at %d, not %d", report.Short[margin], margin, n)
		}
	}
}
