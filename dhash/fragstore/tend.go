package fragstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
)

// Lent says how an owner stands with this member. Times are by the member's clock.
type Lent struct {
	Owner dhash.Owner
	Use
	State     claim.State
	Heartbeat time.Time // the last one; zero if none is known
	Kept      time.Time // until when the claims are kept without another one
	Waiting   int       // statements that wait for a confirmation
}

// Lent returns how all owners stand that have claims here, by owner.
func (s *Store) Lent() []Lent {
	uses := s.Owners()
	s.booksMu.Lock()
	defer s.booksMu.Unlock()
	now := time.Unix(s.now(), 0).UTC()
	out := make([]Lent, 0, len(uses))
	for o, use := range uses {
		book, known := s.books[o]
		if !known {
			book = claim.NewBook(o, now)
		}
		_, state := book.Watch(s.clock, now, s.cfg.Limits)
		out = append(out, Lent{Owner: o, Use: use, State: state, Heartbeat: book.Heartbeat, Kept: book.Kept(s.cfg.Limits),
			Waiting: len(book.Pending)})
	}
	slices.SortFunc(out, func(a, b Lent) int { return bytes.Compare(a.Owner[:], b.Owner[:]) })
	return out
}

// TendReport says what Tend did.
type TendReport struct {
	Lapsed   int           // owners who have not been heard of for a term
	Orphaned []dhash.Owner // and for the grace period after it
	Dropped  Use           // fragments that became trash because their owners are orphaned and the disk is full
	Paused   claim.Reason  // why nothing could be dropped; claim.NoReason if nothing stood against it
}

// Tend looks after the books: it opens one on each owner that has claims and is not known, so that its term begins, notes
// who has lapsed, and forgets owners who have nothing here any more. When the room is nearly used up it drops the claims
// of orphaned owners, those first who were silent for longest, until what will be free once the trash is gone is enough.
// env is what Observe returned. Tend is called now and then, a few times a day.
func (s *Store) Tend(ctx context.Context, env claim.Environment) (rep TendReport, err error) {
	if err := s.enter(ctx); err != nil {
		return rep, err
	}
	defer s.leave()
	env.Unmarked = env.Unmarked || s.unmarked()
	rep.Paused, _ = env.Pause(s.cfg.Limits)
	orphans, err := s.watch(ctx, env, &rep)
	if err == nil && rep.Paused == claim.NoReason {
		rep.Dropped, err = s.dropOrphans(ctx, orphans, env)
	}
	if err != nil {
		err = fmt.Errorf("tending the claims: %w", unavailable(err))
	}
	return rep, err
}

// watch brings the books up to date and returns the orphaned owners, those first who were silent for longest.
func (s *Store) watch(ctx context.Context, env claim.Environment, rep *TendReport) ([]dhash.Owner, error) {
	all := s.Owners()
	s.booksMu.Lock()
	for o := range s.books {
		all[o] = Use{}
	}
	s.booksMu.Unlock()
	var orphans []claim.Book
	for o := range all {
		b, state, err := s.watchOne(ctx, o, env)
		if err != nil {
			return nil, err
		}
		if state != claim.Active {
			rep.Lapsed++
		}
		if state == claim.Orphaned {
			orphans = append(orphans, b)
		}
	}
	slices.SortFunc(orphans, func(a, b claim.Book) int {
		return cmp.Or(a.Since.Compare(b.Since), bytes.Compare(a.Owner[:], b.Owner[:]))
	})
	for _, b := range orphans {
		rep.Orphaned = append(rep.Orphaned, b.Owner)
	}
	return rep.Orphaned, nil
}

// watchOne brings the book on an owner up to date, opens it if there is none, and forgets it if there is nothing in it.
func (s *Store) watchOne(ctx context.Context, o dhash.Owner, env claim.Environment) (claim.Book, claim.State, error) {
	if err := s.hold(ctx, o); err != nil {
		return claim.Book{}, claim.Active, err
	}
	defer s.unhold(o)
	was, known := s.book(o)
	if !known {
		was = claim.NewBook(o, env.Now)
	}
	s.booksMu.Lock()
	b, state := was.Watch(s.clock, env.Now, s.cfg.Limits)
	s.booksMu.Unlock()
	switch {
	case was.Heir != (dhash.Owner{}):
		return b, claim.Active, s.tendHeir(was, env.Now)
	case s.Owner(o).Fragments == 0 && !known:
		return b, claim.Active, nil
	case s.Owner(o).Fragments == 0 && b.Idle(env.Now):
		return b, claim.Active, s.dropBook(o)
	case known && b.Since.Equal(was.Since) && b.Lapsed.Equal(was.Lapsed):
		return b, state, nil
	}
	if was.Lapsed.IsZero() && state != claim.Active {
		s.log.Warn("an owner was not heard of for a term; its claims are kept for now",
			slog.String("owner", hex.EncodeToString(o[:])), slog.Time("since", b.Since))
	}
	return b, state, s.setBook(b)
}

// tendHeir forgets that an owner has handed over once nothing of the heir, or of others who have handed over to it, is here
// or known. The caller holds the book.
func (s *Store) tendHeir(b claim.Book, now time.Time) error {
	end := s.Heir(b.Owner)
	if _, known := s.book(end); known || s.Owner(end).Fragments > 0 || !b.Idle(now) {
		return nil
	}
	return s.dropBook(b.Owner)
}

// pressure returns how many bytes have to be free, trash counted as free: a twentieth of what the member lends.
func (s *Store) pressure() int64 { return s.cfg.Capacity / 20 }

var errRoom = errors.New("there is room enough")

// dropOrphans takes the claims of owners away until there is room.
func (s *Store) dropOrphans(ctx context.Context, orphans []dhash.Owner, env claim.Environment) (dropped Use, err error) {
	if len(orphans) == 0 {
		return Use{}, nil
	}
	if err := acquire(ctx, s.listing); err != nil {
		return Use{}, err
	}
	defer func() { <-s.listing }()
	changed := false
	for _, o := range orphans {
		need := s.pressure() - s.Free() - s.Stats().TrashBytes
		if need <= 0 {
			break
		}
		err := s.rows(ctx, dhash.Key{}, dhash.LastKey(), func(r *row) error {
			whole := s.heirs.Load().line(o)
			if r.claims.among(whole) == 0 {
				return nil
			}
			was, ok, err := s.releaseOne(ctx, o, r.name, math.MaxInt64, env.Now.Unix())
			if err != nil || !ok {
				return err
			}
			changed = true
			s.x.FlushSoon()
			if was.claims.among(whole) == len(was.claims.of) && !was.bad {
				dropped.add(1, was.size())
				need -= was.size()
			}
			if need <= 0 {
				return errRoom
			}
			return nil
		})
		if err != nil && !errors.Is(err, errRoom) {
			return dropped, errors.Join(err, s.commit(ctx))
		}
		s.log.Warn("claims of an owner who is gone were dropped, for room is needed",
			slog.String("owner", hex.EncodeToString(o[:])), slog.Int64("fragments", dropped.Fragments))
	}
	if !changed {
		return dropped, nil
	}
	return dropped, s.commit(ctx)
}
