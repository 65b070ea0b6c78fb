package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"ventidhash/venti/arena"
)

// compare reads, of every segment, what lies behind its mark, and makes rows of it. Segments that the index does not
// know are read whole. It returns ErrDamaged if a mark says that the index knows more than there is.
//
// What is read again overrides what the index has, or is merged with it: of two records with the same key the later one
// was written because it says more, or because the earlier was bad, or is a copy that a compaction made. What Set said
// of such a key is lost.
func (x *Index) compare(ctx context.Context) error {
	marks, err := x.readMarks(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	x.marks = marks
	began := time.Now()
	segments := x.arena.Segments()
	if len(marks) == 0 && x.db != nil && !x.cfg.Whole {
		return x.rebuild(ctx, segments)
	}
	var rep replay
	for i, seg := range segments {
		newest := i == len(segments)-1
		from, err := x.checkMark(seg, newest)
		if err != nil {
			return err
		}
		if from >= seg.Size {
			continue
		}
		if err := x.replaySegment(ctx, seg, uint32(from), x.scanMode(segments, i), &rep); err != nil {
			return err
		}
	}
	if err := x.replayRest(ctx, &rep); err != nil {
		return err
	}
	rep.log(x.log, began)
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
func (x *Index) checkMark(seg arena.Segment, newest bool) (from int64, err error) {
	m, ok := x.marks[seg.ID]
	switch {
	case !ok:
		return 0, nil
	case m.end > seg.Size:
		return 0, fmt.Errorf("%w: it knows segment %08x up to %d, which ends at %d", ErrDamaged, seg.ID, m.end, seg.Size)
	case m.end == seg.Size && !newest:
		return m.end, nil
	}
	unique, err := x.arena.Unique(seg.ID)
	if errors.Is(err, arena.ErrDamaged) {
		return m.end, nil
	}
	if err == nil && unique != m.unique && m.unique != [16]byte{} {
		return 0, fmt.Errorf("%w: segment %08x is not the one that it knows", ErrDamaged, seg.ID)
	}
	return m.end, err
}

// replayRows is how many rows are gathered and sorted before they are written. Rows that come in the order of their keys
// cost Badger a fraction of the time and of the memory that it takes to sort them itself.
const replayRows = 256 << 10

// entry is what one record says.
type entry struct {
	key string
	row Row
}

// replay is a reading of arenas for the index.
type replay struct {
	rows    int
	bytes   int64
	damaged int
	again   bool            // it was all looked at before
	chunk   []entry         // not written yet, in the order of the arenas
	done    []arena.Segment // segments, as far as they were read
}

// replaySegment makes rows of the records of a segment from an offset on.
func (x *Index) replaySegment(ctx context.Context, seg arena.Segment, from uint32, mode arena.ScanMode, rep *replay) error {
	at := len(rep.done)
	rep.done = append(rep.done, arena.Segment{ID: seg.ID})
	err := x.scanRecords(ctx, seg.ID, from, mode, rep, func(end int64, e entry) error {
		rep.done[at].Size = end
		rep.chunk = append(rep.chunk, e)
		if len(rep.chunk) >= cmp.Or(x.cfg.Rows, replayRows) {
			return x.replayChunk(ctx, rep)
		}
		return nil
	})
	rep.done[at].Size = seg.Size
	return err
}

// scanRecords calls fn for each record in a segment from an offset on, with where it ends, and logs what else it finds
// there.
func (x *Index) scanRecords(ctx context.Context, id, from uint32, mode arena.ScanMode, rep *replay, fn func(int64, entry) error) error {
	return x.arena.Scan(id, from, mode, func(loc arena.Loc, rec arena.Record, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil && rep.again {
			return nil
		}
		if err != nil {
			rep.damaged++
			x.log.Warn("damaged record in the arenas", slog.Any("err", err))
			return nil
		}
		var row Row
		key, err := x.cfg.Key(rec.Kind, rec.Key)
		if err == nil {
			row, err = x.cfg.Row(loc, rec)
		}
		if err != nil {
			if rep.again {
				return nil
			}
			x.log.Warn("record that this program does not know", slog.Int("kind", int(rec.Kind)), slog.Any("loc", loc),
				slog.Any("err", err))
			return nil
		}
		rep.rows++
		rep.bytes += int64(loc.Length)
		return fn(loc.End(), entry{string(key), row})
	})
}

// scanMode returns how to read a segment: the newest two may hold what was never synced, and are checked.
func (x *Index) scanMode(segments []arena.Segment, i int) arena.ScanMode {
	if x.cfg.Whole || i >= len(segments)-2 {
		return arena.Data
	}
	return arena.Headers
}

// replayChunk writes the rows read so far, in the order of keys, with marks that say how far the arenas were read.
func (x *Index) replayChunk(ctx context.Context, rep *replay) error {
	list, err := x.fold(rep.chunk, func(key string) (Row, bool, error) { return x.Lookup(ctx, []byte(key)) })
	if err != nil {
		return err
	}
	for part := range slices.Chunk(list, flushRows) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := x.load(ctx, part); err != nil {
			return err
		}
	}
	rep.chunk = rep.chunk[:0]
	if x.cfg.ReadOnly {
		return nil
	}
	x.flushMu.Lock()
	defer x.flushMu.Unlock()
	return x.writeIndex(ctx, x.begin(), x.knownEnds(rep))
}

// fold sorts entries by key and makes one row of all that have the same: the last, or what Merge makes of them, and of
// what before says that the row is already. It works in place.
func (x *Index) fold(list []entry, before func(key string) (Row, bool, error)) ([]entry, error) {
	slices.SortStableFunc(list, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	out := list[:0]
	for i := 0; i < len(list); {
		key := list[i].key
		var r Row
		var have bool
		if x.cfg.Merge != nil && before != nil {
			var err error
			if r, have, err = before(key); err != nil {
				return nil, err
			}
		}
		for ; i < len(list) && list[i].key == key; i++ {
			r, have = x.merge(r, have, list[i].row)
		}
		if have {
			out = append(out, entry{key, r})
		}
	}
	return out, nil
}

func (x *Index) merge(old Row, have bool, add Row) (Row, bool) {
	if x.cfg.Merge == nil {
		return add, true
	}
	return x.cfg.Merge(old, have, add)
}

// replayRest deals with the last rows of a replay. Few of them wait in memory like rows of records just written.
func (x *Index) replayRest(ctx context.Context, rep *replay) error {
	if len(rep.chunk) > flushRows {
		return x.replayChunk(ctx, rep)
	}
	for _, e := range rep.chunk {
		size := e.row.Loc.Length
		old, have, err := Row{}, false, error(nil)
		if x.cfg.Merge != nil {
			if old, have, err = x.Lookup(ctx, []byte(e.key)); err != nil {
				return err
			}
		}
		if r, ok := x.merge(old, have, e.row); ok {
			x.change([]byte(e.key), change{row: r})
		}
		x.unflushed.Add(int64(size))
	}
	rep.chunk = nil
	return nil
}

// knownEnds returns how far each segment is indexed while the replay goes on: as the marks say, or as it was read.
func (x *Index) knownEnds(rep *replay) []arena.Segment {
	ends := slices.Clone(rep.done)
	seen := map[uint32]bool{}
	for _, d := range rep.done {
		seen[d.ID] = true
	}
	for id, m := range x.marks {
		if _, there := x.arena.Segment(id); there && !seen[id] {
			ends = append(ends, arena.Segment{ID: id, Size: m.end})
		}
	}
	return ends
}
