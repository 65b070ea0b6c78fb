package placement_test

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// swarm returns n members with random ids; domain says where each is.
func swarm(rng *rand.Rand, n int, domain func(i int) string) []placement.Member {
	members := make([]placement.Member, n)
	for i := range members {
		id := dhash.ID(binary.BigEndian.AppendUint64([]byte("member"), rng.Uint64()))
		members[i] = placement.Member{ID: id, Key: id.Key()}
		if domain != nil {
			members[i].Domain = domain(i)
		}
	}
	return members
}

// blockKey returns the key of one of many blocks.
func blockKey(rng *rand.Rand) dhash.Key {
	return dhash.KeyOf(venti.Sum(binary.BigEndian.AppendUint64(nil, rng.Uint64())))
}

func parse(t testing.TB, text string) dhash.Code {
	t.Helper()
	c, err := dhash.ParseCode(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ids(members []placement.Member) []dhash.ID {
	all := make([]dhash.ID, len(members))
	for i, m := range members {
		all[i] = m.ID
	}
	return all
}

// byDistance sorts all members by their distance as a number.
func byDistance(members []placement.Member, key dhash.Key) []placement.Member {
	distance := func(m placement.Member) *big.Int {
		a, b := new(big.Int).SetBytes(key[:]), new(big.Int).SetBytes(m.Key[:])
		return a.Xor(a, b)
	}
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b placement.Member) int { return distance(a).Cmp(distance(b)) })
	return sorted
}

// referenceOrder is the order of all members, as the package comment has it.
func referenceOrder(members []placement.Member, key dhash.Key, c dhash.Code) []placement.Member {
	limit, all := max(1, c.Total-c.Need-3), len(members)
	left := byDistance(members, key)
	hosts, sites := map[string]int{}, map[string]int{}
	var order []placement.Member
	for _, l := range [][2]int{{1, limit}, {limit, limit}, {1, all}, {limit, all}, {all, all}} {
		var skipped []placement.Member
		for _, m := range left {
			host := m.Domain
			if host == "" {
				host = "alone " + string(m.ID)
			}
			site := host
			if i := strings.Index(host, "/"); i >= 0 && m.Domain != "" {
				site = host[:i]
			}
			if hosts[host] >= l[0] || sites[site] >= l[1] {
				skipped = append(skipped, m)
				continue
			}
			hosts[host]++
			sites[site]++
			order = append(order, m)
		}
		left = skipped
	}
	return order
}

// The swarms that the tests go through: from one machine to a host for each member.
func topologies(rng *rand.Rand) map[string]func(int) string {
	return map[string]func(int) string{
		"unknown":       nil,
		"one host":      func(int) string { return "home/box" },
		"one site":      func(i int) string { return fmt.Sprintf("home/%d", i) },
		"pairs":         func(i int) string { return fmt.Sprintf("home/%d", i/2) },
		"two sites":     func(i int) string { return fmt.Sprintf("%d/%d", i%2, i) },
		"three sites":   func(i int) string { return fmt.Sprintf("%d/%d", i%3, i%12) },
		"lone friend":   func(i int) string { return fmt.Sprintf("%d/%d", min(i, 1), i) },
		"random":        func(i int) string { return fmt.Sprintf("%d/%d", rng.IntN(6), rng.IntN(4)) },
		"no slash":      func(i int) string { return fmt.Sprint(i % 9) },
		"some unknown":  func(i int) string { return strings.Repeat("a/b", i%2) },
		"site and host": func(i int) string { return []string{"a", "a/", "a/b", "b/a", "/", "/a"}[i%6] },
	}
}

func TestClosest(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 2, 3, 5, 30, 300} {
		members := swarm(rng, n, nil)
		table := placement.New(members)
		for range 50 {
			key := blockKey(rng)
			if rng.IntN(5) == 0 && n > 0 {
				key = members[rng.IntN(n)].Key // the distance to itself is 0
			}
			want := ids(byDistance(members, key))
			for _, k := range []int{-1, 0, 1, 20, n, n + 5} {
				if got := ids(table.Closest(key, k)); !slices.Equal(got, want[:min(max(k, 0), n)]) {
					t.Fatalf("%d members: the %d closest to %x are wrong", n, k, key[:4])
				}
			}
			var walked []dhash.ID
			for m := range table.Walk(key) {
				walked = append(walked, m.ID)
			}
			if !slices.Equal(walked, want) {
				t.Fatalf("%d members: the walk is wrong", n)
			}
		}
	}
}

