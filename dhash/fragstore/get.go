package fragstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
	"ventidhash/venti/arena"
)

// Held is a fragment that is here, as far as the index says.
type Held struct {
	Name
	Code   dhash.Code
	Length int           // of the block, in bytes
	Size   int64         // of the encoded fragment, in bytes
	Claims []dhash.Claim // of whoever needs it; none if it is trash
}

// Trash reports whether nobody claims the fragment any more.
func (h Held) Trash() bool { return len(h.Claims) == 0 }

// Have returns, in the order of scores, which fragments of each block are here: those that are claimed first, and among
// them those whose coding more owners claim. It looks them up and does not read them. Fragments known to be damaged are
// left out.
func (s *Store) Have(ctx context.Context, scores []venti.Score) ([][]Held, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	out := make([][]Held, len(scores))
	for i, score := range scores {
		rows, err := s.good(ctx, score)
		if err != nil {
			return nil, fmt.Errorf("looking for fragments of %s: %w", score.Short(), unavailable(err))
		}
		for _, r := range rows {
			out[i] = append(out[i], s.held(&r))
		}
	}
	return out, nil
}

// good returns the rows of a block's fragments that are not known to be damaged, the best first.
func (s *Store) good(ctx context.Context, score venti.Score) ([]row, error) {
	rows, err := s.ofScore(ctx, score)
	rows = slices.DeleteFunc(rows, func(r row) bool { return r.bad })
	slices.SortStableFunc(rows, func(a, b row) int { return len(b.claims.of) - len(a.claims.of) })
	return rows, err
}

// Get returns a fragment of a block, encoded, and what it is: the first in the order of Have that pick accepts and that
// can be read. A nil pick accepts all. It is verified against the checksum of its record; one that turns out to be damaged is
// noted, is not listed any more, and is replaced by the next Put. Trash that is read stays for another Config.TrashAge,
// and is counted (Stats.Resurrected): what somebody needs may have been released by mistake. Who reads only to check
// should have pick leave trash out.
//
// The fragment is read into buf if that is large enough, which dhash.MaxFragment and MaxOverhead more bytes always are,
// and else into a new buffer.
//
// Errors wrap dhash.ErrNoFragment if there is none that pick accepts, venti.ErrCorrupt if all that there are are
// damaged, and venti.ErrUnavailable if the disk fails.
func (s *Store) Get(ctx context.Context, score venti.Score, pick func(Held) bool, buf []byte) ([]byte, Held, error) {
	if err := s.enter(ctx); err != nil {
		return nil, Held{}, err
	}
	defer s.leave()
	rows, err := s.good(ctx, score)
	if err != nil {
		return nil, Held{}, fmt.Errorf("reading a fragment of %s: %w", score.Short(), unavailable(err))
	}
	err = errNone(score)
	for _, r := range rows {
		h := s.held(&r)
		if pick != nil && !pick(h) {
			continue
		}
		encoded, rerr := s.read(ctx, r, buf)
		if rerr == nil {
			if h.Trash() {
				s.revive(ctx, r.name)
			}
			return encoded, h, nil
		}
		if ctx.Err() != nil {
			return nil, Held{}, ctx.Err()
		}
		err = fmt.Errorf("reading %v: %w", r.name, unavailable(rerr))
	}
	return nil, Held{}, err
}

// revive notes that somebody read trash: it stays for as long as if it had been released now. Once in a while is enough,
// and what cannot be written is no failure of the reader's.
func (s *Store) revive(ctx context.Context, n Name) {
	s.revived.Add(1)
	now, grain := s.now(), int64(s.cfg.trashAge()/time.Second)/30
	_, _, err := s.change(ctx, n, func(c claims) (claims, bool) { return trashed(now), c.trash() && now-c.since > grain })
	if err != nil {
		s.log.Warn("trash that is read could not be kept for longer", slog.Any("fragment", n), slog.Any("err", err))
	}
	s.x.FlushSoon()
}

// errNone is what reading a fragment ends with that is not here.
func errNone(score venti.Score) error {
	return fmt.Errorf("%w: of block %s", dhash.ErrNoFragment, score.Short())
}

// MaxOverhead is how many bytes a stored fragment is longer than the encoded one, at most.
const MaxOverhead = recordHeader + recordLen + 16 + maxOwners*claimSize

