package venti

import (
	"errors"
	"fmt"
	"math"
)

// MaxDepth bounds the depth of a tree; with the smallest pointer blocks that exist it is out of reach of MaxStream.
const MaxDepth = 12

// An Entry describes one stored stream: the ref of the top block of its tree, the number of levels of pointer blocks
// above the leaves, and the length of the stream in bytes. An empty stream, and one that is zeros only, has the zero
// Ref and depth 0. The zero Entry is the empty stream.
type Entry struct {
	Top   Ref
	Depth int
	Size  int64
}

// IsHole reports whether the stream is empty or zeros only, so that no block belongs to it.
func (e Entry) IsHole() bool { return e.Top.IsZero() }

var errHoleDepth = errors.New("a stream without blocks has depth 0")

// AppendEntry appends the encoding of e to b: size, depth+1 (or 0 when no block belongs to the stream), and the top
// ref if there is one.
func AppendEntry(b []byte, e Entry) []byte {
	b = AppendUint(b, uint64(e.Size))
	if e.IsHole() {
		return append(b, 0)
	}
	b = append(b, byte(e.Depth+1))
	return AppendRef(b, e.Top)
}

// Entry reads an Entry as AppendEntry wrote it.
func (d *Decoder) Entry() (e Entry) {
	e.Size = int64(d.Uint(math.MaxInt64))
	levels := int(d.Byte())
	if levels > MaxDepth+1 {
		d.Fail(fmt.Errorf("tree of depth %d is over the bound of %d", levels-1, MaxDepth))
	}
	if levels > 0 {
		e.Depth = levels - 1
		if e.Top = d.Ref(); d.err == nil && (e.Top.IsZero() || e.Size == 0) {
			d.Fail(errHoleDepth)
		}
	}
	if d.err != nil {
		return Entry{}
	}
	return e
}
