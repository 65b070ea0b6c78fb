package catalog

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"ventidhash/venti/seal"
)

// entropySize is the number of bytes that 24 words carry.
const entropySize = 32

// The labels separate the keys made from one owner's entropy. They are part of the format.
const (
	labelSign   = "ventidhash 2026 owner v1 signing key"
	labelRoot   = "ventidhash 2026 owner v1 root key"
	labelSecret = "ventidhash 2026 owner v1 convergence secret"
	labelMark   = "ventidhash 2026 owner v1 mark key"
)

// An Owner is whoever has the recovery phrase: the keys that sign heads, seal roots and make blocks converge. It does
// not print its secrets.
type Owner struct {
	entropy [entropySize]byte
	sign    ed25519.PrivateKey
	root    seal.RootKey
	secret  seal.Secret
	mark    [32]byte
	former  []*Owner // see Follow
}

// NewOwner makes a new owner from 32 bytes of random.
func NewOwner(random io.Reader) (*Owner, error) {
	var entropy [entropySize]byte
	if _, err := io.ReadFull(random, entropy[:]); err != nil {
		return nil, fmt.Errorf("new owner: %w", err)
	}
	return ownerOf(entropy)
}

// ownerOf derives the keys of the owner with the given entropy.
func ownerOf(entropy [entropySize]byte) (*Owner, error) {
	o := &Owner{entropy: entropy}
	seed, err := o.derive(labelSign)
	if err != nil {
		return nil, err
	}
	o.sign = ed25519.NewKeyFromSeed(seed[:])
	if o.root, err = o.derive(labelRoot); err != nil {
		return nil, err
	}
	if o.secret, err = o.derive(labelSecret); err != nil {
		return nil, err
	}
	o.mark, err = o.derive(labelMark)
	return o, err
}

// derive returns HKDF-SHA256 of the entropy for one purpose, without salt.
func (o *Owner) derive(label string) (key [32]byte, err error) {
	b, err := hkdf.Key(sha256.New, o.entropy[:], nil, label, len(key))
	copy(key[:], b)
	return key, err
}

// PublicKey returns the Ed25519 key that names the owner and checks what the owner signed.
func (o *Owner) PublicKey() ed25519.PublicKey { return o.sign.Public().(ed25519.PublicKey) }

// SigningKey returns the Ed25519 key that the owner signs with. Sign nothing without a label of its own in front.
func (o *Owner) SigningKey() ed25519.PrivateKey { return o.sign }

// RootKey returns the key that seals the owner's roots.
func (o *Owner) RootKey() seal.RootKey { return o.root }

// Secret returns the secret that makes the owner's blocks converge.
func (o *Owner) Secret() seal.Secret { return o.secret }

// MarkKey returns the key that makes the marks of the owner's claims on fragments in a swarm. Whoever has it can make the
// owner take junk for blocks that are stored, and read nothing.
func (o *Owner) MarkKey() [32]byte { return o.mark }

// String names the owner by the public key.
func (o *Owner) String() string { return "owner " + hex.EncodeToString(o.PublicKey()) }

// GoString is String, so that no way of printing shows a secret.
func (o *Owner) GoString() string { return o.String() }
