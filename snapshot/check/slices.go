package check

import (
	"encoding/binary"
	"slices"

	"github.com/zeebo/blake3"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

// A claim is what a small file says about its part of a shared block. Of the hash it keeps the first 64 bits: the block
// is authentic, so the comparison looks for mistakes, which no more bits would find.
type claim struct {
	off  uint32
	size uint32 // with the bit handed once the claim has gone to a worker
	hash uint64
}

const handed = 1 << 31

func newClaim(d *vac.Dir) claim {
	s := d.Content.Slice
	return claim{off: s.Offset, size: uint32(d.Size), hash: binary.BigEndian.Uint64(s.Hash[:])}
}

// verify compares c with the plaintext of its block.
func (c claim) verify(s venti.Score, plain []byte) error {
	end := int64(c.off) + int64(c.size)
	if end > int64(len(plain)) {
		return corrupt(s, "a slice ends at %d of %d bytes", end, len(plain))
	}
	sum := blake3.Sum256(plain[c.off:end])
	if binary.BigEndian.Uint64(sum[:]) != c.hash {
		return corrupt(s, "bytes %d to %d do not have the hash of their file", c.off, end)
	}
	return nil
}

// compare orders claims by place and hash.
func (c claim) compare(o claim) int {
	switch {
	case c.off != o.off:
		return int(int64(c.off) - int64(o.off))
	case c.size&^handed != o.size&^handed:
		return int(c.size&^handed) - int(o.size&^handed)
	case c.hash < o.hash:
		return -1
	case c.hash > o.hash:
		return 1
	}
	return 0
}

// A shared is a block that small files share, and what they claim of it.
type shared struct {
	ref    venti.Ref
	claims []claim // sorted, each once
	open   int     // how many of them have not gone to a worker

	turn int    // the snapshot in which the walk last met the block
	used uint64 // bytes of it that files of that snapshot have claimed
}

// hand returns the claims that have not gone to a worker, and counts them as gone.
func (b *shared) hand() []claim {
	out := make([]claim, 0, b.open)
	for i, c := range b.claims {
		if c.size&handed == 0 {
			out = append(out, c)
			b.claims[i].size |= handed
		}
	}
	b.open = 0
	return out
}

// claims gathers what files claim of shared blocks.
type claims struct {
	blocks map[venti.Ref]*shared
	order  []*shared // as they were met
	last   *shared   // files that share a block mostly follow each other
	n      int
}

// maxClaims bounds how many claims are kept; 16 bytes each.
const maxClaims = 4 << 20

// add notes a claim of the file d, met in the snapshot that is the turn-th. It returns the block.
func (t *claims) add(d *vac.Dir, turn int) *shared {
	ref := d.Content.Slice.Block
	b := t.last
	if b == nil || b.ref != ref {
		if b = t.blocks[ref]; b == nil {
			b = &shared{ref: ref}
			t.blocks[ref] = b
			t.order = append(t.order, b)
		}
		t.last = b
	}
	if b.turn != turn {
		b.turn, b.used = turn, 0
	}
	b.used += uint64(d.Size)
	c := newClaim(d)
	if i, found := slices.BinarySearchFunc(b.claims, c, claim.compare); !found {
		b.claims = slices.Insert(b.claims, i, c)
		b.open++
		t.n++
	}
	return b
}

// reset forgets everything.
func (t *claims) reset() { *t = claims{blocks: map[venti.Ref]*shared{}} }
