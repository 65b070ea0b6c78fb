package member

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// RescueProtocol is the one protocol beside hello that a stranger is answered on: see Rescue.
const RescueProtocol = "/vdh/rescue/1"

// rescueTime bounds a rescue at the member: the request is one byte, which comes with the stream.
const rescueTime = 3 * time.Second

// serveRescue answers the request that comes on a stream of RescueProtocol. Who asks is who the connection has proven to
// be; nothing that is said counts.
func (s *Service) serveRescue(st network.Stream) {
	owner, err := KeyOf(dhash.ID(st.Conn().RemotePeer()))
	if err != nil {
		st.Reset()
		return
	}
	now := time.Now()
	known := !s.roster.Manifest().bans(owner) && s.cfg.Knows(dhash.Owner(owner))
	conn := st.Conn()
	leave := s.rescues.enter(conn.ID(), known, now)
	if leave == nil {
		st.Reset()
		return
	}
	defer func() {
		leave()
		if conn.IsClosed() { // and disconnected may have been told before enter
			s.rescues.gone(conn.ID())
		}
	}()
	st.SetDeadline(now.Add(rescueTime))
	if err := readRescueRequest(st); err != nil {
		st.Reset()
		return
	}
	var answer *Rescue
	if known {
		if answer, err = s.rescue(owner, now); err != nil {
			s.log.Warn("an owner who asks for a way in gets none", slog.Any("err", err))
		} else {
			s.log.Info("an owner who has the key and nothing else was let in as a client",
				slog.String("owner", owner.ID().Short()))
		}
	}
	if _, err := st.Write(appendRescueAnswer(nil, answer)); err != nil {
		st.Reset()
		return
	}
	st.Close()
}

// rescue makes what owner, who is known here, is told.
func (s *Service) rescue(owner PublicKey, now time.Time) (*Rescue, error) {
	r := &Rescue{Swarm: s.roster.Swarm(), Manifest: s.roster.Manifest()}
	if r.Manifest == nil {
		return nil, errors.New("the manifest of the swarm has not come yet")
	}
	expires := now.Add(MaxClientTerm)
	if end := s.cfg.Chain[len(s.cfg.Chain)-1].Expires; !end.IsZero() && end.Before(expires) {
		expires = end
	}
	var err error
	r.Chain, err = s.cfg.Chain.Issue(s.key, r.Swarm, now, Certificate{Role: RoleClient, Subject: owner,
		Issued: now.UTC().Truncate(time.Second), Expires: expires.Add(-time.Second), Label: "rescue"})
	if err != nil {
		return nil, err
	}
	r.Addrs = s.whereabouts(now)
	return r, nil
}

// whereabouts returns addresses of members, of each one: of this one first, then of others, who answer, in any order.
func (s *Service) whereabouts(now time.Time) (out []ma.Multiaddr) {
	add := func(r *Record) {
		info := r.AddrInfo()
		addrs, err := peer.AddrInfoToP2pAddrs(&info)
		if err == nil && len(addrs) > 0 && len(out) < MaxAddrs && len(addrs[0].Bytes()) <= maxAddr {
			out = append(out, addrs[0])
		}
	}
	if own, ok := s.roster.Get(s.self.ID(), now); ok {
		add(own.Record)
	}
	list := s.roster.List(now)
	for _, i := range rand.Perm(len(list)) {
		if st := list[i]; st.Liveness == Alive && st.Record.Subject != s.self {
			add(st.Record)
		}
	}
	return out
}

// A SilentError says that somebody who was asked for a way in did not answer. It wraps venti.ErrUnavailable, whose own text
// speaks of a block.
type SilentError struct {
	Who string // a member or an address
	Err error
}

// Error implements error.
func (e *SilentError) Error() string {
	err := e.Err
	var dial *swarm.DialError
	if errors.As(err, &dial) { // which names the id that was looked for, perhaps made up, on lines of its own
		err = dial.Cause
		for _, d := range dial.DialErrors {
			err = d.Cause
		}
	}
	return fmt.Sprintf("%s: %v", e.Who, err)
}

// Unwrap returns the causes.
func (e *SilentError) Unwrap() []error { return []error{venti.ErrUnavailable, e.Err} }

// AskRescue asks a member, whose id the connection proves, to let in the owner whose key is that of h. The answer is
// verified: the certificates are for this very key, and by the member that was asked. Whether it is the swarm that is
// meant, the owner has yet to see, by what it finds there that nobody else can have signed.
//
// Errors wrap dhash.ErrStranger if the member does not know the owner, ErrClock if the clocks differ too much, ErrMessage
// if the answer is none, or else are a *SilentError.
func AskRescue(ctx context.Context, h host.Host, to peer.AddrInfo) (*Rescue, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	owner, err := KeyOf(dhash.ID(h.ID()))
	if err != nil {
		return nil, err
	}
	member, err := KeyOf(dhash.ID(to.ID))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", dhash.ErrStranger, err)
	}
	if err := h.Connect(ctx, to); err != nil {
		return nil, &SilentError{"member " + member.ID().Short(), err}
	}
	r, err := exchangeRescue(ctx, h, to.ID)
	switch {
	case err != nil && !errors.Is(err, ErrMessage):
		return nil, &SilentError{"member " + member.ID().Short(), err}
	case err == nil && r == nil:
		err = fmt.Errorf("%w: it keeps nothing of this owner, or does not want to", dhash.ErrStranger)
	case err == nil:
		err = r.verify(owner, member, time.Now())
	}
	if err != nil {
		return nil, fmt.Errorf("member %s: %w", member.ID().Short(), err)
	}
	return r, nil
}

func exchangeRescue(ctx context.Context, h host.Host, p peer.ID) (*Rescue, error) {
	st, err := h.NewStream(ctx, p, RescueProtocol)
	if err != nil {
		return nil, err
	}
	defer st.Reset() // does nothing after Close
	defer context.AfterFunc(ctx, func() { st.Reset() })()
	deadline, _ := ctx.Deadline()
	st.SetDeadline(deadline)
	if _, err := st.Write([]byte{rescueVersion}); err != nil {
		return nil, err
	}
	if err := st.CloseWrite(); err != nil {
		return nil, err
	}
	r, err := readRescueAnswer(st)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it hung up")
	}
	if err == nil {
		st.Close()
	}
	return r, err
}
