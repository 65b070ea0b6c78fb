package prune_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/check"
	"ventidhash/snapshot/prune"
	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/disk"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// A world is a store and a catalog in a folder, as one process or one part of it has them open.
type world struct {
	dir    string
	store  *disk.Store
	source venti.Store // what snapshots are read from and put into; store, unless a test puts something before it
	owner  *catalog.Owner
	sealer *seal.Sealer
	cat    *catalog.Catalog
}

// open opens the world in dir, or makes it.
func open(ctx context.Context, dir string) (*world, error) {
	owner, err := catalog.NewOwner(constant{})
	if err != nil {
		return nil, err
	}
	sealer, err := seal.New(owner.Secret())
	if err != nil {
		return nil, err
	}
	store, err := disk.Open(ctx, disk.Config{Dir: filepath.Join(dir, "store"), SegmentSize: 128 << 10})
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, store: store, source: store, owner: owner, sealer: sealer}
	w.cat, err = catalog.Open(catalog.Config{Dir: filepath.Join(dir, "catalog"), Store: store, Owner: owner})
	return w, err
}

// constant is an owner's seed.
type constant struct{}

func (constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return reopen(t, t.TempDir())
}

func reopen(t *testing.T, dir string) *world {
	t.Helper()
	w, err := open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	return w
}

// src returns a Source that has nothing cached.
func (w *world) src() *tree.Source { return tree.NewSource(w.source, w.sealer, 1<<20) }

func (w *world) config() prune.Config {
	return prune.Config{Store: w.store, Source: w.src(), RootKey: w.owner.RootKey(), Catalog: w.cat,
		Reclaim: disk.ReclaimConfig{MinDead: 0.001}}
}

const slots = 6 // directories in a snapshot

// contents are the numbers of what lies in the slots of a snapshot; negative is taken over from the parent.
type contents [slots]int

const keep = -1

// A backup is a snapshot being written, in the steps that a backup takes.
type backup struct {
	w       *world
	session *disk.Session
	parent  *vac.Tree // nil for none
	old     map[string]*vac.Dir
	made    snapshot.Snapshot
}

// begin begins a session.
func (w *world) begin(ctx context.Context) (*backup, error) {
	s, err := w.store.Session(ctx)
	return &backup{w: w, session: s}, err
}

// choose opens the parent and lists its top directory. Zero means none.
func (b *backup) choose(ctx context.Context, parent venti.Score) (err error) {
	b.old = map[string]*vac.Dir{}
	if parent.IsZero() {
		return nil
	}
	if b.parent, err = vac.OpenOwn(ctx, b.w.src(), b.w.owner.RootKey(), parent); err != nil {
		return err
	}
	es, err := b.parent.Entries(ctx, b.parent.Top())
	if err != nil {
		return err
	}
	defer es.Close()
	for {
		d, err := es.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		b.old[d.Name] = d
	}
}

// write stores the blocks of the snapshot that has these contents.
func (b *backup) write(ctx context.Context, c contents) error {
	sink := tree.NewSink(b.w.source, b.w.sealer, nil)
	top := vac.NewDirWriter(ctx, sink, nil, vac.Content{})
	for slot, n := range c {
		d := b.old[fmt.Sprintf("slot%d", slot)]
		if n != keep || d == nil {
			var err error
			if d, err = directory(ctx, sink, slot, max(n, 0)); err != nil {
				return err
			}
		}
		if err := top.Add(d); err != nil {
			return err
		}
	}
	e, err := top.CloseStream()
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	ref, err := sink.PutRoot(ctx, b.w.owner.RootKey(), &venti.Root{Kind: venti.RootSnapshot, Time: now, Floor: now, Top: e})
	b.made = snapshot.Snapshot{Score: ref.Score, Time: now, Host: "host", Paths: []string{"/"}}
	return err
}

// errGone says that the parent is gone and something of it with it: the backup has to be done again.
var errGone = errors.New("the parent is gone")

