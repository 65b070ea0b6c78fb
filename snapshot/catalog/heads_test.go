package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

// A board is Heads of one place, which does what the test says.
type board struct {
	heads     []venti.Head
	find, put error
	published int
}

func (b *board) Find(context.Context) ([]venti.Head, bool, error) {
	return b.heads, len(b.heads) == 1, b.find
}

func (b *board) Publish(_ context.Context, h venti.Head) ([]venti.Head, error) {
	b.published++
	if b.put != nil {
		return nil, b.put
	}
	if len(b.heads) > 0 && b.heads[0] != h && b.heads[0].Sequence >= h.Sequence {
		return b.heads, nil
	}
	b.heads = []venti.Head{h}
	return nil, nil
}

// twoMachines returns the parts of the catalogs of two machines of an owner.
func twoMachines(t *testing.T) (a, b catalog.Config, at *board) {
	a, _ = newConfig(t)
	at = &board{}
	a.Heads = at
	b = a
	b.Dir = filepath.Join(t.TempDir(), "catalog")
	return a, b, at
}

func wantApart(t *testing.T, err, cause error) *catalog.UnpublishedError {
	t.Helper()
	var apart *catalog.UnpublishedError
	if !errors.As(err, &apart) || !errors.Is(err, cause) {
		t.Fatalf("got %v, want an UnpublishedError of %v", err, cause)
	}
	return apart
}

func TestRefresh(t *testing.T) {
	a, b, at := twoMachines(t)
	must(t, mustOpen(t, b).Refresh(t.Context())) // there is nothing
	if _, err := mustOpen(t, b).Head(); !errors.Is(err, catalog.ErrNoHead) || at.published > 0 {
		t.Errorf("nothing was refreshed: %v, %d published", err, at.published)
	}
	must(t, mustOpen(t, a).Add(t.Context(), snap(0)))
	must(t, mustOpen(t, b).Refresh(t.Context()))
	wantList(t, mustOpen(t, b), snaps(1))
	if h, err := mustOpen(t, b).Head(); h != at.heads[0] || err != nil || at.published != 1 {
		t.Errorf("the head that was found is not taken as it is: %v, %d published", err, at.published)
	}
	must(t, mustOpen(t, b).Add(t.Context(), snap(1)))
	must(t, mustOpen(t, a).Add(t.Context(), snap(2))) // takes in the other's
	wantList(t, mustOpen(t, a), snaps(3))
	must(t, mustOpen(t, a).Remove(t.Context(), snap(0).Score, snap(2).Score))
	must(t, mustOpen(t, b).Refresh(t.Context()))
	wantList(t, mustOpen(t, b), []snapshot.Snapshot{snap(1)})

	// What elsewhere was lost is handed out again.
	h, n := at.heads[0], at.published
	at.heads = nil
	must(t, mustOpen(t, b).Refresh(t.Context()))
	if len(at.heads) != 1 || at.heads[0] != h {
		t.Error("the head was not handed out again")
	}
	must(t, mustOpen(t, b).Refresh(t.Context()))
	if at.published != n+1 {
		t.Error("a head that is there was handed out")
	}
	must(t, mustOpen(t, b).Republish(t.Context()))
	if at.published != n+2 {
		t.Error("Republish does not hand the head out")
	}
}

func TestUnpublished(t *testing.T) {
	a, b, at := twoMachines(t)
	silent := fmt.Errorf("%w: nobody answers", venti.ErrUnavailable)
	at.find = silent
	apart := wantApart(t, mustOpen(t, a).Add(t.Context(), snap(0)), silent)
	if h, err := mustOpen(t, a).Head(); err != nil || h != apart.Head {
		t.Errorf("the error has another head: %v", err)
	}
	if at.published > 0 {
		t.Error("a head was published though nobody could say what there is")
	}
	at.find, at.put = nil, silent
	wantApart(t, mustOpen(t, a).Add(t.Context(), snap(1)), silent)
	wantList(t, mustOpen(t, a), snaps(2))
	at.put = nil
	must(t, mustOpen(t, a).Refresh(t.Context()))
	must(t, mustOpen(t, b).Refresh(t.Context()))
	wantList(t, mustOpen(t, b), snaps(2))
}

