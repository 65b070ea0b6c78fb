package tree

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"ventidhash/venti/seal"
)

// A Cut says how long the leaves of a stream are, in bytes. With Fixed, every leaf but the last has Avg bytes;
// otherwise content decides, between Min and Max, around Avg. A Writer refuses one that does not pass Validate.
type Cut struct {
	Min, Avg, Max int
	Fixed         bool
}

// minAvg is the least Avg that content can decide around: the looser mask then has one bit.
const minAvg = 8

// Validate says which bound does not hold: 1 ≤ Min ≤ Avg ≤ Max ≤ seal.MaxPlain and 8 ≤ Avg, or with Fixed
// 1 ≤ Avg ≤ seal.MaxPlain, the others then having no meaning.
func (c Cut) Validate() error {
	switch {
	case c.Fixed && (c.Avg < 1 || c.Avg > seal.MaxPlain):
		return fmt.Errorf("cut: leaves of %d bytes are outside 1 to %d", c.Avg, seal.MaxPlain)
	case c.Fixed:
		return nil
	case c.Min < 1 || c.Min > c.Avg || c.Avg > c.Max || c.Avg < minAvg:
		return fmt.Errorf("cut: 1 ≤ Min ≤ Avg ≤ Max and %d ≤ Avg does not hold of %d, %d, %d", minAvg, c.Min, c.Avg, c.Max)
	case c.Max > seal.MaxPlain:
		return fmt.Errorf("cut: Max %d is over %d", c.Max, seal.MaxPlain)
	}
	return nil
}

// longest returns the length that no leaf exceeds.
func (c Cut) longest() int {
	if c.Fixed {
		return c.Avg
	}
	return c.Max
}

// Files is the Cut for the contents of files.
func Files() Cut { return Cut{Min: 256 << 10, Avg: 1 << 20, Max: seal.MaxPlain} }

// Entries is the Cut for streams of small records, of which a few change at a time.
func Entries() Cut { return Cut{Min: 8 << 10, Avg: 32 << 10, Max: 128 << 10} }

// A cutter finds the ends of leaves in bytes that arrive piecemeal. It is FastCDC with normalised chunking, level 2
// (Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach for Data Deduplication", USENIX ATC
// 2016, §4): no end before Min, a stricter condition up to Avg and a looser one after it. The condition looks at the
// top bits of the rolling hash, which depend on the last 64 bytes: that they are zero is to say that the hash is at most
// a limit.
type cutter struct {
	gear         *[256]uint64
	cut          Cut
	early, later uint64 // limits up to Avg and after it
	n            int    // bytes of the current leaf so far
	h            uint64
}

func newCutter(c Cut, gear *[256]uint64) cutter {
	bits := 0
	for 1<<(bits+1) <= c.Avg {
		bits++
	}
	zero := func(n int) uint64 { return ^uint64(0) >> n }
	return cutter{gear: gear, cut: c, early: zero(bits + 2), later: zero(bits - 2)}
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
		limit uint64
	}{{c.cut.Avg, c.early}, {c.cut.Max, c.later}} {
		stop := min(len(p), stage.until-c.n)
		if used >= stop {
			continue
		}
		n, found := roll(p[used:stop], &c.h, stage.limit, c.gear)
		if used += n; found {
			c.n += used
			return used, true
		}
	}
	c.n += used
	return used, c.n == c.cut.Max
}

// roll moves the hash over p until a position where it is at most limit; it returns how many bytes it took. It takes two
// bytes a turn: the hash after the second depends on the one before the first by a single shift and addition, which is
// what the loop waits for. That makes it half as fast again; more bytes a turn bring no more.
func roll(p []byte, hash *uint64, limit uint64, gear *[256]uint64) (int, bool) {
	h := *hash
	i := 0
	for ; i+2 <= len(p); i += 2 {
		a, b := gear[p[i]], gear[p[i+1]]
		first := h<<1 + a
		h = h<<2 + (a<<1 + b)
		if first <= limit || h <= limit {
			if first <= limit {
				return i + 1, true
			}
			return i + 2, true
		}
	}
	if i < len(p) {
		if h = h<<1 + gear[p[i]]; h <= limit {
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
