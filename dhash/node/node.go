package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	libpeer "github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/head"
	"ventidhash/dhash/kad"
	"ventidhash/dhash/member"
	"ventidhash/dhash/peer"
)

// Config says which member to be, and how. Folder, Domain and Capacity are needed.
type Config struct {
	Folder *Folder

	Listen   []string // multiaddrs; none listens nowhere
	Announce []string // multiaddrs to tell others in place of those
	NAT      bool     // others cannot dial this machine: help with that

	Name     string // for people; empty is the machine's name
	Domain   string // failure domain, "site/host"
	Program  string // version of the program
	Capacity int64  // bytes to lend

	PerOwner int64 // of those, bytes that one owner may have here; 0 means all

	// Fragments is the folder where the fragments are kept. Empty is "fragments" in the node's folder.
	Fragments string

	// Host is used in place of one made from Listen, for simulations. Run closes it.
	Host host.Host

	// NoSocket does without the socket for programs of this machine, for simulations: a goroutine that waits for the
	// system stops virtual time.
	NoSocket bool

	Upkeep Upkeep
	Retire bool // this member is about to leave: it serves on, and what it holds goes to others

	// Refill says that this member has lost what it held, with its disk: it begins with an empty folder, and the others
	// make again what it should hold, at once rather than when blocks have lost more.
	Refill bool

	Log *slog.Logger // nil discards
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.Folder == nil:
		return errors.New("node: Folder is missing")
	case c.Capacity <= 0:
		return errors.New("node: a member lends something: Capacity is to be more than 0")
	case c.PerOwner < 0:
		return fmt.Errorf("node: PerOwner is %d, below 0", c.PerOwner)
	}
	return c.Upkeep.validate()
}

// A Node is one member, running or about to. Its methods may be called from many goroutines.
type Node struct {
	cfg     Config
	log     *slog.Logger
	p       *presence
	store   *fragstore.Store
	heads   *head.Shelf
	server  *peer.Server
	upkeep  *upkeep
	control *control
	socket  net.Listener
	started time.Time
	served  atomic.Int64 // when a fragment was last stored or read for a person's program: nanoseconds since 1970
}

// Open makes a member ready: it opens its fragments, listens, and answers on the folder's socket once Run is called.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Name == "" {
		cfg.Name, _ = os.Hostname()
	}
	if cfg.Fragments == "" {
		cfg.Fragments = filepath.Join(cfg.Folder.Dir, storeDir)
	}
	n := &Node{cfg: cfg, log: cfg.Log, started: time.Now()}
	if err := n.open(ctx); err != nil {
		return nil, errors.Join(err, n.close())
	}
	return n, nil
}

func (n *Node) open(ctx context.Context) (err error) {
	f := n.cfg.Folder
	existing, err := f.keepsAt(n.cfg.Fragments)
	if err != nil {
		return err
	}
	existing = existing && !n.cfg.Refill
	var quota func(dhash.Owner) int64
	if n.cfg.PerOwner > 0 {
		quota = func(dhash.Owner) int64 { return n.cfg.PerOwner }
	}
	n.store, err = fragstore.Open(ctx, fragstore.Config{Quota: quota, Dir: n.cfg.Fragments, Existing: existing, Member: f.ID(),
		Capacity: n.cfg.Capacity, TrashAge: n.cfg.Upkeep.Trash, Swarm: f.Swarm.Swarm(), Limits: n.cfg.Upkeep.Limits, Log: n.log})
	if err != nil {
		return err
	}
	if err := f.setKeepsAt(n.cfg.Fragments); err != nil {
		return err
	}
	n.heads, err = head.OpenShelf(head.ShelfConfig{File: filepath.Join(f.Dir, headsFile), Prefer: n.lendsTo,
		Self: f.ID(), Log: n.log})
	if err != nil {
		return err
	}
	n.p, err = newPresence(presenceConfig{folder: f, key: f.Key, chain: f.Chain, info: n.info(), log: n.log, made: n.cfg.Host,
		knows: n.knows, host: kad.HostConfig{Listen: n.cfg.Listen, Announce: n.cfg.Announce, NAT: n.cfg.NAT, Agent: "vdh/" + n.cfg.Program}})
	if err != nil {
		return err
	}
	if n.upkeep, err = newUpkeep(n); err != nil {
		return err
	}
	n.server, err = peer.NewServer(n.p.host, n.holder(), peer.ServerConfig{Member: n.p.service.Admitted,
		Full: n.p.service.IsMember, Grant: n.granted, Log: n.log})
	if err != nil {
		return err
	}
	if n.cfg.NoSocket {
		return nil
	}
	n.control = &control{n: n, log: n.log, sessions: map[string]*gateway.Gateway{}}
	n.socket, err = listen(f.Dir)
	return err
}

// info is what this member says about itself.
func (n *Node) info() member.Info {
	st := n.store.Stats()
	i := member.Info{Name: n.cfg.Name, Domain: n.cfg.Domain, Program: n.cfg.Program, State: member.Active,
		Capacity: n.cfg.Capacity, Free: min(st.Free, n.cfg.Capacity)}
	switch {
	case n.cfg.Retire:
		i.State = member.Retiring
	case n.cfg.Refill && !n.upkeep.refilled():
		i.State = member.Wiped
	case st.Free < fullBelow(n.cfg.Capacity):
		i.State = member.Full
	}
	return i
}

