package member

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// Meet makes sure that there is a connection with a peer, on which both sides have said hello. It is cheap if so.
// Addresses may be missing: those of the roster are used too. Errors are those of Hello.
func (s *Service) Meet(ctx context.Context, to peer.AddrInfo) error {
	s.mu.Lock()
	met := s.greeted[to.ID]
	s.mu.Unlock()
	if met {
		return nil
	}
	if st, ok := s.roster.Get(dhash.ID(to.ID), time.Now()); ok {
		to.Addrs = append(to.Addrs[:len(to.Addrs):len(to.Addrs)], st.Record.Addrs...)
	}
	return s.Hello(ctx, to)
}

// Hello connects with a peer and exchanges certificates with it, each verified against the key that the other side of the
// connection has proven. When it returns nil, each side knows that the other one is a member, or the client of one, and
// every protocol is open; and whichever had the older manifest is getting the newer one. It must come first on every
// connection.
//
// Errors wrap dhash.ErrStranger if one of the two is none of the swarm in the eyes of the other, ErrClock, dhash.ErrBusy,
// ErrMessage, or else venti.ErrUnavailable.
func (s *Service) Hello(ctx context.Context, to peer.AddrInfo) error {
	if to.ID == s.host.ID() {
		return errors.New("hello: that is this node itself")
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if n, ok := s.host.Network().(interface{ Backoff() *swarm.DialBackoff }); ok {
		n.Backoff().Clear(to.ID) // when to try again is for the roster to say
	}
	if err := s.host.Connect(ctx, to); err != nil {
		return fmt.Errorf("hello to %s: %w: %w", dhash.ID(to.ID).Short(), venti.ErrUnavailable, err)
	}
	s.publishIfNeeded(time.Now()) // not with a record that is old
	a, err := s.ask(ctx, to.ID, s.hello(tHello))
	if errors.Is(err, dhash.ErrStranger) {
		s.refused.Store(&err)
	}
	if err != nil {
		return err
	}
	if err := s.admit(to.ID, a, time.Now()); err != nil {
		s.host.Network().ClosePeer(to.ID)
		return fmt.Errorf("hello from %s: %w", dhash.ID(to.ID).Short(), err)
	}
	s.mu.Lock()
	s.greeted[to.ID] = true
	s.mu.Unlock()
	if err := s.syncManifest(ctx, to.ID, a.revision); err != nil {
		s.log.Warn("manifest of a member", slog.String("member", dhash.ID(to.ID).Short()), slog.Any("err", err))
	}
	if !s.Admitted(dhash.ID(to.ID)) {
		return fmt.Errorf("hello to %s: %w: banned", dhash.ID(to.ID).Short(), dhash.ErrStranger)
	}
	return nil
}

// hello returns this node's hello.
func (s *Service) hello(k kind) *message {
	m := &message{kind: k, revision: s.revision()}
	if s.cfg.Chain.Role() == RoleMember {
		m.record = s.roster.encoded(s.self)
	} else {
		m.chain = s.cfg.Chain.Encode()
	}
	return m
}

// revision returns that of the manifest, or 0.
func (s *Service) revision() uint64 {
	if m := s.roster.Manifest(); m != nil {
		return m.Revision
	}
	return 0
}

// encoded returns a member's record as bytes, or nil.
func (r *Roster) encoded(k PublicKey) []byte {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if e := r.entries[k.ID()]; e != nil {
		return e.raw
	}
	return nil
}

// admit judges the hello of a peer, whose id its connection has proven.
func (s *Service) admit(p peer.ID, m *message, now time.Time) error {
	key, err := KeyOf(dhash.ID(p))
	if err != nil {
		return fmt.Errorf("%w: %w", dhash.ErrStranger, err)
	}
	if m.record == nil {
		return s.admitClient(p, key, m.chain, now)
	}
	rec, err := decodeRecord(m.record)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	if rec.Subject != key {
		return fmt.Errorf("%w: the record is %s's, not %s's", dhash.ErrStranger, rec.ID().Short(), key.ID().Short())
	}
	if behind := now.Sub(rec.Time); behind > 2*MaxSkew || behind < -MaxSkew {
		return fmt.Errorf("%w: %s says %s, %s says %s; set the clock that is wrong", ErrClock, key.ID().Short(),
			rec.Time.Format(time.RFC3339), s.self.ID().Short(), now.UTC().Format(time.RFC3339))
	}
	rec, added, err := s.roster.Add(m.record, now)
	if err != nil {
		return err
	}
	s.roster.Seen(key.ID(), now)
	if added {
		s.learn(rec)
	}
	return nil
}

func (s *Service) admitClient(p peer.ID, key PublicKey, encoded []byte, now time.Time) error {
	chain, err := ParseChain(encoded)
	if err != nil {
		return err
	}
	if chain.Role() != RoleClient {
		return fmt.Errorf("%w: a %v must show its record", dhash.ErrStranger, chain.Role())
	}
	if err := s.roster.Admit(chain, key, now); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.clients) >= maxClients && s.clients[p] == nil {
		return fmt.Errorf("%w: %d clients are connected", dhash.ErrBusy, len(s.clients))
	}
	s.clients[p] = chain
	return nil
}

// syncManifest compares manifests with p, whose has the given revision, and passes the newer one on.
func (s *Service) syncManifest(ctx context.Context, p peer.ID, revision uint64) error {
	own := s.roster.Manifest()
	switch {
	case own != nil && own.Revision > revision:
		_, err := s.ask(ctx, p, &message{kind: tPush, manifest: own.Encode()})
		return err
	case revision > s.revision():
		a, err := s.ask(ctx, p, &message{kind: tManifest})
		if err != nil || len(a.manifest) == 0 {
			return err
		}
		return s.takeManifest(a.manifest)
	}
	return nil
}

// takeManifest takes a manifest that a peer sent.
func (s *Service) takeManifest(b []byte) error {
	m, err := ParseManifest(b, s.roster.Swarm())
	if err != nil {
		return err
	}
	return s.SetManifest(m)
}
