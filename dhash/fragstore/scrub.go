package fragstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ventidhash/venti"
	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

// Damage is something that Scrub found.
type Damage struct {
	Name Name  // of the fragment; zero if nothing tells which one it was
	Err  error // what is wrong; wraps venti.ErrCorrupt
}

// ScrubReport sums up what a call of Scrub looked at.
type ScrubReport struct {
	Fragments int64 // that were hashed
	Bytes     int64 // that were read
	Damaged   int64 // fragments, and ranges of which nothing tells what they held
	Missing   int64 // rows that the index lacked and has now
	Dangling  int64 // rows that pointed at nothing and are gone now
	Done      bool  // the end was reached; the next call begins from the start
}

const scrubName = "scrub"

// Scrub hashes the fragments on the disk in turn, and compares the index with them: it goes on where the last call
// stopped, in this process or before, and stops when it has read about limit bytes (a segment's record at least) or has
// come to the end. The caller sees to the pace. fn hears of each damage; it may be nil.
//
// A damaged fragment is not here any more as far as Have and Get are concerned, so repair brings it back. What the index
// lacked it has afterwards.
func (s *Store) Scrub(ctx context.Context, limit int64, fn func(Damage)) (ScrubReport, error) {
	if err := s.enter(ctx); err != nil {
		return ScrubReport{}, err
	}
	defer s.leave()
	s.tend.Lock()
	defer s.tend.Unlock()
	c := scrub{Store: s, limit: limit, fn: fn}
	if err := c.run(ctx); err != nil {
		return c.rep, fmt.Errorf("scrubbing the fragments: %w", unavailable(err))
	}
	s.x.FlushSoon()
	return c.rep, unavailable(s.x.Collect(ctx))
}

// scrub is one call of Scrub.
type scrub struct {
	*Store
	limit   int64
	fn      func(Damage)
	rep     ScrubReport
	damaged []arena.Loc // ranges of which nothing tells what they held
}

var errEnough = errors.New("enough for now")

func (c *scrub) report(n Name, err error) {
	c.rep.Damaged++
	if c.fn != nil {
		if !errors.Is(err, venti.ErrCorrupt) {
			err = fmt.Errorf("%w: %w", venti.ErrCorrupt, err)
		}
		c.fn(Damage{Name: n, Err: err})
	}
}

