package member

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Update changes what this node says about itself. All members hear it within seconds, unless only Free has changed, and
// by less than 1/32 of the capacity: then with the next record.
func (s *Service) Update(info Info) error {
	if err := info.Validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info = info
	old := s.signed
	moved := max(info.Free-old.Free, old.Free-info.Free)
	old.Free = info.Free
	if info != old || moved >= info.Capacity/32 && moved > 0 {
		s.stale = true
	}
	return nil
}

// watchAddrs has a new record made when the host's addresses change, until ctx is done.
func (s *Service) watchAddrs(ctx context.Context) {
	sub, err := s.host.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated))
	if err != nil {
		s.log.Warn("changes of own addresses are noticed late", slog.Any("err", err))
		return
	}
	defer sub.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-sub.Out():
			s.publishIfNeeded(time.Now())
		}
	}
}

// publishIfNeeded makes a new record if what it says has changed, or it is old.
func (s *Service) publishIfNeeded(now time.Time) {
	if s.cfg.Chain.Role() != RoleMember {
		return
	}
	addrs := ownAddrs(s.host.Addrs())
	foreign := s.roster.sequence(s.self)
	s.mu.Lock()
	age := now.Sub(s.published)
	need := s.stale || foreign > s.sequence || !slices.EqualFunc(addrs, s.addrs, ma.Multiaddr.Equal) ||
		age >= min(s.cfg.Refresh, s.roster.thresholds().Grace/24) || age < 0
	if need && foreign > s.sequence && s.sequence > 0 {
		s.log.Warn("another process uses this member's key, or did lately; its record is replaced")
	}
	s.mu.Unlock()
	if !need || age >= 0 && age < publishGap {
		return
	}
	if err := s.publish(now); err != nil {
		s.log.Error("cannot publish what this node is", slog.Any("err", err))
	}
}

// publish makes a new record of this node. A client has none.
func (s *Service) publish(now time.Time) error {
	if s.cfg.Chain.Role() != RoleMember {
		return nil
	}
	addrs := ownAddrs(s.host.Addrs())
	s.mu.Lock()
	defer s.mu.Unlock()
	known := max(s.sequence, s.roster.sequence(s.self))
	rec := &Record{Info: s.info, Sequence: max(known+1, uint64(max(0, now.UnixMilli()))), Addrs: addrs, Chain: s.cfg.Chain}
	if err := rec.Sign(s.key, s.roster.swarm, now); err != nil {
		return err
	}
	if _, _, err := s.roster.add(rec.Encode(), now, 0); err != nil {
		return fmt.Errorf("own record: %w", err)
	}
	s.sequence, s.published, s.stale = rec.Sequence, now, false
	s.addrs, s.signed = addrs, rec.Info
	s.news[s.self] = true
	s.wakeUp()
	return nil
}

// ownAddrs chooses, of a host's addresses, those to be published: the public ones first, and of the machine itself only
// if there are no others.
func ownAddrs(all []ma.Multiaddr) []ma.Multiaddr {
	rank := func(a ma.Multiaddr) int {
		switch {
		case manet.IsIPLoopback(a):
			return 2
		case manet.IsPublicAddr(a):
			return 0
		}
		return 1
	}
	addrs := slices.Clone(all)
	addrs = slices.DeleteFunc(addrs, func(a ma.Multiaddr) bool {
		n := len(a.Bytes())
		return n == 0 || n > maxAddr || manet.IsIPUnspecified(a)
	})
	slices.SortStableFunc(addrs, func(a, b ma.Multiaddr) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Compare(b))
	})
	if len(addrs) > 0 && rank(addrs[0]) < 2 {
		addrs = slices.DeleteFunc(addrs, func(a ma.Multiaddr) bool { return rank(a) == 2 })
	}
	return addrs[:min(len(addrs), MaxAddrs)]
}

// learn gives a new record's addresses to libp2p, and remembers it as news.
func (s *Service) learn(rec *Record) {
	info := rec.AddrInfo()
	if info.ID != s.host.ID() {
		s.host.Peerstore().ClearAddrs(info.ID)
		s.host.Peerstore().AddAddrs(info.ID, info.Addrs, 2*time.Hour)
		if len(s.host.Network().ConnsToPeer(info.ID)) > 0 {
			s.host.Peerstore().AddAddrs(info.ID, connAddrs(s, info.ID), peerstore.ConnectedAddrTTL)
		}
	}
	s.mu.Lock()
	s.news[rec.Subject] = true
	s.mu.Unlock()
	s.wakeUp()
}

func connAddrs(s *Service, p peer.ID) []ma.Multiaddr {
	var addrs []ma.Multiaddr
	for _, c := range s.host.Network().ConnsToPeer(p) {
		addrs = append(addrs, c.RemoteMultiaddr())
	}
	return addrs
}
