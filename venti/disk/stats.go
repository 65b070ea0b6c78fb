package disk

import (
	"context"
	"fmt"

	"ventidhash/venti"
)

// Stats says how much a store holds. Bytes of blocks are those of their records, some 60 more than a block has.
type Stats struct {
	Blocks     int64
	Bytes      int64
	Trash      int64 // of the blocks, those that no snapshot needed when Trash last looked
	TrashBytes int64
	Damaged    int64 // of the blocks, those known to be damaged
	Segments   int
	ArenaBytes int64 // of the segments
	IndexBytes int64 // of the index on the disk
}

// Stats counts what the store holds, from the index. It calls Own.
func (s *Store) Stats(ctx context.Context) (st Stats, err error) {
	err = s.tend(ctx, false, func(c *core) error {
		st, err = c.stats(ctx)
		return err
	})
	if err != nil {
		err = fmt.Errorf("counting blocks: %w", err)
	}
	return st, err
}

func (c *core) stats(ctx context.Context) (st Stats, err error) {
	if err := c.x.Flush(ctx); err != nil {
		return st, err
	}
	err = c.rows(ctx, func(_ venti.Score, r row, err error) error {
		st.Blocks++
		st.Bytes += int64(r.loc.Length)
		if r.trash {
			st.Trash++
			st.TrashBytes += int64(r.loc.Length)
		}
		if r.bad {
			st.Damaged++
		}
		return err
	})
	for _, seg := range c.arena.Segments() {
		st.Segments++
		st.ArenaBytes += seg.Size
	}
	st.IndexBytes = c.x.Bytes()
	return st, err
}
