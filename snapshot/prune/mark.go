package prune

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// A marker walks snapshots and remembers the blocks that they need.
type marker struct {
	cfg    Config
	live   map[venti.Score]vac.Way
	walked map[venti.Score]bool // roots of snapshots
	now    Progress

	ordered bool
	order   []venti.Score // if ordered is set: the live blocks, in the order in which they were met
	ends    []end         // after each part of that

	ask   bool          // have the store asked for what is met from now on
	batch []venti.Score // to ask for
}

// An end is how many live blocks were met when a part of the walk was over: the catalog's own, whose time is zero, or a
// snapshot.
type end struct {
	time   time.Time // of the snapshot
	blocks int
}

// askBatch is how many blocks the store is asked for at once.
const askBatch = 1000

func newMarker(cfg Config) *marker {
	return &marker{cfg: cfg, live: map[venti.Score]vac.Way{}, walked: map[venti.Score]bool{}}
}

func (m *marker) isLive(s venti.Score) bool {
	_, ok := m.live[s]
	return ok
}

// step reports that a step begins.
func (m *marker) step(s Step) {
	m.now.Step = s
	m.report()
}

func (m *marker) report() {
	if m.cfg.Progress != nil {
		m.now.Snapshots, m.now.Blocks = len(m.walked), len(m.live)
		m.cfg.Progress(m.now)
	}
}

// all marks everything that the catalog leads to.
func (m *marker) all(ctx context.Context) error {
	m.step(Mark)
	return m.catalog(ctx)
}

// again marks what the catalog leads to now and did not before, and has the store take all of that out of the trash.
// First it waits until nobody is changing the catalog who may have begun before: an update that gives up has to take its
// turn like any other.
func (m *marker) again(ctx context.Context) error {
	err := m.cfg.Catalog.Update(ctx, func([]snapshot.Snapshot) ([]snapshot.Snapshot, error) { return nil, errOurTurn })
	if !errors.Is(err, errOurTurn) {
		return fmt.Errorf("waiting for a turn at the catalog: %w", err)
	}
	m.ask = true
	if err := m.catalog(ctx); err != nil {
		return err
	}
	return m.flush(ctx)
}

var errOurTurn = errors.New("it is our turn")

// catalog marks the blocks of the catalog and of the snapshots in it, but for those that have been walked.
func (m *marker) catalog(ctx context.Context) error {
	if err := m.own(ctx); err != nil {
		return fmt.Errorf("the catalog itself: %w", err)
	}
	m.ends = append(m.ends, end{blocks: len(m.order)})
	list, err := m.cfg.Catalog.List(ctx)
	if err != nil {
		return err
	}
	for _, s := range list {
		if m.walked[s.Score] {
			continue
		}
		if err := m.snapshot(ctx, s.Score); err != nil {
			return advise(ctx, s.Score, err)
		}
		m.walked[s.Score] = true
		m.ends = append(m.ends, end{s.Time, len(m.order)})
		m.report()
	}
	return nil
}

// advise says what to do about a snapshot that cannot be walked.
func advise(ctx context.Context, s venti.Score, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if errors.Is(err, venti.ErrUnavailable) {
		return fmt.Errorf("snapshot vac:%s cannot be read now, try again later: %w", s, err)
	}
	return fmt.Errorf("snapshot vac:%s cannot be read as a whole: %w; see what is damaged with `vdh check`; "+
		"if it cannot be had back, `vdh forget %s` and prune again", s, err, s)
}

// own marks the blocks of the catalog's list.
func (m *marker) own(ctx context.Context) error {
	ref, err := m.cfg.Catalog.Root(ctx)
	if err != nil || ref.IsZero() {
		return err
	}
	root, err := m.cfg.Source.Root(ctx, ref)
	if err != nil {
		return err
	}
	if _, err := m.add(ctx, ref.Score, 0); err != nil {
		return err
	}
	return tree.Walk(ctx, m.cfg.Source, root.Top, func(b tree.Block, err error) (bool, error) {
		if err != nil {
			return false, err
		}
		if b.Level > 0 {
			return m.add(ctx, b.Ref.Score, vac.Below)
		}
		return m.add(ctx, b.Ref.Score, 0)
	})
}

// snapshot marks the blocks of one snapshot. No error is passed over.
func (m *marker) snapshot(ctx context.Context, score venti.Score) error {
	t, err := vac.OpenOwn(ctx, m.cfg.Source, m.cfg.RootKey, score)
	if err != nil {
		return err
	}
	return t.Ways(ctx, func(u vac.Use, how vac.Way, err error) (bool, error) {
		if err != nil {
			return false, err
		}
		return m.add(ctx, u.Ref.Score, how)
	})
}

// add marks a block as live and visited in a way; descend is false if that is old.
func (m *marker) add(ctx context.Context, s venti.Score, how vac.Way) (descend bool, err error) {
	old, met := m.live[s]
	if met && old&how == how {
		return false, nil
	}
	if m.live[s] = old | how; !met && m.ordered {
		m.order = append(m.order, s)
	}
	if met || !m.ask {
		return true, nil
	}
	if m.batch = append(m.batch, s); len(m.batch) == askBatch {
		err = m.flush(ctx)
	}
	return true, err
}

// flush asks the store for the blocks of the batch, which takes them out of the trash.
func (m *marker) flush(ctx context.Context) error {
	has, err := m.cfg.Source.Store().Has(ctx, m.batch)
	if err != nil {
		return err
	}
	for i, s := range m.batch {
		if !has[i] {
			return &venti.BlockError{Op: "keep", Score: s, Err: venti.ErrNotFound}
		}
	}
	m.batch = m.batch[:0]
	return nil
}
