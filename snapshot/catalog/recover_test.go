package catalog_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// wantDamage checks that every way to the list says that the head is bad, and returns the error.
func wantDamage(t *testing.T, cfg catalog.Config, c *catalog.Catalog) *catalog.HeadError {
	t.Helper()
	_, openErr := catalog.Open(cfg)
	_, listErr := c.List(t.Context())
	_, headErr := c.Head()
	_, rootErr := c.Root(t.Context())
	var e *catalog.HeadError
	for what, err := range map[string]error{"Open": openErr, "List": listErr, "Head": headErr, "Root": rootErr,
		"Add": c.Add(t.Context(), snap(77))} {
		if !errors.As(err, &e) || !errors.Is(err, venti.ErrCorrupt) {
			t.Fatalf("%s with a bad head: %v", what, err)
		}
	}
	return e
}

func TestDamagedHead(t *testing.T) {
	cfg, _ := newConfig(t)
	c := mustOpen(t, cfg)
	for i := range 3 {
		must(t, c.Add(t.Context(), snap(i)))
	}
	name, prev := filepath.Join(cfg.Dir, "head"), filepath.Join(cfg.Dir, "head.1")
	good, err := os.ReadFile(name)
	must(t, err)
	damaged := map[string][]byte{"empty": {}, "cut": good[:100], "zeros": make([]byte, len(good)), "gone": nil}
	for i := range good {
		b := bytes.Clone(good)
		b[i] ^= 1 << (i % 8)
		damaged["byte "+string(rune('A'+i%26))+strings.Repeat("'", i/26)] = b
	}
	for what, b := range damaged {
		must(t, os.WriteFile(name, b, 0o600))
		if b == nil {
			must(t, os.Remove(name))
		}
		e := wantDamage(t, cfg, c)
		if e.Name != name || e.Prev != prev || !strings.Contains(e.Error(), name) || !strings.Contains(e.Error(), prev) {
			t.Fatalf("%s: %v", what, e)
		}
		if now, _ := os.ReadFile(name); !bytes.Equal(now, b) {
			t.Fatalf("%s: the damaged file was changed", what)
		}
	}

	must(t, os.WriteFile(name, damaged["cut"], 0o600))
	b, err := os.ReadFile(prev)
	must(t, err)
	h, err := catalog.Recover(t.Context(), cfg, b)
	if err != nil || h.Sequence != 2 {
		t.Fatalf("recovered %+v, %v", h, err)
	}
	wantList(t, c, snaps(2))
	if bad, err := os.ReadFile(filepath.Join(cfg.Dir, "head.bad")); err != nil || !bytes.Equal(bad, damaged["cut"]) {
		t.Errorf("the damaged head was not kept: %v", err)
	}
	must(t, c.Add(t.Context(), snap(2)))
	wantList(t, mustOpen(t, cfg), snaps(3))
}

func TestBothHeadsDamaged(t *testing.T) {
	cfg, _ := newConfig(t)
	c := mustOpen(t, cfg)
	must(t, c.Add(t.Context(), snap(0)))
	must(t, c.Add(t.Context(), snap(1)))
	h, err := c.Head()
	must(t, err)
	for _, n := range []string{"head", "head.1"} {
		must(t, os.WriteFile(filepath.Join(cfg.Dir, n), []byte("?"), 0o600))
	}
	if e := wantDamage(t, cfg, c); e.Prev != "" || strings.Contains(e.Error(), "head.1") {
		t.Errorf("points at a head that is not good: %v", e)
	}
	if _, err := catalog.Recover(t.Context(), cfg, h.Append(nil)); err != nil {
		t.Fatal(err)
	}
	wantList(t, c, snaps(2))
}

func TestOtherOwner(t *testing.T) {
	cfg, _ := newConfig(t)
	c := mustOpen(t, cfg)
	must(t, c.Add(t.Context(), snap(0)))
	must(t, c.Add(t.Context(), snap(1)))
	h, err := c.Head()
	must(t, err)
	cfg.Owner = ownerOf(t, bytes.Repeat([]byte{9}, 32))
	_, err = catalog.Open(cfg)
	if !errors.Is(err, catalog.ErrOtherOwner) || !errors.Is(err, venti.ErrCorrupt) || !strings.Contains(err.Error(), "do not belong together") {
		t.Errorf("another owner's folder: %v", err)
	}
	if _, err := catalog.Recover(t.Context(), cfg, h.Append(nil)); !errors.Is(err, catalog.ErrOtherOwner) {
		t.Errorf("another owner's head: %v", err)
	}
	// A head that this owner signed over another's root does not open.
	forged := cfg.Owner.SignHead(9, h.Score, h.Time)
	cfg.Dir = t.TempDir()
	if _, err := catalog.Recover(t.Context(), cfg, forged.Append(nil)); !errors.Is(err, venti.ErrCorrupt) {
		t.Errorf("another owner's root: %v", err)
	}
}