// Keys that share long prefixes, as ids found by trying would.
func TestCloseKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	var members []placement.Member
	for i := range 256 {
		m := placement.Member{ID: dhash.ID(fmt.Sprint(i))}
		m.Key[i/8] = 1 << (7 - i%8)
		members = append(members, m)
	}
	members = append(members, placement.Member{ID: "zero"})
	table := placement.New(members)
	for range 100 {
		var key dhash.Key
		for i := range key {
			sparse := rng.Uint32()
			key[i] = byte(sparse & (sparse >> 8))
		}
		if rng.IntN(2) == 0 {
			clear(key[:rng.IntN(32)])
		}
		if !slices.Equal(ids(table.Closest(key, 300)), ids(byDistance(members, key))) {
			t.Fatalf("order of %x is wrong", key)
		}
	}
}

func TestNewDropsDoubles(t *testing.T) {
	members := swarm(rand.New(rand.NewPCG(3, 3)), 5, nil)
	again := members[2]
	again.Full = true
	table := placement.New(append(slices.Clone(members), again, again))
	if table.Len() != 5 {
		t.Errorf("%d members", table.Len())
	}
	if m := table.Closest(again.Key, 1)[0]; m.Full {
		t.Error("not the first of two")
	}
}

// Holders, Responsible and Place against the order written down plainly, in swarms of all shapes, some members full.
func TestPlacement(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for name, domain := range topologies(rng) {
		for _, n := range []int{1, 3, 19, 20, 21, 60} {
			members := swarm(rng, n, domain)
			for i := range members {
				members[i].Full = n > 1 && rng.IntN(4) == 0
			}
			table := placement.New(members)
			for _, code := range []string{"8/20", "4/20", "8/16", "1/5", "7/9", "1/1", "3/3", "20/60"} {
				c := parse(t, code)
				for range 3 {
					checkKey(t, fmt.Sprintf("%s, %d members, %s", name, n, code), table, members, blockKey(rng), c)
				}
			}
		}
	}
}

func checkKey(t *testing.T, name string, table *placement.Table, members []placement.Member, key dhash.Key, c dhash.Code) {
	t.Helper()
	order := referenceOrder(members, key, c)
	for _, extra := range []int{0, placement.Slack} {
		room, n := c.Total+extra, 0
		for n < len(order) && room > 0 {
			if !order[n].Full {
				room--
			}
			n++
		}
		if got := table.Holders(key, c, extra); !slices.Equal(got, order[:n]) {
			t.Fatalf("%s: holders with %d extra are wrong", name, extra)
		}
		for rank, m := range order {
			if got := table.Responsible(m.ID, key, c, extra); got != (rank < n) {
				t.Fatalf("%s: rank %d of %d responsible: %v", name, rank, n, got)
			}
		}
	}
	placed := table.Place(key, c)
	if len(placed) != min(c.Total, len(order)) {
		t.Fatalf("%s: %d are placed", name, len(placed))
	}
	spares := slices.DeleteFunc(slices.Clone(order[len(placed):]), func(m placement.Member) bool { return m.Full })
	for i, p := range placed {
		want := placement.Placed{Index: i, Member: order[i]}
		if order[i].Full && len(spares) > 0 {
			want.Member, want.For = spares[0], order[i].ID
			spares = spares[1:]
		}
		if p != want {
			t.Fatalf("%s: fragment %d: %+v, want %+v", name, i, p, want)
		}
	}
}

// With enough hosts and sites no host has two fragments and no site more than its limit; with too few every member
// still has one only.
func TestDomainLimits(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	c := parse(t, "8/20")
	for name, domain := range topologies(rng) {
		table := placement.New(swarm(rng, 60, domain))
		for range 100 {
			hosts, sites, seen := map[string]int{}, map[string]int{}, map[dhash.ID]bool{}
			for _, p := range table.Place(blockKey(rng), c) {
				if seen[p.Member.ID] {
					t.Fatalf("%s: a member has two fragments", name)
				}
				seen[p.Member.ID] = true
				site, _, _ := strings.Cut(p.Member.Domain, "/")
				hosts[p.Member.Domain]++
				sites[site]++
			}
			if len(seen) != c.Total {
				t.Fatalf("%s: %d placed", name, len(seen))
			}
			if name == "three sites" || name == "random" {
				for site, n := range sites {
					if n > c.DomainLimit() {
						t.Errorf("%s: %d fragments at site %s", name, n, site)
					}
				}
			}
			if name == "one site" || name == "pairs" {
				for host, n := range hosts {
					if n > 1 {
						t.Errorf("%s: %d fragments on host %s", name, n, host)
					}
				}
			}
		}
	}
}
