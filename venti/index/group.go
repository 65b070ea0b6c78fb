package index

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/ipfs/go-datastore"

	"ventidhash/venti"
)

// Rows whose keys begin with the same Config.Group bytes lie in the datastore under one name, so that looking for all of
// them takes one look. Without groups each row has a name of its own.

// split returns the part of a key by which its row is found in the datastore, and the rest.
func (x *Index) split(key string) (group, rest string) { return splitKey(key, x.cfg.Group) }

func splitKey(key string, group int) (string, string) {
	if group == 0 || group > len(key) {
		return key, ""
	}
	return key[:group], key[group:]
}

// pack returns what is in the datastore for the rows of a group, by the rest of their keys; nil if there is none.
func (x *Index) pack(rows map[string]Row) []byte {
	if len(rows) == 0 {
		return nil
	}
	if x.cfg.Group == 0 {
		return appendRow(nil, rows[""])
	}
	b := []byte{rowVersion}
	for _, rest := range slices.Sorted(maps.Keys(rows)) {
		b = venti.AppendBytes(b, rest)
		b = venti.AppendBytes(b, appendRow(nil, rows[rest]))
	}
	return b
}

// packAll is pack for changes of which none deletes.
func (x *Index) packAll(changes map[string]change) []byte {
	rows := make(map[string]Row, len(changes))
	for rest, c := range changes {
		rows[rest] = c.row
	}
	return x.pack(rows)
}

// unpack calls fn for each row of a group, in the order of keys. It is the inverse of pack and accepts nothing else. A
// row that cannot be read is passed with its error.
func (x *Index) unpack(value []byte, fn func(rest string, r Row, err error) error) error {
	if x.cfg.Group == 0 {
		r, err := parseRow(value)
		return fn("", r, err)
	}
	d := venti.NewDecoder(value)
	if v := d.Byte(); d.Err() == nil && v != rowVersion {
		d.Fail(fmt.Errorf("version %d is not known to this program", v))
	}
	last := ""
	for first := true; d.Err() == nil && (first || d.Len() > 0); first = false {
		rest := string(d.Bytes(MaxKey))
		b := d.Bytes(MaxExtra + 32)
		if d.Err() != nil {
			break
		}
		if !first && rest <= last {
			d.Fail(errors.New("rows are not in order"))
			break
		}
		last = rest
		r, err := parseRow(b)
		if err := fn(rest, r, err); err != nil {
			return err
		}
	}
	if err := d.Err(); err != nil {
		return fmt.Errorf("%w: group: %w", errRow, err)
	}
	return nil
}

// stored returns the rows of a group in the datastore.
func (x *Index) stored(ctx context.Context, group string) (map[string]Row, error) {
	rows := map[string]Row{}
	b, err := x.ds.Get(ctx, rowKey(group))
	if errors.Is(err, datastore.ErrNotFound) {
		return rows, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking into the index: %w", err)
	}
	err = x.unpack(b, func(rest string, r Row, err error) error {
		rows[rest] = r
		return err
	})
	return rows, err
}

// rewrite puts the changes of a group into a batch.
func (x *Index) rewrite(ctx context.Context, b datastore.Batch, group string, changes map[string]change) error {
	rows := map[string]Row{}
	if x.cfg.Group > 0 {
		var err error
		if rows, err = x.stored(ctx, group); err != nil {
			return err
		}
	}
	for rest, c := range changes {
		if c.deleted {
			delete(rows, rest)
		} else {
			rows[rest] = c.row
		}
	}
	if len(rows) == 0 {
		return b.Delete(ctx, rowKey(group))
	}
	return b.Put(ctx, rowKey(group), x.pack(rows))
}
