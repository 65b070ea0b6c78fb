package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/seal"
)

// noise returns n bytes that do not compress.
func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// text returns n bytes that compress as text does.
func text(n int) []byte {
	words := []string{"score", "block", "pointer", "entry", "root", "arena", "venti", "of", "the", "and", "is", "\n"}
	r := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for len(b) < n {
		b = fmt.Appendf(b, "%s %d ", words[r.IntN(len(words))], r.IntN(1000))
	}
	return b[:n]
}

func sealed(t testing.TB, s *seal.Sealer, plain []byte) ([]byte, venti.Ref) {
	t.Helper()
	block, key, err := s.Seal(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	return block, venti.Ref{Score: venti.Sum(block), Key: key}
}

func TestRoundTrip(t *testing.T) {
	s := newSealer(t, seal.Secret{1})
	for _, n := range []int{0, 1, 63, 64, 65, 66, 127, 128, 4095, 64 << 10, 1 << 20, seal.MaxPlain - 1, seal.MaxPlain} {
		for kind, plain := range map[string][]byte{"noise": noise(3, n), "text": text(n), "zeros": make([]byte, n)} {
			before := bytes.Clone(plain)
			block, ref := sealed(t, s, plain)
			if !bytes.Equal(plain, before) {
				t.Fatalf("%s %d: Seal changed its input", kind, n)
			}
			if len(block) > n+seal.Overhead || len(block) > venti.MaxBlock {
				t.Errorf("%s %d: block of %d bytes", kind, n, len(block))
			}
			if kind != "noise" && n >= 4095 && len(block) > n*3/4 {
				t.Errorf("%s %d: not compressed", kind, n)
			}
			front := []byte("front")
			again, key, err := s.Seal(front, plain)
			if err != nil || !bytes.HasPrefix(again, front) || !bytes.Equal(again[5:], block) || key != ref.Key {
				t.Errorf("%s %d: another block behind a prefix: %v", kind, n, err)
			}
			got, err := s.Open(nil, ref, bytes.Clone(block))
			if err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%s %d: opened %d bytes, %v", kind, n, len(got), err)
			}
			for _, dst := range [][]byte{front, make([]byte, 3<<20), append(make([]byte, 0, 5<<20), front...)} {
				got, err := s.Open(dst, ref, bytes.Clone(block))
				if err != nil || !bytes.Equal(got[:len(dst)], dst) || !bytes.Equal(got[len(dst):], plain) {
					t.Fatalf("%s %d behind %d bytes: opened %d bytes, %v", kind, n, len(dst), len(got), err)
				}
			}
		}
	}
}

func TestTooLarge(t *testing.T) {
	s := newSealer(t, seal.Secret{})
	big := make([]byte, seal.MaxPlain+1)
	if got, _, err := s.Seal([]byte("x"), big); !errors.Is(err, venti.ErrTooLarge) || string(got) != "x" {
		t.Errorf("Seal: %q, %v", got, err)
	}
	if _, _, err := s.SealRoot(seal.RootKey{}, big); !errors.Is(err, venti.ErrTooLarge) {
		t.Errorf("SealRoot: %v", err)
	}
	block, _, err := s.SealRoot(seal.RootKey{}, noise(1, seal.MaxPlain))
	if err != nil || len(block) > venti.MaxBlock {
		t.Errorf("largest root: block of %d bytes, %v", len(block), err)
	}
	over := append([]byte{1}, make([]byte, venti.MaxBlock)...)
	if _, err := s.Open(nil, venti.Ref{}, over); !errors.Is(err, venti.ErrTooLarge) {
		t.Errorf("Open of a block that is too large: %v", err)
	}
}

func TestEveryBitCounts(t *testing.T) {
	s := newSealer(t, seal.Secret{1})
	for name, plain := range map[string][]byte{"noise": noise(1, 100), "text": text(400), "nothing": nil} {
		block, ref := sealed(t, s, plain)
		for i := range len(block) * 8 {
			b := bytes.Clone(block)
			b[i/8] ^= 1 << (i % 8)
			got, err := s.Open(nil, ref, b)
			if got != nil || !errors.Is(err, venti.ErrCorrupt) {
				t.Fatalf("%s: bit %d flipped: %d bytes, %v", name, i, len(got), err)
			}
		}
		for i := range len(ref.Key) * 8 {
			bad := ref
			bad.Key[i/8] ^= 1 << (i % 8)
			got, err := s.Open(nil, bad, bytes.Clone(block))
			wantCorrupt(t, ref, got, err)
		}
		for n := range block {
			got, err := s.Open(nil, ref, bytes.Clone(block[:n]))
			wantCorrupt(t, ref, got, err)
		}
		got, err := s.Open(nil, ref, append(bytes.Clone(block), 0))
		wantCorrupt(t, ref, got, err)
	}
}

