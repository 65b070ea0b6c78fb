package archive

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"os"
	"path/filepath"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// A knownRun is one file of a Known cache: rows sorted by hash, never changed. Its layout:
//
//	magic "vdhknow1", 8 bytes
//	rows of 112 bytes: hash 32, score 32, key 32, offset 4, size 4, block 4, CRC-32C of these 108 bytes 4
//
// Integers are big-endian. Hashes are spread evenly, so a row is found by interpolation in one or two reads. A row
// whose checksum is wrong is not found.
type knownRun struct {
	name string
	f    *os.File
	n    int64 // rows
}

type knownRow struct {
	hash tree.Hash
	place
}

const (
	runMagic = "vdhknow1"
	rowSize  = 112
	window   = 64 // rows read at once
)

var errRun = errors.New("not a cache of known contents, or damaged")

func compareRows(a, b knownRow) int { return bytes.Compare(a.hash[:], b.hash[:]) }

func openRun(name string) (*knownRun, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil {
		var magic [len(runMagic)]byte
		_, err = io.ReadFull(f, magic[:])
		if err == nil && (string(magic[:]) != runMagic || (st.Size()-int64(len(runMagic)))%rowSize != 0) {
			err = fmt.Errorf("%s: %w", name, errRun)
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &knownRun{name: name, f: f, n: (st.Size() - int64(len(runMagic))) / rowSize}, nil
}

func (r *knownRun) close() { r.f.Close() }

// find returns the place of a content.
func (r *knownRun) find(h tree.Hash) (place, bool) {
	lo, hi := int64(0), r.n // the row, if it is here, is in [lo, hi)
	at := int64(float64(binary.BigEndian.Uint64(h[:])) / (1 << 64) * float64(r.n))
	var buf [window * rowSize]byte
	for lo < hi {
		first := min(max(at-window/2, lo), max(hi-window, lo))
		n := min(window, hi-first)
		b := buf[:n*rowSize]
		if _, err := r.f.ReadAt(b, int64(len(runMagic))+first*rowSize); err != nil {
			return place{}, false
		}
		switch row := func(i int64) []byte { return b[i*rowSize : (i+1)*rowSize] }; {
		case bytes.Compare(h[:], row(0)[:32]) < 0:
			hi = first
		case bytes.Compare(h[:], row(n - 1)[:32]) > 0:
			lo = first + n
		default:
			for i := range n {
				if bytes.Equal(h[:], row(i)[:32]) {
					k, ok := parseRow(row(i))
					return k.place, ok
				}
			}
			return place{}, false
		}
		at = (lo + hi) / 2
	}
	return place{}, false
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendRow(b []byte, r knownRow) []byte {
	start := len(b)
	b = append(b, r.hash[:]...)
	b = venti.AppendRef(b, r.ref)
	b = binary.BigEndian.AppendUint32(b, r.off)
	b = binary.BigEndian.AppendUint32(b, r.size)
	b = binary.BigEndian.AppendUint32(b, r.block)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func parseRow(b []byte) (r knownRow, ok bool) {
	if crc32.Checksum(b[:rowSize-4], castagnoli) != binary.BigEndian.Uint32(b[rowSize-4:]) {
		return knownRow{}, false
	}
	d := venti.NewDecoder(b)
	copy(r.hash[:], d.Fixed(32))
	r.ref = d.Ref()
	r.off = binary.BigEndian.Uint32(d.Fixed(4))
	r.size = binary.BigEndian.Uint32(d.Fixed(4))
	r.block = binary.BigEndian.Uint32(d.Fixed(4))
	return r, true
}

// writeRun writes rows, which must come sorted, to a new file in dir and opens it.
func writeRun(dir string, rows iter.Seq[knownRow]) (*knownRun, error) {
	f, err := os.CreateTemp(dir, "new-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	w := bufio.NewWriterSize(f, 256<<10)
	w.WriteString(runMagic)
	var buf []byte
	for r := range rows {
		buf = appendRow(buf[:0], r)
		w.Write(buf)
	}
	if err := w.Flush(); err != nil {
		return nil, err
	}
	// The name sorts by time, so that newer rows are found first. No fsync: torn rows have wrong checksums.
	name := filepath.Join(dir, fmt.Sprintf("%016x-%d.known", time.Now().UnixNano(), os.Getpid()))
	if err := os.Rename(f.Name(), name); err != nil {
		return nil, err
	}
	return openRun(name)
}

// mergeRuns gives the rows of all runs in order; where a hash is in several, the row of the first run. Rows for which
// keep is false are left out.
func mergeRuns(runs []*knownRun, keep func(place) bool) iter.Seq[knownRow] {
	return func(yield func(knownRow) bool) {
		heads := make([]func() (knownRow, bool), len(runs))
		rows := make([]knownRow, len(runs))
		live := make([]bool, len(runs))
		for i, r := range runs {
			next, stop := iter.Pull(r.all())
			defer stop()
			heads[i] = next
			rows[i], live[i] = next()
		}
		for {
			best := -1
			for i := range runs {
				if live[i] && (best < 0 || compareRows(rows[i], rows[best]) < 0) {
					best = i
				}
			}
			if best < 0 {
				return
			}
			row := rows[best]
			for i := range runs {
				if live[i] && rows[i].hash == row.hash {
					rows[i], live[i] = heads[i]()
				}
			}
			if keep(row.place) && !yield(row) {
				return
			}
		}
	}
}

// all gives the rows of a run in order, without those that are damaged.
func (r *knownRun) all() iter.Seq[knownRow] {
	return func(yield func(knownRow) bool) {
		in := bufio.NewReaderSize(io.NewSectionReader(r.f, int64(len(runMagic)), r.n*rowSize), 256<<10)
		var b [rowSize]byte
		for {
			if _, err := io.ReadFull(in, b[:]); err != nil {
				return
			}
			if row, ok := parseRow(b[:]); ok && !yield(row) {
				return
			}
		}
	}
}
