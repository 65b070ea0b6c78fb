package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	libp2p "github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// A Want says which fragment is asked for: any one of a block, of one coding if that is not zero, and of none of those
// to avoid (at most MaxAvoid).
type Want struct {
	Score  venti.Score
	Coding dhash.Coding
	Avoid  []dhash.Coding
}

// A Receipt is what a holder says once a fragment is durable there: how much more it has room for, in bytes, and which
// coding it has computed from what came. A coding that is not the sender's own means that the payload was damaged before
// it was sent.
type Receipt struct {
	Free   int64
	Coding dhash.Coding
}

// A Mark is a claim on one fragment that a holder has already: the mark that the owner puts on it (dhash.Claim).
type Mark struct {
	Score  venti.Score
	Coding dhash.Coding
	Index  int
	Mark   [16]byte
}

// A Diversion says that a fragment for which a member was responsible went to another one, because it was full.
type Diversion struct {
	Score  venti.Score
	Coding dhash.Coding
	Index  int
	To     dhash.ID
}

// A Challenge asks a member to prove that it has a leaf of a fragment of a coding: the one that the nonce asks for
// (dhash.LeafNumber). A nonce is used once, and nobody can foresee it.
type Challenge struct {
	Score  venti.Score
	Coding dhash.Coding
	Nonce  uint64
}

// A Proof is what a member answered to a Challenge: a leaf that was verified, and whose index says which fragment the
// member has; or Err, which wraps dhash.ErrFragment, if it sent something that proves nothing. Neither: it says that it
// has no such fragment.
type Proof struct {
	Leaf *dhash.Leaf
	Err  error
}

// errField is in errors about a field that has a value that it may not have.
var errField = errors.New("field out of range")

// finish returns what a decoder of a body says at its end.
func finish(k kind, d *venti.Decoder) error {
	if err := d.Finish(); err != nil {
		return fmt.Errorf("%w: %v: %w", errMalformed, k, err)
	}
	return nil
}

func (w *Want) append(b []byte) []byte {
	b = append(b, w.Score[:]...)
	b = append(b, w.Coding[:]...)
	for i := range w.Avoid {
		b = append(b, w.Avoid[i][:]...)
	}
	return b
}

func parseWant(b []byte) (w Want, err error) {
	d := venti.NewDecoder(b)
	copy(w.Score[:], d.Fixed(len(w.Score)))
	copy(w.Coding[:], d.Fixed(len(w.Coding)))
	for d.Err() == nil && d.Len() > 0 {
		w.Avoid = append(w.Avoid, dhash.Coding(d.Fixed(32)))
	}
	return w, finish(kGet, d)
}

// appendClaim appends what stands before the fragment in a put.
func appendClaim(b []byte, c dhash.Claim) []byte {
	b = append(b, c.Owner[:]...)
	return append(b, c.Mark[:]...)
}

// parsePut reads a put. The fragment's payload aliases b. What is wrong with the fragment alone is an error that wraps
// dhash.ErrFragment and not errMalformed: the sender is told.
func parsePut(b []byte) (c dhash.Claim, f *dhash.Fragment, err error) {
	d := venti.NewDecoder(b)
	copy(c.Owner[:], d.Fixed(len(c.Owner)))
	copy(c.Mark[:], d.Fixed(len(c.Mark)))
	if err := d.Err(); err != nil {
		return c, nil, fmt.Errorf("%w: %v: %w", errMalformed, kPut, err)
	}
	f, err = dhash.ParseFragment(b[claimSize:])
	return c, f, err
}

// appendCopy appends what stands before the fragment in a copy. The claims are in order.
func appendCopy(b []byte, claims []dhash.Claim) []byte {
	b = append(b, byte(len(claims)))
	for _, c := range claims {
		b = appendClaim(b, c)
	}
	return b
}

// byOwner is the order of the claims in a copy.
func byOwner(a, b dhash.Claim) int { return bytes.Compare(a.Owner[:], b.Owner[:]) }