func TestSwapped(t *testing.T) {
	s := newSealer(t, seal.Secret{1})
	a, refA := sealed(t, s, noise(1, 100))
	b, refB := sealed(t, s, noise(2, 100))
	got, err := s.Open(nil, refA, bytes.Clone(b))
	wantCorrupt(t, refA, got, err)
	got, err = s.Open(nil, refB, bytes.Clone(a))
	wantCorrupt(t, refB, got, err)
}

func TestDeterminism(t *testing.T) {
	one := newSealer(t, seal.Secret{1})
	for _, plain := range [][]byte{nil, noise(1, 70), text(300_000), make([]byte, 100_000)} {
		block, ref := sealed(t, one, plain)
		other := newSealer(t, seal.Secret{1})
		var wg sync.WaitGroup
		for _, s := range []*seal.Sealer{one, one, other, other} {
			wg.Go(func() {
				for range 5 {
					b, key, err := s.Seal(nil, plain)
					if err != nil || !bytes.Equal(b, block) || key != ref.Key {
						t.Errorf("%d bytes: another block, %v", len(plain), err)
					}
					if got, err := s.Open(nil, ref, b); err != nil || !bytes.Equal(got, plain) {
						t.Errorf("%d bytes: opened %d, %v", len(plain), len(got), err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestDomains checks that blocks meet inside a domain only, and that a Ref opens its block from any.
func TestDomains(t *testing.T) {
	seen := map[venti.Score]int{}
	keys := map[venti.Key]int{}
	for i, secret := range []seal.Secret{{}, {1}, {2}, {31: 1}} {
		for _, plain := range [][]byte{nil, noise(1, 100), noise(2, 100), text(1000)} {
			block, ref := sealed(t, newSealer(t, secret), plain)
			if j, ok := seen[ref.Score]; ok {
				t.Errorf("secrets %d and %d made the same block", i, j)
			}
			if j, ok := keys[ref.Key]; ok {
				t.Errorf("secrets %d and %d made the same key", i, j)
			}
			seen[ref.Score], keys[ref.Key] = i, i
			got, err := newSealer(t, seal.Secret{99}).Open(nil, ref, block)
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("opened from another domain: %v", err)
			}
		}
	}
}

func TestRoot(t *testing.T) {
	s, k := newSealer(t, seal.Secret{1}), seal.RootKey{2}
	for _, plain := range [][]byte{nil, noise(1, 100), text(1000), noise(1, seal.MaxPlain)} {
		block, ref, err := s.SealRoot(k, plain)
		if err != nil || ref.Score != venti.Sum(block) {
			t.Fatalf("%+v, %v", ref, err)
		}
		if got, err := seal.RootRef(k, block); err != nil || got != ref {
			t.Errorf("RootRef: %+v, %v", got, err)
		}
		stranger := newSealer(t, seal.Secret{3})
		if again, _, _ := stranger.SealRoot(k, plain); !bytes.Equal(again, block) {
			t.Error("the secret of blocks has a part in roots")
		}
		got, err := stranger.OpenRoot(ref, bytes.Clone(block)) // the ref alone opens it
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("opened %d bytes, %v", len(got), err)
		}
		other, err := seal.RootRef(seal.RootKey{3}, block)
		if err != nil || other.Key == ref.Key {
			t.Errorf("ref of another owner: %+v, %v", other, err)
		}
		got, err = s.OpenRoot(other, bytes.Clone(block))
		wantCorrupt(t, ref, got, err)
		got, err = s.Open(nil, ref, bytes.Clone(block))
		wantCorrupt(t, ref, got, err)
	}
	block, ref := sealed(t, s, noise(1, 100))
	got, err := s.OpenRoot(ref, bytes.Clone(block))
	wantCorrupt(t, ref, got, err)
	for _, b := range [][]byte{block, nil, {2}, make([]byte, 100), append([]byte{2}, make([]byte, 31)...)} {
		_, err := seal.RootRef(k, b)
		wantCorrupt(t, venti.Ref{Score: venti.Sum(b)}, nil, err)
	}
}

func TestEveryBitOfRootCounts(t *testing.T) {
	s, k := newSealer(t, seal.Secret{}), seal.RootKey{2}
	block, ref, err := s.SealRoot(k, text(300))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(block) * 8 {
		b := bytes.Clone(block)
		b[i/8] ^= 1 << (i % 8)
		got, err := s.OpenRoot(ref, bytes.Clone(b))
		wantCorrupt(t, ref, got, err)
		if ref, err := seal.RootRef(k, b); err == nil {
			got, err = s.OpenRoot(ref, b)
			wantCorrupt(t, ref, got, err)
		}
	}
	for n := range block {
		got, err := s.OpenRoot(ref, bytes.Clone(block[:n]))
		wantCorrupt(t, ref, got, err)
	}
}
