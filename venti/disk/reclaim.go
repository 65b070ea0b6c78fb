package disk

import (
	"context"
	"fmt"

	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

// ReclaimConfig says how eager Reclaim is. The zero value is usable.
type ReclaimConfig struct {
	// MinDead is the part of a segment, between 0 and 1, that has to be dead for the segment to be rewritten. Zero
	// means 0.1.
	MinDead float64
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c ReclaimConfig) Validate() error {
	if !(c.MinDead >= 0 && c.MinDead <= 1) {
		return fmt.Errorf("disk: MinDead is %v, not within 0 and 1", c.MinDead)
	}
	return nil
}

// ReclaimReport says what Reclaim did.
type ReclaimReport struct {
	BlocksFreed       int64
	BytesFreed        int64 // given back to the file system, less what was written anew
	SegmentsRemoved   int64 // without anything in them that had to be kept
	SegmentsRewritten int64 // after what had to be kept was copied
	BytesCopied       int64
	BytesWaiting      int64 // trash that stays: somebody may still need it, or too little of it lies in one segment
	Damaged           int64 // needed records that cannot be read; their segments stay
}

// Reclaim gives the space of settled trash back to the file system: it copies what has to be kept out of the segments
// that are dead for the most part, and removes them. It needs room for one segment at a time. Segments that are hardly
// dead stay as they are, and so does the trash in them.
//
// It calls Own. It may be interrupted at any time, also by a crash, and loses nothing; the package comment says why.
func (s *Store) Reclaim(ctx context.Context, settled Settled, cfg ReclaimConfig) (rep ReclaimReport, err error) {
	if err := cfg.Validate(); err != nil {
		return rep, err
	}
	if cfg.MinDead == 0 {
		cfg.MinDead = 0.1
	}
	err = s.tend(ctx, true, func(c *core) error {
		rep, err = c.reclaim(ctx, settled, cfg)
		return err
	})
	if err != nil {
		err = fmt.Errorf("reclaiming space: %w", err)
	}
	return rep, err
}

func (c *core) reclaim(ctx context.Context, settled Settled, cfg ReclaimConfig) (ReclaimReport, error) {
	rep, err := c.x.Compact(ctx, index.Compaction{
		MinDead: cfg.MinDead,
		Life: func(_ []byte, x index.Row) index.Life {
			r, err := parseRow(x)
			switch {
			case err != nil || !r.trash:
				return index.Kept
			case c.dead(r, settled):
				return index.Dead
			}
			return index.Waiting
		},
		Copy: c.copy,
		Bad: func(key []byte, x index.Row) {
			x.Flags |= flagBad
			c.x.Set(key, x)
		},
		Step: c.step,
	})
	return ReclaimReport{
		BlocksFreed: rep.RowsFreed, BytesFreed: rep.BytesFreed, SegmentsRemoved: rep.SegmentsRemoved,
		SegmentsRewritten: rep.SegmentsRewritten, BytesCopied: rep.BytesCopied, BytesWaiting: rep.BytesWaiting,
		Damaged: rep.Damaged,
	}, err
}

// copy copies the block of a row, which is the record at loc, to the newest segment.
func (c *core) copy(_ context.Context, key []byte, x index.Row, loc arena.Loc, rec arena.Record) (int64, error) {
	s, err := parseScoreKey(key)
	if err != nil {
		return 0, err
	}
	if err := verify(s, loc, rec); err != nil {
		x.Flags |= flagBad
		c.x.Set(key, x)
		return 0, fmt.Errorf("%w: %w", arena.ErrDamaged, err)
	}
	x.Flags &^= flagBad
	to, err := c.x.Append(kindBlock, key, rec.Data, key, x)
	if err == nil && x.Flags&flagTrash != 0 {
		x.Loc = to
		c.x.Set(key, x) // the arenas do not know that it is trash
	}
	return int64(to.Length), err
}
