package member_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
	"ventidhash/dhash/placement"
)

// keyOf makes a key from a name, so that tests have the same keys every time.
func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func publicOf(name string) member.PublicKey { return member.PublicOf(keyOf(name)) }

func idOf(name string) dhash.ID { return publicOf(name).ID() }

// swarmKey is the key of all swarms in the tests but a foreign one.
const swarmKey = "the swarm"

func manifestOf(t testing.TB, key string, revision uint64, now time.Time, bans ...dhash.ID) *member.Manifest {
	t.Helper()
	m := &member.Manifest{Name: "test", MilliNines: 5000, Availability: 900_000}
	for _, id := range bans {
		if err := m.Ban(id); err != nil {
			t.Fatal(err)
		}
	}
	m.Revision = revision
	if err := m.Sign(keyOf(key), now); err != nil {
		t.Fatal(err)
	}
	return m
}

// inviteTo makes an invitation for a day.
func inviteTo(t testing.TB, key string, now time.Time, uses int) *member.Invitation {
	t.Helper()
	v, err := member.Invite(publicOf(key), nil, keyOf(key), now, now.Add(24*time.Hour), uses, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// accept makes a member of an invitation.
func accept(t testing.TB, v *member.Invitation, k member.PublicKey, now time.Time) member.Chain {
	t.Helper()
	c, err := v.Accept(k, now, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// recordOf makes a record of a named member that was made with an invitation.
func recordOf(t testing.TB, v *member.Invitation, name string, sequence uint64, now time.Time) *member.Record {
	t.Helper()
	r := &member.Record{Info: infoOf(name), Sequence: sequence, Chain: accept(t, v, publicOf(name), now)}
	if err := r.Sign(keyOf(name), v.Swarm.Swarm(), now); err != nil {
		t.Fatal(err)
	}
	return r
}

func infoOf(name string) member.Info {
	return member.Info{
		Name: name, Domain: "site/" + name, Program: "test", State: member.Active, Capacity: 1 << 40, Free: 1 << 39,
	}
}

// A node is a member under test.
type node struct {
	name    string
	host    host.Host
	gate    *member.Gate
	roster  *member.Roster
	service *member.Service
	stop    func() error // ends Run and returns its error; may be called again
}

func (n *node) id() dhash.ID { return dhash.ID(n.host.ID()) }

func (n *node) info() peer.AddrInfo { return peer.AddrInfo{ID: n.host.ID(), Addrs: n.host.Addrs()} }

// A plan is how to make a node; what is zero has a default.
type plan struct {
	host       host.Host
	gate       *member.Gate
	invitation *member.Invitation
	chain      member.Chain
	manifest   *member.Manifest
	seeds      []peer.AddrInfo
	limits     member.Thresholds
	file       string
	config     func(*member.Config)
}

// start makes and runs a node.
func (p plan) start(t testing.TB, name string) *node {
	t.Helper()
	n := &node{name: name, host: p.host, gate: p.gate}
	if n.host == nil {
		n.gate = new(member.Gate)
		n.host = newHost(t, name, n.gate)
	}
	key, err := member.KeyOf(n.id())
	if err != nil {
		t.Fatal(err)
	}
	if p.chain == nil {
		p.chain = accept(t, p.invitation, key, time.Now())
	}
	rc := member.RosterConfig{Swarm: publicOf(swarmKey), Manifest: p.manifest, Limits: p.limits, File: p.file}
	if p.chain.Role() == member.RoleMember {
		rc.Self = n.id()
	}
	if n.roster, err = member.OpenRoster(rc, time.Now()); err != nil {
		t.Fatal(err)
	}
	cfg := member.Config{
		Host: n.host, Roster: n.roster, Chain: p.chain, Info: infoOf(name), Seeds: p.seeds, Gate: n.gate,
	}
	if p.config != nil {
		p.config(&cfg)
	}
	if n.service, err = member.New(cfg); err != nil {
		t.Fatal(err)
	}
	n.run(t)
	return n
}

func (n *node) run(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.service.Run(ctx) }()
	n.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { n.stop() })
}

// crash ends a node without a goodbye.
func (n *node) crash() {
	n.host.Close()
	n.stop()
}

// newHost makes a libp2p host on the loopback interface.
func newHost(t testing.TB, name string, gate *member.Gate, listen ...string) host.Host {
	t.Helper()
	if len(listen) == 0 {
		listen = []string{"/ip4/127.0.0.1/tcp/0"}
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(keyOf(name))
	if err != nil {
		t.Fatal(err)
	}
	h, err := libp2p.New(
		libp2p.Identity(key), libp2p.ListenAddrStrings(listen...), libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(libp2ptls.ID, libp2ptls.New), libp2p.ConnectionGater(gate), libp2p.DisableRelay(),
		libp2p.DisableMetrics(), libp2p.Ping(false), libp2p.DisableIdentifyAddressDiscovery(),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// quick are thresholds for tests in real time.
func quick() member.Thresholds {
	return member.Thresholds{
		PingInterval: 100 * time.Millisecond, SilentAfter: 5 * time.Second, DeadAfter: 500 * time.Millisecond,
		RetryMax: 400 * time.Millisecond,
	}
}

func quickly(c *member.Config) { c.Gossip = 100 * time.Millisecond }

// until polls for a condition, in real or virtual time.
func until(t testing.TB, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(limit / 500)
	}
}

// alive returns how many others n thinks are alive.
func (n *node) alive() int {
	count := 0
	for _, st := range n.roster.List(time.Now()) {
		if st.Liveness == member.Alive && st.Record.ID() != n.id() {
			count++
		}
	}
	return count
}

// judges reports whether n judges other so.
func (n *node) judges(other *node, want member.Liveness) bool {
	st, ok := n.roster.Get(other.id(), time.Now())
	return ok && st.Liveness == want
}

func (n *node) String() string { return fmt.Sprintf("%s (%s)", n.name, n.id().Short()) }

func addrOf(t testing.TB, text string) ma.Multiaddr {
	t.Helper()
	a, err := ma.NewMultiaddr(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// tableOf returns the members that n counts on now.
func tableOf(n *node) []placement.Member {
	table, _ := n.roster.Table(time.Now())
	return table
}
