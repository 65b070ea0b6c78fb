package peer

import (
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
