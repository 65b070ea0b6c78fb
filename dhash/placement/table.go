package placement

import (
	"bytes"
	"iter"
	"slices"
	"sort"
	"strings"

	"ventidhash/dhash"
)

// A Member is what placement needs to know of a member that is eligible: certified, not banned, not gone.
type Member struct {
	ID     dhash.ID
	Key    dhash.Key // ID.Key(), computed once by the caller
	Domain string    // failure domain "site/host"; empty: not known, and taken for one of its own
	Full   bool      // stores nothing more, but keeps what it has
}

// domain returns the failure domains of m, the host and the site.
func (m *Member) domain() (host, site string) {
	if m.Domain == "" {
		host = "\x00" + string(m.ID) // in nobody else's name
		return host, host
	}
	site, _, _ = strings.Cut(m.Domain, "/")
	return m.Domain, site
}

// A Table is a roster made ready for placement.
type Table struct {
	members []Member // sorted by Key, no two the same
	host    []int32  // of each member, numbered from 0
	site    []int32
	hosts   []int // how many members each host has
	sites   []int // how many members each site has
	siteOf  []int32
}

// New returns the table of members, in whatever order they come; it does not keep the slice. Of several with the same
// Key only the first counts.
func New(members []Member) *Table {
	t := &Table{members: slices.Clone(members)}
	slices.SortStableFunc(t.members, func(a, b Member) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	t.members = slices.CompactFunc(t.members, func(a, b Member) bool { return a.Key == b.Key })
	hosts, sites := map[string]int32{}, map[string]int32{}
	for i := range t.members {
		host, site := t.members[i].domain()
		s, ok := sites[site]
		if !ok {
			s = int32(len(sites))
			sites[site] = s
			t.sites = append(t.sites, 0)
		}
		h, ok := hosts[host]
		if !ok {
			h = int32(len(hosts))
			hosts[host] = h
			t.hosts = append(t.hosts, 0)
			t.siteOf = append(t.siteOf, s)
		}
		t.hosts[h]++
		t.sites[s]++
		t.host = append(t.host, h)
		t.site = append(t.site, s)
	}
	return t
}

// Len returns the number of members.
func (t *Table) Len() int { return len(t.members) }

// Walk yields all members by their XOR distance from key, the closest first. Going on costs O(log Len) and no memory.
func (t *Table) Walk(key dhash.Key) iter.Seq[Member] {
	return func(yield func(Member) bool) {
		t.walk(key, 0, len(t.members), func(i int) bool { return yield(t.members[i]) })
	}
}

// Closest returns the n members closest to key, the closest first, or all if there are not as many. Failure domains and
// full members make no difference.
func (t *Table) Closest(key dhash.Key, n int) []Member {
	closest := make([]Member, 0, min(max(n, 0), len(t.members)))
	if cap(closest) == 0 {
		return closest
	}
	t.walk(key, 0, len(t.members), func(i int) bool {
		closest = append(closest, t.members[i])
		return len(closest) < cap(closest)
	})
	return closest
}

// walk yields the numbers of the members lo … hi-1, which share all bits before the first in which any two of them
// differ, by their distance from key. The sorted array is a binary trie: of the two halves that this bit makes, all of
// the one that shares it with key is closer than all of the other. It returns false when yield did.
func (t *Table) walk(key dhash.Key, lo, hi int, yield func(int) bool) bool {
	if hi-lo <= 1 {
		return hi <= lo || yield(lo)
	}
	bit := t.members[lo].Key.Common(t.members[hi-1].Key)
	mid := lo + 1 + sort.Search(hi-lo-2, func(i int) bool { return isSet(&t.members[lo+1+i].Key, bit) })
	if isSet(&key, bit) {
		return t.walk(key, mid, hi, yield) && t.walk(key, lo, mid, yield)
	}
	return t.walk(key, lo, mid, yield) && t.walk(key, mid, hi, yield)
}

// isSet reports whether the bit of k is set; bit 0 is the first of the first byte.
func isSet(k *dhash.Key, bit int) bool { return k[bit/8]<<(bit%8)&0x80 != 0 }
