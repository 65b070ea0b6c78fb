package disk

import (
	"context"
	"fmt"

	"ventidhash/venti"
)

// TrashReport says what Trash found. Bytes are those of whole records.
type TrashReport struct {
	Live       int64 // blocks that are needed
	LiveBytes  int64
	Trash      int64 // blocks that are not, old trash and new
	TrashBytes int64
	New        int64 // trash that was none before
	Rescued    int64 // needed blocks that were trash before
}

// trashChunk bounds for how many rows at a time Trash keeps sessions from beginning.
const trashChunk = 1000

// Trash marks every block for which live returns false as trash, and unmarks the others. Trash can be read like any
// block; a Get, Put or Has of it takes it out of the trash. live is called from one goroutine, for each block once.
//
// Trash frees nothing: see Reclaim, and the package comment for the whole protocol. It calls Own. It may be interrupted
// at any time.
func (s *Store) Trash(ctx context.Context, live func(venti.Score) bool) (rep TrashReport, err error) {
	err = s.tend(ctx, true, func(c *core) error {
		rep, err = c.trash(ctx, live)
		return err
	})
	if err != nil {
		err = fmt.Errorf("looking for trash: %w", err)
	}
	return rep, err
}

func (c *core) trash(ctx context.Context, live func(venti.Score) bool) (rep TrashReport, err error) {
	if err := c.x.Flush(ctx); err != nil {
		return rep, err
	}
	var chunk []venti.Score
	mark := func() error {
		err := withCounter(ctx, c.cfg.Dir, func(n *counter) error {
			for _, s := range chunk {
				if err := c.throwAway(ctx, s, n.next); err != nil {
					return err
				}
			}
			return nil
		})
		chunk = chunk[:0]
		c.x.FlushSoon()
		return err
	}
	err = c.rows(ctx, func(s venti.Score, r row, err error) error {
		if err != nil {
			return err
		}
		switch size := int64(r.loc.Length); {
		case live(s):
			rep.Live++
			rep.LiveBytes += size
			if r.trash {
				rep.Rescued++
				_, _, err = c.revive(ctx, s)
			}
			return err
		default:
			rep.Trash++
			rep.TrashBytes += size
			if r.trash {
				return nil
			}
			rep.New++
			if chunk = append(chunk, s); len(chunk) == trashChunk {
				return mark()
			}
			return nil
		}
	})
	if err == nil {
		err = mark()
	}
	if err == nil {
		err = c.x.Flush(ctx)
	}
	return rep, err
}

// Survey says what Trash would find, and changes nothing. It calls Own.
func (s *Store) Survey(ctx context.Context, live func(venti.Score) bool) (rep TrashReport, err error) {
	err = s.tend(ctx, false, func(c *core) error {
		rep, err = c.survey(ctx, live)
		return err
	})
	if err != nil {
		err = fmt.Errorf("looking for trash: %w", err)
	}
	return rep, err
}

func (c *core) survey(ctx context.Context, live func(venti.Score) bool) (rep TrashReport, err error) {
	if err := c.x.Flush(ctx); err != nil {
		return rep, err
	}
	err = c.rows(ctx, func(s venti.Score, r row, err error) error {
		size := int64(r.loc.Length)
		switch {
		case err != nil:
		case live(s):
			rep.Live++
			rep.LiveBytes += size
			if r.trash {
				rep.Rescued++
			}
		default:
			rep.Trash++
			rep.TrashBytes += size
			if !r.trash {
				rep.New++
			}
		}
		return err
	})
	return rep, err
}

// throwAway marks a block as trash. No session can begin meanwhile: those that have begun have numbers below stamp, and
// those that will begin find the block in the trash.
func (c *core) throwAway(ctx context.Context, s venti.Score, stamp uint64) error {
	defer c.lockScore(s).Unlock()
	r, ok, err := c.find(ctx, s)
	if err != nil || !ok || r.trash {
		return err
	}
	r.trash, r.stamp = true, stamp
	c.setState(s, r)
	return nil
}

// dead reports whether a row is of a block that nobody can need any more.
func (c *core) dead(r row, settled Settled) bool {
	return r.trash && max(r.stamp, c.floor) <= settled.below
}