// A list that is known to be there and cannot be read is not replaced elsewhere, whatever is done here; one that is known
// to be lost does not keep others from going on.
func TestUnreadableListElsewhere(t *testing.T) {
	a, b, at := twoMachines(t)
	store := a.Store.(*ventitest.Memory)
	must(t, mustOpen(t, a).Add(t.Context(), snap(0)))
	silent := fmt.Errorf("%w: too few holders answer", venti.ErrUnavailable)
	b.Store = &unreadable{store, at.heads[0].Score, silent}
	before := at.heads[0]
	wantApart(t, mustOpen(t, b).Add(t.Context(), snap(1)), silent)
	wantApart(t, mustOpen(t, b).Add(t.Context(), snap(2)), silent)
	if at.published != 1 || at.heads[0] != before {
		t.Error("a head was published over one whose list could not be read")
	}
	b.Store = store
	must(t, mustOpen(t, b).Refresh(t.Context()))
	wantList(t, mustOpen(t, b), snaps(3))
	must(t, mustOpen(t, a).Refresh(t.Context()))
	wantList(t, mustOpen(t, a), snaps(3))

	at.heads = []venti.Head{a.Owner.SignHead(40, venti.Sum([]byte("lost")), time.Now())}
	must(t, mustOpen(t, a).Add(t.Context(), snap(3)))
	wantList(t, mustOpen(t, a), snaps(4))
	if at.heads[0].Sequence != 41 {
		t.Errorf("the head after a lost one is number %d", at.heads[0].Sequence)
	}
}

// unreadable is a store in which one block cannot be had.
type unreadable struct {
	venti.Store
	score venti.Score
	err   error
}

func (s *unreadable) Get(ctx context.Context, score venti.Score) ([]byte, error) {
	if score == s.score {
		return nil, &venti.BlockError{Op: "get", Score: score, Err: s.err}
	}
	return s.Store.Get(ctx, score)
}

// Heads of others, and what is no head, are passed over; an old head that a stale member has takes nothing away.
func TestForgedAndOldHeads(t *testing.T) {
	a, b, at := twoMachines(t)
	must(t, mustOpen(t, a).Add(t.Context(), snap(0)))
	old := at.heads[0]
	for i := 1; i < 4; i++ {
		must(t, mustOpen(t, a).Add(t.Context(), snap(i)))
	}
	newest := at.heads[0]
	mallory := ownerOf(t, []byte(strings.Repeat("m", 32)))
	forged := newest
	forged.Sequence += 10
	at.heads = []venti.Head{mallory.SignHead(99, newest.Score, time.Now()), forged, old}
	must(t, mustOpen(t, a).Refresh(t.Context()))
	wantList(t, mustOpen(t, a), snaps(4))
	if h, _ := mustOpen(t, a).Head(); h != newest {
		t.Errorf("the head is number %d now", h.Sequence)
	}
	at.heads = []venti.Head{old}
	must(t, mustOpen(t, b).Refresh(t.Context())) // is rolled back, for it knows no better
	must(t, mustOpen(t, b).Remove(t.Context(), snap(0).Score))
	must(t, mustOpen(t, a).Refresh(t.Context()))
	wantList(t, mustOpen(t, a), snaps(4)[1:])
}

// Two heads of the same sequence are merged, and one above them is published.
func TestConflict(t *testing.T) {
	a, b, at := twoMachines(t)
	b.Heads = &board{}
	must(t, mustOpen(t, a).Add(t.Context(), snap(0)))
	must(t, mustOpen(t, b).Add(t.Context(), snap(1)))
	at.heads = append(at.heads, b.Heads.(*board).heads...)
	c := a
	c.Dir = t.TempDir()
	must(t, mustOpen(t, c).Refresh(t.Context()))
	wantList(t, mustOpen(t, c), snaps(2))
	if len(at.heads) != 1 || at.heads[0].Sequence != 2 {
		t.Errorf("the conflict was not ended: %+v", at.heads)
	}
}

