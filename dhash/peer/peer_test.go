package peer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peerstore"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"

	"ventidhash/dhash"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// newHost returns a host on loopback: TCP with TLS.
func newHost(t testing.TB, more ...libp2p.Option) host.Host {
	t.Helper()
	h, err := libp2p.New(append([]libp2p.Option{
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
	}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func know(a, b host.Host) { a.Peerstore().AddAddrs(b.ID(), b.Addrs(), peerstore.PermanentAddrTTL) }

func idOf(h host.Host) dhash.ID { return dhash.ID(h.ID()) }

// block returns the fragments of a block of random bytes. The payloads are no real code: nothing here decodes them.
func block(seed uint64, length int, code dhash.Code) ([]*dhash.Fragment, dhash.Coding) {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	score := venti.Sum(fmt.Append(nil, seed, length, code))
	leaves := make([]dhash.Hash, code.Total)
	all := make([]*dhash.Fragment, code.Total)
	for i := range all {
		payload := make([]byte, code.PayloadSize(length))
		r.Read(payload)
		leaves[i] = dhash.HashPayload(payload)
		all[i] = &dhash.Fragment{Score: score, Length: length, Code: code, Index: i, Payload: payload}
	}
	root, proofs := dhash.Proofs(leaves)
	for i := range all {
		all[i].Proof = proofs[i]
	}
	return all, dhash.CodingOf(score, length, code, root)
}

// everybody is a configuration that lets everybody in, as a member, and takes an owner's key as its grant.
func everybody() peer.ServerConfig {
	return peer.ServerConfig{
		Member: func(dhash.ID) bool { return true },
		Full:   func(dhash.ID) bool { return true },
		Grant: func(_ dhash.ID, grant []byte) (dhash.Owner, error) {
			if len(grant) != 32 {
				return dhash.Owner{}, errors.New("a grant that is no key")
			}
			return dhash.Owner(grant), nil
		},
	}
}

// serve runs a server on h and returns what ends it and waits for its end.
func serve(t testing.TB, h host.Host, handler peer.Handler, cfg peer.ServerConfig) (s *peer.Server, stop func()) {
	t.Helper()
	s, err := peer.NewServer(h, handler, cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	eventually(t, "the server speaks", func() bool { return speaks(h) })
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

func speaks(h host.Host) bool {
	for _, p := range h.Mux().Protocols() {
		if p == peer.Protocol {
			return true
		}
	}
	return false
}

func client(t testing.TB, h host.Host, cfg peer.ClientConfig) *peer.Client {
	t.Helper()
	if cfg.Grant == nil {
		cfg.Grant = func(o dhash.Owner) []byte { return o[:] }
	}
	c, err := peer.NewClient(h, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// pair returns a client and a server that knows everybody.
func pair(t testing.TB, handler peer.Handler, cfg peer.ClientConfig) (c *peer.Client, to dhash.ID) {
	t.Helper()
	a, b := newHost(t), newHost(t)
	know(a, b)
	serve(t, b, handler, everybody())
	return client(t, a, cfg), idOf(b)
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// eventually polls until ok, or fails the test after half a minute.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not seen in half a minute: %s", what)
		}
	}
}

var owner = dhash.Owner{1, 2, 3}

func TestRoundTrips(t *testing.T) {
	h := &holder{}
	var seen sync.Map
	c, to := pair(t, h, peer.ClientConfig{Seen: func(id dhash.ID) { seen.Store(id, true) }})
	ctx := soon(t)
	if err := c.Ping(ctx, to); err != nil {
		t.Fatal(err)
	}
	for _, length := range []int{0, 1, 100, 5000, 1 << 20, venti.MaxBlock} {
		for _, code := range []dhash.Code{{Need: 1, Total: 1}, {Need: 2, Total: 3}, {Need: 8, Total: 20}} {
			all, coding := block(1, length, code)
			f := all[code.Total-1]
			claim := dhash.Claim{Owner: owner, Mark: [16]byte{9}}
			r, err := c.Put(ctx, to, claim, f)
			if err != nil || r.Coding != coding || r.Free != 1<<40 {
				t.Fatalf("put %d %s: %+v, %v", length, code, r, err)
			}
			got, gotCoding, err := c.Get(ctx, to, peer.Want{Score: f.Score, Coding: coding})
			if err != nil || gotCoding != coding || !bytes.Equal(got.Append(nil), f.Append(nil)) {
				t.Fatalf("get %d %s: %v", length, code, err)
			}
			_, _, err = c.Get(ctx, to, peer.Want{Score: f.Score, Avoid: []dhash.Coding{coding}})
			if !errors.Is(err, dhash.ErrNoFragment) {
				t.Fatalf("get of another coding: %v", err)
			}
			held, err := c.Have(ctx, to, owner, []venti.Score{{}, f.Score})
			want := dhash.Held{Coding: coding, Code: code, Index: f.Index, Length: length, Mark: claim.Mark}
			if err != nil || len(held) != 2 || len(held[0]) != 0 || len(held[1]) != 1 || held[1][0] != want {
				t.Fatalf("have %d %s: %+v, %v", length, code, held, err)
			}
			is, err := c.Claim(ctx, to, dhash.Owner{7}, []peer.Mark{
				{Score: f.Score, Coding: coding, Index: f.Index, Mark: [16]byte{8}},
				{Score: f.Score, Index: f.Index},
			})
			if err != nil || fmt.Sprint(is) != "[true false]" {
				t.Fatalf("claim: %v, %v", is, err)
			}
			held, err = c.Have(ctx, to, dhash.Owner{7}, []venti.Score{f.Score})
			if err != nil || held[0][0].Mark != [16]byte{8} {
				t.Fatalf("have of another owner: %+v, %v", held, err)
			}
		}
	}
	v := peer.Diversion{Score: venti.Score{1}, Coding: dhash.Coding{2}, Index: 3, To: to}
	if err := c.Divert(ctx, to, v); err != nil || len(h.diverted) != 1 || h.diverted[0] != v {
		t.Errorf("diverted %+v, %v", h.diverted, err)
	}
	if _, ok := seen.Load(to); !ok {
		t.Error("the member was not seen")
	}
	if ewma, p95 := c.Latency(to); ewma <= 0 || p95 < ewma/8 {
		t.Errorf("latency %v, %v", ewma, p95)
	}
	if n := c.Outstanding(to); n != 0 {
		t.Errorf("%d bytes outstanding at the end", n)
	}
	if n := c.Counters(); n.Failures != 0 || n.BytesIn < 5<<20 || n.BytesOut < 5<<20 {
		t.Errorf("counters %+v", n)
	}
}

func TestLongHave(t *testing.T) {
	h := &holder{}
	c, to := pair(t, h, peer.ClientConfig{})
	ctx := soon(t)
	all, _ := block(2, 10, dhash.Code{Need: 1, Total: 20})
	for _, f := range all { // more than are told
		if _, err := c.Put(ctx, to, dhash.Claim{Owner: owner}, f); err != nil {
			t.Fatal(err)
		}
	}
	scores := make([]venti.Score, 2*peer.MaxHave+1)
	scores[2*peer.MaxHave] = all[0].Score
	held, err := c.Have(ctx, to, owner, scores)
	if err != nil || len(held) != len(scores) || len(held[0]) != 0 || len(held[2*peer.MaxHave]) != peer.MaxHeld {
		t.Fatalf("%d lists, %v", len(held), err)
	}
}

func TestRefusals(t *testing.T) {
	var told error
	h := &holder{
		onPut: func(context.Context, *dhash.Fragment) error { return told },
		onGet: func(context.Context, peer.Want) (*dhash.Fragment, error) { return nil, told },
	}
	failed := 0
	c, to := pair(t, h, peer.ClientConfig{Failed: func(dhash.ID, error) { failed++ }})
	ctx := soon(t)
	all, _ := block(3, 1000, dhash.Code{Need: 2, Total: 4})
	for _, want := range []error{dhash.ErrNoFragment, dhash.ErrFull, dhash.ErrQuota, dhash.ErrNotMine, dhash.ErrBusy,
		dhash.ErrFragment, dhash.ErrHandedOver, peer.ErrNotGranted, venti.ErrCorrupt, venti.ErrUnavailable} {
		told = fmt.Errorf("too bad\n\xff: %w", want)
		_, err := c.Put(ctx, to, dhash.Claim{Owner: owner}, all[0])
		_, _, err2 := c.Get(ctx, to, peer.Want{Score: all[0].Score})
		for _, err := range []error{err, err2} {
			var r *peer.Refusal
			if !errors.As(err, &r) || r.Err != want || r.Text != "too bad ?: "+want.Error() {
				t.Errorf("%v became %v", told, err)
			}
		}
	}
	told = errors.New("something else")
	if _, err := c.Put(ctx, to, dhash.Claim{Owner: owner}, all[0]); !errors.Is(err, venti.ErrUnavailable) {
		t.Error(err)
	}
	told = &peer.Refusal{Err: dhash.ErrFull, Text: "ask him", Diverted: to}
	_, err := c.Put(ctx, to, dhash.Claim{Owner: owner}, all[0])
	var r *peer.Refusal
	if !errors.As(err, &r) || r.Diverted != to || r.Text != "ask him" || r.Err != dhash.ErrFull {
		t.Errorf("the diversion became %v", err)
	}
	if failed != 0 {
		t.Errorf("%d refusals were taken for failures", failed)
	}
}

func TestGrants(t *testing.T) {
	a, b := newHost(t), newHost(t)
	know(a, b)
	serve(t, b, &holder{}, everybody())
	ctx := soon(t)
	all, _ := block(4, 1000, dhash.Code{Need: 2, Total: 4})
	for name, grant := range map[string]func(dhash.Owner) []byte{
		"none":          func(dhash.Owner) []byte { return nil },
		"refused":       func(dhash.Owner) []byte { return []byte("x") },
		"another owner": func(dhash.Owner) []byte { return make([]byte, 32) },
		"too long":      func(dhash.Owner) []byte { return make([]byte, peer.MaxGrant+1) },
	} {
		c := client(t, a, peer.ClientConfig{Grant: grant})
		if _, err := c.Put(ctx, idOf(b), dhash.Claim{Owner: owner}, all[0]); !errors.Is(err, peer.ErrNotGranted) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Claim(ctx, idOf(b), owner, make([]peer.Mark, 1)); !errors.Is(err, peer.ErrNotGranted) {
			t.Errorf("%s: claim: %v", name, err)
		}
		c.Close()
	}
}
