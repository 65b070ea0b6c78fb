package venti

import "encoding/hex"

// KeySize is the length of a Key in bytes.
const KeySize = 32

// A Key opens one sealed block. It is a secret: whoever has it and the block can read the block.
type Key [KeySize]byte

// String returns the 64 lower-case hexadecimal digits of k. Never log it.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// A Ref is what it takes to fetch a block and to open it. It is a capability: it opens that block and all that the
// block refers to, and nothing else. The zero Ref names no block; in a tree it stands for bytes that are all zero.
type Ref struct {
	Score Score
	Key   Key
}

// IsZero reports whether r names no block.
func (r Ref) IsZero() bool { return r == Ref{} }

// RefSize is the length of an encoded Ref: score, then key.
const RefSize = ScoreSize + KeySize

// AppendRef appends the encoding of r to b.
func AppendRef(b []byte, r Ref) []byte {
	b = append(b, r.Score[:]...)
	return append(b, r.Key[:]...)
}

// Ref reads a Ref as AppendRef wrote it.
func (d *Decoder) Ref() (r Ref) {
	copy(r.Score[:], d.Fixed(ScoreSize))
	copy(r.Key[:], d.Fixed(KeySize))
	if d.err != nil {
		return Ref{}
	}
	return r
}
