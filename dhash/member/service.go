package member

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
)

// Config says what a Service is made of. Host, Roster and Chain are needed.
type Config struct {
	Host   host.Host // as libp2p made it, not wrapped; its key is an Ed25519 key
	Roster *Roster
	Chain  Chain // makes the host's key a member, or a client
	Info   Info  // what a member says about itself at first; see Service.Update

	// Seeds are whom to ask while nobody in the roster can be reached: those of the invitation.
	Seeds []peer.AddrInfo

	// Find finds peers by other means, like a crawl of the DHT, and calls found for each, from one goroutine. It is
	// called while nobody can be reached, and every 10 minutes. Nil finds nobody.
	Find func(ctx context.Context, found func(peer.AddrInfo)) error

	// Gate is kept up to date with the bans. It is the connection gater that Host was made with. Nil is none.
	Gate *Gate

	// Save keeps a manifest that has come, so that after a restart none of a lower revision is taken. Nil keeps nothing.
	Save func(*Manifest) error

	// Knows reports whether this member keeps anything for an owner. Such an owner, with the key and nothing else, is let in
	// as a client (Rescue); nil lets in nobody. It is called for strangers too: it must be quick.
	Knows func(dhash.Owner) bool

	Gossip  time.Duration // time between two comparisons with a random member; 0 is 5 s
	Refresh time.Duration // time after which a member signs its record anew; 0 is 1 h, which is the bound
	Timeout time.Duration // bound on a request and its answer, dialling included; 0 is 10 s
	Log     *slog.Logger
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.Host == nil || c.Roster == nil:
		return errors.New("member: Host or Roster is missing")
	case c.Gossip < 0 || c.Timeout < 0:
		return errors.New("member: Gossip or Timeout is below 0")
	case c.Refresh < 0 || c.Refresh > time.Hour:
		return fmt.Errorf("member: Refresh is %v, not within 0 and 1 h", c.Refresh)
	case c.Chain.Role() == RoleMember && c.Roster.cfg.Self != dhash.ID(c.Host.ID()):
		return errors.New("member: the roster's Self is not the host's id")
	case c.Chain.Role() == RoleMember:
		return c.Info.Validate()
	}
	return nil
}

const (
	maxClients   = 1024             // clients that are admitted at once
	strangerTime = 30 * time.Second // how long a connection lives on which nobody says hello
	publishGap   = 2 * time.Second  // between two records of this node
	saveGap      = 5 * time.Second  // if something changed
	findGap      = 10 * time.Minute
	parallel     = 16 // members that are contacted at once
	fanout       = 3  // members who are told of news at once
	coalesce     = 100 * time.Millisecond
	goodbyeTime  = 2 * time.Second
)

// A Service says and answers hello, and keeps the roster up to date, for one node. All methods may be called from many
// goroutines at once, also before Run; but a node is not found before it runs.
type Service struct {
	cfg    Config
	log    *slog.Logger
	host   host.Host
	key    ed25519.PrivateKey
	self   PublicKey
	roster *Roster
	limit  limiter

	rescues rescueLimiter

	wake chan struct{} // has an element when news is there to be told
	fail chan error    // has an element when this node is shut out

	refused  atomic.Pointer[error] // the last hello that was refused
	agreed   chan struct{}         // closed when the roster has been compared with that of a member
	agreeing sync.Once

	mu        sync.Mutex // protects the following
	greeted   map[peer.ID]bool
	clients   map[peer.ID]Chain
	info      Info
	addrs     []ma.Multiaddr // of the newest own record
	signed    Info           // what the newest own record says
	sequence  uint64         // of the newest own record
	published time.Time      // when it was made
	stale     bool           // it must be made anew
	news      map[PublicKey]bool
	newRules  bool // the manifest is news
}

// New returns a Service; it starts nothing. An error that wraps dhash.ErrStranger says that the chain makes the host
// neither a member nor a client.
func New(cfg Config) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&cfg.Gossip, 5*time.Second)
	set(&cfg.Refresh, time.Hour)
	set(&cfg.Timeout, 10*time.Second)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Gate == nil {
		cfg.Gate = new(Gate)
	}
	private := cfg.Host.Peerstore().PrivKey(cfg.Host.ID())
	if private == nil {
		return nil, errors.New("member: the host does not know its own key")
	}
	raw, err := private.Raw()
	if err != nil || len(raw) != ed25519.PrivateKeySize {
		return nil, errors.New("member: the host's key is not an Ed25519 key")
	}
	s := &Service{
		cfg: cfg, log: cfg.Log, host: cfg.Host, key: raw, self: PublicOf(raw), roster: cfg.Roster, info: cfg.Info,
		wake: make(chan struct{}, 1), fail: make(chan error, 1), agreed: make(chan struct{}), limit: newLimiter(),
		rescues: newRescueLimiter(),
		greeted: map[peer.ID]bool{}, clients: map[peer.ID]Chain{}, news: map[PublicKey]bool{}, stale: true,
	}
	manifest := s.roster.Manifest()
	role, err := cfg.Chain.Verify(s.roster.Swarm(), s.self, time.Now(), manifest)
	if err == nil && role == RoleDelegate {
		err = fmt.Errorf("%w: the certificate is that of an invitation", dhash.ErrStranger)
	}
	if err != nil {
		return nil, err
	}
	cfg.Gate.SetManifest(manifest)
	return s, nil
}

