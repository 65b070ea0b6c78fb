package repair

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// Peers is what a Repairer needs of the wire: a *peer.Client. All methods may be called from many goroutines, and
// return when ctx ends. They are never called for the member itself.
type Peers interface {
	Have(ctx context.Context, from dhash.ID, o dhash.Owner, scores []venti.Score) ([][]dhash.Held, error)
	Get(ctx context.Context, from dhash.ID, w peer.Want) (*dhash.Fragment, dhash.Coding, error)
	Copy(ctx context.Context, to dhash.ID, claims []dhash.Claim, f *dhash.Fragment) (peer.Receipt, error)
	Latency(id dhash.ID) (mean, p95 time.Duration)
}

// Store is what a Repairer needs of this member's own disk: a *fragstore.Store.
type Store interface {
	Have(ctx context.Context, scores []venti.Score) ([][]fragstore.Held, error)
	Get(ctx context.Context, score venti.Score, pick func(fragstore.Held) bool, buf []byte) ([]byte, fragstore.Held, error)
	PutClaimed(ctx context.Context, claims []dhash.Claim, f *dhash.Fragment, coding dhash.Coding) error
	Trim(ctx context.Context, names []fragstore.Name, now time.Time) (int, error)
}

// Config says for which member a Repairer works, and with what. All fields without a default stated are needed.
type Config struct {
	Self  dhash.ID
	Peers Peers
	Store Store

	// Table returns the members that are not gone, as this node knows them now: those that placement counts on.
	Table func() *placement.Table

	// Policy returns the swarm's policy of codes. Nil wants no block coded anew.
	Policy func() codec.Policy

	// Roster returns how many members answer now, and how many are known that are not gone. When most of them vanish at
	// once nothing is repaired (see the package comment). It must be quick. Nil does without that brake.
	Roster func() (alive, known int)

	// Retiring reports whether a member is about to leave: it is a source, but what it holds does not count any more,
	// and it gets nothing. Nil: nobody is.
	Retiring func(dhash.ID) bool

	// Wiped reports whether a member has lost what it held: blocks of which it should hold a fragment are mended for it
	// although they are above the threshold. Nil: nobody has.
	Wiped func(dhash.ID) bool

	// Rate is how many bytes of fragments a second are fetched and sent, on average, for everything that is not urgent.
	// Zero means 4 MiB.
	Rate int64

	// Busy reports whether the node serves people now, whom repairs should not slow down: then only a quarter of Rate is
	// spent. It must be quick. Nil: it never does.
	Busy func() bool

	// Queue is how many codings of blocks are remembered that have to be looked at. Zero means 131,072, which take some
	// 55 MiB.
	Queue int

	// Takeover is the time after which the next closest holder acts beside the closest one. Zero means 15 minutes.
	Takeover time.Duration

	// Confirm is how far two surveys must be apart that both say that this member's fragment can be given up. Zero
	// means 6 hours, the time between two sweeps.
	Confirm time.Duration

	// Retry is how long what failed, or is another member's to do, waits before it is looked at again, at first; it is
	// doubled up to 360 times as much. Zero means a minute.
	Retry time.Duration

	// Grace returns how long a member must have been silent to count as gone, which is the longest time that this node
	// takes itself for cut off; 0 means 24 hours. Nil always says that.
	Grace func() time.Duration

	// Timeout bounds one request. Zero means 30 seconds.
	Timeout time.Duration

	// Log hears of blocks that cannot be repaired, of members that send bad fragments, and of the brake. Nil discards.
	Log *slog.Logger
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.Self == "" || c.Peers == nil || c.Store == nil || c.Table == nil:
		return errors.New("repair: Self, Peers, Store and Table are needed")
	case c.Rate < 0 || c.Queue < 0:
		return errors.New("repair: Rate and Queue cannot be negative")
	case c.Retry < 0:
		return errors.New("repair: Retry cannot be negative")
	case c.Takeover < 0 || c.Confirm < 0 || c.Timeout < 0:
		return errors.New("repair: Takeover, Confirm and Timeout cannot be negative")
	}
	return nil
}

func (c Config) withDefaults() Config {
	c.Rate = cmp.Or(c.Rate, 4<<20)
	c.Queue = cmp.Or(c.Queue, 1<<17)
	c.Takeover = cmp.Or(c.Takeover, 15*time.Minute)
	c.Confirm = cmp.Or(c.Confirm, 6*time.Hour)
	c.Retry = cmp.Or(c.Retry, time.Minute)
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	if c.Wiped == nil {
		c.Wiped = func(dhash.ID) bool { return false }
	}
	if c.Retiring == nil {
		c.Retiring = func(dhash.ID) bool { return false }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
