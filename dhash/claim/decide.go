package claim

import (
	"slices"
	"time"

	"ventidhash/dhash"
)

// Totals are what an owner has at a lender, and how much of it a statement would release.
type Totals struct {
	Claims, Bytes     int64 // fragments that the owner claims, now
	Release, ReleaseB int64 // of these, those that the statement would release
}

// A Decision says what is to become of a statement.
type Decision struct {
	// Answer is what the owner gets to hear. If Apply is set it is what will be true once the statement is carried out, but
	// for what it released and what is left.
	Answer Answer

	// Apply says that the statement is to be carried out now: Book is written first, then the claims are taken away, then
	// the book that Book.Settle returns is written.
	Apply bool

	// Book is the book as it is from now on, and Changed whether it differs from the one before.
	Book    Book
	Changed bool
}

// Screen decides about a statement as far as that can be done without counting what it would release; the second result
// says that it cannot, and that Decide is to be asked. The statement is one that Parse returned.
func Screen(b Book, s *Statement, e Environment, l Limits) (Decision, bool) {
	c := judge{was: b, b: b, s: s, e: e, l: l}
	c.tidy()
	if d, final := c.screen(); final {
		return d, false
	}
	return Decision{}, true
}

// Decide decides about a statement: it is carried out, waits, or is refused. The package comment has the rules. The
// statement is one that Parse returned, of the owner of the book.
func Decide(b Book, s *Statement, t Totals, e Environment, l Limits) Decision {
	c := judge{was: b, b: b, s: s, t: t, e: e, l: l}
	c.tidy()
	if d, final := c.screen(); final {
		return d
	}
	return c.brake()
}

// A judge is one decision.
type judge struct {
	was, b Book // before and after
	s      *Statement
	t      Totals
	e      Environment
	l      Limits
}

// tidy forgets what waited for too long, or since a time that a wrong clock showed, and what was given up too long ago
// to count.
func (c *judge) tidy() {
	now := c.e.Now
	c.b.Pending = slices.DeleteFunc(slices.Clone(c.b.Pending), func(p Pending) bool {
		return p.Since.After(now) || now.Sub(p.Since) > maxAge
	})
	last := hour(now)
	c.b.Tally = slices.DeleteFunc(slices.Clone(c.b.Tally), func(t Tally) bool {
		return t.Hour < last-tallyHours || t.Hour > last
	})
}

// answer returns a decision to do no more than answer.
func (c *judge) answer(v Verdict, r Reason, until time.Time) Decision {
	changed := c.b.Number != c.was.Number || len(c.b.Pending) != len(c.was.Pending)
	return Decision{Answer: Answer{
		Verdict: v, Reason: r, Number: c.b.Number, Now: c.e.Now, Until: until, Kept: c.b.Kept(c.l),
		Claims: c.t.Claims, ClaimBytes: c.t.Bytes, Waiting: c.b.Pending,
	}, Book: c.b, Changed: changed}
}

func (c *judge) refuse(r Reason) (Decision, bool) { return c.answer(Refused, r, time.Time{}), true }

// screen answers what can be answered without counting.
func (c *judge) screen() (Decision, bool) {
	s, now := c.s, c.e.Now
	if c.b.Heir != (dhash.Owner{}) {
		return c.refuse(HandedOver)
	}
	if was := c.b.settled(s.Hash); was != nil {
		d := c.answer(Done, NoReason, time.Time{})
		d.Answer.Fragments, d.Answer.Bytes = was.Fragments, was.Bytes
		return d, true
	}
	known := c.b.pending(s.Hash) != nil || c.b.Begun == s.Hash
	switch {
	case s.Date.Sub(now) > maxAhead:
		return c.refuse(FromFuture)
	case now.Sub(s.Date) > maxAge, c.b.Number == 0 && now.Sub(s.Date) > maxAhead:
		return c.refuse(TooOld)
	case c.b.Number == 0 && s.Kind != Heartbeat:
		return c.refuse(NoHeartbeat)
	case !known && s.Number <= c.b.Number:
		return c.refuse(LowNumber)
	case s.Kind == Heartbeat:
		c.b.Heartbeat, c.b.Since, c.b.Lapsed = now, now, time.Time{}
		return c.done(), true
	case s.Kind == Release && s.Before.After(now), s.Kind == Retain && now.Sub(s.Before) < minCutOff:
		return c.refuse(BadCutOff)
	}
	if r, until := c.e.Pause(c.l); r != NoReason {
		return c.answer(Waits, r, until), true
	}
	if s.Kind == Confirmation {
		return c.confirm(), true
	}
	return Decision{}, false
}

