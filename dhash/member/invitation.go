package member

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/mr-tron/base58"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/zeebo/blake3"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const (
	invitationVersion = 1
	invitationPrefix  = "vdh1"
	invitationSum     = 4 // bytes of the checksum

	// MaxAddrs bounds the addresses of a record and of an invitation.
	MaxAddrs = 8

	maxAddr       = 256 // bytes of an address
	maxInvitation = 1 + 32 + 32 + 1 + 3*maxCertificate + 1 + MaxAddrs*(2+maxAddr) + invitationSum
)

// An Invitation is all that a new member needs: the swarm's key, a delegated private key with the chain that says so,
// and where to find somebody. Whoever has its text can join, so it is handed over as a secret.
type Invitation struct {
	Swarm PublicKey
	Key   ed25519.PrivateKey // the delegated key
	Chain Chain              // leads to Key; one or two delegations
	Addrs []ma.Multiaddr     // of members, each ending in /p2p/ID; at most MaxAddrs
}

// Invite makes a new invitation. key is the swarm's and chain empty, or key is that of an invitation and chain its
// chain, whose limits then hold too. The invitation is good until expires, for uses members or, if uses is 0, any
// number. label says for people whom it is for.
func Invite(swarm PublicKey, chain Chain, key ed25519.PrivateKey, now, expires time.Time, uses int, label string,
	addrs []ma.Multiaddr) (*Invitation, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	longer, err := chain.Issue(key, swarm, now, Certificate{
		Role: RoleDelegate, Subject: PublicKey(public), Expires: expires, Uses: uses, Label: label,
	})
	if err != nil {
		return nil, err
	}
	v := &Invitation{Swarm: swarm, Key: private, Chain: longer, Addrs: addrs}
	return v, v.validate(now)
}

func (v *Invitation) validate(now time.Time) error {
	role, err := v.Chain.Verify(v.Swarm, PublicOf(v.Key), now, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvitation, err)
	}
	if role != RoleDelegate {
		return fmt.Errorf("%w: a %v may not invite", ErrInvitation, role)
	}
	if len(v.Addrs) > MaxAddrs {
		return fmt.Errorf("%w: %d addresses are over the bound of %d", ErrInvitation, len(v.Addrs), MaxAddrs)
	}
	for _, a := range v.Addrs {
		if err := checkMemberAddr(a); err != nil {
			return fmt.Errorf("%w: address %v: %w", ErrInvitation, a, err)
		}
	}
	return nil
}

// checkMemberAddr checks that an address says where a member is, and which one.
func checkMemberAddr(a ma.Multiaddr) error {
	info, err := peer.AddrInfoFromP2pAddr(a)
	if err == nil {
		_, err = KeyOf(dhash.ID(info.ID))
	}
	if err == nil && len(a.Bytes()) > maxAddr {
		err = errors.New("too long")
	}
	return err
}

// Expires returns until when the invitation is good.
func (v *Invitation) Expires() time.Time { return v.Chain[len(v.Chain)-1].Expires }

// Seeds returns whom to ask first, and where.
func (v *Invitation) Seeds() []peer.AddrInfo {
	seeds, err := peer.AddrInfosFromP2pAddrs(v.Addrs...)
	if err != nil {
		return nil // not with the addresses of a valid invitation
	}
	return seeds
}

// Accept makes subject, the key of a new member's libp2p host, a member, and returns its chain. An error that wraps
// ErrInvitation says that the invitation has expired.
func (v *Invitation) Accept(subject PublicKey, now time.Time, label string) (Chain, error) {
	if now.After(v.Expires()) {
		return nil, fmt.Errorf("%w: it expired at %s (this clock says %s); ask for a new one", ErrInvitation,
			v.Expires().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return v.Chain.Issue(v.Key, v.Swarm, now, Certificate{Role: RoleMember, Subject: subject, Label: label})
}

// String returns the invitation as one word of text, which ParseInvitation reads.
func (v *Invitation) String() string {
	b := append([]byte{invitationVersion}, v.Swarm[:]...)
	b = append(b, v.Key.Seed()...)
	b = v.Chain.appendTo(b)
	b = append(b, byte(len(v.Addrs)))
	for _, a := range v.Addrs {
		b = venti.AppendBytes(b, a.Bytes())
	}
	return invitationPrefix + base58.Encode(append(b, invitationChecksum(b)...))
}

func invitationChecksum(b []byte) []byte {
	sum := blake3.Sum256(append([]byte("vdh invitation\x00"), b...))
	return sum[:invitationSum]
}

// ParseInvitation reads the text of an invitation, with white space around it. It does not look at the time. Errors wrap
// ErrInvitation and never repeat the text, which is a secret.
func ParseInvitation(text string) (*Invitation, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), invitationPrefix)
	if !ok {
		return nil, fmt.Errorf("%w: it does not begin with %s", ErrInvitation, invitationPrefix)
	}
	if len(rest) > 2*maxInvitation {
		return nil, fmt.Errorf("%w: %d characters are too many", ErrInvitation, len(rest))
	}
	b, err := base58.Decode(rest)
	if err != nil {
		return nil, fmt.Errorf("%w: it has a character that none has; copy it again, whole", ErrInvitation)
	}
	if len(b) <= invitationSum || len(b) > maxInvitation {
		return nil, fmt.Errorf("%w: it is too short or too long; copy it again, whole", ErrInvitation)
	}
	body, sum := b[:len(b)-invitationSum], b[len(b)-invitationSum:]
	if string(sum) != string(invitationChecksum(body)) {
		return nil, fmt.Errorf("%w: a character is wrong or missing; copy it again, whole", ErrInvitation)
	}
	d := venti.NewDecoder(body)
	decodeVersion(d, invitationVersion)
	v := &Invitation{Swarm: decodeKey(d), Key: ed25519.NewKeyFromSeed(d.Fixed(ed25519.SeedSize)), Chain: decodeChain(d)}
	v.Addrs = decodeAddrs(d)
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvitation, err)
	}
	return v, v.validate(v.Chain[len(v.Chain)-1].Issued)
}

func decodeAddrs(d *venti.Decoder) []ma.Multiaddr {
	n := d.Byte()
	if d.Err() == nil && n > MaxAddrs {
		d.Fail(fmt.Errorf("%d addresses are over the bound of %d", n, MaxAddrs))
	}
	var addrs []ma.Multiaddr
	for range n {
		b := d.Bytes(maxAddr)
		if d.Err() != nil {
			return nil
		}
		a, err := ma.NewMultiaddrBytes(b)
		if err != nil || string(a.Bytes()) != string(b) {
			d.Fail(errors.New("an address is not a multiaddr"))
			return nil
		}
		addrs = append(addrs, a)
	}
	return addrs
}