func TestRecoverOnNewMachine(t *testing.T) {
	cfg, store := newConfig(t)
	c := mustOpen(t, cfg)
	for i := range 4 {
		must(t, c.Add(t.Context(), snap(i)))
	}
	h, err := c.Head()
	must(t, err)
	o, err := catalog.OwnerFromPhrase(cfg.Owner.Phrase())
	must(t, err)
	fresh := catalog.Config{Dir: filepath.Join(t.TempDir(), "x", "y"), Store: store, Owner: o}
	if got, err := catalog.Recover(t.Context(), fresh, h.Append(nil)); err != nil || got != h {
		t.Fatalf("got %+v, %v", got, err)
	}
	wantList(t, mustOpen(t, fresh), snaps(4))

	// From the copies alone, into a store that is empty.
	empty := ventitest.NewMemory()
	cfg.Store = empty
	must(t, os.Remove(filepath.Join(cfg.Dir, "head")))
	if _, err := catalog.Recover(t.Context(), cfg, h.Append(nil)); err != nil {
		t.Fatal(err)
	}
	must(t, os.RemoveAll(filepath.Join(cfg.Dir, "blocks")))
	wantList(t, mustOpen(t, cfg), snaps(4))
	if empty.Syncs() == 0 {
		t.Error("the store was not synced")
	}
}

func TestRecoverRefuses(t *testing.T) {
	cfg, store := newConfig(t)
	c := mustOpen(t, cfg)
	must(t, c.Add(t.Context(), snap(0)))
	one, err := c.Head()
	must(t, err)
	must(t, c.Add(t.Context(), snap(1)))
	two, err := c.Head()
	must(t, err)
	rival := cfg.Owner.SignHead(2, one.Score, one.Time)
	newer := cfg.Owner.SignHead(3, one.Score, one.Time)
	nothing := cfg.Owner.SignHead(4, venti.Sum([]byte("nothing")), one.Time)
	sealer := sealerOf(t, cfg.Owner)
	block, ref, err := sealer.SealRoot(cfg.Owner.RootKey(), venti.AppendRoot(nil, &venti.Root{Kind: venti.RootSnapshot}))
	must(t, err)
	_, err = store.Put(t.Context(), block)
	must(t, err)
	noCatalog := cfg.Owner.SignHead(5, ref.Score, one.Time)

	for name, c := range map[string]struct {
		head venti.Head
		want error
	}{
		"older": {one, catalog.ErrOldHead}, "the same": {two, nil}, "no blocks": {nothing, venti.ErrNotFound}, "no catalog": {noCatalog, venti.ErrCorrupt},
	} {
		if _, err := catalog.Recover(t.Context(), cfg, c.head.Append(nil)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := catalog.Recover(t.Context(), cfg, []byte("?")); !errors.Is(err, venti.ErrCorrupt) {
		t.Errorf("no head: %v", err)
	}
	wantList(t, c, snaps(2))
	if now, _ := c.Head(); now != two {
		t.Errorf("the head in place is now %+v", now)
	}

	// Of lists that say less nothing is lost, whatever their heads' sequences.
	for _, h := range []venti.Head{rival, newer} { // which get the heads 3 and 4 behind them
		got, err := catalog.Recover(t.Context(), cfg, h.Append(nil))
		if err != nil || got.Sequence <= h.Sequence || got.Score != two.Score {
			t.Errorf("head %d: got %+v, %v", h.Sequence, got, err)
		}
		wantList(t, c, snaps(2))
	}
}

func TestRecoverMergesAConflict(t *testing.T) {
	cfg, store := newConfig(t)
	other := catalog.Config{Dir: t.TempDir(), Store: store, Owner: cfg.Owner}
	for i := range 3 {
		must(t, mustOpen(t, cfg).Add(t.Context(), snap(i)))
		must(t, mustOpen(t, other).Add(t.Context(), snap(10+i)))
	}
	a, err := mustOpen(t, cfg).Head()
	must(t, err)
	b, err := mustOpen(t, other).Head()
	must(t, err)
	nothing := cfg.Owner.SignHead(3, venti.Sum([]byte("nothing")), a.Time)

	fresh := catalog.Config{Dir: t.TempDir(), Store: store, Owner: cfg.Owner}
	h, err := catalog.Recover(t.Context(), fresh, a.Append(nil), b.Append(nil))
	if err != nil || h.Sequence != 4 {
		t.Fatalf("got %+v, %v", h, err)
	}
	wantList(t, mustOpen(t, fresh), slices.Concat(snaps(3), []snapshot.Snapshot{snap(10), snap(11), snap(12)}))

	// One list that cannot be read does not keep the other ones away, and is told of.
	fresh.Dir = t.TempDir()
	h, err = catalog.Recover(t.Context(), fresh, nothing.Append(nil), a.Append(nil))
	var apart *catalog.UnpublishedError
	if !errors.As(err, &apart) || !errors.Is(err, venti.ErrNotFound) || h != a {
		t.Errorf("got %+v, %v", h, err)
	}
	wantList(t, mustOpen(t, fresh), snaps(3))
}

// A list that is brought back is the one that is known elsewhere, to the byte, even if it says what need not be said any more.
func TestRecoverKeepsWhatIsOld(t *testing.T) {
	cfg, _ := newConfig(t)
	h := writeList(t, cfg, 3, catalog.Encode(catalog.List{
		Forgotten: []catalog.Forgotten{{Stamp: 3, Score: snap(0).Score, Time: time.Unix(1, 0).UTC()}},
		Snapshots: []catalog.Listed{{Stamp: 2, Snapshot: snap(1)}}}))
	got, err := catalog.Recover(t.Context(), cfg, h.Append(nil))
	if err != nil || got != h {
		t.Errorf("got head number %d, %v", got.Sequence, err)
	}
	wantList(t, mustOpen(t, cfg), snaps(2)[1:])
}
