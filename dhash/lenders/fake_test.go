package lenders_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/lenders"
	"ventidhash/venti"
)

var (
	swarm = sha256.Sum256([]byte("a swarm"))
	key   = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32))
)

// A lender is a member that does what package claim says, with claims in a map and a clock of its own.
type lender struct {
	id     dhash.ID
	ahead  time.Duration // of the owner's clock
	limits claim.Limits
	served time.Duration

	mu      sync.Mutex
	away    bool
	claims  map[venti.Score]time.Time
	book    *claim.Book
	heard   []claim.Statement
	raws    [][]byte
	refuses func(*claim.Statement) error // instead of an answer
}

func (l *lender) now() time.Time { return time.Now().Add(l.ahead).Truncate(time.Second).UTC() }

// hit reports whether a statement takes a claim away.
func hit(s *claim.Statement, score venti.Score, at time.Time) bool {
	named := slices.Contains(s.Scores, score)
	switch {
	case !at.Before(s.Before):
		return false
	case s.Kind == claim.Release:
		return named
	}
	return s.Kind == claim.Retain && s.Covers(dhash.KeyOf(score)) && !named
}

// state answers a statement, as fragstore does.
func (l *lender) state(raw []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return nil, fmt.Errorf("%w: it is away", venti.ErrUnavailable)
	}
	s, err := claim.Parse(raw, swarm, l.id)
	if err != nil {
		return nil, err
	}
	l.heard, l.raws = append(l.heard, *s), append(l.raws, bytes.Clone(raw))
	if l.refuses != nil {
		if err := l.refuses(s); err != nil {
			return nil, err
		}
	}
	if l.book == nil {
		if len(l.claims) == 0 {
			return claim.Answer{Verdict: claim.Refused, Reason: claim.NoClaims, Now: l.now()}.Encode(), nil
		}
		b := claim.NewBook(s.Owner, l.now())
		l.book = &b
	}
	var gone []venti.Score
	for score, at := range l.claims {
		if hit(s, score, at) {
			gone = append(gone, score)
		}
	}
	env := claim.Environment{Now: l.now(), Served: l.served, Members: 1, Reachable: 1}
	d := claim.Decide(*l.book, s, claim.Totals{Claims: int64(len(l.claims)), Bytes: int64(len(l.claims)) * 10,
		Release: int64(len(gone)), ReleaseB: int64(len(gone)) * 10}, env, l.limits)
	*l.book = d.Book
	if d.Apply {
		for _, score := range gone {
			delete(l.claims, score)
		}
		*l.book = d.Book.Settle(s, int64(len(gone)), int64(len(gone))*10)
		d.Answer.Fragments, d.Answer.Bytes, d.Answer.Waiting = int64(len(gone)), int64(len(gone))*10, l.book.Pending
	}
	d.Answer.Claims, d.Answer.ClaimBytes = int64(len(l.claims)), int64(len(l.claims))*10
	return d.Answer.Encode(), nil
}

// kinds returns what the lender has heard since it was asked last.
func (l *lender) kinds() (list []claim.Kind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.heard {
		list = append(list, s.Kind)
	}
	l.heard = nil
	return list
}

func (l *lender) has(list ...venti.Score) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range list {
		if _, ok := l.claims[s]; ok {
			n++
		}
	}
	return n
}

// claim makes claims at a time, by the owner's clock.
func (l *lender) claim(at time.Time, list ...venti.Score) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range list {
		l.claims[s] = at.Add(l.ahead).Truncate(time.Second)
	}
}

// A town is lenders, and an owner who has a ledger on them.
type town struct {
	t       *testing.T
	dir     string
	lenders []*lender
}

func newTown(t *testing.T, n int) *town {
	o := &town{t: t, dir: t.TempDir()}
	for i := range n {
		o.lenders = append(o.lenders, &lender{id: dhash.ID(fmt.Sprint("lender ", i)), served: 48 * time.Hour,
			claims: map[venti.Score]time.Time{}})
	}
	return o
}

// State implements what brings statements.
func (o *town) State(ctx context.Context, to dhash.ID, raw []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", venti.ErrUnavailable, err)
	}
	for _, l := range o.lenders {
		if l.id == to {
			return l.state(raw)
		}
	}
	return nil, errors.New("there is no such member")
}

func (o *town) ids() (ids []dhash.ID) {
	for _, l := range o.lenders {
		ids = append(ids, l.id)
	}
	return ids
}

func (o *town) open() *lenders.Ledger {
	o.t.Helper()
	l, err := lenders.Open(lenders.Config{Dir: o.dir, Swarm: swarm, Key: key, Carrier: o})
	if err != nil {
		o.t.Fatal(err)
	}
	return l
}

// heartbeat sends the heartbeats.
func (o *town) heartbeat() []lenders.Heard {
	o.t.Helper()
	l := o.open()
	defer l.Close()
	heard, err := l.Heartbeat(o.t.Context(), o.ids(), 0)
	if err != nil {
		o.t.Fatal(err)
	}
	return heard
}

// tell releases blocks and keeps others, as a prune does.
func (o *town) tell(gone, live []venti.Score, change func(*lenders.Tell)) []lenders.Told {
	o.t.Helper()
	told, err := o.try(o.t.Context(), gone, live, change)
	if err != nil {
		o.t.Fatal(err)
	}
	return told
}

func (o *town) try(ctx context.Context, gone, live []venti.Score, change func(*lenders.Tell)) ([]lenders.Told, error) {
	l := o.open()
	defer l.Close()
	cut := time.Now()
	heard, err := l.Heartbeat(ctx, o.ids(), 0)
	if err != nil {
		return nil, err
	}
	t := lenders.Tell{Heard: heard, Cut: cut, Live: live, Needs: func(s venti.Score) bool { return slices.Contains(live, s) }}
	if change != nil {
		change(&t)
	}
	if err := l.Owe(gone, cut.Add(-time.Hour), t.Needs); err != nil {
		return nil, err
	}
	return l.Tell(ctx, t)
}

// blocks returns n scores.
func blocks(seed, n int) (list []venti.Score) {
	for i := range n {
		list = append(list, venti.Sum(fmt.Appendf(nil, "block %d of %d", i, seed)))
	}
	return list
}

var old = time.Now().Add(-10 * 24 * time.Hour)
