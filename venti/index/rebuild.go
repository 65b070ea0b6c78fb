package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/pb"

	"ventidhash/venti/arena"
)

// rebuild fills an empty index from the arenas. Rows are written in the order of their keys, which Badger takes straight
// into tables: given them in any other order it would sort them itself, at a tenth of the speed and with half a gigabyte
// of memory for each million of them. If there are more rows than are to be held in memory, it reads the arenas more
// than once, each time for another range of keys.
func (x *Index) rebuild(ctx context.Context, segments []arena.Segment) error {
	began := time.Now()
	limit := cmp.Or(x.cfg.Rows, replayRows)
	var rep replay
	var counts [256]int // of records, by the byte at Split
	var all []entry     // as long as they are not too many
	err := x.scanAll(ctx, segments, &rep, func(e entry) {
		counts[x.splitBy(e.key)]++
		if rep.rows <= limit {
			all = append(all, e)
		}
	})
	if err != nil {
		return err
	}
	if rep.rows <= flushRows {
		rep.chunk = all
		return x.replayRest(ctx, &rep)
	}
	err = x.bulk(ctx, func(write func([]entry) error) error {
		if rep.rows <= limit {
			return write(all)
		}
		for from := 0; from < len(counts); {
			to := nextRange(&counts, from, limit)
			all = all[:0]
			err := x.scanAll(ctx, segments, &replay{again: true}, func(e entry) {
				if b := x.splitBy(e.key); b >= from && b < to {
					all = append(all, e)
				}
			})
			if err == nil {
				err = write(all)
			}
			if err != nil {
				return err
			}
			from = to
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("building the index: %w", err)
	}
	x.flushMu.Lock()
	defer x.flushMu.Unlock()
	if err := x.writeIndex(ctx, x.begin(), segments); err != nil {
		return err
	}
	rep.log(x.log, began)
	return nil
}

// splitBy returns the byte of a key by which a rebuild goes. All before it are the same in all keys.
func (x *Index) splitBy(key string) int {
	if x.cfg.Split < len(key) {
		return int(key[x.cfg.Split])
	}
	return 0
}

// scanAll calls fn for every record in the arenas.
func (x *Index) scanAll(ctx context.Context, segments []arena.Segment, rep *replay, fn func(entry)) error {
	for i, seg := range segments {
		err := x.scanRecords(ctx, seg.ID, 0, x.scanMode(segments, i), rep, func(_ int64, e entry) error {
			fn(e)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// nextRange returns the end of the longest range of first bytes from from on that has at most limit blocks; it has at
// least one byte.
func nextRange(counts *[256]int, from, limit int) int {
	to, sum := from+1, counts[from]
	for to < len(counts) && sum+counts[to] <= limit {
		sum += counts[to]
		to++
	}
	return to
}

// bulk fills the datastore with what fill passes to write, in place of all that is there. What one call of write gets
// comes behind all that the calls before it got in the order of keys.
func (x *Index) bulk(ctx context.Context, fill func(write func([]entry) error) error) error {
	w := x.db.NewStreamWriter()
	if err := w.Prepare(); err != nil {
		return err
	}
	err := fill(func(all []entry) error {
		rows, err := x.fold(all, nil)
		if err != nil {
			return err
		}
		list := &pb.KVList{}
		err = x.groups(rows, func(group string, rows map[string]change) error {
			list.Kv = append(list.Kv, &pb.KV{Key: rowKey(group).Bytes(), Value: x.packAll(rows), Version: 1})
			if len(list.Kv) < flushRows {
				return nil
			}
			err := w.Write(list)
			list = &pb.KVList{}
			return err
		})
		if err == nil && len(list.Kv) > 0 {
			err = w.Write(list)
		}
		return err
	})
	if err = errors.Join(err, w.Flush(), x.close()); err != nil {
		return err
	}
	return x.openDatastore(ctx) // which puts back what says whose index it is
}
