package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"

	"ventidhash/venti"
	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

// core is the store as its one owner has it: arenas and index. It is a venti.Store.
type core struct {
	cfg   Config
	log   *slog.Logger
	arena *arena.Arena
	x     *index.Index

	floor   uint64      // trash counts as no older than this session number (lock.go)
	revived atomic.Bool // a row left the trash since the index was last synced

	room *index.Room

	step func(name string) error // tests: called between the steps of Reclaim
}

// openCore opens arenas and index and makes the index say all that the arenas hold.
func openCore(ctx context.Context, cfg Config, storeID string, floor uint64) (*core, error) {
	a, err := arena.Open(arena.Config{
		Dir: filepath.Join(cfg.Dir, "arenas"), SegmentSize: cfg.segmentSize(), ReadOnly: cfg.readOnly, Log: cfg.Log,
	})
	if err != nil {
		return nil, err
	}
	c := &core{cfg: cfg, log: cfg.Log, arena: a, floor: floor}
	c.room = &index.Room{Dir: cfg.Dir, Reserve: cfg.Reserve}
	c.x, err = index.Open(ctx, index.Config{
		Dir: c.indexDir(), Store: storeID, Arena: a, ReadOnly: cfg.readOnly, Log: cfg.Log,
		Key: recordKey, Row: recordRow, Split: len(scoreKey(venti.Score{})) - venti.ScoreSize, Rows: cfg.rebuildRows,
		Room: c.room,
	})
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return c, nil
}

func (c *core) indexDir() string { return filepath.Join(c.cfg.Dir, "index") }

// lockScore locks the row of s, to be held while it is changed.
func (c *core) lockScore(s venti.Score) *sync.Mutex { return c.x.Lock(scoreKey(s)) }

// find returns the row of a block if its segment exists.
func (c *core) find(ctx context.Context, s venti.Score) (row, bool, error) {
	x, ok, err := c.x.Find(ctx, scoreKey(s))
	if err != nil || !ok {
		return row{}, false, err
	}
	r, err := parseRow(x)
	return r, err == nil, err
}

// rows calls fn for each row, in the order of scores, as they were when rows was called. A row
// that cannot be read is passed with its error. An error from fn ends the walk and is returned.
func (c *core) rows(ctx context.Context, fn func(venti.Score, row, error) error) error {
	return c.x.Walk(ctx, nil, nil, func(key []byte, x index.Row, err error) error {
		if err != nil {
			return fn(venti.Score{}, row{}, err)
		}
		s, err := parseScoreKey(key)
		if err != nil {
			return fn(s, row{}, err)
		}
		r, err := parseRow(x)
		return fn(s, r, err)
	})
}

// revive takes a block out of the trash, or finds that it is gone. After it nothing reclaims the block before Trash has
// looked at it again.
func (c *core) revive(ctx context.Context, s venti.Score) (row, bool, error) {
	defer c.lockScore(s).Unlock()
	r, ok, err := c.find(ctx, s)
	if err != nil || !ok || !r.trash {
		return r, ok, err
	}
	return c.takeOut(s, r), true, nil
}

// takeOut clears the trash flag of r, the row of s, whose lock the caller holds.
func (c *core) takeOut(s venti.Score, r row) row {
	r.trash, r.stamp = false, 0
	c.setState(s, r)
	c.revived.Store(true)
	return r
}

// setState changes what a row says beside where the block is: something that the arenas do not know.
func (c *core) setState(s venti.Score, r row) { c.x.Set(scoreKey(s), r.indexRow()) }

// Get implements venti.Store.
func (c *core) Get(ctx context.Context, s venti.Score) ([]byte, error) {
	block, err := c.get(ctx, s)
	if err != nil {
		return nil, &venti.BlockError{Op: "get", Score: s, Err: err}
	}
	return block, nil
}

func (c *core) get(ctx context.Context, s venti.Score) ([]byte, error) {
	for try := 0; ; try++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, ok, err := c.find(ctx, s)
		if err == nil && ok && r.trash {
			r, ok, err = c.revive(ctx, s)
		}
		if err != nil {
			return nil, unavailable(err)
		}
		if !ok {
			return nil, venti.ErrNotFound
		}
		block, err := c.read(s, r)
		switch {
		case errors.Is(err, arena.ErrGone) && try < 8: // moved since we looked
			continue
		case errors.Is(err, venti.ErrCorrupt):
			if merr := c.setBad(ctx, s, r.loc, true); merr != nil {
				err = errors.Join(err, merr)
			}
			return nil, err
		case err != nil:
			return nil, unavailable(err)
		}
		if r.bad { // it was the cable, not the disk
			err = c.setBad(ctx, s, r.loc, false)
		}
		return block, err
	}
}

