package kad_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
	"ventidhash/dhash/kad"
	"ventidhash/venti"
)

// A roll says who is a member: a stand-in for package member.
type roll struct {
	mu  sync.Mutex
	ids map[peer.ID]bool
}

func newRoll() *roll { return &roll{ids: make(map[peer.ID]bool)} }

func (r *roll) has(p peer.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ids[p]
}

func (r *roll) set(p peer.ID, member bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids[p] = member
}

// A node is a host with a DHT that runs.
type node struct {
	host.Host
	*kad.DHT
	stop func() // ends Run, DHT and host; may be called twice
}

func (n *node) info() peer.AddrInfo { return peer.AddrInfo{ID: n.Host.ID(), Addrs: n.Host.Addrs()} }

// key returns the i-th private key, always the same.
func key(i int) ed25519.PrivateKey {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("kad"), uint64(i)))
	return ed25519.NewKeyFromSeed(seed[:])
}

// newHost returns host i on a free port of loopback.
func newHost(t *testing.T, i int) host.Host {
	t.Helper()
	h, err := kad.NewHost(kad.HostConfig{Key: key(i), Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// start runs a DHT on h.
func start(t *testing.T, h host.Host, c kad.Config) *node {
	t.Helper()
	d, err := kad.New(h, c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	n := &node{Host: h, DHT: d}
	n.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
		if err := d.Close(); err != nil {
			t.Errorf("closing the DHT: %v", err)
		}
		if err := h.Close(); err != nil {
			t.Errorf("closing the host: %v", err)
		}
	})
	t.Cleanup(n.stop)
	return n
}

// swarm starts n members, all of which know the first.
func swarm(t *testing.T, n int, r *roll) []*node {
	t.Helper()
	var hosts []host.Host
	for i := range n {
		hosts = append(hosts, newHost(t, i))
		r.set(hosts[i].ID(), true)
	}
	first := peer.AddrInfo{ID: hosts[0].ID(), Addrs: hosts[0].Addrs()}
	var nodes []*node
	for _, h := range hosts {
		nodes = append(nodes, start(t, h, kad.Config{Member: r.has, Seeds: func() []peer.AddrInfo {
			return []peer.AddrInfo{first}
		}}))
	}
	return nodes
}

// until polls a condition, which says what it still waits for.
func until(t *testing.T, limit time.Duration, ready func() (missing string)) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		missing := ready()
		if missing == "" {
			return time.Since(begin)
		}
		if time.Since(begin) > limit {
			t.Fatalf("after %v: %s", limit, missing)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// formed waits until every table has all the others.
func formed(t *testing.T, nodes []*node) {
	t.Helper()
	took := until(t, 20*time.Second, func() string {
		for i, n := range nodes {
			if n.Size() != len(nodes)-1 {
				return fmt.Sprintf("node %d knows %d of %d others", i, n.Size(), len(nodes)-1)
			}
		}
		return ""
	})
	t.Logf("formed after %v", took.Round(time.Millisecond))
}

// closest sorts all nodes by distance from s, without the code under test.
func closest(s venti.Score, nodes []*node, n int) []dhash.ID {
	k := dhash.KeyOf(s)
	ids := make([]dhash.ID, len(nodes))
	for i := range nodes {
		ids[i] = dhash.ID(nodes[i].Host.ID())
	}
	slices.SortFunc(ids, func(a, b dhash.ID) int {
		ka, kb := a.Key(), b.Key()
		for i := range k {
			if d := int(ka[i]^k[i]) - int(kb[i]^k[i]); d != 0 {
				return d
			}
		}
		return 0
	})
	return ids[:min(n, len(ids))]
}

func TestSwarm(t *testing.T) {
	r := newRoll()
	nodes := swarm(t, 10, r)
	formed(t, nodes)
	ctx := context.Background()

	for i := range 20 {
		s := venti.Sum(binary.BigEndian.AppendUint64(nil, uint64(i)))
		for _, n := range []int{1, 4, 10, 20} {
			from := nodes[i%len(nodes)]
			got, err := from.Closest(ctx, s, n)
			if want := closest(s, nodes, n); err != nil || !slices.Equal(got, want) {
				t.Fatalf("closest %d to %s: %v, %v; want %v", n, s, got, err, want)
			}
		}
	}

	found := make(map[peer.ID]bool)
	begin := time.Now()
	err := nodes[3].Crawl(ctx, func(info peer.AddrInfo) {
		if found[info.ID] || len(info.Addrs) == 0 {
			t.Errorf("found %v again, or without addresses", info)
		}
		found[info.ID] = true
	})
	if err != nil || len(found) != len(nodes)-1 {
		t.Fatalf("crawl found %d, %v; want %d", len(found), err, len(nodes)-1)
	}
	t.Logf("crawled in %v", time.Since(begin))
	if err := nodes[3].Refresh(ctx); err != nil {
		t.Error(err)
	}
	stats := nodes[3].Stats()
	if stats.Lookups != 8 || stats.Crawls != 1 || stats.Table != 9 || stats.Asked == 0 || stats.Served == 0 {
		t.Errorf("stats: %+v", stats)
	}

	// The dead vanish, from tables and from answers.
	for _, n := range nodes[8:] {
		n.stop()
	}
	live := nodes[:8]
	took := until(t, 10*time.Second, func() string {
		for i, n := range live {
			if n.Size() != len(live)-1 {
				return fmt.Sprintf("node %d knows %d of %d others", i, n.Size(), len(live)-1)
			}
		}
		return ""
	})
	t.Logf("the dead left the tables after %v", took)
	for i := range 8 {
		s := venti.Sum(binary.BigEndian.AppendUint64(nil, uint64(i)))
		got, err := live[i].Closest(ctx, s, 20)
		if want := closest(s, live, 20); err != nil || !slices.Equal(got, want) {
			t.Fatalf("closest after deaths: %v, %v; want %v", got, err, want)
		}
	}

	// So does whoever is banned.
	r.set(live[7].Host.ID(), false)
	for _, n := range live[:7] {
		n.Changed()
	}
	until(t, 5*time.Second, func() string {
		for i, n := range live[:7] {
			if n.Size() != 6 {
				return fmt.Sprintf("node %d knows %d, with the banned one", i, n.Size())
			}
		}
		return ""
	})
}

// A stranger is connected, speaks the protocol, and is neither entered, asked nor answered.
func TestStranger(t *testing.T) {
	r := newRoll()
	nodes := swarm(t, 4, r)
	formed(t, nodes)
	everybody := func(peer.ID) bool { return true }
	stranger := start(t, newHost(t, 99), kad.Config{Member: everybody, Timeout: 2 * time.Second,
		Seeds: func() []peer.AddrInfo { return []peer.AddrInfo{nodes[0].info(), nodes[1].info()} }})
	ctx := context.Background()
	for _, n := range nodes {
		if err := stranger.Connect(ctx, n.info()); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		for _, n := range nodes {
			n.Changed()
		}
		stranger.Changed()
		got, err := stranger.Closest(ctx, venti.Sum(nil), 20)
		if !errors.Is(err, venti.ErrUnavailable) || len(got) > 1 {
			t.Errorf("a stranger is told %v, %v", got, err)
		}
		err = stranger.Crawl(ctx, func(info peer.AddrInfo) { t.Errorf("a stranger found %v", info) })
		if !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("a stranger's crawl: %v", err)
		}
	}
	served := nodes[0].Stats().Served
	if stranger.Size() != 0 {
		t.Errorf("a stranger has %d members in its table", stranger.Size())
	}
	for i, n := range nodes {
		if n.Size() != 3 {
			t.Errorf("node %d has %d in its table", i, n.Size())
		}
		got, err := n.Closest(ctx, venti.Sum(nil), 20)
		if want := closest(venti.Sum(nil), nodes, 20); err != nil || !slices.Equal(got, want) {
			t.Errorf("closest: %v, %v; want %v", got, err, want)
		}
	}
	if stats := stranger.Stats(); stats.Served != 0 {
		t.Errorf("the stranger was asked: %+v; node 0 served %d", stats, served)
	}

	// Once it has shown a certificate, it is in.
	r.set(stranger.Host.ID(), true)
	for _, n := range nodes {
		n.Changed()
	}
	until(t, 5*time.Second, func() string {
		for i, n := range nodes {
			if n.Size() != 4 {
				return fmt.Sprintf("node %d has %d in its table", i, n.Size())
			}
		}
		return ""
	})
}

// Members that were met in a lookup are said hello to before they are asked.
func TestHello(t *testing.T) {
	const n = 6
	hosts := make([]host.Host, n)
	for i := range hosts {
		hosts[i] = newHost(t, i)
	}
	rolls := make([]*roll, n)
	byID := make(map[peer.ID]*roll)
	for i := range rolls {
		rolls[i] = newRoll()
		byID[hosts[i].ID()] = rolls[i]
	}
	var nodes []*node
	for i, h := range hosts {
		first := peer.AddrInfo{ID: hosts[0].ID(), Addrs: hosts[0].Addrs()}
		nodes = append(nodes, start(t, h, kad.Config{
			Member: rolls[i].has,
			Seeds:  func() []peer.AddrInfo { return []peer.AddrInfo{first} },
			Connect: func(ctx context.Context, info peer.AddrInfo) error { // both sides know each other after it
				if err := h.Connect(ctx, info); err != nil {
					return err
				}
				rolls[i].set(info.ID, true)
				byID[info.ID].set(h.ID(), true)
				return nil
			},
		}))
	}
	formed(t, nodes)
}

// publicKey returns the i-th public key, as libp2p has it.
func publicKey(t *testing.T, i int) crypto.PubKey {
	t.Helper()
	k, err := crypto.UnmarshalEd25519PublicKey(key(i).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return k
}
