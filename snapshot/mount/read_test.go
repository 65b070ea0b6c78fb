package mount_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot/mount"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

func TestReads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	content := noise(7, 20<<20)
	clear(content[5<<20 : 9<<20]) // zeros that are no holes
	write(t, filepath.Join(dir, "large"), content)
	store := ventitest.NewMemory()
	m := mountIt(t, mount.Config{Tree: keep(t, store, dir), Path: dir})
	before := store.Gets()
	readAll(t, m.at("large"), content)
	if n := store.Gets() - before; n > 2*20 {
		t.Errorf("reading 20 MiB in order took %d blocks", n)
	}
	before = store.Gets()
	readAll(t, m.at("large"), content)
	if n := store.Gets() - before; n > 0 {
		t.Errorf("reading it once more took %d blocks, though the kernel may keep it", n)
	}
	m.unmount()

	m = mountIt(t, mount.Config{Tree: keep(t, store, dir), Path: dir})
	f, err := os.Open(m.at("large"))
	must(t, err)
	defer f.Close()
	var all sync.WaitGroup
	for seed := range uint64(4) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			for range 50 {
				off, n := r.IntN(len(content)), 1+r.IntN(300<<10)
				b := make([]byte, n)
				k, err := f.ReadAt(b, int64(off))
				want := content[off:min(off+n, len(content))]
				if k != len(want) || !bytes.Equal(b[:k], want) || err != nil && err != io.EOF {
					t.Errorf("%d bytes at %d: %d, %v", n, off, k, err)
				}
			}
		})
	}
	all.Wait()
}

func TestSmallFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 3000 {
		write(t, filepath.Join(dir, fmt.Sprint(i%30), fmt.Sprint(i)), noise(uint64(i), 500+r.IntN(2000)))
	}
	store := ventitest.NewMemory()
	tr := keep(t, store, dir)
	blocks := store.Len()
	m := mountIt(t, mount.Config{Tree: tr, Path: dir})
	before := store.Gets()
	for i := range 3000 { // not in the order in which they lie in the blocks
		path := filepath.Join(fmt.Sprint(i%30), fmt.Sprint(i))
		want, err := os.ReadFile(filepath.Join(dir, path))
		must(t, err)
		readAll(t, m.at(path), want)
	}
	if n := store.Gets() - before; n > blocks {
		t.Errorf("%d blocks were fetched for 3000 files, of %d that there are", n, blocks)
	}
}

func TestHoles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	must(t, os.MkdirAll(dir, 0o755))
	for name, size := range map[string]int64{"stream": 12 << 20, "slice": 60_000, "hollow": 50_000, "void": 5 << 20, "dense": 0} {
		f, err := os.Create(filepath.Join(dir, name))
		must(t, err)
		must(t, f.Truncate(size))
		for i, off := range map[string][]int64{"stream": {0, 3 << 20, 12<<20 - 4096}, "slice": {8192, 40960}, "dense": {0}}[name] {
			_, err = f.WriteAt(noise(uint64(i), 4096), off)
			must(t, err)
		}
		must(t, f.Close())
	}
	tr := keep(t, ventitest.NewMemory(), dir)
	m := mountIt(t, mount.Config{Tree: tr, Path: dir})
	same(t, dir, m.dir)
	for _, name := range names(t, dir) {
		want, got := extents(t, filepath.Join(dir, name)), extents(t, m.at(name))
		if want != got {
			t.Errorf("%s: data is at %s, not %s", name, got, want)
		}
	}
}

// extents lists where a file has data, as SEEK_DATA and SEEK_HOLE tell it, from a few places on.
func extents(t testing.TB, path string) (s string) {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	st, err := f.Stat()
	must(t, err)
	for off := int64(0); off < st.Size(); {
		data, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
		if err != nil {
			s += fmt.Sprint(err)
			break
		}
		hole, err := unix.Seek(int(f.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			return s + fmt.Sprint(err)
		}
		s += fmt.Sprintf("%d-%d ", data, hole)
		off = hole
	}
	_, err = unix.Seek(int(f.Fd()), st.Size(), unix.SEEK_DATA)
	return s + fmt.Sprint(err)
}

// scores returns the blocks that the snapshot needs for the file or directory at path.
func scores(t testing.TB, tr *vac.Tree, path string) (out []venti.Score) {
	t.Helper()
	must(t, tr.Blocks(context.Background(), func(u vac.Use, err error) (bool, error) {
		if u.Path == path && u.Leaf {
			out = append(out, u.Ref.Score)
		}
		return true, err
	}))
	if len(out) == 0 {
		t.Fatalf("no block belongs to %s", path)
	}
	return out
}

// What is unavailable is an error for who asks for it, and nothing more; when it is back, it is read.
func TestUnavailable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	large, small := noise(1, 12<<20), noise(2, 1000)
	write(t, filepath.Join(dir, "large"), large)
	write(t, filepath.Join(dir, "other"), noise(3, 1<<20))
	write(t, filepath.Join(dir, "small"), small)
	for i := range 2000 { // more than what is nested
		write(t, filepath.Join(dir, "sub", fmt.Sprintf("%0100d", i)), []byte("s"))
	}
	store := ventitest.NewMemory()
	tr := keep(t, store, dir)
	pieces := scores(t, tr, dir+"/large")
	away := append(scores(t, tr, dir+"/sub"), scores(t, tr, dir+"/small")...)
	m := mountIt(t, mount.Config{Tree: open(t, store, tr.Ref), Path: dir})
	for _, how := range []string{"unavailable", "damaged", "gone"} {
		t.Run(how, func(t *testing.T) {
			m := mountIt(t, mount.Config{Tree: open(t, store, tr.Ref), Path: dir})
			last := pieces[len(pieces)-1]
			block, err := store.Get(t.Context(), last)
			must(t, err)
			switch how {
			case "unavailable":
				store.Unavailable(last, true)
			case "damaged":
				store.Corrupt(last)
			case "gone":
				store.Drop(last)
			}
			_, err = os.ReadFile(m.at("large"))
			isEIO(t, "reading what is "+how, err)
			b := make([]byte, 1<<20)
			f, err := os.Open(m.at("large"))
			must(t, err)
			defer f.Close()
			if _, err := io.ReadFull(f, b); err != nil || !bytes.Equal(b, large[:1<<20]) {
				t.Errorf("the rest of the file cannot be read: %v", err)
			}
			readAll(t, m.at("other"), noise(3, 1<<20))
			store.Unavailable(last, false)
			_, err = store.Put(t.Context(), block)
			must(t, err)
			readAll(t, m.at("large"), large)
		})
	}
	for _, s := range away {
		store.Unavailable(s, true)
	}
	for range 2 {
		_, err := os.ReadFile(m.at("small"))
		isEIO(t, "a small file", err)
		_, err = os.ReadDir(m.at("sub"))
		isEIO(t, "listing", err)
		_, err = os.Stat(m.at("sub", "nothing"))
		isEIO(t, "looking up", err)
	}
	for _, s := range store.Scores() {
		store.Unavailable(s, false)
	}
	readAll(t, m.at("small"), small)
	if n := len(names(t, m.at("sub"))); n != 2000 {
		t.Errorf("%d names", n)
	}
	if _, err := os.Stat(m.at("sub", "nothing")); !os.IsNotExist(err) {
		t.Errorf("what is not there: %v", err)
	}
}

