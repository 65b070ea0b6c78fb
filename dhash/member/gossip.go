package member

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
)

// pingMessage returns a ping of this node.
func (s *Service) pingMessage() *message {
	return &message{kind: tPing, sum: s.roster.Sum(), sequence: s.roster.sequence(s.self), revision: s.revision()}
}

// ping finds out whether a member is alive, and on the way whether there is news on either side. It returns whether the
// rosters are the same.
func (s *Service) ping(ctx context.Context, id dhash.ID) (same bool, err error) {
	m := s.pingMessage()
	a, err := s.ask(ctx, peer.ID(id), m)
	if err != nil {
		return false, err
	}
	s.roster.Seen(id, time.Now())
	if a.revision != m.revision {
		if err := s.syncManifest(ctx, peer.ID(id), a.revision); err != nil {
			return false, err
		}
	}
	return a.sum == m.sum, nil
}

// contact pings a member, or says hello if the connection is new, and notes what comes of it.
func (s *Service) contact(ctx context.Context, id dhash.ID, compare bool) {
	err := s.Meet(ctx, peer.AddrInfo{ID: peer.ID(id)})
	same := true
	if err == nil {
		same, err = s.ping(ctx, id)
	}
	if err == nil && !same && compare {
		err = s.reconcile(ctx, id)
	}
	if err == nil && (same || compare) {
		s.agreeing.Do(func() { close(s.agreed) })
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	s.log.Debug("cannot reach a member", slog.String("member", id.Short()), slog.Any("err", err))
	s.mu.Lock()
	delete(s.greeted, peer.ID(id))
	s.mu.Unlock()
	s.roster.Failed(id, time.Now())
}

// reconcile makes this roster and that of a member the same: both send what the other one lacks.
func (s *Service) reconcile(ctx context.Context, id dhash.ID) error {
	for range 16 { // more than the largest roster has batches; a peer cannot keep this going for ever
		var start PublicKey
		rand.Read(start[:]) // never fails
		m := &message{kind: tDigest}
		m.from, m.to, m.rows = s.roster.digest(start, maxDigest)
		a, err := s.ask(ctx, peer.ID(id), m)
		if err != nil {
			return err
		}
		added := s.take(a.records)
		if push := s.roster.records(a.want, maxBatch); len(push) > 0 {
			if _, err := s.ask(ctx, peer.ID(id), &message{kind: tPush, records: push}); err != nil {
				return err
			}
		}
		if added == 0 {
			break
		}
	}
	return nil
}

// take adds records that a peer sent, and returns how many were new.
func (s *Service) take(records [][]byte) int {
	added := 0
	now := time.Now()
	for _, raw := range records {
		rec, is, err := s.roster.Add(raw, now)
		if err != nil {
			s.log.Debug("a record is refused", slog.Any("err", err))
		} else if is {
			s.learn(rec)
			added++
		}
	}
	return added
}

// tell passes news on as it comes, to a few random members, who do the same, until ctx is done. Whom the news does not
// reach so finds it when rosters are compared.
func (s *Service) tell(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		select { // more may come at once
		case <-ctx.Done():
			return
		case <-time.After(coalesce):
		}
		s.mu.Lock()
		keys := make([]PublicKey, 0, len(s.news))
		for k := range s.news {
			keys = append(keys, k)
		}
		m := &message{kind: tPush}
		newRules := s.newRules
		clear(s.news)
		s.newRules = false
		s.mu.Unlock()
		if manifest := s.roster.Manifest(); newRules && manifest != nil {
			m.manifest = manifest.Encode()
		}
		m.records = s.roster.records(keys, maxBatch)
		if len(m.manifest) == 0 && len(m.records) == 0 {
			continue
		}
		s.each(s.roster.Random(time.Now(), fanout), func(id dhash.ID) {
			if err := s.Meet(ctx, peer.AddrInfo{ID: peer.ID(id)}); err == nil {
				s.ask(ctx, peer.ID(id), m) // whoever does not hear it compares rosters later
			}
		})
	}
}

// each calls f for all ids at once, and returns when all are done.
func (s *Service) each(ids []dhash.ID, f func(dhash.ID)) {
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() { f(id) })
	}
	all.Wait()
}

// goodbye tells those whom this node is connected with that it leaves.
func (s *Service) goodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, goodbyeTime)
	defer cancel()
	var ids []dhash.ID
	for _, p := range s.host.Network().Peers() {
		if s.roster.IsMember(dhash.ID(p)) {
			ids = append(ids, dhash.ID(p))
		}
	}
	slots := make(chan struct{}, parallel)
	s.each(ids, func(id dhash.ID) {
		slots <- struct{}{}
		s.ask(ctx, peer.ID(id), &message{kind: tGoodbye}) // who does not hear it finds out
		<-slots
	})
}
