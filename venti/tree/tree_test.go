package tree_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

func TestRoundTrip(t *testing.T) {
	fixed := tree.Cut{Avg: 1000, Fixed: true}
	for _, c := range []struct {
		name  string
		cut   tree.Cut
		edges []int
	}{
		{"small", small, []int{0, small.Min, small.Avg, small.Max, 2 * small.Max, 300_000}},
		{"fixed", fixed, []int{0, 1000, 2000, 1_000_000}},
		{"entries", tree.Entries(), []int{8 << 10, 32 << 10, 128 << 10}},
		{"files", tree.Files(), []int{256 << 10, 1 << 20, seal.MaxPlain}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			for _, edge := range c.edges {
				for n := max(edge-1, 0); n <= edge+1; n++ {
					for what, data := range map[string][]byte{"noise": noise(7, n), "text": text(7, n), "zeros": make([]byte, n)} {
						e := r.write(t, c.cut, data)
						if e.Size != int64(n) || e.IsHole() != (what == "zeros" || n == 0) {
							t.Fatalf("%s of %d bytes: entry %+v", what, n, e)
						}
						check(t, what, r.readAll(t, e), data)
					}
				}
			}
		})
	}
}

func TestLargeRoundTrip(t *testing.T) {
	r := newRig(t)
	data := noise(3, 20<<20)
	e := r.write(t, tree.Files(), data)
	check(t, "noise", r.readAll(t, e), data)
	if e.Depth != 1 {
		t.Errorf("depth of 20 MiB is %d, want 1", e.Depth)
	}
	blocks, size := r.sink.Written()
	if n := r.Len(); int64(n) != blocks || size < 20<<20 || size > 21<<20 {
		t.Errorf("Written says %d blocks of %d bytes; the store has %d", blocks, size, n)
	}
}

// TestZeros holds that zeros cost no block, whether they are written or announced, and however long they are.
func TestZeros(t *testing.T) {
	r := newRig(t)
	for _, n := range []int64{1, 511, 4 << 20, 1 << 40, 1 << 62} {
		w := tree.NewWriter(t.Context(), r.sink, tree.Files())
		if err := w.Hole(n); err != nil {
			t.Fatal(err)
		}
		if e := closed(t, w); e != (venti.Entry{Size: n}) {
			t.Errorf("hole of %d bytes: %+v", n, e)
		}
	}
	r.write(t, tree.Files(), make([]byte, 9<<20))
	if r.Len() > 0 {
		t.Errorf("%d blocks of zeros", r.Len())
	}
	w := tree.NewWriter(t.Context(), r.sink, tree.Files())
	for range 3 {
		_ = w.Hole(1 << 62)
	}
	if _, err := w.Close(); err == nil {
		t.Error("a stream over 2⁶² bytes is made without an error")
	}
	if err := tree.NewWriter(t.Context(), r.sink, small).Hole(-1); err == nil {
		t.Error("a hole of −1 bytes is taken")
	}
}

// TestHoles writes data and holes in all orders of a few lengths and reads them back.
func TestHoles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	lengths := []int{1, 7, small.Min, small.Max, small.Max + 1, 5000}
	for i := range 60 {
		r := newRig(t)
		w := tree.NewWriter(t.Context(), r.sink, small)
		var want []byte
		var ops []string
		for range rng.IntN(12) {
			n := lengths[rng.IntN(len(lengths))]
			switch rng.IntN(3) {
			case 0:
				ops = append(ops, fmt.Sprint("hole ", n))
				want = append(want, make([]byte, n)...)
				if err := w.Hole(int64(n)); err != nil {
					t.Fatal(err)
				}
			case 1:
				ops = append(ops, fmt.Sprint("write ", n))
				p := noise(byte(i), n)
				want = append(want, p...)
				if _, err := w.Write(p); err != nil {
					t.Fatal(err)
				}
			default:
				ops = append(ops, fmt.Sprint("read from ", n))
				p := append(make([]byte, n/2), noise(byte(i), n-n/2)...)
				want = append(want, p...)
				if m, err := w.ReadFrom(bytes.NewReader(p)); m != int64(n) || err != nil {
					t.Fatal(m, err)
				}
			}
		}
		e := closed(t, w)
		check(t, fmt.Sprint(ops), r.readAll(t, e), want)
	}
}

// TestSparse reads a terabyte with a few bytes in it.
func TestSparse(t *testing.T) {
	r := newRig(t)
	w := tree.NewWriter(t.Context(), r.sink, tree.Files())
	const tera = 1 << 40
	for range 3 {
		_ = w.Hole(tera)
		_, _ = w.Write([]byte("land"))
	}
	e := closed(t, w)
	if e.Size != 3*(tera+4) || r.Len() != 2 {
		t.Fatalf("%+v in %d blocks, want 2: one leaf and one pointer block", e, r.Len())
	}
	rd := tree.NewReader(t.Context(), r.src, e)
	buf := make([]byte, 8)
	for i := range int64(3) {
		if n, err := rd.ReadAt(buf, i*(tera+4)+tera-4); n != 8 || err != nil || string(buf) != "\x00\x00\x00\x00land" {
			t.Errorf("%d: %d bytes %q, %v", i, n, buf, err)
		}
	}
}