// parseCopy reads a copy, as parsePut reads a put.
func parseCopy(b []byte) (claims []dhash.Claim, f *dhash.Fragment, err error) {
	d := venti.NewDecoder(b)
	n := int(d.Byte())
	if n < 1 || n > MaxClaims {
		d.Fail(errField)
	}
	for i := 0; d.Err() == nil && i < n; i++ {
		var c dhash.Claim
		copy(c.Owner[:], d.Fixed(len(c.Owner)))
		copy(c.Mark[:], d.Fixed(len(c.Mark)))
		if i > 0 && byOwner(claims[i-1], c) >= 0 {
			d.Fail(errField)
		}
		claims = append(claims, c)
	}
	if err := d.Err(); err != nil {
		return nil, nil, fmt.Errorf("%w: %v: %w", errMalformed, kCopy, err)
	}
	f, err = dhash.ParseFragment(b[len(b)-d.Len():])
	return claims, f, err
}

func (r *Receipt) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(r.Free))
	return append(b, r.Coding[:]...)
}

func parseReceipt(b []byte) (r Receipt, err error) {
	d := venti.NewDecoder(b)
	free := binary.BigEndian.Uint64(d.Fixed(8))
	if free > math.MaxInt64 {
		d.Fail(errField)
	}
	r.Free = int64(free)
	copy(r.Coding[:], d.Fixed(len(r.Coding)))
	return r, finish(kPut|answer, d)
}

func appendHave(b []byte, owner dhash.Owner, scores []venti.Score) []byte {
	b = append(b, owner[:]...)
	for i := range scores {
		b = append(b, scores[i][:]...)
	}
	return b
}

func parseHave(b []byte) (owner dhash.Owner, scores []venti.Score, err error) {
	d := venti.NewDecoder(b)
	copy(owner[:], d.Fixed(len(owner)))
	scores = make([]venti.Score, 0, d.Len()/venti.ScoreSize)
	for d.Err() == nil && d.Len() > 0 {
		scores = append(scores, venti.Score(d.Fixed(venti.ScoreSize)))
	}
	return owner, scores, finish(kHave, d)
}

// appendHeld appends the answer to a have. Of each block it tells the first MaxHeld fragments.
func appendHeld(b []byte, held [][]dhash.Held) []byte {
	for _, of := range held {
		of = of[:min(len(of), MaxHeld)]
		b = append(b, byte(len(of)))
		for i := range of {
			h := &of[i]
			b = append(b, h.Coding[:]...)
			b = append(b, byte(h.Code.Need), byte(h.Code.Total), byte(h.Index))
			b = binary.BigEndian.AppendUint32(b, uint32(h.Length))
			b = append(b, h.Mark[:]...)
		}
	}
	return b
}

// parseHeld reads the answer to a have of n scores.
func parseHeld(b []byte, n int) ([][]dhash.Held, error) {
	d := venti.NewDecoder(b)
	held := make([][]dhash.Held, n)
	for i := range held {
		count := int(d.Byte())
		if count > MaxHeld {
			d.Fail(errField)
		}
		for range count {
			var h dhash.Held
			copy(h.Coding[:], d.Fixed(len(h.Coding)))
			h.Code = dhash.Code{Need: int(d.Byte()), Total: int(d.Byte())}
			h.Index = int(d.Byte())
			length := binary.BigEndian.Uint32(d.Fixed(4))
			copy(h.Mark[:], d.Fixed(len(h.Mark)))
			if d.Err() == nil && (h.Code.Validate() != nil || h.Index >= h.Code.Total || length > venti.MaxBlock) {
				d.Fail(errField)
			}
			if d.Err() != nil {
				break
			}
			h.Length = int(length)
			held[i] = append(held[i], h)
		}
	}
	return held, finish(kHave|answer, d)
}

func appendMarks(b []byte, owner dhash.Owner, marks []Mark) []byte {
	b = append(b, owner[:]...)
	for i := range marks {
		m := &marks[i]
		b = append(b, m.Score[:]...)
		b = append(b, m.Coding[:]...)
		b = append(b, byte(m.Index))
		b = append(b, m.Mark[:]...)
	}
	return b
}

