package fragstore_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/venti"
)

// TestIndexLost removes and damages the index: fragments and claims are all there again.
func TestIndexLost(t *testing.T) {
	const n = 300
	cfg := config(t)
	cfg.SegmentSize = 40_000
	s := open(t, cfg)
	now := time.Unix(1_800_000_000, 0)
	for i := range n {
		put(t, s, alice, one(i, 500))
		if i%50 == 49 { // several tables
			if err := fragstore.Flush(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range n {
		p := one(i, 500)
		if i%2 == 0 {
			put(t, s, bob, p)
		}
		if i%3 == 0 {
			if _, err := s.Release(t.Context(), alice, names([]piece{p}), now); err != nil {
				t.Fatal(err)
			}
		}
	}
	st := s.Stats()
	if err := s.Divert(t.Context(), fragstore.Diversion{Name: one(n, 500).Name, To: me}); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	check := func(t *testing.T, cfg fragstore.Config) {
		t.Helper()
		s := open(t, cfg)
		defer closeStore(t, s)
		for i := range n {
			p := one(i, 500)
			want(t, s, p)
			h := have(t, s, p.Score)
			owners := 1 + (i+1)%2
			if i%3 == 0 {
				owners--
			}
			if len(h) != 1 || len(h[0].Claims) != owners {
				t.Fatalf("fragment %d: %+v", i, h)
			}
		}
		if got := s.Stats(); got.Fragments != st.Fragments || got.Bytes != st.Bytes || got.Trash != st.Trash || got.Diversions != 1 {
			t.Errorf("%+v, then %+v", st, got)
		}
		if d, err := s.Diverted(t.Context(), one(n, 500).Score); err != nil || len(d) != 1 {
			t.Error(d, err)
		}
	}
	path := filepath.Join(cfg.Dir, "index")
	good := filepath.Join(t.TempDir(), "good")
	if err := os.CopyFS(good, os.DirFS(path)); err != nil {
		t.Fatal(err)
	}
	for _, rows := range []int{0, 200, 40} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		check(t, cfg.RebuildRows(rows))
		check(t, cfg)
	}
	files, err := os.ReadDir(good)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(good, f.Name()))
		if err != nil || len(b) == 0 {
			t.Fatal(f, err)
		}
		for i := range 3 {
			if err := errors.Join(os.RemoveAll(path), os.CopyFS(path, os.DirFS(good))); err != nil {
				t.Fatal(err)
			}
			bad := bytes.Clone(b)
			bad[i*(len(b)-1)/2] ^= 0x10
			if err := os.WriteFile(filepath.Join(path, f.Name()), bad, 0o600); err != nil {
				t.Fatal(err)
			}
			check(t, cfg)
		}
	}
}

// TestFlipBytes damages bytes all over a small store's arena, one at a time: at most one fragment is lost, it is named, and
// it is replaced when it is put again.
func TestFlipBytes(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	in := []piece{one(0, 10), one(1, 20), one(2, 30)}
	put(t, s, alice, in[:2]...)
	put(t, s, bob, in...)
	if _, err := s.Release(t.Context(), alice, names(in), time.Unix(5, 0)); err != nil {
		t.Fatal(err)
	}
	if err := fragstore.Flush(s); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	good, err := os.ReadFile(filepath.Join(cfg.Dir, "arenas", "00000001.seg"))
	if err != nil {
		t.Fatal(err)
	}
	step := 3
	if testing.Short() {
		step = 17
	}
	for _, keepIndex := range []bool{true, false} {
		for at := map[bool]int{true: 1}[keepIndex]; at < len(good); at += step {
			dir := filepath.Join(t.TempDir(), "fragments")
			if err := os.CopyFS(dir, os.DirFS(cfg.Dir)); err != nil {
				t.Fatal(err)
			}
			if !keepIndex {
				if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
					t.Fatal(err)
				}
			}
			bad := bytes.Clone(good)
			bad[at] ^= 0x20
			if err := os.WriteFile(filepath.Join(dir, "arenas", "00000001.seg"), bad, 0o600); err != nil {
				t.Fatal(err)
			}
			c := cfg
			c.Dir = dir
			flipped(t, c, at, keepIndex, in)
		}
	}
}

func flipped(t *testing.T, cfg fragstore.Config, at int, keepIndex bool, in []piece) {
	s := open(t, cfg)
	defer func() { closeStore(t, s) }()
	var lost []piece
	for _, p := range in {
		b, err := get(t, s, p)
		switch {
		case err == nil && !bytes.Equal(b, p.encoded):
			t.Errorf("byte %d: wrong bytes", at)
		case err == nil:
		case errors.Is(err, venti.ErrCorrupt) && keepIndex, errors.Is(err, dhash.ErrNoFragment) && !keepIndex:
			lost = append(lost, p)
			if h := have(t, s, p.Score); len(h) != 0 {
				t.Errorf("byte %d: a damaged fragment is listed", at)
			}
		default:
			t.Errorf("byte %d: %v", at, err)
		}
	}
	if len(lost) > 1 {
		t.Errorf("byte %d: %d fragments are lost", at, len(lost))
	}
	reports := 0
	rep, err := s.Scrub(t.Context(), 1<<30, func(d fragstore.Damage) {
		reports++
		if !errors.Is(d.Err, venti.ErrCorrupt) || keepIndex && len(lost) == 1 && d.Name != lost[0].Name {
			t.Errorf("byte %d: %+v", at, d)
		}
	})
	if err != nil || !rep.Done || reports > 1 || len(lost) == 1 && reports != 1 {
		t.Errorf("byte %d: %d reports, %+v %v", at, reports, rep, err)
	}
	if keepIndex { // what the index knew of claims is in the arenas again
		var good []piece
		for _, p := range in {
			if len(have(t, s, p.Score)) > 0 {
				good = append(good, p)
			}
		}
		closeStore(t, s)
		if err := os.RemoveAll(filepath.Join(cfg.Dir, "index")); err != nil {
			t.Fatal(err)
		}
		s = open(t, cfg)
		for _, p := range good {
			if h := have(t, s, p.Score); len(h) != 1 || !slices.Equal(h[0].Claims, []dhash.Claim{mark(bob)}) {
				t.Errorf("byte %d: %+v", at, h)
			}
		}
		if len(good) < len(in)-1 {
			t.Errorf("byte %d: only %d fragments are left", at, len(good))
		}
	}
	for _, p := range in {
		put(t, s, bob, p)
	}
	want(t, s, in...)
	if st := s.Stats(); st.Fragments != int64(len(in)) || st.Bad != 0 {
		t.Errorf("byte %d: %+v", at, st)
	}
}