func TestMachines(t *testing.T) {
	a, b, _ := twoMachines(t)
	now := time.Date(2026, 5, 6, 7, 8, 9, 10, time.UTC)
	www := snapshot.Machine{Host: "www", Time: now, Files: []snapshot.File{{Name: "b", Content: []byte("2")}, {Name: "a", Content: []byte("1")}}}
	must(t, mustOpen(t, a).SetMachine(t.Context(), www))
	www.Time = now.Truncate(time.Second)
	www.Files = []snapshot.File{{Name: "a", Content: []byte("1")}, {Name: "b", Content: []byte("2")}}
	again := www
	again.Time = now.Add(time.Hour)
	must(t, mustOpen(t, a).SetMachine(t.Context(), again)) // the same files
	must(t, mustOpen(t, b).SetMachine(t.Context(), snapshot.Machine{Host: "db", Time: now}))
	must(t, mustOpen(t, a).Add(t.Context(), snap(0)))
	want := []snapshot.Machine{{Host: "db", Time: www.Time}, www}
	if got, err := mustOpen(t, a).Machines(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	wantList(t, mustOpen(t, a), snaps(1))

	head, err := mustOpen(t, a).Head()
	must(t, err)
	for what, m := range map[string]snapshot.Machine{
		"files": {Host: "x", Files: make([]snapshot.File, snapshot.MaxFiles+1)},
		"bytes": {Host: "x", Files: []snapshot.File{{Name: "a", Content: make([]byte, snapshot.MaxFileContent+1)}}},
		"twice": {Host: "x", Files: []snapshot.File{{Name: "a"}, {Name: "a"}}},
		"name":  {Host: strings.Repeat("x", 5000)},
	} {
		if err := mustOpen(t, a).SetMachine(t.Context(), m); err == nil {
			t.Errorf("%s: no error", what)
		}
		if err := catalog.CheckMachine(m); err == nil {
			t.Errorf("%s: no error before", what)
		}
		if err := mustOpen(t, a).UpdateWith(t.Context(), &m, func(l []snapshot.Snapshot) ([]snapshot.Snapshot, error) {
			return append(l, snap(1)), nil
		}); err == nil {
			t.Errorf("%s: no error with a snapshot", what)
		}
	}
	if h, _ := mustOpen(t, a).Head(); h != head {
		t.Error("a machine that is refused changes the list")
	}
	www.Files[0].Content = []byte("3")
	must(t, catalog.CheckMachine(www))
	must(t, mustOpen(t, a).UpdateWith(t.Context(), &www, func(l []snapshot.Snapshot) ([]snapshot.Snapshot, error) {
		return append(l, snap(1)), nil
	}))
	if h, _ := mustOpen(t, a).Head(); h.Sequence != head.Sequence+1 {
		t.Errorf("a snapshot and a machine are head %d after head %d", h.Sequence, head.Sequence)
	}
	wantList(t, mustOpen(t, a), snaps(2))
	if got, err := mustOpen(t, a).Machines(t.Context()); err != nil || !reflect.DeepEqual(got, []snapshot.Machine{want[0], www}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for i := range snapshot.MaxMachines {
		must(t, mustOpen(t, a).SetMachine(t.Context(), snapshot.Machine{Host: fmt.Sprint("m", i)}))
	}
	got, err := mustOpen(t, a).Machines(t.Context())
	if err != nil || len(got) != snapshot.MaxMachines || got[0].Host != "m0" {
		t.Errorf("%d machines, %v: the first ones were not dropped", len(got), err)
	}
}

// writeList stores a stream as a catalog's, and returns a head that leads to it.
func writeList(t *testing.T, cfg catalog.Config, sequence uint64, stream []byte) venti.Head {
	t.Helper()
	sink := tree.NewSink(cfg.Store, sealerOf(t, cfg.Owner), nil)
	w := tree.NewWriter(t.Context(), sink, tree.Entries())
	_, err := w.Write(stream)
	must(t, err)
	top, err := w.Close()
	must(t, err)
	ref, err := sink.PutRoot(t.Context(), cfg.Owner.RootKey(), &venti.Root{Kind: venti.RootCatalog, Time: time.Now().UTC(), Top: top})
	must(t, err)
	return cfg.Owner.SignHead(sequence, ref.Score, time.Now())
}

// A list of another version of the program is refused in words, and not replaced.
func TestListOfAnotherVersion(t *testing.T) {
	for _, version := range []byte{1, 3} {
		a, _, at := twoMachines(t)
		at.heads = []venti.Head{writeList(t, a, 7, []byte{version})}
		apart := wantApart(t, mustOpen(t, a).Add(t.Context(), snap(0)), venti.ErrCorrupt)
		if !strings.Contains(apart.Error(), fmt.Sprintf("version %d, not a version that is known to this program", version)) || at.published > 0 {
			t.Errorf("%v; %d published", apart, at.published)
		}
		if _, err := catalog.Recover(t.Context(), a, at.heads[0].Append(nil)); !errors.Is(err, venti.ErrCorrupt) {
			t.Errorf("recovered from version %d: %v", version, err)
		}
	}
}

// That a snapshot was forgotten is said for two years, and then until somebody changes the list.
func TestForgottenExpires(t *testing.T) {
	a, _, at := twoMachines(t)
	gone := func(n int, age time.Duration) catalog.Forgotten {
		return catalog.Forgotten{Stamp: 3, Score: snap(n).Score, Time: time.Now().Add(-age).Truncate(time.Second).UTC()}
	}
	const year = 365 * 24 * time.Hour
	said := writeList(t, a, 3, catalog.Encode(catalog.List{
		Forgotten: []catalog.Forgotten{gone(0, 2*year+time.Hour), gone(1, 2*year-time.Hour)}}))
	at.heads = []venti.Head{said}
	must(t, mustOpen(t, a).Refresh(t.Context()))
	if h, err := mustOpen(t, a).Head(); err != nil || h != said || at.published > 0 {
		t.Errorf("whoever only looks has written list number %d, %v", h.Sequence, err)
	}
	must(t, mustOpen(t, a).Add(t.Context(), snap(2)))
	old := catalog.List{Snapshots: []catalog.Listed{{Stamp: 2, Snapshot: snap(0)}, {Stamp: 2, Snapshot: snap(1)}}}
	at.heads = []venti.Head{writeList(t, a, 2, catalog.Encode(old))}
	must(t, mustOpen(t, a).Refresh(t.Context()))
	wantList(t, mustOpen(t, a), []snapshot.Snapshot{snap(0), snap(2)})
}

// Each root of a catalog names the one before.
func TestRootNamesPredecessor(t *testing.T) {
	cfg, store := newConfig(t)
	c := mustOpen(t, cfg)
	src := tree.NewSource(store, sealerOf(t, cfg.Owner), 0)
	var before venti.Score
	for i := range 3 {
		must(t, c.Add(t.Context(), snap(i)))
		h, err := c.Head()
		must(t, err)
		root, _, err := src.OwnRoot(t.Context(), cfg.Owner.RootKey(), h.Score)
		if err != nil || root.Prev != before {
			t.Errorf("list %d follows %s, not %s: %v", i, root.Prev, before, err)
		}
		before = h.Score
	}
}

// What is published is durable here first.
func TestPublishComesLast(t *testing.T) {
	a, _, _ := twoMachines(t)
	a.Heads = headsFunc(func(h venti.Head) {
		b, err := os.ReadFile(filepath.Join(a.Dir, "head"))
		if err != nil || string(b) != string(h.Append(nil)) {
			t.Errorf("a head was published that is not in place: %v", err)
		}
	})
	rng := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		must(t, mustOpen(t, a).Add(t.Context(), snap(rng.IntN(100))))
	}
}

// headsFunc is Heads without any that looks at what is published.
type headsFunc func(venti.Head)

func (headsFunc) Find(context.Context) ([]venti.Head, bool, error) { return nil, false, nil }

func (f headsFunc) Publish(_ context.Context, h venti.Head) ([]venti.Head, error) {
	f(h)
	return nil, nil
}

// What was not published at once is vetted before it is, and by then the change itself has been made.
func TestVet(t *testing.T) {
	a, b, at := twoMachines(t)
	var asked []venti.Score
	var bad error
	a.Vet = func(_ context.Context, s snapshot.Snapshot, list []snapshot.Snapshot) error {
		asked = append(asked, s.Score)
		if len(list) == 0 {
			t.Error("Vet gets no list")
		}
		return bad
	}
	vetted := func(what string, want ...int) {
		t.Helper()
		for _, n := range want {
			if !slices.Contains(asked, snap(n).Score) {
				t.Errorf("%s: snapshot %d was not vetted", what, n)
			}
		}
		if len(asked) != len(want) {
			t.Errorf("%s: %d snapshots were vetted, not %d", what, len(asked), len(want))
		}
		asked = nil
	}
	must(t, mustOpen(t, a).Add(t.Context(), snap(0)))
	must(t, mustOpen(t, b).Add(t.Context(), snap(1)))
	must(t, mustOpen(t, a).Add(t.Context(), snap(2)))
	must(t, mustOpen(t, a).Refresh(t.Context()))
	vetted("published at once")

	silent := fmt.Errorf("%w: nobody answers", venti.ErrUnavailable)
	at.put = silent
	wantApart(t, mustOpen(t, a).Add(t.Context(), snap(3)), silent)
	wantApart(t, mustOpen(t, a).Add(t.Context(), snap(4)), silent)
	vetted("the first of two that are not published", 3)
	at.put = nil
	bad = errors.New("blocks are missing")
	n := at.published
	wantApart(t, mustOpen(t, a).Add(t.Context(), snap(5)), bad)
	if at.published != n {
		t.Error("published all the same")
	}
	wantList(t, mustOpen(t, a), snaps(6))
	asked = nil
	must(t, mustOpen(t, a).Remove(t.Context(), snap(3).Score, snap(4).Score, snap(5).Score)) // nothing is left to be vetted
	vetted("those that are bad are forgotten")
	must(t, mustOpen(t, b).Refresh(t.Context()))
	wantList(t, mustOpen(t, b), snaps(3))
}
