package sweep

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/placement"
)

const (
	maxSessions = 128 // with one neighbour about a region, which is cut up where the neighbour holds much more there
	atOnce      = 4   // how many neighbours are compared with at a time
	patience    = 10  // times Config.Timeout, for all sessions with one neighbour about a region
)

// A region is what this member holds in a range of positions, while it is compared with the neighbours. It takes about
// 13 bytes an item, and a bit for each neighbour and item.
type region struct {
	cfg        *Config
	from, last uint64
	points     *Points
	seats      *seats
	neighbours []*neighbour
	number     map[dhash.ID]int32
	memory     *memory
	look       bitset // what is to be looked at
	strays     int64
	weak       int64
}

// A neighbour is another member that is expected to hold some of the region's items too.
type neighbour struct {
	id      dhash.ID
	live    Liveness
	err     error   // why it counts as absent although it is live
	shared  bitset  // the items that both are expected to hold
	known   bitset  // those of them that it did not hold in the round before
	beyond  *Points // what else it was known to hold that this member is expected to hold and does not; nil is nothing
	more    *Points // the same after the session
	lacks   bitset  // those of them that it does not hold
	extra   uint64
	traffic Traffic
}

// growBit sets a bit of a set that grows with the list of points.
func growBit(b *bitset, i int) {
	for len(*b)*blockLen <= i {
		*b = append(*b, 0)
	}
	b.set(i)
}

// gatherRegion lists what is held from a position on, up to a region's worth.
func gatherRegion(ctx context.Context, cfg *Config, m *memory, from uint64) (*region, error) {
	g := &region{cfg: cfg, memory: m, from: from, number: map[dhash.ID]int32{}}
	g.seats = newSeats(cfg.Table(), g.seating)
	count := 0
	var err error
	g.points, g.last, err = gather(ctx, cfg.Store, from, 1<<64-1, cfg.regionItems, func(h *holding) {
		seating := g.seats.of(h.key, h.code)
		if seating.look {
			growBit(&g.look, count)
		}
		if seating.weak {
			g.weak++
		}
		if !seating.mine {
			g.strays++
		}
		for _, n := range seating.order {
			if n != self && seating.mine {
				growBit(&g.neighbours[n].shared, count)
			}
		}
		count++
	})
	if err != nil {
		return nil, fmt.Errorf("sweep the region from %016x: %w", from, err)
	}
	look := newBitset(count)
	look.add(g.look)
	g.look = look
	for _, n := range g.neighbours {
		shared := newBitset(count)
		shared.add(n.shared)
		n.shared = shared
		n.known, n.beyond = m.known(g, n)
	}
	return g, nil
}

// seating notes who is expected to hold what, and which of it is to be looked at in any case.
func (g *region) seating(holders []placement.Member, c dhash.Code) *seating {
	s := &seating{weak: g.cfg.Weak(c)}
	live, absent := 0, 0
	for _, m := range holders {
		if m.ID == g.cfg.Self {
			s.mine = true
			s.order = append(s.order, self)
			live++
			continue
		}
		n, known := g.number[m.ID]
		if !known {
			n = int32(len(g.neighbours))
			g.number[m.ID] = n
			g.neighbours = append(g.neighbours, &neighbour{id: m.ID, live: g.cfg.Live(m.ID)})
		}
		s.order = append(s.order, n)
		switch g.neighbours[n].live {
		case Live:
			live++
		case Absent:
			absent++
		}
	}
	s.look = s.weak || !s.mine || live+absent < c.Total || live <= c.UrgentLine()
	return s
}

// compare compares the region with all neighbours that are live. It returns an error only when ctx ends: a neighbour
// that fails counts as absent.
func (g *region) compare(ctx context.Context) error {
	var work sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for _, n := range g.neighbours {
		if n.live != Live || n.shared.count() == 0 {
			continue
		}
		places <- struct{}{}
		work.Go(func() {
			defer func() { <-places }()
			n.err = g.compareWith(ctx, n)
		})
	}
	work.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	g.memory.learn(g)
	for _, n := range g.neighbours {
		switch {
		case n.err != nil:
			g.look.add(n.shared)
			g.cfg.Log.Debug("sweep: member counts as absent", "member", n.id.Short(), "why", n.err)
		case n.lacks != nil:
			g.look.add(n.lacks)
		}
	}
	return nil
}

