package tree

import (
	"encoding/binary"
	"fmt"
	"math"

	"ventidhash/venti"
)

// A row of a pointer block: how many bytes of the stream stand below it, and the block that holds them. A row with the
// zero Ref stands for zeros.
type row struct {
	ref venti.Ref
	n   int64
}

const (
	pointerVersion = 1

	// A pointer block ends after a row whose score says so, one in rowsAvg, but has at least rowsMin rows and at most
	// rowsMax.
	rowsMin = 256
	rowsAvg = 1024
	rowsMax = 8192
)

// endsPointer reports whether a pointer block that now has n rows ends after r.
func endsPointer(r row, n int) bool {
	if n >= rowsMax {
		return true
	}
	return n >= rowsMin && !r.ref.IsZero() && binary.BigEndian.Uint32(r.ref.Score[:])%rowsAvg == 0
}

// appendPointer appends the encoding of a pointer block: version, level (1 is over leaves), number of rows, rows.
func appendPointer(b []byte, level int, rows []row) []byte {
	b = append(b, pointerVersion, byte(level))
	b = venti.AppendUint(b, uint64(len(rows)))
	for _, r := range rows {
		if r.ref.IsZero() {
			b = venti.AppendUint(b, uint64(r.n)<<1)
			continue
		}
		b = venti.AppendUint(b, uint64(r.n)<<1|1)
		b = venti.AppendRef(b, r.ref)
	}
	return b
}

// parsePointer reads a pointer block that must be of the given level and stand for size bytes.
func parsePointer(b []byte, level int, size int64) ([]row, error) {
	d := venti.NewDecoder(b)
	if v := d.Byte(); d.Err() == nil && v != pointerVersion {
		return nil, fmt.Errorf("pointer block: version %d is not known to this program", v)
	}
	if l := int(d.Byte()); d.Err() == nil && l != level {
		return nil, fmt.Errorf("pointer block of level %d where %d was expected", l, level)
	}
	count := d.Uint(rowsMax)
	rows := make([]row, 0, min(int(count), d.Len()/(venti.RefSize/2)+1))
	var sum int64
	hole := false
	for range count {
		v := d.Uint(math.MaxUint64)
		r := row{n: int64(v >> 1)}
		if v&1 == 1 {
			r.ref = d.Ref()
		}
		switch {
		case d.Err() != nil:
		case r.n == 0 || r.n > size-sum:
			d.Fail(fmt.Errorf("row of %d bytes does not fit %d", r.n, size-sum))
		case v&1 == 1 && r.ref.IsZero():
			d.Fail(fmt.Errorf("row names no block"))
		case r.ref.IsZero() && hole:
			d.Fail(fmt.Errorf("two rows of zeros in succession"))
		}
		if d.Err() != nil {
			break
		}
		hole = r.ref.IsZero()
		sum += r.n
		rows = append(rows, r)
	}
	switch {
	case d.Err() != nil:
	case sum != size:
		d.Fail(fmt.Errorf("rows stand for %d bytes, not %d", sum, size))
	case len(rows) == 0:
		d.Fail(fmt.Errorf("no rows"))
	case len(rows) == 1 && hole:
		d.Fail(fmt.Errorf("zeros only, which need no block"))
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("pointer block: %w", err)
	}
	return rows, nil
}
