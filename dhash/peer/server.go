package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/venti"
)

const (
	maxParallel = 128 // requests of one stream that are served at once; more wait in the stream
	maxStreams  = 2   // of one member: a member that was restarted comes again before its old stream is noticed to be dead
	maxGrants   = 64  // owners that one stream may store for
	maxLoads    = 16  // gets, haves and findheads of all streams that the handler works on at once
	maxChores   = 2   // reconciliations, heads, roots and messages of challenges, likewise: much work, and little to send
	messageTime = 2 * time.Minute
)

// A Handler does what members ask. Its methods are called from many goroutines at once; from is who asks. An error goes
// to the asker as the sentinel that it wraps (those of package dhash, ErrNotGranted, venti.ErrCorrupt; all others are
// venti.ErrUnavailable) with its text, cut to 256 bytes; a *Refusal may name another member. The context ends when the
// asker has gone.
type Handler interface {
	// Put stores f, of the given coding, which was computed from its payload, and returns once fragment and claim are
	// durable: the bytes that it has room for then. It must not keep f's payload. The owner's grant was shown.
	Put(ctx context.Context, from dhash.ID, claim dhash.Claim, f *dhash.Fragment, coding dhash.Coding) (free int64, err error)

	// Get returns a fragment that want allows, whose payload is not changed any more, or dhash.ErrNoFragment.
	Get(ctx context.Context, from dhash.ID, want Want) (*dhash.Fragment, error)

	// Have returns, for each score in order, what is held, with the marks of owner's claims. Of one block the first
	// MaxHeld are told.
	Have(ctx context.Context, from dhash.ID, owner dhash.Owner, scores []venti.Score) ([][]dhash.Held, error)

	// Claim adds claims of owner, durably, to the fragments that are held, and reports which are. The owner's grant was
	// shown.
	Claim(ctx context.Context, from dhash.ID, owner dhash.Owner, marks []Mark) ([]bool, error)

	// Divert notes where a fragment is that this node should have.
	Divert(ctx context.Context, from dhash.ID, v Diversion) error

	// Reconcile answers a message of a reconciliation, of 1 to MaxReconcile bytes, by one of at most MaxReconcile. From is
	// a member. Few calls of it, Challenge, Heads and Roots run at once, so that none must wait for another member.
	Reconcile(ctx context.Context, from dhash.ID, msg []byte) ([]byte, error)

	// Copy stores f as Put does, with the claims of 1 to MaxClaims owners, in ascending order of their keys. From is a
	// member, and vouches for the claims: no grants were shown. The handler decides whether it takes the fragment.
	Copy(ctx context.Context, from dhash.ID, claims []dhash.Claim, f *dhash.Fragment, coding dhash.Coding) (free int64,
		err error)

	// State takes what an owner says, of 1 to MaxStatement bytes, which it must not keep, and returns 1 to MaxReply bytes.
	// The owner's signature in it is for the handler to check: anybody may bring it, and may bring it again.
	State(ctx context.Context, from dhash.ID, statement []byte) ([]byte, error)

	// Challenge returns the leaf that the nonce asks for, of any fragment of the coding that is held, or
	// dhash.ErrNoFragment. A fragment that is damaged is as good as none.
	Challenge(ctx context.Context, from dhash.ID, ch Challenge) (*dhash.Leaf, error)

	// Heads decides about 1 to MaxHeads heads of owners, whose signatures are good, and returns a verdict for each, and the
	// heads of these owners that are here and that the sender lacks, or that gave way, at most four of an owner. granted
	// says whose grant was shown; of the others a member vouches for nothing but that the owner signed them. Those that
	// are kept are durable. As of Reconcile, few calls run at once.
	Heads(ctx context.Context, from dhash.ID, heads []venti.Head, granted []bool) ([]head.Verdict, []venti.Head, error)

	// FindHeads returns, for each owner in order, the heads that are here: at most four, of one sequence, in ascending order
	// of their scores.
	FindHeads(ctx context.Context, from dhash.ID, owners []dhash.Owner) ([][]venti.Head, error)

	// Roots returns scores of blocks that the owner, whose grant was shown, claims and that look like roots, from a position
	// on, in ascending order of positions, at most MaxRoots. It stops after a bounded time: next is where to go on, after
	// from, or the zero Key if there are no more. As of Reconcile, few calls run at once.
	Roots(ctx context.Context, from dhash.ID, owner dhash.Owner, at dhash.Key) (scores []venti.Score, next dhash.Key, err error)
}

// A ServerConfig says whom a Server serves, and how much at once. Member and Grant have to be set.
type ServerConfig struct {
	// Member reports whether a peer has shown a certificate of the swarm and is not banned. It is asked at each request
	// and must not wait.
	Member func(id dhash.ID) bool

	// Full reports whether a peer for which Member is true is a member itself, and not the client of one. Only members
	// may reconcile and copy. It must not wait. Nil: nobody may.
	Full func(id dhash.ID) bool

	// Grant returns the owner on whose behalf a grant allows a member to store. An error refuses.
	Grant func(id dhash.ID, grant []byte) (dhash.Owner, error)

	InFlight int64         // bytes of puts in memory, of all streams; half as much again for answers. 0 means 64 MiB
	Streams  int           // at once; 0 means 1024
	Stall    time.Duration // a stream that stands still so long in the middle of a message is given up; 0 means 20 s
	Drain    time.Duration // what requests have to end when Run is to return; 0 means 10 s
	Log      *slog.Logger  // nil discards
}

