package codec

import (
	"errors"
	"fmt"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// ErrCoding says that all fragments are those of one coding, and that the coding is not one of the block: whoever made
// it planted junk under the score. No other fragments of that coding will do; those of another coding may.
var ErrCoding = errors.New("coding is not one of its block")

// Decode returns the block that frags, fragments of one coding, give back; it is verified against the score, and the
// caller owns it. Any Code.Need different ones suffice; more do no harm, those that are not needed are not looked at.
// The payloads are neither changed nor kept.
//
// The caller should have checked each fragment as it arrived (Fragment.Coding), so as to know who sent a bad one.
// Decode checks what it used only when the block turns out wrong. Errors: venti.ErrUnavailable (fewer than Need
// different fragments), dhash.ErrFragment (one is malformed, or not of this coding, and which), ErrCoding (they are all
// what they claim to be, and the block is not).
func (e *Encoder) Decode(coding dhash.Coding, frags []*dhash.Fragment) ([]byte, error) {
	if len(frags) == 0 {
		return nil, fmt.Errorf("%w: no fragments to decode", venti.ErrUnavailable)
	}
	first := frags[0]
	payloads, used, err := choose(frags)
	if err != nil {
		return nil, fmt.Errorf("decoding block %s: %w", first.Score.Short(), err)
	}
	block, err := e.join(first.Code, first.Length, payloads)
	if err != nil {
		return nil, fmt.Errorf("decoding block %s as %s: %w", first.Score.Short(), first.Code, err)
	}
	if venti.Sum(block) == first.Score {
		return block, nil
	}
	for _, f := range used {
		if f.Coding() != coding {
			return nil, fmt.Errorf("decoding block %s: %w: number %d is not of coding %x",
				first.Score.Short(), dhash.ErrFragment, f.Index, coding[:6])
		}
	}
	return nil, fmt.Errorf("decoding block %s: %w: %d good fragments of coding %x give other bytes",
		first.Score.Short(), ErrCoding, len(used), coding[:6])
}

// Rebuild is Decode, and codes the block again: so that what is missing can be made. If the Encoded has another coding
// than the fragments had, then theirs was not honest though these of its fragments gave the block; Rebuild returns the
// Encoded, which is good and can replace them all, *and* an error that wraps ErrCoding. With any other error the
// Encoded is nil.
func (e *Encoder) Rebuild(coding dhash.Coding, frags []*dhash.Fragment) (*Encoded, error) {
	block, err := e.Decode(coding, frags)
	if err != nil {
		return nil, err
	}
	out, err := e.Encode(frags[0].Score, block, frags[0].Code)
	if err != nil {
		return nil, err
	}
	if out.Coding != coding {
		return out, fmt.Errorf("rebuilding block %s: %w: its fragments have coding %x, honest ones %x",
			out.Score.Short(), ErrCoding, coding[:6], out.Coding[:6])
	}
	return out, nil
}

// choose checks that frags go together and picks Need of them, those that hold the block's own bytes first. It returns
// their payloads by index, nil for the others.
func choose(frags []*dhash.Fragment) (payloads [][]byte, used []*dhash.Fragment, err error) {
	first := frags[0]
	byIndex := make([]*dhash.Fragment, dhash.MaxTotal)
	for _, f := range frags {
		if err := f.Validate(); err != nil {
			return nil, nil, err
		}
		if f.Score != first.Score || f.Length != first.Length || f.Code != first.Code {
			return nil, nil, fmt.Errorf("%w: number %d is of %s, %d bytes, %s; number %d of %s, %d bytes, %s",
				dhash.ErrFragment, f.Index, f.Score.Short(), f.Length, f.Code,
				first.Index, first.Score.Short(), first.Length, first.Code)
		}
		byIndex[f.Index] = f
	}
	payloads = make([][]byte, first.Code.Total)
	for i, f := range byIndex {
		if f != nil && len(used) < first.Code.Need {
			payloads[i] = f.Payload
			used = append(used, f)
		}
	}
	if len(used) < first.Code.Need {
		return nil, nil, fmt.Errorf("%w: %d different fragments, %d are needed",
			venti.ErrUnavailable, len(used), first.Code.Need)
	}
	return payloads, used, nil
}

// join makes a block of the given length from Need payloads. payloads is changed.
func (e *Encoder) join(c dhash.Code, length int, payloads [][]byte) ([]byte, error) {
	size := c.PayloadSize(length)
	if c.Need == 1 {
		for _, p := range payloads {
			if p != nil {
				return append(make([]byte, 0, length), p...), nil
			}
		}
	}
	block := make([]byte, c.Need*size)
	missing := false
	for i := range c.Need {
		if payloads[i] != nil {
			copy(block[i*size:], payloads[i])
			continue
		}
		payloads[i] = block[i*size : i*size : (i+1)*size] // where the coder puts what it makes
		missing = true
	}
	if missing && size > 0 {
		m, err := e.matrix(c)
		if err != nil {
			return nil, err
		}
		if err := m.ReconstructData(payloads); err != nil {
			return nil, err
		}
	}
	return block[:length:length], nil
}
