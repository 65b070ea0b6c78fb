package arena

import (
	"errors"
	"fmt"
	"log/slog"
)

// recoverTail finds the end of the newest segment and cuts what a killed process left half written.
func (a *Arena) recoverTail(s *segment) error {
	_, f, err := a.acquire(s.id)
	if err != nil {
		return err
	}
	defer a.release(s)
	size := s.size.Load()
	if size < segmentHeader {
		return a.recoverHeader(s)
	}
	if _, err := readUnique(f, s.id); err != nil && !errors.Is(err, ErrDamaged) {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	sc := scanner{r: f, id: s.id, size: size, mode: Headers, fn: func(Loc, Record, error) error { return nil }}
	end, err := sc.run(segmentHeader)
	if err != nil || end == size || !sc.torn(end) {
		return err
	}
	s.size.Store(end)
	if a.cfg.ReadOnly {
		return nil
	}
	a.log.Warn("cut the unfinished record at the end of the newest segment", slog.String("file", f.Name()),
		slog.Int64("offset", end), slog.Int64("bytes", size-end))
	return f.Truncate(end)
}

// recoverHeader deals with a segment that was being made when its process was killed: it holds no record.
func (a *Arena) recoverHeader(s *segment) error {
	if a.cfg.ReadOnly {
		delete(a.segments, s.id)
		a.newest = nil
		return nil
	}
	if err := writeSegmentHeader(s.f, s.id); err != nil {
		return err
	}
	s.size.Store(segmentHeader)
	return nil
}

// torn reports whether the bytes from off to the end, which are no valid record, are what an interrupted append leaves:
// the beginning of a record, or a range that was made longer and never written. Anything else is damage, which stays
// where it is so that it can be reported.
func (s *scanner) torn(off int64) bool {
	b, err := s.bytes(off, recordHeader+MaxKey)
	if err != nil {
		return false
	}
	if len(b) < recordHeader {
		return true
	}
	if h, err := parseFixed(b); err == nil {
		if len(b) < recordHeader+h.keyLen {
			return true
		}
		if _, _, err = parseHeader(b, s.id, uint32(off)); err == nil {
			return true
		}
	}
	for off < s.size {
		b, err := s.bytes(off, largeRead)
		if err != nil {
			return false
		}
		for _, c := range b {
			if c != 0 {
				return false
			}
		}
		off += int64(len(b))
	}
	return true
}
