package kad

import (
	"context"
	"fmt"
	"slices"
	"time"

	kbucket "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const (
	crawlers   = 16               // peers that a crawl asks at once
	maxCrawl   = 1 << 14          // peers that a crawl hears of; the rest is not looked at
	crawlTime  = 10 * time.Second // for one peer
	maxBuckets = 16               // buckets of a peer that a crawl can ask for
)

// Crawl asks every member for its routing table, beginning with this node's own and the seeds, and calls found once for
// each member that answered, with the addresses that it was reached under or is known by. Found is never called from
// two goroutines at once, and slows the crawl down as long as it takes. Whoever is heard of is dialled and said hello
// to.
//
// A hundred members take about a second. A member that makes up peers costs the crawl time, not memory: those that are
// known to be members are asked first, and no more than 16384 are. Bound the time by ctx.
//
// The error wraps venti.ErrUnavailable if there was somebody to ask and nobody answered; it is ctx's if ctx is done.
// This node is not among those found.
func (d *DHT) Crawl(ctx context.Context, found func(peer.AddrInfo)) error {
	d.crawls.Add(1)
	c := &crawl{DHT: d, seen: map[peer.ID]bool{d.host.ID(): true}}
	for _, p := range d.kad.RoutingTable().ListPeers() {
		c.hear(d.host.Peerstore().PeerInfo(p))
	}
	for _, seed := range d.config.Seeds() {
		c.hear(seed)
	}
	answered := c.run(ctx, found)
	if err := ctx.Err(); err != nil {
		return err
	}
	if answered == 0 && len(c.seen) > 1 {
		return fmt.Errorf("crawl the DHT: none of %d members answered: %w", len(c.seen)-1, venti.ErrUnavailable)
	}
	return nil
}

// A crawl knows whom it has heard of, and whom it has yet to ask.
type crawl struct {
	*DHT
	seen    map[peer.ID]bool
	members []peer.AddrInfo // to ask first
	others  []peer.AddrInfo // to ask then: hearsay
}

// hear puts a peer on the list, unless it was there.
func (c *crawl) hear(info peer.AddrInfo) {
	if c.seen[info.ID] || len(c.seen) > maxCrawl {
		return
	}
	if _, err := peer.IDFromBytes([]byte(info.ID)); err != nil {
		return
	}
	c.seen[info.ID] = true
	info.Addrs = slices.Clone(info.Addrs[:min(len(info.Addrs), maxAddrs)])
	if c.config.Member(info.ID) {
		c.members = append(c.members, info)
	} else {
		c.others = append(c.others, info)
	}
}

// next takes the next peer to ask off the list.
func (c *crawl) next() peer.AddrInfo {
	list := &c.members
	if len(*list) == 0 {
		list = &c.others
	}
	info := (*list)[0]
	*list = (*list)[1:]
	return info
}

// An answer is what a peer knows.
type answer struct {
	from  peer.ID
	peers []peer.AddrInfo
	err   error
}

// run asks until nobody is left, and returns how many answered.
func (c *crawl) run(ctx context.Context, found func(peer.AddrInfo)) int {
	answers := make(chan answer)
	answered, running := 0, 0
	for {
		for running < crawlers && len(c.members)+len(c.others) > 0 && ctx.Err() == nil {
			info := c.next()
			running++
			go func() {
				peers, err := c.table(ctx, info)
				answers <- answer{info.ID, peers, err}
			}()
		}
		if running == 0 {
			return answered
		}
		a := <-answers
		running--
		for _, info := range a.peers { // of one that failed half-way, too
			c.hear(info)
		}
		if a.err == nil {
			answered++
			info := c.host.Peerstore().PeerInfo(a.from)
			info.Addrs = info.Addrs[:min(len(info.Addrs), maxAddrs)]
			found(info)
		}
	}
}

// table returns what is in the routing table of a peer. It asks for the twenty nearest to the peer itself, which are
// all of its table if there are fewer, and then for each bucket that these do not cover: three or four requests in a
// swarm of a hundred.
func (c *crawl) table(ctx context.Context, info peer.AddrInfo) ([]peer.AddrInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, crawlTime)
	defer cancel()
	if err := c.host.Connect(ctx, info); err != nil {
		return nil, err
	}
	peers, err := c.closest(ctx, info.ID, info.ID)
	if err != nil || len(peers) < bucketSize {
		return peers, err
	}
	self := kbucket.ConvertPeerID(info.ID)
	covered := maxBuckets // buckets from here on, and perhaps more of this one, are known
	for _, p := range peers {
		covered = min(covered, kbucket.CommonPrefixLen(self, kbucket.ConvertPeerID(p.ID)))
	}
	for bucket := 0; bucket <= covered && bucket < maxBuckets; bucket++ {
		target, err := kbucket.GenRandPeerIDWithCPL(self, uint(bucket))
		if err != nil {
			return peers, err
		}
		more, err := c.closest(ctx, info.ID, target)
		peers = append(peers, more...)
		if err != nil {
			return peers, err
		}
	}
	return peers, nil
}

// closest asks one member for the twenty peers that it knows to be nearest to target.
func (c *crawl) closest(ctx context.Context, from, target peer.ID) ([]peer.AddrInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	peers, err := c.ask.GetClosestPeers(ctx, from, target)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", dhash.ID(from).Short(), err)
	}
	infos := make([]peer.AddrInfo, 0, min(len(peers), bucketSize))
	for _, p := range peers {
		if p.ID != from && len(infos) < bucketSize {
			infos = append(infos, *p)
		}
	}
	return infos, nil
}
