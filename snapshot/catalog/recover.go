package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

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

	// ErrOldHead says that a head leads to nothing that the one in place does not.
	ErrOldHead = errors.New("the head in place is newer")

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

// Recover makes the list that heads lead to the one in cfg.Dir. They are the bytes of heads of the owner that another
// machine or the swarm kept, or the content of head.1 where the newer one is damaged; several of them are a conflict, and
// their lists are merged, with the one in place too if that is good. It reads the whole lists, from the copies and the
// store, and stores all of it in cfg.Store if there is one. A damaged head in place is kept aside as head.bad. It returns
// the head then in place: one of those given if it says it all, else a new one that follows them. ErrOldHead says that the
// one in place did so already. If some of the lists can be read, and not all, the error is an *UnpublishedError. Nothing is
// published: Refresh does that.
func Recover(ctx context.Context, cfg Config, heads ...[]byte) (h venti.Head, err error) {
	if err := cfg.Validate(); err != nil {
		return venti.Head{}, err
	}
	given, err := parseHeads(heads, cfg.Owner)
	if err != nil {
		return venti.Head{}, err
	}
	s, err := enter(ctx, cfg)
	if err != nil {
		return venti.Head{}, err
	}
	defer func() { err = errors.Join(err, s.leave()) }()
	return s.recover(ctx, given)
}

// enter takes the lock, and reads what is in place, as far as that can be read. The caller calls leave.
func enter(ctx context.Context, cfg Config) (*settling, error) {
	c, err := newCatalog(cfg)
	if err != nil {
		return nil, err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return nil, err
	}
	s, err := c.begin(ctx)
	s.leave = unlock
	lost := errors.Is(err, venti.ErrNotFound) || errors.Is(err, venti.ErrCorrupt)
	if err != nil && !errors.As(err, &s.damaged) && !lost {
		return nil, errors.Join(err, unlock())
	}
	return s, nil
}

// parseHeads reads the heads that were given, and checks that they are the owner's.
func parseHeads(heads [][]byte, o *Owner) (given []venti.Head, err error) {
	for _, b := range heads {
		h, err := venti.ParseHead(b)
		if err == nil {
			err = ofOwner(h, o)
		}
		if err != nil {
			return nil, err
		}
		given = append(given, h)
	}
	if len(given) == 0 {
		return nil, errors.New("catalog: no head to recover from was given")
	}
	return given, nil
}

// recover takes the lists of the given heads in, and writes. The lock is held.
func (s *settling) recover(ctx context.Context, given []venti.Head) (venti.Head, error) {
	before, good := s.head, 0
	var bad error
	for _, h := range given {
		l, err := s.c.read(ctx, s.b, h.Score)
		if err != nil {
			bad = errors.Join(bad, err)
			continue
		}
		good++
		s.taken[h] = takenOf(&l, Encode(l))
		s.list = Merge(s.list, l)
	}
	if good == 0 {
		return venti.Head{}, bad
	}
	if err := s.put(ctx); err != nil {
		return venti.Head{}, err
	}
	switch {
	case bad != nil:
		return s.head, &UnpublishedError{s.head, bad}
	case s.head == before && !slices.Contains(given, before):
		return s.head, fmt.Errorf("%w: %d is here, and says all that %d does", ErrOldHead, before.Sequence, given[0].Sequence)
	}
	return s.head, nil
}

// put makes the merged list the one in place, all of it stored.
func (s *settling) put(ctx context.Context) error {
	if s.c.cfg.Store != nil {
		if err := s.b.putUsed(ctx); err != nil {
			return err
		}
	}
	if s.damaged != nil {
		if err := s.putAside(); err != nil {
			return err
		}
	}
	next, err := s.next()
	if err != nil {
		return err
	}
	return s.write(ctx, next, time.Now())
}

// putAside keeps the damaged head as head.bad.
func (s *settling) putAside() error {
	b, err := os.ReadFile(s.damaged.Name)
	if err == nil {
		err = writeFile(filepath.Join(s.c.cfg.Dir, badName), b)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
