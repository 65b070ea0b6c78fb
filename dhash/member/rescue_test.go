package member_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
	"ventidhash/venti"
)

// knowing has a member know these owners, by name.
func knowing(names ...string) func(*member.Config) {
	known := map[dhash.Owner]bool{}
	for _, n := range names {
		known[dhash.Owner(publicOf(n))] = true
	}
	return func(c *member.Config) { c.Knows = func(o dhash.Owner) bool { return known[o] } }
}

func TestRescue(t *testing.T) {
	now := time.Now()
	v, m := inviteTo(t, swarmKey, now, 0), manifestOf(t, swarmKey, 7, now)
	a := plan{invitation: v, manifest: m, limits: quick(), config: knowing("owner")}.start(t, "a")
	b := plan{invitation: v, manifest: m, limits: quick(), seeds: []peer.AddrInfo{a.info()}}.start(t, "b")
	until(t, "a knows b", 10*time.Second, func() bool { return a.alive() == 1 })
	h := newHost(t, "owner", new(member.Gate))
	r, err := member.AskRescue(t.Context(), h, a.info())
	if err != nil {
		t.Fatal(err)
	}
	last := r.Chain[len(r.Chain)-1]
	if r.Swarm != publicOf(swarmKey) || r.Manifest.Revision != 7 || last.Role != member.RoleClient ||
		last.Subject != publicOf("owner") || last.Expires.After(now.Add(member.MaxClientTerm)) {
		t.Errorf("%+v", r)
	}
	at, err := peer.AddrInfosFromP2pAddrs(r.Addrs...)
	if err != nil || len(at) != 2 {
		t.Fatalf("%v, %v", r.Addrs, err)
	}
	if first, _ := r.Addrs[0].ValueForProtocol(ma.P_P2P); first != a.host.ID().String() {
		t.Errorf("the first address is not that of who was asked: %v", r.Addrs)
	}
	// What it says is enough to be a client, of another member too.
	roster, err := member.OpenRoster(member.RosterConfig{Swarm: r.Swarm, Manifest: r.Manifest}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s, err := member.New(member.Config{Host: h, Roster: roster, Chain: r.Chain})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Hello(t.Context(), b.info()); err != nil {
		t.Error(err)
	}
	if !b.service.Admitted(dhash.ID(h.ID())) || b.service.IsMember(dhash.ID(h.ID())) {
		t.Error("the owner is to be a client, and no member")
	}
}

// TestRescueRefused: who is not known, is banned, or asks a member that knows nobody gets nothing.
func TestRescueRefused(t *testing.T) {
	now := time.Now()
	v := inviteTo(t, swarmKey, now, 0)
	m := manifestOf(t, swarmKey, 7, now, idOf("banned"))
	a := plan{invitation: v, manifest: m, limits: quick(), config: knowing("owner", "banned")}.start(t, "a")
	deaf := plan{invitation: v, manifest: m, limits: quick()}.start(t, "deaf")
	early := plan{invitation: v, limits: quick(), config: knowing("owner")}.start(t, "early")
	for _, c := range []struct {
		name, who string
		of        *node
		want      error
	}{
		{"a stranger", "stranger", a, dhash.ErrStranger},
		{"a member is no owner", "b", a, dhash.ErrStranger},
		{"a key that is banned", "banned", a, venti.ErrUnavailable},
		{"of one that does not do this", "owner", deaf, venti.ErrUnavailable},
		{"of one that has no manifest", "owner", early, dhash.ErrStranger},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHost(t, c.who, new(member.Gate))
			r, err := member.AskRescue(t.Context(), h, c.of.info())
			if r != nil || !errors.Is(err, c.want) {
				t.Errorf("%v, %v", r, err)
			}
			if c.of.service.Admitted(dhash.ID(h.ID())) {
				t.Error("was admitted")
			}
		})
	}
}

// rescueBytes sends a request of these bytes, and returns the answer.
func rescueBytes(ctx context.Context, h host.Host, to *node, request []byte) ([]byte, error) {
	if err := h.Connect(ctx, to.info()); err != nil {
		return nil, err
	}
	st, err := h.NewStream(ctx, to.host.ID(), member.RescueProtocol)
	if err != nil {
		return nil, err
	}
	defer st.Reset()
	st.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := st.Write(request); err != nil {
		return nil, err
	}
	if err := st.CloseWrite(); err != nil {
		return nil, err
	}
	return io.ReadAll(st)
}

