package sim

import (
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"
)

// A place is an IP address of the simulated network, as text.
type place string

// links are the simulated network: who has a link to it, and what happens to packets on the way.
type links struct {
	net     simnet.Simnet
	link    simnet.NodeBiDiLinkSettings
	latency time.Duration
	streams tally

	mu    sync.Mutex // protects the following
	used  int        // addresses given out
	loss  float64
	dice  *rand.Rand // of losses
	side  map[place]int
	quiet map[place]bool // their links swallow everything
}

func newLinks(cfg Config, dice *rand.Rand) *links {
	one := simnet.LinkSettings{BitsPerSecond: cfg.BitsPerSecond}
	l := &links{link: simnet.NodeBiDiLinkSettings{Downlink: one, Uplink: one}, latency: cfg.Latency, dice: dice,
		streams: tally{opened: map[protocol.ID]int{}}, side: map[place]int{}, quiet: map[place]bool{}}
	l.net.LatencyFunc = l.route
	l.net.Logger = slog.New(slog.DiscardHandler) // it reports what route drops
	l.net.Start()
	return l
}

// nowhere is an address that nobody has: the network drops what goes there.
var nowhere = &net.UDPAddr{IP: net.IPv4(240, 0, 0, 1), Port: 1}

// route returns how long a packet is under way, and sends those that are lost nowhere.
func (l *links) route(p *simnet.Packet) time.Duration {
	from, to := placeOf(p.From), placeOf(p.To)
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.loss > 0 && l.dice.Float64() < l.loss
	if lost || l.quiet[from] || l.quiet[to] || l.side[from] != l.side[to] {
		p.To = nowhere
	}
	return l.latency
}

func placeOf(a net.Addr) place {
	if u, ok := a.(*net.UDPAddr); ok {
		return place(u.IP.String())
	}
	return ""
}

// newPlace returns an address that nobody has had.
func (l *links) newPlace() place {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used++
	return place(simnet.IntToPublicIPv4(l.used).String())
}

// change changes what happens to packets.
func (l *links) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *links) isQuiet(at place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.quiet[at]
}

// host returns a libp2p host at an address. A node's own host differs in three ways: it speaks TCP with TLS, has the
// resource manager of package kad, and drops the banned before they say hello.
func (l *links) host(key ed25519.PrivateKey, at place) (host.Host, error) {
	identity, err := crypto.UnmarshalEd25519PrivateKey(key)
	if err != nil {
		return nil, err
	}
	h, err := libp2p.New(
		libp2p.Identity(identity),
		libp2p.Transport(quic.NewTransport),
		libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/%s/udp/17035/quic-v1", at)),
		simlibp2p.QUICSimnet(&l.net, l.link),
		libp2p.DisableIdentifyAddressDiscovery(), // with it virtual time stands still
		libp2p.UDPBlackHoleSuccessCounter(nil),   // as in package kad
		libp2p.ResourceManager(&l.streams),
		libp2p.WithDialTimeout(10*time.Second),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
		libp2p.Ping(false),
	)
	if err != nil {
		return nil, fmt.Errorf("simulated host: %w", err)
	}
	return h, nil
}

// A tally is a resource manager that limits nothing and counts the streams that members open.
type tally struct {
	network.NullResourceManager

	mu     sync.Mutex // protects the following
	opened map[protocol.ID]int
}

// OpenStream implements network.ResourceManager.
func (t *tally) OpenStream(_ peer.ID, d network.Direction) (network.StreamManagementScope, error) {
	return &tallied{tally: t, counts: d == network.DirOutbound}, nil
}

func (t *tally) of(id protocol.ID) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.opened[id]
}

// tallied is one stream.
type tallied struct {
	network.NullScope
	tally  *tally
	counts bool
}

// SetProtocol implements network.StreamManagementScope.
func (t *tallied) SetProtocol(id protocol.ID) error {
	if t.counts {
		t.tally.mu.Lock()
		defer t.tally.mu.Unlock()
		t.tally.opened[id]++
	}
	return nil
}
