package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"ventidhash/snapshot"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// A FoundRoot is a root of the owner, and what it says. Of a snapshot that no list names, that is all there is.
type FoundRoot struct {
	Score venti.Score
	venti.Root
}

// FoundRoots are what Search found: each the newest first, by the clocks of those who made them.
type FoundRoots struct {
	Snapshots []FoundRoot
	Catalogs  []FoundRoot // roots of lists
	Strange   int         // blocks that may be roots of other owners
	Absent    int         // predecessors of roots that cannot be had now, but perhaps later
}

// Each calls fn for blocks that may be roots of an owner, each at least once, and never for two at a time. fn may change
// the block, and does not keep it. An error of fn ends it and is returned.
type Each func(ctx context.Context, fn func(score venti.Score, block []byte) error) error

// Search opens those blocks that each names that are roots of the owner, or of those whom it has followed, and follows them
// to the roots that came before, as far as the store has these; it may be nil. It needs no head and no list, and some hundred
// bytes of memory for a root.
func Search(ctx context.Context, owner *Owner, store venti.Store, each Each) (*FoundRoots, error) {
	sealer, err := seal.New(owner.Secret())
	if err != nil {
		return nil, err
	}
	s := searcher{keys: append([]seal.RootKey{owner.RootKey()}, owner.FormerRootKeys()...), sealer: sealer, seen: map[venti.Score]bool{}}
	if err := each(ctx, s.block); err != nil {
		return nil, err
	}
	if err := s.follow(ctx, store); err != nil {
		return nil, err
	}
	newest := func(a, b FoundRoot) int {
		return snapshot.Compare(snapshot.Snapshot{Time: b.Time, Score: b.Score}, snapshot.Snapshot{Time: a.Time, Score: a.Score})
	}
	slices.SortFunc(s.found.Snapshots, newest)
	slices.SortFunc(s.found.Catalogs, newest)
	return &s.found, nil
}

// A searcher is one run of Search.
type searcher struct {
	keys   []seal.RootKey // the owner's first
	sealer *seal.Sealer
	found  FoundRoots
	seen   map[venti.Score]bool // roots of the owner, and those that are not there
	before []venti.Score        // named by roots as what came before them
}

// block looks at one block.
func (s *searcher) block(score venti.Score, block []byte) error {
	if s.seen[score] {
		return nil
	}
	root, err := s.open(block)
	if err != nil {
		s.found.Strange++
		return nil
	}
	s.seen[score] = true
	if !root.Prev.IsZero() {
		s.before = append(s.before, root.Prev)
	}
	f := FoundRoot{score, *root}
	if root.Kind == venti.RootCatalog {
		s.found.Catalogs = append(s.found.Catalogs, f)
	} else {
		s.found.Snapshots = append(s.found.Snapshots, f)
	}
	return nil
}

// open returns what a block says that is a root of the owner.
func (s *searcher) open(block []byte) (root *venti.Root, err error) {
	for i, k := range s.keys {
		trial := block
		if i < len(s.keys)-1 {
			trial = bytes.Clone(block) // opening a block spoils it
		}
		var ref venti.Ref
		if ref, err = seal.RootRef(k, trial); err != nil {
			return nil, err
		}
		var plain []byte
		if plain, err = s.sealer.OpenRoot(ref, trial); err == nil {
			return venti.ParseRoot(plain)
		}
	}
	return nil, err
}

// follow looks at what came before the roots that were found.
func (s *searcher) follow(ctx context.Context, store venti.Store) error {
	for store != nil && len(s.before) > 0 {
		score := s.before[len(s.before)-1]
		s.before = s.before[:len(s.before)-1]
		if s.seen[score] {
			continue
		}
		block, err := store.Get(ctx, score)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			err = s.block(score, block)
		case errors.Is(err, venti.ErrUnavailable):
			s.found.Absent++
			err = nil
		case errors.Is(err, venti.ErrNotFound), errors.Is(err, venti.ErrCorrupt):
			err = nil // it was forgotten, or is lost
		}
		if err != nil {
			return err
		}
		s.seen[score] = true
	}
	return nil
}

// enoughLists is how many lists Rebuild reads. One is enough unless clocks were wrong, or two machines wrote at a time.
const enoughLists = 8

// A Rebuilt says what Rebuild made a list of.
type Rebuilt struct {
	Lists  int // that were merged
	Unread int // newer ones, or ones of about the same time, that could not be read as a whole
}

// Rebuild makes a head anew from roots of lists that were found: it merges the newest of those that can be read as a
// whole, and the list in place if its head is good, and makes the result the list in cfg.Dir. What lists that cannot be
// read said last is lost, and so is what they say was forgotten. Snapshots that no list names stay off it. An error that
// wraps venti.ErrNotFound says that there is no list that can be read.
func Rebuild(ctx context.Context, cfg Config, roots []FoundRoot) (r Rebuilt, err error) {
	s, err := enter(ctx, cfg)
	if err != nil {
		return Rebuilt{}, err
	}
	defer func() { err = errors.Join(err, s.leave()) }()
	src := s.c.source(s.b)
	var prev venti.Score
	for i := range roots {
		if r.Lists == enoughLists {
			break
		}
		if err := s.takeRoot(ctx, src, &roots[i]); err != nil {
			if ctx.Err() != nil || errors.Is(err, venti.ErrUnavailable) {
				return Rebuilt{}, err
			}
			r.Unread++
			continue
		}
		if r.Lists++; prev.IsZero() {
			prev = roots[i].Score
		}
	}
	if r.Lists == 0 {
		return Rebuilt{}, fmt.Errorf("%w: of %d lists of snapshots in the store none can be read as a whole", venti.ErrNotFound, r.Unread)
	}
	if s.prev.IsZero() {
		s.prev = prev
	}
	return r, s.put(ctx)
}

// takeRoot takes the list under a root in.
func (s *settling) takeRoot(ctx context.Context, src *tree.Source, root *FoundRoot) error {
	l, err := readList(ctx, src, &root.Root, root.Score)
	if err == nil {
		s.list = Merge(s.list, l)
	}
	return err
}
