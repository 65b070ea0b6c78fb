package node

import (
	"context"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// loop is the way to all members, this one included: what is for itself it does not send.
type loop struct {
	*peer.Client
	self dhash.ID
	here peer.Handler
}

// Put implements gateway.Peers.
func (l *loop) Put(ctx context.Context, to dhash.ID, c dhash.Claim, f *dhash.Fragment) (peer.Receipt, error) {
	if to != l.self {
		return l.Client.Put(ctx, to, c, f)
	}
	coding := f.Coding()
	free, err := l.here.Put(ctx, l.self, c, f, coding)
	return peer.Receipt{Free: free, Coding: coding}, err
}

// Get implements gateway.Peers.
func (l *loop) Get(ctx context.Context, from dhash.ID, w peer.Want) (*dhash.Fragment, dhash.Coding, error) {
	if from != l.self {
		return l.Client.Get(ctx, from, w)
	}
	f, err := l.here.Get(ctx, l.self, w)
	if err != nil {
		return nil, dhash.Coding{}, err
	}
	return f, f.Coding(), nil
}

// Have implements gateway.Peers.
func (l *loop) Have(ctx context.Context, from dhash.ID, o dhash.Owner, scores []venti.Score) ([][]dhash.Held, error) {
	if from != l.self {
		return l.Client.Have(ctx, from, o, scores)
	}
	return l.here.Have(ctx, l.self, o, scores)
}

// Claim implements gateway.Peers.
func (l *loop) Claim(ctx context.Context, to dhash.ID, o dhash.Owner, marks []peer.Mark) ([]bool, error) {
	if to != l.self {
		return l.Client.Claim(ctx, to, o, marks)
	}
	return l.here.Claim(ctx, l.self, o, marks)
}

// Divert implements gateway.Peers.
func (l *loop) Divert(ctx context.Context, to dhash.ID, d peer.Diversion) error {
	if to != l.self {
		return l.Client.Divert(ctx, to, d)
	}
	return l.here.Divert(ctx, l.self, d)
}

// State brings a member an owner's statement: see peer.Client.
func (l *loop) State(ctx context.Context, to dhash.ID, statement []byte) ([]byte, error) {
	if to != l.self {
		return l.Client.State(ctx, to, statement)
	}
	return l.here.State(ctx, l.self, statement)
}

// Latency implements gateway.Peers. This node's own disk is the fastest to read from.
func (l *loop) Latency(id dhash.ID) (mean, p95 time.Duration) {
	if id != l.self {
		return l.Client.Latency(id)
	}
	return 100 * time.Microsecond, 50 * time.Millisecond
}