func TestRescueHostile(t *testing.T) {
	now := time.Now()
	v, m := inviteTo(t, swarmKey, now, 0), manifestOf(t, swarmKey, 7, now)
	a := plan{invitation: v, manifest: m, limits: quick(), config: knowing("owner")}.start(t, "a")
	again := func(h host.Host) {
		if err := h.Network().ClosePeer(a.host.ID()); err != nil {
			t.Fatal(err)
		}
	}
	h := newHost(t, "owner", new(member.Gate))
	for _, bad := range []string{"", "\x02", "\x01\x01", "\x00"} {
		if got, err := rescueBytes(t.Context(), h, a, []byte(bad)); err == nil && len(got) > 0 {
			t.Errorf("request %x: answered with %x", bad, got)
		}
		again(h)
	}
	if got, err := rescueBytes(t.Context(), h, a, []byte{1}); err != nil || len(got) < 100 {
		t.Fatalf("%x, %v", got, err)
	}
	if got, err := rescueBytes(t.Context(), h, a, []byte{1}); err == nil && len(got) > 0 {
		t.Error("a second request on one connection was answered")
	}
	// A stranger who asks without end is not even refused after a while, and keeps no owner waiting.
	s := newHost(t, "stranger", new(member.Gate))
	refused, reset := 0, 0
	for range 40 {
		got, err := rescueBytes(t.Context(), s, a, []byte{1})
		switch {
		case err == nil && string(got) == "\x01\x00\x00\x00\x00\x00":
			refused++
		case err != nil || len(got) == 0:
			reset++
		default:
			t.Fatalf("%x", got)
		}
		again(s)
	}
	if refused == 0 || reset < 10 {
		t.Errorf("%d refused, %d reset", refused, reset)
	}
	again(h)
	if got, err := rescueBytes(t.Context(), h, a, []byte{1}); err != nil || len(got) < 100 {
		t.Errorf("the owner, beside a stranger without end: %x, %v", got, err)
	}
}

// TestRescueLies has what answers be no honest member.
func TestRescueLies(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	v, m := inviteTo(t, swarmKey, now.Add(-6*time.Hour), 0), manifestOf(t, swarmKey, 7, now)
	issue := func(by, to string, at time.Time, role member.Role) member.Chain {
		t.Helper()
		c, err := v.Accept(publicOf(by), now.Add(-5*time.Hour), "")
		if err == nil && role == member.RoleClient {
			c, err = c.Issue(keyOf(by), v.Swarm, at, member.Certificate{Role: role, Subject: publicOf(to), Expires: at.Add(40 * time.Hour)})
		}
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	answer := func(r *member.Rescue) []byte {
		body := r.Encode()
		return append(binary.BigEndian.AppendUint32([]byte{1, 1}, uint32(len(body))), body...)
	}
	good := issue("liar", "owner", now, member.RoleClient)
	liar, h := newHost(t, "liar", new(member.Gate)), newHost(t, "owner", new(member.Gate))
	to := peer.AddrInfo{ID: liar.ID(), Addrs: liar.Addrs()}
	for _, c := range []struct {
		name   string
		answer []byte
		want   error
	}{
		{"what is good", answer(&member.Rescue{Swarm: v.Swarm, Manifest: m, Chain: good}), nil},
		{"for another key", answer(&member.Rescue{Swarm: v.Swarm, Manifest: m, Chain: issue("liar", "other", now, member.RoleClient)}),
			dhash.ErrStranger},
		{"by another member", answer(&member.Rescue{Swarm: v.Swarm, Manifest: m, Chain: issue("b", "owner", now, member.RoleClient)}),
			member.ErrMessage},
		{"a member's certificate", answer(&member.Rescue{Swarm: v.Swarm, Manifest: m, Chain: issue("owner", "", now, member.RoleMember)}),
			member.ErrMessage},
		{"of another swarm", answer(&member.Rescue{Swarm: publicOf("another"), Manifest: manifestOf(t, "another", 1, now), Chain: good}),
			dhash.ErrStranger},
		{"who issued it is banned", answer(&member.Rescue{Swarm: v.Swarm, Manifest: manifestOf(t, swarmKey, 8, now, idOf("liar")),
			Chain: good}), dhash.ErrStranger},
		{"its clock is behind", answer(&member.Rescue{Swarm: v.Swarm, Manifest: m,
			Chain: issue("liar", "owner", now.Add(-2*time.Hour), member.RoleClient)}), member.ErrClock},
		{"its clock is ahead", answer(&member.Rescue{Swarm: v.Swarm, Manifest: m,
			Chain: issue("liar", "owner", now.Add(2*time.Hour), member.RoleClient)}), member.ErrClock},
		{"cut", answer(&member.Rescue{Swarm: v.Swarm, Manifest: m, Chain: good})[:200], venti.ErrUnavailable},
		{"without end", append([]byte{1, 1, 0xff, 0xff, 0xff, 0xff}, make([]byte, 1<<20)...), member.ErrMessage},
		{"nothing", nil, venti.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			liar.SetStreamHandler(member.RescueProtocol, func(st network.Stream) {
				_, _ = st.Write(c.answer) // whoever asked may have hung up
				st.Close()
			})
			if _, err := member.AskRescue(t.Context(), h, to); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}
