package fragstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/venti"
	"ventidhash/venti/index"
)

// Settle does what an owner's statement says (package claim), or has it wait, or refuses it; the answer says which, and
// goes back to the owner. env is what Observe returned. What it answers is durable.
//
// A statement that takes claims away does so wholly: where it is interrupted, by an error or a crash, the same statement
// sent again is carried on, and once it was carried out it is answered without doing anything. Claims that are made
// while it runs are not touched. The statements of one owner are dealt with one at a time, and so are those of all
// owners that take claims away; a heartbeat does not wait for these.
//
// Errors wrap claim.ErrStatement if raw is no statement to this member in its swarm, dhash.ErrFull or
// venti.ErrUnavailable if the disk fails.
func (s *Store) Settle(ctx context.Context, raw []byte, env claim.Environment) (claim.Answer, error) {
	st, err := claim.Parse(raw, s.cfg.Swarm, s.cfg.Member)
	if err == nil && s.cfg.Swarm == [32]byte{} {
		err = fmt.Errorf("%w: this store belongs to no swarm", claim.ErrStatement)
	}
	if err != nil {
		return claim.Answer{}, fmt.Errorf("settling: %w", err)
	}
	if err := s.enter(ctx); err != nil {
		return claim.Answer{}, err
	}
	defer s.leave()
	var a claim.Answer
	if st.Kind == claim.HandOver {
		a, err = s.succeed(ctx, st, env)
	} else {
		a, err = s.settle(ctx, st, env)
	}
	if err != nil {
		return claim.Answer{}, fmt.Errorf("settling a %v, number %d: %w", st.Kind, st.Number, unavailable(err))
	}
	return a, nil
}

// settle is Settle for all but hand-overs.
func (s *Store) settle(ctx context.Context, st *claim.Statement, env claim.Environment) (claim.Answer, error) {
	if err := s.hold(ctx, st.Owner); err != nil {
		return claim.Answer{}, err
	}
	defer s.unhold(st.Owner)
	env.Unmarked = env.Unmarked || s.unmarked()
	book, known := s.book(st.Owner)
	if !known {
		if s.Owner(st.Owner).Fragments == 0 {
			return claim.Answer{Verdict: claim.Refused, Reason: claim.NoClaims, Now: env.Now}, nil
		}
		book = claim.NewBook(st.Owner, env.Now)
	}
	d, more := claim.Screen(book, st, env, s.cfg.Limits)
	if more {
		if err := acquire(ctx, s.listing); err != nil {
			return claim.Answer{}, err
		}
		defer func() { <-s.listing }()
		release, err := s.concerned(ctx, st, func(*row) error { return nil })
		if err != nil {
			return claim.Answer{}, err
		}
		use := s.Owner(st.Owner)
		d = claim.Decide(book, st, claim.Totals{Claims: use.Fragments, Bytes: use.Bytes, Release: release.Fragments,
			ReleaseB: release.Bytes}, env, s.cfg.Limits)
	}
	if d.Changed || !known {
		if err := s.setBook(d.Book); err != nil {
			return claim.Answer{}, err
		}
	}
	if d.Apply {
		released, err := s.letGo(ctx, st, env)
		if err != nil {
			return claim.Answer{}, err
		}
		d.Answer.Fragments, d.Answer.Bytes = released.Fragments, released.Bytes
		settled := d.Book.Settle(st, released.Fragments, released.Bytes)
		if err := s.setBook(settled); err != nil {
			return claim.Answer{}, err
		}
		d.Answer.Waiting = settled.Pending
	}
	use := s.Owner(st.Owner)
	d.Answer.Claims, d.Answer.ClaimBytes = use.Fragments, use.Bytes
	return d.Answer, nil
}

// letGo takes away the claims that a statement releases, and returns how many good fragments that were. It returns when
// that is durable.
func (s *Store) letGo(ctx context.Context, st *claim.Statement, env claim.Environment) (released Use, err error) {
	if err := s.at("begun"); err != nil {
		return Use{}, err
	}
	_, err = s.concerned(ctx, st, func(r *row) error {
		was, ok, err := s.releaseOne(ctx, st.Owner, r.name, st.Before.Unix(), env.Now.Unix())
		if err != nil {
			return err
		}
		if ok && !was.bad {
			released.add(1, was.size())
		}
		if s.x.FlushSoon(); ok {
			return s.at("released")
		}
		return nil
	})
	if err = errors.Join(err, s.commit(ctx)); err != nil {
		return Use{}, err
	}
	return released, s.at("settled")
}

// at calls what a test wants to have called.
func (s *Store) at(step string) error {
	if s.step == nil {
		return nil
	}
	return s.step(step)
}

// concerned calls fn for each fragment whose claim a statement takes away, and returns how many good ones they are.
func (s *Store) concerned(ctx context.Context, st *claim.Statement, fn func(*row) error) (all Use, err error) {
	whole := s.heirs.Load().line(st.Owner)
	look := func(r *row) error {
		at, has := r.claims.latest(whole)
		if !has || at >= st.Before.Unix() {
			return nil
		}
		if !r.bad {
			all.add(1, r.size())
		}
		return fn(r)
	}
	if st.Kind == claim.Retain {
		return all, s.rows(ctx, st.From, st.To, func(r *row) error {
			if amid(r.name.Score, st.Scores) {
				return nil
			}
			return look(r)
		})
	}
	for _, score := range st.Scores {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		rows, err := s.ofScore(ctx, score)
		if err != nil {
			return all, err
		}
		for i := range rows {
			if err := look(&rows[i]); err != nil {
				return all, err
			}
		}
	}
	return all, nil
}

// amid reports whether a score is among those of a list that ascends.
func amid(score venti.Score, list []venti.Score) bool {
	_, ok := slices.BinarySearchFunc(list, score, func(a, b venti.Score) int { return bytes.Compare(a[:], b[:]) })
	return ok
}

// rows calls fn for each row whose block has a position from from to to, both included, and whose segment exists.
func (s *Store) rows(ctx context.Context, from, to dhash.Key, fn func(*row) error) error {
	first := append([]byte{rowFragment}, from[:positionLen]...)
	last := append([]byte{rowFragment}, to[:positionLen]...)
	for len(last) < index.MaxKey {
		last = append(last, 0xff) // behind all rows of the position
	}
	return s.x.Walk(ctx, first, last, func(key []byte, x index.Row, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		r, there, err := s.placed(ctx, key, x)
		at := dhash.KeyOf(r.name.Score)
		if err != nil || !there || bytes.Compare(at[:], from[:]) < 0 || bytes.Compare(at[:], to[:]) > 0 {
			return err
		}
		return fn(&r)
	})
}
