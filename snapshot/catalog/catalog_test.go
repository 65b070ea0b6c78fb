package catalog_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

func snap(n int) snapshot.Snapshot {
	return snapshot.Snapshot{
		Score: sha256.Sum256(fmt.Appendf(nil, "snapshot %d", n)), Time: time.Date(2026, 1, 1, n, 0, 0, 1, time.UTC),
		Host: fmt.Sprintf("host%d", n%7), User: "root", Paths: []string{"/srv", "/home/\xff"}, Tags: []string{"nightly"},
		Files: uint64(n) * 1000, Dirs: 7, Bytes: uint64(n) << 20, Added: 12345, Duration: time.Minute,
	}
}

func snaps(n int) (list []snapshot.Snapshot) {
	for i := range n {
		list = append(list, snap(i))
	}
	return list
}

func mustOpen(t testing.TB, cfg catalog.Config) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newConfig returns the parts of an empty catalog.
func newConfig(t testing.TB) (catalog.Config, *ventitest.Memory) {
	store := ventitest.NewMemory()
	return catalog.Config{Dir: filepath.Join(t.TempDir(), "catalog"), Store: store, Owner: ownerOf(t, make([]byte, 32))}, store
}

func wantList(t testing.TB, c *catalog.Catalog, want []snapshot.Snapshot) {
	t.Helper()
	got, err := c.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Fatalf("list of %d snapshots, want %d", len(got), len(want))
	}
}

func TestCatalog(t *testing.T) {
	cfg, _ := newConfig(t)
	c := mustOpen(t, cfg)
	wantList(t, c, nil)
	if _, err := c.Head(); !errors.Is(err, catalog.ErrNoHead) {
		t.Errorf("head of nothing: %v", err)
	}
	if ref, err := c.Root(t.Context()); err != nil || !ref.IsZero() {
		t.Errorf("root of nothing: %v, %v", ref, err)
	}
	if _, err := os.Stat(cfg.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("looking made the folder: %v", err)
	}
	list := snaps(5)
	for _, i := range []int{3, 0, 4, 2, 1} {
		must(t, c.Add(t.Context(), list[i]))
	}
	wantList(t, c, list)
	h, err := mustOpen(t, cfg).Head()
	if err != nil || h.Sequence != 5 {
		t.Fatalf("head %+v, %v", h, err)
	}
	must(t, c.Add(t.Context(), list[2])) // again
	must(t, c.Remove(t.Context(), snap(99).Score))
	if again, _ := c.Head(); again != h {
		t.Error("a list that stayed the same was written")
	}
	list[2].Tags = []string{"changed"}
	must(t, c.Add(t.Context(), list[2]))
	wantList(t, c, list)
	must(t, c.Remove(t.Context(), list[0].Score, list[4].Score))
	wantList(t, mustOpen(t, cfg), list[1:4])
	must(t, c.Remove(t.Context(), list[1].Score, list[2].Score, list[3].Score))
	wantList(t, c, nil)
}

func TestRoot(t *testing.T) {
	cfg, store := newConfig(t)
	c := mustOpen(t, cfg)
	must(t, c.Add(t.Context(), snap(1)))
	ref, err := c.Root(t.Context())
	must(t, err)
	h, err := c.Head()
	if err != nil || h.Score != ref.Score {
		t.Errorf("head has %s, root %s, %v", h.Score, ref.Score, err)
	}
	sealer, err := seal.New(seal.Secret{})
	must(t, err)
	root, err := tree.NewSource(store, sealer, 0).Root(t.Context(), ref)
	if err != nil || root.Kind != venti.RootCatalog {
		t.Errorf("root %+v, %v", root, err)
	}
}

