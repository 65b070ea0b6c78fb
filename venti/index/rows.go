package index

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/ipfs/go-datastore"
)

// change is a row to write, or that it is to be deleted.
type change struct {
	row     Row
	deleted bool
}

// changes are rows that are not in the datastore yet: by the group of their keys, and by the rest.
type changes struct {
	by    map[string]map[string]change
	group int // Config.Group
	n     int
}

func newChanges(group int) *changes {
	return &changes{by: map[string]map[string]change{}, group: group}
}

func (c *changes) set(key string, ch change) {
	group, rest := splitKey(key, c.group)
	if c.by[group] == nil {
		c.by[group] = map[string]change{}
	}
	if _, ok := c.by[group][rest]; !ok {
		c.n++
	}
	c.by[group][rest] = ch
}

func (c *changes) get(key string) (change, bool) {
	if c == nil {
		return change{}, false
	}
	group, rest := splitKey(key, c.group)
	ch, ok := c.by[group][rest]
	return ch, ok
}

// Lookup returns the row of a key, and false if there is none. Find is what readers want.
func (x *Index) Lookup(ctx context.Context, key []byte) (Row, bool, error) {
	x.mu.RLock()
	c, ok := x.pending.get(string(key))
	if !ok {
		c, ok = x.writing.get(string(key))
	}
	x.mu.RUnlock()
	if ok {
		return c.row, !c.deleted, nil
	}
	group, rest := x.split(string(key))
	rows, err := x.stored(ctx, group)
	r, ok := rows[rest]
	return r, ok, err
}

func (x *Index) change(key []byte, c change) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.pending.set(string(key), c)
}

// waiting returns how many changes wait to be written.
func (x *Index) waiting() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.pending.n
}

// begin sets apart the changes that the next write will write. Between begin and write there is no other begin.
func (x *Index) begin() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.writing, x.pending = x.pending, newChanges(x.cfg.Group)
	return x.writing.n
}

// abort takes back begin.
func (x *Index) abort() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.writing == nil {
		return
	}
	for group, rows := range x.writing.by {
		for rest, c := range rows {
			if _, ok := x.pending.by[group][rest]; !ok {
				x.pending.set(group+rest, c)
			}
		}
	}
	x.writing = nil
}

// write writes what begin set apart, and then, so that they never say more than is true, the marks. A nil mark is
// deleted. If it fails, the changes go back to the pending ones.
func (x *Index) write(ctx context.Context, marks map[uint32]*mark) error {
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

func (x *Index) writeRows(ctx context.Context) error {
	if x.writing.n == 0 {
		return nil
	}
	b, err := x.ds.Batch(ctx)
	if err != nil {
		return err
	}
	for group, rows := range x.writing.by { // nobody changes the maps while they are being written
		if err := x.rewrite(ctx, b, group, rows); err != nil {
			return errors.Join(err, b.Commit(ctx))
		}
	}
	return b.Commit(ctx)
}

// load writes rows at once, past the pending ones. They are in the order of keys.
func (x *Index) load(ctx context.Context, rows []entry) error {
	b, err := x.ds.Batch(ctx)
	if err != nil {
		return fmt.Errorf("writing to the index: %w", err)
	}
	err = x.groups(rows, func(group string, rows map[string]change) error { return x.rewrite(ctx, b, group, rows) })
	if err = errors.Join(err, b.Commit(ctx)); err != nil {
		return fmt.Errorf("writing to the index: %w", err)
	}
	return nil
}

// groups calls fn for each group of rows, which are in the order of keys.
func (x *Index) groups(rows []entry, fn func(group string, rows map[string]change) error) error {
	for len(rows) > 0 {
		group, rest := x.split(rows[0].key)
		list := map[string]change{rest: {row: rows[0].row}}
		for rows = rows[1:]; len(rows) > 0; rows = rows[1:] {
			next, rest := x.split(rows[0].key)
			if next != group {
				break
			}
			list[rest] = change{row: rows[0].row}
		}
		if err := fn(group, list); err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) writeMarks(ctx context.Context, marks map[uint32]*mark) error {
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

// Sync makes durable what Flush has written.
func (x *Index) Sync(ctx context.Context) error {
	if err := x.ds.Sync(ctx, datastore.RawKey("/")); err != nil {
		return fmt.Errorf("syncing the index: %w", err)
	}
	return nil
}

// Collect gives back what the datastore itself has too much of on the disk, if it is worth the time.
func (x *Index) Collect(ctx context.Context) error {
	gc, ok := x.ds.(datastore.GCDatastore)
	logs, err := filepath.Glob(filepath.Join(x.cfg.Dir, "*.vlog"))
	if !ok || err != nil || len(logs) < 4 {
		return err
	}
	return gc.CollectGarbage(ctx)
}
