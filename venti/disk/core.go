package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"

	"ventidhash/venti"
	"ventidhash/venti/arena"
)

const (
	stripes = 64

	// Rows are written to the index when so many wait, or when so many bytes were appended, which bounds what has to be
	// read again after a crash.
	flushRows  = 4096
	flushBytes = 256 << 20

	// Close leaves so little for the next Open to read again rather than writing to the index.
	leaveRows  = 128
	leaveBytes = 4 << 20
)

// core is the store as its one owner has it: arenas and index. It is a venti.Store.
type core struct {
	cfg   Config
	log   *slog.Logger
	arena *arena.Arena
	x     *index
	close func() error // of the index's datastore

	// bulk fills the index's datastore with what fill passes to write, in place of all that is there. Nil if it cannot.
	bulk func(fill func(write func([]located) error) error) error

	floor uint64 // trash counts as no older than this session number (lock.go)

	stripe [stripes]sync.Mutex // one for a block by its score: held while its row is changed
	gate   sync.RWMutex        // read side: a record is appended and its row set; taken after a stripe

	flushMu   sync.Mutex
	marks     map[uint32]mark // as in the index; under flushMu
	unflushed atomic.Int64    // bytes appended whose rows are not in the index
	mustFlush atomic.Bool     // rows wait that cannot be had from the arenas
	revived   atomic.Bool     // a row left the trash since the index was last synced
	flushing  atomic.Bool     // a flush runs in the background
	bg        sync.WaitGroup

	room roomCheck

	step func(name string) error // tests: called between the steps of Reclaim
}

// lockScore locks the stripe of s and returns it.
func (c *core) lockScore(s venti.Score) *sync.Mutex {
	m := &c.stripe[s[0]%stripes]
	m.Lock()
	return m
}

// find returns the row of a block if its segment exists. A row of a segment that is gone says nothing.
func (c *core) find(ctx context.Context, s venti.Score) (row, bool, error) {
	r, ok, err := c.x.lookup(ctx, s)
	if err != nil || !ok {
		return row{}, false, err
	}
	if _, there := c.arena.Segment(r.loc.Segment); there {
		return r, true, nil
	}
	// It may have moved between the two looks.
	again, ok, err := c.x.lookup(ctx, s)
	if err != nil || !ok || again.loc == r.loc {
		return row{}, false, err
	}
	_, there := c.arena.Segment(again.loc.Segment)
	return again, there, nil
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

// takeOut clears the trash flag of r, the row of s, whose stripe the caller holds.
func (c *core) takeOut(s venti.Score, r row) row {
	r.trash, r.stamp = false, 0
	c.setState(s, r)
	c.revived.Store(true)
	return r
}

// setState changes what a row says beside where the block is: something that the arenas do not know.
func (c *core) setState(s venti.Score, r row) {
	c.x.set(s, r)
	c.mustFlush.Store(true) // in this order: flush looks at it first
}

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
	if rec.Kind != kindBlock || string(rec.Key) != string(scoreKey(s)) {
		return nil, fmt.Errorf("%w: another record stands at segment %08x, offset %d", venti.ErrCorrupt, r.loc.Segment, r.loc.Offset)
	}
	if venti.Sum(rec.Data) != s {
		return nil, fmt.Errorf("%w: segment %08x, offset %d: bytes do not have this score", venti.ErrCorrupt, r.loc.Segment, r.loc.Offset)
	}
	return rec.Data, nil
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
	c.flushSoon()
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
	if err := c.room.check(c.cfg, len(block)); err != nil {
		return false, unavailable(err)
	}
	if _, err := c.append(s, row{}, block); err != nil {
		return false, unavailable(err)
	}
	return true, nil
}

// append writes a block to the arena and sets its row, which is r at the new place. The caller holds the stripe of s.
func (c *core) append(s venti.Score, r row, block []byte) (arena.Loc, error) {
	c.gate.RLock()
	defer c.gate.RUnlock()
	loc, err := c.arena.Append(kindBlock, scoreKey(s), block)
	if err != nil {
		return arena.Loc{}, err
	}
	r.loc = loc
	c.x.set(s, r)
	c.unflushed.Add(int64(loc.Length))
	return loc, nil
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
		err := c.flush(ctx)
		if err == nil {
			err = c.x.sync(ctx)
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
func (c *core) shut() error {
	c.bg.Wait()
	var err error
	if !c.cfg.readOnly && (c.mustFlush.Load() || c.x.waiting() > leaveRows || c.unflushed.Load() > leaveBytes) {
		err = c.flush(context.Background())
	}
	return errors.Join(err, c.close(), c.arena.Close())
}
