package mount

import (
	"bytes"
	"context"
	"math"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"ventidhash/snapshot"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

// treeOf makes a snapshot of two levels of directories with files in them.
func treeOf(t *testing.T) *vac.Tree {
	t.Helper()
	store := ventitest.NewMemory()
	s, err := seal.New(seal.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	src, sink := tree.NewSource(store, s, 1<<20), tree.NewSink(store, s, nil)
	dir := func(entries ...*vac.Dir) *vac.DirWriter {
		w := vac.NewDirWriter(ctx, sink, src, vac.Content{})
		for _, e := range entries {
			if err := w.Add(e); err != nil {
				t.Fatal(err)
			}
		}
		return w
	}
	file := func(name string) *vac.Dir { return &vac.Dir{Name: name, Type: vac.File, Links: 1} }
	below, _, err := dir(file("x"), file("y")).Close()
	if err != nil {
		t.Fatal(err)
	}
	sub := &vac.Dir{Name: "sub", Type: vac.Directory, Links: 1, Content: below}
	top, err := dir(file("f"), sub).CloseStream()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	ref, err := sink.PutRoot(ctx, seal.RootKey{}, &venti.Root{Kind: venti.RootSnapshot, Time: now, Floor: now, Top: top})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := vac.Open(ctx, src, ref)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// What the kernel has forgotten is not kept, in whatever order it forgets.
func TestForget(t *testing.T) {
	cfg := Config{Dir: "x", Tree: treeOf(t)}.withDefaults()
	f, err := newFileSystem(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	look := func(dir uint64, name string) uint64 {
		t.Helper()
		var out fuse.EntryOut
		if st := f.Lookup(nil, &fuse.InHeader{NodeId: dir}, name, &out); !st.Ok() || out.NodeId == 0 {
			t.Fatalf("looking up %s: %v, number %d", name, st, out.NodeId)
		}
		return out.NodeId
	}
	for range 3 {
		file, sub := look(fuse.FUSE_ROOT_ID, "f"), look(fuse.FUSE_ROOT_ID, "sub")
		if again := look(fuse.FUSE_ROOT_ID, "sub"); again != sub {
			t.Errorf("the directory has the number %d, and then %d", sub, again)
		}
		x, y := look(sub, "x"), look(sub, "y")
		if x == y || x == file || x == sub {
			t.Errorf("one number for two: %d %d %d %d", x, y, file, sub)
		}
		f.Forget(sub, 2)
		if d, e, err := f.entry(t.Context(), y); err != nil || e.Name != "y" || d.where() != "/sub" {
			t.Errorf("a file in a directory that was forgotten: %v, %v", e, err)
		}
		f.Forget(x, 1)
		f.Forget(y, 1)
		f.Forget(file, 1)
		if len(f.table.dirs) != 1 || len(f.table.places) != 0 || f.lists.lru.Len() > 1 || f.table.find(0).refs != 0 {
			t.Errorf("%d directories, %d places and %d listings are kept", len(f.table.dirs), len(f.table.places), f.lists.lru.Len())
		}
		if _, _, err := f.entry(t.Context(), x); err == nil {
			t.Error("what was forgotten is still there")
		}
	}
	var out fuse.EntryOut
	if st := f.Lookup(nil, &fuse.InHeader{NodeId: fuse.FUSE_ROOT_ID}, "none", &out); !st.Ok() || out.NodeId != 0 || out.EntryValid < 1e6 {
		t.Errorf("what is not there: %v, number %d, for %d s", st, out.NodeId, out.EntryValid)
	}
}

// Listings are kept within their bound, and read again beyond it.
func TestListings(t *testing.T) {
	s := newLists(1000, nil)
	var dirs []*directory
	reads := 0
	get := func(d *directory, weight int) {
		t.Helper()
		if _, err := s.of(t.Context(), d, func(context.Context) (*listing, error) {
			reads++
			return &listing{weight: weight}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		dirs = append(dirs, &directory{})
		get(dirs[len(dirs)-1], 300)
		if s.size > 1000 {
			t.Fatalf("%d bytes are kept", s.size)
		}
	}
	get(dirs[19], 300)
	if reads != 20 {
		t.Errorf("%d listings were read, not 20", reads)
	}
	get(&directory{}, 5000)
	if s.size != 5000 || s.lru.Len() != 1 {
		t.Errorf("%d bytes in %d listings are kept, not the one that is too large", s.size, s.lru.Len())
	}
}

// A stuck list answers once, and then no more until whoever asks gives up.
type stuck struct{ asked int }

func (s *stuck) List(ctx context.Context) ([]snapshot.Snapshot, error) {
	if s.asked++; s.asked == 1 {
		return []snapshot.Snapshot{{Time: time.Now(), Bytes: 1 << 20}}, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s *stuck) Open(context.Context, snapshot.Snapshot) (*vac.Tree, error) {
	panic("nothing is opened")
}

// A list that does not come keeps nobody for longer than the mount's patience, df included.
func TestStuckList(t *testing.T) {
	list := &stuck{}
	f, err := newFileSystem(t.Context(), Config{Dir: "x", Snapshots: list, Patience: 50 * time.Millisecond}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	f.shelf.read = time.Time{}
	done := make(chan fuse.StatfsOut, 1)
	go func() {
		var out fuse.StatfsOut
		f.StatFs(nil, &fuse.InHeader{NodeId: fuse.FUSE_ROOT_ID}, &out)
		done <- out
	}()
	select {
	case out := <-done:
		if list.asked != 2 || out.Blocks != 256 {
			t.Errorf("asked %d times, %d blocks", list.asked, out.Blocks)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for ever")
	}
}

// A snapshot may say that a file is as long as numbers go, and its end is read as any other.
func TestLongest(t *testing.T) {
	tr := treeOf(t)
	s, err := seal.New(seal.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := newFileSystem(t.Context(), Config{Dir: "x", Tree: tr}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	tail := ventitest.Random(1, 1000)
	sink := tree.NewSink(tr.Source().Store(), s, nil)
	w := tree.NewWriter(t.Context(), sink, tree.Files())
	if _, err := w.Write(tail); err != nil {
		t.Fatal(err)
	}
	leaf, err := w.Close()
	if err != nil || leaf.Depth != 0 {
		t.Fatal(leaf, err)
	}
	rows := venti.AppendUint([]byte{1, 1, 2}, uint64(math.MaxInt64-len(tail))<<1) // a hole and a leaf, as venti/tree/FORMAT.md has them
	rows = venti.AppendRef(venti.AppendUint(rows, uint64(len(tail))<<1|1), leaf.Top)
	ref, err := sink.PutPointer(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	e := venti.Entry{Top: ref, Depth: 1, Size: math.MaxInt64}
	d := &vac.Dir{Name: "long", Type: vac.File, Size: e.Size, Sparse: true, Content: vac.Content{Kind: vac.Stream, Stream: e}}
	got, err := f.read(t.Context(), 1, f.table.find(0), d, e.Size-int64(len(tail)), make([]byte, 4096))
	if err != nil || !bytes.Equal(got, tail) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
