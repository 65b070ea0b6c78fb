package member_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
	"ventidhash/venti"
)

func TestMembersFindEachOther(t *testing.T) {
	v := inviteTo(t, swarmKey, time.Now(), 0)
	p := plan{invitation: v, limits: quick(), config: quickly}
	p.manifest = manifestOf(t, swarmKey, 3, time.Now())
	nodes := []*node{p.start(t, "a")}
	p.manifest = nil // those who join have none
	p.seeds = []peer.AddrInfo{nodes[0].info()}
	for _, name := range []string{"b", "c", "d", "e"} {
		nodes = append(nodes, p.start(t, name))
	}
	for _, n := range nodes {
		until(t, n.name+" knows all", 20*time.Second, func() bool { return n.alive() == len(nodes)-1 })
		until(t, n.name+" has the manifest", 5*time.Second, func() bool {
			m := n.roster.Manifest()
			return m != nil && m.Revision == 3
		})
	}
	for _, n := range nodes {
		table, first := tableOf(n), tableOf(nodes[0])
		if len(table) != len(nodes) || !slices.Equal(table, first) {
			t.Errorf("the table of %s has %d members, and differs from the first one's", n.name, len(table))
		}
	}

	info := infoOf("c")
	info.State, info.Free = member.Retiring, 0
	if err := nodes[2].service.Update(info); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		until(t, n.name+" hears that c retires", 10*time.Second, func() bool {
			st, _ := n.roster.Get(nodes[2].id(), time.Now())
			return st.Record.State == member.Retiring
		})
	}

	if err := nodes[1].host.Network().Listen(addrOf(t, "/ip4/127.0.0.1/tcp/0")); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		until(t, n.name+" hears of the second address of b", 10*time.Second, func() bool {
			st, _ := n.roster.Get(nodes[1].id(), time.Now())
			return len(st.Record.Addrs) == 2
		})
	}

	nodes[4].stop() // says goodbye
	if !nodes[0].judges(nodes[4], member.Away) {
		t.Error("e said goodbye and does not count as away")
	}
	nodes[3].crash()
	until(t, "d counts as dead", 10*time.Second, func() bool { return nodes[0].judges(nodes[3], member.Dead) })
	if seats := tableOf(nodes[0]); len(seats) != len(nodes) {
		t.Errorf("%d seats after a member died: it has to stay through the grace", len(seats))
	}
}

