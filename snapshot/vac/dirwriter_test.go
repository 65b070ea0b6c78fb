package vac_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// build makes a directory of dirs from nothing.
func (r *rig) build(t testing.TB, dirs map[string]vac.Dir) vac.Content {
	t.Helper()
	w := vac.NewDirWriter(t.Context(), r.sink, r.src, vac.Content{})
	for _, name := range slices.Sorted(maps.Keys(dirs)) {
		d := dirs[name]
		if err := w.Add(&d); err != nil {
			t.Fatal(err)
		}
	}
	c, same, err := w.Close()
	if err != nil || same != (len(dirs) == 0) {
		t.Fatal(same, err)
	}
	return c
}

// edit makes a directory of dirs as an archiver does, in step with the older version.
func (r *rig) edit(t testing.TB, old vac.Content, dirs map[string]vac.Dir, w *vac.DirWriter) {
	t.Helper()
	es := vac.NewEntries(t.Context(), r.src, old)
	defer es.Close()
	was, err := es.Next()
	check := func(e error) {
		t.Helper()
		if e != nil {
			t.Fatal(e)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(dirs)) {
		d := dirs[name]
		for err == nil && was.Name < name {
			check(w.Drop())
			was, err = es.Next()
		}
		switch {
		case err != nil || was.Name > name:
			check(w.Add(&d))
			continue
		case reflect.DeepEqual(*was, d):
			check(w.Keep(was))
		default:
			same, err := w.Replace(&d, was)
			if same {
				t.Errorf("%q was replaced by something else and is the same", name)
			}
			check(err)
		}
		was, err = es.Next()
	}
	for ; err == nil; _, err = es.Next() {
		check(w.Drop())
	}
	if err != io.EOF {
		t.Fatal(err)
	}
}

// TestEdit changes directories at random, from none to thousands of entries, and holds that a directory made in step
// with its older version is what it would be if it were made from nothing.
func TestEdit(t *testing.T) {
	kinds := map[vac.ContentKind]int{}
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 3))
		r := newRig(t)
		dirs := map[string]vac.Dir{}
		var old vac.Content
		for range 25 {
			n := []int{0, 1, 3, 2500}[rng.IntN(4)]
			remove := rng.IntN(4) == 0
			for range n {
				name := fmt.Sprint("name ", rng.IntN(8000))
				if remove {
					delete(dirs, name)
					continue
				}
				d := meta(name, vac.Fifo)
				d.Inode = rng.Uint64N(3)
				dirs[name] = d
			}
			if rng.IntN(12) == 0 {
				clear(dirs)
			}
			want := r.build(t, dirs)
			w := vac.NewDirWriter(t.Context(), r.sink, r.src, old)
			r.edit(t, old, dirs, w)
			got, same, err := w.Close()
			if err != nil || !reflect.DeepEqual(got, want) || same && !reflect.DeepEqual(got, old) {
				t.Fatalf("seed %d: %d entries: %v (same %v), want %v, %v", seed, len(dirs), got.Kind, same, want.Kind, err)
			}
			if read := r.all(t, got); len(read) != len(dirs) {
				t.Fatalf("seed %d: %d of %d entries", seed, len(read), len(dirs))
			}
			top := vac.NewDirWriter(t.Context(), r.sink, r.src, old)
			r.edit(t, old, dirs, top)
			e, err := top.CloseStream()
			if err != nil || got.Kind == vac.Stream && e != got.Stream || e.Size == 0 {
				t.Fatalf("seed %d: stream %+v, %v", seed, e, err)
			}
			kinds[got.Kind]++
			old = got
		}
	}
	if len(kinds) < 3 {
		t.Errorf("the directories were of the kinds %v only", kinds)
	}
}

