package claim

import (
	"slices"
	"time"

	"ventidhash/dhash"
)

// A Succession is what a lender knows of the owners in a hand-over beside their books.
type Succession struct {
	Owner dhash.Owner // whose the owner's claims are by now: its own, or those of whom it has handed over to
	Heir  dhash.Owner // whose the heir's claims are by now
	Line  int         // how many owners will have handed over to that one
}

// Succeed decides about a hand-over, which Parse returned. was is the book on the owner, and heir that on Succession.Heir,
// in whose name the claims are from now on. If Decision.Apply is set both books are written, the heir's, which is the second
// result, first: what the owner gave up lately counts against the heir, and may do so twice, but never not at all. Then
// the claims are the heir's.
//
// A hand-over to the same heir as before is answered with Done, and nothing is to be done.
func Succeed(was, heir Book, s *Statement, n Succession, e Environment, l Limits) (Decision, Book) {
	c := judge{was: was, b: was, s: s, e: e, l: l}
	now := e.Now
	var d Decision
	switch known := was.Heir != (dhash.Owner{}); {
	case known && n.Owner == n.Heir:
		d = c.answer(Done, NoReason, time.Time{})
	case known:
		d, _ = c.refuse(HandedOver)
	case s.Date.Sub(now) > maxAhead:
		d, _ = c.refuse(FromFuture)
	case now.Sub(s.Date) > maxAge, was.Number == 0 && now.Sub(s.Date) > maxAhead:
		d, _ = c.refuse(TooOld)
	case n.Heir == s.Owner, n.Line > MaxFormer:
		d, _ = c.refuse(BadHeir)
	case e.Unmarked:
		d = c.answer(Waits, PausedMarker, time.Time{})
	default:
		c.tidy()
		heir.Tally = sum(heir.Tally, c.b.Tally)
		heir.Since, heir.Lapsed = now, time.Time{}
		c.b = Book{Owner: was.Owner, Heir: s.Heir, Since: now}
		d = c.answer(Done, NoReason, time.Time{})
		d.Apply, d.Changed = true, true
	}
	d.Answer.Kept = heir.Kept(l)
	return d, heir
}

// sum returns what was given up lately by two owners, the last maxTallies hours of it.
func sum(a, b []Tally) []Tally {
	out := slices.Clone(a)
	for _, t := range b {
		i, has := slices.BinarySearchFunc(out, t.Hour, func(t Tally, hour int64) int {
			switch {
			case t.Hour < hour:
				return -1
			case t.Hour > hour:
				return 1
			}
			return 0
		})
		if has {
			out[i].Claims += t.Claims
		} else {
			out = slices.Insert(out, i, t)
		}
	}
	return out[max(0, len(out)-maxTallies):]
}
