package tree_test

import (
	"errors"
	"testing"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

// TestAlsoOwn opens roots under former keys, and no others.
func TestAlsoOwn(t *testing.T) {
	store := ventitest.NewMemory()
	sealer, err := seal.New(seal.Secret{1})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0).UTC()
	refs := map[byte]venti.Ref{}
	for k := byte(1); k <= 4; k++ {
		root := &venti.Root{Kind: venti.RootSnapshot, Time: now, Floor: now, Host: string('a' + rune(k))}
		if refs[k], err = tree.NewSink(store, sealer, nil).PutRoot(t.Context(), seal.RootKey{k}, root); err != nil {
			t.Fatal(err)
		}
	}
	src := tree.NewSource(store, sealer, 1<<20)
	src.AlsoOwn([]seal.RootKey{{2}, {3}})
	for k := byte(1); k <= 4; k++ {
		root, ref, err := src.OwnRoot(t.Context(), seal.RootKey{1}, refs[k].Score)
		switch {
		case k == 4 && (!errors.Is(err, venti.ErrCorrupt) || root != nil):
			t.Errorf("a stranger's root: %v, %v", root, err)
		case k < 4 && (err != nil || ref != refs[k] || root.Host != string('a'+rune(k))):
			t.Errorf("key %d: %v, %v, %v", k, root, ref, err)
		}
	}
	if _, _, err := src.OwnRoot(t.Context(), seal.RootKey{1}, venti.Score{9}); !errors.Is(err, venti.ErrNotFound) {
		t.Errorf("what is not there: %v", err)
	}
}