// fullBelow returns how few bytes make a member say that it is full: a hundredth of what it lends, or 64 MiB if that is
// less.
func fullBelow(capacity int64) int64 { return min(capacity/100, 64<<20) }

// infoGap is how often a member looks whether what it says about itself has changed.
const infoGap = 10 * time.Second

// Run serves until ctx is done, and then closes the node. It returns nil if it was ctx that ended it; an error that wraps
// dhash.ErrStranger says that this member was banned. It can be called once.
func (n *Node) Run(ctx context.Context) error {
	serving, stop := context.WithCancel(context.Background())
	served := make(chan error, 3)
	go func() { served <- n.server.Run(serving) }()
	go func() { served <- n.serveSocket(serving) }()
	n.p.start(true)
	go func() { served <- n.upkeep.run(serving) }()
	n.log.Info("serving", slog.String("id", n.cfg.Folder.ID().String()), slog.Any("addrs", n.addrs()),
		slog.Int64("capacity", n.cfg.Capacity), slog.Duration("after", time.Since(n.started)))
	tick := time.NewTicker(infoGap)
	defer tick.Stop()
	known := ""
	var err error
	for err == nil && ctx.Err() == nil {
		if a := fmt.Sprint(n.addrs()); a != known {
			known = a
			n.saveSeeds()
		}
		select {
		case <-ctx.Done():
		case err = <-n.p.failure:
		case <-tick.C:
			if e := n.p.service.Update(n.info()); e != nil {
				n.log.Warn("what this member says about itself", slog.Any("err", e))
			}
		}
	}
	n.log.Info("stopping")
	stop()
	err = errors.Join(err, <-served, <-served, <-served)
	return errors.Join(err, n.close())
}

// serveSocket answers programs of this machine until ctx is done.
func (n *Node) serveSocket(ctx context.Context) error {
	if n.control == nil {
		return nil
	}
	return n.control.serve(ctx, n.socket)
}

// close closes what is open.
func (n *Node) close() error {
	var errs []error
	if n.socket != nil {
		_ = n.socket.Close() // closed already if it was served
	}
	if n.p != nil {
		errs = append(errs, n.p.close())
	}
	if n.heads != nil {
		errs = append(errs, n.heads.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	return errors.Join(errs...)
}

// maxSeeds bounds the addresses that are kept.
const maxSeeds = 16

// saveSeeds notes where members are to be found, for programs that join by themselves, and for invitations.
func (n *Node) saveSeeds() {
	seeds := n.addrs()
	for _, st := range n.p.roster.List(time.Now()) {
		info := st.Record.AddrInfo()
		if st.Record.ID() == n.cfg.Folder.ID() || len(info.Addrs) == 0 {
			continue
		}
		addrs, err := libpeer.AddrInfoToP2pAddrs(&info)
		if err == nil && len(seeds) < maxSeeds {
			seeds = append(seeds, addrs[0])
		}
	}
	// The addresses that brought this node here stay: at its first start it knows no other yet.
	for _, a := range n.cfg.Folder.Seeds {
		own, _ := a.ValueForProtocol(ma.P_P2P)
		if len(seeds) < maxSeeds && own != n.cfg.Folder.ID().String() && !slices.ContainsFunc(seeds, a.Equal) {
			seeds = append(seeds, a)
		}
	}
	if err := n.cfg.Folder.SaveSeeds(seeds); err != nil {
		n.log.Warn("addresses are not saved", slog.Any("err", err))
	}
}

// addrs returns where this node is, with its id.
func (n *Node) addrs() []ma.Multiaddr {
	id, err := ma.NewComponent("p2p", n.cfg.Folder.ID().String())
	if err != nil {
		return nil
	}
	var out []ma.Multiaddr
	for _, a := range n.p.host.Addrs() {
		out = append(out, a.Encapsulate(id.Multiaddr()))
	}
	return out
}

// granted checks an owner's grant about a peer. One of an owner that has handed over is worth nothing any more.
func (n *Node) granted(id dhash.ID, b []byte) (dhash.Owner, error) {
	k, err := member.KeyOf(id)
	if err != nil {
		return dhash.Owner{}, err
	}
	g, err := member.ParseGrant(b, n.cfg.Folder.Swarm.Swarm(), k, time.Now())
	if err == nil && n.store.Heir(g.Owner) != g.Owner {
		err = dhash.ErrHandedOver
	}
	if err != nil {
		return dhash.Owner{}, err
	}
	return g.Owner, nil
}

// knows reports whether this member keeps anything for an owner. One that has handed over is not let in by its key alone.
func (n *Node) knows(o dhash.Owner) bool {
	return n.store.Heir(o) == o && (n.lendsTo(o) || len(n.heads.Of(o)) > 0)
}

// holder returns what does what members ask of this node.
func (n *Node) holder() *holder {
	return &holder{n: n, reconcile: n.upkeep.responder.Answer, state: n.upkeep.state}
}

// Gateway returns a store for an owner who lets this node act. Close it.
func (n *Node) Gateway(s Session) (*gateway.Gateway, error) {
	return n.p.gateway(s, n.loop())
}

// setManifest takes an encoded manifest if it is newer, and passes it on.
func (n *Node) setManifest(b []byte) error {
	m, err := member.ParseManifest(b, n.cfg.Folder.Swarm)
	if err != nil {
		return err
	}
	return n.p.service.SetManifest(m)
}
