package check

import (
	"context"
	"errors"
	"slices"
	"strings"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// A namer is the second pass: it finds what each damaged block is needed for.
type namer struct {
	src     *tree.Source
	tally   *tally
	touched map[touchKey]int // index in the Touched of the block's Damage
	n       int              // touches, those of the same thing in several snapshots included
	tried   map[venti.Ref]error
	whole   map[wholeKey]bool // directories and long files without damage in or below them

	// Of the snapshot being walked:
	tree     *vac.Tree
	index    int
	inShares bool
	stack    []level
}

// A touchKey is what tells one Touch of a block from another.
type touchKey struct {
	score     venti.Score
	part      Part
	path      string
	off, size int64
}

// A wholeKey is a stream that is a directory or a file.
type wholeKey struct {
	stream venti.Entry
	role   vac.Role
}

// A level is a stream that the walk is in or below.
type level struct {
	path string
	key  wholeKey
	n    int // touches before it
}

// name is the second pass.
func (c *checker) name(ctx context.Context) error {
	n := &namer{src: c.src, tally: c.tally, touched: map[touchKey]int{}, tried: map[venti.Ref]error{}, whole: map[wholeKey]bool{}}
	c.tally.count(func(p *Progress) { p.Naming, p.Snapshots = true, 0 })
	n.index = -1
	if err := c.nameCatalog(ctx, n); err != nil {
		return err
	}
	for i, s := range c.snaps {
		n.index = i
		t, err := c.open(ctx, s.Score)
		if err != nil {
			return err
		}
		if t == nil {
			n.touch(s.Score, Root, "/", 0, 0)
			continue
		}
		if err := n.snapshot(ctx, t); err != nil {
			return err
		}
		c.tally.count(func(p *Progress) { p.Snapshots++ })
	}
	return nil
}

// nameCatalog finds whether the catalog is touched.
func (c *checker) nameCatalog(ctx context.Context, n *namer) error {
	if c.cfg.Catalog.IsZero() {
		return nil
	}
	root, _, err := c.src.OwnRoot(ctx, c.key, c.cfg.Catalog)
	if err != nil {
		return n.fault(ctx, c.cfg.Catalog, err, Catalog, "/", 0, 0)
	}
	return tree.Walk(ctx, c.src, root.Top, func(b tree.Block, err error) (bool, error) {
		if err != nil {
			return false, n.fault(ctx, b.Ref.Score, err, Catalog, "/", b.Off, b.Len)
		}
		if n.tally.find(b.Ref.Score) != nil {
			n.touch(b.Ref.Score, Catalog, "/", b.Off, b.Len)
		}
		return true, nil
	})
}

// fault notes that something could not be had, and what that touches.
func (n *namer) fault(ctx context.Context, s venti.Score, err error, part Part, path string, off, size int64) error {
	if over := ended(ctx); over != nil {
		return over
	}
	s = blame(err, s)
	if err := n.tally.damage(s, err); err != nil {
		return err
	}
	n.touch(s, part, path, off, size)
	return nil
}

// touch notes that the damaged block s is needed for a part of the snapshot being walked.
func (n *namer) touch(s venti.Score, part Part, path string, off, size int64) {
	n.n++
	d := n.tally.find(s)
	k := touchKey{s, part, path, off, size}
	i, ok := n.touched[k]
	if !ok {
		i = len(d.Touched)
		n.touched[k] = i
		d.Touched = append(d.Touched, Touch{Part: part, Path: path, Off: off, Len: size})
	}
	t := &d.Touched[i]
	if n.index >= 0 && !slices.Contains(t.Snapshots[max(len(t.Snapshots)-1, 0):], n.index) {
		t.Snapshots = append(t.Snapshots, n.index)
	}
}

// snapshot walks one snapshot.
func (n *namer) snapshot(ctx context.Context, t *vac.Tree) error {
	n.tree, n.inShares, n.stack = t, !t.Root.Shared.IsHole(), nil
	if n.tally.find(t.Ref.Score) != nil {
		n.touch(t.Ref.Score, Root, "/", 0, 0)
	}
	if err := t.Blocks(ctx, func(u vac.Use, err error) (bool, error) { return n.visit(ctx, u, err) }); err != nil {
		return err
	}
	n.leave("")
	return nil
}

// visit looks whether one use of a block is touched.
func (n *namer) visit(ctx context.Context, u vac.Use, err error) (descend bool, stop error) {
	if u.Role == vac.RoleRoot {
		return false, nil
	}
	part, top := n.place(u)
	path, off, size := u.Path, u.Off, u.Len
	switch {
	case part == File && u.Role == vac.RoleShared:
		off = 0
	case part == Directory:
		off, size = 0, 0
	case part == Table:
		off, size = 0, 0
	}
	if path == "" {
		path = "/"
	}
	if err != nil {
		return false, n.fault(ctx, u.Ref.Score, err, part, path, off, size)
	}
	if top != nil && n.enter(u, *top) {
		return false, nil
	}
	if d := n.tally.find(u.Ref.Score); d != nil {
		harmed, err := n.harmed(ctx, d, u, part)
		if err != nil {
			return false, err
		}
		if harmed {
			n.touch(d.Score, part, path, off, size)
		}
	}
	return true, nil
}

// place returns what part of the snapshot a use belongs to, and its stream if its block is the top of it.
func (n *namer) place(u vac.Use) (part Part, top *venti.Entry) {
	e := &n.tree.Root.Top
	switch {
	case u.Role == vac.RoleShared:
		return File, nil
	case u.Role == vac.RoleFile:
		part, e = File, &u.Dir.Content.Stream
	case u.Dir != nil:
		part, e = Directory, &u.Dir.Content.Stream
	case n.inShares && (u.Ref != e.Top || u.Len != e.Size):
		return Table, nil
	default:
		part, n.inShares = Directory, false
	}
	if u.Ref != e.Top || u.Len != e.Size {
		return part, nil
	}
	return part, e
}

// enter notes that the walk comes to the top of a stream, and reports whether it can be passed over.
func (n *namer) enter(u vac.Use, e venti.Entry) (pass bool) {
	n.leave(u.Path)
	k := wholeKey{e, u.Role}
	if n.whole[k] {
		return true
	}
	if u.Role == vac.RoleDirectory || !u.Leaf {
		n.stack = append(n.stack, level{path: u.Path, key: k, n: n.n})
	}
	return false
}

// leave ends the streams that path is not in or below, and remembers those that are whole.
func (n *namer) leave(path string) {
	for i := len(n.stack) - 1; i >= 0; i-- {
		l := n.stack[i]
		if path != "" && l.path != path && strings.HasPrefix(path, l.path+"/") {
			return
		}
		if l.n == n.n {
			n.whole[l.key] = true
		}
		n.stack = n.stack[:i]
	}
}

// harmed reports whether this use of a block that is known to be damaged suffers from it. A block that is missing
// serves no one; one that is not what somebody claimed may well serve others.
func (n *namer) harmed(ctx context.Context, d *Damage, u vac.Use, part Part) (bool, error) {
	if !errors.Is(d.Err, venti.ErrCorrupt) || part == Table {
		return true, nil
	}
	if err, ok := n.tried[u.Ref]; ok && err != nil {
		return true, nil
	}
	plain, err := n.src.Block(ctx, u.Ref)
	if over := ended(ctx); over != nil {
		return false, over
	}
	n.tried[u.Ref] = err
	switch {
	case err != nil:
		return true, nil
	case u.Role == vac.RoleShared:
		return newClaim(u.Dir).verify(d.Score, plain) != nil, nil
	case u.Role == vac.RoleFile && u.Leaf:
		return int64(len(plain)) != u.Len, nil
	}
	return false, nil // the walk tells: it reads this block next
}
