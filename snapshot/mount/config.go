package mount

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/vac"
)

// Snapshots is the list that a mount of many snapshots shows. Its methods may be called from many goroutines at once.
type Snapshots interface {
	// List returns the snapshots there are now. It is called about once a second while the folders are looked at.
	List(ctx context.Context) ([]snapshot.Snapshot, error)

	// Open opens one of them. It is called when somebody first looks into it.
	Open(ctx context.Context, s snapshot.Snapshot) (*vac.Tree, error)
}

// A Config says what to mount where. Dir must be set, and either Snapshots or Tree.
type Config struct {
	Dir string // an empty directory

	Snapshots Snapshots // shown in folders
	Tree      *vac.Tree // or this one alone
	Path      string    // of the directory in Tree that is shown; empty is the whole snapshot

	// AllowOther lets other users in, as far as the permissions and ACLs in the snapshots go. Without it only the user
	// who mounts can look, and sees everything: who has the keys can read it all anyway.
	AllowOther bool

	// Zone is what dates are told in; nil means this machine's.
	Zone *time.Location

	// Patience is how long a block may take; after that the read fails. 0 means 30 seconds.
	Patience time.Duration

	// Entries bounds the memory that listings of directories are kept in, in bytes, whatever is being listed just now
	// left aside. 0 means 32 MiB.
	Entries int

	Log   *slog.Logger // told what could not be read; nil discards
	Ready func()       // called when the file system is mounted; may be nil
}

const (
	defaultPatience = 30 * time.Second
	defaultEntries  = 32 << 20
)

// Validate reports the first field that cannot be.
func (c *Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("mount: Dir is empty")
	case (c.Snapshots == nil) == (c.Tree == nil):
		return errors.New("mount: want either Snapshots or Tree")
	case c.Path != "" && c.Tree == nil:
		return errors.New("mount: Path is of a Tree")
	case c.Patience < 0:
		return errors.New("mount: Patience is negative")
	case c.Entries < 0:
		return errors.New("mount: Entries is negative")
	}
	return nil
}

// withDefaults returns c with what was left zero.
func (c Config) withDefaults() Config {
	if c.Zone == nil {
		c.Zone = time.Local
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	if c.Entries == 0 {
		c.Entries = defaultEntries
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
