package vac_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

// lines is what Diff reports, a kind and a path each.
func lines(t testing.TB, a, b *vac.Tree, pathA, pathB string) (out []string) {
	t.Helper()
	letter := map[vac.ChangeKind]string{vac.Added: "A", vac.Removed: "R", vac.TypeChanged: "T", vac.ContentChanged: "C",
		vac.MetadataChanged: "M"}
	err := vac.Diff(t.Context(), a, b, pathA, pathB, func(c vac.Change) error {
		if (c.Old == nil) != (c.Kind == vac.Added) || (c.New == nil) != (c.Kind == vac.Removed) || letter[c.Kind] == "" {
			t.Errorf("%+v", c)
		}
		out = append(out, letter[c.Kind]+c.Path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestDiff(t *testing.T) {
	r := newRig(t)
	same := []node{file("a", "A"), dir("d", file("x", "X"), dir("e")), dir("large", crowd(3000)...), link("l", "a"),
		file("s", words(1, 9000))}
	touched := func(n node) node { return n.with(func(d *vac.Dir) { d.ModTime.Sec++ }) }
	for _, c := range []struct {
		name string
		a, b []node
		want string
	}{
		{"nothing", same, same, ""},
		{"both empty", nil, nil, ""},
		{"all new", nil, same[:2], "A/a A/d A/d/e A/d/x"},
		{"all gone", same[:2], nil, "R/a R/d R/d/e R/d/x"},
		{"order of bytes", []node{dir("a", file("x", "")), file("a!", "")}, []node{dir("a", file("y", "")), file("a ", "")},
			"R/a/x A/a/y A/a  R/a!"},
		{"content and time", []node{file("f", "1")}, []node{touched(file("f", "2"))}, "C/f"},
		{"content of the same length", []node{file("f", words(1, 5000))}, []node{file("f", words(2, 5000))}, "C/f"},
		{"to empty and from it", []node{file("f", "1"), file("g", "")}, []node{file("f", ""), file("g", "1")}, "C/f C/g"},
		{"time", []node{file("f", "1")}, []node{touched(file("f", "1"))}, "M/f"},
		{"time of a directory", []node{dir("d", file("f", "1"))}, []node{touched(dir("d", file("f", "1")))}, "M/d"},
		{"directory and what is in it", []node{dir("d", file("f", "1"))}, []node{touched(dir("d", file("f", "2")))}, "M/d C/d/f"},
		{"deep", []node{dir("d", dir("e", file("f", "1")))}, []node{dir("d", dir("e", file("f", "1"), file("g", "")))},
			"A/d/e/g"},
		{"file to directory", []node{file("x", "1")}, []node{dir("x", file("f", ""))}, "T/x A/x/f"},
		{"directory to link", []node{dir("x", file("f", ""), dir("g", file("h", "")))}, []node{link("x", "y")},
			"T/x R/x/f R/x/g R/x/g/h"},
		{"target", []node{link("l", "a")}, []node{link("l", "b")}, "M/l"},
		{"grown over nesting", []node{dir("d", crowd(10)...)}, []node{dir("d", crowd(2001)[1990:]...)},
			"R/d/file-000000 R/d/file-000001 R/d/file-000002 R/d/file-000003 R/d/file-000004 R/d/file-000005 R/d/file-000006 " +
				"R/d/file-000007 R/d/file-000008 R/d/file-000009 A/d/file-001990 A/d/file-001991 A/d/file-001992 A/d/file-001993 " +
				"A/d/file-001994 A/d/file-001995 A/d/file-001996 A/d/file-001997 A/d/file-001998 A/d/file-001999 A/d/file-002000"},
		{"one of many", []node{dir("d", crowd(2000)...)}, []node{dir("d", crowd(2001)...)}, "A/d/file-002000"},
	} {
		a, b := r.snapshot(t, c.a...), r.snapshot(t, c.b...)
		if got := strings.Join(lines(t, a, b, "", "/"), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestDiffMetadata changes each field that counts, and each that does not.
func TestDiffMetadata(t *testing.T) {
	r := newRig(t)
	for want, changes := range map[string][]func(d *vac.Dir){
		"M/f": {
			func(d *vac.Dir) { d.Mode = 0 }, func(d *vac.Dir) { d.UID++ }, func(d *vac.Dir) { d.GID++ },
			func(d *vac.Dir) { d.User = "" }, func(d *vac.Dir) { d.Group = "x" }, func(d *vac.Dir) { d.ModTime.Nsec++ },
			func(d *vac.Dir) { d.Major++ }, func(d *vac.Dir) { d.Minor++ },
			func(d *vac.Dir) { d.Xattrs = []vac.Xattr{{Name: "user.a", Value: "b"}} },
		},
		"": {
			func(d *vac.Dir) { d.ChangeTime.Sec++ }, func(d *vac.Dir) { d.Inode++ }, func(d *vac.Dir) { d.Device++ },
			func(d *vac.Dir) { d.Links++ },
		},
	} {
		for i, change := range changes {
			a, b := r.snapshot(t, special("f", vac.BlockDevice)), r.snapshot(t, special("f", vac.BlockDevice).with(change))
			if got := strings.Join(lines(t, a, b, "", ""), " "); got != want {
				t.Errorf("change %d: %q, want %q", i, got, want)
			}
		}
	}
}

// TestDiffMoved holds that a small file is the same wherever it lies.
func TestDiffMoved(t *testing.T) {
	r := newRig(t)
	a := r.snapshot(t, file("b", "B"), file("c", "C"))
	b := r.snapshot(t, file("a", "AAAA"), file("b", "B"), file("c", "C"))
	if got := strings.Join(lines(t, a, b, "", ""), " "); got != "A/a" {
		t.Error(got)
	}
}

func TestDiffBelow(t *testing.T) {
	r := newRig(t)
	a := r.snapshot(t, dir("x", dir("d", file("f", "1"), file("g", ""))), file("f", "1"))
	b := r.snapshot(t, dir("y", dir("e", file("f", "2"), file("g", ""))).with(func(d *vac.Dir) { d.Mode = 0 }), file("f", "2"))
	for _, c := range []struct{ a, b, want string }{
		{"x/d", "y/e", "C/f"}, {"x", "/y", "M R/d R/d/f R/d/g A/e A/e/f A/e/g"}, {"f", "f", "C"}, {"f", "y", "T A/e A/e/f A/e/g"},
		{"x/d/g", "y/e/g", ""},
	} {
		if got := strings.Join(lines(t, a, b, c.a, c.b), " "); got != c.want {
			t.Errorf("%s and %s: %s, want %s", c.a, c.b, got, c.want)
		}
	}
	for _, p := range [][2]string{{"none", "y"}, {"x", "none"}} {
		err := vac.Diff(t.Context(), a, b, p[0], p[1], func(vac.Change) error { return nil })
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: %v", p, err)
		}
	}
}

// TestDiffReads holds that no file and no directory that is the same is read.
func TestDiffReads(t *testing.T) {
	r := newRig(t)
	var fifos []node
	for i := range 3000 {
		fifos = append(fifos, special(fmt.Sprint(i), vac.Fifo))
	}
	kids := []node{dir("one", fifos...), dir("two", fifos[1:]...), file("big", words(1, 100_000))}
	a := r.snapshot(t, kids...)
	b := r.snapshot(t, append(kids, dir("zzz", file("zzz", "new")))...)
	r.fresh()
	a, _ = vac.Open(t.Context(), r.src, a.Ref)
	b, _ = vac.Open(t.Context(), r.src, b.Ref)
	clear(r.gets)
	if got := strings.Join(lines(t, a, b, "", ""), " "); got != "A/zzz A/zzz/zzz" {
		t.Error(got)
	}
	if len(r.gets) != 2 {
		t.Errorf("%d blocks were read, want those of the two top directories", len(r.gets))
	}
}

func TestDiffStops(t *testing.T) {
	r := newRig(t)
	a := r.snapshot(t, dir("d", file("x", ""), dir("e", file("y", ""))), dir("gone", file("z", "")),
		file("f", "1"), dir("t", file("q", "")))
	b := r.snapshot(t, dir("d", file("x", "1")).with(func(d *vac.Dir) { d.UID = 0 }), dir("new", file("n", "")),
		file("f", "2"), file("t", ""))
	var got []string
	err := vac.Diff(t.Context(), a, b, "", "", func(c vac.Change) error {
		got = append(got, c.Path)
		if c.Path != "/f" {
			return fs.SkipDir
		}
		return nil
	})
	if want := "/d /f /gone /new /t"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	if err := vac.Diff(t.Context(), a, b, "f", "f", func(vac.Change) error { return fs.SkipDir }); err != fs.SkipDir {
		t.Errorf("SkipDir for a file: %v", err)
	}
	stop := errors.New("stop")
	n := 0
	err = vac.Diff(t.Context(), a, b, "", "", func(c vac.Change) error {
		if n++; c.Path == "/d/x" {
			return stop
		}
		return nil
	})
	if err != stop || n != 4 {
		t.Errorf("%d changes, %v", n, err)
	}
	r.fresh()
	a, _ = vac.Open(t.Context(), r.src, a.Ref)
	r.Corrupt(b.Root.Top.Top.Score)
	b, _ = vac.Open(t.Context(), r.src, b.Ref)
	if err := vac.Diff(t.Context(), a, b, "", "", func(vac.Change) error { return nil }); !errors.Is(err, venti.ErrCorrupt) {
		t.Errorf("damaged directory: %v", err)
	}
}

// grow makes a tree at random.
func grow(rng *rand.Rand, depth int) (kids []node) {
	for i := range rng.IntN(7) {
		name := fmt.Sprint("n", i)
		switch k := rng.IntN(5); {
		case rng.IntN(3) == 0:
		case k < 2 && depth > 0:
			kids = append(kids, dir(name, grow(rng, depth-1)...))
		case k < 3:
			kids = append(kids, file(name, strings.Repeat("x", rng.IntN(2))))
		case k < 4:
			kids = append(kids, file(name, words(rng.IntN(2), 2000)))
		default:
			kids = append(kids, link(name, fmt.Sprint(rng.IntN(2))))
		}
	}
	return kids
}

// TestDiffRandom compares with lists of all paths.
func TestDiffRandom(t *testing.T) {
	r := newRig(t)
	list := func(tr *vac.Tree) map[string]vac.Dir {
		m := map[string]vac.Dir{}
		err := tr.WalkDir(t.Context(), tr.Top(), "", func(path string, d *vac.Dir) error { m[path] = *d; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	bare := func(d vac.Dir) vac.Dir { // what is compared
		if d.Type == vac.Directory {
			d.Content = vac.Content{}
		}
		d.Content.Slice.Block, d.Content.Slice.Offset = venti.Ref{}, 0
		return d
	}
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 9))
		a, b := r.snapshot(t, grow(rng, 3)...), r.snapshot(t, grow(rng, 3)...)
		was, is := list(a), list(b)
		var want []string
		for path, d := range was {
			if e, ok := is[path]; !ok {
				want = append(want, "R"+path)
			} else if e.Type != d.Type {
				want = append(want, "T"+path)
			} else if !reflect.DeepEqual(bare(d), bare(e)) {
				want = append(want, map[bool]string{true: "C", false: "M"}[d.Type == vac.File]+path)
			}
		}
		for path := range is {
			if _, ok := was[path]; !ok {
				want = append(want, "A"+path)
			}
		}
		got := lines(t, a, b, "", "")
		order := func(x, y string) int { // a directory before what is in it, else by name
			return slices.Compare(strings.Split(x[1:], "/"), strings.Split(y[1:], "/"))
		}
		if !slices.IsSortedFunc(got, order) {
			t.Errorf("seed %d: not in order: %v", seed, got)
		}
		slices.SortFunc(want, order)
		if !slices.Equal(got, want) {
			t.Errorf("seed %d: %v, want %v", seed, got, want)
		}
	}
}
