package wire

import (
	"math/bits"
	"sync"

	"ventidhash/venti"
)

const minClass = 12 // buffers are powers of two, from 4 KiB on

// A pool keeps buffers for the fields of messages, by size, so that a small block does not occupy a large buffer.
type pool struct {
	classes [maxClass - minClass + 1]sync.Pool // of *[]byte
}

const maxClass = 22

// The largest class holds the largest block.
const _ = uint(1<<maxClass - venti.MaxBlock)

func class(n int) int { return max(bits.Len(uint(max(n, 1)-1)), minClass) - minClass }

// take returns a buffer of n bytes with any content; n is at most venti.MaxBlock.
func (p *pool) take(n int) *[]byte {
	k := class(n)
	b, ok := p.classes[k].Get().(*[]byte)
	if !ok {
		b = new(make([]byte, 1<<(k+minClass)))
	}
	*b = (*b)[:n]
	return b
}

// give returns a buffer that take returned.
func (p *pool) give(b *[]byte) { p.classes[class(cap(*b))].Put(b) }
