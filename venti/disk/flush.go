package disk

import (
	"context"
	"log/slog"

	"ventidhash/venti/arena"
)

// flushSoon starts a flush in the background when enough has gathered, and waits for it when far too much has.
func (c *core) flushSoon() {
	waiting := c.x.waiting()
	if waiting < flushRows && c.unflushed.Load() < flushBytes {
		return
	}
	if waiting >= 8*flushRows {
		c.reportFlush(c.flush(context.Background()))
		return
	}
	if c.flushing.CompareAndSwap(false, true) {
		c.bg.Go(func() {
			defer c.flushing.Store(false)
			c.reportFlush(c.flush(context.Background()))
		})
	}
}

// reportFlush logs a failed flush. Nothing is lost by it: the rows are still in memory and can be had from the arenas.
func (c *core) reportFlush(err error) {
	if err != nil {
		c.log.Warn("rows could not be written to the index; they wait in memory", slog.Any("err", err))
	}
}

// flush writes the rows that wait to the index, and how far the index now goes. What the rows point at is made durable
// first: the index never says more than the arenas hold after a power cut.
func (c *core) flush(ctx context.Context) error {
	c.flushMu.Lock()
	defer c.flushMu.Unlock()
	c.gate.Lock()
	bytes := c.unflushed.Swap(0)
	must := c.mustFlush.Swap(false)
	n := c.x.begin()
	ends := c.arena.Segments()
	c.gate.Unlock()
	err := c.room.forIndex(c.cfg)
	if err == nil {
		err = c.writeIndex(ctx, n, ends)
	} else {
		c.x.abort()
	}
	if err != nil {
		c.unflushed.Add(bytes)
		if must {
			c.mustFlush.Store(true)
		}
	}
	return err
}

// settle is flush for a store that can only be read, whose index is in memory.
func (c *core) settle(ctx context.Context) error {
	c.flushMu.Lock()
	defer c.flushMu.Unlock()
	c.x.begin()
	return c.x.write(ctx, nil)
}

// writeIndex writes the n changes that begin set apart, and marks that say that all segments are indexed as far as ends
// says. The caller holds flushMu.
func (c *core) writeIndex(ctx context.Context, n int, ends []arena.Segment) error {
	changed := c.changedMarks(ends)
	if n == 0 && len(changed) == 0 {
		c.x.abort()
		return nil
	}
	if err := c.arena.Sync(ctx); err != nil {
		c.x.abort()
		return err
	}
	if err := c.x.write(ctx, changed); err != nil {
		return err
	}
	for id, m := range changed {
		if m == nil {
			delete(c.marks, id)
		} else {
			c.marks[id] = *m
		}
	}
	return nil
}

// changedMarks returns how the marks have to change to say that all segments are indexed as far as ends says.
func (c *core) changedMarks(ends []arena.Segment) map[uint32]*mark {
	changed := map[uint32]*mark{}
	there := make(map[uint32]bool, len(ends))
	for _, seg := range ends {
		there[seg.ID] = true
		m, ok := c.marks[seg.ID]
		if ok && m.end == seg.Size {
			continue
		}
		if !ok {
			m.unique, _ = c.arena.Unique(seg.ID) // zero if damaged; Verify reports that
		}
		m.end = seg.Size
		changed[seg.ID] = &m
	}
	for id := range c.marks {
		if !there[id] {
			changed[id] = nil
		}
	}
	return changed
}