// read reads the block that r points at and verifies it against s.
func (c *core) read(s venti.Score, r row) ([]byte, error) {
	rec, err := c.arena.Read(r.loc, nil)
	if errors.Is(err, arena.ErrDamaged) {
		return nil, fmt.Errorf("%w: %w", venti.ErrCorrupt, err)
	}
	if err != nil {
		return nil, err
	}
	return rec.Data, verify(s, r.loc, rec)
}

// verify returns an error that wraps venti.ErrCorrupt if rec, read at loc, is not the block s.
func verify(s venti.Score, loc arena.Loc, rec arena.Record) error {
	if rec.Kind != kindBlock || string(rec.Key) != string(scoreKey(s)) {
		return fmt.Errorf("%w: another record stands at segment %08x, offset %d", venti.ErrCorrupt, loc.Segment, loc.Offset)
	}
	if venti.Sum(rec.Data) != s {
		return fmt.Errorf("%w: segment %08x, offset %d: bytes do not have this score", venti.ErrCorrupt, loc.Segment, loc.Offset)
	}
	return nil
}

// setBad notes whether what stands at loc is the block, unless the row points elsewhere by now.
func (c *core) setBad(ctx context.Context, s venti.Score, loc arena.Loc, bad bool) error {
	defer c.lockScore(s).Unlock()
	r, ok, err := c.find(ctx, s)
	if err != nil || !ok || r.loc != loc || r.bad == bad {
		return err
	}
	r.bad = bad
	c.setState(s, r)
	return nil
}

// Put implements venti.Store.
func (c *core) Put(ctx context.Context, block []byte) (venti.Score, error) {
	s, _, err := c.putNew(ctx, block)
	return s, err
}

// putNew is Put, and reports whether the block was not there before.
func (c *core) putNew(ctx context.Context, block []byte) (venti.Score, bool, error) {
	s := venti.Sum(block)
	isNew, err := c.put(ctx, s, block)
	if err != nil {
		return venti.Score{}, false, &venti.BlockError{Op: "put", Score: s, Err: err}
	}
	c.x.FlushSoon()
	return s, isNew, nil
}

func (c *core) put(ctx context.Context, s venti.Score, block []byte) (isNew bool, err error) {
	if len(block) > venti.MaxBlock {
		return false, fmt.Errorf("%w: %d bytes, at most %d", venti.ErrTooLarge, len(block), venti.MaxBlock)
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	defer c.lockScore(s).Unlock()
	r, ok, err := c.find(ctx, s)
	if err != nil {
		return false, unavailable(err)
	}
	if ok && !r.bad {
		if r.trash {
			c.takeOut(s, r)
		}
		return false, nil
	}
	if c.cfg.readOnly {
		return false, fmt.Errorf("%w: the store in %s can only be read", fs.ErrPermission, c.cfg.Dir)
	}
	if err := c.room.Check(len(block)); err != nil {
		return false, unavailable(err)
	}
	if _, err := c.append(s, row{}, block); err != nil {
		return false, unavailable(err)
	}
	return true, nil
}

// append writes a block to the arena and sets its row, which is r at the new place. The caller holds the lock of s.
func (c *core) append(s venti.Score, r row, block []byte) (arena.Loc, error) {
	key := scoreKey(s)
	return c.x.Append(kindBlock, key, block, key, r.indexRow())
}

// Has implements venti.Store.
func (c *core) Has(ctx context.Context, scores []venti.Score) ([]bool, error) {
	out := make([]bool, len(scores))
	for i, s := range scores {
		if i%64 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		r, ok, err := c.find(ctx, s)
		if err == nil && ok && r.trash {
			r, ok, err = c.revive(ctx, s)
		}
		if err != nil {
			return nil, &venti.BlockError{Op: "has", Score: s, Err: unavailable(err)}
		}
		out[i] = ok && !r.bad
	}
	return out, nil
}

// Sync implements venti.Store. Blocks that were taken out of the trash are as durable as those that were put.
func (c *core) Sync(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.cfg.readOnly {
		return nil // nothing was put
	}
	if err := c.arena.Sync(ctx); err != nil {
		return fmt.Errorf("sync: %w", unavailable(err))
	}
	if c.revived.Swap(false) {
		err := c.x.Flush(ctx)
		if err == nil {
			err = c.x.Sync(ctx)
		}
		if err != nil {
			c.revived.Store(true)
			return fmt.Errorf("sync: %w", unavailable(err))
		}
	}
	return nil
}

// unavailable wraps an error of the machine, as opposed to one of the data, in venti.ErrUnavailable. What already is one
// of the sentinels, and the end of a context, stays as it is.
func unavailable(err error) error {
	for _, known := range []error{venti.ErrNotFound, venti.ErrUnavailable, venti.ErrCorrupt, venti.ErrTooLarge,
		context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", venti.ErrUnavailable, err)
}

// shut writes what the next Open could not find out by itself, and closes everything.
func (c *core) shut() error { return errors.Join(c.x.Close(), c.arena.Close()) }
