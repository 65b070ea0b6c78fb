package fragstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"ventidhash/dhash/claim"
	"ventidhash/venti"
	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

// CompactReport says what Compact did.
type CompactReport struct {
	Freed        int64 // fragments
	BytesFreed   int64 // given back to the file system, less what was written anew
	BytesCopied  int64
	BytesWaiting int64 // trash that stays: it is too young, or too little of it lies in one segment
	Damaged      int64 // records that could not be read and were not copied

	// Paused is why no trash was freed, however old; claim.NoReason if nothing stood against it.
	Paused claim.Reason
}

// Compact frees the fragments that have been trash for as long as Config.TrashAge says, and gives the space of these, of
// damaged ones that nobody claims and of old claims back to the file system, where a segment is mostly dead or at least a tenth of it is.
// It needs room for one segment at a time. It may be interrupted at any time, also by a crash, and loses nothing.
//
// env is what Observe returned. While it says that nothing is to be given up now (claim.Environment.Pause), trash stays;
// without the store's marker nothing is touched. Who claims a fragment is looked at again under its lock before it goes.
// Its time counts alone: trash from the future, which a clock that jumped leaves, stays too.
func (s *Store) Compact(ctx context.Context, env claim.Environment) (CompactReport, error) {
	if err := s.enter(ctx); err != nil {
		return CompactReport{}, err
	}
	defer s.leave()
	s.tend.Lock()
	defer s.tend.Unlock()
	before := env.Now.Add(-s.cfg.trashAge()).Unix()
	env.Unmarked = env.Unmarked || s.unmarked()
	paused, _ := env.Pause(s.cfg.Limits)
	switch paused {
	case claim.NoReason:
	case claim.PausedMarker:
		return CompactReport{Paused: paused}, nil
	default:
		before = math.MinInt64
	}
	rep, err := s.x.Compact(ctx, index.Compaction{
		MinDead: 0.1,
		Life:    func(key []byte, x index.Row) index.Life { return life(key, x, before) },
		Copy:    s.copy,
		Bad:     s.bad,
		Beside:  beside,
		Gone: func(key []byte, x index.Row) {
			if r, err := parseRow(key, x); err == nil {
				s.recount(&r, nil)
			}
		},
		Step: s.step,
	})
	s.mu.Lock()
	s.used = 0
	for _, seg := range s.arena.Segments() {
		s.used += seg.Size
	}
	s.mu.Unlock()
	if err != nil {
		err = fmt.Errorf("freeing what nobody needs: %w", unavailable(err))
	}
	return CompactReport{
		Freed: rep.RowsFreed, BytesFreed: rep.BytesFreed, BytesCopied: rep.BytesCopied, BytesWaiting: rep.BytesWaiting,
		Damaged: rep.Damaged, Paused: paused,
	}, err
}

// life says what is to become of the record of a row. Anything but a fragment that has been trash since a time before
// the given one is kept.
func life(key []byte, x index.Row, before int64) index.Life {
	r, err := parseRow(key, x)
	switch {
	case err != nil || !r.claims.trash():
		return index.Kept
	case r.claims.since <= before:
		return index.Dead
	}
	return index.Waiting
}

// beside returns in which segment the row of a fragment needs a claims record. It needs that even when the fragment is
// dead: until the fragment's own segment is gone, a new index would find it claimed again.
func beside(key []byte, x index.Row) (segment uint32, bytes int64) {
	r, err := parseRow(key, x)
	if err != nil || r.at == (place{}) {
		return 0, 0
	}
	return r.at.segment, recordSize(1 + r.claims.size())
}

// copy writes anew what r needs of a record (index.Compaction).
func (s *Store) copy(_ context.Context, key []byte, x index.Row, loc arena.Loc, rec arena.Record) (int64, error) {
	if len(key) > 0 && key[0] == rowDiversion {
		if x.Loc != loc {
			return 0, nil
		}
		if err := rec.Check(); err != nil {
			s.bad(key, x)
			return 0, err
		}
		to, err := s.x.Append(rec.Kind, rec.Key, rec.Data, key, x)
		return int64(to.Length), err
	}
	r, err := parseRow(key, x)
	if err != nil {
		return 0, err
	}
	if r.loc != loc {
		if r.at.segment != loc.Segment || r.at != placeOf(loc) && rec.Key != nil {
			return 0, nil // not the newest word on who claims the fragment
		}
		return recordSize(1 + r.claims.size()), s.appendClaims(r)
	}
	encoded, err := verify(r.name, loc, rec)
	if errors.Is(err, venti.ErrCorrupt) {
		if r.bad && r.claims.trash() {
			s.drop(key, r)
			return 0, nil
		}
		s.bad(key, x)
		return 0, fmt.Errorf("%w: %w", arena.ErrDamaged, err)
	}
	if err != nil {
		return 0, err
	}
	now := r
	now.bad, now.at = false, place{}
	data := appendFragmentData(nil, now.claims, encoded)
	to, err := s.x.Append(kindFragment, r.name.recordKey(), data, key, now.indexRow())
	if err == nil {
		s.recount(&r, &now)
	}
	return int64(to.Length), err
}

// bad notes that the record of a row is damaged. The row stays, so that the fragment can be made again with its claims,
// until that was done or nobody claims it any more; until then its segment stays too.
func (s *Store) bad(key []byte, x index.Row) {
	r, err := parseRow(key, x)
	if err != nil { // a diversion: a hint
		s.x.Remove(key)
		s.mu.Lock()
		s.count.diversions--
		s.mu.Unlock()
		return
	}
	if r.bad {
		return
	}
	s.log.Warn("a stored fragment is damaged", slog.Any("fragment", r.name), slog.Any("place", r.loc))
	now := r
	now.bad = true
	s.x.Set(key, now.indexRow())
	s.recount(&r, &now)
}

// drop forgets a damaged fragment that nobody claims.
func (s *Store) drop(key []byte, r row) {
	s.log.Warn("a damaged fragment that nobody claims is dropped", slog.Any("fragment", r.name), slog.Any("place", r.loc))
	s.x.Remove(key)
	s.recount(&r, nil)
}