// A slow store does not answer for some blocks while it is told so.
type slow struct {
	*ventitest.Memory

	mu      sync.Mutex // protects the following
	waiting map[venti.Score]bool
}

func (s *slow) Get(ctx context.Context, score venti.Score) ([]byte, error) {
	s.mu.Lock()
	waits := s.waiting[score]
	s.mu.Unlock()
	if waits {
		<-ctx.Done()
		return nil, &venti.BlockError{Op: "get", Score: score, Err: ctx.Err()}
	}
	return s.Memory.Get(ctx, score)
}

func (s *slow) hold(scores ...venti.Score) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = map[venti.Score]bool{}
	for _, x := range scores {
		s.waiting[x] = true
	}
}

func TestSlow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	large := noise(1, 3<<20)
	write(t, filepath.Join(dir, "large"), large)
	write(t, filepath.Join(dir, "other"), noise(2, 3<<20))
	store := &slow{Memory: ventitest.NewMemory()}
	tr := keep(t, store, dir)
	tr = open(t, store, tr.Ref)
	store.hold(scores(t, tr, dir+"/large")...)
	m := mountIt(t, mount.Config{Tree: tr, Path: dir, Patience: 500 * time.Millisecond})
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			_, err := os.ReadFile(m.at("large"))
			isEIO(t, "what does not come", err)
		})
	}
	readAll(t, m.at("other"), noise(2, 3<<20))
	all.Wait()
	store.hold()
	readAll(t, m.at("large"), large)
}

// Who is killed while a block does not come does not wait for long.
func TestKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "src")
	write(t, filepath.Join(dir, "large"), noise(1, 3<<20))
	store := &slow{Memory: ventitest.NewMemory()}
	tr := keep(t, store, dir)
	tr = open(t, store, tr.Ref)
	store.hold(scores(t, tr, dir+"/large")...)
	m := mountIt(t, mount.Config{Tree: tr, Path: dir, Patience: time.Hour})
	cmd := exec.Command("cat", m.at("large"))
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	eventually(t, "it reads", func() bool {
		b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/wchan", cmd.Process.Pid))
		return len(b) > 1
	})
	must(t, cmd.Process.Kill())
	select {
	case <-ended:
	case <-time.After(wait):
		t.Error("it does not end")
		store.hold()
	}
}

// A tree whose leaves are not as long as they should be is damaged, whatever the seals say.
func TestBounds(t *testing.T) {
	store := ventitest.NewMemory()
	sink := tree.NewSink(store, sealer(t), nil)
	w := tree.NewWriter(t.Context(), sink, tree.Files())
	_, err := w.Write(noise(1, 100<<10))
	must(t, err)
	content, err := w.Close()
	must(t, err)
	content.Size += 50 << 10
	dw := vac.NewDirWriter(t.Context(), sink, tree.NewSource(store, sealer(t), 1<<20), vac.Content{})
	must(t, dw.Add(&vac.Dir{Name: "f", Type: vac.File, Mode: 0o644, Links: 1, Size: content.Size,
		Content: vac.Content{Kind: vac.Stream, Stream: content}}))
	top, err := dw.CloseStream()
	must(t, err)
	now := time.Now().UTC()
	ref, err := sink.PutRoot(t.Context(), rootKey(), &venti.Root{Kind: venti.RootSnapshot, Time: now, Floor: now, Top: top})
	must(t, err)
	m := mountIt(t, mount.Config{Tree: open(t, store, ref)})
	_, err = os.ReadFile(m.at("f"))
	isEIO(t, "a leaf that is too short", err)
}
