package disk

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"

	"ventidhash/venti"
)

// index keeps the rows of blocks in a datastore, and in memory those that were not written to it yet. It knows nothing
// of arenas. Changing a row takes reading it first, and whoever does both holds the block's stripe (core).
type index struct {
	ds datastore.Batching

	mu      sync.RWMutex // protects the following
	pending map[venti.Score]change
	writing map[venti.Score]change // being written; older than pending; nil if there is no write
}

// change is a row to write, or that it is to be deleted.
type change struct {
	row     row
	deleted bool
}

func newIndex(ds datastore.Batching) *index {
	return &index{ds: ds, pending: map[venti.Score]change{}}
}

// lookup returns the row of a block, and false if there is none.
func (x *index) lookup(ctx context.Context, s venti.Score) (row, bool, error) {
	x.mu.RLock()
	c, ok := x.pending[s]
	if !ok {
		c, ok = x.writing[s]
	}
	x.mu.RUnlock()
	if ok {
		return c.row, !c.deleted, nil
	}
	b, err := x.ds.Get(ctx, blockRowKey(s))
	if errors.Is(err, datastore.ErrNotFound) {
		return row{}, false, nil
	}
	if err != nil {
		return row{}, false, fmt.Errorf("looking into the index: %w", err)
	}
	r, err := parseRow(b)
	return r, err == nil, err
}

// set changes the row of a block and returns how many changes wait to be written.
func (x *index) set(s venti.Score, r row) int { return x.change(s, change{row: r}) }

// remove deletes the row of a block.
func (x *index) remove(s venti.Score) int { return x.change(s, change{deleted: true}) }

func (x *index) change(s venti.Score, c change) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pending[s] = c
	return len(x.pending)
}

// waiting returns how many changes wait to be written.
func (x *index) waiting() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return len(x.pending)
}

// begin sets apart the changes that the next write will write. Between begin and write there is no other begin.
func (x *index) begin() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.writing, x.pending = x.pending, map[venti.Score]change{}
	return len(x.writing)
}

// abort takes back begin.
func (x *index) abort() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for s, c := range x.writing {
		if _, ok := x.pending[s]; !ok {
			x.pending[s] = c
		}
	}
	x.writing = nil
}

// write writes what begin set apart, and then, so that they never say more than is true, the marks. A nil mark is
// deleted. If it fails, the changes go back to the pending ones.
func (x *index) write(ctx context.Context, marks map[uint32]*mark) error {
	if err := x.writeRows(ctx); err != nil {
		x.abort()
		return fmt.Errorf("writing to the index: %w", err)
	}
	x.mu.Lock()
	x.writing = nil
	x.mu.Unlock()
	if err := x.writeMarks(ctx, marks); err != nil {
		return fmt.Errorf("writing to the index: %w", err)
	}
	return nil
}

func (x *index) writeRows(ctx context.Context) error {
	if len(x.writing) == 0 {
		return nil
	}
	b, err := x.ds.Batch(ctx)
	if err != nil {
		return err
	}
	for s, c := range x.writing { // nobody changes the map while it is being written
		if c.deleted {
			err = b.Delete(ctx, blockRowKey(s))
		} else {
			err = b.Put(ctx, blockRowKey(s), appendRow(nil, c.row))
		}
		if err != nil {
			return errors.Join(err, b.Commit(ctx))
		}
	}
	return b.Commit(ctx)
}

// load writes rows at once, past the pending ones.
func (x *index) load(ctx context.Context, rows []located) error {
	b, err := x.ds.Batch(ctx)
	if err != nil {
		return fmt.Errorf("writing to the index: %w", err)
	}
	for _, l := range rows {
		if err = b.Put(ctx, blockRowKey(l.score), appendRow(nil, row{loc: l.loc})); err != nil {
			break
		}
	}
	if err = errors.Join(err, b.Commit(ctx)); err != nil {
		return fmt.Errorf("writing to the index: %w", err)
	}
	return nil
}

func (x *index) writeMarks(ctx context.Context, marks map[uint32]*mark) error {
	if len(marks) == 0 {
		return nil
	}
	b, err := x.ds.Batch(ctx)
	if err != nil {
		return err
	}
	for id, m := range marks {
		if m == nil {
			err = b.Delete(ctx, segmentRowKey(id))
		} else {
			err = b.Put(ctx, segmentRowKey(id), appendMark(nil, *m))
		}
		if err != nil {
			return errors.Join(err, b.Commit(ctx))
		}
	}
	return b.Commit(ctx)
}

// sync makes durable what was written.
func (x *index) sync(ctx context.Context) error {
	if err := x.ds.Sync(ctx, datastore.RawKey("/")); err != nil {
		return fmt.Errorf("syncing the index: %w", err)
	}
	return nil
}

// rows calls fn for each row that has been written, in the order of scores, as they were when rows was called. A row
// that cannot be read is passed with its error. An error from fn ends the walk and is returned.
func (x *index) rows(ctx context.Context, fn func(venti.Score, row, error) error) error {
	return x.walk(ctx, blockRows, func(key string, value []byte) error {
		s, err := parseBlockRowKey(key)
		if err != nil {
			return fn(s, row{}, err)
		}
		r, err := parseRow(value)
		return fn(s, r, err)
	})
}

// marks returns the marks that have been written.
func (x *index) marks(ctx context.Context) (map[uint32]mark, error) {
	marks := map[uint32]mark{}
	err := x.walk(ctx, segmentRows, func(key string, value []byte) error {
		id, err := parseSegmentRowKey(key)
		if err != nil {
			return err
		}
		marks[id], err = parseMark(value)
		return err
	})
	return marks, err
}

func (x *index) walk(ctx context.Context, prefix string, fn func(key string, value []byte) error) error {
	res, err := x.ds.Query(ctx, query.Query{Prefix: prefix})
	if err != nil {
		return fmt.Errorf("reading the index: %w", err)
	}
	defer res.Close()
	for {
		r, ok := res.NextSync()
		if !ok {
			return ctx.Err()
		}
		if r.Error != nil {
			return fmt.Errorf("reading the index: %w", r.Error)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(r.Key, r.Value); err != nil {
			return err
		}
	}
}
