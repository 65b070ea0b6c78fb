package fragstore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/fragstore"
	"ventidhash/venti"
)

const me = dhash.ID("\x00\x24\x08\x01\x12\x20 a member of the test's swarm....")

var (
	alice = dhash.Owner{1}
	bob   = dhash.Owner{2}
)

// piece is a fragment, ready to be put.
type piece struct {
	fragstore.Name
	code    dhash.Code
	length  int
	encoded []byte
	f       *dhash.Fragment
}

// pieces makes all fragments of a block, whose payloads are random and belong to one coding.
func pieces(seed, length int, code dhash.Code) []piece {
	rnd := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), 7})
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(seed%1_000_000)) // beyond a million: another coding of the same block
	score := venti.Sum(b[:])
	payloads := make([][]byte, code.Total)
	leaves := make([]dhash.Hash, code.Total)
	for i := range payloads {
		payloads[i] = make([]byte, code.PayloadSize(length))
		rnd.Read(payloads[i])
		leaves[i] = dhash.HashPayload(payloads[i])
	}
	root, proofs := dhash.Proofs(leaves)
	coding := dhash.CodingOf(score, length, code, root)
	out := make([]piece, code.Total)
	for i := range out {
		f := &dhash.Fragment{Score: score, Length: length, Code: code, Index: i, Proof: proofs[i], Payload: payloads[i]}
		out[i] = piece{fragstore.Name{Score: score, Coding: coding, Index: i}, code, length, f.Append(nil), f}
	}
	return out
}

// one makes one fragment of a block, whose payload has about size bytes.
func one(seed, size int) piece {
	return pieces(seed, 2*size, dhash.Code{Need: 2, Total: 3})[seed%3]
}

func config(t testing.TB) fragstore.Config {
	return fragstore.Config{Dir: filepath.Join(t.TempDir(), "fragments"), Member: me, Capacity: 1 << 40, Reserve: 1}
}

