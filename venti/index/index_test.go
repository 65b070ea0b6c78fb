package index_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ventidhash/venti/arena"
	"ventidhash/venti/index"
)

// The records of the tests: kind 1 is a thing, kind 2 a note about it. The key is the record's, the extra bytes are the
// data.
const (
	kindThing = 1
	kindNote  = 2
)

func keyOf(kind byte, key []byte) ([]byte, error) {
	if kind != kindThing && kind != kindNote {
		return nil, errors.New("unknown kind")
	}
	return key, nil
}

func rowOf(loc arena.Loc, rec arena.Record) (index.Row, error) {
	return index.Row{Loc: loc, Flags: rec.Kind, Extra: string(rec.Data)}, nil
}

func merge(old index.Row, have bool, add index.Row) (index.Row, bool) {
	switch {
	case add.Flags == kindThing:
		return add, true
	case !have:
		return index.Row{}, false
	}
	return index.Row{Loc: old.Loc, Flags: kindThing, Extra: old.Extra + "," + add.Extra}, true
}

type bench struct {
	dir   string
	rows  int
	arena *arena.Arena
	x     *index.Index
}

func open(t testing.TB, b *bench) {
	t.Helper()
	a, err := arena.Open(arena.Config{Dir: filepath.Join(b.dir, "arenas"), SegmentSize: 4000})
	if err != nil {
		t.Fatal(err)
	}
	b.arena = a
	b.x, err = index.Open(t.Context(), index.Config{
		Dir: filepath.Join(b.dir, "index"), Store: "test", Arena: a, Key: keyOf, Row: rowOf, Merge: merge,
		Whole: true, Group: 2, Rows: b.rows,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.shut(t) })
}

func (b *bench) shut(t testing.TB) {
	if b.x == nil {
		return
	}
	if err := errors.Join(b.x.Close(), b.arena.Close()); err != nil {
		t.Error(err)
	}
	b.x = nil
}

