package node

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	libpeer "github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/kad"
	"ventidhash/dhash/member"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// A presence is what a node and a client have in common: they can reach the members of the swarm.
type presence struct {
	folder  *Folder
	log     *slog.Logger
	host    host.Host
	roster  *member.Roster
	service *member.Service
	dht     *kad.DHT
	peers   *peer.Client

	placed atomic.Pointer[seating]

	mu     sync.Mutex // protects grants
	grants map[dhash.Owner][]byte

	life    context.Context // of what runs in the background
	stop    context.CancelFunc
	work    sync.WaitGroup
	joining sync.Once  // the DHT
	joined  time.Time  // when a lookup began that; zero if it was begun before
	failure chan error // has an element when this node is shut out
}

// seating is the table of members for a state of the roster.
type seating struct {
	changed <-chan struct{} // of the roster: which state it was
	table   *placement.Table
}

// presenceConfig says how to be present.
type presenceConfig struct {
	folder *Folder
	key    ed25519.PrivateKey // of the host: the member's, or a client's
	chain  member.Chain       // makes the key a member or a client
	info   member.Info        // of a member
	host   kad.HostConfig     // all but key and gater
	made   host.Host          // instead of one made from host; for simulations

	knows func(dhash.Owner) bool // of a member: member.Config.Knows
	log   *slog.Logger
}

// newPresence makes the parts; start runs them.
func newPresence(cfg presenceConfig) (*presence, error) {
	p := &presence{folder: cfg.folder, log: cfg.log, grants: map[dhash.Owner][]byte{}, failure: make(chan error, 1)}
	f := cfg.folder
	rc := member.RosterConfig{Swarm: f.Swarm, Manifest: f.Manifest, Log: cfg.log}
	if f.Dir != "" {
		rc.File = filepath.Join(f.Dir, rosterFile)
	}
	if cfg.chain.Role() == member.RoleMember {
		rc.Self = member.PublicOf(cfg.key).ID()
	}
	var err error
	if p.roster, err = member.OpenRoster(rc, time.Now()); err != nil {
		return nil, err
	}
	gate := new(member.Gate)
	if p.host = cfg.made; p.host == nil {
		cfg.host.Key, cfg.host.Gater = cfg.key, gate
		if p.host, err = kad.NewHost(cfg.host); err != nil {
			return nil, err
		}
	}
	if err := p.assemble(cfg, gate); err != nil {
		return nil, errors.Join(err, p.host.Close())
	}
	return p, nil
}

func (p *presence) assemble(cfg presenceConfig, gate *member.Gate) (err error) {
	p.service, err = member.New(member.Config{Host: p.host, Roster: p.roster, Chain: cfg.chain, Info: cfg.info,
		Seeds: p.folder.seeds(), Gate: gate, Log: cfg.log,
		Save: p.folder.SaveManifest, Knows: cfg.knows,
		Find: func(ctx context.Context, found func(libpeer.AddrInfo)) error { return p.dht.Crawl(ctx, found) }})
	if err != nil {
		return err
	}
	closed := p.service.MembersOnly(p.host)
	p.dht, err = kad.New(closed, kad.Config{Client: cfg.chain.Role() != member.RoleMember, Log: cfg.log,
		Member:  func(id libpeer.ID) bool { return p.service.Admitted(dhash.ID(id)) }, // clients ask, and never answer
		Connect: p.service.Meet,
		Seeds:   p.seeds})
	if err != nil {
		return err
	}
	p.peers, err = peer.NewClient(p.host, peer.ClientConfig{
		Connect: func(ctx context.Context, id dhash.ID) error {
			return p.service.Meet(ctx, libpeer.AddrInfo{ID: libpeer.ID(id)})
		},
		Grant: p.grant, Seen: p.service.Seen,
		Failed: func(id dhash.ID, _ error) { p.service.Failed(id) },
	})
	return err
}

// seeds returns members with their addresses, for the DHT to begin with.
func (p *presence) seeds() []libpeer.AddrInfo {
	list := p.folder.seeds()
	for _, st := range p.roster.List(time.Now()) {
		if st.Record.ID() != dhash.ID(p.host.ID()) {
			list = append(list, st.Record.AddrInfo())
		}
	}
	return list
}

