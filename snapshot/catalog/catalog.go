package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"ventidhash/snapshot"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// A Config says what to open.
type Config struct {
	Dir   string      // the folder of the head and its companions; made when first written
	Store venti.Store // where the blocks go; without one the catalog can be listed from its copies, and not changed
	Owner *Owner
	Heads Heads // where other machines of the owner leave their heads, and find this one's; nil if there are none

	// Vet is asked about each snapshot that an earlier change put on the list here, and that is on no list elsewhere, or
	// was not known to be published when it had been handed out, before it is published: another machine, which did not know
	// of it, may have let go of blocks that it needs. list is what there is now. After an error nothing is published. May be
	// nil.
	Vet func(ctx context.Context, s snapshot.Snapshot, list []snapshot.Snapshot) error
}

// Validate reports the first field that cannot be.
func (c *Config) Validate() error {
	switch {
	case c.Dir == "":
		return errors.New("catalog: Dir is empty")
	case c.Owner == nil:
		return errors.New("catalog: Owner is nil")
	}
	return nil
}

// A Catalog is an owner's list of snapshots. It keeps nothing open and nothing in memory, and may be used by many
// goroutines and processes at once.
type Catalog struct {
	cfg    Config
	sealer *seal.Sealer
}

// Open returns the catalog in cfg.Dir, which need not exist yet. A head that is there is checked: one that is damaged or
// of another owner is a *HeadError.
func Open(cfg Config) (*Catalog, error) {
	c, err := newCatalog(cfg)
	if err != nil {
		return nil, err
	}
	if _, err := c.Head(); err != nil && !errors.Is(err, ErrNoHead) {
		return nil, err
	}
	return c, nil
}

func newCatalog(cfg Config) (*Catalog, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	sealer, err := seal.New(cfg.Owner.Secret())
	if err != nil {
		return nil, err
	}
	return &Catalog{cfg: cfg, sealer: sealer}, nil
}

// List returns all snapshots, by time and then by score. The caller owns the slice. It asks the store only for blocks
// of which no good copy is in the folder, and nobody for newer heads: Refresh does that.
func (c *Catalog) List(ctx context.Context) ([]snapshot.Snapshot, error) {
	l, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	return l.snapshots(), nil
}

// Machines returns what is kept of the owner's machines, by host. The caller owns the slice. It asks as List does.
func (c *Catalog) Machines(ctx context.Context) ([]snapshot.Machine, error) {
	l, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]snapshot.Machine, len(l.Machines))
	for i := range l.Machines {
		out[i] = l.Machines[i].Machine
	}
	return out, nil
}

// current returns the list that the head in place leads to.
func (c *Catalog) current(ctx context.Context) (List, error) {
	head, err := c.Head()
	for {
		if errors.Is(err, ErrNoHead) {
			return List{}, nil
		}
		if err != nil {
			return List{}, err
		}
		l, err := c.read(ctx, newBlocks(&c.cfg), head.Score)
		if err == nil || ctx.Err() != nil {
			return l, err
		}
		// A writer may have replaced the head, and removed the copies, since it was read.
		now, headErr := c.Head()
		if headErr != nil || now == head {
			return List{}, err
		}
		head = now
	}
}

// Root returns the ref of the root of the newest catalog, so that its blocks can be kept; without a catalog, the zero
// Ref.
func (c *Catalog) Root(ctx context.Context) (venti.Ref, error) {
	head, err := c.Head()
	if errors.Is(err, ErrNoHead) {
		return venti.Ref{}, nil
	}
	if err != nil {
		return venti.Ref{}, err
	}
	_, ref, err := c.source(newBlocks(&c.cfg)).OwnRoot(ctx, c.cfg.Owner.RootKey(), head.Score)
	return ref, err
}

// Add puts s into the list, in place of one of the same score. The blocks of s must have been stored before; Update
// syncs them. Errors are those of Update.
func (c *Catalog) Add(ctx context.Context, s snapshot.Snapshot) error {
	return c.Update(ctx, func(list []snapshot.Snapshot) ([]snapshot.Snapshot, error) {
		list = slices.DeleteFunc(list, func(old snapshot.Snapshot) bool { return old.Score == s.Score })
		return append(list, s), nil
	})
}

