package kad

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/config"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	cmgr "github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	defaultConns = 1200             // connections at which the least useful are closed
	connsPerIP   = 256              // connections from one address: a site behind one NAT is one address
	rateIP       = 16               // new connections a second from one address, after the first connsPerIP
	dialTimeout  = 10 * time.Second // for a connection, with its handshake
	kadStreams   = 16               // streams of the DHT that one peer may have open here
)

// A HostConfig describes the libp2p host of a node or a client.
type HostConfig struct {
	// Key is the identity of the host. Required.
	Key ed25519.PrivateKey

	// Listen has the multiaddrs to listen on, as in /ip4/0.0.0.0/tcp/17035. With none the host only dials. An address
	// with /quic-v1 needs QUIC.
	Listen []string

	// Announce has the multiaddrs to tell others instead of those that the host listens on.
	Announce []string

	// QUIC adds this transport. It costs three to four times the CPU of TCP with TLS for each byte.
	QUIC bool

	// NAT is for a host that others cannot dial: it adds QUIC, asks the router to map ports, finds out whether it can
	// be reached, punches holes, and, where Relays is given, lets itself be reached through one of them. Hosts with
	// neither NAT nor Relay cannot dial such an address; there the host behind the NAT is the one to dial.
	NAT bool

	// Relays has multiaddrs, with /p2p/ID, of members that relay.
	Relays []string

	// Relay makes the host, which others can dial, relay connections between two peers that RelayFor allows. Relayed
	// connections are not limited in bytes or time.
	Relay bool

	// RelayFor says which peers the host relays for. Required with Relay.
	RelayFor func(peer.ID) bool

	// Gater may refuse connections. Nil refuses none.
	Gater connmgr.ConnectionGater

	// MaxConns is the number of connections at which the host begins to close the least useful, down to five sixths.
	// Zero means 1200.
	MaxConns int

	// Metrics is where libp2p's metrics go. Nil is nowhere, except that with NAT some counts of events go to the
	// registry of the process, which cannot be helped.
	Metrics prometheus.Registerer

	// Agent names the program and its version to other peers.
	Agent string
}

// Validate reports the first field that cannot be used.
func (c *HostConfig) Validate() error {
	if len(c.Key) != ed25519.PrivateKeySize {
		return fmt.Errorf("host: Key has %d bytes, want an Ed25519 private key of %d", len(c.Key), ed25519.PrivateKeySize)
	}
	if c.MaxConns < 0 {
		return fmt.Errorf("host: MaxConns is %d, want 0 or more", c.MaxConns)
	}
	if c.Relay && c.RelayFor == nil {
		return errors.New("host: Relay without RelayFor would relay for strangers")
	}
	if len(c.Relays) > 0 && !c.NAT {
		return errors.New("host: Relays are for a host with NAT")
	}
	for _, a := range c.Listen {
		if _, err := ma.NewMultiaddr(a); err != nil {
			return fmt.Errorf("host: listen address %q, want one like /ip4/0.0.0.0/tcp/17035: %w", a, err)
		}
	}
	for _, a := range c.Announce {
		if _, err := ma.NewMultiaddr(a); err != nil {
			return fmt.Errorf("host: announced address %q, want one like /dns4/example.org/tcp/17035: %w", a, err)
		}
	}
	for _, a := range c.Relays {
		if _, err := peer.AddrInfoFromString(a); err != nil {
			return fmt.Errorf("host: relay %q, want an address that ends in /p2p/ID: %w", a, err)
		}
	}
	return nil
}

// NewHost starts a host. The caller closes it, after everything that uses it. If any of the addresses cannot be
// listened on, there is an error and no host: libp2p itself is content with one of them.
func NewHost(c HostConfig) (host.Host, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.MaxConns == 0 {
		c.MaxConns = defaultConns
	}
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	h, err := libp2p.New(options...)
	if err != nil {
		return nil, fmt.Errorf("host: %w", err)
	}
	for _, s := range c.Listen {
		a, err := ma.NewMultiaddr(s)
		if err == nil {
			err = h.Network().Listen(a)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("listen on %s; is another node using it, or is QUIC off?: %w", s, err),
				h.Close())
		}
	}
	return h, nil
}

// options returns everything that differs from a host of IPFS: one transport, one security protocol, no ping, no relay
// and no looking for one's own address unless NAT asks for it, so that an idle host costs next to nothing.
func (c *HostConfig) options() ([]libp2p.Option, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(c.Key)
	if err != nil {
		return nil, fmt.Errorf("host: Key: %w", err)
	}
	announce, err := c.announce()
	if err != nil {
		return nil, err
	}
	conns, err := cmgr.NewConnManager(c.MaxConns*5/6, c.MaxConns)
	if err != nil {
		return nil, fmt.Errorf("host: connection manager: %w", err)
	}
	resources, err := c.resources()
	if err != nil {
		return nil, errors.Join(err, conns.Close())
	}
	tcpOptions := []any{}
	if !c.NAT {
		// Dialling from the port that one listens on helps behind a NAT only, and makes two members that dial each
		// other at once both believe to be the client.
		tcpOptions = append(tcpOptions, tcp.DisableReuseport())
	}
	options := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.Transport(tcp.NewTCPTransport, tcpOptions...),
		libp2p.Security(libp2ptls.ID, newSecure),
		libp2p.ConnectionManager(conns),
		libp2p.ResourceManager(resources),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.AddrsFactory(announce),
		libp2p.Ping(false),
		// After a hundred dials of which fewer than five succeed libp2p takes IPv6, or UDP, for shut off, and refuses
		// nearly all further dials. A node that was alone for some minutes, or whose swarm is mostly off, would not
		// come back by itself.
		libp2p.IPv6BlackHoleSuccessCounter(nil),
		libp2p.UDPBlackHoleSuccessCounter(nil),
		c.metrics(),
	}
	if c.Gater != nil {
		options = append(options, libp2p.ConnectionGater(c.Gater))
	}
	if c.Agent != "" {
		options = append(options, libp2p.UserAgent(c.Agent))
	}
	if c.QUIC || c.NAT {
		options = append(options, libp2p.Transport(quic.NewTransport))
	}
	return append(options, c.reach()...), nil
}

