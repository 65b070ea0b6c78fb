package check

import (
	"context"
	"encoding/binary"
	"hash/maphash"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// A scan is the first pass: it visits each block once.
type scan struct {
	cfg   Config
	src   *tree.Source
	tally *tally
	*workers

	seed   maphash.Seed
	seen   map[venti.Score]print
	batch  []venti.Score // contents to ask the store for
	fresh  []Block       // blocks to be proven
	place  Block         // what is being visited
	claims claims
	reread map[venti.Ref]bool // streams whose leaves go to the workers, since listing them failed

	// Of the snapshot being walked:
	tree     *vac.Tree
	turn     int
	shares   vac.Shares
	inShares bool // the walk is in the table of shared blocks, which comes before the top directory
}

// A print tells apart what is claimed of one block: 48 bits of a hash with a secret seed.
type print [6]byte

// use is what a print is made of. A block that is used otherwise than before is looked at again, so that nobody can
// hide a directory behind a file that has the same bytes.
type use struct {
	key   venti.Key
	part  byte
	leaf  bool
	head  bool // of a directory: it is the top of its stream
	depth int  // of the stream that it is the top of
	size  int64
}

const (
	inFile byte = iota
	inDirectory
	inTable
	inRoot
	inCatalog
)

func newScan(cfg Config, src *tree.Source, t *tally) *scan {
	s := &scan{cfg: cfg, src: src, tally: t, seed: maphash.MakeSeed(), seen: map[venti.Score]print{}, reread: map[venti.Ref]bool{}}
	s.claims.reset()
	return s
}

// first reports whether ref is used like this for the first time, as far as it is remembered.
func (s *scan) first(ref venti.Ref, u use) bool {
	u.key = ref.Key
	var h [8]byte
	binary.BigEndian.PutUint64(h[:], maphash.Comparable(s.seed, u))
	p := print(h[:])
	old, met := s.seen[ref.Score]
	if met && old == p {
		return false
	}
	s.seen[ref.Score] = p
	if !met {
		s.tally.count(func(p *Progress) { p.Blocks++ })
		s.needs(ref.Score)
	}
	return true
}

// needs has a block proven that is met for the first time, if blocks are.
func (s *scan) needs(score venti.Score) {
	if s.cfg.proves() {
		s.place.Score = score
		s.fresh = append(s.fresh, s.place)
	}
}

// alsoProve is needs for a block that is not what is visited: it could not be read, or is behind one that could not.
func (s *scan) alsoProve(score venti.Score) {
	if _, met := s.seen[score]; !met && s.cfg.proves() && !score.IsZero() {
		s.first(venti.Ref{Score: score}, use{})
	}
}

// snapshot walks one snapshot.
func (s *scan) snapshot(ctx context.Context, t *vac.Tree) (err error) {
	s.tree, s.inShares = t, !t.Root.Shared.IsHole()
	s.turn++
	s.shares, err = vac.ReadShares(ctx, s.src, t.Root.Shared)
	if err != nil {
		if err := s.fault(ctx, venti.Score{}, err, t.Root.Shared); err != nil {
			return err
		}
	}
	if err := t.Blocks(ctx, func(u vac.Use, err error) (bool, error) { return s.visit(ctx, u, err) }); err != nil {
		return err
	}
	s.tally.count(func(p *Progress) { p.Snapshots++ })
	return nil
}

// visit looks at one use of a block.
func (s *scan) visit(ctx context.Context, u vac.Use, err error) (descend bool, stop error) {
	e := s.stream(u)
	head, depth := u.Ref == e.Top && u.Len == e.Size, 0
	if head {
		depth = e.Depth
	}
	if head && u.Dir == nil && e == s.tree.Root.Top {
		s.inShares = false
	}
	content := u.Role == vac.RoleShared || u.Role == vac.RoleFile && u.Leaf
	s.place = Block{Part: s.partOf(u), Path: u.Path, Walk: !content}
	if len(s.fresh) >= askBatch {
		if err := s.flush(ctx); err != nil {
			return false, err
		}
	}
	if err != nil {
		return false, s.fault(ctx, u.Ref.Score, err, e)
	}
	switch u.Role {
	case vac.RoleRoot:
		s.first(u.Ref, use{part: inRoot})
		return false, nil
	case vac.RoleShared:
		return false, s.small(ctx, u)
	case vac.RoleFile:
		if u.Leaf {
			depth = 0
		}
		if !s.first(u.Ref, use{part: inFile, leaf: u.Leaf, depth: depth, size: u.Len}) {
			return false, nil
		}
		if u.Leaf {
			return true, s.content(ctx, u.Ref, u.Len)
		}
		return true, nil
	}
	part := inDirectory
	if s.inShares {
		part = inTable
	}
	if !s.first(u.Ref, use{part: part, leaf: u.Leaf, head: head, depth: depth, size: u.Len}) {
		return false, nil
	}
	if u.Leaf && !s.cfg.reads(u.Ref.Score) {
		return true, s.content(ctx, u.Ref, u.Len) // where listing fails, the leaves behind have been asked for
	}
	return true, nil
}

// partOf says what part of the snapshot a use belongs to.
func (s *scan) partOf(u vac.Use) Part {
	switch {
	case u.Role == vac.RoleRoot:
		return Root
	case u.Role == vac.RoleShared || u.Role == vac.RoleFile:
		return File
	case s.inShares:
		return Table
	}
	return Directory
}

// stream returns the stream that a use is part of.
func (s *scan) stream(u vac.Use) venti.Entry {
	switch {
	case u.Role == vac.RoleRoot || u.Role == vac.RoleShared:
		return venti.Entry{}
	case u.Dir != nil:
		return u.Dir.Content.Stream
	case s.inShares && u.Ref != s.tree.Root.Top.Top:
		return s.tree.Root.Shared
	default:
		return s.tree.Root.Top
	}
}

// content has a leaf of a stream looked at, which stands for size bytes.
func (s *scan) content(ctx context.Context, ref venti.Ref, size int64) error {
	if s.cfg.reads(ref.Score) {
		return s.give(ctx, job{ref: ref, size: size})
	}
	if s.cfg.proves() {
		s.alsoProve(ref.Score)
		if len(s.fresh) < askBatch {
			return nil
		}
		return s.flush(ctx)
	}
	if s.batch = append(s.batch, ref.Score); len(s.batch) < askBatch {
		return nil
	}
	return s.flush(ctx)
}

// flush asks the store for the blocks of the batch, and has those proven that are to be.
func (s *scan) flush(ctx context.Context) error {
	ask, fresh := s.batch, s.fresh
	s.batch, s.fresh = nil, nil
	if len(ask) > 0 {
		if err := s.give(ctx, job{ask: ask}); err != nil {
			return err
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return s.give(ctx, job{prove: fresh})
}

// small has a small file's slice of a shared block looked at.
func (s *scan) small(ctx context.Context, u vac.Use) error {
	_, met := s.seen[u.Ref.Score]
	if !met {
		s.first(u.Ref, use{})
	}
	if !s.cfg.reads(u.Ref.Score) {
		if met {
			return nil
		}
		return s.content(ctx, u.Ref, -1)
	}
	b := s.claims.add(u.Dir, s.turn)
	if b.open > 0 && b.used == s.shares[u.Ref.Score].Used {
		return s.give(ctx, job{ref: b.ref, size: -1, claims: b.hand()})
	}
	if s.claims.n >= s.cfg.claims() {
		return s.handAll(ctx)
	}
	return nil
}

// handAll gives the workers all claims that they do not have yet, and forgets them.
func (s *scan) handAll(ctx context.Context) error {
	for _, b := range s.claims.order {
		if b.open > 0 {
			if err := s.give(ctx, job{ref: b.ref, size: -1, claims: b.hand()}); err != nil {
				return err
			}
		}
	}
	s.claims.reset()
	return nil
}

// finish leaves all that has been gathered to the workers.
func (s *scan) finish(ctx context.Context) error {
	if err := s.handAll(ctx); err != nil {
		return err
	}
	return s.flush(ctx)
}

// fault notes that something of the stream e could not be had. The walk does not go through the rest of it then, so its
// other leaves are left to the workers.
func (s *scan) fault(ctx context.Context, score venti.Score, err error, e venti.Entry) error {
	if over := ended(ctx); over != nil {
		return over
	}
	s.alsoProve(blame(err, score))
	if err := s.tally.damage(blame(err, score), err); err != nil {
		return err
	}
	if s.reread[e.Top] {
		return nil
	}
	s.reread[e.Top] = true
	return tree.Walk(ctx, s.src, e, func(b tree.Block, err error) (bool, error) {
		switch {
		case err != nil:
			if over := ended(ctx); over != nil {
				return false, over
			}
			s.alsoProve(blame(err, b.Ref.Score))
			return false, s.tally.damage(blame(err, b.Ref.Score), err)
		case b.Level == 0:
			return false, s.content(ctx, b.Ref, b.Len)
		}
		return true, nil
	})
}
