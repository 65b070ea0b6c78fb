package member_test

import (
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/x/simlibp2p"
	"github.com/marcopolo/simnet"

	"ventidhash/dhash/member"
)

// A sim is a swarm on a simulated network, in virtual time.
type sim struct {
	t     *testing.T
	nodes []*node
	hosts []string // their IP addresses
	plan  plan

	mu   sync.Mutex // protects the following
	side map[string]int
}

// simulate runs f with count hosts on a network with 20 ms one way.
func simulate(t *testing.T, count int, f func(*sim)) {
	synctest.Test(t, func(t *testing.T) {
		s := &sim{t: t, side: map[string]int{}}
		link := simnet.LinkSettings{BitsPerSecond: 100 * simlibp2p.OneMbps}
		nw, meta, err := simlibp2p.SimpleLibp2pNetwork([]simlibp2p.NodeLinkSettingsAndCount{{
			Count: count, LinkSettings: simnet.NodeBiDiLinkSettings{Downlink: link, Uplink: link},
		}}, s.route, simlibp2p.NetworkSettings{})
		if err != nil {
			t.Fatal(err)
		}
		nw.Logger = slog.New(slog.DiscardHandler)
		nw.Start()
		defer nw.Close()
		s.plan = plan{
			invitation: inviteTo(t, swarmKey, time.Now(), 0), manifest: manifestOf(t, swarmKey, 1, time.Now()),
		}
		for i, h := range meta.Nodes {
			defer h.Close()
			s.hosts = append(s.hosts, simnet.IntToPublicIPv4(i).String())
			s.nodes = append(s.nodes, &node{name: fmt.Sprint("n", i), host: h, stop: func() error { return nil }})
		}
		defer func() {
			var all sync.WaitGroup
			for _, n := range s.nodes {
				all.Go(func() { n.stop() })
			}
			all.Wait()
		}()
		f(s)
	})
}

// route gives a packet its latency, and those between two sides of a partition an address where nobody is.
func (s *sim) route(p *simnet.Packet) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, to := p.From.(*net.UDPAddr), p.To.(*net.UDPAddr)
	if s.side[from.IP.String()] != s.side[to.IP.String()] {
		p.To = &net.UDPAddr{IP: net.IPv4(240, 0, 0, 1), Port: 1}
	}
	return 20 * time.Millisecond
}

// move puts hosts on a side of the network; packets do not cross.
func (s *sim) move(side int, hosts ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range hosts {
		s.side[s.hosts[i]] = side
	}
}

// start runs node i, which knows only the seed.
func (s *sim) start(i int, seed ...int) {
	p := s.plan
	p.host = s.nodes[i].host
	for _, j := range seed {
		p.seeds = append(p.seeds, peer.AddrInfo{ID: s.nodes[j].host.ID(), Addrs: s.nodes[j].host.Addrs()})
	}
	s.nodes[i] = p.start(s.t, s.nodes[i].name)
}

// agree waits until each of the nodes has the same others alive, and reports how long it took.
func (s *sim) agree(what string, limit time.Duration, nodes ...int) {
	s.t.Helper()
	start := time.Now()
	var want []string
	for _, i := range nodes {
		want = append(want, string(s.nodes[i].id()))
	}
	slices.Sort(want)
	until(s.t, what, limit, func() bool {
		for _, i := range nodes {
			var got []string
			for _, st := range s.nodes[i].roster.List(time.Now()) {
				if st.Liveness == member.Alive {
					got = append(got, string(st.Record.ID()))
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				return false
			}
		}
		return true
	})
	s.t.Logf("%s: after %v", what, time.Since(start))
}

func upTo(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return all
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestSimConvergence(t *testing.T) {
	const count = 16
	simulate(t, count, func(s *sim) {
		s.plan.limits.Grace = 10 * time.Minute // for a day, simulated, takes minutes
		s.plan.config = func(c *member.Config) { c.Refresh = 2 * time.Minute }
		s.start(0)
		for i := 1; i < count; i++ {
			s.start(i, i/2) // most know a node that has itself only just come
		}
		s.agree("16 joined at once", 30*time.Second, upTo(count)...)

		for _, i := range []int{15, 14} {
			s.nodes[i].stop()
			s.nodes[i].host.Close()
		}
		s.agree("two left", 2*time.Second, upTo(14)...)
		if !s.nodes[0].judges(s.nodes[15], member.Away) {
			t.Error("who left is not away")
		}

		s.move(13, 13) // silent crashes
		s.move(12, 12)
		s.agree("two crashed", 90*time.Second, upTo(12)...)
		until(t, "they are dead", time.Minute, func() bool { return s.nodes[0].judges(s.nodes[13], member.Dead) })
		time.Sleep(5 * time.Minute)
		if seats := tableOf(s.nodes[0]); len(seats) != count {
			t.Errorf("%d seats before the grace is over", len(seats))
		}
		_, changed := s.nodes[0].roster.Table(time.Now())
		time.Sleep(6 * time.Minute)
		select {
		case <-changed:
		default:
			t.Error("nobody was told that the table changed")
		}
		for i := range 12 {
			seats := tableOf(s.nodes[i])
			if len(seats) != 12 {
				t.Errorf("%d seats at %v after the grace", len(seats), s.nodes[i])
			}
		}
	})
}

func TestSimPartition(t *testing.T) {
	const count = 9
	simulate(t, count, func(s *sim) {
		s.start(0)
		for i := 1; i < count; i++ {
			s.start(i, 0)
		}
		s.agree("9 joined", 30*time.Second, upTo(count)...)

		s.move(1, 8)       // one alone
		s.move(2, 5, 6, 7) // three others
		s.agree("five left", 2*time.Minute, 0, 1, 2, 3, 4)
		s.agree("three left", 2*time.Minute, 5, 6, 7)
		until(t, "one is alone", 2*time.Minute, func() bool { return s.nodes[8].alive() == 0 })
		if err := s.nodes[0].service.SetManifest(manifestOf(t, swarmKey, 2, time.Now())); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		s.move(0, 5, 6, 7, 8)
		s.agree("healed", 2*time.Minute, upTo(count)...)
		for _, n := range s.nodes {
			until(t, "the manifest is everywhere", time.Minute, func() bool { return n.roster.Manifest().Revision == 2 })
		}
	})
}

// TestSimIdle measures what 24 members that have nothing to do cost. It is bounded generously, since QUIC and the
// simulation cost more than the members.
func TestSimIdle(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement")
	}
	const count = 24
	simulate(t, count, func(s *sim) {
		s.start(0)
		for i := 1; i < count; i++ {
			s.start(i, 0)
		}
		s.agree("24 joined", 30*time.Second, upTo(count)...)
		before := cpuTime()
		const span = 3 * time.Minute
		time.Sleep(span)
		used := cpuTime() - before
		share := used.Seconds() / span.Seconds() / count * 100
		t.Logf("%v of CPU for %d members in %v: %.3f %% of a core each", used.Round(time.Millisecond), count, span, share)
		if share > 1 {
			t.Errorf("%.3f %% of a core each", share)
		}
	})
}
