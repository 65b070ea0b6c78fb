package check

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"ventidhash/snapshot"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// Config says how much to look at.
type Config struct {
	// ReadData fetches every block and verifies it. Otherwise the store is asked whether it has them.
	ReadData bool

	// Only, where it is set, says of which blocks of contents ReadData holds; of the others the store is asked whether it
	// has them. So a store that takes long to read can be read in parts.
	Only func(venti.Score) bool

	// Prove, where it is set and ReadData is not, is asked about every block instead of the store about contents: about
	// those as well that are fetched, since the walk goes through them. It returns, in order, nil for each block that is
	// there, and else an error that wraps venti.ErrNotFound, venti.ErrUnavailable or venti.ErrCorrupt; the second error
	// ends the run. It is called from several goroutines at once, about each block once, or again where there is damage.
	Prove func(ctx context.Context, blocks []Block) ([]error, error)

	// Workers is how many blocks are looked at at the same time. Zero means one more than there are processors, at
	// most 8: one waits for the disk while the others compute.
	Workers int

	// Catalog is the score of the owner's catalog root, whose blocks are looked at as well; zero for none.
	Catalog venti.Score

	// Progress hears how far Run has come, after each block, from one goroutine at a time. It must be quick. May be
	// nil.
	Progress func(Progress)

	maxClaims int // tests set it
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (c Config) Validate() error {
	if c.Workers < 0 {
		return fmt.Errorf("check: Workers is %d, below 0", c.Workers)
	}
	return nil
}

func (c Config) claims() int {
	if c.maxClaims > 0 {
		return c.maxClaims
	}
	return maxClaims
}

// reads reports whether a block of contents is to be read.
func (c Config) reads(s venti.Score) bool { return c.ReadData && (c.Only == nil || c.Only(s)) }

// proves reports whether blocks are to be proven.
func (c Config) proves() bool { return c.Prove != nil && !c.ReadData }

func (c Config) workers() int {
	if c.Workers > 0 {
		return c.Workers
	}
	return min(runtime.GOMAXPROCS(0)+1, 8)
}

// Run looks at everything that the snapshots need, as the package comment says. k opens their roots. Damage is no
// error: it is in the Report. With an error the Report is not OK and may lack anything.
func Run(ctx context.Context, src *tree.Source, k seal.RootKey, snaps []snapshot.Snapshot, cfg Config) (Report, error) {
	if err := cfg.Validate(); err != nil {
		return Report{}, err
	}
	c := &checker{cfg: cfg, src: src, key: k, snaps: snaps,
		tally: &tally{progress: cfg.Progress, damaged: map[venti.Score]*Damage{}}}
	err := c.scan(ctx)
	if err == nil && len(c.tally.damaged) > 0 {
		err = c.name(ctx)
	}
	read := c.seen
	if !cfg.ReadData || err != nil {
		read = nil
	}
	r := Report{Snapshots: len(snaps), Files: c.files, Blocks: c.tally.now.Blocks, Bytes: c.tally.now.Bytes,
		Damaged: c.tally.list(), complete: err == nil, read: read, reads: cfg.reads}
	return r, err
}

// A checker is one call of Run.
type checker struct {
	cfg   Config
	src   *tree.Source
	key   seal.RootKey
	snaps []snapshot.Snapshot
	files uint64
	tally *tally
	seen  map[venti.Score]print // by the first pass, when it is over
}

// scan is the first pass. When it returns, nothing of it runs any more.
func (c *checker) scan(ctx context.Context) error {
	s := newScan(c.cfg, c.src, c.tally)
	s.workers, ctx = newWorkers(ctx, c.src, c.tally, c.cfg)
	defer s.cancel(nil)
	err := c.walk(ctx, s)
	if err != nil {
		s.cancel(err)
	}
	s.wait()
	c.seen = s.seen
	return ended(ctx) // with the error that came first
}

// walk gives the scan everything that there is to look at. The oldest snapshot comes first: those after it mostly use
// a part of what it does, so that the claims on a shared block are complete when it has been walked.
func (c *checker) walk(ctx context.Context, s *scan) error {
	if err := c.catalog(ctx, s); err != nil {
		return err
	}
	order := make([]int, len(c.snaps))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return snapshot.Compare(c.snaps[a], c.snaps[b]) })
	for _, i := range order {
		t, err := c.open(ctx, c.snaps[i].Score)
		if err != nil {
			return err
		}
		if t == nil {
			s.place = Block{Part: Root, Walk: true}
			s.alsoProve(c.snaps[i].Score)
			continue
		}
		c.files += t.Root.Files
		if err := s.snapshot(ctx, t); err != nil {
			return err
		}
	}
	return s.finish(ctx)
}

// open opens a snapshot. If that fails for what its root block is, the damage is noted and the tree is nil.
func (c *checker) open(ctx context.Context, score venti.Score) (*vac.Tree, error) {
	t, err := vac.OpenOwn(ctx, c.src, c.key, score)
	if err == nil {
		return t, nil
	}
	if over := ended(ctx); over != nil {
		return nil, over
	}
	if root, _, other := c.src.OwnRoot(ctx, c.key, score); other == nil && root.Kind != venti.RootSnapshot {
		err = corrupt(score, "the root of a snapshot has kind %d", root.Kind)
	}
	return nil, c.tally.damage(score, err)
}

// catalog looks at the blocks of the catalog.
func (c *checker) catalog(ctx context.Context, s *scan) error {
	if c.cfg.Catalog.IsZero() {
		return nil
	}
	s.place = Block{Part: Catalog, Walk: true}
	root, ref, err := c.src.OwnRoot(ctx, c.key, c.cfg.Catalog)
	if err != nil {
		if over := ended(ctx); over != nil {
			return over
		}
		s.alsoProve(c.cfg.Catalog)
		return c.tally.damage(c.cfg.Catalog, err)
	}
	s.first(ref, use{part: inRoot})
	return tree.Walk(ctx, c.src, root.Top, func(b tree.Block, err error) (bool, error) {
		s.place.Walk = b.Level > 0
		switch {
		case err != nil:
			if over := ended(ctx); over != nil {
				return false, over
			}
			s.alsoProve(blame(err, b.Ref.Score))
			return false, c.tally.damage(blame(err, b.Ref.Score), err)
		case !s.first(b.Ref, use{part: inCatalog, leaf: b.Level == 0, size: b.Len}):
			return false, nil
		case b.Level == 0:
			return false, s.content(ctx, b.Ref, b.Len)
		}
		return true, nil
	})
}
