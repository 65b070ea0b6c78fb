package lenders

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/venti"
)

const (
	told     = 4                // lenders that are told something at once
	tellTime = 60 * time.Second // for one statement to be answered: a lender looks up what it holds

	// RetainEvery is how often the owner says all that it needs.
	RetainEvery = 30 * 24 * time.Hour

	// A lender refuses a retain set whose cut-off is less than three days before it comes.
	retainCut = 73 * time.Hour
)

// Tell says what lenders are to be told.
type Tell struct {
	Heard []Heard // who is there: what Heartbeat has just returned

	// Cut is a time, by the owner's clock, before which every claim was made that may be taken away: before the heartbeats,
	// and before anybody began who writes to the swarm for the owner, and whose snapshot was not walked.
	Cut time.Time

	// Live are all blocks that the owner needs, each once, and Needs reports whether a block is one of them.
	Live  []venti.Score
	Needs func(venti.Score) bool

	// Older returns those of Live that snapshots need which were made before a time: a retain set that waited and does not
	// have one of them was wrong. Nil returns none.
	Older func(time.Time) []venti.Score

	// Near reports whether a member may hold a block. Nil takes everybody to hold everything.
	Near func(dhash.ID, venti.Score) bool

	Retain  bool // say all that is needed, to whomever; else to those that have not heard it for RetainEvery
	Confirm bool // give the second word for what waits
}

// Told is what a lender made of what it was told.
type Told struct {
	ID  dhash.ID
	Err error // it was not reached, or an answer did not come; it is told next time

	Fragments, Bytes int64          // that it released
	Retained         bool           // it was told all that is needed
	Waiting          []Waiting      // what waits for a confirmation
	Paused           claim.Reason   // why it gives nothing up now; told again next time
	Until            time.Time      // when that may be over, by its clock; zero if it cannot tell
	Refused          []claim.Reason // of statements that it refused
}

// Waiting is a statement that a lender does not carry out without a second word.
type Waiting struct {
	Kind             claim.Kind // zero if the statement is not here any more; it lapses
	Number           uint64
	Since            time.Time // by the lender's clock
	Until            time.Time // when it can be confirmed, by the lender's clock; zero if that is not known
	Fragments, Bytes int64
}

// Settled reports whether the lender was told everything.
func (t *Told) Settled() bool {
	return t.Err == nil && t.Paused == claim.NoReason && len(t.Refused) == 0
}

// A talk is what is said to one lender.
type talk struct {
	l      *Ledger
	t      *Tell
	h      *Heard
	spans  func() []span
	out    Told
	again  []venti.Score // of statements that are not confirmed any more, those to release still
	before time.Time     // by the lender's clock
}

// Tell tells the lenders what is owed, and what else is to be said, and returns what came of it, in the order of Heard.
// It can be interrupted at any point, and be repeated. The error is that of the files.
func (l *Ledger) Tell(ctx context.Context, t Tell) ([]Told, error) {
	if t.Needs == nil || t.Cut.IsZero() {
		return nil, errors.New("lenders: Tell.Needs and Tell.Cut are needed")
	}
	all := sync.OnceValue(func() []span { return spans(t.Live, claim.MaxScores) })
	talks := make([]talk, len(t.Heard))
	var errs []error
	var mu sync.Mutex
	each(told, len(t.Heard), func(i int) {
		talks[i] = talk{l: l, t: &t, h: &t.Heard[i], spans: all, out: Told{ID: t.Heard[i].ID}}
		err := talks[i].run(ctx)
		mu.Lock()
		defer mu.Unlock()
		errs = append(errs, err)
	})
	out := make([]Told, len(talks))
	members := make([]dhash.ID, len(talks))
	var again []venti.Score
	for i := range talks {
		out[i], members[i] = talks[i].out, talks[i].out.ID
		again = append(again, talks[i].again...)
	}
	now := time.Now()
	err := errors.Join(errs...)
	if err == nil {
		err = l.tidy(members, now)
	}
	if err == nil && len(again) > 0 {
		err = l.Owe(again, now, t.Needs)
	}
	return out, err
}