func TestUpdateKeepsOldListOnError(t *testing.T) {
	cfg, store := newConfig(t)
	c := mustOpen(t, cfg)
	list := snaps(3)
	for _, s := range list {
		must(t, c.Add(t.Context(), s))
	}
	before, err := c.Head()
	must(t, err)
	full := errors.New("disk full")

	bad := snap(9)
	bad.Host = strings.Repeat("h", 5000)
	if err := c.Add(t.Context(), bad); !errors.Is(err, venti.ErrCorrupt) {
		t.Errorf("a snapshot that can't be read back: %v", err)
	}
	if err := c.Update(t.Context(), func([]snapshot.Snapshot) ([]snapshot.Snapshot, error) { return nil, full }); !errors.Is(err, full) {
		t.Errorf("change failed: %v", err)
	}
	store.Fail(full)
	if err := c.Add(t.Context(), snap(9)); !errors.Is(err, full) {
		t.Errorf("store failed: %v", err)
	}
	store.Fail(nil)
	nosync := cfg
	nosync.Store = noSync{store, full}
	if err := mustOpen(t, nosync).Add(t.Context(), snap(9)); !errors.Is(err, full) {
		t.Errorf("sync failed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Add(ctx, snap(9)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if after, err := c.Head(); after != before {
		t.Errorf("the head has changed: %+v, %v", after, err)
	}
	wantList(t, c, list)
}

// noSync is a store that can't sync.
type noSync struct {
	venti.Store
	err error
}

func (s noSync) Sync(context.Context) error { return s.err }

// orderStore fails the test if the head is replaced before Sync.
type orderStore struct {
	venti.Store
	synced func()
}

func (s orderStore) Sync(ctx context.Context) error {
	s.synced()
	return s.Store.Sync(ctx)
}

func TestSyncComesBeforeHead(t *testing.T) {
	cfg, store := newConfig(t)
	must(t, mustOpen(t, cfg).Add(t.Context(), snap(1)))
	before, _ := os.ReadFile(filepath.Join(cfg.Dir, "head"))
	calls := 0
	cfg.Store = orderStore{store, func() {
		calls++
		if now, _ := os.ReadFile(filepath.Join(cfg.Dir, "head")); string(now) != string(before) {
			t.Error("the head was replaced before the store was synced")
		}
	}}
	must(t, mustOpen(t, cfg).Add(t.Context(), snap(2)))
	if calls == 0 {
		t.Error("no Sync")
	}
}

func TestListNeedsNoStore(t *testing.T) {
	cfg, store := newConfig(t)
	list := snaps(3000) // several leaves
	must(t, mustOpen(t, cfg).Update(t.Context(), func([]snapshot.Snapshot) ([]snapshot.Snapshot, error) { return list, nil }))
	gets := store.Gets()
	wantList(t, mustOpen(t, cfg), list)
	if store.Gets() != gets {
		t.Errorf("List asked the store for %d blocks", store.Gets()-gets)
	}
	alone := cfg
	alone.Store = nil
	wantList(t, mustOpen(t, alone), list)
	if err := mustOpen(t, alone).Add(t.Context(), snap(1)); err == nil {
		t.Error("Add without a store")
	}

	names, err := os.ReadDir(filepath.Join(cfg.Dir, "blocks"))
	if err != nil || len(names) < 4 {
		t.Fatalf("%d copies, %v", len(names), err)
	}
	for i, n := range names { // damaged in several ways
		name := filepath.Join(cfg.Dir, "blocks", n.Name())
		b, err := os.ReadFile(name)
		must(t, err)
		switch i % 3 {
		case 0:
			must(t, os.Remove(name))
		case 1:
			b[len(b)/2] ^= 1
			must(t, os.WriteFile(name, b, 0o600))
		case 2:
			must(t, os.Truncate(name, int64(len(b)/2)))
		}
	}
	if _, err := mustOpen(t, alone).List(t.Context()); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("no copies, no store: %v", err)
	}
	wantList(t, mustOpen(t, cfg), list)
	wantList(t, mustOpen(t, alone), list) // the copies are good again
}

func TestCopiesAreTidied(t *testing.T) {
	cfg, _ := newConfig(t)
	c := mustOpen(t, cfg)
	for i := range 10 {
		must(t, c.Add(t.Context(), snap(i)))
	}
	must(t, os.WriteFile(filepath.Join(cfg.Dir, "blocks", "tmp-123"), nil, 0o600))
	must(t, c.Add(t.Context(), snap(10)))
	names, err := os.ReadDir(filepath.Join(cfg.Dir, "blocks"))
	if err != nil || len(names) != 4 { // a root and a leaf, of the head and of head.1
		t.Errorf("%d copies, %v", len(names), err)
	}
}

func TestAppendRewritesFewBlocks(t *testing.T) {
	cfg, store := newConfig(t)
	c := mustOpen(t, cfg)
	list := snaps(5000)
	must(t, c.Update(t.Context(), func([]snapshot.Snapshot) ([]snapshot.Snapshot, error) { return list, nil }))
	before := store.Len()
	must(t, c.Add(t.Context(), snap(5000)))
	if n := store.Len() - before; n > 4 {
		t.Errorf("one more snapshot among 5000 made %d blocks", n)
	}
	before = store.Len()
	must(t, c.Remove(t.Context(), list[2500].Score))
	if n := store.Len() - before; n > 6 {
		t.Errorf("one snapshot less made %d blocks", n)
	}
	wantList(t, c, append(slices.Delete(slices.Clone(list), 2500, 2501), snap(5000)))
}

func TestConfigValidate(t *testing.T) {
	for field, cfg := range map[string]catalog.Config{
		"Dir": {Owner: ownerOf(t, make([]byte, 32))}, "Owner": {Dir: t.TempDir()},
	} {
		if _, err := catalog.Open(cfg); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestTenThousandListFast(t *testing.T) {
	cfg, _ := newConfig(t)
	list := snaps(10_000)
	must(t, mustOpen(t, cfg).Update(t.Context(), func([]snapshot.Snapshot) ([]snapshot.Snapshot, error) { return list, nil }))
	best := time.Hour
	for range 5 {
		start := time.Now()
		got, err := mustOpen(t, cfg).List(t.Context())
		if err != nil || len(got) != len(list) {
			t.Fatal(len(got), err)
		}
		best = min(best, time.Since(start))
	}
	t.Logf("ten thousand snapshots: %v", best)
	if best > time.Second { // a wide bound: the race detector and other work slow it down
		t.Errorf("ten thousand snapshots took %v", best)
	}
}

func BenchmarkList(b *testing.B) {
	cfg, _ := newConfig(b)
	list := snaps(10_000)
	must(b, mustOpen(b, cfg).Update(b.Context(), func([]snapshot.Snapshot) ([]snapshot.Snapshot, error) { return list, nil }))
	for b.Loop() {
		if _, err := mustOpen(b, cfg).List(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
