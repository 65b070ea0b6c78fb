package fragstore_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/venti"
)

// life fills a store with fragments that are claimed, trash, and old trash, and returns which are which.
func life(t *testing.T, s *fragstore.Store, now time.Time) (claimed, trash, old []piece) {
	t.Helper()
	for i := range 120 {
		p := one(i, 1000)
		put(t, s, alice, p)
		switch i % 4 {
		case 0:
			claimed = append(claimed, p)
		case 1: // claimed by another owner than at first
			put(t, s, bob, p)
			claimed = append(claimed, p)
		case 2:
			trash = append(trash, p)
		case 3:
			old = append(old, p)
		}
	}
	day := 24 * time.Hour
	for _, r := range []struct {
		list []piece
		at   time.Time
	}{{trash, now.Add(-29 * day)}, {old, now.Add(-31 * day)}, {claimed[:0], now}} {
		if _, err := s.Release(t.Context(), alice, names(r.list), r.at); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range claimed {
		if i%2 == 1 {
			if _, err := s.Release(t.Context(), alice, names([]piece{p}), now.Add(-40*day)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return claimed, trash, old
}

func wantLife(t *testing.T, s *fragstore.Store, claimed, trash []piece) {
	t.Helper()
	want(t, s, claimed...)
	want(t, s, trash...)
	for i, p := range claimed {
		owner := []dhash.Owner{alice, bob}[i%2]
		if h := have(t, s, p.Score); len(h) != 1 || !slices.Equal(h[0].Claims, []dhash.Claim{mark(owner)}) {
			t.Errorf("%+v", h)
		}
	}
	for _, p := range trash {
		if h := have(t, s, p.Score); len(h) != 1 || !h[0].Trash() {
			t.Errorf("%+v", h)
		}
	}
}

// TestCompact frees old trash and nothing else, and is interrupted at each step: what is needed is always there, with
// its claims, also after the index was lost.
func TestCompact(t *testing.T) {
	errStep := errors.New("interrupted")
	now := time.Unix(1_800_000_000, 0)
	for _, at := range []string{"copied", "moved", "forgotten", "synced", "removed", ""} {
		for _, nth := range []int{0, 2} {
			t.Run(fmt.Sprint(at, nth), func(t *testing.T) {
				cfg := config(t)
				cfg.SegmentSize = 12_000
				s := open(t, cfg)
				claimed, trash, old := life(t, s, now)
				seen := 0
				fragstore.SetStep(s, func(step string) error {
					if step == at {
						if seen++; seen > nth {
							return errStep
						}
					}
					return nil
				})
				before := s.Stats()
				rep, err := s.Compact(t.Context(), calm(now))
				if at == "" && (err != nil || rep.Freed != int64(len(old)) || rep.BytesFreed < 1000*rep.Freed || rep.Damaged != 0) ||
					at != "" && !errors.Is(err, errStep) {
					t.Errorf("%+v %v", rep, err)
				}
				wantLife(t, s, claimed, trash)
				if after := s.Stats(); at == "" && (after.Trash != int64(len(trash)) || after.ArenaBytes-(before.ArenaBytes-rep.BytesFreed) > 1000) {
					t.Errorf("%+v, then %+v", before, after)
				}
				closeStore(t, s)
				s = open(t, cfg)
				wantLife(t, s, claimed, trash)
				closeStore(t, s)
				if err := os.RemoveAll(filepath.Join(cfg.Dir, "index")); err != nil {
					t.Fatal(err)
				}
				s = open(t, cfg)
				wantLife(t, s, claimed, trash)
				if rep, err := s.Compact(t.Context(), calm(now)); err != nil || rep.Damaged != 0 {
					t.Errorf("%+v %v", rep, err)
				}
				wantLife(t, s, claimed, trash)
				if rep, err := s.Compact(t.Context(), calm(now)); err != nil || rep.BytesCopied > 15_000 {
					t.Errorf("again: %+v %v", rep, err)
				}
				scrub, err := s.Scrub(t.Context(), 1<<40, func(d fragstore.Damage) { t.Errorf("%+v", d) })
				if err != nil || scrub.Dangling+scrub.Missing != 0 {
					t.Errorf("%+v %v", scrub, err)
				}
				wantLife(t, s, claimed, trash)
			})
		}
	}
}

// TestCompactAmidWalk moves fragments while somebody walks over all of them: none is missed for that.
func TestCompactAmidWalk(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	cfg := config(t)
	cfg.SegmentSize = 12_000
	s := open(t, cfg)
	claimed, trash, _ := life(t, s, now)
	seen := map[venti.Score]int{}
	var rep fragstore.CompactReport
	err := s.Walk(t.Context(), dhash.Key{}, dhash.LastKey(), func(h fragstore.Held) (err error) {
		if len(seen) == 0 {
			rep, err = s.Compact(t.Context(), calm(now))
		}
		seen[h.Score]++
		return err
	})
	if err != nil || rep.BytesCopied == 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	for _, p := range slices.Concat(claimed, trash) {
		if seen[p.Score] != 1 {
			t.Errorf("%s was seen %d times", p.Score.Short(), seen[p.Score])
		}
	}
}

// TestTrash says what becomes of a fragment that nobody claims.
func TestTrash(t *testing.T) {
	s := open(t, config(t))
	now := time.Unix(1_800_000_000, 0)
	p := one(1, 1000)
	put(t, s, alice, p)
	for _, o := range []dhash.Owner{bob, alice, alice} {
		n, err := s.Release(t.Context(), o, names([]piece{p, one(2, 10)}), now)
		if wantN := map[bool]int{true: 1}[o == alice && len(have(t, s, p.Score)[0].Claims) == 0 && n == 1]; err != nil || n != wantN {
			t.Errorf("released %d: %v", n, err)
		}
	}
	if st := s.Stats(); st.Trash != 1 || st.TrashBytes != int64(len(p.encoded)) || st.Fragments != 0 || st.Owners != 0 {
		t.Errorf("%+v", st)
	}
	want(t, s, p)
	for _, at := range []time.Time{now, now.Add(29 * 24 * time.Hour), now.Add(-1000 * time.Hour), {}} {
		if rep, err := s.Compact(t.Context(), calm(at)); err != nil || rep.Freed != 0 || rep.BytesWaiting == 0 {
			t.Errorf("%v: %+v %v", at, rep, err)
		}
	}
	here, err := s.Claim(t.Context(), bob, marks(bob, one(2, 10), p))
	if err != nil || !slices.Equal(here, []bool{false, true}) {
		t.Errorf("%v %v", here, err)
	}
	later := now.Add(1000 * time.Hour)
	if rep, err := s.Compact(t.Context(), calm(later)); err != nil || rep.Freed != 0 {
		t.Errorf("%+v %v", rep, err)
	}
	want(t, s, p)
	if n, err := s.Release(t.Context(), bob, names([]piece{p}), now); err != nil || n != 1 {
		t.Error(n, err)
	}
	if rep, err := s.Compact(t.Context(), calm(later)); err != nil || rep.Freed != 1 {
		t.Errorf("%+v %v", rep, err)
	}
	if _, err := get(t, s, p); !errors.Is(err, dhash.ErrNoFragment) {
		t.Error(err)
	}
	if st := s.Stats(); st.Trash+st.Fragments+st.Bad != 0 || st.ArenaBytes > 200 {
		t.Errorf("%+v", st)
	}
}

// TestWalk compares ranges with a plain sort by position.
func TestWalk(t *testing.T) {
	s := open(t, config(t))
	type at struct {
		key  dhash.Key
		name fragstore.Name
	}
	var all []at
	for i := range 200 {
		list := pieces(i, 100, dhash.Code{Need: 1, Total: 2})
		put(t, s, alice, list...)
		for _, p := range list {
			all = append(all, at{dhash.KeyOf(p.Score), p.Name})
		}
		if i == 100 {
			if err := fragstore.Flush(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	slices.SortFunc(all, func(a, b at) int {
		return slices.Compare(append(a.key[:], byte(a.name.Index)), append(b.key[:], byte(b.name.Index)))
	})
	last := dhash.LastKey()
	above := func(k dhash.Key) dhash.Key { // the next key
		for i := len(k) - 1; i >= 0; i-- {
			if k[i]++; k[i] != 0 {
				break
			}
		}
		return k
	}
	bounds := []dhash.Key{{}, {0x10}, all[7].key, above(all[7].key), all[8].key, all[250].key, {0x80}, {0xff}, last}
	for _, from := range bounds {
		for _, to := range bounds {
			var wanted []fragstore.Name
			for _, a := range all {
				if slices.Compare(a.key[:], from[:]) >= 0 && slices.Compare(a.key[:], to[:]) <= 0 {
					wanted = append(wanted, a.name)
				}
			}
			var got []fragstore.Name
			err := s.Walk(t.Context(), from, to, func(h fragstore.Held) error {
				got = append(got, h.Name)
				return nil
			})
			if err != nil || !slices.Equal(got, wanted) {
				t.Errorf("from %x to %x: %d fragments, want %d: %v", from[:2], to[:2], len(got), len(wanted), err)
			}
		}
	}
	stop := errors.New("stop")
	if err := s.Walk(t.Context(), dhash.Key{}, last, func(fragstore.Held) error { return stop }); err != stop {
		t.Error(err)
	}
}

func TestDivert(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	a, b := pieces(1, 100, dhash.Code{Need: 2, Total: 4})[2], pieces(1, 100, dhash.Code{Need: 2, Total: 4})[3]
	for _, d := range []fragstore.Diversion{{a.Name, "x"}, {b.Name, "y"}, {a.Name, "z"}, {a.Name, "z"}} {
		if err := s.Divert(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []dhash.ID{"", dhash.ID(make([]byte, 129))} {
		if err := s.Divert(t.Context(), fragstore.Diversion{Name: a.Name, To: id}); err == nil {
			t.Errorf("an id of %d bytes was taken", len(id))
		}
	}
	check := func(wanted ...fragstore.Diversion) {
		t.Helper()
		d, err := s.Diverted(t.Context(), a.Score)
		if err != nil || !slices.Equal(d, wanted) || s.Stats().Diversions != int64(len(wanted)) {
			t.Errorf("%+v %v", d, err)
		}
		if d, err := s.Diverted(t.Context(), venti.Score{1}); err != nil || len(d) != 0 {
			t.Errorf("%+v %v", d, err)
		}
	}
	check(fragstore.Diversion{Name: a.Name, To: "z"}, fragstore.Diversion{Name: b.Name, To: "y"})
	closeStore(t, s)
	s = open(t, cfg)
	check(fragstore.Diversion{Name: a.Name, To: "z"}, fragstore.Diversion{Name: b.Name, To: "y"})
	for range 2 {
		if err := s.Undivert(t.Context(), a.Name); err != nil {
			t.Error(err)
		}
	}
	check(fragstore.Diversion{Name: b.Name, To: "y"})
	if _, err := s.Compact(t.Context(), calm(time.Unix(5, 0))); err != nil {
		t.Error(err)
	}
	check(fragstore.Diversion{Name: b.Name, To: "y"})
	if h := have(t, s, a.Score); len(h) != 0 {
		t.Errorf("%+v", h)
	}
}
