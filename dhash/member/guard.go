package member

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
)

// A Gate is a connection gater of libp2p that drops those whom the manifest bans, before they can say anything. The zero
// Gate drops nobody; a Service keeps it up to date. It must not be copied.
type Gate struct {
	bans atomic.Pointer[map[peer.ID]struct{}]
}

// SetManifest makes the gate drop those whom m bans.
func (g *Gate) SetManifest(m *Manifest) {
	bans := map[peer.ID]struct{}{}
	if m != nil {
		for _, id := range m.Bans {
			bans[peer.ID(id)] = struct{}{}
		}
	}
	g.bans.Store(&bans)
}

func (g *Gate) allows(p peer.ID) bool {
	bans := g.bans.Load()
	if bans == nil {
		return true
	}
	_, banned := (*bans)[p]
	return !banned
}

// InterceptPeerDial implements connmgr.ConnectionGater.
func (g *Gate) InterceptPeerDial(p peer.ID) bool { return g.allows(p) }

// InterceptAddrDial implements connmgr.ConnectionGater.
func (g *Gate) InterceptAddrDial(p peer.ID, _ ma.Multiaddr) bool { return g.allows(p) }

// InterceptAccept implements connmgr.ConnectionGater. It is too early to know who it is.
func (g *Gate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured implements connmgr.ConnectionGater: the remote key is proven from here on.
func (g *Gate) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return g.allows(p)
}

// InterceptUpgraded implements connmgr.ConnectionGater.
func (g *Gate) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	return g.allows(c.RemotePeer()), 0
}

// MembersOnly returns h with all protocols that are set on the result closed to strangers: a stream of somebody who has
// not said hello is reset before a byte of it is read. In the other direction, opening a stream or a connection says
// hello first, and fails with an error that wraps dhash.ErrStranger if the other side is none of the swarm. So what runs
// on the result, like kad-dht, deals with members and their clients only.
func (s *Service) MembersOnly(h host.Host) host.Host { return &guarded{h, s} }

// A guarded is a host for members and clients only.
type guarded struct {
	host.Host
	service *Service
}

func (g *guarded) guard(f network.StreamHandler) network.StreamHandler {
	return func(st network.Stream) {
		if !g.service.Admitted(dhash.ID(st.Conn().RemotePeer())) {
			st.Reset()
			return
		}
		f(st)
	}
}

// SetStreamHandler implements host.Host.
func (g *guarded) SetStreamHandler(id protocol.ID, f network.StreamHandler) {
	g.Host.SetStreamHandler(id, g.guard(f))
}

// SetStreamHandlerMatch implements host.Host.
func (g *guarded) SetStreamHandlerMatch(id protocol.ID, m func(protocol.ID) bool, f network.StreamHandler) {
	g.Host.SetStreamHandlerMatch(id, m, g.guard(f))
}

// Connect implements host.Host.
func (g *guarded) Connect(ctx context.Context, to peer.AddrInfo) error {
	return g.service.Meet(ctx, to)
}

// NewStream implements host.Host.
func (g *guarded) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	if err := g.service.Meet(ctx, peer.AddrInfo{ID: p}); err != nil {
		return nil, fmt.Errorf("open a stream of %v: %w", ids, err)
	}
	return g.Host.NewStream(ctx, p, ids...)
}
