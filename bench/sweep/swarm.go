package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/placement"
	"ventidhash/dhash/sweep"
	"ventidhash/venti"
)

const maxMembers = 64

// blocks are those of a whole swarm, in the order of positions, with who holds each.
type blocks struct {
	keys    []dhash.Key
	scores  []venti.Score
	codings []dhash.Coding
	holders []uint64 // a bit for each member, of maxMembers
	claims  []dhash.Claim
}

// shelf is what one member holds of them.
type shelf struct {
	*blocks
	member int
}

var code = dhash.Code{Need: 8, Total: 20}

// Walk implements sweep.Store.
func (s *shelf) Walk(ctx context.Context, from, to dhash.Key, fn func(fragstore.Held) error) error {
	first, _ := slices.BinarySearchFunc(s.keys, from, func(a, b dhash.Key) int { return bytes.Compare(a[:], b[:]) })
	for i := first; i < len(s.keys) && bytes.Compare(s.keys[i][:], to[:]) <= 0; i++ {
		if s.holders[i]>>s.member&1 == 0 {
			continue
		}
		name := fragstore.Name{Score: s.scores[i], Coding: s.codings[i]}
		if err := fn(fragstore.Held{Name: name, Code: code, Length: 1 << 20, Claims: s.claims}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func score(i int) venti.Score {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(i))
	return venti.Sum(b[:])
}

// newBlocks returns so many blocks, placed on the members of a table.
func newBlocks(t *placement.Table, number map[dhash.ID]int, n int) *blocks {
	b := &blocks{keys: make([]dhash.Key, n), scores: make([]venti.Score, n), codings: make([]dhash.Coding, n),
		holders: make([]uint64, n), claims: make([]dhash.Claim, 1)}
	order := make([]int, n)
	keys := make([]dhash.Key, n)
	for i := range order {
		order[i], keys[i] = i, dhash.KeyOf(score(i))
	}
	slices.SortFunc(order, func(x, y int) int { return bytes.Compare(keys[x][:], keys[y][:]) })
	for at, i := range order {
		b.keys[at], b.scores[at], b.codings[at] = keys[i], score(i), dhash.Coding(score(i))
		for _, m := range t.Holders(keys[i], code, 0) {
			b.holders[at] |= 1 << number[m.ID]
		}
	}
	return b
}

// processor returns the processor time that this process has used.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// whole lets one member of a swarm sweep all that it holds, the others answering in this process. In an interval each
// member sweeps once and answers each of the others once, which is as much work as what is measured here. walk is what
// a row of a real store costs beyond what it costs here.
func whole(ctx context.Context, t *table, members, points int, walk time.Duration) error {
	if members > 64 {
		return fmt.Errorf("at most 64 members, not %d", members)
	}
	var roster []placement.Member
	number := map[dhash.ID]int{}
	for i := range members {
		id := dhash.ID(fmt.Sprint("member ", i))
		number[id] = i
		roster = append(roster, placement.Member{ID: id, Key: id.Key(), Domain: fmt.Sprintf("site%d/host%d", i%6, i)})
	}
	seats := placement.New(roster)
	all := newBlocks(seats, number, points*members/min(members, code.Total))
	table := func() *placement.Table { return seats }
	responders := map[dhash.ID]*sweep.Responder{}
	for i, m := range roster {
		r, err := sweep.NewResponder(sweep.ResponderConfig{Self: m.ID, Store: &shelf{all, i}, Table: table})
		if err != nil {
			return err
		}
		responders[m.ID] = r
	}
	self := roster[0].ID
	cfg := sweep.Config{Self: self, Store: &shelf{all, 0}, Table: table,
		Live:  func(dhash.ID) sweep.Liveness { return sweep.Live },
		Found: func(context.Context, []sweep.Item) {},
		Reconcile: func(ctx context.Context, id dhash.ID, m []byte) ([]byte, error) {
			return responders[id].Answer(ctx, self, m)
		}}
	sweeper, err := sweep.New(cfg)
	if err != nil {
		return err
	}
	fmt.Printf("one of %d members sweeps; code %s\n", members, code)
	idle := heap()
	for _, c := range []struct {
		name string
		lose func()
		once bool // it is new to the sweep, and costs what it costs
	}{
		{"nothing lost", func() {}, false},
		{"one neighbour wiped", func() { all.lose(1, 1) }, false},
		{"one round later", func() {}, false},
		{"1 in 1,000 lost by all, all over", func() {
			for m := range members {
				all.lose(m, 1000)
			}
		}, true},
		{"one round later", func() {}, false},
		{"1 in 10 lost by all, all over", func() {
			for m := range members {
				all.lose(m, 10)
			}
		}, true},
		{"one round later", func() {}, false},
		{"a member gone, others expected instead", func() { seats = placement.New(roster[:members-1]) }, true},
		{"one round later", func() {}, false},
	} {
		c.lose()
		before := processor()
		report, err := sweeper.Now(ctx, nil)
		if err != nil {
			return err
		}
		used := processor() - before
		used += time.Duration(report.Items) * walk * time.Duration(members+2)
		cost := report.Traffic()
		rate := float64(2*(cost.Sent+cost.Received)) / interval.Seconds() // asked and answering
		measured := fmt.Sprintf("%d + %d bytes, %d rounds; %.1f B/s", cost.Sent, cost.Received, cost.Rounds, rate)
		t.row(c.name, measured, rate < byteRate || c.once, fmt.Sprintf("< %d B/s, but for the first time", byteRate))
		share := used.Seconds() / interval.Seconds()
		t.row(fmt.Sprintf("  %d items, %d short", report.Items, report.Missing()),
			fmt.Sprintf("%.1f s of a processor, %.3f %%; %.1f s in all", used.Seconds(), 100*share, report.Took.Seconds()),
			share < cpuShare,
			fmt.Sprintf("< %.0f %%", 100*cpuShare))
	}
	responders = nil
	t.note("what it remembers in the end", fmt.Sprintf("%.1f MB", float64(heap()-idle)/1e6))
	runtime.KeepAlive(sweeper)
	runtime.KeepAlive(all)
	return nil
}

// lose has a member lose one in n of what it holds.
func (b *blocks) lose(member, n int) {
	r := rand.New(rand.NewPCG(uint64(member), uint64(n)))
	for i := range b.holders {
		if r.IntN(n) == 0 {
			b.holders[i] &^= 1 << member
		}
	}
}

// walkCost returns what a row costs that Walk passes over in a real store of so many fragments.
func walkCost(ctx context.Context, dir string, rows int) (each time.Duration, err error) {
	if dir, err = os.MkdirTemp(dir, "vdh-bench-sweep-"); err != nil {
		return 0, err
	}
	defer func() { err = cmp.Or(err, os.RemoveAll(dir)) }()
	st, err := fragstore.Open(ctx, fragstore.Config{Dir: filepath.Join(dir, "store"), Member: "me", Capacity: 1 << 40})
	if err != nil {
		return 0, err
	}
	defer func() { err = cmp.Or(err, st.Close()) }()
	var mu sync.Mutex
	var work sync.WaitGroup
	places := make(chan struct{}, 256) // so that many share a sync
	for i := range rows {
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			f := &dhash.Fragment{Score: score(i), Length: 512, Code: code, Payload: make([]byte, code.PayloadSize(512)),
				Proof: make([]dhash.Hash, dhash.ProofLen(0, code.Total))}
			if e := st.Put(ctx, dhash.Claim{Owner: dhash.Owner{1}}, f, f.Coding()); e != nil {
				mu.Lock()
				err = cmp.Or(err, e)
				mu.Unlock()
			}
		})
	}
	work.Wait()
	if err != nil {
		return 0, err
	}
	n, last := 0, dhash.Key{}
	for i := range last {
		last[i] = 0xff
	}
	before := processor()
	for range 5 {
		err = cmp.Or(err, st.Walk(ctx, dhash.Key{}, last, func(fragstore.Held) error { n++; return nil }))
	}
	each = (processor() - before) / time.Duration(max(1, n))
	fmt.Printf("a row of a real store costs %s to walk over (%d rows)\n", each, rows)
	return each, err
}
