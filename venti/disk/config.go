package disk

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config says where a store is. Only Dir is needed.
type Config struct {
	// Dir is the store's folder. Open makes it, or takes an empty one.
	Dir string

	// SegmentSize is the size of an arena's segments in bytes. Zero means 128 MiB, the bound is 1 GiB. It may differ
	// from one Open to the next. Each segment costs half a cluster of the disk, and a look at every Open; to reclaim what
	// is dead in one takes room for the rest of it.
	SegmentSize int64

	// Reserve is how many bytes are left free on the disk: Put fails before it is full. Zero means 32 MiB, or 1/16 of
	// the disk if that is less.
	Reserve int64

	// Wait bounds how long an operation waits for another process that has the store and does not answer. Zero means
	// 30 seconds.
	Wait time.Duration

	// Log hears when the store changes hands, when damage is found and when the index is built anew. Nil discards.
	Log *slog.Logger

	readOnly    bool // found by Open
	rebuildRows int  // tests: how many rows a rebuild holds in memory
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("disk: Dir is empty")
	case c.SegmentSize < 0 || c.SegmentSize > 1<<30:
		return fmt.Errorf("disk: SegmentSize is %d, not within 0 and 1 GiB", c.SegmentSize)
	case c.Reserve < 0:
		return fmt.Errorf("disk: Reserve is %d, below 0", c.Reserve)
	case c.Wait < 0:
		return fmt.Errorf("disk: Wait is %v, below 0", c.Wait)
	}
	return nil
}

// segmentSize returns SegmentSize, or what zero means.
func (c Config) segmentSize() int64 { return cmp.Or(c.SegmentSize, 128<<20) }

func (c Config) wait() time.Duration {
	if c.Wait > 0 {
		return c.Wait
	}
	return 30 * time.Second
}
