package venti

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// HeadSize is the length of an encoded Head in bytes. The layout is in FORMAT.md.
const HeadSize = 1 + ed25519.PublicKeySize + 8 + ScoreSize + 8 + ed25519.SignatureSize

const (
	headVersion = 1
	headSigned  = HeadSize - ed25519.SignatureSize
	headLabel   = "ventidhash 2026 catalog head v1\x00" // stands in front of the signed bytes
)

// A Head is an owner's signed word on which catalog of its snapshots is the newest. Of two heads of one owner the one with
// the higher Sequence is meant; two of the same, with other content, are a conflict. ParseHead(h.Append(nil)) == h.
type Head struct {
	Owner     [ed25519.PublicKeySize]byte
	Sequence  uint64    // 1 and up
	Score     Score     // of the catalog's root block
	Time      time.Time // when it was signed: UTC, seconds
	Signature [ed25519.SignatureSize]byte
}

// SignHead returns the head with these fields, signed by the owner's key.
func SignHead(owner ed25519.PrivateKey, sequence uint64, score Score, now time.Time) Head {
	h := Head{Sequence: sequence, Score: score, Time: time.Unix(now.Unix(), 0).UTC()}
	copy(h.Owner[:], owner.Public().(ed25519.PublicKey))
	copy(h.Signature[:], ed25519.Sign(owner, append([]byte(headLabel), h.Append(nil)[:headSigned]...)))
	return h
}

// Append appends the encoding of h, which has HeadSize bytes.
func (h Head) Append(b []byte) []byte {
	b = append(b, headVersion)
	b = append(b, h.Owner[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Sequence)
	b = append(b, h.Score[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Time.Unix()))
	return append(b, h.Signature[:]...)
}

// ParseHead reads a head and checks its signature: it returns only what the owner named in it has signed. Anything else
// is ErrCorrupt.
func ParseHead(b []byte) (Head, error) {
	if len(b) > 0 && b[0] != headVersion {
		return Head{}, &headError{fmt.Sprintf("version %d is not known to this program", b[0])}
	}
	if len(b) != HeadSize {
		return Head{}, &headError{fmt.Sprintf("%d bytes where it has %d", len(b), HeadSize)}
	}
	var h Head
	copy(h.Owner[:], b[1:])
	h.Sequence = binary.BigEndian.Uint64(b[33:])
	copy(h.Score[:], b[41:])
	sec := binary.BigEndian.Uint64(b[73:])
	copy(h.Signature[:], b[headSigned:])
	if h.Sequence == 0 || h.Score.IsZero() || sec > math.MaxInt64 {
		return Head{}, &headError{"a field has a value that no head has"}
	}
	h.Time = time.Unix(int64(sec), 0).UTC()
	if !ed25519.Verify(h.Owner[:], append([]byte(headLabel), b[:headSigned]...), h.Signature[:]) {
		return Head{}, &headError{"the signature does not fit"}
	}
	return h, nil
}

// A headError is ErrCorrupt in words of its own, for a head is no block.
type headError struct{ text string }

// Error implements error.
func (e *headError) Error() string { return "head: " + e.text }

// Unwrap returns ErrCorrupt.
func (e *headError) Unwrap() error { return ErrCorrupt }
