package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/libp2p/go-libp2p/core/host"
	libpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/kad"
	"ventidhash/dhash/member"
)

// DefaultPort is where a member listens if nothing else is said.
const DefaultPort = "17035"

// ParseAddr reads where a member is: a multiaddr, with or without /p2p/ID behind it, or HOST or HOST:PORT.
func ParseAddr(text string) (ma.Multiaddr, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "/") {
		a, err := ma.NewMultiaddr(text)
		if err == nil && len(a) == 0 {
			err = errors.New("it is empty")
		}
		if err != nil {
			return nil, fmt.Errorf("address of a member %q, want one like /dns4/backup.example.org/tcp/17035: %w", text, err)
		}
		return a, nil
	}
	name, port, err := net.SplitHostPort(text)
	if err != nil {
		name, port = strings.Trim(text, "[]"), DefaultPort
	}
	kind := "dns"
	if ip, err := netip.ParseAddr(name); err == nil && ip.Is4() {
		kind = "ip4"
	} else if err == nil {
		kind = "ip6"
	}
	a, err := ma.NewMultiaddr("/" + kind + "/" + name + "/tcp/" + port)
	if err != nil || name == "" || strings.Contains(name, "/") {
		return nil, fmt.Errorf("address of a member %q, want HOST, HOST:PORT or one like /dns4/backup.example.org/tcp/17035", text)
	}
	return a, nil
}

// Rescue asks the member at an address (ParseAddr) to let in an owner who has the key and nothing else (package member).
// What it returns is no member's folder, and on no disk: it is for Dial, which it makes a client under the owner's own key
// for at most two days.
//
// Without an id in the address, whoever is there is asked. It learns who the owner is, and can show a swarm that is not
// the owner's; it cannot make up anything that the owner has signed or stored.
//
// Errors are those of member.AskRescue.
func Rescue(ctx context.Context, owner ed25519.PrivateKey, addr ma.Multiaddr, program string) (*Folder, error) {
	h, err := kad.NewHost(kad.HostConfig{Key: owner, Gater: new(member.Gate), Agent: "vdh/" + program})
	if err != nil {
		return nil, err
	}
	defer h.Close()
	to, err := whoIsAt(ctx, h, addr)
	if err != nil {
		return nil, err
	}
	r, err := member.AskRescue(ctx, h, *to)
	if err != nil {
		return nil, err
	}
	f := &Folder{Key: owner, Swarm: r.Swarm, Chain: r.Chain, Manifest: r.Manifest}
	id, err := ma.NewComponent("p2p", to.ID.String())
	if err != nil {
		return nil, err
	}
	f.Seeds = []ma.Multiaddr{to.Addrs[0].Encapsulate(id.Multiaddr())}
	f.Seeds = append(f.Seeds, r.Addrs...)
	return f, nil
}

// nobody is an id that no member has.
func nobody() libpeer.ID { return libpeer.ID(member.PublicKey{}.ID()) }

// whoIsAt returns who is at an address. Where that does not say the id, it is found by taking whoever is there for somebody
// else: the error of the handshake says who it is.
func whoIsAt(ctx context.Context, h host.Host, addr ma.Multiaddr) (*libpeer.AddrInfo, error) {
	if _, err := addr.ValueForProtocol(ma.P_P2P); err == nil {
		return libpeer.AddrInfoFromP2pAddr(addr)
	}
	to := libpeer.AddrInfo{ID: nobody(), Addrs: []ma.Multiaddr{addr}}
	err := h.Connect(ctx, to)
	var is sec.ErrPeerIDMismatch
	if !errors.As(err, &is) {
		return nil, &member.SilentError{Who: addr.String(), Err: err}
	}
	if _, err := member.KeyOf(dhash.ID(is.Actual)); err != nil {
		return nil, fmt.Errorf("what answers at %s is no member: %w", addr, err)
	}
	return &libpeer.AddrInfo{ID: is.Actual, Addrs: to.Addrs}, nil
}