// start runs what has to run. A client keeps its part of the DHT up only from when it first looks a block up there.
func (p *presence) start(joinDHT bool) {
	p.life, p.stop = context.WithCancel(context.Background())
	p.work.Go(func() {
		if err := p.service.Run(p.life); err != nil {
			p.failure <- err
		}
	})
	if joinDHT {
		p.joining.Do(p.join)
	}
}

// join runs this node's part of the DHT.
func (p *presence) join() { p.work.Go(func() { _ = p.dht.Run(p.life) }) } // ends with life

// close ends everything, in the order of dependence.
func (p *presence) close() error {
	err := p.peers.Close()
	if p.stop != nil {
		p.stop()
	}
	p.work.Wait()
	return errors.Join(err, p.dht.Close(), p.host.Close())
}

// table returns the members that placement counts on.
func (p *presence) table() *placement.Table {
	members, changed := p.roster.Table(time.Now())
	if s := p.placed.Load(); s != nil && s.changed == changed {
		return s.table
	}
	s := &seating{changed, placement.New(members)}
	p.placed.Store(s)
	return s.table
}

// absent reports whether a member is known not to answer now. One that was not contacted yet is not.
func (p *presence) absent(id dhash.ID) bool {
	if id == dhash.ID(p.host.ID()) {
		return false
	}
	st, ok := p.roster.Get(id, time.Now())
	return !ok || st.Liveness == member.Away || st.Liveness == member.Dead
}

// policy is what the manifest says about codes. Before any manifest has come it is the default.
func (p *presence) policy() codec.Policy {
	m := p.roster.Manifest()
	if m == nil {
		return codec.Policy{}
	}
	return codec.Policy{Nines: m.Nines(), P: m.P(), Fixed: m.Code}
}

// grace returns after how long a member that is silent counts as gone; 0 where the swarm leaves that to its members.
func (p *presence) grace() time.Duration {
	if m := p.roster.Manifest(); m != nil {
		return m.Grace
	}
	return 0
}

// nines returns how available a block is of which count fragments are held, in nines; at most 99.
func (p *presence) nines(need, count int) float64 {
	n := codec.Nines(codec.Unavailability(dhash.Code{Need: need, Total: count}, cmp.Or(p.policy().P, 0.9)))
	return math.Min(n, 99)
}

func (p *presence) grant(o dhash.Owner) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.grants[o]
}

// maxGrants bounds the owners for whom a node acts since its start.
const maxGrants = 256

// gateway returns a store for an owner, which uses peers.
func (p *presence) gateway(s Session, peers gateway.Peers) (*gateway.Gateway, error) {
	if _, err := member.ParseGrant(s.Grant, p.folder.Swarm.Swarm(), p.self(), time.Now()); err != nil {
		return nil, err
	}
	p.mu.Lock()
	full := p.grants[s.Owner] == nil && len(p.grants) >= maxGrants
	if !full {
		p.grants[s.Owner] = s.Grant
	}
	p.mu.Unlock()
	if full {
		return nil, fmt.Errorf("%w: this node acts for %d owners already", dhash.ErrBusy, maxGrants)
	}
	return gateway.New(gateway.Config{Peers: peers, Table: p.table, Absent: p.absent, Nines: p.nines, Owner: s.Owner,
		MarkKey: s.MarkKey, FormerMarks: s.FormerMarks, Wait: s.Wait, Log: p.log,
		Code:   func(members int, vital bool) dhash.Code { return p.policy().Code(members, vital) },
		Lookup: p.lookup})
}

// joinTime bounds how long a client waits for the DHT to know anybody.
const joinTime = 5 * time.Second

// lookup asks the DHT who is closest to a block.
func (p *presence) lookup(ctx context.Context, s venti.Score) ([]dhash.ID, error) {
	p.joining.Do(func() {
		p.joined = time.Now()
		p.join()
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for p.dht.Size() == 0 && ctx.Err() == nil && time.Since(p.joined) < joinTime {
		<-tick.C
	}
	return p.dht.Closest(ctx, s, 20)
}

// self returns the public key of the host.
func (p *presence) self() member.PublicKey {
	k, err := member.KeyOf(dhash.ID(p.host.ID()))
	if err != nil {
		panic(err) // New checked it
	}
	return k
}