// TestUnchanged holds that a directory that stays as it was writes nothing, whatever its size.
func TestUnchanged(t *testing.T) {
	r := newRig(t)
	for _, n := range []int{0, 1, 100, 5000} {
		dirs := map[string]vac.Dir{}
		for i := range n {
			name := fmt.Sprint(i)
			dirs[name] = meta(name, vac.Socket)
		}
		old := r.build(t, dirs)
		before, _ := r.sink.Written()
		w := vac.NewDirWriter(t.Context(), r.sink, r.src, old)
		r.edit(t, old, dirs, w)
		c, same, err := w.Close()
		if err != nil || !same || !reflect.DeepEqual(c, old) {
			t.Errorf("%d entries: %v, %v", n, same, err)
		}
		if blocks, _ := r.sink.Written(); blocks != before {
			t.Errorf("%d entries unchanged wrote %d blocks", n, blocks-before)
		}
		w = vac.NewDirWriter(t.Context(), r.sink, r.src, old)
		es := vac.NewEntries(t.Context(), r.src, old)
		for d, err := es.Next(); err == nil; d, err = es.Next() {
			if same, err := w.Replace(d, d); !same || err != nil {
				t.Errorf("an equal record is not the same: %v", err)
			}
		}
		if _, same, _ := w.Close(); !same {
			t.Error("equal records make another directory")
		}
	}
}

// TestNest holds the length up to which a directory is nested, and that a directory of its own may be of any length.
func TestNest(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		n    int
		kind vac.ContentKind
	}{{32<<10 - 1, vac.Nested}, {32 << 10, vac.Nested}, {32<<10 + 1, vac.Stream}} {
		one := vac.Dir{Name: "d", Type: vac.Symlink, Links: 1, Target: string(make([]byte, 20_000))}
		two := one
		two.Name, two.Target = "e", string(make([]byte, 300)) // its length takes two bytes, as that of the next one does
		length := len(r.build(t, map[string]vac.Dir{"d": one, "e": two}).Nested)
		two.Target = string(make([]byte, 300+c.n-length))
		got := r.build(t, map[string]vac.Dir{"d": one, "e": two})
		if n := len(got.Nested) + int(got.Stream.Size); got.Kind != c.kind || n != c.n {
			t.Errorf("directory of %d bytes, made to have %d, is of kind %d", n, c.n, got.Kind)
		}
	}
	for _, dirs := range []map[string]vac.Dir{{}, {"x": meta("x", vac.Fifo)}} {
		w := vac.NewDirWriter(t.Context(), r.sink, r.src, vac.Content{})
		r.edit(t, vac.Content{}, dirs, w)
		e, err := w.CloseStream()
		if err != nil || e.Size == 0 || e.IsHole() || len(r.all(t, vac.Content{Kind: vac.Stream, Stream: e})) != len(dirs) {
			t.Errorf("%d entries: %+v, %v", len(dirs), e, err)
		}
		again := vac.NewDirWriter(t.Context(), r.sink, r.src, vac.Content{Kind: vac.Stream, Stream: e})
		r.edit(t, vac.Content{Kind: vac.Stream, Stream: e}, dirs, again)
		if f, err := again.CloseStream(); f != e || err != nil {
			t.Errorf("unchanged top directory: %+v, %v, want %+v", f, err, e)
		}
	}
}