func parseMarks(b []byte) (owner dhash.Owner, marks []Mark, err error) {
	d := venti.NewDecoder(b)
	copy(owner[:], d.Fixed(len(owner)))
	marks = make([]Mark, 0, d.Len()/itemSize)
	for d.Err() == nil && d.Len() > 0 {
		var m Mark
		copy(m.Score[:], d.Fixed(len(m.Score)))
		copy(m.Coding[:], d.Fixed(len(m.Coding)))
		if m.Index = int(d.Byte()); m.Index >= dhash.MaxTotal {
			d.Fail(errField)
		}
		copy(m.Mark[:], d.Fixed(len(m.Mark)))
		marks = append(marks, m)
	}
	return owner, marks, finish(kClaim, d)
}

// appendBools appends the answer to a claim.
func appendBools(b []byte, held []bool) []byte {
	for _, h := range held {
		if h {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

// parseBools reads the answer to a claim of n fragments.
func parseBools(b []byte, n int) ([]bool, error) {
	if len(b) != n {
		return nil, fmt.Errorf("%w: %d answers for %d claims", errMalformed, len(b), n)
	}
	held := make([]bool, n)
	for i, v := range b {
		if v > 1 {
			return nil, fmt.Errorf("%w: %v: %w", errMalformed, kClaim|answer, errField)
		}
		held[i] = v == 1
	}
	return held, nil
}

func (v *Diversion) append(b []byte) []byte {
	b = append(b, v.Score[:]...)
	b = append(b, v.Coding[:]...)
	b = append(b, byte(v.Index))
	return append(b, v.To...)
}

func parseDiversion(b []byte) (v Diversion, err error) {
	d := venti.NewDecoder(b)
	copy(v.Score[:], d.Fixed(len(v.Score)))
	copy(v.Coding[:], d.Fixed(len(v.Coding)))
	if v.Index = int(d.Byte()); v.Index >= dhash.MaxTotal {
		d.Fail(errField)
	}
	v.To = parseID(d, d.Len())
	return v, finish(kDivert, d)
}

// parseID reads n bytes that are to be the id of a member.
func parseID(d *venti.Decoder, n int) dhash.ID {
	b := d.Fixed(n)
	if d.Err() != nil {
		return ""
	}
	id, err := libp2p.IDFromBytes(b)
	if err != nil || n > maxID {
		d.Fail(errField)
		return ""
	}
	return dhash.ID(id)
}

func appendChallenges(b []byte, all []Challenge) []byte {
	for i := range all {
		b = append(b, all[i].Score[:]...)
		b = append(b, all[i].Coding[:]...)
		b = binary.BigEndian.AppendUint64(b, all[i].Nonce)
	}
	return b
}

func parseChallenges(b []byte) ([]Challenge, error) {
	d := venti.NewDecoder(b)
	all := make([]Challenge, 0, d.Len()/askSize)
	for d.Err() == nil && d.Len() > 0 {
		var c Challenge
		copy(c.Score[:], d.Fixed(len(c.Score)))
		copy(c.Coding[:], d.Fixed(len(c.Coding)))
		c.Nonce = binary.BigEndian.Uint64(d.Fixed(8))
		all = append(all, c)
	}
	return all, finish(kChallenge, d)
}

// appendLeaf appends the answer to one challenge: an encoded leaf, or an empty one for a fragment that is not held.
func appendLeaf(b []byte, leaf []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(leaf)))
	return append(b, leaf...)
}

// parseLeaves reads the answers to the first of n challenges: to one at least. It does not look into the leaves, which
// alias b.
func parseLeaves(b []byte, n int) (leaves [][]byte, err error) {
	d := venti.NewDecoder(b)
	for d.Err() == nil && (d.Len() > 0 || len(leaves) == 0) {
		size := int(binary.BigEndian.Uint16(d.Fixed(2)))
		if size > dhash.MaxLeaf || len(leaves) >= n {
			d.Fail(errField)
		}
		leaves = append(leaves, d.Fixed(size))
	}
	return leaves, finish(kChallenge|answer, d)
}
