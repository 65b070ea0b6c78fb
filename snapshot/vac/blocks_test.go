package vac_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

type use struct {
	vac.Use
	err error
}

// used collects what Blocks reports when every visit descends and no error ends the walk.
func used(t *testing.T, tr *vac.Tree) (out []use) {
	t.Helper()
	err := tr.Blocks(t.Context(), func(u vac.Use, err error) (bool, error) {
		out = append(out, use{u, err})
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestBlocks holds that the uses name all blocks of a snapshot and no others, and say what they are for.
func TestBlocks(t *testing.T) {
	r := newRig(t)
	tr := r.snapshot(t, village()...)
	seen := map[venti.Score]bool{}
	count := map[string]int{}
	parents := map[string]bool{"": true}
	for i, u := range used(t, tr) {
		if u.err != nil || u.Ref.IsZero() || (i == 0) != (u.Role == vac.RoleRoot) {
			t.Fatalf("use %d: %+v", i, u)
		}
		seen[u.Ref.Score] = true
		switch u.Role {
		case vac.RoleDirectory:
			count["directory "+u.Path]++
			if (u.Dir == nil) != (u.Path == "") || u.Dir != nil && u.Dir.Type != vac.Directory {
				t.Errorf("%+v", u)
			}
			parents[u.Path] = true
		case vac.RoleShared:
			count["shared"]++
			if u.Ref != u.Dir.Content.Slice.Block || u.Off != int64(u.Dir.Content.Slice.Offset) || u.Len != u.Dir.Size || !u.Leaf {
				t.Errorf("%+v", u)
			}
		case vac.RoleFile:
			count["file "+u.Path]++
			if u.Dir.Type != vac.File || u.Leaf && u.Len > 4096 {
				t.Errorf("%+v", u)
			}
		}
	}
	var got []venti.Score
	for s := range seen {
		got = append(got, s)
	}
	slices.SortFunc(got, func(a, b venti.Score) int { return slices.Compare(a[:], b[:]) })
	if !slices.Equal(got, r.Scores()) {
		t.Errorf("%d blocks were reported and %d stored", len(got), r.Len())
	}
	if n := count["file /home/ann/large"]; n < 200 || count["shared"] != 3003 || count["directory "] < 2 ||
		count["directory /home/many"] < 3 || count["directory /home"] != 0 {
		t.Errorf("uses: %v", count)
	}
}

// TestBlocksOnce holds that a caller that remembers scores and declines those it knows meets nothing twice below them.
func TestBlocksOnce(t *testing.T) {
	r := newRig(t)
	twin := []node{file("big", words(4, 100_000))}
	for i := range 3000 {
		twin = append(twin, special(fmt.Sprint("fifo ", i), vac.Fifo))
	}
	tr := r.snapshot(t, dir("one", twin...), dir("two", twin...), file("x", words(3, 200_000)), file("y", words(3, 200_000)))
	seen := map[venti.Score]bool{}
	visits := map[string]int{}
	err := tr.Blocks(t.Context(), func(u vac.Use, err error) (bool, error) {
		visits[u.Path]++
		fresh := !seen[u.Ref.Score]
		seen[u.Ref.Score] = true
		return fresh, err
	})
	if err != nil || len(seen) != r.Len() || visits["/y"] != 1 || visits["/two"] != 1 || visits["/two/big"] != 0 ||
		visits["/x"] < 100 || visits["/one/big"] < 50 {
		t.Errorf("%d of %d blocks, x %d, y %d, one %d, two %d, %v", len(seen), r.Len(), visits["/x"], visits["/y"],
			visits["/one"], visits["/two"], err)
	}
}

// TestBlocksDamage takes each block but the root away in turn. The use must be reported again with the reason, unless
// it is one that is not read, and everything that does not lie behind it as before.
func TestBlocksDamage(t *testing.T) {
	r := newRig(t)
	tr := r.snapshot(t, village()...)
	whole := used(t, tr)
	scores := map[venti.Score]vac.Use{}
	for _, u := range whole[1:] {
		scores[u.Ref.Score] = u.Use
	}
	for score, u := range scores {
		r.fresh()
		r.Unavailable(score, false)
		tr, err := vac.Open(t.Context(), r.src, tr.Ref)
		if err != nil {
			t.Fatal(err)
		}
		r.Unavailable(score, true)
		got := used(t, tr)
		r.Unavailable(score, false)
		failed := slices.IndexFunc(got, func(g use) bool { return g.err != nil })
		read := u.Role == vac.RoleDirectory && !isTable(tr, u) || !u.Leaf
		if !read {
			if failed >= 0 || len(got) != len(whole) {
				t.Errorf("%+v, which is not read: %d uses of %d, %v", u, len(got), len(whole), failed)
			}
			continue
		}
		if failed < 0 {
			t.Errorf("no error for %+v", u)
			continue
		}
		g := got[failed]
		var be *venti.BlockError
		if g.Path != u.Path || g.Role != u.Role || !errors.Is(g.err, venti.ErrUnavailable) ||
			!errors.As(g.err, &be) || be.Score != score {
			t.Errorf("%+v: error for %+v: %v", u, g.Use, g.err)
		}
		// What is neither it nor below it must be there.
		missing := map[string]bool{}
		for _, g := range got {
			missing[fmt.Sprint(g.Path, g.Role)] = true
		}
		for _, w := range whole {
			below := len(w.Path) > len(u.Path) && w.Path[:len(u.Path)+1] == u.Path+"/"
			if !below && !missing[fmt.Sprint(w.Path, w.Role)] {
				t.Errorf("without %+v, %+v was not reported", u, w.Use)
			}
		}
	}
	stop := errors.New("stop")
	for n := range 12 {
		i := 0
		err := tr.Blocks(t.Context(), func(vac.Use, error) (bool, error) {
			if i++; i > n {
				return true, stop
			}
			return true, nil
		})
		if err != stop || i != n+1 {
			t.Errorf("stop at visit %d: %d visits, %v", n, i, err)
		}
	}
}

// isTable reports whether the use is of the table of shared blocks, which Blocks reports and does not read.
func isTable(tr *vac.Tree, u vac.Use) bool { return u.Ref == tr.Root.Shared.Top }

func TestBlocksCancelled(t *testing.T) {
	r := newRig(t)
	tr := r.snapshot(t, village()...)
	r.fresh()
	tr, err := vac.Open(t.Context(), r.src, tr.Ref)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err = tr.Blocks(ctx, func(_ vac.Use, err error) (bool, error) {
		if err != nil {
			t.Errorf("cancelling is no damage: %v", err)
		}
		if n++; n == 2 {
			cancel()
		}
		return true, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%d visits, %v", n, err)
	}
}
