package dhash

import (
	"fmt"

	"github.com/zeebo/blake3"

	"ventidhash/venti"
)

// fragmentVersion is the first byte of an encoded fragment.
const fragmentVersion = 1

// MaxFragment is the length of the longest encoded fragment in bytes: a whole block, with the longest header.
const MaxFragment = venti.MaxBlock + 512

// A Hash is a BLAKE3-256.
type Hash = [32]byte

// A Coding names one coding of one block: it is a hash of the score, the block's length, the code, and the Merkle root
// over the hashes of the payloads of all fragments. Fragments of different codings do not go together.
type Coding Hash

// IsZero reports whether c names no coding.
func (c Coding) IsZero() bool { return c == Coding{} }

// A Fragment is one coded piece of a block. Proof leads from the hash of its Payload to the Merkle root over all
// fragments, so that a single one can be checked alone against its Coding.
type Fragment struct {
	Score   venti.Score
	Length  int // of the block, in bytes
	Code    Code
	Index   int // 0 … Total-1
	Proof   []Hash
	Payload []byte // Code.PayloadSize(Length) bytes
}

// HashPayload returns the hash of a payload: plain BLAKE3, whose own tree allows proofs about a part of the payload.
func HashPayload(payload []byte) Hash { return blake3.Sum256(payload) }

// ProofLen returns the number of hashes in the proof of fragment index of total: the depth of its leaf in a tree whose
// left subtree always holds the largest power of two of leaves that is less than all (as in RFC 6962, section 2.1).
func ProofLen(index, total int) int {
	n := 0
	for total > 1 {
		left := split(total)
		if index < left {
			total = left
		} else {
			index, total = index-left, total-left
		}
		n++
	}
	return n
}

// split returns the largest power of two below n, for n > 1.
func split(n int) int {
	k := 1
	for 2*k < n {
		k *= 2
	}
	return k
}

// node is the hash of an inner node of the Merkle tree.
func node(left, right Hash) Hash {
	var b [1 + 2*len(left)]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+len(left):], right[:])
	return blake3.Sum256(b[:])
}

// Proofs returns, for the hashes of all payloads of a block, the Merkle root and the proof of each fragment, the hash
// nearest to the leaf first.
func Proofs(leaves []Hash) (root Hash, proofs [][]Hash) {
	proofs = make([][]Hash, len(leaves))
	for i := range proofs {
		proofs[i] = make([]Hash, 0, ProofLen(i, len(leaves)))
	}
	return grow(leaves, proofs), proofs
}

func grow(leaves []Hash, proofs [][]Hash) Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := split(len(leaves))
	left, right := grow(leaves[:k], proofs[:k]), grow(leaves[k:], proofs[k:])
	for i := range proofs {
		if i < k {
			proofs[i] = append(proofs[i], right)
		} else {
			proofs[i] = append(proofs[i], left)
		}
	}
	return node(left, right)
}

// climb returns the Merkle root that leaf, the hash of fragment index of total, and its proof lead to. The proof has
// ProofLen(index, total) hashes.
func climb(leaf Hash, index, total int, proof []Hash) Hash {
	if total == 1 {
		return leaf
	}
	last := len(proof) - 1
	if k := split(total); index < k {
		return node(climb(leaf, index, k, proof[:last]), proof[last])
	} else {
		return node(proof[last], climb(leaf, index-k, total-k, proof[:last]))
	}
}

// CodingOf returns the name of the coding of a block whose payloads have the given Merkle root.
func CodingOf(s venti.Score, length int, c Code, root Hash) Coding {
	b := make([]byte, 0, 128)
	b = append(b, "vdh coding\x01"...)
	b = append(b, s[:]...)
	b = venti.AppendUint(b, uint64(length))
	b = append(b, byte(c.Need), byte(c.Total))
	b = append(b, root[:]...)
	return blake3.Sum256(b)
}

// Coding returns the coding that the fragment belongs to, which it computes from the payload: if it is not the expected
// one, the fragment is bad. f must have passed Validate.
func (f *Fragment) Coding() Coding { return f.codingOf(HashPayload(f.Payload)) }

