package fragstore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const recordVersion = 1

var errRecord = errors.New("record of a fragment store")

// maxOwners is how many owners may claim one fragment.
const maxOwners = 256

const (
	// markedSize is the length of an owner and a mark, and claimSize that of the longest encoded claim: these two and a
	// time.
	markedSize = len(dhash.Owner{}) + len(dhash.Claim{}.Mark)
	claimSize  = markedSize + 6
)

// claims says who needs a fragment.
type claims struct {
	of    []dhash.Claim // by owner, ascending
	at    []int64       // when each was made, or made anew, by this member's clock, in seconds since 1970
	since int64         // when the last of them let it go, in seconds since 1970; only if there are none
}

func (c claims) trash() bool { return len(c.of) == 0 }

func (c claims) find(o dhash.Owner) (int, bool) {
	return slices.BinarySearchFunc(c.of, o, func(a dhash.Claim, o dhash.Owner) int { return bytes.Compare(a.Owner[:], o[:]) })
}

// has reports whether claim is among the claims, with the same mark, and made at that time or later.
func (c claims) has(claim dhash.Claim, now int64) bool {
	i, ok := c.find(claim.Owner)
	return ok && c.of[i] == claim && c.at[i] >= now
}

// with returns the claims with claim, made now, in place of one of the same owner if there is any.
func (c claims) with(claim dhash.Claim, now int64) claims {
	now = min(max(now, 0), venti.MaxSeconds)
	i, ok := c.find(claim.Owner)
	if ok {
		left := claims{of: slices.Clone(c.of), at: slices.Clone(c.at)}
		left.of[i], left.at[i] = claim, max(now, c.at[i])
		return left
	}
	return claims{of: slices.Insert(slices.Clone(c.of), i, claim), at: slices.Insert(slices.Clone(c.at), i, now)}
}

// without returns the claims without that of o, which was let go at a time, in seconds since 1970.
func (c claims) without(o dhash.Owner, now int64) claims {
	i, ok := c.find(o)
	if !ok {
		return c
	}
	if len(c.of) > 1 {
		return claims{of: slices.Delete(slices.Clone(c.of), i, i+1), at: slices.Delete(slices.Clone(c.at), i, i+1)}
	}
	return trashed(now)
}

// trashed returns the claims on what nobody claims since a time.
func trashed(now int64) claims { return claims{since: max(0, now)} }

// append appends the encoding of c.
func (c claims) append(b []byte) []byte {
	b = venti.AppendUint(b, uint64(len(c.of)))
	for i := range c.of {
		b = append(b, c.of[i].Owner[:]...)
		b = append(b, c.of[i].Mark[:]...)
		b = venti.AppendUint(b, uint64(c.at[i]))
	}
	if c.trash() {
		b = venti.AppendUint(b, uint64(c.since))
	}
	return b
}

// size returns the length of the encoding of c.
func (c claims) size() int {
	if c.trash() {
		return 1 + uintLen(uint64(c.since))
	}
	n := uintLen(uint64(len(c.of))) + len(c.of)*markedSize
	for _, at := range c.at {
		n += uintLen(uint64(at))
	}
	return n
}

func uintLen(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

// decodeClaims reads what append wrote.
func decodeClaims(d *venti.Decoder) (c claims) {
	n := int(d.Uint(maxOwners))
	for range n {
		var claim dhash.Claim
		copy(claim.Owner[:], d.Fixed(len(claim.Owner)))
		copy(claim.Mark[:], d.Fixed(len(claim.Mark)))
		at := int64(d.Uint(venti.MaxSeconds))
		if d.Err() != nil {
			return claims{}
		}
		if len(c.of) > 0 && bytes.Compare(c.of[len(c.of)-1].Owner[:], claim.Owner[:]) >= 0 {
			d.Fail(errors.New("owners are not in order"))
			return claims{}
		}
		c.of, c.at = append(c.of, claim), append(c.at, at)
	}
	if n == 0 {
		c.since = int64(d.Uint(1<<63 - 1))
	}
	return c
}

// decodeVersion reads the first byte of a record's data.
func decodeVersion(d *venti.Decoder) {
	if v := d.Byte(); d.Err() == nil && v != recordVersion {
		d.Fail(fmt.Errorf("version %d is not known to this program", v))
	}
}

// appendFragmentData appends the data of a fragment record, which begins like that of a claims record.
func appendFragmentData(b []byte, c claims, encoded []byte) []byte {
	return append(appendClaimsData(b, c), encoded...)
}

// parseFragmentData reads what appendFragmentData wrote. encoded and what the fragment holds alias data.
func parseFragmentData(data []byte) (c claims, f *dhash.Fragment, encoded []byte, err error) {
	d := venti.NewDecoder(data)
	decodeVersion(d)
	c = decodeClaims(d)
	if err := d.Err(); err != nil {
		return claims{}, nil, nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	encoded = data[len(data)-d.Len():]
	if f, err = dhash.ParseFragment(encoded); err != nil {
		return claims{}, nil, nil, fmt.Errorf("%w: %w", errRecord, err)
	}
	return c, f, encoded, nil
}

// parseClaimsData reads the data of a claims record.
func parseClaimsData(data []byte) (claims, error) {
	d := venti.NewDecoder(data)
	decodeVersion(d)
	c := decodeClaims(d)
	if err := d.Finish(); err != nil {
		return claims{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	return c, nil
}

func appendClaimsData(b []byte, c claims) []byte { return c.append(append(b, recordVersion)) }

// maxID bounds the length of a member's id.
const maxID = 128

// diverted is what a diversion record says: the whole coding, and which member has the fragment.
type diverted struct {
	coding dhash.Coding
	to     dhash.ID
}

func appendDiversionData(b []byte, v diverted) []byte {
	b = append(b, recordVersion)
	b = append(b, v.coding[:]...)
	return venti.AppendBytes(b, string(v.to))
}

func parseDiversionData(data []byte) (diverted, error) {
	d := venti.NewDecoder(data)
	decodeVersion(d)
	var v diverted
	copy(v.coding[:], d.Fixed(len(v.coding)))
	v.to = dhash.ID(d.Bytes(maxID))
	if d.Err() == nil && len(v.to) == 0 {
		d.Fail(errors.New("it names no member"))
	}
	if err := d.Finish(); err != nil {
		return diverted{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	return v, nil
}
