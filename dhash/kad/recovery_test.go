package kad_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash/kad"
	"ventidhash/venti"
)

// After a start without anybody there, a node joins within seconds of the first seed's coming.
func TestRecovery(t *testing.T) {
	r := newRoll()
	first, second := newHost(t, 0), newHost(t, 1)
	r.set(first.ID(), true)
	r.set(second.ID(), true)
	seed := peer.AddrInfo{ID: first.ID(), Addrs: first.Addrs()}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	var attempts atomic.Int32
	lone := start(t, second, kad.Config{Member: r.has, Seeds: func() []peer.AddrInfo {
		attempts.Add(1)
		return []peer.AddrInfo{seed}
	}})
	_, err := lone.Closest(context.Background(), venti.Sum(nil), 20)
	if !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("closest without a swarm: %v", err)
	}
	if err := lone.Crawl(context.Background(), func(peer.AddrInfo) {}); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("crawl without a swarm: %v", err)
	}
	until(t, 10*time.Second, func() string {
		if attempts.Load() < 4 {
			return "too few attempts"
		}
		return ""
	})
	again, err := kad.NewHost(kad.HostConfig{Key: key(0), Listen: []string{seed.Addrs[0].String()}})
	if err != nil {
		t.Fatal(err)
	}
	back := start(t, again, kad.Config{Member: r.has})
	took := until(t, 15*time.Second, func() string {
		if lone.Size() == 0 || back.Size() == 0 {
			return "the tables are empty"
		}
		return ""
	})
	t.Logf("joined %v after the seed had come", took.Round(time.Millisecond))

	// Cut off and back again.
	if err := lone.Network().ClosePeer(again.ID()); err != nil {
		t.Fatal(err)
	}
	until(t, 5*time.Second, func() string {
		if lone.Network().Connectedness(again.ID()) == network.Connected && lone.Size() == 1 && back.Size() == 1 {
			return ""
		}
		return "not back"
	})
}

// A client asks and is not asked.
func TestClient(t *testing.T) {
	r := newRoll()
	nodes := swarm(t, 4, r)
	formed(t, nodes)
	h, err := kad.NewHost(kad.HostConfig{Key: key(50)})
	if err != nil {
		t.Fatal(err)
	}
	r.set(h.ID(), true)
	client := start(t, h, kad.Config{Member: r.has, Client: true,
		Seeds: func() []peer.AddrInfo { return []peer.AddrInfo{nodes[2].info()} }})
	until(t, 10*time.Second, func() string {
		if client.Size() != 4 {
			return fmt.Sprintf("the client knows %d", client.Size())
		}
		return ""
	})
	got, err := client.Closest(context.Background(), venti.Sum(nil), 20)
	if want := closest(venti.Sum(nil), nodes, 20); err != nil || !slices.Equal(got, want) {
		t.Errorf("a client is told %v, %v; want %v", got, err, want)
	}
	for i, n := range nodes {
		if n.Size() != 3 {
			t.Errorf("node %d has %d in its table", i, n.Size())
		}
	}
}
