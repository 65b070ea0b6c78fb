package arena

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// How much Scan reads.
type ScanMode int

const (
	// Headers reads headers and keys only and skips the data: Record.Data is nil.
	Headers ScanMode = iota

	// Openings is Headers, and Record.Data is the first byte of the data, if there is any, which is not checked.
	Openings

	// Data reads all and checks the data against its checksum.
	Data
)

// Scan calls fn for each record of segment id from offset from on, in order, up to where the segment ended when Scan
// was called. from is 0, FirstOffset, or the End of a record.
//
// Where bytes are damaged, fn gets a *DamageError and the scan goes on at the next valid record. The record is then the
// zero Record, unless only its data is damaged. Record and its slices are valid during the call only. An error from fn
// ends the scan and is returned. The error wraps ErrGone if the segment was removed before or during the scan.
func (a *Arena) Scan(id, from uint32, mode ScanMode, fn func(Loc, Record, error) error) error {
	s, f, err := a.acquire(id)
	if err != nil {
		return err
	}
	defer a.release(s)
	sc := scanner{r: f, id: id, size: s.size.Load(), mode: mode, fn: fn}
	if from < segmentHeader {
		if _, err := readUnique(f, id); errors.Is(err, ErrDamaged) {
			if err := fn(Loc{Segment: id, Length: segmentHeader}, Record{}, err); err != nil {
				return err
			}
		} else if err != nil {
			return fmt.Errorf("segment %08x: %w", id, err)
		}
		from = segmentHeader
	}
	_, err = sc.run(int64(from))
	return err
}

const (
	smallRead = 4 << 10
	largeRead = 256 << 10
)

// scanner walks the records of one segment.
type scanner struct {
	r    io.ReaderAt
	id   uint32
	size int64
	mode ScanMode
	fn   func(Loc, Record, error) error

	buf   []byte // bytes of the segment from start on
	start int64
	ahead int // how much to read at a time
	reads int // how many records came out of buf since it was filled
}

// run calls fn for each record and damage from off on. It returns the end of the last valid record.
func (s *scanner) run(off int64) (last int64, err error) {
	last = off
	for off < s.size {
		loc, rec, err := s.record(off)
		var damage *DamageError
		if errors.As(err, &damage) && rec.Key == nil {
			loc = Loc{Segment: s.id, Offset: uint32(off), Length: uint32(s.resync(off+1) - off)}
			damage.Loc = loc
		} else {
			last = loc.End()
		}
		if err := s.fn(loc, rec, err); err != nil {
			return last, err
		}
		off = loc.End()
	}
	return last, nil
}

// record returns the record at off. Its error, if any, is a *DamageError; the record's Key is set if header and key are
// in order.
func (s *scanner) record(off int64) (Loc, Record, error) {
	loc := Loc{Segment: s.id, Offset: uint32(off)}
	fail := func(err error) (Loc, Record, error) {
		return loc, Record{}, &DamageError{Loc: loc, Reason: err.Error()}
	}
	b, err := s.bytes(off, recordHeader+MaxKey+1)
	if err != nil {
		return fail(err)
	}
	h, key, err := parseHeader(b, s.id, uint32(off))
	if err != nil {
		return fail(err)
	}
	loc.Length = uint32(h.length())
	if loc.End() > s.size {
		return fail(errCut)
	}
	rec := Record{Kind: h.kind, Key: key, sum: h.dataSum}
	switch {
	case s.mode == Openings && h.dataLen > 0:
		rec.Data = b[recordHeader+h.keyLen:][:1]
		return loc, rec, nil
	case s.mode != Data:
		return loc, rec, nil
	}
	if b, err = s.bytes(off, h.length()); err != nil {
		return loc, rec, &DamageError{Loc: loc, Reason: err.Error()}
	}
	if rec, err = parseRecord(b, loc); err != nil {
		return fail(err)
	}
	if rec.Check() != nil {
		return loc, rec, &DamageError{Loc: loc, Reason: "data fails its checksum"}
	}
	return loc, rec, nil
}

// bytes returns n bytes from off on, fewer at the end of the segment. They are valid until the next call.
func (s *scanner) bytes(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), s.size-off))
	if off >= s.start && off+int64(n) <= s.start+int64(len(s.buf)) {
		s.reads++
		return s.buf[off-s.start:][:n], nil
	}
	switch { // read far ahead only while that is of use
	case s.mode == Data || s.reads > 1:
		s.ahead = min(max(2*s.ahead, smallRead), largeRead)
	default:
		s.ahead = smallRead
	}
	s.reads = 0
	want := int(min(int64(max(n, s.ahead)), s.size-off))
	if cap(s.buf) < want {
		s.buf = make([]byte, want)
	}
	s.buf, s.start = s.buf[:want], off
	got, err := s.r.ReadAt(s.buf, off)
	s.buf = s.buf[:got]
	if got < n {
		if err == nil || isEOF(err) {
			err = errCut
		}
		return nil, err
	}
	return s.buf[:n], nil
}

// resync returns the offset of the first valid record at or after off, or the end of the segment. Where the disk does
// not let read, it goes on at the next page.
func (s *scanner) resync(off int64) int64 {
	for off < s.size {
		b, err := s.bytes(off, largeRead)
		if err != nil {
			if b, err = s.bytes(off, smallRead); err != nil {
				off = (off/smallRead + 1) * smallRead
				continue
			}
		}
		i := bytes.Index(b, []byte(recordMagic))
		if i < 0 {
			off += max(1, int64(len(b)-len(recordMagic)+1))
			continue
		}
		off += int64(i)
		if s.validAt(off) {
			return off
		}
		off++
	}
	return s.size
}

// validAt reports whether a whole record with a valid header begins at off.
func (s *scanner) validAt(off int64) bool {
	b, err := s.bytes(off, recordHeader+MaxKey)
	if err != nil {
		return false
	}
	h, _, err := parseHeader(b, s.id, uint32(off))
	return err == nil && off+int64(h.length()) <= s.size
}