// read reads the fragment of r and verifies it.
func (s *Store) read(ctx context.Context, r row, buf []byte) ([]byte, error) {
	for try := 0; ; try++ {
		encoded, err := s.readAt(r.name, r.loc, buf)
		switch {
		case errors.Is(err, arena.ErrGone) && try < 8: // moved since we looked
			now, ok, err := s.find(ctx, r.name)
			if err != nil {
				return nil, err
			}
			if !ok {
				return nil, errNone(r.name.Score)
			}
			r = now
			continue
		case errors.Is(err, venti.ErrCorrupt):
			_, merr := s.markBad(ctx, r.name.rowKey(rowFragment), r.loc)
			return nil, errors.Join(err, merr)
		}
		return encoded, err
	}
}

// readAt reads the record at loc, which is to hold a fragment. An error that wraps venti.ErrCorrupt says that it does
// not.
func (s *Store) readAt(n Name, loc arena.Loc, buf []byte) ([]byte, error) {
	rec, err := s.arena.Read(loc, buf)
	if errors.Is(err, arena.ErrDamaged) {
		return nil, fmt.Errorf("%w: %w", venti.ErrCorrupt, err)
	}
	if err != nil {
		return nil, err
	}
	if !isOf(rec, n) {
		return nil, errElsewhere(loc)
	}
	// The payload was checked against the coding when it came. That it still is what came, its checksum tells at a tenth
	// of the cost; the hashes are for the reader and for Scrub.
	_, f, encoded, err := parseFragmentData(rec.Data)
	if err == nil {
		err = rec.Check()
	}
	if err == nil && (f.Score != n.Score || f.Index != n.Index) {
		err = errRecord
	}
	if err != nil {
		return nil, errAt(loc, err)
	}
	return encoded, nil
}

func isOf(rec arena.Record, n Name) bool {
	return rec.Kind == kindFragment && string(rec.Key) == string(n.recordKey())
}

func errElsewhere(loc arena.Loc) error {
	return fmt.Errorf("%w: another record stands at segment %08x, offset %d", venti.ErrCorrupt, loc.Segment, loc.Offset)
}

func errAt(loc arena.Loc, err error) error {
	return fmt.Errorf("%w: segment %08x, offset %d: %w", venti.ErrCorrupt, loc.Segment, loc.Offset, err)
}

// verify returns the encoded fragment in a record, checked against its coding, or an error that wraps venti.ErrCorrupt.
func verify(n Name, loc arena.Loc, rec arena.Record) ([]byte, error) {
	if !isOf(rec, n) {
		return nil, errElsewhere(loc)
	}
	r, encoded, err := parseFragmentRecord(n, loc, rec)
	if err == nil && r.name != n {
		err = errors.New("the payload is not the coding's")
	}
	if err != nil {
		return nil, errAt(loc, err)
	}
	return encoded, nil
}

// markBad notes that what stands at loc is not the fragment, unless the row points elsewhere by now, and reports
// whether it did.
func (s *Store) markBad(ctx context.Context, key []byte, loc arena.Loc) (bool, error) {
	defer s.x.Lock(key).Unlock()
	r, ok, err := s.byKey(ctx, key)
	if err != nil || !ok || r.loc != loc || r.bad {
		return false, err
	}
	s.bad(key, r.indexRow())
	return true, nil
}

// Walk calls fn for each fragment here whose block has a position from from to to, both included, in the order of
// positions, trash too, but none that is known to be damaged. An error from fn ends the walk and is returned. What is
// stored meanwhile may be missed.
func (s *Store) Walk(ctx context.Context, from, to dhash.Key, fn func(Held) error) error {
	return s.walk(ctx, from, to, func(r *row) bool { return !r.bad }, fn)
}

// Bad calls fn for each fragment that is known to be damaged and that somebody claims, as the index has it, in the order
// of positions: so that it can be made again and put. An error from fn ends the walk and is returned.
func (s *Store) Bad(ctx context.Context, fn func(Held) error) error {
	return s.walk(ctx, dhash.Key{}, dhash.LastKey(), func(r *row) bool { return r.bad && !r.claims.trash() }, fn)
}

// walk calls fn for the fragments in a range that are wanted.
func (s *Store) walk(ctx context.Context, from, to dhash.Key, want func(*row) bool, fn func(Held) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	err := s.rows(ctx, from, to, func(r *row) error {
		if !want(r) {
			return nil
		}
		if err := fn(s.held(r)); err != nil {
			return walkEnd{err}
		}
		return nil
	})
	var end walkEnd
	switch {
	case errors.As(err, &end):
		return end.error
	case err != nil:
		return fmt.Errorf("walking over the fragments: %w", unavailable(err))
	}
	return nil
}

// A walkEnd is an error of the caller's that ends a walk.
type walkEnd struct{ error }
