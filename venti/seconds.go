package venti

import "time"

// MaxSeconds is the latest time that AppendSeconds keeps, in seconds since 1970: in some 34,800 years.
const MaxSeconds = 1 << 40

// AppendSeconds appends t as a varint of whole seconds since 1970, 1 to MaxSeconds, to which it is cut; the zero time is 0.
// It is for what a program notes of its own clock, where AppendTime is for what others' files say.
func AppendSeconds(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return AppendUint(b, uint64(min(max(t.Unix(), 1), MaxSeconds)))
}

// Seconds reads a time as AppendSeconds wrote it, in UTC.
func (d *Decoder) Seconds() time.Time {
	s := d.Uint(MaxSeconds)
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}
