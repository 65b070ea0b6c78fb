package prune

import (
	"context"
	"errors"
	"time"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// SearchConfig says where to look for what can be let go of a store that keeps no list of its blocks, such as a swarm.
// All but the options is needed.
type SearchConfig struct {
	Source    *tree.Source
	RootKey   seal.RootKey // opens the snapshots
	Catalog   catalog
	Forgotten []Forgotten // snapshots that may be let go

	// Options.
	Empty    bool           // let everything go if the catalog has no snapshot
	Progress func(Progress) // see Config
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c SearchConfig) Validate() error {
	switch {
	case c.Source == nil:
		return errors.New("prune: Source is nil")
	case c.Catalog == nil:
		return errors.New("prune: Catalog is nil")
	}
	return nil
}

// Found is what a search found.
type Found struct {
	Snapshots int           // in the catalog
	Live      []venti.Score // blocks that they and the catalog need, each once
	Gone      []venti.Score // blocks of forgotten snapshots that these do not need, each once, in no order

	Done []venti.Score // forgotten snapshots all of whose blocks are in Live or Gone, or never can be
	Lost int           // of those in Done, those of which not everything could be read
	Late []Late        // forgotten snapshots that cannot be read now, but perhaps later; nothing of them is in Gone

	live map[venti.Score]vac.Way
	ends []end
}

// Older returns those blocks of Live that snapshots need which were made before a time. They are part of Live.
func (f *Found) Older(t time.Time) []venti.Score {
	own, last := 0, 0
	for _, e := range f.ends { // the catalog's own blocks are first, then by the time of the snapshots
		switch {
		case e.time.IsZero():
			own, last = e.blocks, e.blocks
		case e.time.Before(t):
			last = e.blocks
		}
	}
	return f.Live[own:last]
}

// Late is a forgotten snapshot that cannot be read now.
type Late struct {
	Forgotten
	Err error
}

// Needs reports whether a block is in Live.
func (f *Found) Needs(s venti.Score) bool {
	_, ok := f.live[s]
	return ok
}

// Search walks everything that the catalog leads to, and then the forgotten snapshots, as far as they are not made of the
// same blocks. Any error of the first walk ends it without a result: of an incomplete walk nothing may be concluded.
func Search(ctx context.Context, cfg SearchConfig) (*Found, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	m := newMarker(Config{Source: cfg.Source, RootKey: cfg.RootKey, Catalog: cfg.Catalog, Progress: cfg.Progress})
	m.ordered = true
	if err := m.all(ctx); err != nil {
		return nil, unchanged(err)
	}
	if len(m.walked) == 0 && !cfg.Empty {
		return nil, unchanged(ErrEmpty)
	}
	f := &Found{Snapshots: len(m.walked), Live: m.order, live: m.live, ends: m.ends}
	g := gone{m: m, blocks: map[venti.Score]vac.Way{}}
	for _, old := range cfg.Forgotten {
		err := g.snapshot(ctx, old.Score)
		switch {
		case ctx.Err() != nil:
			return nil, unchanged(ctx.Err())
		case errors.Is(err, venti.ErrUnavailable):
			f.Late = append(f.Late, Late{old, err})
			continue
		case err != nil:
			f.Lost++
		}
		f.Done = append(f.Done, old.Score)
	}
	for s := range g.blocks {
		if !f.Needs(s) {
			f.Gone = append(f.Gone, s)
		}
	}
	return f, nil
}

// gone collects the blocks of forgotten snapshots.
type gone struct {
	m      *marker
	blocks map[venti.Score]vac.Way // that are not live as they are used here

	undo []undone
}

// undone is what was known of a block before the walk that is under way.
type undone struct {
	score venti.Score
	how   vac.Way
	met   bool
}

// snapshot adds the blocks of one snapshot. What is damaged or missing is passed over, and an error in the end; where
// something is unavailable, nothing is added.
func (g *gone) snapshot(ctx context.Context, score venti.Score) error {
	g.undo = g.undo[:0]
	t, err := vac.OpenOwn(ctx, g.m.cfg.Source, g.m.cfg.RootKey, score)
	if err != nil {
		return err
	}
	var damage error
	err = t.Ways(ctx, func(u vac.Use, how vac.Way, err error) (bool, error) {
		switch {
		case err == nil:
			return g.add(u.Ref.Score, how), nil
		case ctx.Err() != nil || errors.Is(err, venti.ErrUnavailable):
			return false, err
		}
		damage = err
		return false, nil
	})
	if err != nil {
		for i := len(g.undo) - 1; i >= 0; i-- {
			if u := g.undo[i]; u.met {
				g.blocks[u.score] = u.how
			} else {
				delete(g.blocks, u.score)
			}
		}
		return err
	}
	return damage
}

// add notes a block that is used in a way; descend is false if what hangs from it is noted already, here or as live.
func (g *gone) add(s venti.Score, how vac.Way) (descend bool) {
	if old, live := g.m.live[s]; live && old&how == how {
		return false
	}
	old, met := g.blocks[s]
	if met && old&how == how {
		return false
	}
	g.undo = append(g.undo, undone{s, old, met})
	g.blocks[s] = old | how
	return true
}
