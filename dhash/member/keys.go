package member

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mr-tron/base58"
	"github.com/zeebo/blake3"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// idPrefix is what a libp2p peer id of an Ed25519 key has before the key's 32 bytes: an identity multihash of the key's
// protobuf. Members have no other kind of key.
const idPrefix = "\x00\x24\x08\x01\x12\x20"

// A PublicKey is an Ed25519 public key: the swarm's, a delegation's, a member's or a client's.
type PublicKey [ed25519.PublicKeySize]byte

// PublicOf returns the public half of key.
func PublicOf(key ed25519.PrivateKey) PublicKey { return PublicKey(key.Public().(ed25519.PublicKey)) }

// ID returns the peer id of whoever holds the private half of k.
func (k PublicKey) ID() dhash.ID { return dhash.ID(idPrefix + string(k[:])) }

// IsZero reports whether k is no key.
func (k PublicKey) IsZero() bool { return k == PublicKey{} }

// KeyOf returns the public key that id is made of. It fails if id is not that of an Ed25519 key; so it is the check of
// an id that came from outside.
func KeyOf(id dhash.ID) (PublicKey, error) {
	rest, ok := strings.CutPrefix(string(id), idPrefix)
	if !ok || len(rest) != ed25519.PublicKeySize {
		return PublicKey{}, errors.New("peer id is not that of an Ed25519 key, which members need")
	}
	return PublicKey([]byte(rest)), nil
}

// ParseID reads a member's id as dhash.ID.String writes it.
func ParseID(text string) (dhash.ID, error) {
	if len(text) > 128 {
		return "", fmt.Errorf("id of a member: %d characters are too many", len(text))
	}
	b, err := base58.Decode(text)
	if err != nil {
		return "", fmt.Errorf("id of a member %q: %w", text, err)
	}
	if _, err := KeyOf(dhash.ID(b)); err != nil {
		return "", fmt.Errorf("id of a member %q: %w", text, err)
	}
	return dhash.ID(b), nil
}

// A SwarmID names a swarm. It is in everything that is signed, so that no signature is good in two swarms.
type SwarmID [32]byte

// Swarm returns the id of the swarm whose key is k: a BLAKE3-256.
func (k PublicKey) Swarm() SwarmID {
	return blake3.Sum256(append([]byte("vdh swarm\x00"), k[:]...))
}

// A label keeps the signatures of different kinds of things apart. It ends in a zero byte and has no other.
type label string

const (
	labelManifest    label = "vdh manifest\x00"
	labelCertificate label = "vdh certificate\x00"
	labelRecord      label = "vdh record\x00"
	labelGrant       label = "vdh grant\x00"
)

func (l label) message(swarm SwarmID, body []byte) []byte {
	m := make([]byte, 0, len(l)+len(swarm)+len(body))
	m = append(m, l...)
	m = append(m, swarm[:]...)
	return append(m, body...)
}

func (l label) sign(key ed25519.PrivateKey, swarm SwarmID, body []byte) [ed25519.SignatureSize]byte {
	return [ed25519.SignatureSize]byte(ed25519.Sign(key, l.message(swarm, body)))
}

func (l label) verify(key PublicKey, swarm SwarmID, body []byte, sig [ed25519.SignatureSize]byte) bool {
	return ed25519.Verify(key[:], l.message(swarm, body), sig[:])
}

const maxName = 64 // bytes of a name or label

// checkTime says whether t survives venti.AppendSeconds.
func checkTime(t time.Time) error {
	if t.IsZero() {
		return nil
	}
	if s := t.Unix(); s <= 0 || s > venti.MaxSeconds || t.Nanosecond() != 0 {
		return fmt.Errorf("time %v is not in whole seconds after 1970", t)
	}
	return nil
}

// checkText says whether s is text for people: UTF-8 of at most limit bytes, no control characters.
func checkText(what, s string, limit int) error {
	if len(s) > limit || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("%s is not UTF-8 of at most %d bytes without control characters: %.80q", what, limit, s)
	}
	return nil
}

func decodeKey(d *venti.Decoder) PublicKey { return PublicKey(d.Fixed(ed25519.PublicKeySize)) }

func decodeSignature(d *venti.Decoder) [ed25519.SignatureSize]byte {
	return [ed25519.SignatureSize]byte(d.Fixed(ed25519.SignatureSize))
}

// decodeVersion reads the first byte of an encoding.
func decodeVersion(d *venti.Decoder, known byte) {
	if v := d.Byte(); d.Err() == nil && v != known {
		d.Fail(fmt.Errorf("version %d is not known to this program", v))
	}
}
