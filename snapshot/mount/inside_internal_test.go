package mount

import (
	"context"
	"fmt"
	"slices"
	"strings"
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

// show writes folders as lines of path and the time of the snapshot.
func show(f *folder) (lines []string) {
	for _, name := range f.names() {
		k := f.kids[name]
		if k.folder != nil {
			lines = append(lines, show(k.folder)...)
			continue
		}
		lines = append(lines, join(f.path, name)+" = "+k.snap.Tags[0])
	}
	return lines
}

func TestLayout(t *testing.T) {
	at := func(text string) time.Time {
		x, err := time.Parse("2006-01-02 15:04:05", text)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	score := func(b byte) venti.Score { return venti.Score{b} }
	id := func(b byte) string { return fmt.Sprintf("%02x%s", b, strings.Repeat("0", 62)) }
	list := []snapshot.Snapshot{
		{Score: score(3), Host: "b", Time: at("2026-11-21 01:02:03"), Tags: []string{"third"}},
		{Score: score(1), Host: "a", Time: at("2025-12-31 23:59:01"), Tags: []string{"first"}},
		{Score: score(2), Host: "a", Time: at("2025-12-31 23:59:50"), Tags: []string{"second"}},
		{Score: score(4), Host: "b", Time: at("2026-11-21 09:00:00"), Tags: []string{"share"}, Share: true},
		{Score: score(5), Host: "../x", Time: at("2020-01-01 00:00:00"), Tags: []string{"odd"}},
	}
	want := []string{
		"dates/2020/01/01/0100 = odd", "dates/2026/01/01/0059 = first", "dates/2026/01/01/0059.1 = second",
		"dates/2026/11/21/0202 = third", "dates/2026/11/21/1000 = share",
		"hosts/..%2Fx/dates/2020/01/01/0100 = odd", "hosts/..%2Fx/ids/" + id(5) + " = odd", "hosts/..%2Fx/latest = odd",
		"hosts/a/dates/2026/01/01/0059 = first", "hosts/a/dates/2026/01/01/0059.1 = second",
		"hosts/a/ids/" + id(1) + " = first", "hosts/a/ids/" + id(2) + " = second", "hosts/a/latest = second",
		"hosts/b/dates/2026/11/21/0202 = third", "hosts/b/dates/2026/11/21/1000 = share",
		"hosts/b/ids/" + id(3) + " = third", "hosts/b/ids/" + id(4) + " = share", "hosts/b/latest = third",
		"ids/" + id(1) + " = first", "ids/" + id(2) + " = second", "ids/" + id(3) + " = third", "ids/" + id(4) + " = share",
		"ids/" + id(5) + " = odd", "latest = third",
	}
	top := layout(list, time.FixedZone("east", 3600))
	if got := show(top); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if f := top.find("dates/2026/01"); f == nil || !f.last.Equal(at("2025-12-31 23:59:50")) || f.path != "dates/2026/01" {
		t.Errorf("found %+v", f)
	}
	for _, path := range []string{"dates/1999", "latest", "ids/" + id(1), "x/y"} {
		if top.find(path) != nil {
			t.Errorf("%s is a folder", path)
		}
	}
}

func TestHostNames(t *testing.T) {
	seen := map[string]string{}
	for _, host := range []string{"", ".", "..", "...", "a", "a/b", "a%2Fb", "%", "a\x00b", "caf\xe9", "%2E"} {
		name := hostName(host)
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			t.Errorf("%q becomes %q", host, name)
		}
		if was, ok := seen[name]; ok {
			t.Errorf("%q and %q both become %q", was, host, name)
		}
		seen[name] = host
	}
}

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
