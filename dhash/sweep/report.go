package sweep

import (
	"bytes"
	"cmp"
	"maps"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// An Item is one coding of a block that is to be looked at, with what the sweep has counted. The counts are of members,
// and each is taken to hold a fragment that no other one holds: package repair looks exactly before it does anything.
type Item struct {
	Score  venti.Score
	Coding dhash.Coding
	Code   dhash.Code
	Length int // of the block, in bytes

	Present int // this member, and the expected holders that hold a fragment
	Absent  int // expected holders that do not answer and are not gone
	Rank    int // how many of those that are present come before this member in the block's order

	Stray bool // this member is no expected holder; then nobody was asked, and Present counts this member alone
	Weak  bool // Config.Weak says so of the code
}

// short reports whether fragments are missing, or so few are present that it does not matter who may come back.
func (i *Item) short() bool {
	return !i.Stray && (i.Present+i.Absent < i.Code.Total || i.Present <= i.Code.UrgentLine())
}

// byLoss orders items as Config.Found wants them: by how near to their loss they are. Strays, which were not counted, come last.
func byLoss(a, b Item) int {
	if a.Stray != b.Stray {
		if a.Stray {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(a.Present-a.Code.Need, b.Present-b.Code.Need),
		cmp.Compare(a.Present+a.Absent, b.Present+b.Absent),
		bytes.Compare(a.Score[:], b.Score[:]), bytes.Compare(a.Coding[:], b.Coding[:]))
}

// A Neighbour is what a round has seen of another member.
type Neighbour struct {
	Traffic
	Compared int64 // codings that both are expected to hold, and that were compared
	Lacks    int64 // of these, how many it has no fragment of
	Extra    int64 // how many more it holds that this member is expected to hold too, but has not; an estimate
	Failed   int64 // regions in which it did not answer as it should
}

// A Report sums up a round of sweeping, or what was done of it.
type Report struct {
	Began   time.Time
	Ended   time.Time     // zero if it did not come to its end
	Took    time.Duration // what the regions took; a round of Run waits between them
	Regions int64
	Items   int64         // codings of blocks held, trash not counted
	Short   map[int]int64 // of those that are short, how many have so many fragments present more than they need
	Strays  int64
	Weak    int64

	Neighbours map[dhash.ID]Neighbour
}

func newReport(now time.Time) *Report {
	return &Report{Began: now, Short: map[int]int64{}, Neighbours: map[dhash.ID]Neighbour{}}
}

func (r *Report) clone() Report {
	c := *r
	c.Short, c.Neighbours = maps.Clone(r.Short), maps.Clone(r.Neighbours)
	return c
}

// Missing returns how many codings are short.
func (r *Report) Missing() (n int64) {
	for _, count := range r.Short {
		n += count
	}
	return n
}

// Traffic returns what all sessions have cost together.
func (r *Report) Traffic() (t Traffic) {
	for _, n := range r.Neighbours {
		t.Add(n.Traffic)
	}
	return t
}

// add adds what was seen in a region.
func (r *Report) add(g *region, items []Item, took time.Duration) {
	r.Took += took
	r.Regions++
	r.Items += int64(g.points.Len())
	r.Strays += g.strays
	r.Weak += g.weak
	for i := range items {
		if items[i].short() {
			r.Short[items[i].Present-items[i].Code.Need]++
		}
	}
	for _, n := range g.neighbours {
		sum := r.Neighbours[n.id]
		sum.Traffic.Add(n.traffic)
		switch {
		case n.err != nil:
			sum.Failed++
		case n.live == Live:
			sum.Compared += int64(n.shared.count())
			sum.Lacks += int64(n.lacks.count())
			sum.Extra += int64(n.extra)
		}
		r.Neighbours[n.id] = sum
	}
}
