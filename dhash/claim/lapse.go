package claim

import (
	"fmt"
	"time"
)

// A State says how an owner stands with a lender.
type State byte

// The states.
const (
	Active   State = iota // the term runs
	Lapsed                // no heartbeat for a term; reported, and nothing else
	Orphaned              // and for the grace period: its claims may be dropped when room is needed
)

// String returns the name of the state.
func (s State) String() string {
	switch s {
	case Active:
		return "active"
	case Lapsed:
		return "lapsed"
	case Orphaned:
		return "orphaned"
	}
	return fmt.Sprintf("state %d", byte(s))
}

// Watch returns the book as time has changed it, and how its owner stands. It is asked now and then. clock is the
// lender's, and now what it shows.
//
// Whoever is to be lapsed has been silent for a term of which the lender was up for at least half, else the term begins
// anew: nobody can have reached it. The same goes for the grace period, which counts from when the lender knew.
func (b Book) Watch(clock *Clock, now time.Time, l Limits) (Book, State) {
	if clock.Jumped() {
		return b, b.state()
	}
	if now.Sub(b.Since) <= l.term() {
		b.Lapsed = time.Time{}
		return b, Active
	}
	if b.Lapsed.IsZero() || now.Before(b.Lapsed) {
		if 2*clock.UpFor(b.Since, b.Since.Add(l.term())) < l.term() {
			b.Since = now
			return b, Active
		}
		b.Lapsed = now
	}
	if now.Sub(b.Lapsed) <= l.grace() {
		return b, Lapsed
	}
	if 2*clock.UpFor(b.Lapsed, now) < l.grace() {
		return b, Lapsed
	}
	return b, Orphaned
}

// state is how the owner stood when the book was last written, as far as that matters when nothing is believed.
func (b *Book) state() State {
	if b.Lapsed.IsZero() {
		return Active
	}
	return Lapsed
}
