package disk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"

	"ventidhash/venti"
	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

// Damage is something that Verify found.
type Damage struct {
	Score   venti.Score // the block; zero if nothing tells which one it was
	Segment uint32      // where it lies, in the arenas
	Offset  uint32
	Length  uint32
	Err     error // what is wrong; wraps venti.ErrCorrupt if a block is lost
}

// VerifyReport sums up what Verify looked at.
type VerifyReport struct {
	Blocks   int64 // rows of the index
	Records  int64 // records in the arenas that could be read
	Bytes    int64 // of those records
	Missing  int64 // rows that the index lacked and has now
	Dangling int64 // rows that pointed at nothing and are gone now
	Damaged  int64 // damaged records, also of blocks that are there twice or that nobody needs
}

// Verify compares the index with the arenas, row by row and record by record, and puts the index right. It also reads
// the blocks for which read returns true, and compares each with its score; nil stands for none. A caller that has just
// got a block from the store need not have it read again; a record that is not the one that Get reads is read in any
// case, unless read is nil. fn hears of each damage; it may be nil.
//
// A block that turns out to be damaged is not there any more as far as Has and Put are concerned, so the next backup
// that has it stores it again. Verify calls Own.
func (s *Store) Verify(ctx context.Context, read func(venti.Score) bool, fn func(Damage)) (rep VerifyReport, err error) {
	err = s.tend(ctx, false, func(c *core) error {
		v := verifier{core: c, read: read, fn: fn, damaged: map[arena.Loc]error{}}
		err := v.run(ctx)
		rep = v.rep
		return err
	})
	if err != nil {
		err = fmt.Errorf("verifying the store: %w", err)
	}
	return rep, err
}

// verifier is one run of Verify.
type verifier struct {
	*core
	read    func(venti.Score) bool // nil: none
	fn      func(Damage)
	rep     VerifyReport
	damaged map[arena.Loc]error // ranges of which nothing tells what they held
	buf     []byte
}

func (v *verifier) report(s venti.Score, loc arena.Loc, err error) {
	v.rep.Damaged++
	if v.fn != nil {
		v.fn(Damage{Score: s, Segment: loc.Segment, Offset: loc.Offset, Length: loc.Length, Err: err})
	}
}

func (v *verifier) run(ctx context.Context) error {
	for _, seg := range v.arena.Segments() {
		err := v.segment(ctx, seg)
		if err != nil && !errors.Is(err, arena.ErrGone) {
			return err
		}
	}
	if err := v.flush(ctx); err != nil {
		return err
	}
	if err := v.rows(ctx, func(s venti.Score, r row, err error) error { return v.row(ctx, s, r, err) }); err != nil {
		return err
	}
	for loc, err := range v.damaged {
		v.report(venti.Score{}, loc, err)
	}
	return v.flush(ctx)
}

// flush writes what was put right to the index. On a full disk it waits in memory, where all who ask see it: a full disk
// is a time when one wants to know what is whole.
func (v *verifier) flush(ctx context.Context) error {
	err := v.x.Flush(ctx)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		v.log.Warn("the index could not be written", slog.Any("err", err))
		return nil
	}
	return err
}

// segment looks at all records of a segment.
func (v *verifier) segment(ctx context.Context, seg arena.Segment) error {
	return v.arena.Scan(seg.ID, 0, arena.Headers, func(loc arena.Loc, rec arena.Record, damage error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if rec.Key == nil {
			v.damaged[loc] = damage
			return nil
		}
		v.rep.Records++
		v.rep.Bytes += int64(loc.Length)
		s, err := parseScoreKey(rec.Key)
		if err != nil || rec.Kind != kindBlock {
			return nil // another program's
		}
		good, err := v.good(ctx, s, loc)
		switch {
		case errors.Is(err, venti.ErrCorrupt):
			v.report(s, loc, err)
			return v.setBad(ctx, s, loc, true)
		case err != nil:
			return err
		}
		return v.record(ctx, s, loc, good)
	})
}

// good reads the record of block s at loc, if it is to be read, and reports whether it has. An error that wraps
// venti.ErrCorrupt says that the block is not there.
func (v *verifier) good(ctx context.Context, s venti.Score, loc arena.Loc) (bool, error) {
	if v.read == nil {
		return false, nil
	}
	if !v.read(s) {
		if r, ok, err := v.find(ctx, s); err != nil || ok && r.loc == loc {
			return false, err
		}
	}
	if cap(v.buf) < int(loc.Length) {
		v.buf = make([]byte, loc.Length)
	}
	rec, err := v.arena.Read(loc, v.buf)
	if errors.Is(err, arena.ErrDamaged) {
		return false, fmt.Errorf("%w: %w", venti.ErrCorrupt, err)
	}
	if err != nil {
		return false, err
	}
	return true, verify(s, loc, rec)
}

// record sees to it that there is a row for the record at loc, which is good, as far as its header says or because it
// was read.
func (v *verifier) record(ctx context.Context, s venti.Score, loc arena.Loc, good bool) error {
	defer v.x.FlushSoon()
	defer v.lockScore(s).Unlock()
	r, ok, err := v.find(ctx, s)
	switch {
	case err != nil:
		return err
	case !ok:
		v.rep.Missing++
		v.setState(s, row{loc: loc})
	case r.bad && (good || r.loc != loc):
		// The row's record is bad and this one is not, or has turned out not to be.
		r.bad, r.loc = false, loc
		v.setState(s, r)
	}
	return nil
}

// row sees to it that a row points at a record of its block.
func (v *verifier) row(ctx context.Context, s venti.Score, r row, err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", index.ErrDamaged, err)
	}
	v.rep.Blocks++
	rec, err := v.arena.ReadHeader(r.loc)
	switch {
	case err == nil && rec.Kind == kindBlock && string(rec.Key) == string(scoreKey(s)):
		return nil
	case err == nil:
		err = errors.New("the record of another block")
	case !errors.Is(err, arena.ErrGone) && !errors.Is(err, arena.ErrDamaged):
		v.report(s, r.loc, unavailable(err))
		return nil
	}
	defer v.lockScore(s).Unlock()
	now, ok, lerr := v.x.Lookup(ctx, scoreKey(s))
	if lerr != nil || !ok || now.Loc != r.loc {
		return lerr // moved since
	}
	delete(v.damaged, r.loc)
	v.rep.Dangling++
	v.report(s, r.loc, fmt.Errorf("%w: %w", venti.ErrCorrupt, err))
	if !v.cfg.readOnly {
		v.x.Remove(scoreKey(s))
	}
	return nil
}
