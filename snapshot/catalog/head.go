package catalog

import (
	"crypto/ed25519"
	"encoding/binary"
	"encoding/hex"
	"math"
	"time"

	"ventidhash/venti"
)

// HeadSize is the length of an encoded Head in bytes. The layout is in FORMAT.md.
const HeadSize = 1 + ed25519.PublicKeySize + 8 + venti.ScoreSize + 8 + ed25519.SignatureSize

const (
	headVersion = 1
	headSigned  = HeadSize - ed25519.SignatureSize
	headLabel   = "ventidhash 2026 catalog head v1\x00" // stands in front of the signed bytes
)

// A Head is an owner's signed word on which catalog is the newest. Of two heads of one owner the one with the higher
// Sequence is meant. ParseHead(h.Append(nil)) == h.
type Head struct {
	Owner     [ed25519.PublicKeySize]byte
	Sequence  uint64      // 1 and up
	Score     venti.Score // of the catalog's root block
	Time      time.Time   // when it was signed: UTC, seconds
	Signature [ed25519.SignatureSize]byte
}

// SignHead returns the head with these fields, signed by o.
func (o *Owner) SignHead(sequence uint64, score venti.Score, now time.Time) Head {
	h := Head{Sequence: sequence, Score: score, Time: time.Unix(now.Unix(), 0).UTC()}
	copy(h.Owner[:], o.PublicKey())
	copy(h.Signature[:], ed25519.Sign(o.sign, append([]byte(headLabel), h.Append(nil)[:headSigned]...)))
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
// is venti.ErrCorrupt.
func ParseHead(b []byte) (Head, error) {
	if len(b) > 0 && b[0] != headVersion {
		return Head{}, corruptf("head: version %d is not known to this program", b[0])
	}
	if len(b) != HeadSize {
		return Head{}, corruptf("head: %d bytes where it has %d", len(b), HeadSize)
	}
	var h Head
	copy(h.Owner[:], b[1:])
	h.Sequence = binary.BigEndian.Uint64(b[33:])
	copy(h.Score[:], b[41:])
	sec := binary.BigEndian.Uint64(b[73:])
	copy(h.Signature[:], b[headSigned:])
	if h.Sequence == 0 || h.Score.IsZero() || sec > math.MaxInt64 {
		return Head{}, corruptf("head: a field has a value that no head has")
	}
	h.Time = time.Unix(int64(sec), 0).UTC()
	if !ed25519.Verify(h.Owner[:], append([]byte(headLabel), b[:headSigned]...), h.Signature[:]) {
		return Head{}, corruptf("head: the signature does not fit")
	}
	return h, nil
}

// of returns an error if h is not the owner's.
func (h Head) of(o *Owner) error {
	if h.Owner != [ed25519.PublicKeySize]byte(o.PublicKey()) {
		return corruptf("%w: owner %s, not %s", ErrOtherOwner, hex.EncodeToString(h.Owner[:]), hex.EncodeToString(o.PublicKey()))
	}
	return nil
}