func open(t testing.TB, cfg fragstore.Config) *fragstore.Store {
	t.Helper()
	cfg.Hasty()
	s, err := fragstore.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *fragstore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func put(t testing.TB, s *fragstore.Store, o dhash.Owner, list ...piece) {
	t.Helper()
	for _, p := range list {
		if err := putOne(t.Context(), s, o, p); err != nil {
			t.Fatalf("put: %v", err)
		}
	}
}

func putOne(ctx context.Context, s *fragstore.Store, o dhash.Owner, p piece) error {
	return s.Put(ctx, mark(o), p.f, p.Coding)
}

// mark is an owner's claim, with a mark that goes with the owner.
func mark(o dhash.Owner) dhash.Claim { return dhash.Claim{Owner: o, Mark: [16]byte{o[0], 0xff}} }

func marks(o dhash.Owner, list ...piece) (out []fragstore.Marked) {
	for _, p := range list {
		out = append(out, fragstore.Marked{Name: p.Name, Mark: mark(o).Mark})
	}
	return out
}

// get returns what Get returns for exactly that fragment.
func get(t testing.TB, s *fragstore.Store, p piece) ([]byte, error) {
	t.Helper()
	b, h, err := s.Get(t.Context(), p.Score, func(h fragstore.Held) bool { return h.Name == p.Name }, nil)
	if err == nil && (h.Name != p.Name || h.Code != p.code || h.Length != p.length || h.Size != int64(len(p.encoded))) {
		t.Errorf("got %+v", h)
	}
	return b, err
}

func want(t testing.TB, s *fragstore.Store, list ...piece) {
	t.Helper()
	for _, p := range list {
		if b, err := get(t, s, p); err != nil || !bytes.Equal(b, p.encoded) {
			t.Errorf("%v: %d bytes, %v", p.Name, len(b), err)
		}
	}
}

func have(t testing.TB, s *fragstore.Store, score venti.Score) []fragstore.Held {
	t.Helper()
	h, err := s.Have(t.Context(), []venti.Score{score})
	if err != nil {
		t.Fatal(err)
	}
	return h[0]
}

// calm is what a member knows of itself when nothing keeps it from giving something up.
func calm(now time.Time) claim.Environment {
	return claim.Environment{Now: now, Served: 1000 * time.Hour, Members: 1, Reachable: 1}
}

func names(list []piece) (out []fragstore.Name) {
	for _, p := range list {
		out = append(out, p.Name)
	}
	return out
}

func TestPutGet(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	var all []piece
	for i, code := range []dhash.Code{{Need: 1, Total: 1}, {Need: 1, Total: 5}, {Need: 8, Total: 20}, {Need: 64, Total: 64}} {
		for j, length := range []int{0, 1, 1000, 1 << 20, venti.MaxBlock} {
			if code.Need == 1 && length == venti.MaxBlock && testing.Short() {
				continue
			}
			all = append(all, pieces(10*i+j, length, code)[code.Total-1])
		}
	}
	for range 2 { // again: it is there
		put(t, s, alice, all...)
		st := s.Stats()
		if st.Fragments != int64(len(all)) || st.Trash+st.Bad != 0 || st.Owners != 1 {
			t.Errorf("%+v", st)
		}
	}
	for range 2 {
		want(t, s, all...)
		var bytes int64
		for _, p := range all {
			bytes += int64(len(p.encoded))
			h := have(t, s, p.Score)
			if len(h) != 1 || h[0].Name != p.Name || h[0].Size != int64(len(p.encoded)) || !slices.Equal(h[0].Claims, []dhash.Claim{mark(alice)}) {
				t.Errorf("%+v", h)
			}
		}
		if use := s.Owner(alice); use.Bytes != bytes || use.Fragments != int64(len(all)) || s.Stats().Bytes != bytes {
			t.Errorf("%+v, %d bytes", use, bytes)
		}
		if _, _, err := s.Get(t.Context(), venti.Score{9}, nil, nil); !errors.Is(err, dhash.ErrNoFragment) {
			t.Error(err)
		}
		closeStore(t, s)
		s = open(t, cfg)
	}
}

func TestPutRefuses(t *testing.T) {
	s := open(t, config(t))
	p := one(1, 100)
	for name, change := range map[string]func(*dhash.Fragment){
		"index":   func(f *dhash.Fragment) { f.Index = 3 },
		"length":  func(f *dhash.Fragment) { f.Length = venti.MaxBlock + 1 },
		"code":    func(f *dhash.Fragment) { f.Code.Total = 200 },
		"proof":   func(f *dhash.Fragment) { f.Proof = nil },
		"payload": func(f *dhash.Fragment) { f.Payload = f.Payload[1:] },
	} {
		bad := *p.f
		change(&bad)
		if err := s.Put(t.Context(), mark(alice), &bad, p.Coding); !errors.Is(err, dhash.ErrFragment) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := putOne(ctx, s, alice, p); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if st := s.Stats(); st.Fragments != 0 {
		t.Errorf("%+v", st)
	}
	closeStore(t, s)
	if err := putOne(t.Context(), s, alice, p); !errors.Is(err, dhash.ErrBusy) {
		t.Error(err)
	}
}

// TestMarks says that a claim's mark is kept, over restarts and by the arenas alone, and replaced by a later one.
func TestMarks(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	p := one(1, 100)
	first, second := dhash.Claim{Owner: alice, Mark: [16]byte{1}}, dhash.Claim{Owner: alice, Mark: [16]byte{2}}
	other := dhash.Claim{Owner: bob}
	check := func(wanted ...dhash.Claim) {
		t.Helper()
		for range 2 {
			if h := have(t, s, p.Score); len(h) != 1 || !slices.Equal(h[0].Claims, wanted) {
				t.Errorf("%+v, want %v", h, wanted)
			}
			if use := s.Owner(alice); use.Fragments != 1 {
				t.Errorf("%+v", use)
			}
			closeStore(t, s)
			if err := os.RemoveAll(filepath.Join(cfg.Dir, "index")); err != nil {
				t.Fatal(err)
			}
			s = open(t, cfg)
		}
	}
	for _, c := range []dhash.Claim{first, first} {
		if err := s.Put(t.Context(), c, p.f, p.Coding); err != nil {
			t.Fatal(err)
		}
	}
	check(first)
	if err := s.Put(t.Context(), other, p.f, p.Coding); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), second, p.f, p.Coding); err != nil {
		t.Fatal(err)
	}
	check(second, other)
	here, err := s.Claim(t.Context(), alice, []fragstore.Marked{{Name: p.Name, Mark: first.Mark}})
	if err != nil || !here[0] {
		t.Error(here, err)
	}
	check(first, other)
	if _, err := s.Compact(t.Context(), calm(time.Unix(5, 0))); err != nil {
		t.Error(err)
	}
	check(first, other)
}

