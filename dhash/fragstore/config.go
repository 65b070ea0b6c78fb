package fragstore

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
)

// Config says where a member's fragments are and how much room they have. Dir, Member and Capacity are needed.
type Config struct {
	// Dir is the store's folder. Open makes it, or takes an empty one, unless Existing is set.
	Dir string

	// Existing says that the member has stored fragments here before: a folder without its marker is then refused, for
	// its disk may not be mounted, and so is one that is missing.
	Existing bool

	// Member is the id of the member whose fragments these are. A folder of another one's is refused.
	Member dhash.ID

	// Capacity is how many bytes the arenas may grow to, trash and dead weight included. What holds no fragments (claims,
	// diversions) is taken even beyond it, so that a full member can be told what to let go.
	Capacity int64

	// Reserve is how many bytes are left free on the disk whatever the capacity says. Zero means 32 MiB, or 1/16 of the
	// disk if that is less.
	Reserve int64

	// Quota returns how many bytes of fragments an owner may have here. Nil means that only the capacity counts. It is
	// called with a lock held: it must be quick and must not use the store.
	Quota func(dhash.Owner) int64

	// TrashAge is how long a fragment that nobody claims stays. Zero means 30 days.
	TrashAge time.Duration

	// Swarm is the id of the swarm, for which owners sign their statements (Settle). Zero means that none is taken.
	Swarm [32]byte

	// Limits are the times that Settle, Tend and Compact go by. The zero value has those of the swarm.
	Limits claim.Limits

	// SegmentSize is the size of an arena's segments in bytes. Zero means 64 MiB, the bound is 1 GiB.
	SegmentSize int64

	// Log hears of damage and of an index that is built anew. Nil discards.
	Log *slog.Logger

	rebuildRows int              // tests: how many rows a rebuild holds in memory
	gather      time.Duration    // tests: in place of gatherTime
	now         func() time.Time // tests: in place of time.Now
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("fragstore: Dir is empty")
	case len(c.Member) == 0 || len(c.Member) > maxID:
		return fmt.Errorf("fragstore: Member has %d bytes, not 1 to %d", len(c.Member), maxID)
	case c.Capacity <= 0:
		return fmt.Errorf("fragstore: Capacity is %d, not above 0", c.Capacity)
	case c.Reserve < 0:
		return fmt.Errorf("fragstore: Reserve is %d, below 0", c.Reserve)
	case c.TrashAge < 0:
		return fmt.Errorf("fragstore: TrashAge is %v, below 0", c.TrashAge)
	case c.SegmentSize < 0 || c.SegmentSize > 1<<30:
		return fmt.Errorf("fragstore: SegmentSize is %d, not within 0 and 1 GiB", c.SegmentSize)
	}
	return c.Limits.Validate()
}

func (c Config) trashAge() time.Duration {
	if c.TrashAge > 0 {
		return c.TrashAge
	}
	return 30 * 24 * time.Hour
}