// Remove takes the snapshots with these scores off the list. One that is not in it is passed over. Errors are those of
// Update.
func (c *Catalog) Remove(ctx context.Context, scores ...venti.Score) error {
	return c.Update(ctx, func(list []snapshot.Snapshot) ([]snapshot.Snapshot, error) {
		return slices.DeleteFunc(list, func(s snapshot.Snapshot) bool { return slices.Contains(scores, s.Score) }), nil
	})
}

// SetMachine keeps m, in place of what was kept of the same host. If that had the same files nothing changes, the time
// included. Its bounds are those of package snapshot (CheckMachine). Errors are those of Update.
func (c *Catalog) SetMachine(ctx context.Context, m snapshot.Machine) error {
	return c.change(ctx, func(l *List, stamp uint64, _ time.Time) error { return l.setup(m, stamp) })
}

// Update replaces the list by what change makes of it: what it adds or alters is put on the list, what it leaves out is
// forgotten. Writers take turns, so no change is lost; change may keep and alter the slice. When Update returns nil, the
// new list and everything that was put into the store before are durable; after any error the list is the old one, unless
// the error came from making the new head durable, when it may be either. A list that stays the same is not written.
//
// With Config.Heads, what other machines have added or forgotten is taken in first, and the new head is handed out. A
// *UnpublishedError says that the list here was changed as asked, and that only this did not come about.
func (c *Catalog) Update(ctx context.Context, change func([]snapshot.Snapshot) ([]snapshot.Snapshot, error)) error {
	return c.UpdateWith(ctx, nil, change)
}

// UpdateWith is Update, and keeps m as SetMachine does, unless it is nil: all of it is one list, and one head. It is either
// done as a whole or not at all; whoever would rather have the one without the other asks CheckMachine before.
func (c *Catalog) UpdateWith(ctx context.Context, m *snapshot.Machine,
	change func([]snapshot.Snapshot) ([]snapshot.Snapshot, error)) error {
	return c.change(ctx, func(l *List, stamp uint64, now time.Time) error {
		want, err := change(l.snapshots())
		if err == nil {
			err = l.replace(want, stamp, now)
		}
		if err == nil && m != nil {
			err = l.setup(*m, stamp)
		}
		return err
	})
}

const (
	cacheSize = 1 << 20
	maxStream = 1 << 30 // bytes of a catalog
)

func (c *Catalog) source(b *blocks) *tree.Source { return tree.NewSource(b, c.sealer, cacheSize) }

// read returns the list under the root with the given score.
func (c *Catalog) read(ctx context.Context, b *blocks, score venti.Score) (List, error) {
	src := c.source(b)
	root, _, err := src.OwnRoot(ctx, c.cfg.Owner.RootKey(), score)
	if err != nil {
		return List{}, fmt.Errorf("catalog: %w", err)
	}
	return readList(ctx, src, root, score)
}

// readList returns the list under a root.
func readList(ctx context.Context, src *tree.Source, root *venti.Root, score venti.Score) (List, error) {
	if root.Kind != venti.RootCatalog {
		return List{}, corruptf("catalog: root %s is no catalog's", score)
	}
	if root.Top.Size > maxStream {
		return List{}, corruptf("catalog: its stream of %d bytes is over the bound of %d", root.Top.Size, maxStream)
	}
	r := tree.NewReader(ctx, src, root.Top)
	defer r.Close()
	stream := make([]byte, root.Top.Size)
	if _, err := io.ReadFull(r, stream); err != nil {
		return List{}, fmt.Errorf("catalog: %w", err)
	}
	return Decode(stream)
}

// write stores the stream and its root, durably, and returns the root's score. prev is the root of the list before.
func (c *Catalog) write(ctx context.Context, b *blocks, stream []byte, prev venti.Score) (venti.Score, error) {
	sink := tree.NewSink(b, c.sealer, nil)
	w := tree.NewWriter(ctx, sink, tree.Entries())
	_, writeErr := w.Write(stream)
	top, err := w.Close()
	if err = errors.Join(writeErr, err); err != nil {
		return venti.Score{}, fmt.Errorf("catalog: %w", err)
	}
	now := time.Now().UTC()
	ref, err := sink.PutRoot(ctx, c.cfg.Owner.RootKey(),
		&venti.Root{Kind: venti.RootCatalog, Time: now, Floor: now, Top: top, Prev: prev})
	if err != nil {
		return venti.Score{}, fmt.Errorf("catalog: %w", err)
	}
	if err := b.Sync(ctx); err != nil {
		return venti.Score{}, fmt.Errorf("catalog: %w", err)
	}
	return ref.Score, nil
}
