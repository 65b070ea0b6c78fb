package tree

import (
	"crypto/sha256"
	"encoding/binary"

	"ventidhash/venti/seal"
)

// A Cut says how long the leaves of a stream are, in bytes. With Fixed, every leaf but the last has Avg bytes;
// otherwise content decides, between Min and Max, around Avg.
type Cut struct {
	Min, Avg, Max int
	Fixed         bool
}

// Files is the Cut for the contents of files.
func Files() Cut { return Cut{Min: 256 << 10, Avg: 1 << 20, Max: seal.MaxPlain} }

// Entries is the Cut for streams of small records, of which a few change at a time.
func Entries() Cut { return Cut{Min: 16 << 10, Avg: 64 << 10, Max: 256 << 10} }

// A cutter finds the ends of leaves in bytes that arrive piecemeal. It is FastCDC with normalised chunking, level 2
// (Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for Data Deduplication", USENIX ATC
// 2016, §4): no end before Min, a stricter condition up to Avg and a looser one after it. The condition looks at the
// top bits of the rolling hash, which depend on the last 64 bytes.
type cutter struct {
	gear         *[256]uint64
	cut          Cut
	early, later uint64 // masks
	n            int    // bytes of the current leaf so far
	h            uint64
}

func newCutter(c Cut, gear *[256]uint64) cutter {
	bits := 0
	for 1<<(bits+1) <= c.Avg {
		bits++
	}
	top := func(n int) uint64 { return ^uint64(0) << (64 - n) }
	return cutter{gear: gear, cut: c, early: top(bits + 2), later: top(bits - 2)}
}

// scan takes the next bytes of the stream and returns how many of them belong to the current leaf, and whether the
// leaf ends there. Without an end all of p is used.
func (c *cutter) scan(p []byte) (used int, end bool) {
	if c.cut.Fixed {
		used = min(len(p), c.cut.Avg-c.n)
		c.n += used
		return used, c.n == c.cut.Avg
	}
	if skip := c.cut.Min - c.n; skip > 0 {
		used = min(skip, len(p))
	}
	for _, stage := range [2]struct {
		until int
		mask  uint64
	}{{c.cut.Avg, c.early}, {c.cut.Max, c.later}} {
		stop := min(len(p), stage.until-c.n)
		if used >= stop {
			continue
		}
		n, found := roll(p[used:stop], &c.h, stage.mask, c.gear)
		if used += n; found {
			c.n += used
			return used, true
		}
	}
	c.n += used
	return used, c.n == c.cut.Max
}

// roll moves the hash over p until a position where the masked bits are zero; it returns how many bytes it took.
func roll(p []byte, hash *uint64, mask uint64, gear *[256]uint64) (int, bool) {
	h := *hash
	for i, b := range p {
		h = h<<1 + gear[b]
		if h&mask == 0 {
			return i + 1, true
		}
	}
	*hash = h
	return len(p), false
}

// reset begins a new leaf.
func (c *cutter) reset() { c.n, c.h = 0, 0 }

// newGear makes the table of the rolling hash: for each byte value the first eight bytes, big-endian, of SHA-256 over
// a label and that byte. It is part of the format.
func newGear() *[256]uint64 {
	var g [256]uint64
	for i := range g {
		sum := sha256.Sum256(append([]byte("ventidhash gear v1 "), byte(i)))
		g[i] = binary.BigEndian.Uint64(sum[:])
	}
	return &g
}
