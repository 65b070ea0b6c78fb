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
	certificateVersion = 1
	maxCertificate     = 1 + 1 + 32 + 6 + 6 + 3 + 1 + maxName + ed25519.SignatureSize

	// MaxChain bounds the certificates of a chain: two delegations, a member, a client.
	MaxChain = 4

	// MaxUses bounds the use count of an invitation.
	MaxUses = 1 << 16

	// MaxSkew is how far the clocks of two members may differ.
	MaxSkew = time.Hour

	// MaxClientTerm bounds how long a client's certificate lasts.
	MaxClientTerm = 48 * time.Hour
)

// A Role is what a certificate makes of its subject.
type Role byte

// The roles, each of which may issue only the ones after it; a delegation may also issue a narrower delegation.
const (
	RoleNone     Role = iota
	RoleDelegate      // may make members: an invitation
	RoleMember        // holds fragments, and may make clients
	RoleClient        // reads and writes for a member's person, holds nothing
)

// String returns the role's name.
func (r Role) String() string {
	switch r {
	case RoleDelegate:
		return "delegation"
	case RoleMember:
		return "member"
	case RoleClient:
		return "client"
	}
	return fmt.Sprintf("role %d", byte(r))
}

// A Certificate gives a key a role. It is good only in a Chain, which says who issued it. Times are in whole seconds.
type Certificate struct {
	Role    Role
	Subject PublicKey
	Issued  time.Time

	// Expires is, of a delegation, until when it may issue certificates; what it issued outlives it. Of a member or
	// client it is the end of the role. The zero time is never, and not allowed for a client or a delegation.
	Expires time.Time

	// Uses is how many members may come of a delegation; 0 is any number. Others have 0.
	Uses int

	Label     string // for people: whom the invitation is for
	Signature [ed25519.SignatureSize]byte
}

func (c *Certificate) validate() error {
	if err := errors.Join(checkText("label", c.Label, maxName), checkTime(c.Issued), checkTime(c.Expires)); err != nil {
		return err
	}
	switch {
	case c.Role < RoleDelegate || c.Role > RoleClient:
		return fmt.Errorf("%v is not known to this program", c.Role)
	case c.Issued.IsZero():
		return errors.New("no time of issue")
	case c.Expires.IsZero() && c.Role != RoleMember:
		return fmt.Errorf("a %v must expire", c.Role)
	case !c.Expires.IsZero() && c.Expires.Before(c.Issued):
		return errors.New("expires before it was issued")
	case c.Role == RoleClient && c.Expires.Sub(c.Issued) > MaxClientTerm:
		return fmt.Errorf("a client's term of %v is over %v", c.Expires.Sub(c.Issued), MaxClientTerm)
	case c.Uses < 0 || c.Uses > MaxUses || c.Uses > 0 && c.Role != RoleDelegate:
		return fmt.Errorf("use count %d of a %v", c.Uses, c.Role)
	}
	return nil
}

func (c *Certificate) body(b []byte) []byte {
	b = append(b, certificateVersion, byte(c.Role))
	b = append(b, c.Subject[:]...)
	b = venti.AppendSeconds(b, c.Issued)
	b = venti.AppendSeconds(b, c.Expires)
	b = venti.AppendUint(b, uint64(c.Uses))
	return venti.AppendBytes(b, c.Label)
}

func decodeCertificate(d *venti.Decoder) Certificate {
	decodeVersion(d, certificateVersion)
	c := Certificate{Role: Role(d.Byte()), Subject: decodeKey(d), Issued: d.Seconds(), Expires: d.Seconds()}
	c.Uses = int(d.Uint(MaxUses))
	c.Label = string(d.Bytes(maxName))
	c.Signature = decodeSignature(d)
	if d.Err() == nil {
		if err := c.validate(); err != nil {
			d.Fail(err)
		}
	}
	return c
}

// A Chain leads from the swarm's key to the subject of its last certificate: each certificate is signed by the subject of
// the one before, and the first by the swarm's key.
type Chain []Certificate

// appendTo appends the number of certificates and each of them.
func (c Chain) appendTo(b []byte) []byte {
	b = append(b, byte(len(c)))
	for i := range c {
		b = append(c[i].body(b), c[i].Signature[:]...)
	}
	return b
}

func decodeChain(d *venti.Decoder) Chain {
	n := d.Byte()
	if d.Err() == nil && (n < 1 || n > MaxChain) {
		d.Fail(fmt.Errorf("a chain of %d certificates", n))
	}
	if d.Err() != nil {
		return nil
	}
	c := make(Chain, 0, n)
	for range n {
		c = append(c, decodeCertificate(d))
	}
	return c
}

// Encode returns the encoding of the chain, to be kept in a file.
func (c Chain) Encode() []byte { return c.appendTo(nil) }

// ParseChain reads what Encode wrote and nothing else. It does not verify anything. Errors wrap dhash.ErrStranger.
func ParseChain(b []byte) (Chain, error) {
	d := venti.NewDecoder(b)
	c := decodeChain(d)
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: certificates: %w", dhash.ErrStranger, err)
	}
	return c, nil
}

