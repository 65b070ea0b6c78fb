package arena_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ventidhash/venti/arena"
)

func FuzzRecordHeader(f *testing.F) {
	f.Add(arena.AppendHeader(1, 32, 1, []byte("key"), 100, 0xdeadbeef), uint32(1), uint32(32))
	f.Add(arena.AppendHeader(9, 9, 255, bytes.Repeat([]byte{1}, 64), 8<<20, 0), uint32(9), uint32(9))
	f.Add([]byte{}, uint32(0), uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, segment, offset uint32) {
		out, err := arena.ReencodeHeader(b, segment, offset)
		if err == nil && !bytes.HasPrefix(b, out) {
			t.Errorf("%x became %x", b, out)
		}
	})
}

func FuzzSegmentHeader(f *testing.F) {
	dir := f.TempDir()
	a := open(f, arena.Config{Dir: dir})
	appendN(f, a, 0, 1, 1)
	b, err := os.ReadFile(filepath.Join(dir, "00000001.seg"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b, uint32(1))
	f.Fuzz(func(t *testing.T, b []byte, id uint32) {
		out, err := arena.ReencodeSegment(b, id)
		if err == nil && !bytes.HasPrefix(b, out) {
			t.Errorf("%x became %x", b, out)
		}
	})
}

// FuzzSegmentFile opens and scans any bytes as a segment: no panic, and appends still work.
func FuzzSegmentFile(f *testing.F) {
	dir := f.TempDir()
	a := open(f, arena.Config{Dir: dir})
	appendN(f, a, 0, 3, 20)
	b, err := os.ReadFile(filepath.Join(dir, "00000001.seg"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:50])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "00000001.seg"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := arena.Open(arena.Config{Dir: dir})
		if err != nil {
			return
		}
		defer a.Close()
		loc, err := a.Append(5, key(5), data(5, 10))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		err = a.Scan(1, 0, arena.Data, func(l arena.Loc, rec arena.Record, err error) error {
			if err != nil && !errors.Is(err, arena.ErrDamaged) {
				t.Error(err)
			}
			found = found || l == loc && err == nil
			return nil
		})
		if err == nil && !found {
			t.Error("the record appended last was not found")
		}
	})
}
