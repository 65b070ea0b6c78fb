package venti

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"time"
)

// A Root is the content of the block whose score people keep. It is sealed under its owner's key (package seal).
type Root struct {
	Kind   RootKind
	Time   time.Time // when the walk began; UTC, nanoseconds
	Floor  time.Time // the lowest reading of the clock while files were read (snapshot/archive says what for)
	Host   string    // the machine that was walked
	User   string    // who ran the walk
	Paths  []string  // what was walked: absolute paths, sorted, any bytes
	Top    Entry     // the stream that the kind says
	Shared Entry     // of a snapshot: the table of the shared blocks in use (snapshot/vac)
	Prev   Score     // the root of the parent snapshot, or of the list before; zero if there was none
	Files  uint64    // how many entries that are no directories
	Dirs   uint64    // how many directories
	Bytes  uint64    // the sum of the sizes of the regular files
}

// A RootKind says what stream a Root's Top is.
type RootKind byte

const (
	RootSnapshot RootKind = 1 // the entries of the top directory
	RootCatalog  RootKind = 2 // an owner's list of snapshots
)

const (
	rootVersion = 1
	maxText     = 1 << 12
	maxPaths    = 1 << 12
)

// AppendRoot appends the encoding of r to b.
func AppendRoot(b []byte, r *Root) []byte {
	b = append(b, rootVersion, byte(r.Kind))
	b = AppendTime(b, r.Time)
	b = AppendTime(b, r.Floor)
	b = AppendBytes(b, r.Host)
	b = AppendBytes(b, r.User)
	b = AppendUint(b, uint64(len(r.Paths)))
	for _, p := range r.Paths {
		b = AppendBytes(b, p)
	}
	b = AppendEntry(b, r.Top)
	b = AppendEntry(b, r.Shared)
	b = append(b, r.Prev[:]...)
	b = AppendUint(b, r.Files)
	b = AppendUint(b, r.Dirs)
	return AppendUint(b, r.Bytes)
}

var errRoot = errors.New("root")

// ParseRoot reads what AppendRoot wrote. An unknown version or kind is an error, and so is any encoding that
// AppendRoot would not make.
func ParseRoot(b []byte) (*Root, error) {
	d := NewDecoder(b)
	if v := d.Byte(); d.err == nil && v != rootVersion {
		return nil, fmt.Errorf("%w: version %d is not known to this program", errRoot, v)
	}
	r := &Root{Kind: RootKind(d.Byte())}
	if d.err == nil && r.Kind != RootSnapshot && r.Kind != RootCatalog {
		return nil, fmt.Errorf("%w: kind %d is not known to this program", errRoot, r.Kind)
	}
	r.Time, r.Floor = d.Time(), d.Time()
	r.Host, r.User = string(d.Bytes(maxText)), string(d.Bytes(maxText))
	n := d.Uint(maxPaths)
	for i := uint64(0); i < n && d.err == nil; i++ {
		r.Paths = append(r.Paths, string(d.Bytes(maxText)))
	}
	r.Top, r.Shared = d.Entry(), d.Entry()
	copy(r.Prev[:], d.Fixed(ScoreSize))
	r.Files, r.Dirs, r.Bytes = d.Uint(math.MaxInt64), d.Uint(math.MaxInt64), d.Uint(math.MaxInt64)
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", errRoot, err)
	}
	if !bytes.Equal(AppendRoot(nil, r), b) {
		return nil, fmt.Errorf("%w: not in canonical form", errRoot)
	}
	return r, nil
}

// AppendTime appends t: seconds since 1970 as a zig-zag varint, and nanoseconds as a varint. Any time that a Unix file
// system can hold survives, before 1970 too.
func AppendTime(b []byte, t time.Time) []byte {
	b = AppendInt(b, t.Unix())
	return AppendUint(b, uint64(t.Nanosecond()))
}

// Time reads a time as AppendTime wrote it, in UTC.
func (d *Decoder) Time() time.Time {
	sec := d.Int()
	nsec := d.Uint(999_999_999)
	if d.err != nil {
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec)).UTC()
}
