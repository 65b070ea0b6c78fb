package disk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"time"

	"github.com/ipfs/go-datastore"

	"ventidhash/venti/arena"
)

// openCore opens arenas and index and makes the index say all that the arenas hold.
func openCore(ctx context.Context, cfg Config, storeID string, floor uint64) (*core, error) {
	a, err := arena.Open(arena.Config{
		Dir: filepath.Join(cfg.Dir, "arenas"), SegmentSize: cfg.SegmentSize, ReadOnly: cfg.readOnly, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	c := &core{cfg: cfg, log: cfg.Log, arena: a, floor: floor, close: func() error { return nil }}
	if cfg.readOnly {
		c.x = newIndex(datastore.NewMapDatastore())
	} else {
		err = c.openBadger(ctx, storeID)
	}
	if err == nil {
		err = c.compare(ctx)
		if errors.Is(err, errIndex) { // not damaged, but not these arenas' either
			c.log.Warn("the index does not fit the arenas; building it anew", slog.Any("why", err))
			err = errors.Join(c.close(), discardIndex(c.indexDir()))
			if err == nil {
				err = c.openBadger(ctx, storeID)
			}
			if err == nil {
				err = c.compare(ctx)
			}
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.close(), a.Close())
	}
	return c, nil
}

func (c *core) indexDir() string { return filepath.Join(c.cfg.Dir, "index") }

func (c *core) openBadger(ctx context.Context, storeID string) error {
	ds, why, err := openIndex(ctx, c.indexDir(), storeID)
	if err != nil {
		return err
	}
	if why != nil {
		c.log.Warn("the index is damaged; building it anew from the arenas", slog.Any("why", why))
	}
	c.x = newIndex(ds)
	c.close = func() error {
		c.close = func() error { return nil }
		return closeBadger(ds)
	}
	return nil
}

// compare reads, of every segment, what lies behind its mark, and makes rows of it. Segments that the index does not
// know are read whole. It returns errIndex if a mark says that the index knows more than there is.
//
// What is read again overrides what the index has: the later of two copies of a block is the one that was written
// because the earlier was bad, or is a copy that Reclaim made. A trash flag is lost by that, which errs on the safe
// side.
func (c *core) compare(ctx context.Context) error {
	marks, err := c.x.marks(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errIndex, err)
	}
	c.marks = marks
	began := time.Now()
	var rep replay
	segments := c.arena.Segments()
	for i, seg := range segments {
		newest := i == len(segments)-1
		from, err := c.checkMark(seg, newest)
		if err != nil {
			return err
		}
		if from >= seg.Size {
			continue
		}
		mode := arena.Headers
		if i >= len(segments)-2 { // may hold what was never synced
			mode = arena.Data
		}
		if err := c.replaySegment(ctx, seg, uint32(from), mode, &rep); err != nil {
			return err
		}
	}
	if rep.rows >= flushRows || rep.damaged > 0 {
		sec := time.Since(began).Seconds()
		c.log.Info("read rows of the index from the arenas", slog.Int("rows", rep.rows), slog.Int("damaged", rep.damaged),
			slog.Float64("seconds", sec), slog.Int("rows_per_s", int(float64(rep.rows)/sec)),
			slog.Int("MB_per_s", int(float64(rep.bytes)/sec/1e6)))
	}
	return nil
}

// checkMark returns from where a segment has to be read. Only of the segments that changed, and of the newest, the
// unique id is compared: that reads the file.
func (c *core) checkMark(seg arena.Segment, newest bool) (from int64, err error) {
	m, ok := c.marks[seg.ID]
	switch {
	case !ok:
		return 0, nil
	case m.end > seg.Size:
		return 0, fmt.Errorf("%w: it knows segment %08x up to %d, which ends at %d", errIndex, seg.ID, m.end, seg.Size)
	case m.end == seg.Size && !newest:
		return m.end, nil
	}
	unique, err := c.arena.Unique(seg.ID)
	if errors.Is(err, arena.ErrDamaged) {
		return m.end, nil
	}
	if err == nil && unique != m.unique && m.unique != [16]byte{} {
		return 0, fmt.Errorf("%w: segment %08x is not the one that it knows", errIndex, seg.ID)
	}
	return m.end, err
}

// replay counts what was read from the arenas again.
type replay struct {
	rows    int
	bytes   int64
	damaged int
	done    []arena.Segment // segments, as far as they were read
}

// replaySegment makes rows of the records of a segment from an offset on.
func (c *core) replaySegment(ctx context.Context, seg arena.Segment, from uint32, mode arena.ScanMode, rep *replay) error {
	rep.done = append(rep.done, arena.Segment{ID: seg.ID})
	done := &rep.done[len(rep.done)-1]
	err := c.arena.Scan(seg.ID, from, mode, func(loc arena.Loc, rec arena.Record, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		done.Size = loc.End()
		if err != nil {
			rep.damaged++
			c.log.Warn("damaged record in the arenas", slog.Any("err", err))
			return nil
		}
		if rec.Kind != kindBlock {
			c.log.Warn("record of a kind that this program does not know", slog.Int("kind", int(rec.Kind)),
				slog.Any("loc", loc))
			return nil
		}
		s, err := parseScoreKey(rec.Key)
		if err != nil {
			c.log.Warn("record with a key that this program does not know", slog.Any("err", err), slog.Any("loc", loc))
			return nil
		}
		rep.rows++
		rep.bytes += int64(loc.Length)
		if c.x.set(s, row{loc: loc}) >= flushRows {
			return c.replayFlush(ctx, rep)
		}
		return nil
	})
	done.Size = seg.Size
	c.unflushed.Add(seg.Size - int64(from))
	return err
}

// replayFlush writes the rows read so far, with marks as far as they go. The index is left a moment to sort itself now
// and then: loading rows at full speed takes half a gigabyte of memory for each million of them.
func (c *core) replayFlush(ctx context.Context, rep *replay) error {
	c.flushMu.Lock()
	defer c.flushMu.Unlock()
	n := c.x.begin()
	if c.cfg.readOnly {
		return c.x.write(ctx, nil)
	}
	ends := c.knownEnds(rep)
	c.unflushed.Store(0)
	if err := c.writeIndex(ctx, n, ends); err != nil {
		return err
	}
	if rep.rows%(8*flushRows) < flushRows {
		runtime.GC()
	}
	return nil
}

// knownEnds returns how far each segment is indexed while the replay goes on: as the marks say, or as it was read.
func (c *core) knownEnds(rep *replay) []arena.Segment {
	ends := make([]arena.Segment, 0, len(c.marks)+len(rep.done))
	seen := map[uint32]bool{}
	for _, d := range rep.done {
		ends = append(ends, d)
		seen[d.ID] = true
	}
	for id, m := range c.marks {
		if _, there := c.arena.Segment(id); there && !seen[id] {
			ends = append(ends, arena.Segment{ID: id, Size: m.end})
		}
	}
	return ends
}