func (c *scrub) run(ctx context.Context) error {
	at := c.cursor()
	for _, seg := range c.arena.Segments() {
		if seg.ID < at.segment || seg.ID == at.segment && int64(at.offset) >= seg.Size {
			continue
		}
		from := uint32(0)
		if seg.ID == at.segment {
			from = at.offset
		}
		err := c.arena.Scan(seg.ID, from, arena.Data, func(loc arena.Loc, rec arena.Record, damage error) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := c.record(ctx, loc, rec, damage); err != nil {
				return err
			}
			at = place{seg.ID, uint32(loc.End())}
			if c.rep.Bytes += int64(loc.Length); c.rep.Bytes >= c.limit {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return errors.Join(c.lost(ctx), c.setCursor(at))
		}
		if err != nil && !errors.Is(err, arena.ErrGone) {
			return errors.Join(err, c.setCursor(at))
		}
	}
	if err := errors.Join(c.lost(ctx), c.dangling(ctx)); err != nil {
		return err
	}
	c.rep.Done = true
	return c.setCursor(place{})
}

// cursor returns up to where the fragments were scrubbed. A file that makes no sense begins the round anew.
func (c *scrub) cursor() (p place) {
	b, err := os.ReadFile(filepath.Join(c.cfg.Dir, scrubName))
	if err != nil {
		return place{}
	}
	if n, err := fmt.Sscanf(string(b), "%d %d\n", &p.segment, &p.offset); err != nil || n != 2 {
		return place{}
	}
	if _, there := c.arena.Segment(p.segment); !there {
		p.offset = 0
	}
	return p
}

func (c *scrub) setCursor(p place) error {
	path := filepath.Join(c.cfg.Dir, scrubName)
	if p == (place{}) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	return os.WriteFile(path, fmt.Appendf(nil, "%d %d\n", p.segment, p.offset), 0o600)
}

// record looks at one record.
func (c *scrub) record(ctx context.Context, loc arena.Loc, rec arena.Record, damage error) error {
	if rec.Key == nil {
		c.damaged = append(c.damaged, loc)
		return nil
	}
	key, err := indexKey(rec.Kind, rec.Key)
	if err != nil || rec.Kind == kindDiversion {
		return nil // another program's, or a hint
	}
	if rec.Kind == kindClaims {
		return c.claimsRecord(ctx, key, loc, rec, damage)
	}
	c.rep.Fragments++
	return c.fragment(ctx, key, loc, rec, damage)
}

// fragment compares a fragment's record with its row.
func (c *scrub) fragment(ctx context.Context, key []byte, loc arena.Loc, rec arena.Record, damage error) error {
	defer c.x.Lock(key).Unlock()
	r, ok, err := c.byKey(ctx, key)
	if err != nil || ok && r.loc != loc { // another copy counts
		return err
	}
	name := r.name
	if !ok {
		name, err = parseRecordKey(rec.Key)
	}
	now := r
	if err == nil && damage == nil {
		if now, _, err = parseFragmentRecord(name, loc, rec); err == nil && ok && now.name != name {
			err = errors.New("the payload is not the coding's")
		}
	}
	if damage = errors.Join(damage, err); damage != nil {
		c.report(name, damage)
		if ok && !r.bad {
			c.bad(key, r.indexRow())
		}
		return nil
	}
	switch {
	case !ok:
		c.rep.Missing++
		c.x.Set(key, now.indexRow())
		c.recount(nil, &now)
	case r.bad: // it was the cable, not the disk
		now = r
		now.bad = false
		c.x.Set(key, now.indexRow())
		c.recount(&r, &now)
	}
	return nil
}

// claimsRecord compares a record of claims with the row of its fragment.
func (c *scrub) claimsRecord(ctx context.Context, key []byte, loc arena.Loc, rec arena.Record, damage error) error {
	at := placeOf(loc)
	if damage != nil {
		return c.claimAgain(ctx, key, at)
	}
	defer c.x.Lock(key).Unlock()
	r, ok, err := c.byKey(ctx, key)
	if err != nil || !ok {
		return err
	}
	if at.before(r.at) || at == r.at || at.before(placeOf(r.loc)) {
		return nil
	}
	said, err := parseClaimsData(rec.Data)
	if err != nil {
		return nil // it says nothing
	}
	c.rep.Missing++
	now := r
	now.claims, now.at = said, at
	c.x.Set(key, now.indexRow())
	c.recount(&r, &now)
	return nil
}

// lost deals with rows that point into damaged ranges.
func (c *scrub) lost(ctx context.Context) error {
	if len(c.damaged) == 0 {
		return nil
	}
	named := make([]bool, len(c.damaged))
	err := c.x.Walk(ctx, nil, nil, func(key []byte, x index.Row, err error) error {
		if err != nil {
			return err
		}
		r, err := parseRow(key, x)
		if err != nil {
			return nil // a diversion, or seen to at Open
		}
		for i, d := range c.damaged {
			if d.Segment == r.at.segment && d.Offset <= r.at.offset && int64(r.at.offset) < d.End() {
				named[i] = true
				if err := c.claimAgain(ctx, key, r.at); err != nil {
					return err
				}
			}
			if d.Segment != r.loc.Segment || int64(d.Offset) >= r.loc.End() || int64(r.loc.Offset) >= d.End() {
				continue
			}
			named[i] = true
			c.report(r.name, errors.New("its record cannot be read"))
			if _, err := c.markBad(ctx, key, r.loc); err != nil {
				return err
			}
		}
		return nil
	})
	for i, d := range c.damaged {
		if !named[i] {
			c.report(Name{}, fmt.Errorf("%d bytes at segment %08x, offset %d are no record", d.Length, d.Segment, d.Offset))
		}
	}
	c.damaged = nil
	return err
}

// claimAgain writes anew who claims a fragment: the row still knows what the record at a place said.
func (c *scrub) claimAgain(ctx context.Context, key []byte, at place) error {
	defer c.x.Lock(key).Unlock()
	r, ok, err := c.byKey(ctx, key)
	if err != nil || !ok || r.at != at {
		return err
	}
	return c.appendClaims(r)
}

// dangling removes rows that point at nothing.
func (c *scrub) dangling(ctx context.Context) error {
	return c.x.Walk(ctx, nil, nil, func(key []byte, x index.Row, err error) error {
		if err != nil {
			return err
		}
		r, err := parseRow(key, x)
		if err != nil {
			return nil
		}
		if seg, there := c.arena.Segment(r.loc.Segment); there && r.loc.End() <= seg.Size {
			return nil
		}
		defer c.x.Lock(key).Unlock()
		now, ok, err := c.x.Lookup(ctx, key)
		if err != nil || !ok || now.Loc != r.loc {
			return err // moved since
		}
		c.rep.Dangling++
		c.x.Remove(key)
		if _, there := c.arena.Segment(r.loc.Segment); there {
			c.recount(&r, nil)
		}
		return nil
	})
}
