package disk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dgraph-io/badger/pb"
	badgerds "github.com/ipfs/go-ds-badger"

	"ventidhash/venti"
	"ventidhash/venti/arena"
)

// located is a block at a place.
type located struct {
	score venti.Score
	loc   arena.Loc
}

// rebuildRows is about how many rows a rebuild holds in memory. If there are more, it reads the arenas more than once,
// each time for another range of scores.
const rebuildRows = 256 << 10

// rebuild fills an empty index from the arenas. Rows are written in the order of their keys, which Badger takes straight
// into tables: given them in any other order it would sort them itself, at a tenth of the speed and with half a gigabyte
// of memory for each million of them.
func (c *core) rebuild(ctx context.Context, segments []arena.Segment) error {
	began := time.Now()
	limit := cmp.Or(c.cfg.rebuildRows, rebuildRows)
	var rep replay
	var counts [256]int // of blocks, by the first byte of the score
	var all []located   // as long as they are not too many
	err := c.scanAll(ctx, segments, &rep, func(l located) {
		counts[l.score[0]]++
		if rep.rows <= limit {
			all = append(all, l)
		}
	})
	if err != nil {
		return err
	}
	if rep.rows <= flushRows {
		rep.chunk = all
		return c.replayRest(ctx, &rep)
	}
	err = c.bulk(func(write func([]located) error) error {
		if rep.rows <= limit {
			return write(sortBlocks(all))
		}
		for from := 0; from < len(counts); {
			to := nextRange(&counts, from, limit)
			all = all[:0]
			err := c.scanAll(ctx, segments, &replay{again: true}, func(l located) {
				if b := int(l.score[0]); b >= from && b < to {
					all = append(all, l)
				}
			})
			if err == nil {
				err = write(sortBlocks(all))
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
	c.flushMu.Lock()
	defer c.flushMu.Unlock()
	if err := c.writeIndex(ctx, c.x.begin(), segments); err != nil {
		return err
	}
	rep.log(c.log, began)
	return nil
}

// scanAll calls fn for every block in the arenas.
func (c *core) scanAll(ctx context.Context, segments []arena.Segment, rep *replay, fn func(located)) error {
	for i, seg := range segments {
		err := c.scanBlocks(ctx, seg.ID, 0, replayMode(segments, i), rep, func(l located) error {
			fn(l)
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

// bulkBadger empties d and fills it with the rows that fill passes to write, which have to come in the order of scores.
func bulkBadger(d *badgerds.Datastore, fill func(write func([]located) error) error) error {
	w := d.DB.NewStreamWriter()
	if err := w.Prepare(); err != nil {
		return err
	}
	err := fill(func(rows []located) error {
		for part := range slices.Chunk(rows, flushRows) {
			list := &pb.KVList{Kv: make([]*pb.KV, 0, len(part))}
			for _, l := range part {
				list.Kv = append(list.Kv, &pb.KV{Key: blockRowKey(l.score).Bytes(), Value: appendRow(nil, row{loc: l.loc}), Version: 1})
			}
			if err := w.Write(list); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, w.Flush())
}
