package kad

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
)

const (
	tendEvery   = 2 * time.Second        // between two comparisons of table and connections
	firstPause  = 500 * time.Millisecond // after the first time that no seed answered
	lastPause   = 15 * time.Second       // after many times
	seedsAtOnce = 3                      // seeds that are dialled in one attempt
	rejoinEvery = time.Minute            // between two tries at a seed without a connection
	maxProbes   = 16                     // peers that are asked at once whether they may enter the table
	probeAgain  = 15 * time.Second       // before a peer that did not answer is asked again
)

// Changed makes Run look at once: a peer has become a member, or is none any more, or there are new seeds. It does not
// block.
func (d *DHT) Changed() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// Run keeps the routing table true until ctx is done, and returns ctx's error.
func (d *DHT) Run(ctx context.Context) error {
	t := &tender{DHT: d, failed: make(map[peer.ID]time.Time)}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case <-d.changed:
		}
		timer.Reset(t.tend(ctx, time.Now()))
	}
}

// A tender is what Run remembers.
type tender struct {
	*DHT
	failed map[peer.ID]time.Time // connected members that did not answer, and when that was
	pause  time.Duration         // after the last attempt at the seeds; zero while the table has members
	seeded time.Time             // when seeds were last dialled
}

// tend compares the table with the connections, and dials seeds if the table is empty. It returns how long to wait
// before the next time.
func (t *tender) tend(ctx context.Context, now time.Time) time.Duration {
	before := t.Size()
	t.evict()
	t.admit(ctx, now)
	switch {
	case t.Size() > 0 && now.Sub(t.seeded) >= rejoinEvery:
		// Two halves of a swarm that was cut in two may each be content.
		t.seeded = now
		t.dial(ctx, 1)
	case t.Size() == 0:
		t.seeded = now
		t.dial(ctx, seedsAtOnce)
	}
	t.admit(ctx, now)
	size := t.Size()
	if size == 0 {
		if before > 0 {
			t.log.Warn("kad: no member is connected any more; dialling the seeds")
		}
		t.pause = min(max(2*t.pause, firstPause), lastPause)
		return t.pause
	}
	if before == 0 {
		t.log.Info("kad: joined", slog.Int("members", size))
		t.kad.RefreshRoutingTable()
	}
	t.pause = 0
	return tendEvery
}

// evict removes from the table whoever is gone, or no member any more.
func (t *tender) evict() {
	table := t.kad.RoutingTable()
	for _, p := range table.ListPeers() {
		if !t.config.Member(p) || t.host.Network().Connectedness(p) != network.Connected {
			table.RemovePeer(p)
		}
	}
}

// admit asks connected members for which there is room in the table, and enters those that answer. It takes
// queryTimeout at most; whoever could not be asked in this time is asked the next time.
func (t *tender) admit(ctx context.Context, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	table := t.kad.RoutingTable()
	for p, when := range t.failed {
		if now.Sub(when) >= probeAgain || t.host.Network().Connectedness(p) != network.Connected {
			delete(t.failed, p)
		}
	}
	var (
		probes sync.WaitGroup
		mu     sync.Mutex // protects failed
		slots  = make(chan struct{}, maxProbes)
	)
	for _, p := range t.host.Network().Peers() {
		mu.Lock()
		_, failed := t.failed[p]
		mu.Unlock()
		if failed || !t.config.Member(p) || !table.UsefulNewPeer(p) || !t.speaks(p) {
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		probes.Go(func() {
			defer func() { <-slots }()
			_, err := t.ask.GetClosestPeers(ctx, p, p)
			if err == nil {
				_, err = table.TryAddPeer(p, true, false)
			}
			if err != nil {
				mu.Lock()
				t.failed[p] = now
				mu.Unlock()
			}
		})
	}
	probes.Wait()
}

// speaks reports whether a connected peer has said that it answers requests of the DHT: a client does not.
func (t *tender) speaks(p peer.ID) bool {
	found, err := t.host.Peerstore().SupportsProtocols(p, Protocol)
	return err == nil && len(found) > 0
}

// dial connects to up to n seeds that are not connected, in random order, and returns when they have answered or
// failed.
func (t *tender) dial(ctx context.Context, n int) {
	seeds := t.config.Seeds()
	var dials sync.WaitGroup
	for _, i := range rand.Perm(len(seeds)) {
		seed := seeds[i]
		connected := t.config.Member(seed.ID) && t.host.Network().Connectedness(seed.ID) == network.Connected
		if n == 0 || seed.ID == t.host.ID() || connected {
			continue
		}
		n--
		if b, ok := t.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
			b.Backoff().Clear(seed.ID) // libp2p would not try again for up to five minutes
		}
		dials.Go(func() {
			if err := t.host.Connect(ctx, seed); err != nil {
				t.log.Debug("kad: dial a seed", slog.String("seed", seed.ID.String()), slog.Any("err", err))
			}
		})
	}
	dials.Wait()
}