// run says everything to one lender. The error is that of the files.
func (k *talk) run(ctx context.Context) error {
	if k.out.Err = k.h.Err; k.out.Err == nil && k.h.Fresh {
		k.out.Err = errors.New("it was not asked what its clock shows")
	}
	if k.out.Err != nil {
		return nil
	}
	if k.h.None() {
		k.upTo(k.l.last(), true)
		return k.l.dropOthers(k.h.ID, nil)
	}
	k.before = k.h.Answer.Now.Add(k.t.Cut.Sub(k.h.At)).Truncate(time.Second)
	err := k.settle(ctx)
	if err == nil && k.going(ctx) {
		err = k.release(ctx)
	}
	if err == nil && k.going(ctx) {
		err = k.retain(ctx)
	}
	if k.out.Err != nil && ctx.Err() != nil {
		k.out.Err = errNever
	}
	return err
}

// going reports whether it makes sense to say more.
func (k *talk) going(ctx context.Context) bool {
	if k.out.Err == nil && ctx.Err() != nil {
		k.out.Err = errNever
	}
	return k.out.Err == nil && k.out.Paused == claim.NoReason
}

// last returns the number of the newest batch.
func (l *Ledger) last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owed.last
}

// upTo notes up to which batch the lender was told, and whether it was told all that is needed.
func (k *talk) upTo(number uint64, retained bool) {
	k.l.mu.Lock()
	defer k.l.mu.Unlock()
	r := k.l.line(k.h.ID, k.h.At)
	r.Told = max(r.Told, number)
	if retained {
		r.Retained = k.h.At
	}
}

// settle looks after what waits at the lender since earlier.
func (k *talk) settle(ctx context.Context) error {
	if err := k.l.dropOthers(k.h.ID, k.h.Answer.Waiting); err != nil {
		return err
	}
	for _, p := range k.h.Answer.Waiting {
		s := k.l.kept(k.h.ID, p.Number)
		if s == nil || s.Hash != p.Hash {
			k.wait(Waiting{Number: p.Number, Since: p.Since, Fragments: p.Fragments, Bytes: p.Bytes})
			continue
		}
		if s.Kind == claim.Release && slices.ContainsFunc(s.Scores, k.t.Needs) {
			k.again = append(k.again, slices.DeleteFunc(s.Scores, k.t.Needs)...)
			if err := k.l.drop(k.h.ID, p.Number); err != nil {
				return err
			}
			continue
		}
		if s.Kind == claim.Retain && (k.t.Confirm || p.Confirmed) && k.contradicted(s.Statement) {
			k.retainAgain()
			if err := k.l.drop(k.h.ID, p.Number); err != nil {
				return err
			}
			continue
		}
		w := Waiting{s.Kind, p.Number, p.Since, time.Time{}, p.Fragments, p.Bytes}
		if !p.Confirmed && !k.confirm(ctx, s, &w) || !k.going(ctx) {
			k.wait(w)
			continue
		}
		if err := k.send(ctx, s.raw, s.Statement); err != nil {
			return err
		}
	}
	return nil
}

// contradicted reports whether a block is needed, by a snapshot that was there already, that a retain set does not have.
func (k *talk) contradicted(s *claim.Statement) bool {
	if k.t.Older == nil {
		return false
	}
	return slices.ContainsFunc(k.t.Older(s.Before), func(score venti.Score) bool {
		_, has := slices.BinarySearchFunc(s.Scores, score, compare)
		return !has && s.Covers(dhash.KeyOf(score))
	})
}

// retainAgain makes it time for a new retain set.
func (k *talk) retainAgain() {
	k.l.mu.Lock()
	defer k.l.mu.Unlock()
	k.l.line(k.h.ID, k.h.At).Retained = k.h.At.Add(-RetainEvery)
}

func (k *talk) wait(w Waiting) { k.out.Waiting = append(k.out.Waiting, w) }

// confirm gives the second word for a statement, if that is wanted, and reports whether the lender took it.
func (k *talk) confirm(ctx context.Context, s *kept, w *Waiting) bool {
	if !k.t.Confirm || !k.going(ctx) {
		return false
	}
	number, err := k.l.number(k.h.ID, time.Now())
	if err != nil {
		k.out.Err = err
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, beatTime)
	defer cancel()
	a, err := k.l.say(ctx, claim.Statement{Kind: claim.Confirmation, Lender: k.h.ID, Number: number, Confirms: s.Hash})
	switch {
	case err != nil:
		k.out.Err = err
	case a.Verdict == claim.Done:
		return true
	case a.Reason == claim.TooEarly:
		w.Until = a.Until
	case a.Verdict == claim.Waits:
		k.out.Paused, k.out.Until = a.Reason, a.Until
	default:
		k.out.Refused = append(k.out.Refused, a.Reason)
	}
	return false
}

