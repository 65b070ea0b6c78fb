package disk

import (
	"context"
	"errors"
	"fmt"

	"ventidhash/venti"
	"ventidhash/venti/arena"
)

// Beginning calls fn for each block in the store that begins with the byte first, in the order in which they lie in the
// arenas, trash included. It reads a few bytes of every other block. The slice is fn's for the time of the call; fn must
// not use the store. Blocks that are put meanwhile may be missed. An error of fn ends it and is returned. damaged counts
// what cannot be read and may have been such a block. It calls Own.
func (s *Store) Beginning(ctx context.Context, first byte, fn func(score venti.Score, block []byte) error) (damaged int64, err error) {
	err = s.tend(ctx, false, func(c *core) error {
		for _, seg := range c.arena.Segments() {
			n, err := c.beginning(ctx, seg, first, fn)
			damaged += n
			if err != nil && !errors.Is(err, arena.ErrGone) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("reading the store from its beginning to its end: %w", err)
	}
	return damaged, err
}

// beginning is Beginning for one segment.
func (c *core) beginning(ctx context.Context, seg arena.Segment, first byte, fn func(venti.Score, []byte) error) (damaged int64, err error) {
	var buf []byte
	err = c.arena.Scan(seg.ID, 0, arena.Openings, func(loc arena.Loc, rec arena.Record, damage error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if damage != nil {
			damaged++
			return nil
		}
		if len(rec.Data) == 0 || rec.Data[0] != first || rec.Kind != kindBlock {
			return nil
		}
		s, err := parseScoreKey(rec.Key)
		if err != nil {
			return nil // another program's
		}
		if cap(buf) < int(loc.Length) {
			buf = make([]byte, loc.Length)
		}
		block, err := c.arena.Read(loc, buf)
		if err == nil {
			err = verify(s, loc, block)
		}
		switch {
		case errors.Is(err, arena.ErrDamaged), errors.Is(err, venti.ErrCorrupt):
			damaged++
			return nil
		case err != nil:
			return unavailable(err)
		}
		r, ok, err := c.find(ctx, s)
		switch {
		case err != nil:
			return unavailable(err)
		case !ok || r.loc != loc:
			return nil // it was let go, or is met elsewhere
		}
		return fn(s, block.Data)
	})
	return damaged, err
}
