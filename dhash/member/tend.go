package member

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
)

// A chores is the state of tend.
type chores struct {
	work    sync.WaitGroup
	slots   chan struct{} // an element for each member that is being contacted
	seeking chan struct{} // an element while seek runs

	gossip, save, seek time.Time // when to do it next
	backoff            time.Duration
}

// tend does all that is done from time to time, until ctx is done.
func (s *Service) tend(ctx context.Context) {
	c := &chores{slots: make(chan struct{}, parallel), seeking: make(chan struct{}, 1)}
	defer c.work.Wait()
	tick := time.NewTicker(min(time.Second, s.roster.thresholds().PingInterval/2))
	defer tick.Stop()
	for {
		s.chores(ctx, c, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// chores does what is due. What takes time it starts and does not wait for.
func (s *Service) chores(ctx context.Context, c *chores, now time.Time) {
	s.publishIfNeeded(now)
	due, alive := s.roster.Due(now, cap(c.slots)-len(c.slots), 2*s.cfg.Timeout)
	for _, id := range due {
		c.start(func() { s.contact(ctx, id, alive < fanout) })
	}
	if !now.Before(c.gossip) && len(c.slots) < cap(c.slots) {
		c.gossip = now.Add(s.cfg.Gossip/2 + rand.N(s.cfg.Gossip))
		for _, id := range s.roster.Random(now, 1) {
			c.start(func() { s.contact(ctx, id, true) })
		}
	}
	if alive > 0 && c.backoff > 0 {
		c.backoff, c.seek = 0, now.Add(findGap)
	}
	if !now.Before(c.seek) && len(c.seeking) == 0 {
		c.seek = now.Add(findGap)
		if alive == 0 {
			c.backoff = min(max(2*c.backoff, time.Second), 30*time.Second)
			c.seek = now.Add(c.backoff/2 + rand.N(c.backoff))
		}
		c.seeking <- struct{}{}
		c.work.Go(func() {
			s.seek(ctx, alive == 0)
			<-c.seeking
		})
	} else if alive == 0 && c.backoff == 0 {
		c.seek = now // everybody vanished since the last look
	}
	if !now.Before(c.save) {
		c.save = now.Add(saveGap)
		s.roster.Expire(now)
		if err := s.roster.Save(); err != nil {
			s.log.Warn("the roster is not saved; the next start takes longer", slog.Any("err", err))
		}
	}
	s.roster.Table(now) // makes the table anew if it changed, and tells who waits for that
	s.dropSilent(now)
}

// start runs f if a slot is free, and else forgets it.
func (c *chores) start(f func()) {
	select {
	case c.slots <- struct{}{}:
		c.work.Go(func() {
			f()
			<-c.slots
		})
	default:
	}
}

// dropSilent closes connections on which nobody said hello for long.
func (s *Service) dropSilent(now time.Time) {
	for _, c := range s.host.Network().Conns() {
		if now.Sub(c.Stat().Opened) > strangerTime && !s.Admitted(dhash.ID(c.RemotePeer())) {
			c.Close()
		}
	}
}

// seek looks for members beyond those in the roster, whom Due gives: by the seeds if this node is alone, and by Find.
func (s *Service) seek(ctx context.Context, alone bool) {
	var asked sync.WaitGroup
	defer asked.Wait()
	slots := make(chan struct{}, 4)
	try := func(info peer.AddrInfo) {
		if info.ID == s.host.ID() || info.ID == "" {
			return
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		asked.Go(func() {
			defer func() { <-slots }()
			if err := s.Hello(ctx, info); err != nil {
				if ctx.Err() == nil {
					s.log.Info("no hello from a peer that may be a member", slog.String("peer", dhash.ID(info.ID).Short()),
						slog.Any("err", err))
				}
				return
			}
			s.contact(ctx, dhash.ID(info.ID), true)
		})
	}
	if alone {
		for _, i := range rand.Perm(len(s.cfg.Seeds)) {
			try(s.cfg.Seeds[i])
		}
	}
	if s.cfg.Find == nil {
		return
	}
	left := s.roster.cfg.Members // who answers a crawl may lie without end
	err := s.cfg.Find(ctx, func(info peer.AddrInfo) {
		if left--; left >= 0 && !s.roster.IsMember(dhash.ID(info.ID)) {
			try(info)
		}
	})
	if err != nil && ctx.Err() == nil {
		s.log.Debug("looking for members", slog.Any("err", err))
	}
}
