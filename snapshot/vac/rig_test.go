package vac_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

// A store counts what is asked of a Memory.
type store struct {
	*ventitest.Memory
	mu   sync.Mutex
	gets map[venti.Score]int
}

func (s *store) Get(ctx context.Context, score venti.Score) ([]byte, error) {
	s.mu.Lock()
	s.gets[score]++
	s.mu.Unlock()
	return s.Memory.Get(ctx, score)
}

// A rig is a store with a way in and a way out.
type rig struct {
	*store
	sealer *seal.Sealer
	sink   *tree.Sink
	src    *tree.Source
}

func newRig(t testing.TB) *rig {
	t.Helper()
	s := &store{Memory: ventitest.NewMemory(), gets: map[venti.Score]int{}}
	sealer, err := seal.New(seal.Secret{1})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{store: s, sealer: sealer, sink: tree.NewSink(s, sealer, nil), src: tree.NewSource(s, sealer, 16<<20)}
}

// fresh forgets what is cached and counted.
func (r *rig) fresh() {
	r.src = tree.NewSource(r.store, r.sealer, 16<<20)
	clear(r.gets)
}

// A node is a file of a tree that is written as a literal.
type node struct {
	vac.Dir
	data string
	kids []node
}

func meta(name string, t vac.Type) vac.Dir {
	return vac.Dir{Name: name, Type: t, Mode: 0o644, UID: 7, GID: 8, User: "u", Group: "g", Links: 1, Inode: 1,
		ModTime: vac.Stamp{Sec: 1e9, Nsec: 5}}
}

func file(name, data string) node          { return node{Dir: meta(name, vac.File), data: data} }
func dir(name string, kids ...node) node   { return node{Dir: meta(name, vac.Directory), kids: kids} }
func special(name string, t vac.Type) node { return node{Dir: meta(name, t)} }

func link(name, target string) node {
	n := node{Dir: meta(name, vac.Symlink)}
	n.Target = target
	return n
}

// with returns the node with a change to its metadata.
func (n node) with(change func(d *vac.Dir)) node {
	change(&n.Dir)
	return n
}

// words is n bytes that compress a little and are the same for the same seed.
func words(seed, n int) string {
	r := rand.New(rand.NewPCG(uint64(seed), 1))
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%x ", r.Uint32())
	}
	return b.String()[:n]
}

// sliceMax is how long the files are that tests put into shared blocks.
const sliceMax = 1000

// snapshot stores a tree and its root. Its small files share one block.
func (r *rig) snapshot(t testing.TB, kids ...node) *vac.Tree {
	t.Helper()
	top, shared := r.topOf(t, kids)
	root := &venti.Root{Kind: venti.RootSnapshot, Top: top, Shared: shared}
	ref, err := r.sink.PutRoot(t.Context(), seal.RootKey{}, root)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := vac.Open(t.Context(), r.src, ref)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (r *rig) topOf(t testing.TB, kids []node) (top, shared venti.Entry) {
	t.Helper()
	kids = slices.Clone(kids)
	var block []byte
	var small []*vac.Dir
	place(kids, &block, &small)
	shares := vac.Shares{}
	if len(block) > 0 {
		ref, err := r.sink.Go(t.Context(), block, false).Wait()
		if err != nil {
			t.Fatal(err)
		}
		used := uint64(0)
		for _, d := range small {
			d.Content.Slice.Block = ref
			used += uint64(d.Size)
		}
		shares[ref.Score] = vac.Share{Size: uint64(len(block)), Used: used}
	}
	w := vac.NewDirWriter(t.Context(), r.sink, r.src, vac.Content{})
	r.add(t, w, kids)
	top, err := w.CloseStream()
	if err != nil {
		t.Fatal(err)
	}
	if shared, err = shares.Write(t.Context(), r.sink); err != nil {
		t.Fatal(err)
	}
	return top, shared
}

// place puts the small files of a tree into a block, one after another.
func place(kids []node, block *[]byte, small *[]*vac.Dir) {
	for i := range kids {
		n := &kids[i]
		n.kids = slices.Clone(n.kids)
		place(n.kids, block, small)
		if n.Type == vac.File && len(n.data) > 0 && len(n.data) <= sliceMax {
			n.Size = int64(len(n.data))
			n.Content = vac.Content{Kind: vac.Sliced,
				Slice: vac.Slice{Offset: uint32(len(*block)), Hash: vac.DigestOf([]byte(n.data))}}
			*block = append(*block, n.data...)
			*small = append(*small, &n.Dir)
		}
	}
}

// add writes nodes and what is below them.
func (r *rig) add(t testing.TB, w *vac.DirWriter, kids []node) {
	t.Helper()
	slices.SortFunc(kids, func(a, b node) int { return strings.Compare(a.Name, b.Name) })
	for _, n := range kids {
		switch {
		case n.Type == vac.Directory:
			below := vac.NewDirWriter(t.Context(), r.sink, r.src, vac.Content{})
			r.add(t, below, n.kids)
			c, _, err := below.Close()
			if err != nil {
				t.Fatal(err)
			}
			n.Content = c
		case n.Type == vac.File && len(n.data) > sliceMax:
			n.Size = int64(len(n.data))
			n.Content = vac.Content{Kind: vac.Stream, Stream: r.stream(t, n.data)}
		}
		if err := w.Add(&n.Dir); err != nil {
			t.Fatal(err)
		}
	}
}

// stream stores data in small leaves.
func (r *rig) stream(t testing.TB, data string) venti.Entry {
	t.Helper()
	w := tree.NewWriter(t.Context(), r.sink, tree.Cut{Min: 256, Avg: 1024, Max: 4096})
	_, _ = io.WriteString(w, data)
	e, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// crowd is n small files, the names of which sort as they are counted.
func crowd(n int) (kids []node) {
	for i := range n {
		kids = append(kids, file(fmt.Sprintf("file-%06d", i), fmt.Sprint("content of ", i)))
	}
	return kids
}

// all reads the entries of a directory.
func (r *rig) all(t testing.TB, c vac.Content) (out []*vac.Dir) {
	t.Helper()
	es := vac.NewEntries(t.Context(), r.src, c)
	defer es.Close()
	for {
		d, err := es.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
}
