package member

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const (
	grantVersion = 1

	// MaxGrant is the length in bytes of the longest encoded grant.
	MaxGrant = 1 + 32 + 32 + 6 + ed25519.SignatureSize
)

// A Grant is an owner's signed word that a peer may act for it, until a time: fragments are stored and released on
// behalf of owners, and a grant is what a holder wants to see before it does so.
type Grant struct {
	Owner     dhash.Owner
	Peer      PublicKey // of the member's or client's libp2p host
	Expires   time.Time // in whole seconds
	Signature [ed25519.SignatureSize]byte
}

// NewGrant signs a grant with the owner's key.
func NewGrant(owner ed25519.PrivateKey, swarm SwarmID, peer PublicKey, expires time.Time) (*Grant, error) {
	g := &Grant{Owner: dhash.Owner(PublicOf(owner)), Peer: peer, Expires: expires.UTC().Truncate(time.Second)}
	if err := g.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	g.Signature = labelGrant.sign(owner, swarm, g.body())
	return g, nil
}

func (g *Grant) validate() error {
	if g.Expires.IsZero() {
		return errors.New("it has no end")
	}
	return checkTime(g.Expires)
}

func (g *Grant) body() []byte {
	b := append([]byte{grantVersion}, g.Owner[:]...)
	b = append(b, g.Peer[:]...)
	return venti.AppendSeconds(b, g.Expires)
}

// Encode returns the encoding of g.
func (g *Grant) Encode() []byte { return append(g.body(), g.Signature[:]...) }

// ParseGrant reads what Encode wrote and nothing else, and checks that it is the owner's word in this swarm, about peer,
// which is the key that the other side of the connection has proven to hold, and has not expired. Errors wrap ErrGrant.
func ParseGrant(b []byte, swarm SwarmID, peer PublicKey, now time.Time) (*Grant, error) {
	d := venti.NewDecoder(b)
	decodeVersion(d, grantVersion)
	g := &Grant{Owner: dhash.Owner(d.Fixed(len(dhash.Owner{}))), Peer: decodeKey(d), Expires: d.Seconds()}
	g.Signature = decodeSignature(d)
	err := d.Finish()
	if err == nil {
		err = g.validate()
	}
	switch {
	case err != nil:
	case g.Peer != peer:
		err = fmt.Errorf("it is for %s, not for %s", g.Peer.ID().Short(), peer.ID().Short())
	case now.After(g.Expires):
		err = fmt.Errorf("it expired at %s", g.Expires.Format(time.RFC3339))
	case !labelGrant.verify(PublicKey(g.Owner), swarm, g.body(), g.Signature):
		err = errors.New("its signature is bad")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGrant, err)
	}
	return g, nil
}