// TestRefused holds that entries that no reader would take are refused, and that the directory goes on without them.
func TestRefused(t *testing.T) {
	r := newRig(t)
	good := map[string]vac.Dir{"a": meta("a", vac.File), "z": meta("z", vac.Fifo)}
	want := r.build(t, good)
	bad := map[string]vac.Dir{}
	for _, name := range []string{"", ".", "..", "/", "m/n", "m\x00", string(bytes.Repeat([]byte("m"), 5000))} {
		bad["name "+name] = meta(name, vac.File)
	}
	for what, change := range map[string]func(*vac.Dir){
		"mode":            func(d *vac.Dir) { d.Mode = 1 << 20 },
		"type":            func(d *vac.Dir) { d.Type = 99 },
		"nanoseconds":     func(d *vac.Dir) { d.ModTime.Nsec = 1e9 },
		"sparse fifo":     func(d *vac.Dir) { d.Type, d.Sparse = vac.Fifo, true },
		"nested file":     func(d *vac.Dir) { d.Content = vac.Content{Kind: vac.Nested, Nested: []byte("\x01x")} },
		"empty stream":    func(d *vac.Dir) { d.Content.Kind = vac.Stream },
		"empty slice":     func(d *vac.Dir) { d.Content.Kind = vac.Sliced },
		"attribute order": func(d *vac.Dir) { d.Xattrs = []vac.Xattr{{Name: "b"}, {Name: "a"}} },
		"huge": func(d *vac.Dir) {
			for i := range 200 {
				d.Xattrs = append(d.Xattrs, vac.Xattr{Name: fmt.Sprintf("%03d", i), Value: string(make([]byte, 60_000))})
			}
		},
	} {
		d := meta("m", vac.File)
		change(&d)
		bad[what] = d
	}
	bad["order"] = meta("a", vac.File)
	for what, d := range bad {
		w := vac.NewDirWriter(t.Context(), r.sink, r.src, vac.Content{})
		first, last := good["a"], good["z"]
		if err := w.Add(&first); err != nil {
			t.Fatal(err)
		}
		if err := w.Add(&d); !errors.Is(err, vac.ErrEntry) {
			t.Errorf("%.20q: %v", what, err)
		}
		if err := w.Add(&last); err != nil {
			t.Errorf("after %.20q: %v", what, err)
		}
		if c, _, err := w.Close(); err != nil || !reflect.DeepEqual(c, want) {
			t.Errorf("after %.20q: another directory, %v", what, err)
		}
	}
	w := vac.NewDirWriter(t.Context(), r.sink, r.src, want)
	kept := meta("b", vac.Fifo)
	if err := w.Keep(&kept); err != nil {
		t.Fatal(err)
	}
	if err := w.Keep(&kept); !errors.Is(err, vac.ErrEntry) {
		t.Errorf("the same name kept twice: %v", err)
	}
}

// TestWriterStops holds that after an error no directory comes out, whichever way it is ended.
func TestWriterStops(t *testing.T) {
	r := newRig(t)
	dirs := map[string]vac.Dir{}
	for i := range 3000 {
		name := fmt.Sprintf("%05d", i)
		dirs[name] = meta(name, vac.Fifo)
	}
	old := r.build(t, dirs)
	for _, score := range r.Scores() {
		r.Corrupt(score)
	}
	r.src = tree.NewSource(r.store, r.sealer, 0)
	for _, end := range []func(w *vac.DirWriter) error{
		func(w *vac.DirWriter) error { c, _, err := w.Close(); return empty(c.Kind != vac.Empty, err) },
		func(w *vac.DirWriter) error { e, err := w.CloseStream(); return empty(e != venti.Entry{}, err) },
	} {
		w := vac.NewDirWriter(t.Context(), r.sink, r.src, old)
		for i := range 10 {
			kept := dirs[fmt.Sprintf("%05d", i)]
			if err := w.Keep(&kept); err != nil {
				t.Fatal(err)
			}
		}
		d := meta("99999", vac.Fifo)
		if err := w.Add(&d); !errors.Is(err, venti.ErrCorrupt) {
			t.Errorf("Add after an old version that is damaged: %v", err)
		}
		if err := w.Drop(); !errors.Is(err, venti.ErrCorrupt) {
			t.Errorf("Drop: %v", err)
		}
		d.Name = "99999a"
		if err := w.Keep(&d); !errors.Is(err, venti.ErrCorrupt) {
			t.Errorf("Keep: %v", err)
		}
		if err := end(w); !errors.Is(err, venti.ErrCorrupt) {
			t.Errorf("end: %v", err)
		}
		w.Abort()
	}
	aborted := vac.NewDirWriter(t.Context(), r.sink, r.src, vac.Content{})
	for i := range 3000 {
		d := meta(fmt.Sprintf("%05d", i), vac.Fifo)
		if err := aborted.Add(&d); err != nil {
			t.Fatal(err)
		}
	}
	aborted.Abort()
	aborted.Abort()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := vac.NewDirWriter(ctx, r.sink, r.src, vac.Content{})
	d := meta("x", vac.Fifo)
	if err := w.Add(&d); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CloseStream(); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// empty returns err, or another error if something came out with it.
func empty(something bool, err error) error {
	if something {
		return fmt.Errorf("a directory came out, with %v", err)
	}
	return err
}
