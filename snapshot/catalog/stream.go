package catalog

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"

	"ventidhash/snapshot"
	"ventidhash/venti"
)

// The layout of the stream of snapshots is in FORMAT.md.
const (
	streamVersion = 1

	maxText   = 1 << 12 // bytes of a host, a user, a path or a tag
	maxTexts  = 1 << 12 // paths or tags of a snapshot
	maxRecord = 1 << 25 // bytes

	flagShare = 1
)

// Encode returns the stream of the snapshots, sorted by time and then by score. Decode(Encode(x)) is x, sorted, as long
// as Decode takes it; what it does not take must not be stored.
func Encode(list []snapshot.Snapshot) []byte {
	list = slices.SortedFunc(slices.Values(list), snapshot.Compare)
	b := []byte{streamVersion}
	var rec []byte
	for i := range list {
		rec = appendRecord(rec[:0], &list[i])
		b = venti.AppendBytes(b, rec)
	}
	return b
}

func appendRecord(b []byte, s *snapshot.Snapshot) []byte {
	b = append(b, s.Score[:]...)
	b = venti.AppendTime(b, s.Time)
	b = venti.AppendBytes(b, s.Host)
	b = venti.AppendBytes(b, s.User)
	for _, texts := range [][]string{s.Paths, s.Tags} {
		b = venti.AppendUint(b, uint64(len(texts)))
		for _, t := range texts {
			b = venti.AppendBytes(b, t)
		}
	}
	for _, n := range []uint64{s.Files, s.Dirs, s.Bytes, s.Added, uint64(s.Duration)} {
		b = venti.AppendUint(b, n)
	}
	b = append(b, s.Parent[:]...)
	var flags byte
	if s.Share {
		flags |= flagShare
	}
	b = append(b, flags)
	return venti.AppendUint(b, s.Incomplete)
}

// Decode reads what Encode wrote. An unknown version is an error, and so are snapshots out of order, without score or
// time, or with the score of another, and any encoding that Encode would not make.
func Decode(b []byte) ([]snapshot.Snapshot, error) {
	d := venti.NewDecoder(b)
	if v := d.Byte(); d.Err() == nil && v != streamVersion {
		return nil, corruptf("catalog: version %d is not known to this program", v)
	}
	list := []snapshot.Snapshot{}
	seen := map[venti.Score]bool{}
	for d.Err() == nil && d.Len() > 0 {
		s, err := parseRecord(d.Bytes(maxRecord))
		if d.Err() == nil && err == nil {
			err = follows(list, s, seen)
		}
		if d.Err() == nil && err != nil {
			d.Fail(fmt.Errorf("snapshot %d: %w", len(list), err))
		}
		list = append(list, s)
		seen[s.Score] = true
	}
	if err := d.Finish(); err != nil {
		return nil, corruptf("catalog: %v", err)
	}
	return list, nil
}

// follows reports what keeps s from standing behind the list.
func follows(list []snapshot.Snapshot, s snapshot.Snapshot, seen map[venti.Score]bool) error {
	switch {
	case s.Score.IsZero():
		return fmt.Errorf("no score")
	case s.Time.IsZero():
		return fmt.Errorf("no time")
	case seen[s.Score]:
		return fmt.Errorf("score %s is there twice", s.Score)
	case len(list) > 0 && snapshot.Compare(list[len(list)-1], s) >= 0:
		return fmt.Errorf("out of order")
	}
	return nil
}

func parseRecord(b []byte) (s snapshot.Snapshot, err error) {
	d := venti.NewDecoder(b)
	copy(s.Score[:], d.Fixed(venti.ScoreSize))
	s.Time = d.Time()
	s.Host, s.User = string(d.Bytes(maxText)), string(d.Bytes(maxText))
	s.Paths, s.Tags = texts(d), texts(d)
	s.Files, s.Dirs = d.Uint(math.MaxInt64), d.Uint(math.MaxInt64)
	s.Bytes, s.Added = d.Uint(math.MaxInt64), d.Uint(math.MaxInt64)
	s.Duration = time.Duration(d.Uint(math.MaxInt64))
	copy(s.Parent[:], d.Fixed(venti.ScoreSize))
	flags := d.Byte()
	if flags&^flagShare != 0 {
		d.Fail(fmt.Errorf("flags %#x are not known to this program", flags))
	}
	s.Share = flags&flagShare != 0
	s.Incomplete = d.Uint(math.MaxInt64)
	if err := d.Finish(); err != nil {
		return s, err
	}
	if !bytes.Equal(appendRecord(make([]byte, 0, len(b)), &s), b) {
		return s, fmt.Errorf("not in canonical form")
	}
	return s, nil
}

// texts reads a number and as many texts.
func texts(d *venti.Decoder) (list []string) {
	for range d.Uint(maxTexts) {
		if d.Err() != nil {
			break
		}
		list = append(list, string(d.Bytes(maxText)))
	}
	return list
}