// release tells the lender what is owed.
func (k *talk) release(ctx context.Context) error {
	k.l.mu.Lock()
	scores, told := k.l.owed.since(k.l.line(k.h.ID, k.h.At).Told, k.t.Cut)
	k.l.mu.Unlock()
	if near := k.t.Near; near != nil {
		scores = slices.DeleteFunc(scores, func(s venti.Score) bool { return !near(k.h.ID, s) })
	}
	for part := range slices.Chunk(scores, claim.MaxScores) {
		if slices.ContainsFunc(part, k.t.Needs) {
			return errors.New("a block is both needed and let go; nothing more was released")
		}
		err := k.statement(ctx, claim.Statement{Kind: claim.Release, Before: k.before, Scores: part})
		if err != nil || !k.going(ctx) {
			return err
		}
	}
	if len(k.out.Refused) == 0 {
		k.upTo(told, false)
	}
	return nil
}

// retain tells the lender all that is needed, if it is time to.
func (k *talk) retain(ctx context.Context) error {
	k.l.mu.Lock()
	last := k.l.line(k.h.ID, k.h.At).Retained
	k.l.mu.Unlock()
	if !k.t.Retain && k.h.At.Sub(last) < RetainEvery {
		return nil
	}
	before := k.before
	if latest := k.h.Answer.Now.Add(-retainCut); before.After(latest) {
		before = latest
	}
	for _, s := range k.spans() {
		err := k.statement(ctx, claim.Statement{Kind: claim.Retain, Before: before, From: s.from, To: s.to, Scores: s.scores})
		if err != nil || !k.going(ctx) {
			return err
		}
	}
	if k.out.Retained = len(k.out.Refused) == 0; k.out.Retained {
		k.upTo(0, true)
	}
	return nil
}

// statement makes a statement to the lender, puts it down and sends it.
func (k *talk) statement(ctx context.Context, s claim.Statement) (err error) {
	now := time.Now()
	if s.Number, err = k.l.number(k.h.ID, now); err != nil {
		return err
	}
	s.Lender, s.Date = k.h.ID, now.Truncate(time.Second)
	raw, _, err := claim.Sign(k.l.cfg.Key, k.l.cfg.Swarm, s)
	if err != nil {
		return fmt.Errorf("a statement to member %s: %w", k.h.ID.Short(), err)
	}
	if err := k.l.keep(k.h.ID, s.Number, raw); err != nil {
		return err
	}
	return k.send(ctx, raw, &s)
}

// send sends a statement that was put down, and notes what came of it.
func (k *talk) send(ctx context.Context, raw []byte, s *claim.Statement) error {
	ctx, cancel := context.WithTimeout(ctx, tellTime)
	defer cancel()
	a, err := k.l.bring(ctx, k.h.ID, raw)
	if err != nil {
		k.out.Err = err
		return nil
	}
	k.note(a)
	switch {
	case a.Verdict == claim.Waits && a.Reason == claim.Braked:
		k.wait(Waiting{s.Kind, s.Number, a.Now, a.Until, a.Fragments, a.Bytes})
		return nil // and stays put down
	case a.Verdict == claim.Waits && k.listed(a, s.Number):
		k.out.Paused, k.out.Until = a.Reason, a.Until
		return nil
	case a.Verdict == claim.Waits:
		k.out.Paused, k.out.Until = a.Reason, a.Until
	case a.Verdict == claim.Refused && a.Reason != claim.NoClaims:
		k.out.Refused = append(k.out.Refused, a.Reason)
	case a.Verdict == claim.Done:
		k.out.Fragments += a.Fragments
		k.out.Bytes += a.Bytes
	}
	return k.l.drop(k.h.ID, s.Number)
}

// listed reports whether a statement is among those that wait.
func (k *talk) listed(a claim.Answer, number uint64) bool {
	return slices.ContainsFunc(a.Waiting, func(p claim.Pending) bool { return p.Number == number })
}

// note takes over what a lender says about what the owner has there.
func (k *talk) note(a claim.Answer) {
	k.l.mu.Lock()
	defer k.l.mu.Unlock()
	r := k.l.line(k.h.ID, k.h.At)
	r.Claims, r.Bytes = a.Claims, a.ClaimBytes
}
