package check_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"ventidhash/snapshot/check"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

func run(t *testing.T, a *archive, cfg check.Config) check.Report {
	t.Helper()
	r, err := check.Run(t.Context(), a.source(), a.key, a.snaps, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhole(t *testing.T) {
	a := sample(t)
	var last check.Progress
	cfg := check.Config{ReadData: true, Progress: func(p check.Progress) { last = p }}
	before := a.store.Gets()
	r := run(t, a, cfg)
	if !r.OK() || len(r.Damaged) != 0 {
		t.Fatalf("sound archive: %+v", r)
	}
	if got := a.store.Gets() - before; got != a.store.Len() || r.Blocks != int64(got) {
		t.Errorf("%d reads and %d counted of %d blocks, want each once", got, r.Blocks, a.store.Len())
	}
	if r.Snapshots != 3 || r.Files != a.snaps[0].Files+a.snaps[1].Files+a.snaps[2].Files || r.Bytes == 0 {
		t.Errorf("counts: %+v", r)
	}
	if last.Snapshots != 3 || last.Blocks != r.Blocks || last.Bytes != r.Bytes || last.Damaged != 0 || last.Naming {
		t.Errorf("last progress %+v of %+v", last, r)
	}
	if r := run(t, a, check.LimitClaims(cfg, 5)); !r.OK() || r.Blocks != int64(a.store.Len()) {
		t.Errorf("few claims kept: %+v", r)
	}
	cfg.ReadData = false
	before = a.store.Gets()
	if r := run(t, a, cfg); !r.OK() || r.Blocks != int64(a.store.Len()) || r.Bytes != 0 {
		t.Errorf("without reading: %+v", r)
	}
	if got := a.store.Gets() - before; got > a.store.Len()/2 {
		t.Errorf("%d reads without ReadData", got)
	}
}

// A find is what a check or the oracle says about one path of one snapshot.
type find struct {
	snap int
	part check.Part
	path string
}

// oracle reads all files of all snapshots in the plainest way and returns what cannot be read.
func oracle(t *testing.T, a *archive) map[find]bool {
	t.Helper()
	out := map[find]bool{}
	for i := range a.snaps {
		src := a.source()
		tr, err := a.open(t.Context(), src, i)
		if err != nil {
			out[find{i, check.Root, "/"}] = true
			continue
		}
		if _, err := vac.ReadShares(t.Context(), src, tr.Root.Shared); err != nil {
			out[find{i, check.Table, "/"}] = true
		}
		var list func(d *vac.Dir, prefix string)
		list = func(d *vac.Dir, prefix string) {
			es, err := tr.Entries(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			defer es.Close()
			for {
				e, err := es.Next()
				if err == io.EOF {
					return
				}
				if err != nil {
					out[find{i, check.Directory, max(prefix, "/")}] = true
					return
				}
				p := prefix + "/" + e.Name
				if e.Type == vac.Directory {
					list(e, p)
					continue
				}
				r, err := tr.Open(t.Context(), e)
				if err == nil {
					_, err = io.Copy(io.Discard, r)
					r.Close()
				}
				if err != nil {
					out[find{i, check.File, p}] = true
				}
			}
		}
		list(tr.Top(), "")
	}
	return out
}

// finds flattens a report.
func finds(r check.Report) map[find]bool {
	out := map[find]bool{}
	for _, d := range r.Damaged {
		for _, touch := range d.Touched {
			for _, s := range touch.Snapshots {
				out[find{s, touch.Part, touch.Path}] = true
			}
		}
	}
	return out
}

func diff(t *testing.T, got, want map[find]bool) {
	t.Helper()
	for f := range want {
		if !got[f] {
			t.Errorf("not named: %+v", f)
		}
	}
	for f := range got {
		if !want[f] {
			t.Errorf("named and whole: %+v", f)
		}
	}
}

// TestEveryBlock damages each block of an archive in each of three ways, and compares what the check names with what
// cannot be read.
func TestEveryBlock(t *testing.T) {
	a := sample(t)
	parts := map[check.Part]int{}
	for _, s := range a.store.Scores() {
		for _, fault := range []error{venti.ErrNotFound, venti.ErrUnavailable, venti.ErrCorrupt} {
			a.store.set(s, fault)
			want := oracle(t, a)
			if len(want) == 0 {
				t.Fatalf("block %v is needed by nothing", s)
			}
			for f := range want {
				parts[f.part]++
			}
			for _, cfg := range []check.Config{{ReadData: true}, {}, check.LimitClaims(check.Config{ReadData: true}, 7)} {
				r := run(t, a, cfg)
				if r.OK() || len(r.Damaged) != 1 || r.Damaged[0].Score != s || !errors.Is(r.Damaged[0].Err, fault) {
					t.Errorf("block %v with %v: %+v", s.Short(), fault, r)
				}
				diff(t, finds(r), want)
			}
			a.store.set(s, nil)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	for _, p := range []check.Part{check.Root, check.Table, check.Directory, check.File} {
		if parts[p] == 0 {
			t.Errorf("the test never damaged a %s", p)
		}
	}
}

// TestMissing drops blocks and looks without reading contents.
func TestMissing(t *testing.T) {
	a := sample(t)
	for _, s := range a.store.Scores() {
		block, err := a.store.Get(t.Context(), s)
		a.must(err)
		a.store.Drop(s)
		r := run(t, a, check.Config{})
		if r.OK() || len(r.Damaged) != 1 || r.Damaged[0].Score != s || !errors.Is(r.Damaged[0].Err, venti.ErrNotFound) {
			t.Errorf("block %v missing: %+v", s.Short(), r)
		}
		diff(t, finds(r), oracle(t, a))
		_, err = a.store.Put(t.Context(), block)
		a.must(err)
	}
}

// TestManyFaults damages several blocks at once.
func TestManyFaults(t *testing.T) {
	a := sample(t)
	scores := a.store.Scores()
	for k := range 20 {
		var bad []venti.Score
		for i := k % 7; i < len(scores); i += 3 + k%5 {
			bad = append(bad, scores[i])
			a.store.set(scores[i], []error{venti.ErrNotFound, venti.ErrCorrupt, venti.ErrUnavailable}[i%3])
		}
		for _, data := range []bool{true, false} {
			r := run(t, a, check.Config{ReadData: data})
			if r.OK() {
				t.Errorf("round %d is ok", k)
			}
			diff(t, finds(r), oracle(t, a))
		}
		for _, s := range bad {
			a.store.set(s, nil)
		}
	}
}

// TestRange says which bytes of a long file are touched.
func TestRange(t *testing.T) {
	a := newArchive(t)
	long := text(1, 10*leafSize+100)
	a.add(map[string]string{"/long": long, "/other": text(2, 9000)})
	block, _, err := a.sealer.Seal(nil, []byte(long[7*leafSize:8*leafSize]))
	a.must(err)
	a.store.set(venti.Sum(block), venti.ErrUnavailable)
	r := run(t, a, check.Config{ReadData: true})
	if len(r.Damaged) != 1 || len(r.Damaged[0].Touched) != 1 {
		t.Fatalf("%+v", r)
	}
	got := r.Damaged[0].Touched[0]
	if got.Part != check.File || got.Path != "/long" || got.Off != 7*leafSize || got.Len != leafSize || !slices.Equal(got.Snapshots, []int{0}) {
		t.Errorf("touched: %+v", got)
	}
}

// TestInterrupted cancels a check, or breaks its store, at every read. The answer is an error, and never ok.
func TestInterrupted(t *testing.T) {
	a := sample(t)
	boom := errors.New("boom")
	for n := 0; ; n++ {
		for _, how := range []string{"cancel", "break"} {
			ctx, cancel := context.WithCancel(t.Context())
			left := n
			a.store.before(func() error {
				if left--; left >= 0 {
					return nil
				}
				if how == "cancel" {
					cancel()
					return ctx.Err()
				}
				return boom
			})
			r, err := check.Run(ctx, a.source(), a.key, a.snaps, check.Config{ReadData: n%2 == 0, Workers: 1})
			cancel()
			if left >= 0 {
				if err != nil || !r.OK() {
					t.Fatalf("undisturbed: %+v, %v", r, err)
				}
				if n > 40 {
					return
				}
				continue
			}
			want := boom
			if how == "cancel" {
				want = context.Canceled
			}
			if r.OK() || !errors.Is(err, want) {
				t.Fatalf("%s after %d reads: ok %v, error %v, want %v", how, n, r.OK(), err, want)
			}
		}
	}
}

func TestWrongKind(t *testing.T) {
	a := sample(t)
	ref, err := a.sink.PutRoot(t.Context(), a.key, &venti.Root{Kind: venti.RootCatalog})
	a.must(err)
	a.snaps[1].Score = ref.Score
	r := run(t, a, check.Config{})
	if r.OK() || len(r.Damaged) != 1 || !errors.Is(r.Damaged[0].Err, venti.ErrCorrupt) {
		t.Errorf("catalog as a snapshot: %+v", r)
	}
	diff(t, finds(r), map[find]bool{{1, check.Root, "/"}: true})
	r, err = check.Run(t.Context(), a.source(), a.key, a.snaps, check.Config{Workers: -1})
	if err == nil || r.OK() || !strings.Contains(err.Error(), "Workers") {
		t.Errorf("bad config: %v", err)
	}
}

func TestCatalog(t *testing.T) {
	a := sample(t)
	list := text(5, 5*leafSize)
	c := a.content(list)
	ref, err := a.sink.PutRoot(t.Context(), a.key, &venti.Root{Kind: venti.RootCatalog, Top: c.Stream})
	a.must(err)
	block, _, err := a.sealer.Seal(nil, []byte(list[leafSize:2*leafSize]))
	a.must(err)
	leaf := venti.Sum(block)
	for _, data := range []bool{true, false} {
		cfg := check.Config{ReadData: data, Catalog: ref.Score}
		if r := run(t, a, cfg); !r.OK() || r.Blocks != int64(a.store.Len()) {
			t.Errorf("sound catalog: %+v", r)
		}
		for _, s := range []venti.Score{leaf, c.Stream.Top.Score, ref.Score} {
			block, err := a.store.Get(t.Context(), s)
			a.must(err)
			a.store.Drop(s)
			r := run(t, a, cfg)
			if len(r.Damaged) != 1 || r.Damaged[0].Score != s || len(r.Damaged[0].Touched) != 1 || r.Damaged[0].Touched[0].Part != check.Catalog {
				t.Errorf("catalog without %v: %+v", s, r)
			}
			_, err = a.store.Put(t.Context(), block)
			a.must(err)
		}
	}
}

func ExampleReport() {
	r := check.Report{Damaged: []check.Damage{{
		Err:     venti.ErrNotFound,
		Touched: []check.Touch{{Part: check.File, Path: "/srv/letter", Off: 0, Len: 512, Snapshots: []int{0, 2}}},
	}}}
	for _, d := range r.Damaged {
		for _, t := range d.Touched {
			fmt.Printf("%s %s, bytes %d to %d, of snapshots %v: %v\n", t.Part, t.Path, t.Off, t.Off+t.Len, t.Snapshots, d.Err)
		}
	}
	fmt.Println(r.OK())
	// Output:
	// file /srv/letter, bytes 0 to 512, of snapshots [0 2]: block not found
	// false
}

// TestOnly holds that a check of a part reads the contents of that part, asks for the rest, and that the parts make up
// the whole.
func TestOnly(t *testing.T) {
	a := sample(t)
	whole := run(t, a, check.Config{ReadData: true})
	const parts = 5
	var total int64
	for part := range byte(parts) {
		r := run(t, a, check.Config{ReadData: true, Only: func(s venti.Score) bool { return s[0]%parts == part }})
		if !r.OK() || r.Blocks != whole.Blocks || r.Files != whole.Files || r.Bytes == whole.Bytes {
			t.Errorf("part %d: %+v", part, r)
		}
		total += r.Bytes
		for _, s := range a.store.Scores() {
			if r.HasRead(s) && s[0]%parts != part {
				t.Errorf("part %d: says that it read %v", part, s)
			}
		}
	}
	if total != whole.Bytes {
		t.Errorf("the parts read %d bytes, the whole has %d", total, whole.Bytes)
	}
	// Damage of bytes is found in its part only, a block that is missing in all.
	for _, s := range a.store.Scores() {
		in := func(yes bool) check.Config {
			return check.Config{ReadData: true, Only: func(o venti.Score) bool { return (o == s) == yes }}
		}
		a.store.set(s, venti.ErrNotFound)
		if a, b := run(t, a, in(true)), run(t, a, in(false)); a.OK() || b.OK() {
			t.Errorf("%v is missing: %v, %v", s, a.OK(), b.OK())
		}
		a.store.set(s, nil)
	}
}
