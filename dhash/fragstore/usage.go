package fragstore

import (
	"context"
	"fmt"

	"ventidhash/dhash"
	"ventidhash/venti/index"
)

// Use says what an owner has here. Bytes are those of encoded fragments; a fragment that several owners claim counts in
// full for each.
type Use struct {
	Fragments int64
	Bytes     int64
}

// counts are totals over rows.
type counts struct {
	claimed    Use // fragments that somebody claims
	trash      Use // fragments that nobody claims any more
	bad        Use // fragments known to be damaged; they count neither above nor for their owners
	diversions int64
}

// Stats says how much a store holds. Bytes are those of encoded fragments, but for the last four.
type Stats struct {
	Fragments  int64 // that somebody claims
	Bytes      int64
	Trash      int64 // fragments that nobody claims any more
	TrashBytes int64
	Bad        int64 // fragments known to be damaged
	Diversions int64
	Owners     int

	// Resurrected is how often trash was read since the store was opened, and kept for that: somebody needs what nobody
	// claims.
	Resurrected int64

	Capacity   int64 // as configured
	Free       int64 // how much more may be stored: by the capacity, or by the disk if that has less
	ArenaBytes int64 // on the disk
	IndexBytes int64 // on the disk
}

// Stats returns how much the store holds. It adds up the sizes of the index's files and reads nothing else.
func (s *Store) Stats() Stats {
	s.mu.Lock()
	st := Stats{
		Fragments: s.count.claimed.Fragments, Bytes: s.count.claimed.Bytes,
		Trash: s.count.trash.Fragments, TrashBytes: s.count.trash.Bytes,
		Bad: s.count.bad.Fragments, Diversions: s.count.diversions, Owners: len(s.owners),
		Capacity: s.cfg.Capacity, ArenaBytes: s.used,
	}
	s.mu.Unlock()
	st.Resurrected = s.revived.Load()
	st.Free = s.Free()
	st.IndexBytes = s.x.Bytes()
	return st
}

// Free returns how many more bytes may be stored; it is never negative.
func (s *Store) Free() int64 {
	s.mu.Lock()
	free := s.cfg.Capacity - s.used
	s.mu.Unlock()
	if disk, _, err := s.room.Free(); err == nil {
		free = min(free, disk)
	}
	return max(0, free)
}

// Owner returns what an owner has here; one that has handed over has nothing.
func (s *Store) Owner(o dhash.Owner) Use {
	h := s.heirs.Load()
	if h.heir(o) != o {
		return Use{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.use(h.line(o))
}

func (u *Use) add(fragments, bytes int64) {
	u.Fragments += fragments
	u.Bytes += bytes
}

// account adds a row to the totals, or takes it out of them if sign is -1. The caller holds mu.
func (s *Store) account(r *row, sign int64) {
	bytes := sign * r.size()
	switch {
	case r.bad:
		s.count.bad.add(sign, bytes)
		return
	case r.claims.trash():
		s.count.trash.add(sign, bytes)
		return
	}
	s.count.claimed.add(sign, bytes)
	for i := range r.claims.of {
		o := r.claims.of[i].Owner
		u := s.owners[o]
		u.add(sign, bytes)
		if u.Fragments > 0 {
			s.owners[o] = u
		} else {
			delete(s.owners, o)
		}
	}
}

// recount replaces a row by another in the totals; either may be nil.
func (s *Store) recount(old, new *row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old != nil {
		s.account(old, -1)
	}
	if new != nil {
		s.account(new, 1)
	}
}

// countAll adds up the rows of the index.
func (s *Store) countAll(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used, s.count = 0, counts{}
	clear(s.owners)
	for _, seg := range s.arena.Segments() {
		s.used += seg.Size
	}
	return s.x.Walk(ctx, nil, nil, func(key []byte, x index.Row, err error) error {
		if err != nil {
			return fmt.Errorf("counting fragments: %w: %w", errRow, err)
		}
		if len(key) > 0 && key[0] == rowDiversion {
			s.count.diversions++
			return nil
		}
		r, err := parseRow(key, x)
		if err != nil {
			return fmt.Errorf("counting fragments: %w", err)
		}
		if _, there := s.arena.Segment(r.loc.Segment); there {
			s.account(&r, 1)
		}
		return nil
	})
}
