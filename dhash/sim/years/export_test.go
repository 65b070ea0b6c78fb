package years

import (
	"fmt"
	"slices"
	"time"
)

// CheckRun simulates and compares, after each so many parts of the sweep, all that is kept up to date with what a count of
// every fragment gives.
func CheckRun(cfg Config, every int) (Result, error) {
	if err := cfg.Validate(); err != nil {
		return Result{}, err
	}
	r := newRun(cfg.withDefaults())
	last := r.now
	for n := 0; !r.over(); n++ {
		if r.now < last {
			return r.result(), fmt.Errorf("after %v it is %v", last, r.now)
		}
		last = r.now
		if n%every == 0 {
			if err := r.check(); err != nil {
				return r.result(), fmt.Errorf("at %v: %w", r.now, err)
			}
		}
		r.step()
	}
	r.advance(r.end)
	return r.result(), nil
}

func (r *run) check() error {
	s := r.swarm
	alive, held := 0, make([][]int32, len(s.members))
	dark := 0
	for b := range s.keys {
		var intact, counted, present uint8
		holders := s.holders(int32(b))
		for i, m := range holders {
			if m == nobody {
				continue
			}
			if slices.Contains(holders[:i], m) {
				return fmt.Errorf("block %d: member %d has two fragments", b, m)
			}
			o := &s.members[m]
			held[m] = append(held[m], int32(b))
			if !o.joined {
				return fmt.Errorf("block %d: member %d is gone for good", b, m)
			}
			if !o.dead {
				intact++
			}
			if !o.gone {
				counted++
			}
			if o.up {
				present++
			}
		}
		if intact != s.intact[b] || counted != s.counted[b] || !r.cfg.Oracle && present != s.present[b] {
			return fmt.Errorf("block %d: intact, counted, present are %d %d %d, not %d %d %d", b, intact, counted, present,
				s.intact[b], s.counted[b], s.present[b])
		}
		if int(present) < r.cfg.Code.Need {
			dark++
		}
		if int(intact) < r.cfg.Code.Need && !r.lost[b] {
			return fmt.Errorf("block %d is lost and nobody knows", b)
		}
	}
	if dark != r.dark && !r.cfg.Oracle {
		return fmt.Errorf("%d blocks cannot be read, not %d", dark, r.dark)
	}
	for m := range s.members {
		o := &s.members[m]
		if o.up {
			alive++
		}
		if o.up && (o.gone || o.dead) || o.joined && !slices.Equal(o.blocks, held[m]) {
			return fmt.Errorf("member %d: %v %v %v, holds %v, not %v", m, o.up, o.gone, o.dead, held[m], o.blocks)
		}
		if o.busy != nobody && !o.up || o.busy == nobody && len(o.queue) > 0 {
			return fmt.Errorf("member %d: busy with %d, %d in its queue", m, o.busy, len(o.queue))
		}
	}
	if alive != r.alive {
		return fmt.Errorf("%d members answer, not %d", alive, r.alive)
	}
	return nil
}

// Events returns what happens to the members of a Config until the end.
func Events(cfg Config, end time.Duration) (list []Event) {
	c := newChurn(cfg.withDefaults())
	for at, ok := c.peek(); ok && at < end; at, ok = c.peek() {
		list = append(list, c.next())
	}
	return list
}

// CheckAround compares the part of the keyspace that a member is sure to be expected in with the word of placement.
func CheckAround(cfg Config) error {
	cfg = cfg.withDefaults()
	s := newSwarm(&cfg)
	looked := 0
	for i := range s.members {
		m := int32(i)
		first, end := s.around(m)
		looked += int(end - first)
		for b := range s.keys {
			in := int32(b) >= first && int32(b) < end
			if !in && s.roster().Responsible(s.members[m].ident.ID, s.keys[b], cfg.Code, 0) {
				return fmt.Errorf("member %d is expected to have block %d, which is not among %d to %d", m, b, first, end)
			}
		}
	}
	if most := 5 * cfg.Code.Total * cfg.Blocks; looked > most {
		return fmt.Errorf("%d blocks looked at, more than %d", looked, most)
	}
	return nil
}