// errTooMuch says that a neighbour holds so much more that the comparison would take too long.
var errTooMuch = errors.New("it takes too many sessions")

// compareWith runs the sessions with a neighbour: one, unless it holds far more there than this member. The next region
// waits for it, so all its messages together have a limit too.
func (g *region) compareWith(ctx context.Context, n *neighbour) error {
	ctx, cancel := context.WithTimeout(ctx, patience*g.cfg.Timeout)
	defer cancel()
	var salt Salt
	if _, err := rand.Read(salt[:]); err != nil {
		return err
	}
	set := newSet(salt, g.from, g.last, g.points, n.shared, n.shared.without(n.known))
	from, to := g.from, g.last
	lacks := newBitset(g.points.Len())
	var more []Point
	for range maxSessions {
		part := set.part(from, to)
		if part.rank(part.lo) < part.rank(part.hi) {
			s := newSession(part, n.beyond)
			err := g.converse(ctx, n, s)
			n.traffic.Add(s.Traffic())
			if err != nil {
				return err
			}
			if cut, ok := s.Cut(); ok {
				to = cut - 1
				continue
			}
			lacks.add(s.lacks)
			more = append(more, s.more...)
			n.extra += s.extra
		}
		if to == g.last {
			if lacks.count() > 0 {
				n.lacks = lacks
			}
			n.more = pointsOf(more)
			return nil
		}
		from, to = to+1, g.last
	}
	return errTooMuch
}

// converse carries the messages of a session.
func (g *region) converse(ctx context.Context, n *neighbour, s *Session) error {
	for m := s.Next(); m != nil; m = s.Next() {
		answer, err := g.send(ctx, n.id, m)
		if err != nil {
			return err
		}
		if err := s.Take(answer); err != nil {
			return err
		}
	}
	return nil
}

func (g *region) send(ctx context.Context, id dhash.ID, m []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Timeout)
	defer cancel()
	return g.cfg.Reconcile(ctx, id, m)
}

// items returns what is to be looked at. It walks over the region once more, if there is anything.
func (g *region) items(ctx context.Context) ([]Item, error) {
	if g.look.count() == 0 {
		return nil, nil
	}
	var items []Item
	seen := map[Point]int{} // of the position that the walk is at: the number of each item, or -1
	var position uint64
	err := g.cfg.Store.Walk(ctx, keyFrom(g.from), keyTo(g.last), func(h fragstore.Held) error {
		if h.Trash() || h.Code.Validate() != nil {
			return nil
		}
		key := dhash.KeyOf(h.Score)
		p := pointAt(key, h.Coding)
		i, ok := g.points.find(p)
		if !ok || !g.look.has(i) {
			return nil // it was stored meanwhile, or all is well
		}
		if p.Position != position {
			clear(seen)
			position = p.Position
		}
		if _, again := seen[p]; again {
			return nil
		}
		seen[p] = len(items)
		item := Item{Score: h.Score, Coding: h.Coding, Code: h.Code, Length: h.Length}
		g.count(&item, i, g.seats.of(key, h.Code))
		if item.Stray || item.Weak || item.short() {
			items = append(items, item)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sweep the region from %016x: %w", g.from, err)
	}
	slices.SortFunc(items, byLoss)
	return items, nil
}

// count fills in the counts of the item with point number i.
func (g *region) count(item *Item, i int, s *seating) {
	item.Stray, item.Weak, item.Present = !s.mine, s.weak, 1
	if item.Stray {
		return
	}
	for _, number := range s.order {
		if number == self {
			item.Rank = item.Present - 1
			continue
		}
		n := g.neighbours[number]
		switch {
		case n.live == Gone:
		case n.live == Absent || n.err != nil:
			item.Absent++
		case !n.shared.has(i):
			// Another coding, by a one in four thousand million chance of the same tag, had the point: this one is
			// looked at.
		case !n.lacks.has(i):
			item.Present++
		}
	}
}