// Validate reports a field that cannot be.
func (c *ServerConfig) Validate() error {
	switch {
	case c.Member == nil || c.Grant == nil:
		return errors.New("peer server: Member and Grant have to be set")
	case c.InFlight < 0 || c.InFlight > 0 && c.InFlight < 2*dhash.MaxFragment:
		return fmt.Errorf("peer server: %d bytes in flight; want at least %d, or 0 for the default", c.InFlight,
			2*dhash.MaxFragment)
	case c.Streams < 0 || c.Stall < 0 || c.Drain < 0:
		return errors.New("peer server: want no negative streams and times")
	}
	return nil
}

// A Server serves fragments to the members that ask for them.
type Server struct {
	host    host.Host
	handler Handler
	cfg     ServerConfig
	puts    *budget       // bytes of puts whose answer is not out yet
	answers *budget       // bytes of answers that are not out yet
	loads   chan struct{} // an element for each of maxLoads that the handler works on
	chores  chan struct{} // an element for each of maxChores, likewise
	pool    pool
	work    sync.WaitGroup // streams

	requests, dropped, bytesIn, bytesOut atomic.Int64

	mu       sync.Mutex // protects the following
	streams  map[dhash.ID][]*served
	count    int // of streams
	draining bool
}

// NewServer returns a Server that serves what handler has to the peers of h, once it runs.
func NewServer(h host.Host, handler Handler, cfg ServerConfig) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	orElse(&cfg.InFlight, 64<<20)
	orElse(&cfg.Streams, 1024)
	orElse(&cfg.Stall, 20*time.Second)
	orElse(&cfg.Drain, 10*time.Second)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{
		host:    h,
		handler: handler,
		cfg:     cfg,
		puts:    newBudget(cfg.InFlight),
		answers: newBudget(cfg.InFlight / 2),
		loads:   make(chan struct{}, maxLoads),
		chores:  make(chan struct{}, maxChores),
		streams: make(map[dhash.ID][]*served),
	}, nil
}

// Run serves until ctx ends. Then it tells all members that it closes, refuses new requests with dhash.ErrBusy, gives
// those that it has ServerConfig.Drain to end, and returns nil when nothing of it runs any more. It can be called once.
func (s *Server) Run(ctx context.Context) error {
	s.host.SetStreamHandler(Protocol, s.accept)
	<-ctx.Done()
	s.host.RemoveStreamHandler(Protocol)
	s.mu.Lock()
	s.draining = true
	var all []*served
	for _, of := range s.streams {
		all = append(all, of...)
	}
	s.mu.Unlock()
	for _, c := range all {
		c.drain()
	}
	timer := time.AfterFunc(s.cfg.Drain, func() {
		for _, c := range all {
			c.drop(errDrained)
		}
	})
	defer timer.Stop()
	s.work.Wait()
	return nil
}

// Counters returns what the server has done.
func (s *Server) Counters() Counters {
	return Counters{s.requests.Load(), s.dropped.Load(), s.bytesIn.Load(), s.bytesOut.Load()}
}

// accept serves a stream, which libp2p has given a goroutine. Nothing that a stranger sends is looked at.
func (s *Server) accept(stream network.Stream) {
	id := dhash.ID(stream.Conn().RemotePeer())
	if !s.cfg.Member(id) {
		s.dropped.Add(1)
		stream.Reset()
		return
	}
	c := newServed(s, id, stream)
	if !s.add(c) {
		s.dropped.Add(1)
		stream.Reset()
		return
	}
	defer s.work.Done()
	err := c.serve()
	s.remove(c)
	switch {
	case errors.Is(err, errMalformed), errors.Is(err, dhash.ErrStranger):
		s.dropped.Add(1)
		s.cfg.Log.Warn("dropped the stream of a member", slog.String("member", id.String()), slog.Any("err", err))
	case err != nil:
		s.cfg.Log.Debug("lost the stream of a member", slog.String("member", id.String()), slog.Any("err", err))
	}
}

// add notes a stream, unless there are too many. If the member has enough of them, its oldest one is dropped.
func (s *Server) add(c *served) bool {
	s.mu.Lock()
	of := s.streams[c.id]
	if s.draining || len(of) < maxStreams && s.count >= s.cfg.Streams {
		s.mu.Unlock()
		return false
	}
	var oldest *served
	if len(of) >= maxStreams {
		oldest, of = of[0], of[1:]
		s.count--
	}
	s.streams[c.id] = append(of[:len(of):len(of)], c)
	s.count++
	s.work.Add(1)
	s.mu.Unlock()
	if oldest != nil {
		oldest.drop(errDisplaced)
	}
	return true
}

func (s *Server) remove(c *served) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.streams[c.id]
	kept := make([]*served, 0, len(of))
	for _, other := range of {
		if other != c {
			kept = append(kept, other)
		}
	}
	s.count -= len(of) - len(kept)
	if s.streams[c.id] = kept; len(kept) == 0 {
		delete(s.streams, c.id)
	}
}
