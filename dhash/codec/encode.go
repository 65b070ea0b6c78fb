package codec

import (
	"fmt"
	"sync"

	"github.com/klauspost/reedsolomon"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// maxMatrices bounds how many codes an Encoder keeps the matrix of. Codes come from strangers' fragments too, and there
// are 2080; one that is not kept costs some ten microseconds for each block.
const maxMatrices = 32

// An Encoder codes and decodes blocks. The zero Encoder is ready for use, by many goroutines at once; it must not be
// copied.
type Encoder struct {
	mu       sync.RWMutex
	matrices map[dhash.Code]reedsolomon.Encoder // at most maxMatrices
}

// matrix returns the Reed–Solomon coder of c, which is valid and has parity.
func (e *Encoder) matrix(c dhash.Code) (reedsolomon.Encoder, error) {
	e.mu.RLock()
	m := e.matrices[c]
	e.mu.RUnlock()
	if m != nil {
		return m, nil
	}
	// No cache of inverted matrices: which ones are needed is up to who answers, and 8 of 20 alone has 125970.
	m, err := reedsolomon.New(c.Need, c.Total-c.Need,
		reedsolomon.WithMaxGoroutines(1), reedsolomon.WithInversionCache(false))
	if err != nil {
		return nil, fmt.Errorf("code %s: %w", c, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.matrices == nil {
		e.matrices = map[dhash.Code]reedsolomon.Encoder{}
	}
	if len(e.matrices) < maxMatrices {
		e.matrices[c] = m
	}
	return m, nil
}

// An Encoded is a block coded into fragments. It is not changed once it is made.
type Encoded struct {
	Score  venti.Score
	Length int // of the block, in bytes
	Code   dhash.Code
	Coding dhash.Coding

	proofs   [][]dhash.Hash
	payloads [][]byte
	buf      []byte
}

// Fragment returns fragment i, 0 ≤ i < Code.Total. Its payload and proof are those of e, not copies.
func (e *Encoded) Fragment(i int) dhash.Fragment {
	return dhash.Fragment{
		Score: e.Score, Length: e.Length, Code: e.Code, Index: i, Proof: e.proofs[i], Payload: e.payloads[i],
	}
}

// Buffer returns the memory that holds all payloads, of BufferSize bytes. When nobody uses a fragment of e any more it
// may serve EncodeInto again.
func (e *Encoded) Buffer() []byte { return e.buf }

// BufferSize returns how many bytes EncodeInto needs for the payloads of a block of the given length: with Need 1 they
// are all one.
func BufferSize(c dhash.Code, length int) int {
	if c.Need == 1 {
		return length
	}
	return c.Total * c.PayloadSize(length)
}

// Encode codes block, whose score the caller knows, into c.Total fragments. It does not keep or change block. Errors:
// c is not valid, or the block is over venti.MaxBlock.
func (e *Encoder) Encode(score venti.Score, block []byte, c dhash.Code) (*Encoded, error) {
	return e.EncodeInto(nil, score, block, c)
}

// EncodeInto is Encode with the payloads in buf, whatever buf held before, if its capacity is BufferSize or more; else
// in new memory. The Encoded owns buf until the caller takes it back (Encoded.Buffer).
func (e *Encoder) EncodeInto(buf []byte, score venti.Score, block []byte, c dhash.Code) (*Encoded, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("coding block %s: %w", score.Short(), err)
	}
	if len(block) > venti.MaxBlock {
		return nil, fmt.Errorf("coding block %s of %d bytes: %w", score.Short(), len(block), venti.ErrTooLarge)
	}
	need := BufferSize(c, len(block))
	if cap(buf) < need {
		buf = make([]byte, need)
	}
	buf = buf[:need]
	clear(buf[copy(buf, block):max(len(block), c.Need*c.PayloadSize(len(block)))])

	out := &Encoded{Score: score, Length: len(block), Code: c, buf: buf, payloads: make([][]byte, c.Total)}
	size := c.PayloadSize(len(block))
	for i := range out.payloads {
		if c.Need == 1 {
			out.payloads[i] = buf
		} else {
			out.payloads[i] = buf[i*size : (i+1)*size : (i+1)*size]
		}
	}
	if c.Need > 1 && c.Total > c.Need && size > 0 {
		m, err := e.matrix(c)
		if err != nil {
			return nil, err
		}
		if err := m.Encode(out.payloads); err != nil {
			return nil, fmt.Errorf("coding block %s as %s: %w", score.Short(), c, err)
		}
	}
	out.seal()
	return out, nil
}

// seal hashes the payloads and names the coding.
func (e *Encoded) seal() {
	leaves := make([]dhash.Hash, len(e.payloads))
	for i, p := range e.payloads {
		if i > 0 && e.Code.Need == 1 {
			leaves[i] = leaves[0]
			continue
		}
		leaves[i] = dhash.HashPayload(p)
	}
	var root dhash.Hash
	root, e.proofs = dhash.Proofs(leaves)
	e.Coding = dhash.CodingOf(e.Score, e.Length, e.Code, root)
}
