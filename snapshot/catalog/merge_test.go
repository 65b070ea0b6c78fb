package catalog_test

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
)

// randomList makes a list about few snapshots and machines with few stamps, so that lists disagree in all ways.
func randomList(rng *rand.Rand) (l catalog.List) {
	for i := range 12 {
		stamp := 1 + rng.Uint64N(4)
		s := snap(i)
		switch rng.IntN(4) {
		case 0:
			l.Forgotten = append(l.Forgotten, catalog.Forgotten{Stamp: stamp, Score: s.Score, Time: time.Unix(1+rng.Int64N(3), 0).UTC()})
		case 1, 2:
			s.Tags = []string{fmt.Sprint("tag", rng.IntN(2))}
			l.Snapshots = append(l.Snapshots, catalog.Listed{Stamp: stamp, Snapshot: s})
		}
	}
	for i := range 90 {
		if rng.IntN(2) == 0 {
			l.Machines = append(l.Machines, catalog.Setup{Stamp: 1 + rng.Uint64N(4), Machine: snapshot.Machine{
				Host: fmt.Sprintf("host%02d", i), Files: []snapshot.File{{Name: "f", Content: []byte{byte(rng.IntN(2))}}}}})
		}
	}
	slices.SortFunc(l.Machines, func(a, b catalog.Setup) int {
		return cmp.Or(cmp.Compare(b.Stamp, a.Stamp), cmp.Compare(a.Host, b.Host))
	})
	l.Machines = l.Machines[:min(len(l.Machines), snapshot.MaxMachines)]
	return sorted(l)
}

// sorted returns l in the order of the format.
func sorted(l catalog.List) catalog.List {
	l, err := catalog.Decode(catalog.Encode(l))
	if err != nil {
		panic(err)
	}
	return l
}

// slowMerge asks for each score and host all lists for their words, one by one.
func slowMerge(lists ...catalog.List) (out catalog.List) {
	alone := func(l catalog.List) []byte { return catalog.Encode(l) }
	scores, hosts := map[venti.Score]bool{}, map[string]bool{}
	for _, l := range lists {
		for _, s := range l.Snapshots {
			scores[s.Score] = true
		}
		for _, f := range l.Forgotten {
			scores[f.Score] = true
		}
		for _, m := range l.Machines {
			hosts[m.Host] = true
		}
	}
	for score := range scores {
		var top uint64
		var snaps, gone []catalog.List
		for _, l := range lists {
			for _, s := range l.Snapshots {
				if s.Score == score && s.Stamp >= top {
					if s.Stamp > top {
						top, snaps, gone = s.Stamp, nil, nil
					}
					snaps = append(snaps, catalog.List{Snapshots: []catalog.Listed{s}})
				}
			}
			for _, f := range l.Forgotten {
				if f.Score == score && f.Stamp >= top {
					if f.Stamp > top {
						top, snaps, gone = f.Stamp, nil, nil
					}
					gone = append(gone, catalog.List{Forgotten: []catalog.Forgotten{f}})
				}
			}
		}
		if len(snaps) > 0 {
			gone = snaps
		}
		slices.SortFunc(gone, func(a, b catalog.List) int { return bytes.Compare(alone(a), alone(b)) })
		word := gone[len(gone)-1]
		out.Snapshots = append(out.Snapshots, word.Snapshots...)
		out.Forgotten = append(out.Forgotten, word.Forgotten...)
	}
	var machines []catalog.Setup
	for host := range hosts {
		var best *catalog.Setup
		for _, l := range lists {
			for _, m := range l.Machines {
				if m.Host == host && (best == nil || m.Stamp > best.Stamp ||
					m.Stamp == best.Stamp && m.Files[0].Content[0] > best.Files[0].Content[0]) {
					best = &m
				}
			}
		}
		machines = append(machines, *best)
	}
	for len(machines) > snapshot.MaxMachines { // the one with the lowest stamp goes; of these the last by name
		worst := 0
		for i, m := range machines {
			w := machines[worst]
			if m.Stamp < w.Stamp || m.Stamp == w.Stamp && m.Host > w.Host {
				worst = i
			}
		}
		machines = slices.Delete(machines, worst, worst+1)
	}
	out.Machines = machines
	return sorted(out)
}

func TestMergeLaws(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		a, b, c := randomList(rng), randomList(rng), randomList(rng)
		whole := slowMerge(a, b, c)
		for name, got := range map[string]catalog.List{
			"of three":        catalog.Merge(a, b, c),
			"in another row":  catalog.Merge(c, a, b),
			"left first":      catalog.Merge(catalog.Merge(a, b), c),
			"right first":     catalog.Merge(a, catalog.Merge(b, c)),
			"given twice":     catalog.Merge(a, b, catalog.Merge(c, b), a),
			"merged before":   catalog.Merge(catalog.Merge(a, b, c), b),
			"of all, by pair": catalog.Merge(catalog.Merge(a, c), catalog.Merge(b, c)),
		} {
			if !reflect.DeepEqual(sorted(got), whole) || !bytes.Equal(catalog.Encode(got), catalog.Encode(whole)) {
				t.Fatalf("seed %d: merged %s, %+v\nwant %+v", seed, name, got, whole)
			}
		}
		if alone := catalog.Merge(a); !reflect.DeepEqual(sorted(alone), a) {
			t.Fatalf("seed %d: a list merged with nothing is another one", seed)
		}
	}
	if got := catalog.Merge(); !reflect.DeepEqual(got, catalog.List{}) {
		t.Errorf("nothing merged: %+v", got)
	}
}

func TestMergeTie(t *testing.T) {
	s := catalog.List{Snapshots: []catalog.Listed{{Stamp: 5, Snapshot: snap(1)}}}
	f := func(stamp uint64) catalog.List {
		return catalog.List{Forgotten: []catalog.Forgotten{{Stamp: stamp, Score: snap(1).Score, Time: time.Unix(9, 0).UTC()}}}
	}
	for stamp, kept := range map[uint64]bool{4: true, 5: true, 6: false} {
		if got := catalog.Merge(f(stamp), s); (len(got.Snapshots) == 1) != kept || len(got.Forgotten) == 1 == kept {
			t.Errorf("listed with stamp 5, forgotten with %d: %+v", stamp, got)
		}
	}
}
