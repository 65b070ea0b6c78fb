package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"

	"ventidhash/snapshot"
	"ventidhash/venti"
)

// The layout of the stream of a list is in FORMAT.md.
const (
	streamVersion = 2

	kindSetup     = 1 // the order of the kinds is that of the records, and Merge relies on it
	kindForgotten = 2
	kindListed    = 3

	maxText   = 1 << 12 // bytes of a host, a user, a path, a tag or the name of a file
	maxTexts  = 1 << 12 // paths or tags of a snapshot
	maxRecord = 1 << 25 // bytes
	maxStamp  = 1<<63 - 1

	flagShare = 1
)

// errVersion says that a list was written by another version of the program. It comes with venti.ErrCorrupt.
var errVersion = errors.New("not a version that is known to this program")

// Encode returns the stream of a list, whose slices it sorts. Decode(Encode(x)) is x, sorted, as long as Decode takes it;
// what it does not take must not be stored.
func Encode(l List) []byte {
	l = l.clone()
	l.sort()
	b := []byte{streamVersion}
	var rec []byte
	for i := range l.Machines {
		rec = appendSetup(rec[:0], &l.Machines[i])
		b = venti.AppendBytes(b, rec)
	}
	for i := range l.Forgotten {
		rec = appendForgotten(rec[:0], &l.Forgotten[i])
		b = venti.AppendBytes(b, rec)
	}
	for i := range l.Snapshots {
		rec = appendListed(rec[:0], &l.Snapshots[i])
		b = venti.AppendBytes(b, rec)
	}
	return b
}

func appendSetup(b []byte, m *Setup) []byte {
	b = venti.AppendUint(append(b, kindSetup), m.Stamp)
	b = venti.AppendBytes(b, m.Host)
	b = venti.AppendSeconds(b, m.Time)
	b = venti.AppendUint(b, uint64(len(m.Files)))
	for _, f := range m.Files {
		b = venti.AppendBytes(b, f.Name)
		b = venti.AppendBytes(b, f.Content)
	}
	return b
}

func appendForgotten(b []byte, f *Forgotten) []byte {
	b = venti.AppendUint(append(b, kindForgotten), f.Stamp)
	b = append(b, f.Score[:]...)
	return venti.AppendSeconds(b, f.Time)
}

func appendListed(b []byte, s *Listed) []byte {
	b = venti.AppendUint(append(b, kindListed), s.Stamp)
	return appendSnapshot(b, &s.Snapshot)
}

func appendSnapshot(b []byte, s *snapshot.Snapshot) []byte {
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

// Decode reads what Encode wrote. An unknown version is an error, and so are records out of order, without stamp, score or
// time, or about what another is about, more machines or files than there may be, and any encoding that Encode would not
// make.
func Decode(b []byte) (List, error) {
	d := venti.NewDecoder(b)
	if v := d.Byte(); d.Err() == nil && v != streamVersion {
		return List{}, corruptf("catalog: the list is of version %d, %w", v, errVersion)
	}
	r := reader{seen: map[venti.Score]bool{}}
	for n := 0; d.Err() == nil && d.Len() > 0; n++ {
		rec := d.Bytes(maxRecord)
		if d.Err() != nil {
			break
		}
		if err := r.record(rec); err != nil {
			d.Fail(fmt.Errorf("record %d: %w", n, err))
		}
	}
	if err := d.Finish(); err != nil {
		return List{}, corruptf("catalog: %v", err)
	}
	return r.list, nil
}

// A reader puts the records of a stream together.
type reader struct {
	list List
	seen map[venti.Score]bool
	kind byte // of the record before
	buf  []byte
}

// record takes one record.
func (r *reader) record(b []byte) error {
	d := venti.NewDecoder(b)
	kind, stamp := d.Byte(), d.Uint(maxStamp)
	switch {
	case d.Err() != nil:
		return d.Err()
	case kind < r.kind:
		return errOrder
	case stamp == 0:
		return errors.New("no stamp")
	}
	r.kind = kind
	var err error
	switch kind {
	case kindSetup:
		err = r.setup(d, stamp)
	case kindForgotten:
		err = r.forgotten(d, stamp)
	case kindListed:
		err = r.listed(d, stamp)
	default:
		return fmt.Errorf("kind %d is not known to this program", kind)
	}
	if err == nil && !bytes.Equal(r.buf, b) {
		err = errors.New("not in canonical form")
	}
	return err
}

var errOrder = errors.New("out of order")

func (r *reader) setup(d *venti.Decoder, stamp uint64) error {
	s := Setup{Stamp: stamp}
	s.Host, s.Time = string(d.Bytes(maxText)), d.Seconds()
	for range d.Uint(snapshot.MaxFiles) {
		if d.Err() != nil {
			break
		}
		f := snapshot.File{Name: string(d.Bytes(maxText)), Content: bytes.Clone(d.Bytes(snapshot.MaxFileContent))}
		if n := len(s.Files); d.Err() == nil && n > 0 && s.Files[n-1].Name >= f.Name {
			return fmt.Errorf("files %w", errOrder)
		}
		s.Files = append(s.Files, f)
	}
	n := len(r.list.Machines)
	switch {
	case d.Finish() != nil:
		return d.Err()
	case n > 0 && r.list.Machines[n-1].Host >= s.Host:
		return errOrder
	case n == snapshot.MaxMachines:
		return fmt.Errorf("more than %d machines", snapshot.MaxMachines)
	}
	r.list.Machines = append(r.list.Machines, s)
	r.buf = appendSetup(r.buf[:0], &s)
	return nil
}

func (r *reader) forgotten(d *venti.Decoder, stamp uint64) error {
	f := Forgotten{Stamp: stamp}
	copy(f.Score[:], d.Fixed(venti.ScoreSize))
	f.Time = d.Seconds()
	n := len(r.list.Forgotten)
	switch {
	case d.Finish() != nil:
		return d.Err()
	case n > 0 && compareForgotten(r.list.Forgotten[n-1], f) >= 0:
		return errOrder
	}
	r.list.Forgotten = append(r.list.Forgotten, f)
	r.buf = appendForgotten(r.buf[:0], &f)
	return r.once(f.Score, f.Time)
}

func (r *reader) listed(d *venti.Decoder, stamp uint64) error {
	s := Listed{Stamp: stamp, Snapshot: parseSnapshot(d)}
	n := len(r.list.Snapshots)
	switch {
	case d.Finish() != nil:
		return d.Err()
	case n > 0 && snapshot.Compare(r.list.Snapshots[n-1].Snapshot, s.Snapshot) >= 0:
		return errOrder
	}
	r.list.Snapshots = append(r.list.Snapshots, s)
	r.buf = appendListed(r.buf[:0], &s)
	return r.once(s.Score, s.Time)
}

// once returns what keeps a snapshot from standing in the list.
func (r *reader) once(score venti.Score, t time.Time) error {
	switch {
	case score.IsZero():
		return errors.New("no score")
	case t.IsZero():
		return errors.New("no time")
	case r.seen[score]:
		return fmt.Errorf("score %s is there twice", score)
	}
	r.seen[score] = true
	return nil
}

// parseSnapshot reads what appendSnapshot wrote.
func parseSnapshot(d *venti.Decoder) (s snapshot.Snapshot) {
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
	return s
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
