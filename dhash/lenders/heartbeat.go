package lenders

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/venti"
)

const (
	beats    = 32              // heartbeats under way at once
	beatTime = 5 * time.Second // for one to be answered
)

// Heard is what came of a heartbeat.
type Heard struct {
	ID     dhash.ID
	Fresh  bool         // it was heard of lately, and was not spoken to
	Answer claim.Answer // if Fresh is not set, and there is no Err or one about a hand-over
	At     time.Time    // when the answer was here, by the owner's clock

	// Err wraps venti.ErrUnavailable if the member was not reached. It may say that the member does not take a hand-over:
	// then it has heard the heartbeat all the same, and nothing else should be told it.
	Err error
}

// None reports whether the owner has nothing at the member.
func (h *Heard) None() bool {
	return h.Err == nil && !h.Fresh && h.Answer.Verdict == claim.Refused && h.Answer.Reason == claim.NoClaims
}

// errNever says that a member was left out because time was up.
var errNever = fmt.Errorf("%w: there was no time left for it", venti.ErrUnavailable)

// Heartbeat tells members that the owner is there, all but those that have answered within a time, and returns what came
// of each, in order. It takes as long as the slowest member, at most some seconds, or until ctx ends. The error is that of
// the files.
//
// A member that does not know yet who has handed over to the owner (Config.Former) is told that before anything else, also
// one that has answered lately. If it does not take that now, it hears the heartbeat: the owner is there.
//
// In front of a heartbeat goes one with the last number, which a lender refuses, and says which number was the highest: so
// it is seen whether somebody else has spoken since.
func (l *Ledger) Heartbeat(ctx context.Context, members []dhash.ID, every time.Duration) ([]Heard, error) {
	out, refused := make([]Heard, len(members)), make([]error, len(members))
	each(beats, len(members), func(i int) {
		refused[i] = l.handOver(ctx, members[i])
		if errors.Is(refused[i], venti.ErrUnavailable) {
			out[i] = Heard{ID: members[i], Err: refused[i]}
		} else {
			out[i] = l.probe(ctx, members[i], every)
		}
	})
	numbers, err := l.numbers(out, time.Now())
	if err == nil {
		err = l.saveHanded()
	}
	if err != nil {
		return nil, err
	}
	each(beats, len(members), func(i int) {
		if numbers[i] != 0 {
			l.beat(ctx, &out[i], numbers[i])
		}
		if out[i].Err == nil {
			out[i].Err = refused[i]
		}
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	return out, l.save(time.Now())
}

// each calls do for 0 to n-1, so many at a time.
func each(limit, n int, do func(int)) {
	var all sync.WaitGroup
	token := make(chan struct{}, limit)
	for i := range n {
		token <- struct{}{}
		all.Go(func() {
			defer func() { <-token }()
			do(i)
		})
	}
	all.Wait()
}

// probe asks a member which number was the highest that it heard in the owner's name.
func (l *Ledger) probe(ctx context.Context, id dhash.ID, every time.Duration) Heard {
	h := Heard{ID: id}
	now := time.Now()
	l.mu.Lock()
	r := *l.line(id, now)
	l.mu.Unlock()
	if every > 0 && now.Sub(r.Heard) < every && now.After(r.Heard) {
		h.Fresh = true
		return h
	}
	if ctx.Err() != nil {
		h.Err = errNever
		return h
	}
	ctx, cancel := context.WithTimeout(ctx, beatTime)
	defer cancel()
	a, err := l.say(ctx, claim.Statement{Kind: claim.Heartbeat, Lender: id, Number: max(r.Sent, 1)})
	if err != nil {
		h.Err = err
		return h
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.line(id, now)
	line.Other = line.Other || a.Number > max(r.Sent, 1)
	return h
}

// numbers returns the numbers of the heartbeats to those who answered, 0 for the others, once they are put down.
func (l *Ledger) numbers(heard []Heard, now time.Time) ([]uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]uint64, len(heard))
	for i, h := range heard {
		if h.Err == nil && !h.Fresh {
			out[i] = l.line(h.ID, now).next(now)
		}
	}
	return out, l.save(now)
}

// beat sends a heartbeat, and notes what the lender says.
func (l *Ledger) beat(ctx context.Context, h *Heard, number uint64) {
	ctx, cancel := context.WithTimeout(ctx, beatTime)
	defer cancel()
	h.Answer, h.Err = l.say(ctx, claim.Statement{Kind: claim.Heartbeat, Lender: h.ID, Number: number})
	h.At = time.Now()
	switch {
	case h.Err != nil:
		return
	case h.Answer.Verdict != claim.Done && !h.None():
		h.Err = fmt.Errorf("the member refuses the heartbeat: %v", h.Answer.Reason)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.line(h.ID, h.At)
	line.Heard, line.Now, line.Kept = h.At, h.Answer.Now, h.Answer.Kept
	line.Claims, line.Bytes = h.Answer.Claims, h.Answer.ClaimBytes
}

// say signs a statement, brings it to its lender, and returns the answer.
func (l *Ledger) say(ctx context.Context, s claim.Statement) (claim.Answer, error) {
	s.Date = time.Now().Truncate(time.Second)
	raw, _, err := claim.Sign(l.cfg.Key, l.cfg.Swarm, s)
	if err != nil {
		return claim.Answer{}, err
	}
	return l.bring(ctx, s.Lender, raw)
}

func (l *Ledger) bring(ctx context.Context, id dhash.ID, raw []byte) (claim.Answer, error) {
	b, err := l.cfg.Carrier.State(ctx, id, raw)
	if err != nil {
		return claim.Answer{}, err
	}
	return claim.ParseAnswer(b)
}
