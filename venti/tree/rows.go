package tree

import (
	"context"
	"fmt"

	"ventidhash/venti"
)

// corrupt says that the block ref opened and does not hold what it should.
func corrupt(ref venti.Ref, err error) error {
	return &venti.BlockError{Op: "read", Score: ref.Score, Err: fmt.Errorf("%w: %w", venti.ErrCorrupt, err)}
}

// rows returns the rows of the pointer block ref, which is of the given level and stands for size bytes. They are
// shared.
func (s *Source) rows(ctx context.Context, ref venti.Ref, level int, size int64) ([]row, error) {
	if rows, ok := s.parsed(ref, level, size); ok {
		return rows, nil
	}
	plain, err := s.Block(ctx, ref)
	if err != nil {
		return nil, err
	}
	rows, err := parsePointer(plain, level, size)
	if err != nil {
		return nil, corrupt(ref, err)
	}
	s.keepRows(ref, rows, level, size)
	return rows, nil
}

// A cursor gives the rows of the leaves of a stream in order.
type cursor struct {
	src   *Source
	stack [][]row // rows not yet given, by level; the last one is the lowest
	level int     // of the rows on top of the stack: 0 is leaves
	off   int64   // of the next row in the stream
}

func newCursor(src *Source, e venti.Entry) *cursor {
	c := &cursor{src: src, level: e.Depth}
	if e.Size > 0 {
		c.stack = [][]row{{{ref: e.Top, n: e.Size}}}
	}
	return c
}

// next returns the next leaf row that ends after from, with its offset; ok is false after the last.
func (c *cursor) next(ctx context.Context, from int64) (r row, off int64, ok bool, err error) {
	for len(c.stack) > 0 {
		top := len(c.stack) - 1
		if len(c.stack[top]) == 0 {
			c.stack = c.stack[:top]
			c.level++
			continue
		}
		r = c.stack[top][0]
		c.stack[top] = c.stack[top][1:]
		if c.off+r.n <= from {
			c.off += r.n
			continue
		}
		if c.level == 0 || r.ref.IsZero() {
			off = c.off
			c.off += r.n
			return r, off, true, nil
		}
		below, err := c.src.rows(ctx, r.ref, c.level, r.n)
		if err != nil {
			c.stack = nil
			return row{}, c.off, false, err
		}
		c.level--
		c.stack = append(c.stack, below)
	}
	return row{}, c.off, false, nil
}
