package placement

import "ventidhash/dhash"

// Slack is how many members beyond Total a writer diverts to, and a reader asks, at least: what rosters may differ by.
const Slack = 4

// Reach returns how many places beyond Total a member may be from a block and still take a fragment of it, and so how far
// repair looks for them: rosters differ, on both sides, and members that are full or gone are stepped over.
func Reach(c dhash.Code) int { return 2*Slack + c.Total/2 }

// limits are the most fragments of a block that one host and one site may hold.
type limits struct{ host, site int }

// passes returns the limits of each pass (see the package comment).
func (t *Table) passes(c dhash.Code) [5]limits {
	limit, all := c.DomainLimit(), len(t.members)
	return [...]limits{{1, limit}, {limit, limit}, {1, all}, {limit, all}, {all, all}}
}

// order returns the numbers of the first members of the order of key, until room of them are not full.
func (t *Table) order(key dhash.Key, c dhash.Code, room int) []int {
	room = min(max(0, room), len(t.members))
	taken := make([]int, 0, room)
	for _, l := range t.passes(c) {
		// When all hosts or sites are at their limit the rest of the roster need not be looked at.
		most := min(l.host*len(t.hosts), l.site*len(t.sites), len(t.members))
		if room == 0 || len(taken) >= most {
			continue
		}
		t.walk(key, 0, len(t.members), func(i int) bool {
			if t.fits(taken, i, l) {
				taken = append(taken, i)
				if !t.members[i].Full {
					room--
				}
			}
			return room > 0 && len(taken) < most
		})
	}
	return taken
}

// fits reports whether member i is not yet taken and keeps within the limits beside those that are.
func (t *Table) fits(taken []int, i int, l limits) bool {
	host, site := 0, 0
	for _, j := range taken {
		if j == i {
			return false
		}
		if t.host[j] == t.host[i] {
			host++
		}
		if t.site[j] == t.site[i] {
			site++
		}
	}
	return host < l.host && site < l.site
}

// Holders returns the members that should hold the fragments of the block at key, in order: the first c.Total, and so
// many more to divert to, or to ask because rosters differ. Full members are among them and are not counted.
func (t *Table) Holders(key dhash.Key, c dhash.Code, extra int) []Member {
	taken := t.order(key, c, c.Total+extra)
	holders := make([]Member, len(taken))
	for rank, i := range taken {
		holders[rank] = t.members[i]
	}
	return holders
}

// Responsible reports whether Holders with that extra would name the member: what a holder asks before it accepts a
// fragment. The table must have the member itself.
func (t *Table) Responsible(id dhash.ID, key dhash.Key, c dhash.Code, extra int) bool {
	for _, i := range t.order(key, c, c.Total+extra) {
		if t.members[i].ID == id {
			return true
		}
	}
	return false
}

// A Placed says which member should hold a fragment.
type Placed struct {
	Index  int // of the fragment
	Member Member

	// For names the full member in whose place Member stands, and which should be told so; empty if it is Member's own
	// place.
	For dhash.ID
}

// Place returns where the fragments of a new block go: fragment i to the member of rank i, or to the next of the order
// that is not full and has none. In a swarm of fewer than c.Total members the last fragments have no place. If so
// many are full that nobody is left to stand in, a full member keeps its place: it can say best whether it still is.
func (t *Table) Place(key dhash.Key, c dhash.Code) []Placed {
	taken := t.order(key, c, c.Total)
	placed := make([]Placed, min(c.Total, len(taken)))
	spare := len(placed)
	for rank := range placed {
		m := t.members[taken[rank]]
		placed[rank] = Placed{Index: rank, Member: m}
		if !m.Full {
			continue
		}
		for spare < len(taken) && t.members[taken[spare]].Full {
			spare++
		}
		if spare < len(taken) {
			placed[rank].Member, placed[rank].For = t.members[taken[spare]], m.ID
			spare++
		}
	}
	return placed
}
