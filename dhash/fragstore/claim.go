package fragstore

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

var errOwners = fmt.Errorf("%w: %d owners claim the fragment, and no more can", dhash.ErrQuota, maxOwners)

// claim adds claims to a fragment that is there, or makes them anew: what a claim is worth to a statement of its owner
// depends on when it was made last. rows are those of all fragments of the block. The caller holds its lock.
func (s *Store) claim(list []dhash.Claim, r row, rows []row) error {
	at := s.now()
	if !slices.ContainsFunc(list, func(c dhash.Claim) bool { return !r.claims.has(c, at) }) {
		return nil
	}
	list, err := s.heirs.Load().allowed(list, &r, rows)
	if err != nil {
		return err
	}
	now := r
	size, err := s.admit(&r, &now, list, false)
	if err != nil {
		return err
	}
	if err := s.appendClaims(now); err != nil {
		s.withdraw(&r, &now, size)
		return full(err)
	}
	return nil
}

// appendClaims writes a record of who claims the fragment of r, whose lock the caller holds.
func (s *Store) appendClaims(r row) error {
	data := appendClaimsData(nil, r.claims)
	_, err := s.x.AppendState(kindClaims, r.name.recordKey(), data, r.name.rowKey(rowFragment), func(at arena.Loc) index.Row {
		r.at = placeOf(at)
		return r.indexRow()
	})
	return err
}

// A Marked is a fragment with the mark of an owner's claim on it.
type Marked struct {
	Name
	Mark [16]byte
}

// Claim adds an owner's claims to fragments that are here, and reports for each whether it is: an owner whose
// blocks are here already need not send them again. It returns when the claims are durable. Errors wrap dhash.ErrQuota,
// dhash.ErrHandedOver or venti.ErrUnavailable; claims before the failing one may have been made.
func (s *Store) Claim(ctx context.Context, owner dhash.Owner, marks []Marked) ([]bool, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	if err := s.handedOver(owner); err != nil {
		return nil, fmt.Errorf("claiming: %w", err)
	}
	here := make([]bool, len(marks))
	for i, m := range marks {
		ok, err := s.claimOne(ctx, dhash.Claim{Owner: owner, Mark: m.Mark}, m.Name)
		if err != nil {
			return nil, fmt.Errorf("claiming %v: %w", m.Name, unavailable(err))
		}
		here[i] = ok
	}
	return here, s.commit(ctx)
}

func (s *Store) claimOne(ctx context.Context, claim dhash.Claim, n Name) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	defer s.x.Lock(n.rowKey(rowFragment)).Unlock()
	rows, err := s.ofScore(ctx, n.Score)
	if err != nil {
		return false, err
	}
	r := named(rows, n)
	if r == nil || r.bad {
		return false, nil
	}
	return true, s.claim([]dhash.Claim{claim}, *r, rows)
}

// sync makes durable what was appended, together with what others append at the same time.
func (s *Store) sync(ctx context.Context) error {
	return s.gather.join(ctx)
}

// commit makes durable what was appended.
func (s *Store) commit(ctx context.Context) error {
	s.x.FlushSoon()
	if err := s.sync(ctx); err != nil {
		return fmt.Errorf("syncing the fragments: %w", unavailable(err))
	}
	return nil
}

// Release takes back an owner's claims at the given time, and returns how many there were. A fragment that nobody
// claims any more is trash: it can still be read, is listed as trash, and is taken back into use when it is put or
// claimed. Compact frees it in the end. Release returns when all is durable; it works in a full store too.
//
// It has no brakes: owners' own words go through Settle.
func (s *Store) Release(ctx context.Context, owner dhash.Owner, names []Name, now time.Time) (released int, err error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	for _, n := range names {
		_, ok, err := s.releaseOne(ctx, owner, n, math.MaxInt64, now.Unix())
		if err != nil {
			return released, fmt.Errorf("releasing %v: %w", n, unavailable(err))
		}
		if ok {
			released++
		}
	}
	return released, s.commit(ctx)
}

// releaseOne takes back an owner's claim if it was made before a time, in seconds since 1970, and returns the row as it was.
func (s *Store) releaseOne(ctx context.Context, owner dhash.Owner, n Name, before, now int64) (row, bool, error) {
	whole := s.heirs.Load().line(owner)
	return s.change(ctx, n, func(c claims) (claims, bool) {
		at, has := c.latest(whole)
		if !has || at >= before {
			return c, false
		}
		return c.release(whole, now), true
	})
}

// change writes anew who claims a fragment, if it is here and f, which is given who does, wants that. It returns the row
// as it was, and whether it was changed.
func (s *Store) change(ctx context.Context, n Name, f func(claims) (claims, bool)) (row, bool, error) {
	if err := ctx.Err(); err != nil {
		return row{}, false, err
	}
	defer s.x.Lock(n.rowKey(rowFragment)).Unlock()
	r, ok, err := s.find(ctx, n)
	if err != nil || !ok {
		return row{}, false, err
	}
	left := r
	if left.claims, ok = f(r.claims); !ok {
		return r, false, nil
	}
	size := recordSize(1 + left.claims.size())
	if err := s.appendClaims(left); err != nil {
		return row{}, false, full(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.move(&r, &left, size)
	return r, true, nil
}

// Trim gives up all claims on fragments of which this member holds one too many, since others hold them, at the given
// time, and returns on how many there were any. They are trash from then on, like those that their owners released.
// Trim returns when all is durable.
func (s *Store) Trim(ctx context.Context, names []Name, now time.Time) (trimmed int, err error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	for _, n := range names {
		_, ok, err := s.change(ctx, n, func(c claims) (claims, bool) { return trashed(now.Unix()), !c.trash() })
		if err != nil {
			return trimmed, fmt.Errorf("trimming %v: %w", n, unavailable(err))
		}
		if ok {
			trimmed++
		}
	}
	return trimmed, s.commit(ctx)
}