// TestTruncate cuts the newest segment where no crash would: what is left is there, and the index knows it.
func TestTruncate(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	var in []piece
	for i := range 20 {
		in = append(in, one(i, 1000))
	}
	put(t, s, alice, in...)
	if err := fragstore.Flush(s); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	path := filepath.Join(cfg.Dir, "arenas", "00000001.seg")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()/2); err != nil {
		t.Fatal(err)
	}
	s = open(t, cfg)
	n := s.Stats().Fragments
	if n < 8 || n > 10 {
		t.Errorf("%d fragments", n)
	}
	want(t, s, in[:n]...)
	if h := have(t, s, in[n].Score); len(h) != 0 {
		t.Errorf("%+v", h)
	}
	put(t, s, alice, in...)
	want(t, s, in...)
}

// TestScrub goes around in small steps, over restarts, and finds what is damaged in the middle of a large fragment.
func TestScrub(t *testing.T) {
	cfg := config(t)
	cfg.SegmentSize = 100_000
	s := open(t, cfg)
	var in []piece
	for i := range 30 {
		in = append(in, one(i, 20_000))
	}
	put(t, s, alice, in...)
	if err := fragstore.Flush(s); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	path := filepath.Join(cfg.Dir, "arenas", "00000002.seg")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[30_000] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var sum fragstore.ScrubReport
	var damage []fragstore.Damage
	for !sum.Done {
		s = open(t, cfg)
		rep, err := s.Scrub(t.Context(), 50_000, func(d fragstore.Damage) { damage = append(damage, d) })
		if err != nil || rep.Bytes > 80_000 {
			t.Fatal(rep, err)
		}
		sum.Fragments += rep.Fragments
		sum.Missing += rep.Missing
		sum.Damaged += rep.Damaged
		sum.Done = rep.Done
		closeStore(t, s)
	}
	if sum.Fragments != 30 || sum.Damaged != 1 || len(damage) != 1 || sum.Missing != 0 {
		t.Fatalf("%+v %+v", sum, damage)
	}
	s = open(t, cfg)
	if st := s.Stats(); st.Bad != 1 || st.Fragments != 29 || s.Owner(alice).Fragments != 29 {
		t.Errorf("%+v", st)
	}
	for _, p := range in {
		if p.Name == damage[0].Name {
			if _, err := get(t, s, p); !errors.Is(err, dhash.ErrNoFragment) {
				t.Error(err)
			}
			put(t, s, bob, p)
			if h := have(t, s, p.Score); len(h) != 1 || len(h[0].Claims) != 2 {
				t.Errorf("its claims are gone: %+v", h)
			}
		}
	}
	want(t, s, in...)
	if st := s.Stats(); st.Bad != 0 || st.Fragments != 30 {
		t.Errorf("%+v", st)
	}
}

// TestCompactKeepsClaimsOfDamaged: as long as somebody claims a damaged fragment, the store knows that it has to be made
// again, however often it is compacted; when it was, or when it is claimed no more, its segment goes.
func TestCompactKeepsClaimsOfDamaged(t *testing.T) {
	for _, cause := range []string{"payload", "header"} {
		t.Run(cause, func(t *testing.T) {
			cfg := config(t)
			s := open(t, cfg)
			now := time.Unix(1_800_000_000, 0)
			old, damaged := pieces(7, 40_000, dhash.Code{Need: 2, Total: 4}), one(8, 20_000)
			put(t, s, alice, append(old, damaged)...)
			if _, err := s.Release(t.Context(), alice, names(old), now); err != nil {
				t.Fatal(err)
			}
			if err := fragstore.Flush(s); err != nil {
				t.Fatal(err)
			}
			closeStore(t, s)
			path := filepath.Join(cfg.Dir, "arenas", "00000001.seg")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			at := bytes.Index(b, damaged.Score[:])
			if cause == "payload" {
				at += 10_000
			}
			b[at] ^= 1
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			s = open(t, cfg)
			later := calm(now.Add(1000 * time.Hour))
			known := func() (n int) {
				err := s.Bad(t.Context(), func(h fragstore.Held) error {
					if n++; h.Name != damaged.Name || len(h.Claims) != 1 || h.Claims[0] != mark(alice) {
						t.Errorf("%+v", h)
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			for range 3 {
				rep, err := s.Compact(t.Context(), later)
				if err != nil || known() != 1 {
					t.Fatalf("nobody knows any more that the fragment has to be made again: %+v %v", rep, err)
				}
			}
			put(t, s, bob, damaged)
			if h := have(t, s, damaged.Score); len(h) != 1 || len(h[0].Claims) != 2 {
				t.Errorf("%+v", h)
			}
			if rep, err := s.Compact(t.Context(), later); err != nil || rep.BytesFreed < 60_000 || known() != 0 {
				t.Errorf("%+v %v", rep, err)
			}
			want(t, s, damaged)
		})
	}
}