// Run answers other nodes, finds them, and keeps the roster up to date, until ctx is done; then it says goodbye to them
// and returns nil. It is called once. An error that wraps dhash.ErrStranger says that this node has been banned.
func (s *Service) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	bundle := &network.NotifyBundle{DisconnectedF: s.disconnected}
	s.host.Network().Notify(bundle)
	defer s.host.Network().StopNotify(bundle)
	if err := s.publish(time.Now()); err != nil {
		return err
	}
	s.host.SetStreamHandler(Protocol, s.serve)
	if s.cfg.Knows != nil && s.cfg.Chain.Role() == RoleMember {
		s.host.SetStreamHandler(RescueProtocol, s.serveRescue)
		defer s.host.RemoveStreamHandler(RescueProtocol)
	}
	var loops sync.WaitGroup
	loops.Go(func() { s.tend(ctx) })
	loops.Go(func() { s.tell(ctx) })
	loops.Go(func() { s.watchAddrs(ctx) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-s.fail:
	}
	cancel()
	loops.Wait()
	s.host.RemoveStreamHandler(Protocol) // whoever is answered after the goodbye would believe that this node is back
	s.limit.close()
	if err == nil {
		s.goodbye(context.WithoutCancel(ctx))
	}
	if saved := s.roster.Save(); saved != nil {
		s.log.Warn("the roster is not saved; the next start takes longer", slog.Any("err", saved))
	}
	return err
}

// Roster returns the roster that the service fills.
func (s *Service) Roster() *Roster { return s.roster }

// Agreed is closed once the roster has been made the same as that of a member, for the first time since New.
func (s *Service) Agreed() <-chan struct{} { return s.agreed }

// Refused returns why a peer lately refused this node as none of the swarm, and nil if none has.
func (s *Service) Refused() error {
	if err := s.refused.Load(); err != nil {
		return *err
	}
	return nil
}

// IsMember reports whether id, proven by its connection, is a member that is not banned.
func (s *Service) IsMember(id dhash.ID) bool { return s.roster.IsMember(id) }

// Admitted reports whether id is a member, or a client that has said hello on a connection that still is.
func (s *Service) Admitted(id dhash.ID) bool {
	if s.roster.IsMember(id) {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	chain, ok := s.clients[peer.ID(id)]
	return ok && time.Now().Before(chain[len(chain)-1].Expires)
}

// Seen notes that another protocol heard id.
func (s *Service) Seen(id dhash.ID) { s.roster.Seen(id, time.Now()) }

// Failed notes that another protocol could not reach id, or got no answer.
func (s *Service) Failed(id dhash.ID) { s.roster.Failed(id, time.Now()) }

// disconnected hears from libp2p that a connection is gone.
func (s *Service) disconnected(n network.Network, c network.Conn) {
	s.rescues.gone(c.ID())
	p := c.RemotePeer()
	if n.Connectedness(p) == network.Connected {
		return
	}
	s.mu.Lock()
	delete(s.greeted, p)
	delete(s.clients, p)
	s.mu.Unlock()
	s.roster.Check(dhash.ID(p), time.Now())
}

// SetManifest takes a manifest, whose signature is verified, if it is newer, and tells all members. An error, which wraps
// ErrManifest, says that it was refused.
func (s *Service) SetManifest(m *Manifest) error {
	newer, err := s.roster.SetManifest(m)
	if err != nil || !newer {
		return err
	}
	s.log.Info("the swarm has a new manifest", slog.Uint64("revision", m.Revision), slog.Int("bans", len(m.Bans)))
	s.cfg.Gate.SetManifest(m)
	if s.cfg.Save != nil {
		if err := s.cfg.Save(m); err != nil {
			s.log.Warn("the manifest is not saved", slog.Uint64("revision", m.Revision), slog.Any("err", err))
		}
	}
	if _, err := s.cfg.Chain.Verify(s.roster.Swarm(), s.self, time.Now(), m); err != nil {
		select {
		case s.fail <- err:
		default:
		}
		return nil
	}
	s.dropBanned(m)
	s.mu.Lock()
	s.newRules = true
	s.mu.Unlock()
	s.wakeUp()
	return nil
}

// dropBanned closes the connections of those who are not admitted any more.
func (s *Service) dropBanned(m *Manifest) {
	var out []peer.ID
	s.mu.Lock()
	for p, chain := range s.clients {
		key, err := KeyOf(dhash.ID(p))
		if err == nil {
			_, err = chain.Verify(s.roster.Swarm(), key, time.Now(), m)
		}
		if err != nil {
			delete(s.clients, p)
			out = append(out, p)
		}
	}
	for p := range s.greeted {
		if !s.roster.IsMember(dhash.ID(p)) {
			out = append(out, p)
		}
	}
	s.mu.Unlock()
	for _, id := range m.Bans {
		out = append(out, peer.ID(id))
	}
	for _, p := range out {
		s.host.Network().ClosePeer(p)
	}
}

func (s *Service) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
