package index

import (
	"context"
	"log/slog"

	"ventidhash/venti/arena"
)

// FlushSoon starts a flush in the background when enough has gathered, and waits for it when far too much has.
func (x *Index) FlushSoon() {
	waiting := x.waiting()
	if waiting < flushRows && x.unflushed.Load() < flushBytes {
		return
	}
	if waiting >= 8*flushRows {
		x.reportFlush(x.Flush(context.Background()))
		return
	}
	if x.flushing.CompareAndSwap(false, true) {
		x.bg.Go(func() {
			defer x.flushing.Store(false)
			x.reportFlush(x.Flush(context.Background()))
		})
	}
}

// reportFlush logs a failed flush. Nothing is lost by it: the rows are still in memory and can be had from the arenas.
func (x *Index) reportFlush(err error) {
	if err != nil {
		x.log.Warn("rows could not be written to the index; they wait in memory", slog.Any("err", err))
	}
}

// Flush writes the rows that wait to the index, and how far the index now goes. What the rows point at is made durable
// first: the datastore never says more than the arenas hold after a power cut.
func (x *Index) Flush(ctx context.Context) error {
	if x.cfg.ReadOnly {
		return x.settle(ctx)
	}
	x.flushMu.Lock()
	defer x.flushMu.Unlock()
	x.gate.Lock()
	bytes := x.unflushed.Swap(0)
	must := x.mustFlush.Swap(false)
	n := x.begin()
	ends := x.arena.Segments()
	x.gate.Unlock()
	err := x.cfg.Room.forIndex()
	if err == nil {
		err = x.writeIndex(ctx, n, ends)
	} else {
		x.abort()
	}
	if err != nil {
		x.unflushed.Add(bytes)
		if must {
			x.mustFlush.Store(true)
		}
	}
	return err
}

// settle is Flush for rows that are kept in memory.
func (x *Index) settle(ctx context.Context) error {
	x.flushMu.Lock()
	defer x.flushMu.Unlock()
	x.begin()
	return x.write(ctx, nil)
}

// writeIndex writes the n changes that begin set apart, and marks that say that all segments are indexed as far as ends
// says. The caller holds flushMu.
func (x *Index) writeIndex(ctx context.Context, n int, ends []arena.Segment) error {
	changed := x.changedMarks(ends)
	if n == 0 && len(changed) == 0 {
		x.abort()
		return nil
	}
	if err := x.arena.Sync(ctx); err != nil {
		x.abort()
		return err
	}
	if err := x.write(ctx, changed); err != nil {
		return err
	}
	for id, m := range changed {
		if m == nil {
			delete(x.marks, id)
		} else {
			x.marks[id] = *m
		}
	}
	return nil
}

// changedMarks returns how the marks have to change to say that all segments are indexed as far as ends says.
func (x *Index) changedMarks(ends []arena.Segment) map[uint32]*mark {
	changed := map[uint32]*mark{}
	there := make(map[uint32]bool, len(ends))
	for _, seg := range ends {
		there[seg.ID] = true
		m, ok := x.marks[seg.ID]
		if ok && m.end == seg.Size {
			continue
		}
		if !ok {
			m.unique, _ = x.arena.Unique(seg.ID) // zero if damaged; Verify reports that
		}
		m.end = seg.Size
		changed[seg.ID] = &m
	}
	for id := range x.marks {
		if !there[id] {
			changed[id] = nil
		}
	}
	return changed
}
