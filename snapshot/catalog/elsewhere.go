package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"ventidhash/venti"
)

// Heads is where the machines of an owner leave the newest head for each other, such as the members of a swarm. A machine
// that writes a list takes in the one of every head that it finds.
type Heads interface {
	// Find returns the newest heads of the owner that are known there: none, one, or several of the same sequence, which
	// are a conflict. kept says that it is one, and that enough keep it for everybody to find it; without that it is known
	// perhaps to few, since whoever published it was cut off. An error says that too few answered to say what is the newest;
	// what it returns then is taken in nevertheless.
	Find(ctx context.Context) (newest []venti.Head, kept bool, err error)

	// Publish hands h out, and returns the heads that stand in its way: of the same sequence with other content, or of a
	// higher one. It may also return lower ones that h has replaced. An error says that too few keep h now; what it returns
	// then is taken in nevertheless.
	Publish(ctx context.Context, h venti.Head) ([]venti.Head, error)
}

// An UnpublishedError says that the list in the folder is as it should be and durable, but that not all was taken in that
// is known elsewhere, or that its head is not kept elsewhere. Any later change, or Refresh, tries that again.
type UnpublishedError struct {
	Head venti.Head // in place here; zero if there is none yet
	Err  error      // why
}

// Error implements error.
func (e *UnpublishedError) Error() string {
	return fmt.Sprintf("the list of snapshots is kept here (number %d), but is not the one that other machines find: %v; "+
		"the next command that writes or lists snapshots tries again", e.Head.Sequence, e.Err)
}

// Unwrap returns the cause.
func (e *UnpublishedError) Unwrap() error { return e.Err }

// errCrowded says that others were quicker time and again.
var errCrowded = errors.New("other machines change it all the time")

const (
	headTime = 20 * time.Second // for finding heads, and for publishing one
	listTime = 30 * time.Second // for reading the lists that were found

	// longWrite is how long it takes to write a list where the store had to be waited for. Then heads are looked for again
	// if they were not found before, and what was looked at before is looked at again.
	longWrite = 5 * time.Second

	maxRounds = 10 // tries to publish a head while others do
	maxHeads  = 16 // found at once that are looked at

	firstPause = 50 * time.Millisecond // between two rounds, on average; it doubles each time
	longPause  = 2 * time.Second
)

// find takes in what Heads has, and returns its heads, and whether enough keep them. An error says why this was not, or
// not wholly, possible.
func (s *settling) find(ctx context.Context) (found []venti.Head, kept bool, err error) {
	headCtx, cancel := context.WithTimeout(ctx, headTime)
	defer cancel()
	found, kept, err = s.c.cfg.Heads.Find(headCtx)
	if err != nil {
		err = fmt.Errorf("looking for the newest head: %w", err)
	}
	found = s.own(found)
	return found, kept, errors.Join(err, s.take(ctx, found))
}

// own returns those heads that the owner has signed, the newest first, a bounded number of them. One that says what the
// head in place says, signed at another time, is that.
func (s *settling) own(heads []venti.Head) []venti.Head {
	var out []venti.Head
	for _, h := range heads {
		h, err := venti.ParseHead(h.Append(nil))
		if h.Sequence == s.head.Sequence && h.Score == s.head.Score {
			h = s.head
		}
		if err == nil && ofOwner(h, s.c.cfg.Owner) == nil && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	slices.SortStableFunc(out, func(a, b venti.Head) int { return cmp.Compare(b.Sequence, a.Sequence) })
	return out[:min(len(out), maxHeads)]
}

// take takes the lists of heads in, and returns what of them could not be had. A list of which is known that it is lost
// is as good as taken in: whoever wrote it has a copy, and brings it along the next time.
func (s *settling) take(ctx context.Context, heads []venti.Head) (err error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	for _, h := range heads {
		if _, ok := s.taken[h]; ok {
			continue
		}
		l, readErr := s.c.read(ctx, s.b, h.Score)
		switch {
		case readErr == nil:
			s.taken[h] = takenOf(&l, Encode(l))
			s.list = Merge(s.list, l)
		case errors.Is(readErr, venti.ErrNotFound):
			s.taken[h] = taken{}
		default:
			err = errors.Join(err, fmt.Errorf("reading list number %d, which another machine wrote: %w", h.Sequence, readErr))
		}
	}
	return err
}

// elsewhere reports whether a snapshot is on the list of one of the heads.
func (s *settling) elsewhere(found []venti.Head, score venti.Score) bool {
	return slices.ContainsFunc(found, func(h venti.Head) bool { return s.taken[h].has[score] })
}

// forgotten reports whether a snapshot has left the list since the change.
func (s *settling) forgotten() bool {
	now := s.list.scores()
	for score := range s.known {
		if !now[score] {
			return true
		}
	}
	return false
}

// vet has those snapshots looked at that are on the list and are noted, or are on none of the lists elsewhere, but for those
// of the change, about which whoever makes it knows. If nobody has any list, nobody has pruned by one.
func (s *settling) vet(ctx context.Context, found []venti.Head) error {
	if s.c.cfg.Vet == nil || len(found) == 0 {
		return nil
	}
	for i := range s.list.Snapshots {
		l := &s.list.Snapshots[i]
		if l.Stamp == s.stamp || !s.unpublished[l.Score] && s.elsewhere(found, l.Score) {
			continue
		}
		if err := s.c.cfg.Vet(ctx, l.Snapshot, s.list.snapshots()); err != nil {
			return fmt.Errorf("snapshot %s is not published yet: %w", l.Score.Short(), err)
		}
	}
	return nil
}

// publish hands the head in place out, having noted what nobody else is known to have. It reports whether the list has to be
// written once more, because others were quicker. Even if too few keep the head it may have replaced another one there,
// which nobody shows again: what that one leads to is taken in, too.
func (s *settling) publish(ctx context.Context, found []venti.Head) (more bool, err error) {
	if s.head.Sequence == 0 {
		return false, nil
	}
	if err := s.doubt(found); err != nil {
		return false, err
	}
	headCtx, cancel := context.WithTimeout(ctx, headTime)
	defer cancel()
	others, err := s.c.cfg.Heads.Publish(headCtx, s.head)
	others = slices.DeleteFunc(s.own(others), func(h venti.Head) bool {
		_, known := s.taken[h]
		return h == s.head || known && h.Sequence < s.head.Sequence
	})
	switch {
	case len(others) > 0:
		return true, s.take(ctx, others)
	case err != nil:
		return false, fmt.Errorf("publishing the head: %w", err)
	}
	return false, s.sure()
}

// pause waits for a random time, so that of two machines that got into each other's way one is first.
func pause(ctx context.Context, round int) error {
	mean := min(firstPause<<round, longPause)
	select {
	case <-time.After(rand.N(2 * mean)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
