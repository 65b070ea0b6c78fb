package years

import (
	"math"
	"math/rand/v2"
	"time"
)

// A Kind is what happens to a member.
type Kind byte

// The kinds of events. Join and Up differ in that a member that joins has nothing yet.
const (
	Join Kind = iota
	Up
	Down
	Dead // and its disk is lost
)

// An Event is something that happens to a member. Members are numbered from 0 in the order in which they join; those that
// were there when time began come first.
type Event struct {
	At     time.Duration
	Member int32
	Kind   Kind
}

// A source yields the events in the order of their times. They do not depend on what the swarm does.
type source interface {
	// peek returns the time of the next event; ok is false after the last.
	peek() (at time.Duration, ok bool)
	next() Event
}

// churn makes events up.
type churn struct {
	cfg   Churn
	seed  uint64
	heap  heap[turn]
	slots []slot
	down  []bool  // of each site, whether it is
	ready []Event // to be handed out before anything else happens
	born  int32   // members so far

	up, off float64 // scales of sessions and absences: of which the mean is as it was asked for
}

// A slot is a place of the swarm: one member after another has it.
type slot struct {
	rng    *rand.Rand
	member int32
	dies   time.Duration
	on     bool // but for the site
}

// A turn is the next thing that happens to a slot or, where site is not negative, to a site.
type turn struct {
	slot int32
	site int32
}

func newChurn(cfg Config) *churn {
	c := &churn{cfg: cfg.Churn, seed: cfg.Seed, slots: make([]slot, cfg.Members), down: make([]bool, cfg.Churn.Sites)}
	mean := math.Gamma(1 + 1/c.cfg.Shape)
	c.up = float64(c.cfg.Session) / mean
	c.off = c.up * (1 - c.cfg.Availability) / c.cfg.Availability
	for i := range c.slots {
		s := &c.slots[i]
		s.rng = rand.New(rand.NewPCG(cfg.Seed, uint64(i)<<8|1))
		s.member, s.on = c.born, s.rng.Float64() < c.cfg.Availability
		c.born++
		s.dies = c.death(s, 0)
		if !s.on {
			c.ready = append(c.ready, Event{0, s.member, Down})
		}
		c.plan(int32(i), 0)
	}
	for i := range c.down {
		if c.cfg.SiteEvery > 0 {
			c.heap.push(c.stretch(c.slots[i].rng, float64(c.cfg.SiteEvery), 1), turn{site: int32(i)})
		}
	}
	return c
}

// far is after the end of any simulation.
const far = time.Duration(math.MaxInt64 / 2)

// stretch returns a random time of Weibull's distribution.
func (c *churn) stretch(rng *rand.Rand, scale, shape float64) time.Duration {
	d := scale * math.Pow(rng.ExpFloat64(), 1/shape)
	return time.Duration(min(max(d, 1), float64(far)))
}

// death returns when the disk of who joins now will be lost.
func (c *churn) death(s *slot, now time.Duration) time.Duration {
	if c.cfg.Lifetime < 0 {
		return far
	}
	return now + c.stretch(s.rng, float64(c.cfg.Lifetime), 1)
}

// plan draws how long a slot stays as it is.
func (c *churn) plan(i int32, now time.Duration) {
	s := &c.slots[i]
	at := far
	if c.off > 0 {
		scale := c.off
		wave := c.cfg.Diurnal * math.Sin(2*math.Pi*float64(now%Day)/float64(Day))
		if s.on {
			scale = c.up * (1 - wave)
		} else {
			scale *= 1 + wave
		}
		at = now + c.stretch(s.rng, scale, c.cfg.Shape)
	}
	c.heap.push(min(at, s.dies), turn{slot: i, site: -1})
}

func (c *churn) peek() (time.Duration, bool) {
	if len(c.ready) > 0 {
		return c.ready[0].At, true
	}
	for {
		at, ok := c.heap.peek()
		if !ok {
			return 0, false
		}
		if c.step(); len(c.ready) > 0 {
			return at, true
		}
	}
}

func (c *churn) next() Event {
	c.peek()
	e := c.ready[0]
	if c.ready = c.ready[1:]; len(c.ready) == 0 {
		c.ready = nil
	}
	return e
}

// dark reports whether a slot has a site, and that is down.
func (c *churn) dark(i int32) bool { return len(c.down) > 0 && c.down[int(i)%len(c.down)] }

// step lets the next thing happen. If the members notice, it is in ready.
func (c *churn) step() {
	now, t := c.heap.pop()
	if t.site >= 0 {
		c.toggle(t.site, now)
		return
	}
	s := &c.slots[t.slot]
	switch {
	case now >= s.dies:
		c.ready = append(c.ready, Event{now, s.member, Dead}, Event{now, c.born, Join})
		s.member, s.on, s.dies = c.born, true, c.death(s, now)
		c.born++
		if c.dark(t.slot) {
			c.ready = append(c.ready, Event{now, s.member, Down})
		}
	default:
		s.on = !s.on
		kind := Down
		if s.on {
			kind = Up
		}
		if !c.dark(t.slot) {
			c.ready = append(c.ready, Event{now, s.member, kind})
		}
	}
	c.plan(t.slot, now)
}

// toggle begins or ends an outage of a site.
func (c *churn) toggle(site int32, now time.Duration) {
	c.down[site] = !c.down[site]
	mean, kind := c.cfg.SiteEvery, Up
	if c.down[site] {
		mean, kind = c.cfg.SiteOutage, Down
	}
	c.heap.push(now+c.stretch(c.slots[site].rng, float64(mean), 1), turn{site: site})
	for i := int(site); i < len(c.slots); i += len(c.down) {
		if c.slots[i].on {
			c.ready = append(c.ready, Event{now, c.slots[i].member, kind})
		}
	}
}
