package vac

import "bytes"

// Replace is Add for an entry of which the old version's next record is old. If d's record turns out to be the same,
// it is Keep. It reports whether it was.
func (w *DirWriter) Replace(d *Dir, old []byte) (same bool, err error) {
	rec, scratch := appendRecord(nil, w.scratch, d)
	w.scratch = scratch
	if bytes.Equal(rec, old) {
		return true, w.Keep(d.Name, old)
	}
	if err := w.Drop(); err != nil {
		return false, err
	}
	return false, w.Add(d)
}
