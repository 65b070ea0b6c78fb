package arena_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"ventidhash/venti/arena"
)

func open(t testing.TB, cfg arena.Config) *arena.Arena {
	t.Helper()
	a, err := arena.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func key(i int) []byte { return fmt.Appendf(nil, "key-%06d", i) }

func data(i, n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "<%d>", i), n/3+1)[:n] }

func appendN(t testing.TB, a *arena.Arena, from, n, size int) []arena.Loc {
	t.Helper()
	var locs []arena.Loc
	for i := from; i < from+n; i++ {
		loc, err := a.Append(byte(i), key(i), data(i, size))
		if err != nil {
			t.Fatal(err)
		}
		locs = append(locs, loc)
	}
	return locs
}

func wantRecord(t testing.TB, a *arena.Arena, loc arena.Loc, i, size int) {
	t.Helper()
	rec, err := a.Read(loc, nil)
	if err != nil {
		t.Fatalf("record %d: %v", i, err)
	}
	if err := rec.Check(); err != nil {
		t.Errorf("record %d: %v", i, err)
	}
	if rec.Kind != byte(i) || !bytes.Equal(rec.Key, key(i)) || !bytes.Equal(rec.Data, data(i, size)) {
		t.Errorf("record %d came back as kind %d, key %q, %d bytes", i, rec.Kind, rec.Key, len(rec.Data))
	}
}

