package sweep

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/placement"
)

// Liveness is what this member makes of another one's silence.
type Liveness byte

const (
	Live   Liveness = iota // it answers, or was not asked yet
	Absent                 // it does not answer now; what it holds is expected back
	Gone                   // it was silent for the grace period: what it held counts for nothing
)

// Store is what the sweep needs of the fragments on this member's disk: a *fragstore.Store.
type Store interface {
	// Walk calls fn for each fragment whose block has a position from from to to, both included, in the order of
	// positions. An error from fn ends the walk and is returned.
	Walk(ctx context.Context, from, to dhash.Key, fn func(fragstore.Held) error) error
}

// Config says what to sweep, and whom to compare it with. All fields without a default stated are needed.
type Config struct {
	Self  dhash.ID
	Store Store

	// Table returns the members that placement counts on now.
	Table func() *placement.Table

	// Live returns how a member of the table is. It must be quick.
	Live func(dhash.ID) Liveness

	// Reconcile sends a message of at most MaxMessage bytes to a member, and returns what its Responder answers.
	Reconcile func(ctx context.Context, id dhash.ID, message []byte) ([]byte, error)

	// Found takes what is to be looked at in a region, the nearest to its loss first. It is called once for each
	// region, from one goroutine at a time, also when there is nothing; the next region waits until it returns. It may
	// keep the slice. A region has about 65,536 items at most.
	Found func(ctx context.Context, items []Item)

	// Weak reports whether a block of such a code is to be coded anew, as the swarm is now (repair.Weaker, of the code
	// and repair.Wanted). It must be quick. Nil means no.
	Weak func(dhash.Code) bool

	// Interval is how long a round takes: all that is held is compared once in it. Zero means six hours.
	Interval time.Duration

	// Cursor is the file that says where the round has got to, so that it goes on there after a restart. It is a hint;
	// empty keeps none.
	Cursor string

	// Timeout bounds the wait for the answer to one message, and ten times as much that for all about a region; a member
	// that takes longer counts as absent. Zero means a minute: the other one may have to walk over its index first, for
	// others too.
	Timeout time.Duration

	// Log hears of what goes wrong. Nil discards.
	Log *slog.Logger

	regionItems int // how many items are compared at a time; tests have fewer
}

// regionItems is how many items are compared at a time.
const regionItems = 1 << 16

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.Self == "" || c.Store == nil || c.Table == nil || c.Live == nil || c.Reconcile == nil || c.Found == nil:
		return errors.New("sweep: Self, Store, Table, Live, Reconcile and Found are needed")
	case c.Interval < 0 || c.Timeout < 0:
		return errors.New("sweep: Interval and Timeout cannot be negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.Interval = cmp.Or(c.Interval, 6*time.Hour)
	c.Timeout = cmp.Or(c.Timeout, time.Minute)
	c.regionItems = cmp.Or(c.regionItems, regionItems)
	if c.Weak == nil {
		c.Weak = func(dhash.Code) bool { return false }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
