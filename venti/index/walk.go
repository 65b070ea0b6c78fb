package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/dgraph-io/badger"
	"github.com/ipfs/go-datastore/query"
)

// Walk calls fn for each row whose key is at least from and below to, in the order of keys, as they were when Walk was
// called; a nil to means no bound. A row that cannot be read is passed with its error. key is valid during the call
// only. An error from fn ends the walk and is returned.
func (x *Index) Walk(ctx context.Context, from, to []byte, fn func(key []byte, r Row, err error) error) error {
	fresh := map[string]change{}
	x.mu.RLock()
	for _, c := range []*changes{x.writing, x.pending} {
		if c == nil {
			continue
		}
		for key, ch := range c.rows {
			if key >= string(from) && (to == nil || key < string(to)) {
				fresh[key] = ch
			}
		}
	}
	x.mu.RUnlock()
	return x.walk(ctx, from, to, fresh, fn)
}

// walk is Walk with fresh, which are changes that the datastore may lack.
func (x *Index) walk(ctx context.Context, from, to []byte, fresh map[string]change, fn func([]byte, Row, error) error) error {
	order := slices.Sorted(maps.Keys(fresh))
	upTo := func(key string, all bool) error { // pass on what is fresh before key
		for ; len(order) > 0 && (all || order[0] < key); order = order[1:] {
			if c := fresh[order[0]]; !c.deleted {
				if err := fn([]byte(order[0]), c.row, nil); err != nil {
					return err
				}
			}
		}
		return nil
	}
	first := rowName(from)
	prefix := keyRows
	if to != nil {
		prefix = common(first, rowName(to))
	}
	err := x.scan(ctx, prefix, first, func(name string, value []byte) error {
		key, err := parseRowKey(name)
		if err != nil {
			return fn(nil, Row{}, err)
		}
		if bytes.Compare(key, from) < 0 {
			return nil
		}
		if to != nil && bytes.Compare(key, to) >= 0 {
			return errStop
		}
		if err := upTo(string(key), false); err != nil {
			return err
		}
		if _, ok := fresh[string(key)]; ok {
			return nil
		}
		r, err := parseRow(value)
		return fn(key, r, err)
	})
	if err == nil || errors.Is(err, errStop) {
		return upTo("", true)
	}
	return err
}

var errStop = errors.New("end of the range")

// common returns what a and b begin with.
func common(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}

// Group is Walk for the rows whose key begins with prefix, of as many bytes as Config.Group says.
func (x *Index) Group(ctx context.Context, prefix []byte, fn func(key []byte, r Row, err error) error) error {
	if len(prefix) != x.cfg.Group {
		panic(fmt.Sprintf("index: a group of %d bytes, not %d", len(prefix), x.cfg.Group))
	}
	fresh := map[string]change{}
	x.mu.RLock()
	for _, c := range []*changes{x.writing, x.pending} {
		if c != nil {
			for _, key := range c.by[string(prefix)] {
				fresh[key] = c.rows[key]
			}
		}
	}
	x.mu.RUnlock()
	return x.walk(ctx, prefix, after(prefix), fresh, fn)
}

// after returns the first key behind all keys that begin with prefix, or nil if there is none.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// readMarks returns the marks in the datastore.
func (x *Index) readMarks(ctx context.Context) (map[uint32]mark, error) {
	marks := map[uint32]mark{}
	err := x.scan(ctx, segmentRows, segmentRows, func(name string, value []byte) error {
		id, err := parseSegmentRowKey(name)
		if err != nil {
			return err
		}
		marks[id], err = parseMark(value)
		return err
	})
	return marks, err
}

// scan calls fn for each name in the datastore that begins with prefix, from the name from on, in their order. value is
// valid during the call only.
func (x *Index) scan(ctx context.Context, prefix, from string, fn func(name string, value []byte) error) error {
	if x.db == nil {
		return x.scanMemory(ctx, prefix, from, fn)
	}
	txn := x.db.NewTransaction(false)
	defer txn.Discard()
	// Values lie beside the keys: there is nothing to fetch ahead.
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte(prefix)})
	defer it.Close()
	n := 0
	for it.Seek([]byte(from)); it.ValidForPrefix([]byte(prefix)); it.Next() {
		if n++; n%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		var inner error
		err := it.Item().Value(func(value []byte) error {
			inner = fn(string(it.Item().Key()), value)
			return nil
		})
		if inner != nil {
			return inner
		}
		if err != nil {
			return fmt.Errorf("reading the index: %w", err)
		}
	}
	return ctx.Err()
}

func (x *Index) scanMemory(ctx context.Context, prefix, from string, fn func(name string, value []byte) error) error {
	res, err := x.ds.Query(ctx, query.Query{Prefix: prefix, Orders: []query.Order{query.OrderByKey{}}})
	if err != nil {
		return fmt.Errorf("reading the index: %w", err)
	}
	defer res.Close()
	for {
		r, ok := res.NextSync()
		if !ok {
			return ctx.Err()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.Error != nil {
			return fmt.Errorf("reading the index: %w", r.Error)
		}
		if r.Key < from {
			continue
		}
		if err := fn(r.Key, r.Value); err != nil {
			return err
		}
	}
}