// reach returns how the host finds out and makes sure that others can dial it.
func (c *HostConfig) reach() []libp2p.Option {
	var options []libp2p.Option
	if c.NAT {
		options = append(options, libp2p.NATPortMap(), libp2p.EnableAutoNATv2(), libp2p.EnableRelay(),
			libp2p.EnableHolePunching())
	} else {
		options = append(options, libp2p.DisableIdentifyAddressDiscovery(), libp2p.ForceReachabilityPublic())
		if c.Relay {
			options = append(options, libp2p.EnableRelay())
		} else {
			options = append(options, libp2p.DisableRelay())
		}
	}
	if len(c.Relays) > 0 {
		var relays []peer.AddrInfo
		for _, s := range c.Relays {
			if info, err := peer.AddrInfoFromString(s); err == nil { // Validate has seen them
				relays = append(relays, *info)
			}
		}
		options = append(options, libp2p.EnableAutoRelayWithStaticRelays(relays))
	}
	if c.Relay {
		options = append(options, libp2p.EnableRelayService(relay.WithInfiniteLimits(), relay.WithACL(relayFor(c.RelayFor))))
	}
	return options
}

// A relayFor relays between peers of which it is true.
type relayFor func(peer.ID) bool

func (f relayFor) AllowReserve(p peer.ID, _ ma.Multiaddr) bool { return f(p) }

func (f relayFor) AllowConnect(from peer.ID, _ ma.Multiaddr, to peer.ID) bool {
	return f(from) && f(to)
}

// metrics returns the option that sends metrics to where they should go. Without metrics libp2p's event bus still takes
// the registry of the whole process, unless it is given one; hence the empty one.
func (c *HostConfig) metrics() libp2p.Option {
	return func(cfg *config.Config) error {
		cfg.PrometheusRegisterer = c.Metrics
		if c.Metrics == nil {
			cfg.DisableMetrics = true
			cfg.PrometheusRegisterer = prometheus.NewRegistry()
		}
		return nil
	}
}

// announce returns the function that chooses the addresses to tell others: those that were configured, else those
// listened on, without loopback where there is something else. Addresses through a relay stay in any case.
func (c *HostConfig) announce() (config.AddrsFactory, error) {
	fixed := make([]ma.Multiaddr, 0, len(c.Announce))
	for _, s := range c.Announce {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, fmt.Errorf("host: announced address %q: %w", s, err)
		}
		fixed = append(fixed, a)
	}
	return func(all []ma.Multiaddr) []ma.Multiaddr {
		if len(fixed) > 0 {
			relayed := slices.DeleteFunc(slices.Clone(all), func(a ma.Multiaddr) bool { return !isRelayed(a) })
			return append(relayed, fixed...)
		}
		if others := slices.DeleteFunc(slices.Clone(all), manet.IsIPLoopback); len(others) > 0 {
			return others
		}
		return all
	}, nil
}

func isRelayed(a ma.Multiaddr) bool {
	_, err := a.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

// resources returns a resource manager whose bounds are those of libp2p, which grow with the machine, but for three:
// the connections, of which a member has one to each other member, all of them perhaps from one address, and at once
// after a restart; the rate of new ones; and the streams of the DHT.
func (c *HostConfig) resources() (network.ResourceManager, error) {
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
	limits.AddProtocolPeerLimit(Protocol, rcmgr.BaseLimit{
		Streams: 2 * kadStreams, StreamsInbound: kadStreams, StreamsOutbound: kadStreams, Memory: kadStreams << 20,
	}, rcmgr.BaseLimitIncrease{})
	conns := rcmgr.LimitVal(2 * c.MaxConns)
	streams := rcmgr.LimitVal(32 * c.MaxConns)
	transient := rcmgr.LimitVal(connsPerIP)
	partial := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{Conns: conns, ConnsInbound: conns, ConnsOutbound: conns, FD: conns,
			Streams: streams, StreamsInbound: streams, StreamsOutbound: streams},
		Transient: rcmgr.ResourceLimits{Conns: 2 * transient, ConnsInbound: transient, ConnsOutbound: transient,
			FD: 2 * transient, Streams: 4 * transient, StreamsInbound: 4 * transient, StreamsOutbound: 4 * transient},
	}
	loopback := []rate.PrefixLimit{
		{Prefix: netip.MustParsePrefix("127.0.0.0/8")},
		{Prefix: netip.MustParsePrefix("::1/128")},
	}
	perIP := rate.Limit{RPS: rateIP, Burst: connsPerIP}
	m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(partial.Build(limits.AutoScale())),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connsPerIP}}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: loopback,
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: perIP}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: perIP}},
				GracePeriod:      time.Minute,
			},
		}))
	if err != nil {
		return nil, fmt.Errorf("host: resource manager: %w", err)
	}
	return m, nil
}
