package repair

import (
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/placement"
)

// A count is what a survey amounts to for one coding of a block: pure data, made by judge.
type count struct {
	view    View
	claimed int   // like view.Present, of those that the owner claims
	missing []int // fragments that are not present, those that absent members are likely to have last
	scarce  bool  // there are fewer members than fragments
	far     bool  // this member is not among those asked by others, and does not see what they see

	sources []holding                // of the coding, in the order of placement, wherever there are any
	inUse   []placement.Member       // hold one, or are absent and may: they get no other one
	empty   []placement.Member       // should hold one and do not
	spill   []placement.Member       // come next, and have room
	revive  map[int]placement.Member // holds this one, which is missing, as trash
	keeper  map[int]dhash.ID         // should hold a fragment, and this is the one
	moves   []move                   // of fragments that have no keeper, in the order in which the empty places are theirs
}

// A move is a fragment whose holder is not among those that should hold it.
type move struct {
	from  dhash.ID
	index int
}

// A bench is what judge needs to know besides the sight.
type bench struct {
	self     dhash.ID
	retiring func(dhash.ID) bool
	coding   dhash.Coding
	code     dhash.Code
	short    time.Duration
	trash    bool // fragments that nobody claims count as present
}

// judge counts the fragments of one coding of a block.
func judge(s *sight, b bench) *count {
	t := tally{sight: s, bench: b, of: map[dhash.ID][]holding{}, count: &count{revive: map[int]placement.Member{},
		keeper: map[int]dhash.ID{}}}
	for _, h := range s.held {
		if h.held.Coding == b.coding && h.held.Code == b.code {
			t.of[h.member.ID] = append(t.of[h.member.ID], h)
		}
	}
	for id := range t.of { // which of several a member keeps is the same for all who look
		slices.SortFunc(t.of[id], func(x, y holding) int { return x.held.Index - y.held.Index })
	}
	list, near := t.order()
	for i, m := range list {
		t.take(m, i < near)
	}
	return t.finish()
}

// A tally is a count being made.
type tally struct {
	*sight
	bench
	*count
	of      map[dhash.ID][]holding // the fragments of each member, by index
	staying []dhash.ID             // members that hold something and do not retire
	places  int                    // taken by members that should hold a fragment
	absent  []int                  // of the places, those of members that do not answer
	strays  []move
}

// order returns all members of a sight in the order of placement. Those after the first near are not among the members
// that the table names so near to the block, and come last, by distance.
func (t *tally) order() (list []placement.Member, near int) {
	list = t.table.Holders(t.key, t.code, placement.Reach(t.code))
	near = len(list)
	in := make(map[dhash.ID]bool, near)
	for _, m := range list {
		in[m.ID] = true
	}
	t.far = !in[t.self]
	for id, h := range t.of {
		if !in[id] {
			list = append(list, h[0].member)
		}
	}
	slices.SortFunc(list[near:], func(x, y placement.Member) int { return t.key.Compare(x.Key, y.Key) })
	return list, near
}

// take counts the next member of the order.
func (t *tally) take(m placement.Member, near bool) {
	holds, retires := t.of[m.ID], t.retiring(m.ID)
	answers := m.ID == t.self || t.asked[m.ID] && !t.silent[m.ID]
	keep := slices.IndexFunc(holds, func(h holding) bool { return h.marked }) // trash takes nobody's place
	t.sources = append(t.sources, holds...)
	if !retires {
		t.stays(m, holds)
	}
	if keep >= 0 || !answers {
		t.inUse = append(t.inUse, m)
	}
	// A full member that has nothing is stood in for by the next, and one that retires by whoever there will be.
	if !near || retires || t.places == t.code.Total || m.Full && keep < 0 && answers {
		t.strays = append(t.strays, movesOf(m.ID, holds)...)
		if near && !retires && !m.Full && answers && keep < 0 {
			t.spill = append(t.spill, m)
		}
		return
	}
	switch {
	case !answers:
		t.absent = append(t.absent, t.places)
	case keep < 0:
		t.empty = append(t.empty, m)
	default:
		if index := holds[keep].held.Index; t.keeper[index] == "" {
			t.keeper[index] = m.ID
		}
		t.strays = append(t.strays, movesOf(m.ID, holds[keep+1:])...) // a second one of the same block
	}
	t.places++
}