// scan returns the keys and the damage of all segments.
func scan(t testing.TB, a *arena.Arena, mode arena.ScanMode) (keys []string, damage []*arena.DamageError) {
	t.Helper()
	for _, s := range a.Segments() {
		err := a.Scan(s.ID, 0, mode, func(loc arena.Loc, rec arena.Record, err error) error {
			var d *arena.DamageError
			switch {
			case errors.As(err, &d):
				damage = append(damage, d)
			case err != nil:
				t.Errorf("scan gave an error that is no damage: %v", err)
			default:
				keys = append(keys, string(rec.Key))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return keys, damage
}

func TestAppendReadReopen(t *testing.T) {
	cfg := arena.Config{Dir: t.TempDir(), SegmentSize: 10_000, OpenFiles: 3}
	a := open(t, cfg)
	locs := appendN(t, a, 0, 100, 900)
	locs = append(locs, appendN(t, a, 100, 1, 0)...)
	if err := a.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	check := func(a *arena.Arena) {
		t.Helper()
		for i, loc := range locs {
			wantRecord(t, a, loc, i, map[bool]int{true: 0, false: 900}[i == 100])
			if rec, err := a.ReadHeader(loc); err != nil || !bytes.Equal(rec.Key, key(i)) || rec.Data != nil {
				t.Errorf("header %d: %q %v", i, rec.Key, err)
			}
		}
		for _, mode := range []arena.ScanMode{arena.Headers, arena.Openings, arena.Data} {
			if keys, damage := scan(t, a, mode); len(keys) != 101 || len(damage) != 0 {
				t.Errorf("scan found %d records and damage %v", len(keys), damage)
			}
		}
		if n := a.OpenFiles(); n > 4 {
			t.Errorf("%d files are open", n)
		}
	}
	check(a)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Append(1, key(1), nil); !errors.Is(err, arena.ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	ro := cfg
	ro.ReadOnly = true
	r := open(t, ro)
	check(r)
	if _, err := r.Append(1, key(1), nil); !errors.Is(err, arena.ErrReadOnly) {
		t.Errorf("append when read-only: %v", err)
	}
	a = open(t, cfg)
	check(a)
	more := appendN(t, a, 101, 1, 50)
	if last := locs[100]; more[0].Segment != last.Segment || int64(more[0].Offset) != last.End() {
		t.Errorf("reopened arena appends at %+v, not behind %+v", more[0], last)
	}
	wantRecord(t, a, more[0], 101, 50)
}

func TestBounds(t *testing.T) {
	a := open(t, arena.Config{Dir: t.TempDir(), SegmentSize: 1000})
	for name, f := range map[string]func() error{
		"no key":    func() error { _, err := a.Append(0, nil, nil); return err },
		"long key":  func() error { _, err := a.Append(0, make([]byte, arena.MaxKey+1), nil); return err },
		"much data": func() error { _, err := a.Append(0, key(1), make([]byte, arena.MaxData+1)); return err },
	} {
		if f() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	loc, err := a.Append(7, make([]byte, arena.MaxKey), make([]byte, arena.MaxData))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(loc, nil); err != nil {
		t.Errorf("largest record: %v", err)
	}
	bad := loc
	bad.Offset++
	if _, err := a.Read(bad, nil); !errors.Is(err, arena.ErrDamaged) {
		t.Errorf("reading beside a record: %v", err)
	}
	bad = arena.Loc{Segment: 99, Offset: 32, Length: 100}
	if _, err := a.Read(bad, nil); !errors.Is(err, arena.ErrGone) {
		t.Errorf("reading a segment that is not there: %v", err)
	}
	if _, err := arena.Open(arena.Config{}); err == nil {
		t.Error("empty Config was accepted")
	}
}

// TestFlipEveryByte damages each byte of a small segment in turn: one record is lost, it is reported, and all others are
// found.
func TestFlipEveryByte(t *testing.T) {
	const n, size = 5, 40
	dir := t.TempDir()
	cfg := arena.Config{Dir: dir}
	a := open(t, cfg)
	locs := appendN(t, a, 0, n, size)
	a.Close()
	path := filepath.Join(dir, "00000001.seg")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		bad := bytes.Clone(good)
		bad[at] ^= 0x41
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := arena.Open(cfg)
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		hit := -1 // the segment's header
		for i, loc := range locs {
			if at >= int(loc.Offset) && at < int(loc.End()) {
				hit = i
			}
		}
		keys, damage := scan(t, a, arena.Data)
		want := n
		if hit >= 0 {
			want--
		}
		if len(keys) != want {
			t.Errorf("byte %d: %d of %d records are left: %q", at, len(keys), n, keys)
		}
		if len(damage) != 1 {
			t.Fatalf("byte %d: %d reports of damage: %v", at, len(damage), damage)
		}
		if hit >= 0 && damage[0].Loc != locs[hit] {
			t.Errorf("byte %d: damage is at %+v, not %+v", at, damage[0].Loc, locs[hit])
		}
		for i, loc := range locs {
			rec, err := a.Read(loc, nil)
			if err == nil {
				err = rec.Check()
			}
			if (err != nil) != (i == hit) {
				t.Errorf("byte %d: reading record %d: %v", at, i, err)
			}
		}
		a.Close()
	}
}

// TestTornTail cuts the newest segment at every length, as a crash may: whole records stay, the rest goes, and appends
// go on.
func TestTornTail(t *testing.T) {
	const n, size = 3, 30
	dir := t.TempDir()
	cfg := arena.Config{Dir: dir}
	a := open(t, cfg)
	locs := appendN(t, a, 0, n, size)
	a.Close()
	path := filepath.Join(dir, "00000001.seg")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range good {
		for _, zeros := range []int{0, 100} {
			if err := os.WriteFile(path, append(bytes.Clone(good[:cut]), make([]byte, zeros)...), 0o600); err != nil {
				t.Fatal(err)
			}
			whole := 0
			for _, loc := range locs {
				if loc.End() <= int64(cut) {
					whole++
				}
			}
			a, err := arena.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := a.Append(9, key(9), data(9, size)); err != nil {
				t.Fatal(err)
			}
			keys, damage := scan(t, a, arena.Data)
			if zeros == 0 && len(damage) > 0 {
				t.Errorf("cut at %d: damage %v", cut, damage)
			}
			if zeros == 0 && len(keys) != whole+1 || len(keys) < whole+1 {
				t.Errorf("cut at %d, %d zeros: %d records, not %d", cut, zeros, len(keys), whole+1)
			}
			a.Close()
		}
	}
}

// TestForeignRecords damages a record whose data holds a copy of its own segment: the copy is not taken for records.
func TestForeignRecords(t *testing.T) {
	dir := t.TempDir()
	a := open(t, arena.Config{Dir: dir})
	appendN(t, a, 0, 3, 20)
	path := filepath.Join(dir, "00000001.seg")
	inner, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	loc, err := a.Append(1, key(77), inner)
	if err != nil {
		t.Fatal(err)
	}
	appendN(t, a, 3, 1, 20)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0xff}, int64(loc.Offset)+9); err != nil {
		t.Fatal(err)
	}
	keys, damage := scan(t, a, arena.Data)
	if len(keys) != 4 || len(damage) != 1 || damage[0].Loc != loc {
		t.Errorf("found %q, damage %v", keys, damage)
	}
}

func TestSealRemove(t *testing.T) {
	dir := t.TempDir()
	a := open(t, arena.Config{Dir: dir})
	if err := a.Seal(); err != nil {
		t.Errorf("sealing nothing: %v", err)
	}
	locs := appendN(t, a, 0, 2, 100)
	if err := a.Remove(1); err == nil {
		t.Error("the newest segment was removed")
	}
	for range 2 { // the second finds an empty segment and leaves it
		if err := a.Seal(); err != nil {
			t.Fatal(err)
		}
	}
	if segs := a.Segments(); len(segs) != 2 || !segs[0].Sealed || segs[1].Sealed || segs[1].ID != 2 {
		t.Errorf("segments: %+v", segs)
	}
	// A reader in the middle of a scan keeps its file.
	seen := 0
	err := a.Scan(1, 0, arena.Data, func(arena.Loc, arena.Record, error) error {
		if seen++; seen == 1 {
			if err := a.Remove(1); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
	if err != nil || seen != 2 {
		t.Errorf("scan during Remove: %d records, %v", seen, err)
	}
	if _, err := a.Read(locs[0], nil); !errors.Is(err, arena.ErrGone) {
		t.Errorf("read after Remove: %v", err)
	}
	if err := a.Remove(1); !errors.Is(err, arena.ErrGone) {
		t.Errorf("second Remove: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "00000001.seg")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("file is still there: %v", err)
	}
	if err := a.Sync(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestConcurrent(t *testing.T) {
	a := open(t, arena.Config{Dir: t.TempDir(), SegmentSize: 50_000, OpenFiles: 2})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w * 1000; i < w*1000+60; i++ {
				loc, err := a.Append(byte(i), key(i), data(i, 1500))
				if err != nil {
					t.Error(err)
					return
				}
				wantRecord(t, a, loc, i, 1500)
				if i%20 == 0 {
					if err := a.Sync(t.Context()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if keys, damage := scan(t, a, arena.Data); len(keys) != 480 || len(damage) != 0 {
		t.Errorf("%d records, damage %v", len(keys), damage)
	}
}