// done answers a statement that is carried out by writing the book.
func (c *judge) done() Decision {
	c.b = c.b.Settle(c.s, 0, 0)
	d := c.answer(Done, NoReason, time.Time{})
	d.Changed = true
	return d
}

// confirm takes the second word for a statement that waits.
func (c *judge) confirm() Decision {
	p := c.b.pending(c.s.Confirms)
	if p == nil {
		d, _ := c.refuse(NothingWaits)
		return d
	}
	if until := p.Since.Add(c.l.confirmAfter()); c.e.Now.Before(until) {
		return c.answer(Waits, TooEarly, until)
	}
	p.Confirmed = true // tidy made a copy
	return c.done()
}

// brake decides about a statement that takes claims away.
func (c *judge) brake() Decision {
	p := c.b.pending(c.s.Hash)
	begun := c.b.Begun == c.s.Hash
	if !begun && (p == nil || !p.Confirmed) {
		gone := c.b.tallied() + c.t.Release
		if p != nil || c.t.Release > 0 && gone > MinBraked && gone*10 > c.b.tallied()+c.t.Claims {
			return c.wait(p)
		}
		c.tally()
	}
	if c.t.Release == 0 {
		return c.done()
	}
	c.b.Begun = c.s.Hash
	c.b.Number = max(c.b.Number, c.s.Number)
	d := c.answer(Done, NoReason, time.Time{})
	d.Apply, d.Changed = true, true
	return d
}

// wait puts a statement among those that wait for a confirmation, if it is not there.
func (c *judge) wait(p *Pending) Decision {
	if p == nil {
		if len(c.b.Pending) >= MaxPending {
			d, _ := c.refuse(TooMany)
			return d
		}
		c.b.Number = c.s.Number
		c.b.Pending = append(c.b.Pending, Pending{Hash: c.s.Hash, Number: c.s.Number, Since: c.e.Now,
			Fragments: c.t.Release, Bytes: c.t.ReleaseB})
		p = &c.b.Pending[len(c.b.Pending)-1]
	}
	d := c.answer(Waits, Braked, p.Since.Add(c.l.confirmAfter()))
	d.Answer.Fragments, d.Answer.Bytes = c.t.Release, c.t.ReleaseB
	return d
}

// tally notes that claims are given up without a confirmation.
func (c *judge) tally() {
	if c.t.Release == 0 {
		return
	}
	h := hour(c.e.Now)
	if n := len(c.b.Tally); n > 0 && c.b.Tally[n-1].Hour == h {
		c.b.Tally[n-1].Claims += c.t.Release // tidy made a copy
		return
	}
	c.b.Tally = append(c.b.Tally, Tally{h, c.t.Release})
}

// Settle returns the book after a statement was carried out, which released so much.
func (b Book) Settle(s *Statement, fragments, bytes int64) Book {
	b.Number = max(b.Number, s.Number)
	b.Begun = dhash.Hash{}
	b.Pending = slices.DeleteFunc(slices.Clone(b.Pending), func(p Pending) bool { return p.Hash == s.Hash })
	b.Settled = append(slices.Clone(b.Settled), Settled{s.Hash, fragments, bytes})
	if n := len(b.Settled) - maxSettled; n > 0 {
		b.Settled = b.Settled[n:]
	}
	return b
}