// TestPieces holds that only the bytes matter and not how they arrive.
func TestPieces(t *testing.T) {
	data := append(append(noise(5, 250_000), make([]byte, 10_000)...), noise(6, 150_001)...)
	for _, cut := range []tree.Cut{small, {Avg: 4096, Fixed: true}, tree.Entries()} {
		r := newRig(t)
		want := r.write(t, cut, data)
		for name, reader := range map[string]io.Reader{
			"whole":           bytes.NewReader(data),
			"halves":          iotest.HalfReader(bytes.NewReader(data)),
			"bytes":           iotest.OneByteReader(bytes.NewReader(data)),
			"end with data":   iotest.DataErrReader(bytes.NewReader(data)),
			"hidden ReaderAt": io.MultiReader(bytes.NewReader(data[:12345]), bytes.NewReader(data[12345:])),
		} {
			w := tree.NewWriter(t.Context(), r.sink, cut)
			if n, err := w.ReadFrom(reader); n != int64(len(data)) || err != nil {
				t.Fatalf("%s: %d, %v", name, n, err)
			}
			if e := closed(t, w); e != want {
				t.Errorf("%+v, ReadFrom %s: %+v, want %+v", cut, name, e, want)
			}
		}
		for seed := range uint64(4) {
			rng := rand.New(rand.NewPCG(seed, 0))
			w := tree.NewWriter(t.Context(), r.sink, cut)
			for p := data; len(p) > 0; {
				n := min(len(p), 1+rng.IntN(1<<(4+4*seed)))
				if _, err := w.Write(p[:n]); err != nil {
					t.Fatal(err)
				}
				p = p[n:]
			}
			if e := closed(t, w); e != want {
				t.Errorf("%+v, Write in pieces, seed %d: %+v, want %+v", cut, seed, e, want)
			}
		}
	}
}

// TestReadFromError holds that a reader's error reaches the caller, who may go on.
func TestReadFromError(t *testing.T) {
	r := newRig(t)
	data := noise(1, 5000)
	w := tree.NewWriter(t.Context(), r.sink, small)
	broken := io.MultiReader(bytes.NewReader(data[:3000]), iotest.ErrReader(fmt.Errorf("disk: %w", io.EOF)))
	if n, err := w.ReadFrom(broken); n != 3000 || err == nil {
		t.Fatalf("ReadFrom a reader that breaks: %d, %v", n, err)
	}
	if _, err := w.Write(data[3000:]); err != nil {
		t.Fatal(err)
	}
	if e, want := closed(t, w), r.write(t, small, data); e != want {
		t.Errorf("%+v, want %+v", e, want)
	}
}

func TestBadCut(t *testing.T) {
	r := newRig(t)
	for _, c := range []tree.Cut{{}, {Fixed: true}, {Avg: seal.MaxPlain + 1, Fixed: true}, {Min: 1, Avg: 4, Max: 9},
		{Min: 20, Avg: 10, Max: 30}, {Min: 1, Avg: 100, Max: 10}, {Min: 1, Avg: 100, Max: seal.MaxPlain + 1}} {
		w := tree.NewWriter(t.Context(), r.sink, c)
		_, err1 := w.Write([]byte("x"))
		_, err2 := w.ReadFrom(bytes.NewReader([]byte("x")))
		err3 := w.Hole(1)
		if _, err := w.Close(); err == nil || err1 == nil || err2 == nil || err3 == nil {
			t.Errorf("%+v: %v, %v, %v, %v", c, err1, err2, err3, err)
		}
	}
}

// TestFixedChange changes a byte in place, which must cost one leaf and the pointer blocks above it.
func TestFixedChange(t *testing.T) {
	r := newRig(t)
	data := noise(9, 100_000)
	cut := tree.Cut{Avg: 100, Fixed: true}
	e := r.write(t, cut, data)
	before := r.Len()
	data[31_415]++
	f := r.write(t, cut, data)
	if n := r.Len() - before; n != 1+f.Depth || f.Depth != e.Depth {
		t.Errorf("%d new blocks for a changed byte, depth %d then %d", n, e.Depth, f.Depth)
	}
}

// A memo knows plaintexts.
type memo struct {
	mu   sync.Mutex
	refs map[tree.Hash]venti.Ref
	hits int
}

func (m *memo) Leaf(_ context.Context, h tree.Hash, size int) (venti.Ref, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	ref, ok := m.refs[h]
	if ok {
		m.hits++
	}
	return ref, ok
}

func (m *memo) AddLeaf(h tree.Hash, size int, ref venti.Ref) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refs[h] = ref
}

// TestKnown holds that leaves of files that are known are not put again, and that entries are not asked about.
func TestKnown(t *testing.T) {
	r := newRig(t)
	m := &memo{refs: map[tree.Hash]venti.Ref{}}
	r.sink = tree.NewSink(r.store, r.sealer, m)
	data := noise(2, 200_000)
	e := r.write(t, small, data)
	leaves, puts := len(m.refs), r.puts
	if f := r.write(t, small, data); f != e {
		t.Errorf("%+v, want %+v", f, e)
	}
	if pointers := puts - leaves; m.hits != leaves || r.puts != puts+pointers {
		t.Errorf("%d hits of %d leaves, %d puts after %d", m.hits, leaves, r.puts, puts)
	}
	r.write(t, tree.Entries(), data)
	if len(m.refs) != leaves {
		t.Error("leaves of entries were remembered")
	}
}
