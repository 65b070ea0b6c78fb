package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
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
	c.bulk = func(fill func(write func([]located) error) error) error {
		err := errors.Join(bulkBadger(ds, fill), c.close())
		if err != nil {
			return err
		}
		return c.openBadger(ctx, storeID) // which puts back what says whose index it is
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
	segments := c.arena.Segments()
	if len(marks) == 0 && c.bulk != nil {
		return c.rebuild(ctx, segments)
	}
	var rep replay
	for i, seg := range segments {
		newest := i == len(segments)-1
		from, err := c.checkMark(seg, newest)
		if err != nil {
			return err
		}
		if from >= seg.Size {
			continue
		}
		if err := c.replaySegment(ctx, seg, uint32(from), replayMode(segments, i), &rep); err != nil {
			return err
		}
	}
	if err := c.replayRest(ctx, &rep); err != nil {
		return err
	}
	rep.log(c.log, began)
	return nil
}

// log says how a replay went, if it was worth mentioning.
func (rep *replay) log(log *slog.Logger, began time.Time) {
	if rep.rows < flushRows && rep.damaged == 0 {
		return
	}
	sec := time.Since(began).Seconds()
	log.Info("read rows of the index from the arenas", slog.Int("rows", rep.rows), slog.Int("damaged", rep.damaged),
		slog.Float64("seconds", sec), slog.Int("rows_per_s", int(float64(rep.rows)/sec)),
		slog.Int("MB_per_s", int(float64(rep.bytes)/sec/1e6)))
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

// replayChunk is how many rows are gathered and sorted before they are written. Rows that come in the order of their keys
// cost Badger a fraction of the time and of the memory that it takes to sort them itself.
const replayChunk = 256 << 10

// replay is a reading of arenas for the index.
type replay struct {
	rows    int
	bytes   int64
	damaged int
	again   bool            // it was all looked at before
	chunk   []located       // not written yet, in the order of the arenas
	done    []arena.Segment // segments, as far as they were read
}

// replaySegment makes rows of the records of a segment from an offset on.
func (c *core) replaySegment(ctx context.Context, seg arena.Segment, from uint32, mode arena.ScanMode, rep *replay) error {
	at := len(rep.done)
	rep.done = append(rep.done, arena.Segment{ID: seg.ID})
	err := c.scanBlocks(ctx, seg.ID, from, mode, rep, func(l located) error {
		rep.done[at].Size = l.loc.End()
		rep.chunk = append(rep.chunk, l)
		if len(rep.chunk) == replayChunk {
			return c.replayChunk(ctx, rep)
		}
		return nil
	})
	rep.done[at].Size = seg.Size
	return err
}

// scanBlocks calls fn for each block in a segment from an offset on, and logs what else it finds there.
func (c *core) scanBlocks(ctx context.Context, id, from uint32, mode arena.ScanMode, rep *replay, fn func(located) error) error {
	return c.arena.Scan(id, from, mode, func(loc arena.Loc, rec arena.Record, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil && rep.again {
			return nil
		}
		if err != nil {
			rep.damaged++
			c.log.Warn("damaged record in the arenas", slog.Any("err", err))
			return nil
		}
		s, err := parseScoreKey(rec.Key)
		if err != nil || rec.Kind != kindBlock {
			if rep.again {
				return nil
			}
			c.log.Warn("record that this program does not know", slog.Int("kind", int(rec.Kind)), slog.Any("loc", loc),
				slog.Any("err", err))
			return nil
		}
		rep.rows++
		rep.bytes += int64(loc.Length)
		return fn(located{s, loc})
	})
}

// replayMode returns how to read a segment: the newest two may hold what was never synced, and are checked.
func replayMode(segments []arena.Segment, i int) arena.ScanMode {
	if i >= len(segments)-2 {
		return arena.Data
	}
	return arena.Headers
}

// replayChunk writes the rows read so far, in the order of scores, with marks that say how far the arenas were read.
func (c *core) replayChunk(ctx context.Context, rep *replay) error {
	rep.chunk = sortBlocks(rep.chunk)
	for part := range slices.Chunk(rep.chunk, flushRows) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.x.load(ctx, part); err != nil {
			return err
		}
	}
	rep.chunk = rep.chunk[:0]
	if c.cfg.readOnly {
		return nil
	}
	c.flushMu.Lock()
	defer c.flushMu.Unlock()
	return c.writeIndex(ctx, c.x.begin(), c.knownEnds(rep))
}

// sortBlocks sorts blocks by score, and keeps of several copies of one the last.
func sortBlocks(list []located) []located {
	slices.SortStableFunc(list, func(a, b located) int { return bytes.Compare(a.score[:], b.score[:]) })
	out := list[:0]
	for i, l := range list {
		if i+1 < len(list) && list[i+1].score == l.score {
			continue
		}
		out = append(out, l)
	}
	return out
}

// replayRest deals with the last rows of a replay. Few of them wait in memory like rows of blocks just put.
func (c *core) replayRest(ctx context.Context, rep *replay) error {
	if len(rep.chunk) > flushRows {
		return c.replayChunk(ctx, rep)
	}
	for _, l := range rep.chunk {
		c.x.set(l.score, row{loc: l.loc})
		c.unflushed.Add(int64(l.loc.Length))
	}
	rep.chunk = nil
	return nil
}

// knownEnds returns how far each segment is indexed while the replay goes on: as the marks say, or as it was read.
func (c *core) knownEnds(rep *replay) []arena.Segment {
	ends := slices.Clone(rep.done)
	seen := map[uint32]bool{}
	for _, d := range rep.done {
		seen[d.ID] = true
	}
	for id, m := range c.marks {
		if _, there := c.arena.Segment(id); there && !seen[id] {
			ends = append(ends, arena.Segment{ID: id, Size: m.end})
		}
	}
	return ends
}
