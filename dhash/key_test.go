package dhash_test

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"ventidhash/dhash"
)

func randomKey(rng *rand.Rand) (k dhash.Key) {
	for i := range k {
		k[i] = byte(rng.Uint32())
	}
	return k
}

func distance(a, b dhash.Key) *big.Int {
	x, y := new(big.Int).SetBytes(a[:]), new(big.Int).SetBytes(b[:])
	return x.Xor(x, y)
}

// Compare and Common against big numbers, with keys that share long prefixes too.
func TestKey(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		k, a, b := randomKey(rng), randomKey(rng), randomKey(rng)
		n := rng.IntN(len(k) + 1)
		copy(a[:n], k[:n])
		copy(b[:rng.IntN(n+1)], a[:])
		if got, want := k.Compare(a, b), distance(k, a).Cmp(distance(k, b)); got != want {
			t.Fatalf("%x: %x and %x compare as %d, want %d", k, a, b, got, want)
		}
		if got, want := k.Common(a), 256-distance(k, a).BitLen(); got != want {
			t.Fatalf("%x and %x share %d bits, want %d", k, a, got, want)
		}
	}
	k := randomKey(rng)
	if k.Common(k) != 256 || k.Compare(k, k) != 0 {
		t.Error("a key differs from itself")
	}
}

func TestShortID(t *testing.T) {
	id := dhash.ID("\x00\x24\x08\x01\x12\x20" + strings.Repeat("k", 32))
	if s := id.Short(); len(s) != 8 || !strings.HasSuffix(id.String(), s) {
		t.Errorf("%q of %q", s, id)
	}
	if s := dhash.ID("").Short(); s != "" {
		t.Errorf("%q", s)
	}
}
