package catalog_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// nth returns one of several owners.
func nth(t testing.TB, n int) *catalog.Owner { return ownerOf(t, bytes.Repeat([]byte{byte(n)}, 32)) }

// next returns the owner that follows o.
func next(t testing.TB, o *catalog.Owner, n int) *catalog.Owner {
	t.Helper()
	o, err := o.Next(bytes.NewReader(bytes.Repeat([]byte{byte(n)}, 32)))
	must(t, err)
	return o
}

func publicKeys(owners []*catalog.Owner) (keys []string) {
	for _, o := range owners {
		keys = append(keys, hex.EncodeToString(o.PublicKey()[:4]))
	}
	return keys
}

// TestFollow makes owners that follow each other: keys of their own, and all before them.
func TestFollow(t *testing.T) {
	o := nth(t, 1)
	for n := 2; n < 5; n++ {
		was := o
		o = next(t, o, n)
		if o.PublicKey().Equal(was.PublicKey()) || o.Phrase() != nth(t, n).Phrase() || len(o.Former()) != n-1 {
			t.Fatalf("%v follows %v with %d former owners", o, was, len(o.Former()))
		}
	}
	if got, want := publicKeys(o.Former()), publicKeys([]*catalog.Owner{nth(t, 3), nth(t, 2), nth(t, 1)}); !slices.Equal(got, want) {
		t.Errorf("former owners %v, want %v", got, want)
	}
	for i, f := range o.Former() {
		if o.FormerRootKeys()[i] != f.RootKey() || o.FormerMarkKeys()[i] != f.MarkKey() || len(f.Former()) != 0 {
			t.Errorf("former owner %d: %v", i, f)
		}
	}
	again, err := o.Follow(nth(t, 2), o, next(t, nth(t, 3), 5))
	if err != nil || len(again.Former()) != 4 || again.Former()[0].String() != nth(t, 2).String() {
		t.Errorf("followed again: %v, %v", publicKeys(again.Former()), err)
	}
	for n := 5; len(o.Former()) < catalog.MaxFormer; n++ {
		o = next(t, o, n)
	}
	if _, err := o.Next(bytes.NewReader(bytes.Repeat([]byte{99}, 32))); err == nil {
		t.Error("more former owners than there may be")
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", o, o, o), fmt.Sprintf("%v %+v %#v",
		catalog.Former{Entropy: [32]byte{0xab, 0xcd, 0xef}}, []catalog.Former{{Entropy: [32]byte{0xab, 0xcd, 0xef}}}, catalog.Former{})} {
		if strings.Contains(text, "0202020202") || strings.Contains(text, "abcdef") || strings.Contains(text, "171 205") {
			t.Errorf("it shows a secret: %s", text)
		}
	}
}

func TestReplaceOwner(t *testing.T) {
	dir := t.TempDir()
	was := nth(t, 1)
	if _, err := catalog.ReplaceOwner(t.Context(), dir, was, next(t, was, 2)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no identity: %v", err)
	}
	_, err := catalog.SaveOwner(dir, was)
	must(t, err)
	got, err := catalog.ReplaceOwner(t.Context(), dir, was, next(t, was, 2))
	if err != nil || !reflect.DeepEqual(got, next(t, was, 2)) {
		t.Fatalf("%v, %v", got, err)
	}
	if _, err := catalog.ReplaceOwner(t.Context(), dir, was, next(t, was, 3)); err == nil {
		t.Error("an identity that was put there meanwhile is replaced")
	}
	if got, err = catalog.LoadOwner(dir); err != nil || !reflect.DeepEqual(got, next(t, was, 2)) {
		t.Errorf("%v, %v", got, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "identity")); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
}