func TestBan(t *testing.T) {
	v := inviteTo(t, swarmKey, time.Now(), 0)
	p := plan{invitation: v, limits: quick(), config: quickly, manifest: manifestOf(t, swarmKey, 1, time.Now())}
	a := p.start(t, "a")
	p.seeds = []peer.AddrInfo{a.info()}
	b, c := p.start(t, "b"), p.start(t, "c")
	all := []*node{a, b, c}
	for _, n := range all {
		until(t, "all meet", 20*time.Second, func() bool { return n.alive() == 2 })
	}
	if err := a.service.SetManifest(manifestOf(t, swarmKey, 2, time.Now(), c.id())); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*node{a, b} {
		until(t, n.name+" drops c", 10*time.Second, func() bool {
			return !n.service.IsMember(c.id()) && n.host.Network().Connectedness(c.host.ID()) != network.Connected
		})
		if seats := tableOf(n); len(seats) != 2 {
			t.Errorf("%s has %d seats", n.name, len(seats))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.service.Hello(ctx, b.info()); err == nil {
		t.Error("a banned member says hello")
	}
	// One that knows the manifest is out by itself.
	if err := c.service.SetManifest(a.roster.Manifest()); err != nil {
		t.Fatal(err)
	}
	if err := c.stop(); !errors.Is(err, dhash.ErrStranger) {
		t.Errorf("Run of a banned member: %v", err)
	}
	if err := b.service.SetManifest(manifestOf(t, swarmKey, 1, time.Now())); !errors.Is(err, member.ErrManifest) {
		t.Errorf("lower revision: %v", err)
	}
}

func TestStrangersAreShutOut(t *testing.T) {
	v := inviteTo(t, swarmKey, time.Now(), 1)
	p := plan{invitation: v, limits: quick(), config: quickly, manifest: manifestOf(t, swarmKey, 1, time.Now())}
	a := p.start(t, "a")
	const other = "/vdh/other/1"
	heard := make(chan peer.ID, 10)
	a.service.MembersOnly(a.host).SetStreamHandler(other, func(s network.Stream) {
		heard <- s.Conn().RemotePeer()
		s.Close()
	})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()

	stranger := newHost(t, "stranger", new(member.Gate))
	if err := stranger.Connect(ctx, a.info()); err != nil {
		t.Fatal(err)
	}
	if st, err := stranger.NewStream(ctx, a.host.ID(), other); err == nil {
		st.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := st.Read(make([]byte, 1)); err == nil {
			t.Error("a stranger reads")
		}
	}

	// The invitation was for one, who is a; b came of it too, and is refused with a reason.
	b := plan{invitation: v, limits: quick()}.start(t, "b")
	if err := b.service.Hello(ctx, a.info()); !errors.Is(err, dhash.ErrStranger) {
		t.Errorf("second use of an invitation for one: %v", err)
	}

	// Another swarm's member is refused on both sides.
	foreign := inviteTo(t, "another swarm", time.Now(), 0)
	if _, err := member.New(member.Config{
		Host: stranger, Roster: a.roster, Chain: accept(t, foreign, publicOf("stranger"), time.Now()), Info: infoOf("x"),
	}); err == nil {
		t.Error("a chain of another swarm makes a member")
	}

	select {
	case p := <-heard:
		t.Errorf("the protocol was open to %v", p)
	default:
	}

	c := plan{
		invitation: inviteTo(t, swarmKey, time.Now(), 0), limits: quick(), config: quickly,
	}.start(t, "c")
	if _, err := c.service.MembersOnly(c.host).NewStream(ctx, a.host.ID(), other); err == nil {
		t.Fatal("a stream to a peer of unknown address")
	}
	c.host.Peerstore().AddAddrs(a.host.ID(), a.host.Addrs(), time.Hour)
	st, err := c.service.MembersOnly(c.host).NewStream(ctx, a.host.ID(), other)
	if err != nil {
		t.Fatal(err)
	}
	st.CloseWrite()
	if p := <-heard; p != c.host.ID() {
		t.Errorf("heard %v", p)
	}
}

func TestClient(t *testing.T) {
	now := time.Now()
	v := inviteTo(t, swarmKey, now, 0)
	p := plan{invitation: v, limits: quick(), config: quickly, manifest: manifestOf(t, swarmKey, 1, now)}
	a := p.start(t, "a")
	p.seeds = []peer.AddrInfo{a.info()}
	b := p.start(t, "b")
	until(t, "a and b meet", 10*time.Second, func() bool { return a.alive() == 1 && b.alive() == 1 })

	chain, err := accept(t, v, publicOf("b"), now).Issue(keyOf("b"), publicOf(swarmKey), now, member.Certificate{
		Role: member.RoleClient, Subject: publicOf("client"), Expires: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	p.chain, p.manifest = chain, nil
	client := p.start(t, "client")
	until(t, "the client knows the swarm", 10*time.Second, func() bool { return client.alive() == 2 })
	if !a.service.Admitted(client.id()) || a.service.IsMember(client.id()) {
		t.Error("a client is admitted and is no member")
	}
	if seats := tableOf(client); len(seats) != 2 {
		t.Errorf("%d seats at the client", len(seats))
	}
	// b is banned, and its client with it.
	if err := a.service.SetManifest(manifestOf(t, swarmKey, 2, time.Now(), b.id())); err != nil {
		t.Fatal(err)
	}
	until(t, "the client is out", 10*time.Second, func() bool { return !a.service.Admitted(client.id()) })
}

func TestRestartWithStaleAddresses(t *testing.T) {
	v := inviteTo(t, swarmKey, time.Now(), 0)
	dir := t.TempDir()
	p := plan{invitation: v, limits: quick(), config: quickly, manifest: manifestOf(t, swarmKey, 1, time.Now())}
	a := p.start(t, "a")
	p.seeds = []peer.AddrInfo{a.info()}
	p.file = filepath.Join(dir, "roster")
	b := p.start(t, "b")
	c := plan{invitation: v, limits: quick(), config: quickly, seeds: p.seeds}.start(t, "c")
	until(t, "b knows all", 10*time.Second, func() bool { return b.alive() == 2 && a.alive() == 2 && c.alive() == 2 })
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	b.host.Close()

	// a and c are at new addresses when b comes back, at a new one too; a and c know each other, and none of them b's.
	// b finds c, of which one old address still answers.
	a.stop()
	a.host.Close()
	p2 := plan{invitation: v, limits: quick(), config: quickly, seeds: []peer.AddrInfo{c.info()}}
	a2 := p2.start(t, "a")
	p.seeds = nil
	b2 := p.start(t, "b")
	until(t, "b finds a at its new address", 20*time.Second, func() bool {
		return b2.judges(a2, member.Alive) && a2.judges(b2, member.Alive)
	})
	if _, err := os.Stat(p.file); err != nil {
		t.Error(err)
	}

	// All that d knows is stale; it comes back since somebody who knows it dials in.
	p.file = filepath.Join(dir, "roster d")
	p.seeds = []peer.AddrInfo{c.info()}
	listen := "/ip4/127.0.0.1/tcp/0"
	p.gate = new(member.Gate)
	p.host = newHost(t, "d", p.gate, listen)
	addr := p.host.Addrs()[0].String()
	d := p.start(t, "d")
	until(t, "d knows all", 10*time.Second, func() bool { return d.alive() == 3 && c.alive() == 3 })
	d.stop()
	d.host.Close()
	for _, n := range []*node{a2, b2, c} {
		n.crash()
	}
	p3 := plan{invitation: v, limits: quick(), config: quickly, file: filepath.Join(dir, "roster c")}
	c2 := p3.start(t, "c") // knows nobody, at a new address
	p.host, p.seeds = newHost(t, "d", p.gate, addr), nil
	d2 := p.start(t, "d")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c2.service.Hello(ctx, d2.info()); err != nil {
		t.Fatal(err)
	}
	until(t, "d and c meet", 10*time.Second, func() bool {
		return d2.judges(c2, member.Alive) && c2.judges(d2, member.Alive)
	})
}

func TestUnreachable(t *testing.T) {
	v := inviteTo(t, swarmKey, time.Now(), 0)
	a := plan{invitation: v, limits: quick(), config: func(c *member.Config) { c.Timeout = time.Second }}.start(t, "a")
	ctx := context.Background()
	nowhere := peer.AddrInfo{ID: peer.ID(idOf("nobody")), Addrs: []ma.Multiaddr{addrOf(t, "/ip4/127.0.0.1/tcp/1")}}
	if err := a.service.Hello(ctx, nowhere); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("nobody: %v", err)
	}
	if err := a.service.Hello(ctx, a.info()); err == nil {
		t.Error("hello to oneself")
	}
	// A host that accepts and never answers costs the timeout.
	hung := newHost(t, "hung", new(member.Gate))
	release := make(chan struct{})
	hung.SetStreamHandler(member.Protocol, func(network.Stream) { <-release })
	defer close(release)
	start := time.Now()
	err := a.service.Hello(ctx, peer.AddrInfo{ID: hung.ID(), Addrs: hung.Addrs()})
	if !errors.Is(err, venti.ErrUnavailable) || time.Since(start) > 5*time.Second {
		t.Errorf("hung: %v after %v", err, time.Since(start))
	}
}
