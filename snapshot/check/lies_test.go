package check_test

import (
	"errors"
	"maps"
	"testing"

	"ventidhash/snapshot/check"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

// TestLies looks at records whose claims the blocks do not bear out. The blocks serve others well.
func TestLies(t *testing.T) {
	files := map[string]string{}
	for i := range 12 {
		files["/d/"+name(i)] = text(i, 500+i)
	}
	files["/d/long"], files["/d/short"] = text(50, 9*leafSize), text(51, 3000)
	for what, lie := range map[string]func(d *vac.Dir){
		"hash":   func(d *vac.Dir) { d.Content.Slice.Hash[3] ^= 1 },
		"offset": func(d *vac.Dir) { d.Content.Slice.Offset += 3 },
		"end":    func(d *vac.Dir) { d.Content.Slice.Offset = 16000 },
		"key":    func(d *vac.Dir) { d.Content.Slice.Block.Key[0] ^= 1 },
	} {
		t.Run(what, func(t *testing.T) { testLie(t, files, "/d/"+name(5), lie) })
	}
	for what, lie := range map[string]func(d *vac.Dir){
		"length":  func(d *vac.Dir) { d.Content.Stream.Size--; d.Size-- },
		"depth":   func(d *vac.Dir) { d.Content.Stream.Depth++ },
		"topless": func(d *vac.Dir) { d.Content.Stream.Top.Key[1] ^= 1 },
	} {
		t.Run(what+" of a tree", func(t *testing.T) { testLie(t, files, "/d/long", lie) })
		t.Run(what+" of a leaf", func(t *testing.T) { testLie(t, files, "/d/short", lie) })
	}
}

func testLie(t *testing.T, files map[string]string, liar string, lie func(d *vac.Dir)) {
	a := newArchive(t)
	a.add(files)
	a.lie = func(p string, d *vac.Dir) {
		if p == liar {
			lie(d)
		}
	}
	files = maps.Clone(files)
	files["/d/new"] = "new"
	a.add(files)
	r := run(t, a, check.Config{ReadData: true})
	if r.OK() || len(r.Damaged) != 1 || !errors.Is(r.Damaged[0].Err, venti.ErrCorrupt) {
		t.Fatalf("report: %+v", r)
	}
	want := map[find]bool{{1, check.File, liar}: true}
	diff(t, finds(r), want)
	diff(t, oracle(t, a), want)
}

// TestDisguise hides a directory behind a file that has the same bytes: it must be entered all the same, whichever
// comes first.
func TestDisguise(t *testing.T) {
	for _, first := range []string{"/a", "/z"} {
		a := newArchive(t)
		var stream venti.Entry
		a.lie = func(p string, d *vac.Dir) {
			if p == "/m/big" {
				stream = d.Content.Stream
			}
		}
		files := map[string]string{"/m/big/one": text(1, 3000)}
		for i := range 30 {
			files["/m/big/"+name(i)] = text(i, 50)
		}
		a.add(files)
		a.snaps = nil
		files[first] = "the directory"
		a.lie = func(p string, d *vac.Dir) {
			if p == first {
				d.Size, d.Content = stream.Size, vac.Content{Kind: vac.Stream, Stream: stream}
			}
		}
		a.add(files)
		block, _, err := a.sealer.Seal(nil, []byte(files["/m/big/one"]))
		a.must(err)
		a.store.Drop(venti.Sum(block))
		for _, data := range []bool{true, false} {
			r := run(t, a, check.Config{ReadData: data})
			diff(t, finds(r), map[find]bool{{0, check.File, "/m/big/one"}: true})
		}
	}
}

// TestBothWays uses one block as a leaf of a file and as a slice of another, in turns.
func TestBothWays(t *testing.T) {
	a := newArchive(t)
	long := text(1, 3000)
	files := map[string]string{"/a": long, "/b": "slice", "/c": long, "/d": "slice"}
	a.lie = func(p string, d *vac.Dir) {
		if files[p] == "slice" {
			s := vac.Slice{Block: a.content(long).Stream.Top, Hash: vac.DigestOf([]byte(long))}
			d.Size, d.Content = 3000, vac.Content{Kind: vac.Sliced, Slice: s}
		}
	}
	for i := range 5 {
		files["/n"] = text(i, 50)
		a.add(files)
	}
	before := a.store.Gets()
	if r := run(t, a, check.Config{ReadData: true}); !r.OK() {
		t.Errorf("report: %+v", r)
	}
	if got := a.store.Gets() - before; got > a.store.Len()+1 {
		t.Errorf("%d reads of %d blocks", got, a.store.Len())
	}
}

// TestNonsense nests a directory whose bytes are authentic and no directory.
func TestNonsense(t *testing.T) {
	a := newArchive(t)
	a.lie = func(p string, d *vac.Dir) {
		if p == "/d/nest" {
			d.Content.Nested[0] = 99
		}
	}
	a.add(map[string]string{"/d/nest/file": "text", "/d/other": "text"})
	for _, data := range []bool{true, false} {
		r := run(t, a, check.Config{ReadData: data})
		if r.OK() || len(r.Damaged) != 1 || !r.Damaged[0].Score.IsZero() || !errors.Is(r.Damaged[0].Err, venti.ErrCorrupt) {
			t.Errorf("report: %+v", r)
		}
		diff(t, finds(r), map[find]bool{{0, check.Directory, "/d/nest"}: true})
		diff(t, oracle(t, a), finds(r))
	}
}
