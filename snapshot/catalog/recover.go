package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"ventidhash/venti"
)

// The files of a catalog beside lock and blocks.
const (
	headName = "head"
	prevName = "head.1"
	badName  = "head.bad"
)

var (
	// ErrNoHead says that the folder has no catalog yet.
	ErrNoHead = errors.New("no catalog yet")

	// ErrOldHead says that a head is not newer than the one that is there.
	ErrOldHead = errors.New("the head in place is newer, or of the same sequence")

	// ErrOtherOwner says that a head is good and not of this owner. It comes with venti.ErrCorrupt.
	ErrOtherOwner = errors.New("the head is another owner's")
)

// A HeadError says that the file of the head is damaged, gone or of another owner. Nothing was changed. Recover is the
// way out: with a head kept elsewhere, or else with the one in Prev, which does not list what the last change added.
type HeadError struct {
	Name string // the file
	Prev string // the file of the head before; empty if that is not good either
	Err  error  // wraps venti.ErrCorrupt
}

// Error implements error. It says what to do.
func (e *HeadError) Error() string {
	if errors.Is(e.Err, ErrOtherOwner) {
		return e.Name + ": " + e.Err.Error() + "; this identity and this folder do not belong together"
	}
	remedy := "; recover from a head kept elsewhere"
	if e.Prev != "" {
		remedy += ", or else from " + e.Prev + ", which is good and lists what there was before the last change"
	}
	return e.Name + ": " + e.Err.Error() + remedy + "; until then nothing is listed, added or forgotten"
}

// Unwrap returns the cause.
func (e *HeadError) Unwrap() error { return e.Err }

// Head returns the head in place, its signature checked, or ErrNoHead. A head that is damaged, of another owner, or gone
// while the one before it is still there, is a *HeadError.
func (c *Catalog) Head() (venti.Head, error) {
	h, err := c.loadHead(headName)
	if err == nil {
		return h, nil
	}
	_, prevErr := c.loadHead(prevName)
	switch {
	case errors.Is(err, fs.ErrNotExist) && errors.Is(prevErr, fs.ErrNotExist):
		return venti.Head{}, ErrNoHead
	case errors.Is(err, fs.ErrNotExist):
		if h, err := c.loadHead(headName); err == nil {
			return h, nil // the first two updates came between the two looks
		}
		err = corruptf("the head of the catalog is gone")
	case !errors.Is(err, venti.ErrCorrupt):
		return venti.Head{}, err
	}
	e := &HeadError{Name: filepath.Join(c.cfg.Dir, headName), Err: err}
	if prevErr == nil {
		e.Prev = filepath.Join(c.cfg.Dir, prevName)
	}
	return venti.Head{}, e
}

// loadHead reads one of the files that hold a head, checks it, and that it is the owner's.
func (c *Catalog) loadHead(name string) (venti.Head, error) {
	b, err := os.ReadFile(filepath.Join(c.cfg.Dir, name))
	if err != nil {
		return venti.Head{}, err
	}
	h, err := venti.ParseHead(b)
	if err == nil {
		err = ofOwner(h, c.cfg.Owner)
	}
	if err != nil {
		return venti.Head{}, err
	}
	return h, nil
}

// replaceHead makes next the head and old, unless zero, the one before. The lock is held.
func (c *Catalog) replaceHead(old, next venti.Head) error {
	if old.Sequence > 0 {
		if err := writeFile(filepath.Join(c.cfg.Dir, prevName), old.Append(nil)); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(c.cfg.Dir, headName), next.Append(nil)); err != nil {
		return err
	}
	return syncDir(c.cfg.Dir)
}

// Recover makes head, the bytes of a Head of the owner, the head of the catalog in cfg.Dir: one that another machine or
// the swarm kept, or the content of head.1 where the newer one is damaged. It first reads the whole list that the head
// leads to, from the copies and the store, and stores all of it in cfg.Store if there is one. A damaged head in place is
// kept aside as head.bad. Where a good head is in place, only one of a higher sequence may follow it; anything else is
// ErrOldHead, unless it is the same.
func Recover(ctx context.Context, cfg Config, head []byte) (h venti.Head, err error) {
	c, err := newCatalog(cfg)
	if err != nil {
		return venti.Head{}, err
	}
	if h, err = venti.ParseHead(head); err == nil {
		err = ofOwner(h, cfg.Owner)
	}
	if err != nil {
		return venti.Head{}, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return venti.Head{}, err
	}
	unlock, err := lock(ctx, cfg.Dir)
	if err != nil {
		return venti.Head{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()

	old, err := c.Head()
	var damaged *HeadError
	switch {
	case errors.Is(err, ErrNoHead), errors.As(err, &damaged):
	case err != nil:
		return venti.Head{}, err
	case old == h:
		return h, nil
	case old.Sequence >= h.Sequence:
		return venti.Head{}, fmt.Errorf("%w: %d is here, %d was given", ErrOldHead, old.Sequence, h.Sequence)
	}
	b := newBlocks(&cfg)
	if _, _, err := c.read(ctx, b, h.Score); err != nil {
		return venti.Head{}, err
	}
	if cfg.Store != nil {
		if err := b.putUsed(ctx); err != nil {
			return venti.Head{}, err
		}
	}
	if damaged != nil {
		bad, err := os.ReadFile(damaged.Name)
		if err == nil {
			err = writeFile(filepath.Join(cfg.Dir, badName), bad)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return venti.Head{}, err
		}
	}
	return h, c.replaceHead(old, h)
}
