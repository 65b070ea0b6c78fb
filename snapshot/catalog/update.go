package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"ventidhash/venti"
)

// An editor changes a list. What it puts there gets the stamp.
type editor func(l *List, stamp uint64, now time.Time) error

// Refresh takes in what other machines have added and forgotten since, and publishes the head in place if it is not the
// newest elsewhere, or too few keep it there. Without Config.Heads it does nothing. Errors are those of Update: after a
// *UnpublishedError the list here is good, and perhaps not the newest.
func (c *Catalog) Refresh(ctx context.Context) error {
	if c.cfg.Heads == nil {
		return nil
	}
	return c.settle(ctx, nil, false)
}

// Republish is Refresh, and hands the head out even if it is found elsewhere. Without Config.Heads it fails: whoever calls it
// wants to go by what all machines agree on.
func (c *Catalog) Republish(ctx context.Context) error {
	if c.cfg.Heads == nil {
		return errors.New("catalog: there is nobody to hand the head out to")
	}
	return c.settle(ctx, nil, true)
}

func (c *Catalog) change(ctx context.Context, edit editor) error { return c.settle(ctx, edit, false) }

// settle goes through what every change of the list consists of, while it holds the lock:
//
//  1. Take in the lists of the heads that are found elsewhere.
//  2. Change the list. What is new in it, and what is forgotten, gets a stamp that is higher than all that were seen.
//  3. Have those snapshots looked at that are on the list here since an earlier change, and not elsewhere, or were not
//     published when a head with them was handed out (Config.Vet).
//  4. Write the list, then the head in the folder.
//  5. Publish the head, unless step 1 or 3 failed: nothing that was not taken in may be replaced. What on the list nobody
//     else is known to have is noted before, until this has succeeded. A head that was found need not be published if
//     enough keep it, and nothing is noted. One that few keep was published by a machine that was cut off, this one
//     perhaps; as long as it stays so, whoever does not ask those few finds an older list. (A reader writes back what it
//     has read: H. Attiya, A. Bar-Noy, D. Dolev, Sharing Memory Robustly in Message-Passing Systems, 1995.)
//  6. Where another machine was quicker, take in what it wrote, wait for a random time, and go through this again, but
//     for the change: that has its stamp, and is a part of the list. If the other one has forgotten a snapshot, on which
//     the change may build, what is new is looked at in step 3 as well. Where step 1 failed and step 4 took long, go
//     through it again, too: the store was waited for, and who did not answer then may answer now. Nothing else that fails
//     is tried again, for the lock is held.
func (c *Catalog) settle(ctx context.Context, edit editor, again bool) (err error) {
	if c.cfg.Store == nil {
		return errors.New("catalog: without a store it cannot be changed")
	}
	if err := c.Followed(); err != nil {
		return err
	}
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	s, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if s.wrote {
			s.b.tidy()
		}
	}()
	s.unpublished, s.note, s.unread = c.loadUnpublished()
	var last error // why there was another round; nil if others were quicker
	for round := range maxRounds {
		more, err := s.round(ctx, edit, again)
		var apart *UnpublishedError
		switch {
		case more:
			last = err
		case round > 0 && err != nil && !errors.As(err, &apart):
			return &UnpublishedError{s.head, err} // the change was made in the first round
		default:
			return err
		}
		if err := pause(ctx, round); err != nil {
			return &UnpublishedError{s.head, cmp.Or(last, err)}
		}
		edit = nil
	}
	return &UnpublishedError{s.head, cmp.Or(last, errCrowded)}
}

