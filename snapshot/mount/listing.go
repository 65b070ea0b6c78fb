package mount

import (
	"container/list"
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"ventidhash/snapshot/vac"
)

// maxName is the longest name, in bytes, that the kernel takes from a file system; a snapshot may hold longer ones.
const maxName = 1024

// A listing is the entries of a directory in a snapshot, sorted by name. It does not change.
type listing struct {
	dirs   []*vac.Dir
	weight int           // about how many bytes of memory it takes
	turn   *list.Element // in lists.lru; nil if it is not kept
}

// entryWeight is about what an entry takes beside its texts.
const entryWeight = 400

// find returns the index of the entry called name.
func (l *listing) find(name string) (int, bool) {
	return slices.BinarySearchFunc(l.dirs, name, func(d *vac.Dir, name string) int { return strings.Compare(d.Name, name) })
}

// lists keeps the listings used last, whose weights are together no more than limit, or one that alone is more.
type lists struct {
	limit int
	log   *slog.Logger

	mu     sync.Mutex // protects the following
	lru    *list.List // of *directory, most recent first
	size   int
	flying map[*directory]*flight
}

// A flight is a listing that is being read, which others may wait for.
type flight struct {
	done chan struct{}
	list *listing
	err  error
	left bool // who read it was interrupted, which is not the others' business
}

func newLists(limit int, log *slog.Logger) *lists {
	return &lists{limit: limit, log: log, lru: list.New(), flying: map[*directory]*flight{}}
}

// of returns the listing of d, which lies in a snapshot. An error is not kept.
func (s *lists) of(ctx context.Context, d *directory, read func(context.Context) (*listing, error)) (*listing, error) {
	for {
		s.mu.Lock()
		if l := d.kept; l != nil {
			s.lru.MoveToFront(l.turn)
			s.mu.Unlock()
			return l, nil
		}
		f, ok := s.flying[d]
		if !ok {
			break
		}
		s.mu.Unlock()
		select {
		case <-f.done:
			if !f.left {
				return f.list, f.err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	f := &flight{done: make(chan struct{})}
	s.flying[d] = f
	s.mu.Unlock()

	f.list, f.err = read(ctx)
	f.left = f.err != nil && ctx.Err() != nil

	s.mu.Lock()
	delete(s.flying, d)
	if f.err == nil {
		s.keep(d, f.list)
	}
	s.mu.Unlock()
	close(f.done)
	return f.list, f.err
}

// keep keeps the listing of d; mu is held.
func (s *lists) keep(d *directory, l *listing) {
	d.kept, l.turn = l, s.lru.PushFront(d)
	s.size += l.weight
	for s.size > s.limit && s.lru.Len() > 1 {
		s.remove(s.lru.Back().Value.(*directory))
	}
}

// remove forgets the listing of d; mu is held.
func (s *lists) remove(d *directory) {
	if l := d.kept; l != nil {
		s.lru.Remove(l.turn)
		s.size -= l.weight
		d.kept = nil
	}
}

// drop forgets the listing of a directory that the kernel has forgotten.
func (s *lists) drop(d *directory) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(d)
}

var errTooMany = errors.New("more entries than a mounted directory can have")

// readListing reads the entries of d in t.
func readListing(ctx context.Context, t *vac.Tree, d *vac.Dir) (l *listing, skipped int, err error) {
	es, err := t.Entries(ctx, d)
	if err != nil {
		return nil, 0, err
	}
	defer es.Close()
	l = &listing{}
	for {
		e, err := es.Next()
		if errors.Is(err, io.EOF) {
			l.dirs = slices.Clip(l.dirs)
			return l, skipped, nil
		}
		if err != nil {
			return nil, 0, err
		}
		if len(e.Name) > maxName {
			skipped++
			continue
		}
		if len(l.dirs) == maxSlots-firstSlot {
			return nil, 0, errTooMany
		}
		l.dirs = append(l.dirs, e)
		l.weight += entryWeight + len(e.Name) + len(e.Target)
		for _, x := range e.Xattrs {
			l.weight += 32 + len(x.Name) + len(x.Value)
		}
	}
}
