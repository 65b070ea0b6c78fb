package catalog_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
	"ventidhash/venti/disk"
	"ventidhash/venti/seal"
)

// arenas returns a catalog over a store on the disk.
func arenas(t *testing.T) (catalog.Config, *disk.Store) {
	t.Helper()
	store, err := disk.Open(t.Context(), disk.Config{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { store.Close() })
	return catalog.Config{Dir: filepath.Join(t.TempDir(), "catalog"), Store: store, Owner: ownerOf(t, make([]byte, 32))}, store
}

// all goes through all blocks of a store that may be roots.
func all(s *disk.Store) catalog.Each {
	return func(ctx context.Context, fn func(venti.Score, []byte) error) error {
		_, err := s.Beginning(ctx, seal.RootByte, fn)
		return err
	}
}

// putRoot stores a root of a snapshot, and returns the line of the list about it.
func putRoot(t *testing.T, cfg catalog.Config, n int, prev venti.Score) snapshot.Snapshot {
	t.Helper()
	s := snap(n)
	root := &venti.Root{Kind: venti.RootSnapshot, Time: s.Time, Host: s.Host, User: s.User, Paths: s.Paths, Prev: prev}
	block, ref, err := sealerOf(t, cfg.Owner).SealRoot(cfg.Owner.RootKey(), venti.AppendRoot(nil, root))
	must(t, err)
	_, err = cfg.Store.Put(t.Context(), block)
	must(t, err)
	s.Score = ref.Score
	return s
}

func TestSearch(t *testing.T) {
	cfg, store := arenas(t)
	for _, b := range [][]byte{{}, {seal.RootByte}, bytes.Repeat([]byte{seal.RootByte}, 500), make([]byte, 500)} {
		_, err := store.Put(t.Context(), b)
		must(t, err)
	}
	other := cfg
	other.Owner, other.Dir = ownerOf(t, bytes.Repeat([]byte{7}, 32)), t.TempDir()
	must(t, mustOpen(t, other).Add(t.Context(), putRoot(t, other, 100, venti.Score{})))

	var want []venti.Score
	for i := range 5 {
		s := putRoot(t, cfg, i, venti.Score{})
		want = append(want, s.Score)
		if i < 3 {
			must(t, mustOpen(t, cfg).Add(t.Context(), s))
		}
	}
	slices.Reverse(want)
	found, err := catalog.Search(t.Context(), cfg.Owner, store, all(store))
	must(t, err)
	var got []venti.Score
	for _, f := range found.Snapshots {
		got = append(got, f.Score)
	}
	if !slices.Equal(got, want) || found.Snapshots[0].Host != snap(4).Host {
		t.Errorf("found %v, want %v", got, want)
	}
	h, err := mustOpen(t, cfg).Head()
	must(t, err)
	if len(found.Catalogs) != 3 || found.Catalogs[0].Score != h.Score {
		t.Errorf("found %d lists, the newest %s, want 3 and %s", len(found.Catalogs), found.Catalogs[0].Score, h.Score)
	}
	if found.Strange != 4 || found.Absent != 0 {
		t.Errorf("%d strange, %d absent", found.Strange, found.Absent)
	}
}

// Roots lead to those before them, also where these are not named; what is gone, and what cannot be had now, ends that.
func TestSearchFollows(t *testing.T) {
	cfg, store := arenas(t)
	lost := venti.Sum([]byte("lost"))
	first := putRoot(t, cfg, 0, lost)
	second := putRoot(t, cfg, 1, first.Score)
	third := putRoot(t, cfg, 2, second.Score)
	one := func(ctx context.Context, fn func(venti.Score, []byte) error) error {
		b, err := store.Get(ctx, third.Score)
		must(t, err)
		return errors.Join(fn(third.Score, bytes.Clone(b)), fn(third.Score, b))
	}
	found, err := catalog.Search(t.Context(), cfg.Owner, store, one)
	if err != nil || len(found.Snapshots) != 3 || found.Absent != 0 {
		t.Errorf("found %+v, %v", found, err)
	}
	found, err = catalog.Search(t.Context(), cfg.Owner, &unreadable{store, second.Score, venti.ErrUnavailable}, one)
	if err != nil || len(found.Snapshots) != 1 || found.Absent != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
	if found, err = catalog.Search(t.Context(), cfg.Owner, nil, one); err != nil || len(found.Snapshots) != 1 {
		t.Errorf("found %+v, %v", found, err)
	}
	stop := errors.New("stop")
	if _, err := catalog.Search(t.Context(), cfg.Owner, store, func(context.Context, func(venti.Score, []byte) error) error {
		return stop
	}); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestRebuild(t *testing.T) {
	cfg, store := arenas(t)
	var list []snapshot.Snapshot
	for i := range 6 {
		s := putRoot(t, cfg, i, venti.Score{})
		list = append(list, s)
		must(t, mustOpen(t, cfg).Add(t.Context(), s))
	}
	must(t, mustOpen(t, cfg).Remove(t.Context(), list[1].Score))
	want := slices.Delete(slices.Clone(list), 1, 2)
	search := func() []catalog.FoundRoot {
		found, err := catalog.Search(t.Context(), cfg.Owner, store, all(store))
		must(t, err)
		return found.Catalogs
	}

	// Everything beside the arenas is gone.
	must(t, os.RemoveAll(cfg.Dir))
	r, err := catalog.Rebuild(t.Context(), cfg, search())
	if err != nil || r.Lists != 7 || r.Unread != 0 {
		t.Fatalf("rebuilt %+v, %v", r, err)
	}
	wantList(t, mustOpen(t, cfg), want)
	must(t, mustOpen(t, cfg).Add(t.Context(), list[1]))
	wantList(t, mustOpen(t, cfg), list)

	// The head is damaged, and so is the one before.
	for _, name := range []string{"head", "head.1"} {
		must(t, os.WriteFile(filepath.Join(cfg.Dir, name), []byte("?"), 0o600))
	}
	if r, err = catalog.Rebuild(t.Context(), cfg, search()); err != nil {
		t.Fatal(err)
	}
	wantList(t, mustOpen(t, cfg), list)
	if b, err := os.ReadFile(filepath.Join(cfg.Dir, "head.bad")); err != nil || string(b) != "?" {
		t.Errorf("head.bad: %q, %v", b, err)
	}

	// The newest list cannot be read as a whole, though its head is good: the one before is taken.
	must(t, mustOpen(t, cfg).Remove(t.Context(), list[0].Score))
	must(t, mustOpen(t, cfg).Remove(t.Context(), list[2].Score))
	before, err := mustOpen(t, cfg).Head()
	must(t, err)
	roots := search()
	newest := roots[0]
	if newest.Score != before.Score {
		t.Fatalf("the newest root is %s, of %v", newest.Score, newest.Time)
	}
	must(t, os.RemoveAll(filepath.Join(cfg.Dir, "blocks")))
	broken := cfg
	broken.Store = &unreadable{store, newest.Top.Top.Score, venti.ErrCorrupt}
	if err := mustOpen(t, broken).Add(t.Context(), snap(50)); !errors.Is(err, venti.ErrCorrupt) {
		t.Fatalf("the list can be read: %v", err)
	}
	if r, err = catalog.Rebuild(t.Context(), broken, roots); err != nil || r.Unread != 1 {
		t.Fatalf("rebuilt %+v, %v", r, err)
	}
	if h, err := mustOpen(t, broken).Head(); err != nil || h.Sequence <= before.Sequence {
		t.Errorf("the head made anew is number %d, after %d: %v", h.Sequence, before.Sequence, err)
	}
	wantList(t, mustOpen(t, broken), list[1:]) // without the first, and the third is back

	broken.Store = &unreadable{store, newest.Top.Top.Score, venti.ErrUnavailable}
	broken.Dir = t.TempDir()
	if _, err := catalog.Rebuild(t.Context(), broken, roots); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("what cannot be read now is passed over: %v", err)
	}
	if _, err := catalog.Rebuild(t.Context(), broken, nil); !errors.Is(err, venti.ErrNotFound) {
		t.Errorf("without any list: %v", err)
	}
}

// Lists that two machines wrote are merged, whatever their clocks say.
func TestRebuildMerges(t *testing.T) {
	cfg, store := arenas(t)
	other := cfg
	other.Dir = t.TempDir()
	must(t, mustOpen(t, cfg).Add(t.Context(), snap(0)))
	must(t, mustOpen(t, other).Add(t.Context(), snap(1)))
	fresh := cfg
	fresh.Dir = t.TempDir()
	found, err := catalog.Search(t.Context(), cfg.Owner, store, all(store))
	must(t, err)
	for i := range found.Catalogs {
		found.Catalogs[i].Time = time.Time{}
	}
	_, err = catalog.Rebuild(t.Context(), fresh, found.Catalogs)
	must(t, err)
	wantList(t, mustOpen(t, fresh), snaps(2))
}
