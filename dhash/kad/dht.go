package kad

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	kbucket "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multihash"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// Protocol is the protocol that the DHT speaks.
const Protocol protocol.ID = prefix + "/kad/1.0.0"

const (
	prefix     = "/vdh"
	bucketSize = 20 // peers in a bucket of the table, and in an answer
	maxAddrs   = 16 // addresses that are believed of another's peer

	defaultRefresh = 10 * time.Minute
	defaultTimeout = 10 * time.Second
	connectTimeout = 5 * time.Second
	queryTimeout   = 5 * time.Second // for one request
)

// A Config says whom the DHT knows and trusts.
type Config struct {
	// Member reports whether a peer has shown its certificate. Nobody else enters the table, is asked, or is answered.
	// It is called often and must not block. Required.
	Member func(peer.ID) bool

	// Connect dials a peer, if need be, and says hello, so that Member becomes true. The addresses are in the AddrInfo
	// or in the host's peerstore. Nil only dials.
	Connect func(context.Context, peer.AddrInfo) error

	// Seeds returns members with their addresses, to begin with: from the invitation, and from earlier runs. It is
	// asked whenever the table is empty, and may return more each time. Nil has none: others must dial this node.
	Seeds func() []peer.AddrInfo

	// Client makes a DHT that asks and never answers, and that is never among the closest.
	Client bool

	// Refresh is the time between two looks for new members by lookups. Zero means ten minutes.
	Refresh time.Duration

	// Timeout is the longest that a lookup may take. Zero means ten seconds.
	Timeout time.Duration

	// Log is told when the table becomes empty, and when it is no longer. Nil discards.
	Log *slog.Logger
}

// Validate reports the first field that cannot be used.
func (c *Config) Validate() error {
	if c.Member == nil {
		return errors.New("kad: Member is nil, so nobody would be closed out")
	}
	if c.Refresh < 0 || c.Timeout < 0 {
		return fmt.Errorf("kad: Refresh is %v and Timeout %v, want 0 or more", c.Refresh, c.Timeout)
	}
	return nil
}

// A DHT is this node's part of the swarm's DHT.
type DHT struct {
	config  Config
	host    *guard
	kad     *dht.IpfsDHT
	ask     *pb.ProtocolMessenger
	changed chan struct{} // has an element if Run is to look at once
	log     *slog.Logger

	lookups atomic.Uint64
	crawls  atomic.Uint64
}

// New starts the DHT on h, whose handlers of the protocol it sets. Nothing but kad-dht's own goroutines runs until Run
// is called. The caller calls Close, and then closes h.
func New(h host.Host, c Config) (*DHT, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Connect == nil {
		c.Connect = h.Connect
	}
	if c.Seeds == nil {
		c.Seeds = func() []peer.AddrInfo { return nil }
	}
	if c.Refresh == 0 {
		c.Refresh = defaultRefresh
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	d := &DHT{
		config:  c,
		host:    &guard{Host: h, member: c.Member, connect: c.Connect, timeout: connectTimeout},
		changed: make(chan struct{}, 1),
		log:     c.Log,
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	mode := dht.ModeServer
	if c.Client {
		mode = dht.ModeClient
	}
	var err error
	d.kad, err = dht.New(d.host,
		dht.ProtocolPrefix(prefix),
		dht.Mode(mode), // the default is a client until AutoNAT says "public"
		dht.BucketSize(bucketSize),
		dht.RoutingTableRefreshPeriod(c.Refresh),
		dht.RoutingTableRefreshQueryTimeout(c.Timeout),
		dht.RoutingTableFilter(func(_ any, p peer.ID) bool { return c.Member(p) }),
		dht.AddressFilter(func(a []ma.Multiaddr) []ma.Multiaddr { return a[:min(len(a), maxAddrs)] }),
		dht.LookupCheckConcurrency(maxProbes),
		dht.DisableProviders(),
		dht.DisableValues(),
	)
	if err != nil {
		return nil, fmt.Errorf("kad: start the DHT: %w", err)
	}
	d.ask, err = pb.NewProtocolMessenger(d.kad.MessageSender())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("kad: start the DHT: %w", err), d.kad.Close())
	}
	return d, nil
}

