package dhash

import (
	"encoding/binary"
	"fmt"

	"lukechampine.com/blake3/guts"

	"ventidhash/venti"
)

// LeafSize is the length of a leaf of a payload in bytes: what BLAKE3 calls a chunk. The last leaf may be shorter, and
// the only leaf of the empty payload is empty.
const LeafSize = guts.ChunkSize

// MaxLeaf is the length of the longest encoded Leaf in bytes.
const MaxLeaf = 2 << 10

// leafVersion is the first byte of an encoded leaf.
const leafVersion = 1

// A Leaf proves, to who does not have the fragment, that its sender has at least this part of the payload: BLAKE3 hashes
// a payload as a tree over leaves of LeafSize bytes, and Path leads from this one to the payload's hash, from where the
// fragment's own Proof leads to its coding. Who asks chooses the leaf by a nonce, so that the answer cannot be prepared.
// That BLAKE3's tree proves parts of what it hashes is the idea of Bao (O'Connor); a slice as Bao encodes it has twice the
// path, and needs the payload's hash beside it.
type Leaf struct {
	Fragment Fragment // whose leaf it is; without the payload
	Number   int      // of the leaf: 0 … Leaves-1
	Path     []Hash   // the hashes beside the way from the leaf to the payload's hash, the one nearest to the leaf first
	Data     []byte   // of the leaf
}

// Leaves returns how many leaves a payload of so many bytes has: at least one.
func Leaves(size int) int { return max(1, (size+LeafSize-1)/LeafSize) }

// LeafNumber returns which leaf of a payload of so many bytes a nonce asks for: the nonce modulo the number of leaves. A
// nonce is 64 bits that nobody could foresee.
func LeafNumber(nonce uint64, size int) int { return int(nonce % uint64(Leaves(size))) }

// Leaf returns the leaf of f that a nonce asks for, with its proof. It reads the whole payload once. If the payload is
// not what it should be, the leaf is not of the fragment's coding: see Leaf.Verify. f must have passed Validate; the
// leaf shares its memory.
func (f *Fragment) Leaf(nonce uint64) *Leaf {
	number := LeafNumber(nonce, len(f.Payload))
	l := &Leaf{Fragment: *f, Number: number}
	l.Fragment.Payload = nil
	l.Data = f.Payload[number*LeafSize : min((number+1)*LeafSize, len(f.Payload))]
	l.Path = make([]Hash, 0, ProofLen(number, Leaves(len(f.Payload))))
	l.Path = leafPath(l.Path, f.Payload, 0, number)
	return l
}

// leafPath appends the path of leaf number of p, which is a part of a payload that begins with leaf first.
func leafPath(path []Hash, p []byte, first, number int) []Hash {
	n := Leaves(len(p))
	if n == 1 {
		return path
	}
	k := split(n)
	left, right := p[:k*LeafSize], p[k*LeafSize:]
	if number < k {
		return append(leafPath(path, left, first, number), hashOf(subtree(right, first+k)))
	}
	return append(leafPath(path, right, first+k, number-k), hashOf(subtree(left, first)))
}

// subtree returns the node over p, a part of a payload that begins with leaf first. The shape is that of climb (BLAKE3,
// section 2.1).
func subtree(p []byte, first int) guts.Node {
	var buf [guts.MaxSIMD * guts.ChunkSize]byte
	switch {
	case len(p) == len(buf):
		return guts.CompressBuffer((*[len(buf)]byte)(p), len(p), &guts.IV, uint64(first), 0)
	case len(p) < len(buf):
		return guts.CompressBuffer(&buf, copy(buf[:], p), &guts.IV, uint64(first), 0)
	}
	k := split(Leaves(len(p)))
	return parent(hashOf(subtree(p[:k*LeafSize], first)), hashOf(subtree(p[k*LeafSize:], first+k)))
}

// climbLeaf returns the node over total leaves that leaf, which is the given one of them, and its path lead to. counter
// is the number of the leaf in the whole payload.
func climbLeaf(leaf []byte, counter, number, total int, path []Hash) guts.Node {
	if total == 1 {
		return guts.CompressChunk(leaf, &guts.IV, uint64(counter), 0)
	}
	last := len(path) - 1
	if k := split(total); number < k {
		return parent(hashOf(climbLeaf(leaf, counter, number, k, path[:last])), path[last])
	} else {
		return parent(path[last], hashOf(climbLeaf(leaf, counter, number-k, total-k, path[:last])))
	}
}

// parent returns the node of BLAKE3's tree above two others, given by their chaining values.
func parent(left, right Hash) guts.Node {
	return guts.ParentNode(words(left), words(right), &guts.IV, 0)
}

// hashOf returns the chaining value of a node; of the root node, with its flag, that is the hash.
func hashOf(n guts.Node) (h Hash) {
	for i, w := range guts.ChainingValue(n) {
		binary.LittleEndian.PutUint32(h[4*i:], w)
	}
	return h
}

func words(h Hash) (w [8]uint32) {
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(h[4*i:])
	}
	return w
}

// size returns the length of the payload that the leaf is of.
func (l *Leaf) size() int { return l.Fragment.Code.PayloadSize(l.Fragment.Length) }

// Coding returns the coding that the leaf belongs to. l must come from ParseLeaf or Fragment.Leaf.
func (l *Leaf) Coding() Coding {
	root := climbLeaf(l.Data, l.Number, l.Number, Leaves(l.size()), l.Path)
	root.Flags |= guts.FlagRoot
	return l.Fragment.codingOf(hashOf(root))
}

// Verify returns an error that wraps ErrFragment unless l is the leaf that the nonce asks for, of a fragment of the given
// coding of the block. Every field follows from the three and the fragment's Index, which is for the caller to judge. l
// must come from ParseLeaf or Fragment.Leaf.
func (l *Leaf) Verify(score venti.Score, coding Coding, nonce uint64) error {
	if l.Fragment.Score != score {
		return fmt.Errorf("%w: leaf of a fragment of block %s, want %s", ErrFragment, l.Fragment.Score.Short(), score.Short())
	}
	if want := LeafNumber(nonce, l.size()); l.Number != want {
		return fmt.Errorf("%w: leaf %d of a fragment of block %s, want %d", ErrFragment, l.Number, score.Short(), want)
	}
	if l.Coding() != coding {
		return fmt.Errorf("%w: leaf %d of a fragment of block %s is of another coding, or damaged", ErrFragment, l.Number,
			score.Short())
	}
	return nil
}

// Append appends the encoding of l, at most MaxLeaf bytes.
func (l *Leaf) Append(b []byte) []byte {
	b = l.Fragment.appendHeader(b, leafVersion)
	b = venti.AppendUint(b, uint64(l.Number))
	b = appendHashes(b, l.Path)
	return append(b, l.Data...)
}

// ParseLeaf reads what Append wrote and nothing else. It checks that all fields fit together, not what they say: see
// Verify. The data aliases b. Errors wrap ErrFragment.
func ParseLeaf(b []byte) (*Leaf, error) {
	d := venti.NewDecoder(b)
	f, err := parseHeader(d, leafVersion)
	if err != nil {
		return nil, err
	}
	l := &Leaf{Fragment: *f}
	size := l.size()
	leaves := Leaves(size)
	l.Number = int(d.Uint(uint64(leaves - 1)))
	if d.Err() == nil {
		l.Path = parseHashes(d, ProofLen(l.Number, leaves))
		l.Data = d.Fixed(min(size-l.Number*LeafSize, LeafSize))
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: leaf of block %s: %w", ErrFragment, f.Score.Short(), err)
	}
	return l, nil
}
