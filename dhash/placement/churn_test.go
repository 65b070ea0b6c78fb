package placement_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/placement"
)

// moved returns how many of b's members are not among a's.
func moved(a, b []placement.Member) int {
	n := 0
	for _, m := range b {
		if !slices.ContainsFunc(a, func(o placement.Member) bool { return o.ID == m.ID }) {
			n++
		}
	}
	return n
}

// A member that joins changes the holders of the keys that it becomes a holder of, Total/(members+1) of all, and of
// each of them it displaces one other. A leave is the same backwards.
func TestJoinMovesItsShare(t *testing.T) {
	const keys = 4000
	rng := rand.New(rand.NewPCG(11, 11))
	c := parse(t, "8/20")
	for name, domain := range map[string]func(int) string{
		"unknown": nil, "sites": func(i int) string { return fmt.Sprintf("%d/%d", i%5, i) },
		"one site": func(i int) string { return fmt.Sprintf("home/%d", i) },
	} {
		for _, n := range []int{20, 50, 200} {
			members := swarm(rng, n+1, domain)
			before, after := placement.New(members[:n]), placement.New(members)
			joined, changed := members[n], 0
			for range keys {
				key := blockKey(rng)
				a, b := before.Holders(key, c, 0), after.Holders(key, c, 0)
				isHolder := after.Responsible(joined.ID, key, c, 0)
				switch d := moved(a, b); {
				case d == 0 && !isHolder:
				case d == 1 && isHolder:
					changed++
				default:
					t.Fatalf("%s, %d members: %d holders changed, the new one is a holder: %v", name, n, d, isHolder)
				}
			}
			// The share of one member varies with the room that its id has among the others: by a factor of two or so.
			share, want := float64(changed)/keys, float64(c.Total)/float64(n+1)
			if share < want/2.5 || share > want*2.5 {
				t.Errorf("%s, %d members: a join moves %.3f of the keys, expected %.3f", name, n, share, want)
			}
		}
	}
}

// Over many joins the mean share is the expected one.
func TestMeanShare(t *testing.T) {
	const joins, keys, n = 60, 300, 49
	rng := rand.New(rand.NewPCG(12, 12))
	c := parse(t, "8/20")
	changed := 0
	for range joins {
		members := swarm(rng, n+1, nil)
		before, after := placement.New(members[:n]), placement.New(members)
		for range keys {
			key := blockKey(rng)
			changed += moved(before.Holders(key, c, 0), after.Holders(key, c, 0))
		}
	}
	share, want := float64(changed)/(joins*keys), float64(c.Total)/(n+1)
	if math.Abs(share-want) > want/8 {
		t.Errorf("a join moves %.3f of the keys in the mean, want %.3f", share, want)
	}
}

// A reader who knows nine members of ten finds the holders that it knows, all within Total+Slack; and a writer who
// knows nine of ten places enough where a reader who knows all looks.
func TestPartialRosters(t *testing.T) {
	const rosters, keys = 40, 150
	rng := rand.New(rand.NewPCG(13, 13))
	c := parse(t, "8/20")
	for name, domain := range map[string]func(int) string{
		"unknown": nil, "sites": func(i int) string { return fmt.Sprintf("%d/%d", i%7, i/2) },
	} {
		var readerBelow, writerBelow int
		for range rosters {
			all := swarm(rng, 100, domain)
			rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			part := all[:90]
			full, partial := placement.New(all), placement.New(part)
			for range keys {
				key := blockKey(rng)
				holders := full.Holders(key, c, 0)
				known := len(holders) - moved(part, holders)
				found := len(holders) - moved(partial.Holders(key, c, placement.Slack), holders)
				if found != known || found < c.Need {
					t.Fatalf("%s: a reader finds %d holders of the %d that it knows", name, found, known)
				}
				if found < c.Threshold() {
					readerBelow++
				}
				written := partial.Holders(key, c, 0)
				if len(written)-moved(full.Holders(key, c, placement.Slack), written) < c.Threshold() {
					writerBelow++
				}
			}
		}
		reader, writer := float64(readerBelow)/(rosters*keys), float64(writerBelow)/(rosters*keys)
		t.Logf("%s: below the threshold: reader %.4f, writer %.4f of the keys", name, reader, writer)
		// That 5 or more of the 10 unknown members are among the 20 of 100 has probability 0.025 (hypergeometric).
		if reader > 0.05 || writer > 0.002 {
			t.Errorf("%s: below the threshold: reader %.4f, writer %.4f of the keys", name, reader, writer)
		}
	}
}

