package kad_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"

	"ventidhash/dhash"
	"ventidhash/dhash/kad"
	"ventidhash/venti"
)

// A world is n hosts on a simulated network, 20 ms apart, in virtual time. Packets from and to a host that is cut off
// are lost: they arrive a year later.
type world struct {
	hosts []host.Host
	cut   atomic.Pointer[string] // address of the host that is cut off
}

func newWorld(t *testing.T, n int) *world {
	t.Helper()
	w := new(world)
	link := simnet.LinkSettings{BitsPerSecond: 100 * simlibp2p.OneMbps}
	network, meta, err := simlibp2p.SimpleLibp2pNetwork(
		[]simlibp2p.NodeLinkSettingsAndCount{{Count: n,
			LinkSettings: simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link}}},
		func(p *simnet.Packet) time.Duration {
			if cut := w.cut.Load(); cut != nil && (p.From.String() == *cut || p.To.String() == *cut) {
				return 365 * 24 * time.Hour
			}
			return 20 * time.Millisecond
		}, simlibp2p.NetworkSettings{})
	if err != nil {
		t.Fatal(err)
	}
	network.Start()
	t.Cleanup(network.Close)
	w.hosts = meta.Nodes
	t.Cleanup(func() {
		for _, h := range w.hosts {
			h.Close()
		}
	})
	return w
}

func (w *world) info(i int) peer.AddrInfo {
	return peer.AddrInfo{ID: w.hosts[i].ID(), Addrs: w.hosts[i].Addrs()}
}

// isolate cuts host i off; -1 is none.
func (w *world) isolate(i int) {
	if i < 0 {
		w.cut.Store(nil)
		return
	}
	address := net.UDPAddr{IP: simnet.IntToPublicIPv4(i), Port: 8000}
	text := address.String()
	w.cut.Store(&text)
}

// answers counts, over some lookups by each of the nodes, the members that were missed, and those that are dead.
func answers(t *testing.T, nodes []*node) (missed, dead, total int) {
	t.Helper()
	live := make(map[dhash.ID]bool)
	for _, n := range nodes {
		live[dhash.ID(n.Host.ID())] = true
	}
	for i, n := range nodes {
		s := venti.Sum(binary.BigEndian.AppendUint64(nil, uint64(i)))
		got, err := n.Closest(context.Background(), s, 20)
		if err != nil {
			t.Errorf("node %d: %v", i, err)
		}
		for _, id := range got {
			if !live[id] {
				dead++
			}
		}
		for _, id := range closest(s, nodes, 20) {
			total++
			if !slices.Contains(got, id) {
				missed++
			}
		}
	}
	return missed, dead, total
}

// Thirty-two members form a swarm, answer exactly, are all found by a crawl, and forget a fifth of them within seconds.
func TestSimulated(t *testing.T) {
	if testing.Short() {
		t.Skip("ten seconds of CPU, a minute with the race detector")
	}
	synctest.Test(t, func(t *testing.T) {
		const n = 32
		w := newWorld(t, n)
		r := newRoll()
		var nodes []*node
		for i, h := range w.hosts {
			r.set(h.ID(), true)
			nodes = append(nodes, start(t, h, kad.Config{Member: r.has, Seeds: func() []peer.AddrInfo {
				return []peer.AddrInfo{w.info(i % 3), w.info((i + 1) % 3)}
			}}))
		}
		time.Sleep(15 * time.Second)
		if missed, dead, total := answers(t, nodes); missed > 0 || dead > 0 {
			t.Errorf("of %d answers %d are missing, %d dead", total, missed, dead)
		}
		found := 0
		begin := time.Now()
		before := nodes[7].Stats().Asked
		err := nodes[7].Crawl(context.Background(), func(peer.AddrInfo) { found++ })
		if err != nil || found != n-1 {
			t.Errorf("crawl found %d, %v; want %d", found, err, n-1)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("crawl took %v", took)
		}
		t.Logf("crawl: %v, %d requests", time.Since(begin), nodes[7].Stats().Asked-before)

		for _, dead := range nodes[26:] {
			dead.stop()
		}
		live := nodes[:26]
		time.Sleep(5 * time.Second)
		begin = time.Now()
		missed, dead, total := answers(t, live)
		t.Logf("after five seconds, of %d answers %d are missing, %d dead; a lookup takes %v",
			total, missed, dead, time.Since(begin)/time.Duration(len(live)))
		if dead > 0 || missed > total/50 {
			t.Error("too many")
		}
		time.Sleep(30 * time.Second)
		begin = time.Now()
		missed, dead, total = answers(t, live)
		t.Logf("half a minute later, of %d answers %d are missing, %d dead; a lookup takes %v",
			total, missed, dead, time.Since(begin)/time.Duration(len(live)))
		if dead > 0 || missed > 0 {
			t.Error("too many")
		}
	})
}

// A node that was alone for ten minutes, because none of its seeds was there, or because it was cut off, joins within
// seconds, and one that fell silent is gone within a minute.
func TestAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 6
		w := newWorld(t, n)
		r := newRoll()
		var nodes []*node
		w.isolate(0)
		for _, h := range w.hosts {
			r.set(h.ID(), true)
			nodes = append(nodes, start(t, h, kad.Config{Member: r.has, Seeds: func() []peer.AddrInfo {
				return []peer.AddrInfo{w.info(1), w.info(2)} // nobody dials node 0
			}}))
		}
		all := func() string {
			for i, n := range nodes {
				if n.Size() != len(nodes)-1 {
					return fmt.Sprintf("node %d knows %d of %d others", i, n.Size(), len(nodes)-1)
				}
			}
			return ""
		}
		time.Sleep(10 * time.Minute)
		if nodes[0].Size() != 0 || nodes[1].Size() != n-2 {
			t.Fatalf("before: node 0 knows %d, node 1 %d", nodes[0].Size(), nodes[1].Size())
		}
		w.isolate(-1)
		t.Logf("joined after %v", until(t, 25*time.Second, all))

		w.isolate(4)
		gone := func() string {
			for i, n := range nodes {
				if want := n.Size(); i == 4 && want != 0 || i != 4 && want != 4 {
					return fmt.Sprintf("node %d knows %d others", i, n.Size())
				}
			}
			return ""
		}
		t.Logf("gone after %v", until(t, time.Minute, gone))
		time.Sleep(10 * time.Minute)
		w.isolate(-1)
		t.Logf("back after %v", until(t, 25*time.Second, all))
	})
}
