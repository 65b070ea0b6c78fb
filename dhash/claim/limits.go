package claim

import (
	"cmp"
	"errors"
	"time"
)

// Limits are the times that a lender goes by. The zero value has those of the swarm; tests shorten them.
type Limits struct {
	// ConfirmAfter is how long a statement that drops much waits, at least, for its confirmation. Zero means a day.
	ConfirmAfter time.Duration

	// StartPause is for how long a lender that was away gives nothing up after it came back. Zero means a day.
	StartPause time.Duration

	// Term is how long claims are kept without a heartbeat before the owner counts as lapsed. Zero means 180 days.
	Term time.Duration

	// Grace is how long an owner has lapsed before its claims may be dropped when room is needed. Zero means 90 days.
	Grace time.Duration
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (l Limits) Validate() error {
	if l.ConfirmAfter < 0 || l.StartPause < 0 || l.Term < 0 || l.Grace < 0 {
		return errors.New("claim: a limit is below 0")
	}
	return nil
}

const day = 24 * time.Hour

func (l Limits) confirmAfter() time.Duration { return cmp.Or(l.ConfirmAfter, day) }
func (l Limits) startPause() time.Duration   { return cmp.Or(l.StartPause, day) }
func (l Limits) term() time.Duration         { return cmp.Or(l.Term, 180*day) }
func (l Limits) grace() time.Duration        { return cmp.Or(l.Grace, 90*day) }

const (
	// MinBraked is how many claims an owner can give up in a day without a confirmation, however few it has.
	MinBraked = 64

	// MaxFormer is how many owners one can have taken over from, one after the other.
	MaxFormer = 32

	maxAhead   = time.Hour // how far the date of a statement may be in the lender's future
	maxAge     = 30 * day  // how old a statement may be, and how long one waits for its confirmation
	minCutOff  = 3 * day   // how old the cut-off of a retain set is at least
	tallyHours = 24        // over how many hours small releases add up
	maxTallies = 25        // hours that have a part in that
)