// Close ends the DHT; Run, if it still runs, is to be ended by its context first.
func (d *DHT) Close() error { return d.kad.Close() }

// Size returns the number of members in the routing table.
func (d *DHT) Size() int { return d.kad.RoutingTable().Size() }

// Stats counts what the DHT did since New.
type Stats struct {
	Lookups uint64 // calls of Closest; kad-dht's own, which fill the table, are not among them
	Crawls  uint64 // calls of Crawl
	Asked   uint64 // requests sent to others, for whatever purpose
	Served  uint64 // requests of others
	Table   int    // members in the routing table now
}

// Stats returns the counts.
func (d *DHT) Stats() Stats {
	return Stats{
		Lookups: d.lookups.Load(),
		Crawls:  d.crawls.Load(),
		Asked:   d.host.asked.Load(),
		Served:  d.host.served.Load(),
		Table:   d.Size(),
	}
}

// Closest asks the swarm which members are closest to a block, at most n and at most twenty, the closest first. This
// node is among them where it belongs, unless it is a client. Members to which no connection could be had are left out;
// one that fell silent within the last minute may still be there. Up to a few hundred members the answer is exact while
// nobody comes or goes.
//
// The error wraps venti.ErrUnavailable if nobody could be asked, or ctx or Config.Timeout ended the lookup; then the
// IDs are what was found so far.
func (d *DHT) Closest(ctx context.Context, s venti.Score, n int) ([]dhash.ID, error) {
	d.lookups.Add(1)
	name, err := multihash.Encode(s[:], multihash.SHA2_256)
	if err != nil {
		panic(err) // a constant code and length
	}
	ctx, cancel := context.WithTimeout(ctx, d.config.Timeout)
	defer cancel()
	found, err := d.kad.GetClosestPeers(ctx, string(name)) // compares the hash of name, which is dhash.KeyOf(s)
	if err != nil {
		err = fmt.Errorf("look up the members closest to %s: %w: %w", s, venti.ErrUnavailable, err)
	}
	// The lookup returns twenty of which some may be dead. Those behind them are in the table as likely as not.
	key := dhash.KeyOf(s)
	found = append(found, d.kad.RoutingTable().NearestPeers(kbucket.ID(key[:]), 2*bucketSize)...)
	found = slices.DeleteFunc(found, func(p peer.ID) bool {
		return !d.config.Member(p) || d.host.Network().Connectedness(p) != network.Connected
	})
	if !d.config.Client {
		found = append(found, d.host.ID())
	}
	return nearest(key, found, min(n, bucketSize)), err
}

// nearest returns the first n of peers, without repetitions, by their distance from key.
func nearest(key dhash.Key, peers []peer.ID, n int) []dhash.ID {
	type place struct {
		id  dhash.ID
		key dhash.Key
	}
	places := make([]place, len(peers))
	for i, p := range peers {
		places[i] = place{dhash.ID(p), dhash.ID(p).Key()}
	}
	slices.SortFunc(places, func(a, b place) int { return key.Compare(a.key, b.key) })
	places = slices.Compact(places)
	ids := make([]dhash.ID, 0, min(max(n, 0), len(places)))
	for _, p := range places[:cap(ids)] {
		ids = append(ids, p.id)
	}
	return ids
}

// Refresh looks for members by lookups all over the keyspace, now, and returns when it has. It is seldom needed: Run
// and kad-dht do so at the start, after changes, and periodically.
func (d *DHT) Refresh(ctx context.Context) error {
	select {
	case err := <-d.kad.ForceRefresh():
		if err != nil {
			return fmt.Errorf("refresh the routing table: %w: %w", venti.ErrUnavailable, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
