package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"ventidhash/venti/arena"
)

// Life says what is to become of a record.
type Life int

// The three lives of a record whose row points at it.
const (
	Kept    Life = iota // is needed
	Waiting             // is not needed and stays for a while
	Dead                // is to go
)

// A Compaction says what to keep. Life and Copy are needed.
type Compaction struct {
	// MinDead is the part of a segment, between 0 and 1, that has to be dead for the segment to be rewritten.
	MinDead float64

	// Life says what is to become of the record that a row points at. It is asked more than once.
	Life func(key []byte, r Row) Life

	// Copy writes a record anew with Append or AppendState, so that nothing that the row of key says needs what stands
	// at loc any more, and returns how many bytes it wrote: 0 if the row does not need it. An error that wraps
	// arena.ErrDamaged says that the record is not what it should be: Copy has noted that, and the segment stays. The
	// caller holds the lock of key. rec is the record at loc, with its data; it is the zero Record where a row needs
	// something Beside of a segment and that cannot be read.
	Copy func(ctx context.Context, key []byte, r Row, loc arena.Loc, rec arena.Record) (int64, error)

	// Bad notes that the record at r.Loc is damaged. The caller holds the lock of key.
	Bad func(key []byte, r Row)

	// Beside returns how many bytes a row needs of a segment other than those at its Loc, if any. Nil means none.
	Beside func(key []byte, r Row) (segment uint32, bytes int64)

	// Gone hears of the row of each dead record that was deleted. The caller holds the lock of key. May be nil.
	Gone func(key []byte, r Row)

	// Step is called between the steps: tests interrupt there. May be nil.
	Step func(name string) error
}

// CompactReport says what a compaction did.
type CompactReport struct {
	RowsFreed         int64
	BytesFreed        int64 // given back to the file system, less what was written anew
	SegmentsRemoved   int64 // without anything in them that had to be kept
	SegmentsRewritten int64 // after what had to be kept was copied
	BytesCopied       int64
	BytesWaiting      int64 // not needed and still there: it waits, or too little of it lies in one segment
	Damaged           int64 // needed records that cannot be read; their segments stay
}

// Compact gives the space of the dead back to the file system: it copies what has to be kept out of the segments that
// are dead for the most part, and removes them. It needs room for one segment at a time. It may be interrupted at any
// time, also by a crash, and loses nothing; the package comment says why.
func (x *Index) Compact(ctx context.Context, what Compaction) (CompactReport, error) {
	c := compactor{Index: x, what: what}
	err := c.run(ctx)
	return c.rep, err
}

// compactor is one run of Compact.
type compactor struct {
	*Index
	what Compaction
	rep  CompactReport
}

// use is what the index says about a segment.
type use struct {
	id      uint32
	size    int64 // without header
	kept    int64 // bytes of records that have to be kept
	waiting int64 // of these, what is not needed
	dead    int64
}

func (u use) deadPart() float64 { return 1 - float64(u.kept)/float64(u.size) }