// codingOf returns the coding that the fragment belongs to if its payload has the given hash.
func (f *Fragment) codingOf(payload Hash) Coding {
	return CodingOf(f.Score, f.Length, f.Code, climb(payload, f.Index, f.Code.Total, f.Proof))
}

// Validate returns an error that wraps ErrFragment if a field does not fit the others.
func (f *Fragment) Validate() error {
	if err := f.validateHeader(); err != nil {
		return err
	}
	if want := f.Code.PayloadSize(f.Length); len(f.Payload) != want {
		return fmt.Errorf("%w: payload of %d bytes, want %d", ErrFragment, len(f.Payload), want)
	}
	return nil
}

func (f *Fragment) validateHeader() error {
	if err := f.Code.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrFragment, err)
	}
	switch {
	case f.Length < 0 || f.Length > venti.MaxBlock:
		return fmt.Errorf("%w: of a block of %d bytes", ErrFragment, f.Length)
	case f.Index < 0 || f.Index >= f.Code.Total:
		return fmt.Errorf("%w: number %d of %d", ErrFragment, f.Index, f.Code.Total)
	case len(f.Proof) != ProofLen(f.Index, f.Code.Total):
		return fmt.Errorf("%w: proof of %d hashes", ErrFragment, len(f.Proof))
	}
	return nil
}

// AppendHeader appends everything of the fragment's encoding but the payload, which follows it: so that a payload can
// be sent from where it is.
func (f *Fragment) AppendHeader(b []byte) []byte { return f.appendHeader(b, fragmentVersion) }

func (f *Fragment) appendHeader(b []byte, version byte) []byte {
	b = append(b, version)
	b = append(b, f.Score[:]...)
	b = venti.AppendUint(b, uint64(f.Length))
	b = append(b, byte(f.Code.Need), byte(f.Code.Total), byte(f.Index))
	return appendHashes(b, f.Proof)
}

func appendHashes(b []byte, hashes []Hash) []byte {
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

// Append appends the encoding of f.
func (f *Fragment) Append(b []byte) []byte { return append(f.AppendHeader(b), f.Payload...) }

// ParseFragment reads what Append wrote and nothing else. It checks that all fields fit together, not what they say:
// see Coding. The payload aliases b. Errors wrap ErrFragment.
func ParseFragment(b []byte) (*Fragment, error) {
	d := venti.NewDecoder(b)
	f, err := parseHeader(d, fragmentVersion)
	if err != nil {
		return nil, err
	}
	if want := f.Code.PayloadSize(f.Length); d.Len() != want {
		return nil, fmt.Errorf("%w: payload of %d bytes, want %d", ErrFragment, d.Len(), want)
	}
	f.Payload = b[len(b)-d.Len():]
	return f, nil
}

// parseHeader reads what AppendHeader wrote, which begins with the given version.
func parseHeader(d *venti.Decoder, version byte) (*Fragment, error) {
	if v := d.Byte(); d.Err() == nil && v != version {
		return nil, fmt.Errorf("%w: version %d is not known to this program", ErrFragment, v)
	}
	f := &Fragment{}
	copy(f.Score[:], d.Fixed(len(f.Score)))
	f.Length = int(d.Uint(venti.MaxBlock))
	f.Code = Code{Need: int(d.Byte()), Total: int(d.Byte())}
	f.Index = int(d.Byte())
	if d.Err() == nil && f.Code.Validate() == nil && f.Index < f.Code.Total {
		f.Proof = parseHashes(d, ProofLen(f.Index, f.Code.Total))
	}
	if err := d.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFragment, err)
	}
	return f, f.validateHeader()
}

// parseHashes reads n hashes.
func parseHashes(d *venti.Decoder, n int) []Hash {
	hashes := make([]Hash, n)
	for i := range hashes {
		copy(hashes[i][:], d.Fixed(len(hashes[i])))
	}
	return hashes
}