// lock takes the lock of the folder, which it makes.
func (c *Catalog) lock(ctx context.Context) (unlock func() error, err error) {
	if err := os.MkdirAll(c.cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	return lock(ctx, c.cfg.Dir)
}

// A settling is what is known while the lock is held.
type settling struct {
	c    *Catalog
	b    *blocks
	head venti.Head  // in place; zero if there is none
	list List        // of the heads taken in, and changed
	prev venti.Score // the root of the list that the next one follows; zero if there is none

	damaged *HeadError   // of the head in place; nil if it is not
	leave   func() error // gives the lock back

	above uint64               // what is written gets a higher number, too
	stamp uint64               // of the change, while whoever makes it knows about its snapshots; 0 if there is none
	known map[venti.Score]bool // the snapshots that were on the list when it was made

	wrote bool // the head in place is another one than in the beginning

	taken map[venti.Head]taken // the heads whose lists are a part of this one

	unpublished map[venti.Score]bool // the snapshots that are noted as that
	note        []byte               // in the folder; nil if there is none
	unread      error                // the note, why
}

// taken says what was on the list of a head that was taken in; without a sum, it is lost.
type taken struct {
	sum venti.Score          // of its stream
	has map[venti.Score]bool // the snapshots
}

// takenOf returns what is noted of a list; stream is its encoding.
func takenOf(l *List, stream []byte) taken {
	return taken{venti.Sum(stream), l.scores()}
}

// begin reads the head in place and its list. What it returns is good even with an error, which says what is missing.
func (c *Catalog) begin(ctx context.Context) (*settling, error) {
	s := &settling{c: c, b: newBlocks(&c.cfg), taken: map[venti.Head]taken{}}
	head, err := c.Head()
	if errors.Is(err, ErrNoHead) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	s.head, s.prev = head, head.Score
	s.taken[head] = taken{}
	if s.list, err = c.read(ctx, s.b, head.Score); err == nil {
		s.taken[head] = takenOf(&s.list, Encode(s.list))
	}
	return s, err
}

// round is steps 1 to 5 of settle. more says that another round is wanted; err is then why, or nil if others were quicker.
func (s *settling) round(ctx context.Context, edit editor, again bool) (more bool, err error) {
	var found []venti.Head
	var kept bool
	var unfound error
	if s.c.cfg.Heads != nil {
		found, kept, unfound = s.find(ctx)
		if err := ctx.Err(); err != nil {
			return false, err
		}
	}
	next, err := s.next()
	if err == nil && edit != nil {
		now := time.Now()
		s.stamp = next
		err = edit(&s.list, next, now)
		s.list.expire(now) // by a change only: else whoever reads a list would have another one
		s.known = s.list.scores()
	}
	if err != nil {
		return false, err
	}
	if s.forgotten() {
		s.stamp = 0
	}
	apart := errors.Join(unfound, s.unread)
	if apart == nil {
		apart = s.vet(ctx, found)
	}
	begin := time.Now()
	if err := s.write(ctx, next, begin); err != nil || s.c.cfg.Heads == nil {
		return false, err
	}
	if time.Since(begin) > longWrite {
		s.stamp = 0 // what was known of the change was known before that
		if unfound != nil {
			return true, unfound
		}
	}
	if apart == nil && (again || !kept || len(s.unpublished) > 0 || !slices.Contains(found, s.head)) {
		more, apart = s.publish(ctx, found)
	}
	if apart != nil {
		return false, &UnpublishedError{s.head, apart}
	}
	return more, nil
}

// next returns a number that is higher than any that was seen.
func (s *settling) next() (uint64, error) {
	high := max(s.above, s.list.stamp())
	for h := range s.taken {
		high = max(high, h.Sequence)
	}
	if high >= math.MaxInt64 {
		return 0, fmt.Errorf("catalog: number %d of a head leaves no room for another one", high)
	}
	return high + 1, nil
}

// write makes the list durable, and a head that leads to it the one in place: a new one with the sequence, unless one
// that was taken in leads to it already, and no other of its sequence is known.
func (s *settling) write(ctx context.Context, sequence uint64, now time.Time) error {
	if len(s.taken) == 0 && s.list.empty() {
		return nil
	}
	stream := Encode(s.list)
	if _, err := Decode(stream); err != nil {
		return fmt.Errorf("not stored, for it could not be read back: %w", err)
	}
	newest, alone, score := s.leading(venti.Sum(stream))
	next := newest
	if !alone {
		if score.IsZero() {
			if s.c.cfg.Store == nil {
				return errors.New("catalog: without a store, lists cannot be merged")
			}
			var err error
			if score, err = s.c.write(ctx, s.b, stream, s.prev); err != nil {
				return err
			}
		}
		next = s.c.cfg.Owner.SignHead(sequence, score, now)
	}
	if next == s.head {
		return nil
	}
	if err := s.c.replaceHead(s.head, next); err != nil {
		return err
	}
	s.head, s.prev, s.wrote = next, next.Score, true
	s.taken[next] = takenOf(&s.list, stream)
	return nil
}

// leading looks for heads that lead to a stream. alone says that newest is one, and the only head of the highest sequence
// among all that were taken in; score is the root of the list of any that is one.
func (s *settling) leading(stream venti.Score) (newest venti.Head, alone bool, score venti.Score) {
	for h, t := range s.taken {
		if t.sum == stream {
			score = h.Score
		}
		switch {
		case h.Sequence > newest.Sequence:
			newest, alone = h, t.sum == stream
		case h.Sequence == newest.Sequence:
			alone = false
		}
	}
	return newest, alone, score
}