// Issue returns the chain with one more certificate, signed with key, which is that of the last subject, or the swarm's
// if c is empty. It refuses what Verify would. Issued is set to now if it is zero.
func (c Chain) Issue(key ed25519.PrivateKey, swarm PublicKey, now time.Time, cert Certificate) (Chain, error) {
	if cert.Issued.IsZero() {
		cert.Issued = now.UTC().Truncate(time.Second)
	}
	cert.Expires = cert.Expires.UTC().Truncate(time.Second)
	if want := c.issuer(swarm); PublicOf(key) != want {
		return nil, fmt.Errorf("issue a certificate: the key is not that of %s", want.ID().Short())
	}
	cert.Signature = labelCertificate.sign(key, swarm.Swarm(), cert.body(nil))
	longer := append(c[:len(c):len(c)], cert)
	if _, err := longer.Verify(swarm, cert.Subject, now, nil); err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	return longer, nil
}

// issuer returns the key that signs the next certificate.
func (c Chain) issuer(swarm PublicKey) PublicKey {
	if len(c) == 0 {
		return swarm
	}
	return c[len(c)-1].Subject
}

// Role returns the role of the last subject.
func (c Chain) Role() Role {
	if len(c) == 0 {
		return RoleNone
	}
	return c[len(c)-1].Role
}

// Verify checks that the chain gives subject a role in the swarm whose key is swarm, at the time now, and returns the
// role. subject is the key that the other side of a connection has proven to hold: a certificate of somebody else is
// refused. m may be nil, and then nobody is banned. Errors wrap dhash.ErrStranger.
//
// What a delegation issued is good if it was issued while the delegation was good, by the word of who issued it: see the
// package comment for what that is worth.
func (c Chain) Verify(swarm, subject PublicKey, now time.Time, m *Manifest) (Role, error) {
	if err := c.verify(swarm, subject, now, m); err != nil {
		return RoleNone, fmt.Errorf("%w: %w", dhash.ErrStranger, err)
	}
	return c.Role(), nil
}

func (c Chain) verify(swarm, subject PublicKey, now time.Time, m *Manifest) error {
	if len(c) < 1 || len(c) > MaxChain {
		return fmt.Errorf("a chain of %d certificates", len(c))
	}
	if c[len(c)-1].Subject != subject {
		return fmt.Errorf("the certificate is %s's, not %s's", c[len(c)-1].Subject.ID().Short(), subject.ID().Short())
	}
	if m.bans(swarm) {
		return errors.New("the manifest bans the swarm's own key")
	}
	id := swarm.Swarm()
	for i := range c {
		if err := c.verifyLink(i, now); err != nil {
			return fmt.Errorf("certificate %d of %d: %w", i+1, len(c), err)
		}
		if m.bans(c[i].Subject) {
			return fmt.Errorf("%s is banned from the swarm", c[i].Subject.ID())
		}
		if !labelCertificate.verify(c[:i].issuer(swarm), id, c[i].body(nil), c[i].Signature) {
			return fmt.Errorf("certificate %d of %d: its signature is bad", i+1, len(c))
		}
	}
	return nil
}

// verifyLink checks that certificate i may come after the one before it: every link narrows.
func (c Chain) verifyLink(i int, now time.Time) error {
	link := &c[i]
	if err := link.validate(); err != nil {
		return err
	}
	if link.Issued.After(now.Add(MaxSkew)) {
		return fmt.Errorf("it was issued at %s, which is not yet", link.Issued.Format(time.RFC3339))
	}
	if link.Role != RoleDelegate && !link.Expires.IsZero() && now.After(link.Expires) {
		return fmt.Errorf("it expired at %s", link.Expires.Format(time.RFC3339))
	}
	if i == 0 {
		if link.Role == RoleClient {
			return errors.New("the swarm's key does not make clients")
		}
		return nil
	}
	before := &c[i-1]
	switch {
	case link.Issued.Before(before.Issued):
		return errors.New("it is older than its issuer's")
	case before.Role == RoleDelegate && link.Role == RoleClient,
		before.Role == RoleMember && link.Role != RoleClient,
		before.Role == RoleClient:
		return fmt.Errorf("a %v may not make a %v", before.Role, link.Role)
	case before.Role == RoleDelegate && link.Issued.After(before.Expires):
		return fmt.Errorf("it was issued at %s, after the invitation expired at %s",
			link.Issued.Format(time.RFC3339), before.Expires.Format(time.RFC3339))
	case link.Role == RoleDelegate && before.Uses > 0 && (link.Uses == 0 || link.Uses > before.Uses),
		link.Role == RoleDelegate && link.Expires.After(before.Expires),
		link.Role == RoleClient && !before.Expires.IsZero() && link.Expires.After(before.Expires):
		return errors.New("it allows more than its issuer may")
	}
	return nil
}
