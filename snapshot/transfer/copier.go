package transfer

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

const (
	askBatch = 512 // blocks that To is asked for at once
	sending  = 8   // blocks on their way at once
)

// A copier is one call of Run. Its fields are the walk's, which is one goroutine, unless they say otherwise.
type copier struct {
	cfg      Config
	met      map[venti.Score]vac.Way // blocks that were asked for, or are in batch, and the ways in which they were walked
	batch    []need                  // to ask for
	complete int

	// Of the snapshot under way:
	root    venti.Score
	undo    []undone
	lacking map[venti.Score]bool // protected by bad.mu
	shares  vac.Shares           // in a dry run, the shared blocks with their lengths

	bad bad

	// mu protects progress.
	mu       sync.Mutex
	progress Progress
}

// undone is in which ways a block had been walked before this snapshot.
type undone struct {
	score venti.Score
	way   vac.Way
}

// A need is a block that a snapshot needs.
type need struct {
	score venti.Score
	path  string
	vital bool
	size  int64 // of the content, for a dry run
}

// bad is the blocks that cannot be had.
type bad struct {
	mu   sync.Mutex // protects all
	errs map[venti.Score]error
}

// count returns how many there are, and whether all of them are unavailable now and no more than that.
func (b *bad) count() (n int64, only bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	only = true
	for _, err := range b.errs {
		only = only && errors.Is(err, venti.ErrUnavailable)
	}
	return int64(len(b.errs)), only
}

// damage notes that a block which the snapshot under way needs cannot be had. An error that says something else, such as
// that ctx has ended, is returned.
func (c *copier) damage(ctx context.Context, s venti.Score, path string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !errors.Is(err, venti.ErrNotFound) && !errors.Is(err, venti.ErrUnavailable) && !errors.Is(err, venti.ErrCorrupt) {
		return err
	}
	if e, ok := errors.AsType[*venti.BlockError](err); ok { // of a directory, the block that is at fault
		s = e.Score
	}
	c.bad.mu.Lock()
	defer c.bad.mu.Unlock()
	c.lacking[s] = true
	if _, old := c.bad.errs[s]; old {
		return nil
	}
	c.bad.errs[s] = err
	if c.cfg.Damaged != nil {
		c.cfg.Damaged(Damage{Score: s, Path: path, Root: c.root, Err: err})
	}
	return nil
}

// meet deals with a block that the walk has come to; descend is false if everything below it was walked before.
func (c *copier) meet(ctx context.Context, w *workers, u vac.Use, how vac.Way) (descend bool, err error) {
	s := u.Ref.Score
	if c.isBad(s) {
		return false, nil
	}
	old, met := c.met[s]
	if met && old&how == how {
		return false, nil
	}
	if how != 0 {
		c.undo = append(c.undo, undone{s, old})
	}
	c.met[s] = old | how
	if met {
		return true, nil
	}
	c.now(func(p *Progress) { p.Blocks++ })
	c.batch = append(c.batch, need{s, u.Path, !u.Leaf || u.Role == vac.RoleRoot, c.size(u)})
	if len(c.batch) == askBatch {
		err = c.flush(ctx, w)
	}
	return true, err
}

// isBad reports whether a block is known not to be had, and notes that the snapshot under way needs it.
func (c *copier) isBad(s venti.Score) bool {
	c.bad.mu.Lock()
	defer c.bad.mu.Unlock()
	_, ok := c.bad.errs[s]
	if ok {
		c.lacking[s] = true
	}
	return ok
}

// size returns the length of a block's content, as far as the snapshot tells.
func (c *copier) size(u vac.Use) int64 {
	switch {
	case !u.Leaf:
		return 0
	case u.Role == vac.RoleShared:
		return int64(c.shares[u.Ref.Score].Size)
	}
	return u.Len
}

// flush asks To for the blocks of the batch, and has those sent that it does not have.
func (c *copier) flush(ctx context.Context, w *workers) error {
	if len(c.batch) == 0 {
		return nil
	}
	scores := make([]venti.Score, len(c.batch))
	for i, n := range c.batch {
		scores[i] = n.score
	}
	has, err := c.cfg.To.Has(ctx, scores)
	if err != nil {
		return err
	}
	for i, n := range c.batch {
		switch {
		case has[i]:
		case c.cfg.DryRun:
			c.sent(n.size)
		default:
			w.send(n)
		}
	}
	c.batch = c.batch[:0]
	return ctx.Err()
}

func (c *copier) sent(bytes int64) {
	c.now(func(p *Progress) { p.Sent, p.Bytes = p.Sent+1, p.Bytes+bytes })
}

// now changes the progress and tells it.
func (c *copier) now(change func(*Progress)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.progress)
	if c.cfg.Progress != nil {
		c.cfg.Progress(c.progress)
	}
}

// workers fetch and put blocks.
type workers struct {
	c     *copier
	ctx   context.Context
	group *errgroup.Group
}

// newWorkers returns workers, and a context that ends when one of them fails.
func newWorkers(ctx context.Context, c *copier) (*workers, context.Context) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(sending)
	return &workers{c, ctx, g}, ctx
}

// send sends a block; it waits while as many are on their way as may be.
func (w *workers) send(n need) {
	w.group.Go(func() error {
		block, err := w.c.cfg.From.Store().Get(w.ctx, n.score)
		if err != nil {
			return w.c.damage(w.ctx, n.score, n.path, err)
		}
		put := w.c.cfg.To.Put
		if n.vital {
			put = func(ctx context.Context, b []byte) (venti.Score, error) { return venti.PutVital(ctx, w.c.cfg.To, b) }
		}
		if _, err := put(w.ctx, block); err != nil {
			return err
		}
		w.c.sent(int64(len(block)))
		return nil
	})
}

// wait returns when nothing is on its way any more, with the first error of the workers, or else err.
func (w *workers) wait(err error) error {
	if first := w.group.Wait(); first != nil {
		return first
	}
	return err
}
