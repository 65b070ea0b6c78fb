package peer

import (
	"math/bits"
	"sync"
)

// A pool keeps buffers for the bodies of messages, by size. A class has room for a power of two and the headers around
// it, because payloads are powers of two more often than not.
type pool struct {
	classes [maxClass - minClass + 1]sync.Pool // of *[]byte
}

const (
	minClass = 12 // 4 KiB
	maxClass = 22
	around   = 2 << 10
)

// The largest class holds the largest body.
const _ = uint(1<<maxClass + around - longestPut)

func class(n int) int { return max(bits.Len(uint(max(n-around, 1)-1)), minClass) - minClass }

// take returns a buffer of n bytes with any content; n is at most longestPut.
func (p *pool) take(n int) *[]byte {
	k := class(n)
	b, ok := p.classes[k].Get().(*[]byte)
	if !ok {
		b = new(make([]byte, 1<<(k+minClass)+around))
	}
	*b = (*b)[:n]
	return b
}

// give returns a buffer that take returned.
func (p *pool) give(b *[]byte) { p.classes[class(cap(*b))].Put(b) }