// TestCodings has several codings of one block side by side: junk does not displace what is real, and is bounded.
func TestCodings(t *testing.T) {
	s := open(t, config(t))
	code := dhash.Code{Need: 2, Total: 4}
	coded := func(i int) piece { return pieces(7+1_000_000*i, 500, code)[1] }
	put(t, s, alice, coded(0))
	put(t, s, bob, coded(1), coded(2), coded(3), coded(4))
	if err := putOne(t.Context(), s, bob, coded(5)); !errors.Is(err, dhash.ErrQuota) {
		t.Errorf("a fifth coding of an owner: %v", err)
	}
	put(t, s, bob, pieces(7+1_000_000, 500, code)[2]) // of a coding that he has
	refused := 0
	for i := 5; i < 60; i++ {
		if err := putOne(t.Context(), s, dhash.Owner{3, byte(i)}, coded(i)); errors.Is(err, dhash.ErrQuota) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if h := have(t, s, coded(0).Score); refused != 28 || len(h) != 33 {
		t.Errorf("%d refused, %d here", refused, len(h))
	}
	want(t, s, coded(0), coded(1), coded(2))
	put(t, s, dhash.Owner{9}, coded(0)) // claimed by two: the best
	b, h, err := s.Get(t.Context(), coded(0).Score, nil, make([]byte, 0, 10_000))
	if err != nil || !bytes.Equal(b, coded(0).encoded) || h.Coding != coded(0).Coding {
		t.Errorf("%+v %v", h, err)
	}
	_, h, err = s.Get(t.Context(), coded(0).Score, func(h fragstore.Held) bool { return h.Coding != coded(0).Coding }, nil)
	if err != nil || h.Coding == coded(0).Coding {
		t.Errorf("%+v %v", h, err)
	}
	if _, _, err = s.Get(t.Context(), coded(0).Score, func(fragstore.Held) bool { return false }, nil); !errors.Is(err, dhash.ErrNoFragment) {
		t.Error(err)
	}
}

func TestFull(t *testing.T) {
	cfg := config(t)
	cfg.Capacity = 1 << 20
	s := open(t, cfg)
	var in []piece
	var err error
	for i := 0; err == nil; i++ {
		p := one(i, 50_000)
		if err = putOne(t.Context(), s, alice, p); err == nil {
			in = append(in, p)
		}
	}
	if !errors.Is(err, dhash.ErrFull) || len(in) < 15 {
		t.Fatalf("%d fragments, then %v", len(in), err)
	}
	want(t, s, in...)
	put(t, s, alice, in[0]) // it is there
	put(t, s, bob, in[0])   // so a claim is enough
	if free := s.Free(); free < 0 || free > 60_000 {
		t.Errorf("%d bytes free", free)
	}
	to := fragstore.Diversion{Name: one(1000, 10).Name, To: "another member"}
	if err := s.Divert(t.Context(), to); err != nil {
		t.Error(err)
	}
	now := time.Unix(1_800_000_000, 0)
	n, err := s.Release(t.Context(), alice, names(in), now)
	if err != nil || n != len(in) {
		t.Errorf("released %d: %v", n, err)
	}
	rep, err := s.Compact(t.Context(), calm(now.Add(31*24*time.Hour)))
	if err != nil || rep.Freed != int64(len(in)-1) || s.Free() < 900_000 {
		t.Errorf("%+v %v, %d bytes free", rep, err, s.Free())
	}
	want(t, s, in[0])
	put(t, s, alice, in[1:]...)
	if d, err := s.Diverted(t.Context(), to.Score); err != nil || len(d) != 1 || d[0] != to {
		t.Errorf("%+v %v", d, err)
	}
}

func TestDiskFull(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	in := one(1, 2<<20)
	put(t, s, alice, in)
	closeStore(t, s)
	cfg.Reserve = 1 << 60
	s = open(t, cfg)
	if err := putOne(t.Context(), s, alice, one(2, 2<<20-1000)); !errors.Is(err, dhash.ErrFull) {
		t.Error(err)
	}
	if s.Free() != 0 {
		t.Errorf("%d bytes free", s.Free())
	}
	want(t, s, in)
	if n, err := s.Release(t.Context(), alice, names([]piece{in}), time.Unix(5, 0)); err != nil || n != 1 {
		t.Error(n, err)
	}
}

func TestQuota(t *testing.T) {
	cfg := config(t)
	cfg.Quota = func(o dhash.Owner) int64 {
		if o == alice {
			return 100_000
		}
		return 1 << 40
	}
	s := open(t, cfg)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var in []piece
	for i := range 40 {
		wg.Go(func() {
			p := one(i, 10_000)
			err := putOne(t.Context(), s, alice, p)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				in = append(in, p)
			} else if !errors.Is(err, dhash.ErrQuota) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if use := s.Owner(alice); len(in) != 9 || use.Fragments != 9 || use.Bytes > 100_000 {
		t.Errorf("%d are in, %+v", len(in), use)
	}
	for i := range in { // a claim with another mark is no second one
		if _, err := s.Claim(t.Context(), alice, []fragstore.Marked{{Name: in[i].Name}}); err != nil {
			t.Error(err)
		}
	}
	put(t, s, bob, one(100, 50_000))
	if here, err := s.Claim(t.Context(), alice, marks(alice, one(100, 50_000))); !errors.Is(err, dhash.ErrQuota) {
		t.Error(here, err)
	}
	if _, err := s.Release(t.Context(), alice, names(in[:5]), time.Unix(5, 0)); err != nil {
		t.Error(err)
	}
	put(t, s, alice, one(100, 50_000))
}

// TestConcurrent puts, claims, releases, reads, compacts and scrubs at once.
func TestConcurrent(t *testing.T) {
	cfg := config(t)
	cfg.SegmentSize = 100_000
	cfg.TrashAge = time.Second
	s := open(t, cfg)
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			owner := dhash.Owner{byte(g % 3)}
			for i := range 150 {
				p := one(i+g/3*50, 2000)
				put(t, s, owner, p)
				want(t, s, p)
				if i%2 == 0 {
					if _, err := s.Release(t.Context(), owner, names([]piece{p}), time.Unix(int64(i), 0)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	done := make(chan struct{})
	var tend sync.WaitGroup
	tend.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if _, err := s.Compact(t.Context(), calm(time.Unix(-1000, 0))); err != nil { // nothing is old enough
				t.Error(err)
			}
			if rep, err := s.Scrub(t.Context(), 50_000, func(d fragstore.Damage) { t.Errorf("%+v", d) }); err != nil {
				t.Error(rep, err)
			}
		}
	})
	wg.Wait()
	close(done)
	tend.Wait()
	before := s.Stats()
	use := s.Owners()
	closeStore(t, s)
	s = open(t, cfg)
	after := s.Stats()
	if before.Fragments != after.Fragments || before.Bytes != after.Bytes || before.Trash != after.Trash || before.Bad != 0 {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
	for o, u := range s.Owners() {
		if use[o] != u {
			t.Errorf("owner %x: %+v, then %+v", o[0], use[o], u)
		}
	}
	if err := errors.Join(s.Close(), os.RemoveAll(filepath.Join(cfg.Dir, "index"))); err != nil {
		t.Error(err)
	}
	s = open(t, cfg)
	if again := s.Stats(); again.Fragments != after.Fragments || again.Trash != after.Trash || again.Bytes != after.Bytes {
		t.Errorf("%+v\nrebuilt %+v", after, again)
	}
}