// stays counts a member that holds something and does not retire.
func (t *tally) stays(m placement.Member, holds []holding) {
	if len(holds) == 0 {
		return
	}
	t.staying = append(t.staying, m.ID)
	claims := false
	for _, h := range holds {
		claims = claims || h.marked
		if _, ok := t.revive[h.held.Index]; !ok && !h.marked && !t.trash {
			t.revive[h.held.Index] = m
		}
	}
	if claims && m.ID != t.self && t.key.Compare(m.Key, t.self.Key()) < 0 {
		t.view.Rank++
	}
}

// different returns which fragments are held by members that stay, if each counts for one: whatever a member says, its
// loss is that of one fragment, and a liar adds no more. Those that hold one each are counted first.
func (t *tally) different(counts func(holding) bool) (set [dhash.MaxTotal]bool, n int) {
	for _, several := range []bool{false, true} {
		for _, id := range t.staying {
			if len(t.of[id]) > 1 != several {
				continue
			}
			for _, h := range t.of[id] {
				if counts(h) && !set[h.held.Index] {
					set[h.held.Index] = true
					n++
					break
				}
			}
		}
	}
	return set, n
}

// finish returns the count.
func (t *tally) finish() *count {
	c := t.count
	c.view.Code, c.view.Claimed, c.view.Short = t.code, len(t.claims) > 0, t.short
	for _, mv := range t.strays {
		if c.keeper[mv.index] == "" {
			c.moves = append(c.moves, mv)
		}
	}
	c.scarce = t.places < t.code.Total
	_, c.claimed = t.different(func(h holding) bool { return h.marked })
	present, n := t.different(func(h holding) bool { return h.marked || t.trash })
	c.view.Present, c.view.Absent = n, min(len(t.absent), t.code.Total-n)
	c.missing = missing(t.code, present, t.absent)
	return c
}

func movesOf(id dhash.ID, holds []holding) (out []move) {
	for _, h := range holds {
		if h.marked {
			out = append(out, move{id, h.held.Index})
		}
	}
	return out
}

// missing returns the fragments that are not present, last those that absent members are likely to have: at first
// placement the member in place i got fragment i.
func missing(c dhash.Code, present [dhash.MaxTotal]bool, silent []int) []int {
	var sure, perhaps []int
	for i := range c.Total {
		switch {
		case present[i]:
		case slices.Contains(silent, i):
			perhaps = append(perhaps, i)
		default:
			sure = append(sure, i)
		}
	}
	return append(sure, perhaps...)
}

// ahead returns which of the empty places is that of the fragment that a member should hand over. All who see the same
// moves give each a place of its own; a member that is too far away to see those of others goes by the fragment's
// number.
func (c *count) ahead(mv move) (to placement.Member, ok bool) {
	i := slices.Index(c.moves, mv)
	if c.far && len(c.empty) > 0 {
		i = mv.index % len(c.empty)
	}
	if i < 0 || i >= len(c.empty) {
		return to, false
	}
	return c.empty[i], true
}

// next returns the place in room of the member that a fragment should go to, beside those that hold one: one on a
// machine of its own, in a site that keeps within its share, where there are such.
func next(room, inUse []placement.Member, c dhash.Code) int {
	spread := placement.Spread(inUse, c)
	best, rank := -1, 3
	for i, m := range room {
		r := 2
		if placement.Spread(append(slices.Clip(inUse), m), c) > spread {
			r = 1
			if m.Domain == "" || !slices.ContainsFunc(inUse, func(o placement.Member) bool { return o.Domain == m.Domain }) {
				r = 0
			}
		}
		if r < rank {
			best, rank = i, r
		}
	}
	return best
}
