package kad_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"

	"ventidhash/dhash/kad"
)

func TestHostConfig(t *testing.T) {
	good := kad.HostConfig{Key: key(0)}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*kad.HostConfig){
		"Key":      func(c *kad.HostConfig) { c.Key = c.Key[:31] },
		"listen":   func(c *kad.HostConfig) { c.Listen = []string{"0.0.0.0:17035"} },
		"announce": func(c *kad.HostConfig) { c.Announce = []string{"example.org"} },
		"MaxConns": func(c *kad.HostConfig) { c.MaxConns = -1 },
		"RelayFor": func(c *kad.HostConfig) { c.Relay = true },
		"Relays":   func(c *kad.HostConfig) { c.Relays = []string{"/ip4/127.0.0.1/tcp/1"} },
		"/p2p/ID":  func(c *kad.HostConfig) { c.NAT, c.Relays = true, []string{"/ip4/127.0.0.1/tcp/1"} },
	} {
		c := good
		spoil(&c)
		if _, err := kad.NewHost(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every address is listened on, or there is no host.
func TestListen(t *testing.T) {
	h := newHost(t, 0)
	defer h.Close()
	taken := h.Addrs()[0].String()
	for _, bad := range []string{taken, "/ip4/127.0.0.1/udp/0/quic-v1"} { // QUIC is off
		_, err := kad.NewHost(kad.HostConfig{Key: key(1), Listen: []string{"/ip4/127.0.0.1/tcp/0", bad}})
		if err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("listen on %s: %v", bad, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	names := []string{"/dns4/backup.example.org/tcp/17035"}
	h, err := kad.NewHost(kad.HostConfig{Key: key(0), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Announce: names})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if got := h.Addrs(); len(got) != 1 || got[0].String() != names[0] {
		t.Errorf("announced: %v", got)
	}
	all, err := kad.NewHost(kad.HostConfig{Key: key(1), Listen: []string{"/ip4/0.0.0.0/tcp/0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	for _, a := range all.Addrs() {
		if len(all.Addrs()) > 1 && strings.HasPrefix(a.String(), "/ip4/127.") {
			t.Errorf("loopback is announced beside others: %v", all.Addrs())
		}
	}
}

// Hosts speak TCP, and QUIC if wanted. (NAT is not here: it would look for a router beyond loopback.)
func TestTransports(t *testing.T) {
	const tcp, quic = "/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/udp/0/quic-v1"
	for name, configs := range map[string][2]kad.HostConfig{
		"tcp":  {{Listen: []string{tcp}}, {}},
		"quic": {{Listen: []string{quic}, QUIC: true}, {QUIC: true}},
		"relay": {{Listen: []string{tcp}, Relay: true, RelayFor: func(peer.ID) bool { return true },
			Metrics: prometheus.NewRegistry(), Agent: "vdh/test"}, {}},
	} {
		t.Run(name, func(t *testing.T) {
			configs[0].Key, configs[1].Key = key(0), key(1)
			a, err := kad.NewHost(configs[0])
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			b, err := kad.NewHost(configs[1])
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := b.Connect(ctx, peer.AddrInfo{ID: a.ID(), Addrs: a.Network().ListenAddresses()}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Nothing of libp2p's goes into the registry of the process.
func TestMetrics(t *testing.T) {
	libp2p := func() (names []string) {
		families, err := prometheus.DefaultGatherer.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if strings.HasPrefix(f.GetName(), "libp2p") {
				names = append(names, f.GetName())
			}
		}
		return names
	}
	before := libp2p()
	defer newHost(t, 0).Close()
	if after := libp2p(); len(after) != len(before) {
		t.Errorf("in the default registry: %v", after)
	}
}

// A gate refuses one peer.
type gate struct{ refused peer.ID }

func (g gate) InterceptPeerDial(p peer.ID) bool             { return p != g.refused }
func (g gate) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }
func (g gate) InterceptAccept(network.ConnMultiaddrs) bool  { return true }
func (g gate) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	return p != g.refused
}
func (g gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

func TestGater(t *testing.T) {
	banned, good := newHost(t, 0), newHost(t, 1)
	defer banned.Close()
	defer good.Close()
	h, err := kad.NewHost(kad.HostConfig{Key: key(2), Gater: gate{banned.ID()}, Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	info := peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}
	if err := good.Connect(ctx, info); err != nil {
		t.Error(err)
	}
	if err := banned.Connect(ctx, info); err == nil {
		until(t, 5*time.Second, func() string { // the dialling side may learn of it a little later
			if banned.Network().Connectedness(h.ID()) == network.Connected {
				return "the banned peer is connected"
			}
			return ""
		})
	}
}

// Sixty peers, all at once, as after a restart, are let in; see also the bounds in resources.
func TestManyAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("sixty hosts")
	}
	h := newHost(t, 0)
	defer h.Close()
	info := peer.AddrInfo{ID: h.ID(), Addrs: h.Addrs()}
	const n = 60
	errs := make(chan error)
	for i := range n {
		go func() {
			c, err := kad.NewHost(kad.HostConfig{Key: key(100 + i)})
			if err != nil {
				errs <- err
				return
			}
			t.Cleanup(func() { c.Close() })
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			errs <- c.Connect(ctx, info)
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got := len(h.Network().Peers()); got != n {
		t.Errorf("%d of %d are connected", got, n)
	}
}
