package tree

import (
	"context"

	"ventidhash/venti"
)

// A Block is one block of a stream as Walk meets it.
type Block struct {
	Ref   venti.Ref
	Level int   // 0 for a leaf, else a pointer block
	Off   int64 // of its first byte in the stream
	Len   int64 // how many bytes of the stream stand below it
}

// Walk calls visit for each block of the stream e, a pointer block before the blocks below it, in the order of the
// stream. Where visit returns false, the blocks below are passed over; a caller that remembers scores so visits each
// block once. Leaves are not read. A pointer block that cannot be had is given to visit a second time, with the error;
// if visit then returns nil, the walk goes on behind it. Any other error of visit ends the walk and is returned.
func Walk(ctx context.Context, src *Source, e venti.Entry, visit func(b Block, err error) (descend bool, stop error)) error {
	if e.IsHole() {
		return nil
	}
	return walk(ctx, src, Block{Ref: e.Top, Level: e.Depth, Len: e.Size}, visit)
}

func walk(ctx context.Context, src *Source, b Block, visit func(Block, error) (bool, error)) error {
	descend, err := visit(b, nil)
	if err != nil || !descend || b.Level == 0 {
		return err
	}
	rows, err := src.rows(ctx, b.Ref, b.Level, b.Len)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		_, err = visit(b, err)
		return err
	}
	off := b.Off
	for _, r := range rows {
		if !r.ref.IsZero() {
			if err := walk(ctx, src, Block{r.ref, b.Level - 1, off, r.n}, visit); err != nil {
				return err
			}
		}
		off += r.n
	}
	return nil
}