func (b *bench) thing(t testing.TB, key, data string) {
	t.Helper()
	_, err := b.x.Append(kindThing, []byte(key), []byte(data), []byte(key), index.Row{Flags: kindThing, Extra: data})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) note(t testing.TB, key, data string) {
	t.Helper()
	old, ok, err := b.x.Lookup(t.Context(), []byte(key))
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	_, err = b.x.AppendState(kindNote, []byte(key), []byte(data), []byte(key), func(loc arena.Loc) index.Row {
		r, _ := merge(old, true, index.Row{Loc: loc, Flags: kindNote, Extra: data})
		return r
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) flush(t testing.TB) {
	t.Helper()
	if err := b.x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// dump returns all rows as key=extra.
func (b *bench) dump(t testing.TB, from, to []byte) []string {
	t.Helper()
	var out []string
	err := b.x.Walk(t.Context(), from, to, func(key []byte, r index.Row, err error) error {
		out = append(out, fmt.Sprintf("%s=%s", key, r.Extra))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestMerge says that rows made by many records are the same after a replay and after a rebuild, whatever number of
// them fits into memory.
func TestMerge(t *testing.T) {
	for _, rows := range []int{0, 7, 50} {
		b := &bench{dir: t.TempDir(), rows: rows}
		open(t, b)
		var want []string
		for i := range 300 {
			b.thing(t, fmt.Sprintf("%c%c%03d", 'a'+i%3, 'a'+i%5, i), "first")
		}
		for i := range 300 {
			key := fmt.Sprintf("%c%c%03d", 'a'+i%3, 'a'+i%5, i)
			switch {
			case i%4 == 0:
				b.note(t, key, "n1")
				b.note(t, key, "n2")
				want = append(want, key+"=first,n1,n2")
			case i%4 == 1:
				b.note(t, key, "n1")
				b.thing(t, key, "second")
				b.note(t, key, "n2")
				want = append(want, key+"=second,n2")
			default:
				want = append(want, key+"=first")
			}
		}
		slices.Sort(want)
		if got := b.dump(t, nil, nil); !slices.Equal(got, want) {
			t.Fatalf("before: %d rows, want %d", len(got), len(want))
		}
		b.shut(t)
		if err := os.RemoveAll(filepath.Join(b.dir, "index")); err != nil {
			t.Fatal(err)
		}
		open(t, b)
		if got := b.dump(t, nil, nil); !slices.Equal(got, want) {
			t.Errorf("%d rows at a time: after a rebuild: %d rows, want %d: %v", rows, len(got), len(want), got)
		}
	}
}

func TestWalk(t *testing.T) {
	b := &bench{dir: t.TempDir()}
	open(t, b)
	var all []string
	for i := range 256 {
		for _, k := range [][]byte{{byte(i), 1, 2}, {byte(i), 0xff, 0xff, 0xff}} {
			b.thing(t, string(k), "x")
			all = append(all, string(k))
		}
		if i == 100 {
			b.flush(t)
		}
	}
	bounds := [][]byte{nil, {0}, {3}, {3, 1}, {3, 1, 2}, {3, 1, 2, 0}, {0x80}, {0xff}, {0xff, 0xff, 0xff, 0xff}}
	for _, from := range bounds {
		for _, to := range bounds {
			var want []string
			for _, k := range all {
				if bytes.Compare([]byte(k), from) >= 0 && (to == nil || bytes.Compare([]byte(k), to) < 0) {
					want = append(want, k+"=x")
				}
			}
			slices.Sort(want)
			if got := b.dump(t, from, to); !slices.Equal(got, want) {
				t.Errorf("from %x to %x: %d rows, want %d", from, to, len(got), len(want))
			}
		}
	}
}

// TestGroup says that a group is whole whether its rows were written or not.
func TestGroup(t *testing.T) {
	b := &bench{dir: t.TempDir()}
	open(t, b)
	group := func() (keys []string) {
		err := b.x.Group(t.Context(), []byte("g\xff"), func(key []byte, _ index.Row, err error) error {
			keys = append(keys, string(key))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	if got := group(); len(got) != 0 {
		t.Errorf("%q", got)
	}
	for _, k := range []string{"g\xff3", "g\xff1", "g\xfe1", "h\x001", "g\xff"} {
		b.thing(t, k, "x")
	}
	want := []string{"g\xff", "g\xff1", "g\xff3"}
	if got := group(); !slices.Equal(got, want) {
		t.Errorf("not flushed: %q", got)
	}
	b.flush(t)
	b.thing(t, "g\xff2", "x")
	b.x.Remove([]byte("g\xff3"))
	want = []string{"g\xff", "g\xff1", "g\xff2"}
	if got := group(); !slices.Equal(got, want) {
		t.Errorf("half flushed: %q", got)
	}
	b.flush(t)
	if got := group(); !slices.Equal(got, want) {
		t.Errorf("flushed: %q", got)
	}
}

// TestCompact interrupts a compaction at each step and goes on: what is kept is always there, also after a rebuild.
func TestCompact(t *testing.T) {
	errStep := errors.New("interrupted")
	for _, at := range []string{"copied", "moved", "forgotten", "synced", "removed", ""} {
		b := &bench{dir: t.TempDir()}
		open(t, b)
		for i := range 100 {
			b.thing(t, fmt.Sprintf("k%03d", i), "data of a thing that takes some room in a segment")
		}
		what := index.Compaction{
			MinDead: 0.1,
			Life: func(_ []byte, r index.Row) index.Life {
				if r.Loc.Offset%3 == 0 {
					return index.Dead
				}
				return index.Kept
			},
			Copy: func(_ context.Context, key []byte, r index.Row, loc arena.Loc, rec arena.Record) (int64, error) {
				to, err := b.x.Append(rec.Kind, rec.Key, rec.Data, key, r)
				return int64(to.Length), err
			},
			Step: func(step string) error {
				if step == at {
					return errStep
				}
				return nil
			},
		}
		live := map[string]bool{}
		err := b.x.Walk(t.Context(), nil, nil, func(key []byte, r index.Row, _ error) error {
			live[string(key)] = what.Life(key, r) == index.Kept
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		rep, err := b.x.Compact(t.Context(), what)
		if at == "" && (err != nil || rep.RowsFreed == 0 || rep.BytesFreed <= 0) || at != "" && !errors.Is(err, errStep) {
			t.Errorf("step %q: %+v, %v", at, rep, err)
		}
		b.shut(t)
		for range 2 {
			open(t, b)
			for key, keep := range live {
				r, ok, err := b.x.Find(t.Context(), []byte(key))
				if err != nil || keep && !ok {
					t.Fatalf("step %q: %s: %v %v", at, key, ok, err)
				}
				if !ok {
					continue
				}
				if rec, err := b.arena.Read(r.Loc, nil); err != nil || string(rec.Key) != key || rec.Check() != nil {
					t.Errorf("step %q: %s: %v", at, key, err)
				}
			}
			b.shut(t)
			if err := os.RemoveAll(filepath.Join(b.dir, "index")); err != nil {
				t.Fatal(err)
			}
		}
	}
}