// A hundred members, each with room for 1.1 times the mean: everything finds a place though the swarm is nine tenths
// full at the end, and no member has more than 1.5 times the mean, with diversion or without.
func TestBalance(t *testing.T) {
	const members, keys, batch = 100, 5000, 20
	rng := rand.New(rand.NewPCG(14, 14))
	c := parse(t, "8/20")
	all := swarm(rng, members, func(i int) string { return fmt.Sprintf("%d/%d", i%8, i) })
	mean := keys * c.Total / members
	capacity := mean * 110 / 100
	load, raw := map[dhash.ID]int{}, map[dhash.ID]int{}
	diverted := 0
	table, empty := placement.New(all), placement.New(all)
	for k := range keys {
		if k%batch == 0 { // the roster learns now and then who is full
			for i := range all {
				all[i].Full = load[all[i].ID] >= capacity
			}
			table = placement.New(all)
		}
		key := blockKey(rng)
		for _, p := range empty.Place(key, c) {
			raw[p.Member.ID]++
		}
		for _, p := range table.Place(key, c) {
			if p.Member.Full {
				t.Fatalf("block %d: fragment %d has no place", k, p.Index)
			}
			if !table.Responsible(p.Member.ID, key, c, placement.Slack) {
				t.Fatalf("block %d: a stand-in would refuse fragment %d", k, p.Index)
			}
			if p.For != "" {
				diverted++
			}
			load[p.Member.ID]++
		}
	}
	largest, without := 0, 0
	for _, m := range all {
		largest, without = max(largest, load[m.ID]), max(without, raw[m.ID])
	}
	t.Logf("max/mean %.2f, %.2f without diversion; %.1f %% diverted", float64(largest)/float64(mean),
		float64(without)/float64(mean), float64(diverted)/float64(keys*c.Total)*100)
	if 2*without > 3*mean || largest > capacity+batch {
		t.Errorf("%d, %d without diversion; mean %d", largest, without, mean)
	}
	if without <= largest || diverted == 0 {
		t.Errorf("the test shows nothing: %d without diversion, %d diverted", without, diverted)
	}
}

func TestSpread(t *testing.T) {
	c := parse(t, "8/20") // limit 9, threshold 16
	at := func(domains ...any) (members []placement.Member) {
		for i := 0; i < len(domains); i += 2 {
			for j := range domains[i+1].(int) {
				members = append(members, placement.Member{ID: dhash.ID(fmt.Sprint(i, j)), Domain: domains[i].(string)})
			}
		}
		return members
	}
	for name, v := range map[string]struct {
		members []placement.Member
		want    int
	}{
		"none":                    {nil, 0},
		"unknown domains":         {at("", 20), 20},
		"one host":                {at("a/b", 20), 9},
		"two hosts of one site":   {at("a/b", 6, "a/c", 6), 9},
		"two sites":               {at("a/b", 12, "b/b", 5), 14},
		"labels without a slash":  {at("a", 12, "b", 5), 14},
		"a site and a host in it": {at("a", 5, "a/b", 5), 9},
		"three sites":             {at("a/b", 7, "b/b", 7, "c/d", 6), 20},
	} {
		if got := placement.Spread(v.members, c); got != v.want {
			t.Errorf("%s: %d, want %d", name, got, v.want)
		}
	}
}

// Stored in all shapes of swarm: what Place chose counts in full, and what may be missing may be missing.
func TestStored(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 15))
	for name, domain := range topologies(rng) {
		for _, code := range []string{"8/20", "8/16", "1/5", "3/10"} {
			c := parse(t, code)
			table := placement.New(swarm(rng, 60, domain))
			for range 30 {
				holders := table.Holders(blockKey(rng), c, 0)
				if got := table.Stored(holders, c); got != c.Total {
					t.Fatalf("%s, %s: all fragments are there and %d count", name, code, got)
				}
				rng.Shuffle(len(holders), func(i, j int) { holders[i], holders[j] = holders[j], holders[i] })
				for n := range c.Total {
					got := table.Stored(holders[:n], c)
					if got > n || n >= c.Threshold() && got < n-(c.Total-n) {
						t.Fatalf("%s, %s: of %d fragments %d count", name, code, n, got)
					}
					if n == c.Threshold() && got < c.Threshold() {
						t.Fatalf("%s, %s: at the threshold %d count", name, code, got)
					}
				}
			}
		}
	}
	// Sites enough, and yet nearly all on one of them.
	c := parse(t, "8/20")
	members := swarm(rng, 60, func(i int) string { return fmt.Sprintf("%d/%d", i%3, i) })
	var bad []placement.Member
	for i := 0; i < 60; i += 3 {
		bad = append(bad, members[i])
	}
	if got := placement.New(members).Stored(bad[:18], c); got != 9 {
		t.Errorf("18 fragments at one of three sites: %d count", got)
	}
}

// Walking on costs no memory for each step.
func TestWalkAllocates(t *testing.T) {
	rng := rand.New(rand.NewPCG(16, 16))
	table := placement.New(swarm(rng, 1000, nil))
	key := blockKey(rng)
	few := testing.AllocsPerRun(100, func() {
		for range table.Walk(key) {
			break
		}
	})
	all := testing.AllocsPerRun(100, func() {
		n := 0
		for range table.Walk(key) {
			n++
		}
	})
	if few != all || all > 8 {
		t.Errorf("one step allocates %v times, a thousand %v", few, all)
	}
}

func BenchmarkPlacement(b *testing.B) {
	rng := rand.New(rand.NewPCG(17, 17))
	c := parse(b, "8/20")
	for _, n := range []int{30, 100, 1000, 10000} {
		for name, domain := range map[string]func(int) string{
			"sites": func(i int) string { return fmt.Sprintf("%d/%d", i%9, i) },
			"room":  func(i int) string { return fmt.Sprintf("home/%d", i) },
		} {
			table := placement.New(swarm(rng, n, domain))
			key := blockKey(rng)
			id := table.Closest(key, 10)[9].ID
			b.Run(fmt.Sprintf("%s/%d/Closest20", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					table.Closest(key, 20)
				}
			})
			b.Run(fmt.Sprintf("%s/%d/Place", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					table.Place(key, c)
				}
			})
			b.Run(fmt.Sprintf("%s/%d/Responsible", name, n), func(b *testing.B) {
				for b.Loop() {
					table.Responsible(id, key, c, placement.Slack)
				}
			})
		}
	}
}
