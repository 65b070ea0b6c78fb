package prune

import (
	"context"
	"errors"
	"fmt"

	"ventidhash/snapshot"
	"ventidhash/venti"
	"ventidhash/venti/disk"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// store is what prune needs of a store that frees space; *disk.Store is one.
type store interface {
	Session(ctx context.Context) (*disk.Session, error)
	Trash(ctx context.Context, live func(venti.Score) bool) (disk.TrashReport, error)
	Settled(ctx context.Context, except ...*disk.Session) (disk.Settled, error)
	Reclaim(ctx context.Context, settled disk.Settled, cfg disk.ReclaimConfig) (disk.ReclaimReport, error)
}

// A surveyor is a store that can say what Trash would find, and changes nothing.
type surveyor interface {
	Survey(ctx context.Context, live func(venti.Score) bool) (disk.TrashReport, error)
}

// catalog is what prune needs of a catalog; *catalog.Catalog is one.
type catalog interface {
	List(ctx context.Context) ([]snapshot.Snapshot, error)
	Root(ctx context.Context) (venti.Ref, error)
	Update(ctx context.Context, change func([]snapshot.Snapshot) ([]snapshot.Snapshot, error)) error
}

// Config says what to prune. All but the options is needed.
type Config struct {
	Store   store
	Source  *tree.Source // of the same store
	RootKey seal.RootKey // opens the snapshots
	Catalog catalog

	// Options.
	DryRun  bool               // stop after step 1 and say what would be trash; needs a store that has Survey
	Empty   bool               // free everything if the catalog has no snapshot
	Session *disk.Session      // a session that the caller has, whose writes are all in the catalog; may be nil
	Reclaim disk.ReclaimConfig // how eagerly to free space

	// Progress hears how far Run has come, often, and must be quick. May be nil.
	Progress func(Progress)
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	switch {
	case c.Store == nil:
		return errors.New("prune: Store is nil")
	case c.Source == nil:
		return errors.New("prune: Source is nil")
	case c.Catalog == nil:
		return errors.New("prune: Catalog is nil")
	}
	return c.Reclaim.Validate()
}

// A Report is what Run did, as far as it came. Bytes are those that blocks take in the store.
type Report struct {
	Snapshots int // in the catalog, those that came during the prune included

	LiveBlocks, LiveBytes   int64 // needed by them
	TrashBlocks, TrashBytes int64 // needed by none, old trash and new
	FreedBlocks, FreedBytes int64
	WaitingBytes            int64 // trash that stays: a writer is at work, or too little of it lies in one place

	// Missing is how many blocks the snapshots need that the store does not have. Where it is not 0, a check is due.
	Missing int64
}

// Progress is how far Run has come.
type Progress struct {
	Step      Step
	Snapshots int // walked
	Blocks    int // live ones met
}

// A Step is one of the steps of the package comment.
type Step string

const (
	Mark      Step = "mark"
	Trash     Step = "trash"
	LookAgain Step = "look again"
	Reclaim   Step = "reclaim"
)

// ErrEmpty says that the catalog has no snapshot, so that nothing would be left.
var ErrEmpty = errors.New("the catalog has no snapshot, so everything in the store would be freed")

// Run prunes. The Report is good also with an error, which says which step failed and that no block was freed, or
// comes from Reclaim, which frees settled trash bit by bit.
func Run(ctx context.Context, cfg Config) (rep Report, err error) {
	if err := cfg.Validate(); err != nil {
		return rep, err
	}
	m := newMarker(cfg)
	if cfg.DryRun {
		err := rep.preview(ctx, m)
		return rep, err
	}
	own, err := cfg.Store.Session(ctx) // so that two prunes do not mistake each other's trash
	if err != nil {
		return rep, unchanged(err)
	}
	defer func() { err = errors.Join(err, own.Close()) }()
	if err := rep.mark(ctx, m); err != nil {
		return rep, unchanged(err)
	}
	m.step(Trash)
	t, err := cfg.Store.Trash(ctx, m.isLive)
	if err != nil {
		return rep, unchanged(err)
	}
	rep.found(t, m)
	settled, err := cfg.Store.Settled(ctx, own, cfg.Session)
	if err != nil {
		return rep, unchanged(err)
	}
	m.step(LookAgain)
	if err := m.again(ctx); err != nil {
		return rep, unchanged(err)
	}
	rep.Snapshots = len(m.walked)
	m.step(Reclaim)
	r, err := cfg.Store.Reclaim(ctx, settled, cfg.Reclaim)
	rep.FreedBlocks, rep.FreedBytes, rep.WaitingBytes = r.BlocksFreed, r.BytesFreed, r.BytesWaiting
	return rep, err
}

// mark takes step 1.
func (r *Report) mark(ctx context.Context, m *marker) error {
	err := m.all(ctx)
	r.Snapshots = len(m.walked)
	if err == nil && r.Snapshots == 0 && !m.cfg.Empty {
		err = ErrEmpty
	}
	return err
}

// preview is a dry run.
func (r *Report) preview(ctx context.Context, m *marker) error {
	s, ok := m.cfg.Store.(surveyor)
	if !ok {
		return fmt.Errorf("prune: the store cannot tell beforehand: %w", errors.ErrUnsupported)
	}
	if err := r.mark(ctx, m); err != nil {
		return unchanged(err)
	}
	t, err := s.Survey(ctx, m.isLive)
	if err != nil {
		return unchanged(err)
	}
	r.found(t, m)
	return nil
}

// found takes over what Trash found.
func (r *Report) found(t disk.TrashReport, m *marker) {
	r.LiveBlocks, r.LiveBytes = t.Live, t.LiveBytes
	r.TrashBlocks, r.TrashBytes = t.Trash, t.TrashBytes
	r.Missing = int64(len(m.live)) - t.Live
}

// unchanged says of an error that came before anything was freed that it did.
func unchanged(err error) error { return fmt.Errorf("prune: nothing was freed: %w", err) }
