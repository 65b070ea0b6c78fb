package check_test

import (
	"context"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// An archive is a store and snapshots in it, made by hand so that a test can decide where things lie.
type archive struct {
	t      *testing.T
	store  *faulty
	sealer *seal.Sealer
	sink   *tree.Sink
	key    seal.RootKey
	snaps  []snapshot.Snapshot
	known  map[string]vac.Slice // contents that lie in shared blocks

	lie func(path string, d *vac.Dir) // may change a record before it is written
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	sealer, err := seal.New(seal.Secret{7})
	if err != nil {
		t.Fatal(err)
	}
	store := newFaulty()
	return &archive{t: t, store: store, sealer: sealer, sink: tree.NewSink(store, sealer, nil), key: seal.RootKey{9},
		known: map[string]vac.Slice{}}
}

// source returns a new Source, so that nothing is cached.
func (a *archive) source() *tree.Source { return tree.NewSource(a.store, a.sealer, 8<<20) }

const (
	smallMax  = 2000 // files up to this length are slices
	leafSize  = 4096
	sharedMax = 16 << 10
)

// add makes a snapshot of files, given by path, and returns its index. Files in a directory whose name begins with
// "big" have an attribute that makes the directory a stream of several leaves.
func (a *archive) add(files map[string]string) int {
	a.t.Helper()
	shares := vac.Shares{}
	a.pack(files)
	for _, p := range slices.Sorted(maps.Keys(files)) {
		if s, ok := a.known[files[p]]; ok {
			sh := shares[s.Block.Score]
			sh.Size, sh.Used = sharedMax, sh.Used+uint64(len(files[p]))
			shares[s.Block.Score] = sh
		}
	}
	w := vac.NewDirWriter(a.t.Context(), a.sink, nil, vac.Content{})
	n := a.fill(w, "", files)
	top, err := w.CloseStream()
	a.must(err)
	table, err := shares.Write(a.t.Context(), a.sink)
	a.must(err)
	when := time.Unix(1_700_000_000+int64(len(a.snaps)), 0).UTC()
	ref, err := a.sink.PutRoot(a.t.Context(), a.key, &venti.Root{Kind: venti.RootSnapshot, Time: when, Floor: when,
		Top: top, Shared: table, Files: uint64(n)})
	a.must(err)
	a.snaps = append(a.snaps, snapshot.Snapshot{Score: ref.Score, Time: when, Files: uint64(n)})
	return len(a.snaps) - 1
}

func (a *archive) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// pack puts the small contents that are not known into shared blocks.
func (a *archive) pack(files map[string]string) {
	var block []byte
	var inside []string
	flush := func() {
		if len(block) == 0 {
			return
		}
		ref, err := a.sink.Go(a.t.Context(), block, false).Wait()
		a.must(err)
		off := 0
		for _, c := range inside {
			a.known[c] = vac.Slice{Block: ref, Offset: uint32(off), Hash: vac.DigestOf([]byte(c))}
			off += len(c)
		}
		block, inside = nil, nil
	}
	for _, p := range slices.Sorted(maps.Keys(files)) {
		c := files[p]
		if _, ok := a.known[c]; ok || c == "" || len(c) > smallMax || slices.Contains(inside, c) {
			continue
		}
		block = append(block, c...)
		if inside = append(inside, c); len(block) > sharedMax-smallMax {
			flush()
		}
	}
	flush()
}

// fill adds what is below the directory dir to w and returns the number of files.
func (a *archive) fill(w *vac.DirWriter, dir string, files map[string]string) (n int) {
	names := map[string]bool{}
	for p := range files {
		if rest, ok := strings.CutPrefix(p, dir+"/"); ok {
			name, _, below := strings.Cut(rest, "/")
			names[name] = names[name] || below
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		p := dir + "/" + name
		d := &vac.Dir{Name: name, Mode: 0o644, Links: 1, User: "user", Group: "group"}
		if names[name] {
			d.Type = vac.Directory
			sub := vac.NewDirWriter(a.t.Context(), a.sink, nil, vac.Content{})
			n += a.fill(sub, p, files)
			var err error
			d.Content, _, err = sub.Close()
			a.must(err)
		} else {
			d.Type, d.Size = vac.File, int64(len(files[p]))
			d.Content = a.content(files[p])
			n++
		}
		if strings.HasPrefix(path.Base(dir), "big") {
			d.Xattrs = []vac.Xattr{{Name: "user.filler", Value: text(len(name)*1000+len(files[p]), 3000)}}
		}
		if a.lie != nil {
			a.lie(p, d)
		}
		a.must(w.Add(d))
	}
	return n
}

func (a *archive) content(c string) vac.Content {
	if c == "" {
		return vac.Content{}
	}
	if s, ok := a.known[c]; ok {
		return vac.Content{Kind: vac.Sliced, Slice: s}
	}
	w := tree.NewWriter(a.t.Context(), a.sink, tree.Cut{Min: leafSize, Avg: leafSize, Max: leafSize, Fixed: true})
	_, err := w.Write([]byte(c))
	a.must(err)
	e, err := w.Close()
	a.must(err)
	return vac.Content{Kind: vac.Stream, Stream: e}
}

// text returns n bytes that do not compress and are the same for the same seed.
func text(seed, n int) string {
	b := make([]byte, n)
	c := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 1})
	c.Read(b)
	return string(b)
}

// sample is an archive with a bit of everything: three snapshots that share most, nested directories and ones that are
// streams, one of them with several leaves, small files, empty ones and long ones.
func sample(t *testing.T) *archive {
	a := newArchive(t)
	files := map[string]string{}
	for i := range 40 {
		files["/home/anna/notes/"+name(i)] = text(i, 300+17*i)
		files["/home/big/"+name(i)] = text(1000+i, 100+9*i)
		if i < 6 {
			files["/var/lib/"+name(i)] = text(2000+i, 3000+7000*i)
		}
	}
	files["/home/anna/empty"] = ""
	files["/home/anna/copy"] = files["/home/anna/notes/"+name(3)]
	a.add(files)
	files["/home/anna/notes/"+name(7)] = text(7777, 555)
	files["/var/lib/"+name(5)] = text(2005, 3000+7000*5-5000)
	delete(files, "/home/big/"+name(11))
	a.add(files)
	files["/srv/big-new/a"] = text(4000, 1500)
	files["/srv/big-new/b"] = files["/var/lib/"+name(4)]
	delete(files, "/home/anna/notes/"+name(0))
	a.add(files)
	return a
}

func name(i int) string { return "file-" + string(rune('a'+i/10)) + string(rune('0'+i%10)) }

// open opens a snapshot.
func (a *archive) open(ctx context.Context, src *tree.Source, i int) (*vac.Tree, error) {
	return vac.OpenOwn(ctx, src, a.key, a.snaps[i].Score)
}