func (c *compactor) run(ctx context.Context) error {
	uses, err := c.survey(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(uses, func(a, b use) int { // emptiest first: it costs least and gives most
		switch {
		case a.deadPart() > b.deadPart():
			return -1
		case a.deadPart() < b.deadPart():
			return 1
		}
		return int(int64(a.id) - int64(b.id))
	})
	for _, u := range uses {
		c.rep.BytesWaiting += u.waiting
		if u.kept == u.size || u.deadPart() < c.what.MinDead {
			c.rep.BytesWaiting += u.dead
			continue
		}
		if err := c.segment(ctx, u); err != nil {
			return err
		}
	}
	if err := c.arena.SyncDir(); err != nil {
		return err
	}
	if err := c.Flush(ctx); err != nil { // the marks of removed segments
		return err
	}
	return c.Collect(ctx)
}

// survey ends the newest segment, so that it can be rewritten too, and adds up what each of the others holds.
func (c *compactor) survey(ctx context.Context) ([]use, error) {
	if err := c.arena.Seal(); err != nil {
		return nil, err
	}
	if err := c.Flush(ctx); err != nil {
		return nil, err
	}
	by := map[uint32]*use{}
	for _, seg := range c.arena.Segments() {
		if seg.Sealed {
			by[seg.ID] = &use{id: seg.ID, size: max(1, seg.Size-arena.FirstOffset)}
		}
	}
	err := c.Walk(ctx, nil, nil, func(key []byte, r Row, err error) error {
		if err != nil {
			return err
		}
		if c.what.Beside != nil {
			if id, n := c.what.Beside(key, r); by[id] != nil {
				by[id].kept += n
			}
		}
		u, ok := by[r.Loc.Segment]
		if !ok {
			return nil
		}
		switch size := int64(r.Loc.Length); c.what.Life(key, r) {
		case Kept:
			u.kept += size
		case Waiting:
			u.kept += size
			u.waiting += size
		case Dead:
			u.dead += size
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	uses := make([]use, 0, len(by))
	for _, u := range by {
		uses = append(uses, *u)
	}
	return uses, nil
}

// found is a record at a place.
type found struct {
	key []byte
	loc arena.Loc
}

// segment copies what has to be kept out of a segment and removes it. Each step leaves everything whole.
func (c *compactor) segment(ctx context.Context, u use) error {
	seg, ok := c.arena.Segment(u.id)
	if !ok {
		return nil
	}
	// 1. Copy what has to be kept.
	before, damaged := c.rep.BytesCopied, c.rep.Damaged
	dead, err := c.copyOut(ctx, u)
	if err != nil {
		return err
	}
	if err := c.at("copied"); err != nil {
		return err
	}
	// 2. Make the copies durable and let the index point at them.
	if err := c.Flush(ctx); err != nil {
		return err
	}
	if err := c.at("moved"); err != nil {
		return err
	}
	// 3. Forget the dead ones, but for those that somebody asked for meanwhile.
	freed, err := c.forget(ctx, dead)
	if err != nil {
		return err
	}
	if err := c.at("forgotten"); err != nil {
		return err
	}
	if err := c.Flush(ctx); err != nil {
		return err
	}
	if err := c.Sync(ctx); err != nil {
		return err
	}
	if err := c.at("synced"); err != nil {
		return err
	}
	if c.rep.Damaged > damaged {
		return nil
	}
	// 4. Nothing points into the segment any more.
	if err := c.arena.Remove(u.id); err != nil {
		return err
	}
	copied := c.rep.BytesCopied - before
	c.rep.RowsFreed += freed
	c.rep.BytesFreed += seg.Size - copied
	if copied == 0 {
		c.rep.SegmentsRemoved++
	} else {
		c.rep.SegmentsRewritten++
	}
	return c.at("removed")
}

func (c *compactor) at(step string) error {
	if c.what.Step == nil {
		return nil
	}
	return c.what.Step(step)
}

// copyOut copies the records of a segment that have to be kept, and returns those that are dead.
func (c *compactor) copyOut(ctx context.Context, u use) (dead []found, err error) {
	mode := arena.Data
	if u.kept == 0 {
		mode = arena.Headers
	}
	var damaged []arena.Loc
	err = c.arena.Scan(u.id, arena.FirstOffset, mode, func(loc arena.Loc, rec arena.Record, damage error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if rec.Key == nil {
			damaged = append(damaged, loc)
			return nil
		}
		key, err := c.cfg.Key(rec.Kind, rec.Key)
		if err != nil {
			c.keepForeign(loc)
			return nil
		}
		r, ok, err := c.Lookup(ctx, key)
		switch {
		case err != nil || !ok || r.Loc != loc && c.what.Beside == nil: // another copy counts
			return err
		case r.Loc == loc && c.what.Life(key, r) == Dead:
			dead = append(dead, found{slices.Clone(key), loc})
			return nil
		}
		return c.move(ctx, key, loc)
	})
	if err != nil {
		return nil, err
	}
	more, err := c.lost(ctx, damaged)
	return append(dead, more...), err
}

// keepForeign notes a record of another kind, which this program must not lose.
func (c *compactor) keepForeign(loc arena.Loc) {
	c.rep.Damaged++
	c.log.Warn("a segment stays because it holds a record that this program does not know", slog.Any("loc", loc))
}

// lost deals with rows that point into damaged ranges of a segment. The dead ones are returned; the others are marked
// bad, and their segment stays.
func (c *compactor) lost(ctx context.Context, damage []arena.Loc) (dead []found, err error) {
	if len(damage) == 0 {
		return nil, nil
	}
	err = c.Walk(ctx, nil, nil, func(key []byte, r Row, err error) error {
		if err == nil && c.what.Beside != nil {
			if id, n := c.what.Beside(key, r); n > 0 && id == damage[0].Segment {
				err = c.copyBeside(ctx, key, id)
			}
		}
		if err != nil || !slices.ContainsFunc(damage, func(d arena.Loc) bool { return overlap(d, r.Loc) }) {
			return err
		}
		if c.what.Life(key, r) == Dead {
			dead = append(dead, found{slices.Clone(key), r.Loc})
			return nil
		}
		c.rep.Damaged++
		defer c.Lock(key).Unlock()
		now, ok, err := c.Lookup(ctx, key)
		if err == nil && ok && now.Loc == r.Loc {
			c.what.Bad(key, now)
		}
		return err
	})
	return dead, err
}

// copyBeside has written anew what a row needs of a damaged segment beside the record that it points at.
func (c *compactor) copyBeside(ctx context.Context, key []byte, segment uint32) error {
	defer c.Lock(key).Unlock()
	r, ok, err := c.Lookup(ctx, key)
	if err != nil || !ok {
		return err
	}
	if id, n := c.what.Beside(key, r); n == 0 || id != segment {
		return nil
	}
	n, err := c.what.Copy(ctx, key, r, arena.Loc{Segment: segment}, arena.Record{})
	c.rep.BytesCopied += n
	return err
}

func overlap(a, b arena.Loc) bool {
	return a.Segment == b.Segment && int64(a.Offset) < b.End() && int64(b.Offset) < a.End()
}

// move copies what the row of a key needs of the record at loc.
func (c *compactor) move(ctx context.Context, key []byte, loc arena.Loc) error {
	defer c.Lock(key).Unlock()
	r, ok, err := c.Lookup(ctx, key)
	if err != nil || !ok || r.Loc != loc && c.what.Beside == nil {
		return err
	}
	rec, err := c.arena.Read(loc, nil)
	if err == nil {
		var n int64
		n, err = c.what.Copy(ctx, key, r, loc, rec)
		c.rep.BytesCopied += n
	} else if errors.Is(err, arena.ErrDamaged) && r.Loc == loc {
		c.what.Bad(key, r)
	}
	if errors.Is(err, arena.ErrDamaged) {
		c.rep.Damaged++
		return nil
	}
	if err != nil {
		return fmt.Errorf("copying a record of segment %08x: %w", loc.Segment, err)
	}
	return nil
}

// forget deletes the rows of dead records, and returns how many. One that is not dead any more is copied instead.
// Whoever takes a record back into use holds the lock of its key, as this does: it comes either before, and the record
// stays, or after, and the record is gone as if it had never been.
func (c *compactor) forget(ctx context.Context, dead []found) (freed int64, err error) {
	for _, d := range dead {
		if err := ctx.Err(); err != nil {
			return freed, err
		}
		gone, err := c.forgetOne(ctx, d)
		if err != nil {
			return freed, err
		}
		if gone {
			freed++
		} else if err := c.move(ctx, d.key, d.loc); err != nil {
			return freed, err
		}
	}
	return freed, nil
}

func (c *compactor) forgetOne(ctx context.Context, d found) (bool, error) {
	defer c.Lock(d.key).Unlock()
	r, ok, err := c.Lookup(ctx, d.key)
	if err != nil || !ok || r.Loc != d.loc || c.what.Life(d.key, r) != Dead {
		return false, err
	}
	c.Remove(d.key)
	if c.what.Gone != nil {
		c.what.Gone(d.key, r)
	}
	return true, nil
}