// commit puts the snapshot into the catalog and ends the session.
func (b *backup) commit(ctx context.Context) error {
	err := b.w.cat.Update(ctx, func(list []snapshot.Snapshot) ([]snapshot.Snapshot, error) {
		listed := func(s snapshot.Snapshot) bool { return s.Score == b.parent.Ref.Score }
		if b.parent != nil && !slices.ContainsFunc(list, listed) {
			r, err := check.Run(ctx, b.w.src(), b.w.owner.RootKey(), []snapshot.Snapshot{b.made}, check.Config{})
			if err != nil {
				return nil, err
			}
			if !r.OK() {
				return nil, errGone
			}
		}
		return append(list, b.made), nil
	})
	return errors.Join(err, b.session.Close())
}

// backup makes a snapshot of the contents in one go.
func (w *world) backup(ctx context.Context, parent venti.Score, c contents) (venti.Score, error) {
	b, err := w.begin(ctx)
	if err != nil {
		return venti.Score{}, err
	}
	defer b.session.Close()
	if err := b.choose(ctx, parent); err != nil {
		return venti.Score{}, err
	}
	if err := b.write(ctx, c); err != nil {
		return venti.Score{}, err
	}
	return b.made.Score, b.commit(ctx)
}

// directory stores what belongs into a slot: a directory that is a stream of its own, with small files in a shared block
// and a long file. The same number gives the same blocks.
func directory(ctx context.Context, sink *tree.Sink, slot, n int) (*vac.Dir, error) {
	c := rand.NewChaCha8([32]byte{byte(slot), byte(n), byte(n >> 8)})
	random := func(size int) []byte {
		b := make([]byte, size)
		c.Read(b)
		return b
	}
	w := vac.NewDirWriter(ctx, sink, nil, vac.Content{})
	small := random(5000)
	block, err := sink.Go(ctx, small, false).Wait()
	if err != nil {
		return nil, err
	}
	for i := range 10 {
		d := &vac.Dir{Name: fmt.Sprintf("small%d", i), Type: vac.File, Links: 1, Size: 500}
		d.Content = vac.Content{Kind: vac.Sliced, Slice: vac.Slice{Block: block, Offset: uint32(i * 500),
			Hash: vac.DigestOf(small[i*500 : i*500+500])}}
		if i < 3 { // makes the directory long enough
			d.Name = "a" + d.Name
			d.Xattrs = []vac.Xattr{{Name: "user.filler", Value: string(random(12 << 10))}}
		}
		if err := w.Add(d); err != nil {
			return nil, err
		}
	}
	long := tree.NewWriter(ctx, sink, tree.Cut{Min: 4096, Avg: 4096, Max: 4096, Fixed: true})
	if _, err := long.Write(random(3*4096 + 1)); err != nil {
		return nil, err
	}
	e, err := long.Close()
	if err != nil {
		return nil, err
	}
	if err := w.Add(&vac.Dir{Name: "zlong", Type: vac.File, Links: 1, Content: vac.Content{Kind: vac.Stream, Stream: e}}); err != nil {
		return nil, err
	}
	content, _, err := w.Close()
	return &vac.Dir{Name: fmt.Sprintf("slot%d", slot), Type: vac.Directory, Links: 1, Content: content}, err
}

// sound returns an error unless everything that the catalog leads to can be read from the store.
func (w *world) sound(ctx context.Context) error {
	list, err := w.cat.List(ctx)
	if err != nil {
		return err
	}
	root, err := w.cat.Root(ctx)
	if err != nil {
		return err
	}
	r, err := check.Run(ctx, w.src(), w.owner.RootKey(), list, check.Config{ReadData: true, Catalog: root.Score})
	if err != nil {
		return err
	}
	if !r.OK() {
		return fmt.Errorf("of %d snapshots: %+v", len(list), r.Damaged)
	}
	return nil
}

func (w *world) mustSound(t *testing.T) {
	t.Helper()
	if err := w.sound(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// blocks returns the number of blocks in the store.
func (w *world) blocks(t *testing.T) int64 {
	t.Helper()
	st, err := w.store.Stats(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st.Blocks
}
