package disk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/ipfs/go-datastore"

	"ventidhash/venti"
	"ventidhash/venti/arena"
)

// ReclaimConfig says how eager Reclaim is. The zero value is usable.
type ReclaimConfig struct {
	// MinDead is the part of a segment, between 0 and 1, that has to be dead for the segment to be rewritten. Zero
	// means 0.1.
	MinDead float64
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c ReclaimConfig) Validate() error {
	if !(c.MinDead >= 0 && c.MinDead <= 1) {
		return fmt.Errorf("disk: MinDead is %v, not within 0 and 1", c.MinDead)
	}
	return nil
}

// ReclaimReport says what Reclaim did.
type ReclaimReport struct {
	BlocksFreed       int64
	BytesFreed        int64 // given back to the file system, less what was written anew
	SegmentsRemoved   int64 // without anything in them that had to be kept
	SegmentsRewritten int64 // after what had to be kept was copied
	BytesCopied       int64
	BytesWaiting      int64 // trash that stays: somebody may still need it, or too little of it lies in one segment
	Damaged           int64 // needed records that cannot be read; their segments stay
}

// Reclaim gives the space of settled trash back to the file system: it copies what has to be kept out of the segments
// that are dead for the most part, and removes them. It needs room for one segment at a time. Segments that are hardly
// dead stay as they are, and so does the trash in them.
//
// It calls Own. It may be interrupted at any time, also by a crash, and loses nothing; the package comment says why.
func (s *Store) Reclaim(ctx context.Context, settled Settled, cfg ReclaimConfig) (rep ReclaimReport, err error) {
	if err := cfg.Validate(); err != nil {
		return rep, err
	}
	if cfg.MinDead == 0 {
		cfg.MinDead = 0.1
	}
	err = s.tend(ctx, true, func(c *core) error {
		r := reclaimer{core: c, settled: settled, cfg: cfg}
		err := r.run(ctx)
		rep = r.rep
		return err
	})
	if err != nil {
		err = fmt.Errorf("reclaiming space: %w", err)
	}
	return rep, err
}

// reclaimer is one run of Reclaim.
type reclaimer struct {
	*core
	settled Settled
	cfg     ReclaimConfig
	rep     ReclaimReport
}

// use is what the index says about a segment.
type use struct {
	id      uint32
	size    int64 // without header
	kept    int64 // bytes of records that have to be kept
	trash   int64 // bytes of trash, settled or not
	waiting int64 // bytes of trash that is not settled
}

func (u use) deadPart() float64 { return 1 - float64(u.kept)/float64(u.size) }

func (r *reclaimer) run(ctx context.Context) error {
	uses, err := r.survey(ctx)
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
		if u.kept == u.size || u.deadPart() < r.cfg.MinDead {
			r.rep.BytesWaiting += u.trash
			continue
		}
		if err := r.segment(ctx, u); err != nil {
			return err
		}
	}
	if err := r.arena.SyncDir(); err != nil {
		return err
	}
	if err := r.flush(ctx); err != nil { // the marks of removed segments
		return err
	}
	return r.collect(ctx)
}