// TestInherit takes the catalogs of former owners in: what they list, what they have forgotten, the sequence; and who they
// are, so that the new owner's keys alone bring all back.
func TestInherit(t *testing.T) {
	store, root := ventitest.NewMemory(), t.TempDir()
	dir := func(o *catalog.Owner) string { return filepath.Join(root, hex.EncodeToString(o.PublicKey())) }
	open := func(o *catalog.Owner) *catalog.Catalog {
		t.Helper()
		return mustOpen(t, catalog.Config{Dir: dir(o), Store: store, Owner: o})
	}
	a := nth(t, 1)
	b := next(t, a, 2)
	list := snaps(6)
	ca := open(a)
	for _, s := range list[:4] {
		must(t, ca.Add(t.Context(), s))
	}
	must(t, ca.Remove(t.Context(), list[0].Score))
	cb := open(b)
	if todo, err := cb.Inherits(dir(a), a); !todo || err != nil {
		t.Errorf("nothing to inherit: %v", err)
	}
	must(t, cb.Inherit(t.Context(), dir(a), a))
	wantList(t, cb, list[1:4])
	if h, err := cb.Head(); err != nil || h.Sequence != 6 {
		t.Errorf("sequence %d, %v", h.Sequence, err)
	}
	if todo, err := cb.Inherits(dir(a), a); todo || err != nil {
		t.Errorf("it is inherited and is not: %v", err)
	}
	if err := ca.Followed(); !errors.Is(err, catalog.ErrFollowed) || !strings.Contains(err.Error(), hex.EncodeToString(b.PublicKey()[:4])) {
		t.Errorf("the former owner: %v", err)
	}
	must(t, cb.Followed())
	if err := ca.Add(t.Context(), list[4]); !errors.Is(err, catalog.ErrFollowed) {
		t.Errorf("a former owner adds a snapshot: %v", err)
	}
	wantList(t, ca, list[1:4])

	// A machine that has not heard goes on as the former owner.
	must(t, os.Remove(filepath.Join(dir(a), "heir")))
	must(t, ca.Add(t.Context(), list[4]))
	must(t, cb.Remove(t.Context(), list[1].Score))
	if todo, err := cb.Inherits(dir(a), a); !todo || err != nil {
		t.Errorf("nothing to inherit: %v", err)
	}
	must(t, cb.Inherit(t.Context(), dir(a), a))
	wantList(t, cb, list[2:5])

	c := next(t, b, 3)
	cc := open(c)
	must(t, cc.Inherit(t.Context(), dir(b), b))
	must(t, cc.Inherit(t.Context(), dir(a), a)) // nothing new: what b has forgotten stays so
	must(t, cc.Add(t.Context(), list[5]))
	wantList(t, cc, list[2:6])

	// A machine on which only the words are: the list says who the former owners were.
	h, err := cc.Head()
	must(t, err)
	if _, err := catalog.Recover(t.Context(), catalog.Config{Dir: filepath.Join(root, "x"), Store: store, Owner: nth(t, 3)},
		h.Append(nil)); err != nil {
		t.Fatal(err)
	}
	alone := mustOpen(t, catalog.Config{Dir: filepath.Join(root, "x"), Store: store, Owner: nth(t, 3)})
	wantList(t, alone, list[2:6])
	former, err := alone.Former(t.Context())
	if err != nil || !slices.Equal(publicKeys(former), publicKeys([]*catalog.Owner{b, a})) {
		t.Errorf("former owners %v, %v", publicKeys(former), err)
	}
	back, err := nth(t, 3).Follow(former...)
	if err != nil || !reflect.DeepEqual(back, c) {
		t.Errorf("%v, %v", back, err)
	}
}

// TestDamagedHeir holds that a damaged word on who has followed the owner is not taken for none.
func TestDamagedHeir(t *testing.T) {
	cfg, _ := newConfig(t)
	c := mustOpen(t, cfg)
	must(t, c.Add(t.Context(), snap(1)))
	key := strings.Repeat("0f", 32)
	for _, text := range []string{"", key, key[1:] + "\n", key + "\n\n", key + "0f\n", strings.ToUpper(key) + "\n", key[1:] + "g\n"} {
		must(t, os.WriteFile(filepath.Join(cfg.Dir, "heir"), []byte(text), 0o600))
		if err := c.Followed(); !errors.Is(err, venti.ErrCorrupt) || errors.Is(err, catalog.ErrFollowed) {
			t.Errorf("heir %q: %v", text, err)
		}
		if err := c.Add(t.Context(), snap(2)); !errors.Is(err, venti.ErrCorrupt) {
			t.Errorf("heir %q: a snapshot is added: %v", text, err)
		}
	}
	wantList(t, c, snaps(2)[1:])
	must(t, os.WriteFile(filepath.Join(cfg.Dir, "heir"), []byte(key+"\n"), 0o600))
	if err := c.Followed(); !errors.Is(err, catalog.ErrFollowed) || errors.Is(err, venti.ErrCorrupt) {
		t.Errorf("a good heir: %v", err)
	}
}

// TestInheritNothing has a former owner without a catalog, and one whose head is damaged.
func TestInheritNothing(t *testing.T) {
	cfg, _ := newConfig(t)
	b := next(t, cfg.Owner, 2)
	c := mustOpen(t, catalog.Config{Dir: t.TempDir(), Store: cfg.Store, Owner: b})
	if todo, err := c.Inherits(cfg.Dir, cfg.Owner); todo || err != nil {
		t.Errorf("%v, %v", todo, err)
	}
	if err := c.Inherit(t.Context(), cfg.Dir, cfg.Owner); !errors.Is(err, catalog.ErrNoHead) {
		t.Error(err)
	}
	must(t, mustOpen(t, cfg).Add(t.Context(), snap(1)))
	must(t, os.WriteFile(filepath.Join(cfg.Dir, "head"), []byte("x"), 0o600))
	var damaged *catalog.HeadError
	if _, err := c.Inherits(cfg.Dir, cfg.Owner); !errors.As(err, &damaged) {
		t.Error(err)
	}
	wantList(t, c, nil)
}
