package arena

import "fmt"

// giveBackFrom is the length in bytes from which the memory that a record takes in the kernel is given back once it was
// read (append.go says why). Shorter ones are read again more often, and are hardly worth a system call.
const giveBackFrom = 96 << 10

// Read reads the record at loc with one pread into dst, or into a new buffer if dst has too little capacity. The
// record's Key and Data alias that buffer.
//
// The header and key are checked against their checksum, the data is not: use Record.Check unless there is a better
// check. The caller compares kind and key with what it looks for. An error wraps ErrGone if the segment was removed,
// ErrDamaged if there is no such record at loc, and is the operating system's otherwise.
func (a *Arena) Read(loc Loc, dst []byte) (Record, error) {
	return a.read(loc, int(loc.Length), dst)
}

// ReadHeader is Read without the data: it reads a few bytes, and the record's Data is nil.
func (a *Arena) ReadHeader(loc Loc) (Record, error) {
	var buf [recordHeader + MaxKey]byte
	rec, err := a.read(loc, min(int(loc.Length), len(buf)), buf[:])
	rec.Data = nil
	return rec, err
}

// read reads the first n bytes of the record at loc.
func (a *Arena) read(loc Loc, n int, dst []byte) (Record, error) {
	if loc.Length < recordHeader || loc.Length > maxRecord {
		return Record{}, &DamageError{Loc: loc, Reason: fmt.Sprintf("no record is %d bytes long", loc.Length)}
	}
	s, f, err := a.acquire(loc.Segment)
	if err != nil {
		return Record{}, err
	}
	defer a.release(s)
	if loc.End() > s.size.Load() {
		return Record{}, &DamageError{Loc: loc, Reason: "lies beyond the end of its segment"}
	}
	if cap(dst) < n {
		dst = make([]byte, n)
	}
	dst = dst[:n]
	if got, err := f.ReadAt(dst, int64(loc.Offset)); got < n {
		if isEOF(err) {
			return Record{}, &DamageError{Loc: loc, Reason: "the segment's file is too short"}
		}
		return Record{}, err
	}
	if n >= giveBackFrom { // whoever needs it again soon has a cache of what is in it
		giveBack(f, int64(loc.Offset), int64(n))
	}
	if n == int(loc.Length) {
		return parseRecord(dst, loc)
	}
	h, key, err := parseHeader(dst, loc.Segment, loc.Offset)
	if err == nil && h.length() != int(loc.Length) {
		err = fmt.Errorf("record is %d bytes long, not %d", h.length(), loc.Length)
	}
	if err != nil {
		return Record{}, &DamageError{Loc: loc, Reason: err.Error()}
	}
	return Record{Kind: h.kind, Key: key, sum: h.dataSum}, nil
}
