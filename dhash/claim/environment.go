package claim

import "time"

// An Environment is what a lender knows about itself at the moment of a decision.
type Environment struct {
	// Now is what its clock shows, in whole seconds: Clock.Now.
	Now time.Time

	// Served is for how long it has run since it was last away for more than a day: Clock.Served.
	Served time.Duration

	// Jumped says that its clock jumped not long ago: Clock.Jumped.
	Jumped bool

	// Unmarked says that the marker of its storage is missing: the disk may not be mounted.
	Unmarked bool

	// Members is how many members it knows, itself included, and Reachable how many of these answer, itself included.
	Members, Reachable int
}

// Pause returns why the lender gives nothing up now, and when that may be over (zero if it cannot tell); NoReason if
// nothing stands against it.
func (e Environment) Pause(l Limits) (Reason, time.Time) {
	switch {
	case e.Unmarked:
		return PausedMarker, time.Time{}
	case e.Jumped:
		return PausedClock, time.Time{}
	case e.Served < l.startPause():
		return PausedStart, e.Now.Add(l.startPause() - e.Served + time.Second).Truncate(time.Second)
	case e.Members < 1 || 2*e.Reachable < e.Members:
		return PausedRoster, time.Time{}
	}
	return NoReason, time.Time{}
}
