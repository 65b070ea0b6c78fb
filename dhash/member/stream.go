package member

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// ask sends a request to p on a new stream and returns the answer, within Config.Timeout. A stream for each is dear (some
// 0.3 ms), and simple; requests are rare here. Errors wrap what the refusal says, ErrMessage, or else
// venti.ErrUnavailable.
func (s *Service) ask(ctx context.Context, p peer.ID, m *message) (*message, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	a, err := s.exchange(ctx, p, m)
	if err == nil && a.kind == rRefusal {
		err = a.err()
	} else if err != nil && !errors.Is(err, ErrMessage) {
		err = fmt.Errorf("%w: %w", venti.ErrUnavailable, err)
	}
	if err != nil {
		return nil, fmt.Errorf("ask member %s: %w", dhash.ID(p).Short(), err)
	}
	return a, nil
}

func (s *Service) exchange(ctx context.Context, p peer.ID, m *message) (*message, error) {
	st, err := s.host.NewStream(ctx, p, Protocol)
	if err != nil {
		return nil, err
	}
	defer st.Reset() // does nothing after Close
	defer context.AfterFunc(ctx, func() { st.Reset() })()
	deadline, _ := ctx.Deadline()
	st.SetDeadline(deadline)
	if _, err := st.Write(m.appendTo(nil)); err != nil {
		return nil, err
	}
	if err := st.CloseWrite(); err != nil {
		return nil, err
	}
	a, err := readMessage(st, m.kind+1, rRefusal)
	if err != nil {
		return nil, err
	}
	st.Close()
	return a, nil
}

// A limiter bounds the requests that are answered at once: few of each peer, and few of strangers, so that these cannot
// keep members waiting.
type limiter struct {
	members   chan struct{}
	strangers chan struct{}

	work sync.WaitGroup

	mu      sync.Mutex // protects the following
	peers   map[peer.ID]int
	streams map[network.Stream]struct{} // of requests that are being answered
	ended   bool
}

const (
	memberSlots   = 32
	strangerSlots = 32
	peerSlots     = 4
)

func newLimiter() limiter {
	return limiter{
		members: make(chan struct{}, memberSlots), strangers: make(chan struct{}, strangerSlots),
		peers: map[peer.ID]int{}, streams: map[network.Stream]struct{}{},
	}
}

// enter returns a function to be called when the request on st has been answered, or nil if there are too many. A member
// waits for a slot up to the given time.
func (l *limiter) enter(st network.Stream, admitted bool, wait time.Duration) func() {
	p := st.Conn().RemotePeer()
	l.mu.Lock()
	if l.ended || l.peers[p] >= peerSlots {
		l.mu.Unlock()
		return nil
	}
	l.peers[p]++
	l.streams[st] = struct{}{}
	l.work.Add(1)
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		delete(l.streams, st)
		if l.peers[p]--; l.peers[p] == 0 {
			delete(l.peers, p)
		}
		l.mu.Unlock()
		l.work.Done()
	}
	slots := l.strangers
	if admitted {
		slots = l.members
	} else {
		wait = 0
	}
	select {
	case slots <- struct{}{}:
	default:
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case slots <- struct{}{}:
		case <-timer.C:
			leave()
			return nil
		}
	}
	return func() { <-slots; leave() }
}

// close ends all requests that are being answered; none is taken from then on.
func (l *limiter) close() {
	l.mu.Lock()
	l.ended = true
	for st := range l.streams {
		st.Reset()
	}
	l.mu.Unlock()
	l.work.Wait()
}

// serve answers the request that comes on a stream.
func (s *Service) serve(st network.Stream) {
	p := st.Conn().RemotePeer()
	admitted := s.Admitted(dhash.ID(p))
	leave := s.limit.enter(st, admitted, s.cfg.Timeout/4)
	if leave == nil {
		st.Reset()
		return
	}
	defer leave()
	st.SetDeadline(time.Now().Add(s.cfg.Timeout))
	kinds := []kind{tHello, tPing, tDigest, tPush, tManifest, tGoodbye}
	if !admitted {
		kinds = kinds[:1]
	}
	m, err := readMessage(st, kinds...)
	if err != nil && !errors.Is(err, ErrMessage) {
		st.Reset()
		return
	}
	if err != nil && !admitted {
		err = fmt.Errorf("%w: say hello first", dhash.ErrStranger)
	}
	var a *message
	if err == nil {
		a, err = s.answer(p, m)
	}
	if err != nil {
		a = refusal(err)
	}
	if _, err := st.Write(a.appendTo(nil)); err != nil {
		st.Reset()
		return
	}
	st.Close()
}

// answer carries out a request of p.
func (s *Service) answer(p peer.ID, m *message) (*message, error) {
	now := time.Now()
	if m.kind == tHello {
		if err := s.admit(p, m, now); err != nil {
			return nil, err
		}
		return s.hello(rHello), nil
	}
	if m.kind == tGoodbye {
		s.roster.Left(dhash.ID(p), now)
		return &message{kind: rGoodbye}, nil
	}
	s.roster.Seen(dhash.ID(p), now)
	switch m.kind {
	case tPing:
		a := s.pingMessage()
		a.kind = rPing
		return a, nil
	case tDigest:
		a := &message{kind: rDigest}
		a.want, a.records = s.roster.compare(m.from, m.to, m.rows, maxBatch)
		return a, nil
	case tPush:
		if len(m.manifest) > 0 {
			if err := s.takeManifest(m.manifest); err != nil {
				return nil, err
			}
		}
		s.take(m.records)
		return &message{kind: rPush}, nil
	case tManifest:
		a := &message{kind: rManifest}
		if manifest := s.roster.Manifest(); manifest != nil {
			a.manifest = manifest.Encode()
		}
		return a, nil
	}
	return nil, ErrMessage
}
