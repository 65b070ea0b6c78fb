package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/vac"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

// A bench is a store, a source tree and what archives the one in the other.
type bench struct {
	*testing.T
	store  *ventitest.Memory
	sealer *seal.Sealer
	src    *tree.Source
	known  *archive.Known
	dir    string // what is archived
	parent *vac.Tree
	warned []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	sealer, err := seal.New(seal.Secret{1})
	if err != nil {
		t.Fatal(err)
	}
	known, err := archive.OpenKnown(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(known.Close)
	b := &bench{T: t, store: ventitest.NewMemory(), sealer: sealer, known: known, dir: t.TempDir()}
	b.src = tree.NewSource(b.store, sealer, 8<<20)
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) write(name string, content []byte) {
	b.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(b.path(name), content, 0o644); err != nil {
		b.Fatal(err)
	}
}

// backup archives the tree; the snapshot becomes the parent of the next one.
func (b *bench) backup(change ...func(*archive.Config)) *archive.Result {
	b.Helper()
	cfg := archive.Config{Store: b.store, Sealer: b.sealer, Source: b.src, Paths: []string{b.dir}, Host: "h",
		Parent: b.parent, Known: b.known, Warn: func(path string, err error) {
			b.warned = append(b.warned, strings.TrimPrefix(path, b.dir)+": "+err.Error())
		}}
	for _, c := range change {
		c(&cfg)
	}
	b.warned = nil
	res, err := archive.Run(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	if b.parent, err = vac.Open(b.Context(), b.src, res.Ref); err != nil {
		b.Fatal(err)
	}
	return res
}

// age makes the parent trust all that it has, as if it had been made long after its files were written.
func (b *bench) age() { b.parent.Root.Floor = time.Now().Add(time.Hour) }

// read returns a file's content out of the parent.
func (b *bench) read(name string) []byte {
	b.Helper()
	d, err := b.parent.Lookup(b.Context(), b.path(name))
	if err != nil {
		b.Fatal(err)
	}
	r, err := b.parent.Open(b.Context(), d)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		b.Fatal(err)
	}
	return content
}

// expect checks that the snapshot has exactly the regular files of want.
func (b *bench) expect(want map[string][]byte) {
	b.Helper()
	got := map[string]bool{}
	top, err := b.parent.Lookup(b.Context(), b.dir)
	if err != nil {
		b.Fatal(err)
	}
	err = b.parent.WalkDir(b.Context(), top, "", func(path string, d *vac.Dir) error {
		if d.Type == vac.File {
			got[path[1:]] = true
			if w, ok := want[path[1:]]; !ok {
				b.Errorf("%s is in the snapshot", path)
			} else if !bytes.Equal(b.read(path[1:]), w) {
				b.Errorf("%s has other bytes", path)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for name := range want {
		if !got[name] {
			b.Errorf("%s is not in the snapshot", name)
		}
	}
}

func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	r.Read(b)
	return b
}

func TestContents(t *testing.T) {
	b := newBench(t)
	want := map[string][]byte{
		"empty": {}, "one": {1}, "small/text": []byte(strings.Repeat("hello\n", 100)),
		"limit": noise(1, 128<<10), "over": noise(2, 128<<10+1), "large": noise(3, 5<<20),
		"zeros": make([]byte, 3<<20), "a/b/c/d/deep": noise(4, 3000), "odd\n\xff name": noise(5, 10),
	}
	for name, content := range want {
		b.write(name, content)
	}
	if err := os.Mkdir(b.path("nothing"), 0o700); err != nil {
		t.Fatal(err)
	}
	res := b.backup()
	if res.New != int64(len(want)) || res.Failed != 0 {
		t.Errorf("new %d, failed %d", res.New, res.Failed)
	}
	b.expect(want)
	if d, err := b.parent.Lookup(t.Context(), b.path("nothing")); err != nil || d.Type != vac.Directory || d.Mode != 0o700 {
		t.Errorf("empty directory: %+v, %v", d, err)
	}
}

func TestUnchangedWritesNothing(t *testing.T) {
	b := newBench(t)
	for i := range 500 {
		b.write(fmt.Sprintf("d%d/f%d", i%7, i), noise(uint64(i), 1000+i))
	}
	b.write("large", noise(9, 3<<20))
	b.backup()
	for _, aged := range []bool{false, true} {
		if aged {
			b.age()
		}
		top, blocks := b.parent.Root.Top, b.store.Len()
		res := b.backup()
		if b.parent.Root.Top != top || !res.SameTop {
			t.Error("the same tree has another top directory")
		}
		if n := b.store.Len() - blocks; n != 1 {
			t.Errorf("%d blocks were written; the root is one", n)
		}
		if aged != (res.Read == 0) || res.Same != 501 {
			t.Errorf("aged %v: read %d bytes, %d of 501 files unchanged", aged, res.Read, res.Same)
		}
	}
	// Without a parent and without a cache, and in another order of sealing, the blocks are the same.
	top := b.parent.Root.Top
	b.parent, b.known = nil, nil
	if b.backup(); b.parent.Root.Top != top {
		t.Error("the same tree, read again from nothing, has another top directory")
	}
}

// What a comparison of size and mtime alone would miss.
func TestChangesAreSeen(t *testing.T) {
	old := time.Now().Add(-time.Hour)
	for name, change := range map[string]func(b *bench){
		"same size, mtime set back": func(b *bench) {
			b.write("f", []byte("new bytes"))
			os.Chtimes(b.path("f"), old, old)
		},
		"another inode with the same times": func(b *bench) {
			b.write("g", []byte("new bytes"))
			os.Rename(b.path("g"), b.path("f"))
			os.Chtimes(b.path("f"), old, old)
		},
		"written at once after the backup": func(b *bench) {
			st, _ := os.Stat(b.path("f"))
			b.write("f", []byte("new bytes"))
			os.Chtimes(b.path("f"), st.ModTime(), st.ModTime())
		},
		"mode":      func(b *bench) { b.write("f", []byte("new bytes")); os.Chmod(b.path("f"), 0o600) },
		"truncated": func(b *bench) { b.write("f", []byte("new bytes")) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write("f", []byte("old bytes"))
			os.Chtimes(b.path("f"), old, old)
			b.backup()
			change(b)
			if res := b.backup(); res.Changed != 1 || string(b.read("f")) != "new bytes" {
				t.Errorf("changed %d, content %q", res.Changed, b.read("f"))
			}
		})
	}
}

// An entry whose ctime is not safely below the parent's floor is read again: the kernel may have given a later write
// the same times.
func TestYoungEntriesAreReadAgain(t *testing.T) {
	b := newBench(t)
	b.write("f", []byte("content"))
	b.backup()
	d, err := b.parent.Lookup(t.Context(), b.path("f"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		floor time.Duration // after the file's ctime
		read  bool
	}{{-time.Hour, true}, {0, true}, {time.Second, true}, {3 * time.Second, false}, {time.Hour, false}} {
		first := b.parent
		b.parent.Root.Floor = d.ChangeTime.Time().Add(c.floor)
		if res := b.backup(); (res.Read > 0) != c.read {
			t.Errorf("floor %v after ctime: read %d bytes", c.floor, res.Read)
		}
		b.parent = first
	}
	if b.age(); b.backup(func(c *archive.Config) { c.Force = true }).Read == 0 {
		t.Error("Force did not read")
	}
}

func TestDirectoryEdits(t *testing.T) {
	b := newBench(t)
	want := map[string][]byte{}
	put := func(name string, c []byte) { want[name] = c; b.write(name, c) }
	del := func(name string) { delete(want, name); os.Remove(b.path(name)) }
	for i := range 300 {
		put(fmt.Sprintf("d%02d/f%03d", i%10, i), noise(uint64(i), 500))
	}
	b.backup()
	r := rand.New(rand.NewPCG(1, 2))
	for night := range 12 {
		b.age()
		for range 5 {
			i := r.IntN(30)*10 + r.IntN(3) // not in d03 and d04, whose turn comes below
			name := fmt.Sprintf("d%02d/f%03d", i%10, i)
			switch r.IntN(4) {
			case 0:
				del(name)
			case 1:
				put(name+"x", noise(uint64(night*1000+i), 300))
			case 2:
				put("a-first", noise(uint64(night), 100))
			default:
				put(name, noise(uint64(night*7777+i), 800))
			}
		}
		if night == 6 { // a directory becomes a file, and the other way round
			os.RemoveAll(b.path("d03"))
			for name := range want {
				if strings.HasPrefix(name, "d03/") {
					delete(want, name)
				}
			}
			put("d03", []byte("a file now"))
			del("d04/f004")
			put("d04/f004/x", []byte("below a directory now"))
		}
		if night == 9 {
			del("d03")
			put("d03/again", []byte("a directory"))
		}
		b.backup()
		b.expect(want)
		top := b.parent.Root.Top
		keep := b.parent
		b.parent = nil
		if b.backup(); b.parent.Root.Top.Size != top.Size {
			t.Errorf("night %d: the top directory has %d bytes with a parent and %d without", night, top.Size, b.parent.Root.Top.Size)
		}
		b.parent = keep
	}
}

func TestContentIsStoredOnce(t *testing.T) {
	b := newBench(t)
	large, small := noise(1, 4<<20), noise(2, 10<<10)
	b.write("a/large", large)
	b.write("a/small", small)
	b.backup()
	bytes := b.store.Bytes()
	b.write("b/large copy", large) // another path
	b.write("b/small copy", small)
	b.write("b/small twin", small) // twice in one run
	b.backup()
	os.RemoveAll(b.path("a"))
	b.backup()
	b.write("c/small", small) // out of an older snapshot, by the cache
	os.RemoveAll(b.path("b"))
	b.write("c/large", large)
	b.parent = nil
	b.backup()
	if grown := b.store.Bytes() - bytes; grown > 20<<10 {
		t.Errorf("copies cost %d bytes", grown)
	}
	b.known = nil // without the cache a large file still costs nothing
	b.parent = nil
	before := b.store.Bytes()
	if b.backup(); b.store.Bytes()-before > 20<<10 {
		t.Errorf("without the cache %d bytes were added", b.store.Bytes()-before)
	}
}

func TestInsertionCostsFewBlocks(t *testing.T) {
	b := newBench(t)
	content := noise(1, 48<<20)
	b.write("f", content)
	b.backup()
	blocks := b.store.Len()
	b.write("f", append([]byte{'x'}, content...))
	b.backup()
	if n := b.store.Len() - blocks; n > 6 {
		t.Errorf("one byte in front cost %d blocks", n)
	}
}

func TestCacheDoesNotOutliveBlocks(t *testing.T) {
	b := newBench(t)
	b.write("f", noise(1, 5000))
	b.write("g", noise(2, 1<<20))
	b.backup()
	for _, s := range b.store.Scores() {
		b.store.Drop(s)
	}
	b.parent = nil
	b.backup()
	b.expect(map[string][]byte{"f": noise(1, 5000), "g": noise(2, 1<<20)})
}

func TestFailures(t *testing.T) {
	t.Run("changes while it is read", func(t *testing.T) {
		b := newBench(t)
		b.write("grows", noise(1, 8<<20))
		var stop atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			f, err := os.OpenFile(b.path("grows"), os.O_APPEND|os.O_WRONLY, 0)
			for err == nil && !stop.Load() {
				_, err = f.Write([]byte("more"))
			}
			f.Close()
		}()
		res := b.backup()
		stop.Store(true)
		<-done
		if res.Failed != 1 || len(b.warned) != 1 || !strings.Contains(b.warned[0], "changed while") {
			t.Errorf("failed %d: %q", res.Failed, b.warned)
		}
		if got := b.read("grows"); !bytes.HasPrefix(got, noise(1, 8<<20)) {
			t.Error("what was read is not stored")
		}
		b.age()
		if res := b.backup(); res.Same == 1 && len(b.read("grows")) == 8<<20 {
			t.Error("the next run does not read it again")
		}
	})
	t.Run("store fails", func(t *testing.T) {
		b := newBench(t)
		b.write("f", noise(1, 1<<20))
		broken := errors.New("disk on fire")
		b.store.Fail(broken)
		_, err := archive.Run(t.Context(), archive.Config{Store: b.store, Sealer: b.sealer, Source: b.src, Paths: []string{b.dir}})
		if !errors.Is(err, broken) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		b := newBench(t)
		for i := range 2000 {
			b.write(fmt.Sprint(i), noise(uint64(i), 2000))
		}
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		_, err := archive.Run(ctx, archive.Config{Store: b.store, Sealer: b.sealer, Source: b.src, Paths: []string{b.dir},
			Saved: func(string, archive.Change, int64) {
				if n++; n == 10 {
					cancel()
				}
			}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("missing path", func(t *testing.T) {
		b := newBench(t)
		b.write("f", []byte("x"))
		res := b.backup(func(c *archive.Config) { c.Paths = []string{b.path("f"), b.path("nowhere")} })
		if res.Failed != 1 || res.New != 1 {
			t.Errorf("failed %d, new %d", res.Failed, res.New)
		}
	})
	t.Run("damaged parent", func(t *testing.T) {
		b := newBench(t)
		want := map[string][]byte{}
		for i := range 3000 {
			name := fmt.Sprintf("file with a long name, so that the directory is large %06d", i)
			want[name] = noise(uint64(i), 50)
			b.write(name, want[name])
		}
		b.backup()
		b.age()
		d, err := b.parent.Lookup(t.Context(), b.dir)
		if err != nil || d.Content.Kind != vac.Stream {
			t.Fatal("the directory is not as large as the test needs it", err)
		}
		b.store.Corrupt(d.Content.Stream.Top.Score)
		b.src = tree.NewSource(b.store, b.sealer, 8<<20)
		if b.parent, err = vac.Open(t.Context(), b.src, b.parent.Ref); err != nil {
			t.Fatal(err)
		}
		b.age()
		res := b.backup()
		if res.Failed == 0 {
			t.Error("nothing was reported")
		}
		b.expect(want)
	})
}

func TestDryRunStoresNothing(t *testing.T) {
	b := newBench(t)
	b.write("f", noise(1, 1<<20))
	_, err := archive.Run(t.Context(), archive.Config{Store: b.store, Sealer: b.sealer, Source: b.src, Paths: []string{b.dir}, Known: b.known, DryRun: true})
	if err != nil || b.store.Len() != 0 {
		t.Errorf("%d blocks, %v", b.store.Len(), err)
	}
	if b.backup(); b.store.Len() == 0 {
		t.Error("the cache believes in the dry run")
	}
}

func TestStream(t *testing.T) {
	b := newBench(t)
	content := noise(1, 3<<20)
	cfg := archive.Config{Store: b.store, Sealer: b.sealer, Source: b.src, Host: "h"}
	res, err := archive.Stream(t.Context(), cfg, bytes.NewReader(content), "dump.sql")
	if err != nil {
		t.Fatal(err)
	}
	tr, err := vac.Open(t.Context(), b.src, res.Ref)
	if err != nil {
		t.Fatal(err)
	}
	b.parent, b.dir = tr, "/"
	if !bytes.Equal(b.read("dump.sql"), content) {
		t.Error("other bytes")
	}
	for _, bad := range []string{"", ".", "..", "a/b", "a\x00"} {
		if _, err := archive.Stream(t.Context(), cfg, strings.NewReader("x"), bad); err == nil {
			t.Errorf("name %q is accepted", bad)
		}
	}
	broken := errors.New("pipe broke")
	if _, err := archive.Stream(t.Context(), cfg, io.MultiReader(strings.NewReader("x"), failing{broken}), "x"); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestPaths(t *testing.T) {
	b := newBench(t)
	b.write("x/in", []byte("1"))
	b.write("y/out", []byte("2"))
	b.write("z/file", []byte("3"))
	b.backup(func(c *archive.Config) {
		c.Paths = []string{b.path("z/file"), b.path("x"), b.path("x/in"), b.path("x/")}
	})
	b.expect(map[string][]byte{"x/in": []byte("1"), "z/file": []byte("3")})
	if len(b.parent.Root.Paths) != 2 {
		t.Errorf("paths %q", b.parent.Root.Paths)
	}
	d, err := b.parent.Lookup(t.Context(), b.dir)
	if err != nil || d.Inode != 0 || d.ModTime != (vac.Stamp{}) {
		t.Errorf("a directory on the way was archived: %+v, %v", d, err)
	}
	if _, err := b.parent.Lookup(t.Context(), b.path("y")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("y: %v", err)
	}
}

func TestTooManyPathsAreRefused(t *testing.T) {
	b := newBench(t)
	b.write("f", []byte("x"))
	var paths []string
	for i := range 5000 {
		paths = append(paths, b.path(fmt.Sprint("no", i)))
	}
	_, err := archive.Run(t.Context(), archive.Config{Store: b.store, Sealer: b.sealer, Source: b.src, Paths: paths})
	if err == nil || !strings.Contains(err.Error(), "root cannot be written") {
		t.Errorf("error %v", err)
	}
}