// survey ends the newest segment, so that it can be rewritten too, and adds up what each of the others holds.
func (r *reclaimer) survey(ctx context.Context) ([]use, error) {
	if err := r.arena.Seal(); err != nil {
		return nil, err
	}
	if err := r.flush(ctx); err != nil {
		return nil, err
	}
	by := map[uint32]*use{}
	for _, seg := range r.arena.Segments() {
		if seg.Sealed {
			by[seg.ID] = &use{id: seg.ID, size: max(1, seg.Size-arena.FirstOffset)}
		}
	}
	err := r.x.rows(ctx, func(_ venti.Score, w row, err error) error {
		u, ok := by[w.loc.Segment]
		if err != nil || !ok {
			return err
		}
		if !r.dead(w, r.settled) {
			u.kept += int64(w.loc.Length)
		}
		if w.trash {
			u.trash += int64(w.loc.Length)
			if !r.dead(w, r.settled) {
				u.waiting += int64(w.loc.Length)
			}
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

// segment copies what has to be kept out of a segment and removes it. Each step leaves the store whole.
func (r *reclaimer) segment(ctx context.Context, u use) error {
	seg, ok := r.arena.Segment(u.id)
	if !ok {
		return nil
	}
	r.rep.BytesWaiting += u.waiting
	// 1. Copy what has to be kept.
	before, damaged := r.rep.BytesCopied, r.rep.Damaged
	dead, err := r.copyOut(ctx, u)
	if err != nil {
		return err
	}
	if err := r.at("copied"); err != nil {
		return err
	}
	// 2. Make the copies durable and let the index point at them.
	if err := r.flush(ctx); err != nil {
		return err
	}
	if err := r.at("moved"); err != nil {
		return err
	}
	// 3. Forget the dead ones, but for those that somebody asked for meanwhile.
	freed, err := r.forget(ctx, dead)
	if err != nil {
		return err
	}
	if err := r.at("forgotten"); err != nil {
		return err
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	if err := r.x.sync(ctx); err != nil {
		return err
	}
	if err := r.at("synced"); err != nil {
		return err
	}
	if r.rep.Damaged > damaged {
		return nil
	}
	// 4. Nothing points into the segment any more.
	if err := r.arena.Remove(u.id); err != nil {
		return err
	}
	copied := r.rep.BytesCopied - before
	r.rep.BlocksFreed += freed
	r.rep.BytesFreed += seg.Size - copied
	if copied == 0 {
		r.rep.SegmentsRemoved++
	} else {
		r.rep.SegmentsRewritten++
	}
	return r.at("removed")
}

// at is where tests interrupt.
func (c *core) at(step string) error {
	if c.step == nil {
		return nil
	}
	return c.step(step)
}

// copyOut copies the records of a segment that have to be kept, and returns those that are dead.
func (r *reclaimer) copyOut(ctx context.Context, u use) (dead []located, err error) {
	mode := arena.Data
	if u.kept == 0 {
		mode = arena.Headers
	}
	var damaged []arena.Loc
	err = r.arena.Scan(u.id, arena.FirstOffset, mode, func(loc arena.Loc, rec arena.Record, damage error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if rec.Key == nil {
			damaged = append(damaged, loc)
			return nil
		}
		s, err := parseScoreKey(rec.Key)
		if err != nil || rec.Kind != kindBlock {
			r.keepForeign(loc)
			return nil
		}
		w, ok, err := r.x.lookup(ctx, s)
		switch {
		case err != nil || !ok || w.loc != loc: // another copy counts
			return err
		case r.dead(w, r.settled):
			dead = append(dead, located{s, loc})
			return nil
		}
		_, err = r.move(ctx, s, loc)
		return err
	})
	if err != nil {
		return nil, err
	}
	more, err := r.lost(ctx, damaged)
	return append(dead, more...), err
}

// keepForeign notes a record of another kind, which this program must not lose.
func (r *reclaimer) keepForeign(loc arena.Loc) {
	r.rep.Damaged++
	r.log.Warn("a segment stays because it holds a record that this program does not know", slog.Any("loc", loc))
}

// lost deals with rows that point into damaged ranges of a segment. The dead ones are returned; the others are marked
// bad, and their segment stays.
func (r *reclaimer) lost(ctx context.Context, damage []arena.Loc) (dead []located, err error) {
	if len(damage) == 0 {
		return nil, nil
	}
	err = r.x.rows(ctx, func(s venti.Score, w row, err error) error {
		if err != nil || !slices.ContainsFunc(damage, func(d arena.Loc) bool { return overlap(d, w.loc) }) {
			return err
		}
		if r.dead(w, r.settled) {
			dead = append(dead, located{s, w.loc})
			return nil
		}
		r.rep.Damaged++
		return r.setBad(ctx, s, w.loc, true)
	})
	return dead, err
}

func overlap(a, b arena.Loc) bool {
	return a.Segment == b.Segment && int64(a.Offset) < b.End() && int64(b.Offset) < a.End()
}

// move copies one record to the newest segment if its row still points at loc, and reports whether it did.
func (r *reclaimer) move(ctx context.Context, s venti.Score, loc arena.Loc) (bool, error) {
	defer r.lockScore(s).Unlock()
	w, ok, err := r.x.lookup(ctx, s)
	if err != nil || !ok || w.loc != loc {
		return false, err
	}
	block, err := r.read(s, w)
	if errors.Is(err, venti.ErrCorrupt) {
		r.rep.Damaged++
		w.bad = true
		r.setState(s, w)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	w.bad = false
	to, err := r.append(s, w, block)
	if err != nil {
		return false, err
	}
	if w.trash {
		r.mustFlush.Store(true)
	}
	r.rep.BytesCopied += int64(to.Length)
	return true, nil
}

// forget deletes the rows of dead blocks, and returns how many. One that was taken out of the trash meanwhile is copied
// instead. Taking a block out of the trash holds its stripe, as this does: it comes either before, and the block stays,
// or after, and the block is gone as if it had never been.
func (r *reclaimer) forget(ctx context.Context, dead []located) (freed int64, err error) {
	for _, d := range dead {
		if err := ctx.Err(); err != nil {
			return freed, err
		}
		gone, err := r.forgetOne(ctx, d)
		if err != nil {
			return freed, err
		}
		if gone {
			freed++
		} else if _, err := r.move(ctx, d.score, d.loc); err != nil {
			return freed, err
		}
	}
	return freed, nil
}

func (r *reclaimer) forgetOne(ctx context.Context, d located) (bool, error) {
	defer r.lockScore(d.score).Unlock()
	w, ok, err := r.x.lookup(ctx, d.score)
	if err != nil {
		return false, err
	}
	if !ok || w.loc != d.loc || !r.dead(w, r.settled) {
		return false, nil
	}
	r.x.remove(d.score)
	r.mustFlush.Store(true)
	return true, nil
}

// collect gives back what the index itself has too much of, if it is worth the time.
func (r *reclaimer) collect(ctx context.Context) error {
	gc, ok := r.x.ds.(datastore.GCDatastore)
	logs, err := filepath.Glob(filepath.Join(r.indexDir(), "*.vlog"))
	if !ok || err != nil || len(logs) < 4 {
		return err
	}
	return gc.CollectGarbage(ctx)
}
