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
		for group, rows := range c.by {
			for rest, ch := range rows {
				if key := group + rest; key >= string(from) && (to == nil || key < string(to)) {
					fresh[key] = ch
				}
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
	begin, _ := x.split(string(from))
	first := rowName([]byte(begin))
	prefix := keyRows
	if to != nil {
		end, _ := x.split(string(to))
		prefix = common(first, rowName([]byte(end)))
	}
	err := x.scan(ctx, prefix, first, func(name string, value []byte) error {
		group, err := parseRowKey(name)
		if err != nil {
			return fn(nil, Row{}, err)
		}
		if to != nil && bytes.Compare(group, to) >= 0 {
			return errStop
		}
		return x.unpack(value, func(rest string, r Row, err error) error {
			key := string(group) + rest
			if key < string(from) || to != nil && key >= string(to) {
				return nil
			}
			if err := upTo(key, false); err != nil {
				return err
			}
			if _, ok := fresh[key]; ok {
				return nil
			}
			return fn([]byte(key), r, err)
		})
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

// Group is Walk for the rows whose key begins with prefix, of as many bytes as Config.Group says. It takes one look
// into the datastore.
func (x *Index) Group(ctx context.Context, prefix []byte, fn func(key []byte, r Row, err error) error) error {
	if len(prefix) != x.cfg.Group {
		panic(fmt.Sprintf("index: a group of %d bytes, not %d", len(prefix), x.cfg.Group))
	}
	var fresh [2]map[string]change
	x.mu.RLock()
	for i, c := range []*changes{x.writing, x.pending} {
		if c != nil && len(c.by[string(prefix)]) > 0 {
			fresh[i] = maps.Clone(c.by[string(prefix)])
		}
	}
	x.mu.RUnlock()
	rows, err := x.stored(ctx, string(prefix))
	if err != nil {
		return fn(prefix, Row{}, err)
	}
	for _, changes := range fresh {
		for rest, c := range changes {
			if c.deleted {
				delete(rows, rest)
			} else {
				rows[rest] = c.row
			}
		}
	}
	for _, rest := range slices.Sorted(maps.Keys(rows)) {
		if err := fn([]byte(string(prefix)+rest), rows[rest], nil); err != nil {
			return err
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
