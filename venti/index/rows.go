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

// changes are rows that are not in the datastore yet, by key.
type changes struct {
	rows  map[string]change
	group int                 // how many bytes of the keys belong together; zero: all
	by    map[string][]string // the keys of each group, if there are groups
}

func newChanges(group int) *changes {
	return &changes{rows: map[string]change{}, group: group, by: map[string][]string{}}
}

func (c *changes) set(key string, ch change) {
	if _, ok := c.rows[key]; !ok && c.group > 0 && c.group <= len(key) {
		c.by[key[:c.group]] = append(c.by[key[:c.group]], key)
	}
	c.rows[key] = ch
}

// Lookup returns the row of a key, and false if there is none. Find is what readers want.
func (x *Index) Lookup(ctx context.Context, key []byte) (Row, bool, error) {
	x.mu.RLock()
	c, ok := x.pending.rows[string(key)]
	if !ok && x.writing != nil {
		c, ok = x.writing.rows[string(key)]
	}
	x.mu.RUnlock()
	if ok {
		return c.row, !c.deleted, nil
	}
	b, err := x.ds.Get(ctx, rowKey(key))
	if errors.Is(err, datastore.ErrNotFound) {
		return Row{}, false, nil
	}
	if err != nil {
		return Row{}, false, fmt.Errorf("looking into the index: %w", err)
	}
	r, err := parseRow(b)
	return r, err == nil, err
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
	return len(x.pending.rows)
}

// begin sets apart the changes that the next write will write. Between begin and write there is no other begin.
func (x *Index) begin() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.writing, x.pending = x.pending, newChanges(x.cfg.Group)
	return len(x.writing.rows)
}

// abort takes back begin.
func (x *Index) abort() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.writing == nil {
		return
	}
	for key, c := range x.writing.rows {
		if _, ok := x.pending.rows[key]; !ok {
			x.pending.set(key, c)
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
	if len(x.writing.rows) == 0 {
		return nil
	}
	b, err := x.ds.Batch(ctx)
	if err != nil {
		return err
	}
	for key, c := range x.writing.rows { // nobody changes the map while it is being written
		if c.deleted {
			err = b.Delete(ctx, rowKey(key))
		} else {
			err = b.Put(ctx, rowKey(key), appendRow(nil, c.row))
		}
		if err != nil {
			return errors.Join(err, b.Commit(ctx))
		}
	}
	return b.Commit(ctx)
}

// load writes rows at once, past the pending ones.
func (x *Index) load(ctx context.Context, rows []entry) error {
	b, err := x.ds.Batch(ctx)
	if err != nil {
		return fmt.Errorf("writing to the index: %w", err)
	}
	for _, e := range rows {
		if err = b.Put(ctx, rowKey(e.key), appendRow(nil, e.row)); err != nil {
			break
		}
	}
	if err = errors.Join(err, b.Commit(ctx)); err != nil {
		return fmt.Errorf("writing to the index: %w", err)
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
