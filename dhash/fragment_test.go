package dhash_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"testing"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// fragments returns all fragments of a coding with random payloads, and its name.
func fragments(rng *rand.Rand, length int, c dhash.Code) ([]dhash.Fragment, dhash.Coding) {
	frags := make([]dhash.Fragment, c.Total)
	leaves := make([]dhash.Hash, c.Total)
	for i := range frags {
		payload := make([]byte, c.PayloadSize(length))
		for j := range payload {
			payload[j] = byte(rng.Uint32())
		}
		frags[i] = dhash.Fragment{Score: venti.Sum(nil), Length: length, Code: c, Index: i, Payload: payload}
		leaves[i] = dhash.HashPayload(payload)
	}
	root, proofs := dhash.Proofs(leaves)
	for i := range frags {
		frags[i].Proof = proofs[i]
	}
	return frags, dhash.CodingOf(venti.Sum(nil), length, c, root)
}

// Every fragment of every number of fragments proves that it belongs to its coding, and survives encoding.
func TestProofs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for total := 1; total <= dhash.MaxTotal; total++ {
		frags, coding := fragments(rng, 100, dhash.Code{Need: 1 + rng.IntN(total), Total: total})
		for i := range frags {
			f := &frags[i]
			if len(f.Proof) != dhash.ProofLen(i, total) {
				t.Fatalf("%d of %d: proof of %d hashes, want %d", i, total, len(f.Proof), dhash.ProofLen(i, total))
			}
			if err := f.Validate(); err != nil {
				t.Fatalf("%d of %d: %v", i, total, err)
			}
			encoded := f.Append(nil)
			if len(encoded) > dhash.MaxFragment {
				t.Errorf("%d of %d: %d bytes", i, total, len(encoded))
			}
			got, err := dhash.ParseFragment(encoded)
			if err != nil || got.Coding() != coding || !bytes.Equal(got.Append(nil), encoded) {
				t.Fatalf("%d of %d: %v", i, total, err)
			}
			if header := f.AppendHeader([]byte("x")); !bytes.Equal(append(header[1:], f.Payload...), encoded) {
				t.Fatalf("%d of %d: the header is not the encoding's beginning", i, total)
			}
		}
	}
}

// A fragment is not what it says under another number of the same coding.
func TestProofBindsIndex(t *testing.T) {
	frags, coding := fragments(rand.New(rand.NewPCG(2, 2)), 64, dhash.Code{Need: 2, Total: 7})
	for i := range frags {
		for j := range frags {
			f := frags[i]
			f.Index = j
			if f.Validate() == nil && (f.Coding() == coding) != (i == j) {
				t.Errorf("fragment %d passes for number %d", i, j)
			}
		}
	}
}

// The longest fragment fits MaxFragment.
func TestMaxFragment(t *testing.T) {
	frags, _ := fragments(rand.New(rand.NewPCG(3, 3)), 0, dhash.Code{Need: 1, Total: dhash.MaxTotal})
	f := frags[0]
	f.Length = venti.MaxBlock
	if n := len(f.AppendHeader(nil)) + venti.MaxBlock; n > dhash.MaxFragment {
		t.Errorf("%d bytes, over %d", n, dhash.MaxFragment)
	}
}

// Whatever bit of a fragment is flipped, it is no fragment any more or not of its coding; except that empty payloads
// are alike, so that one may become the good fragment of another number.
func TestEveryBitFlip(t *testing.T) {
	everyDamage(t, "fragment", func(data []byte) func([]byte) (bool, error) {
		good, err := dhash.ParseFragment(data)
		if err != nil {
			t.Fatal(err)
		}
		coding := good.Coding()
		return func(bad []byte) (passes bool, err error) {
			f, err := dhash.ParseFragment(bad)
			if err != nil {
				return false, err
			}
			alike := len(f.Payload) == 0 && f.Index != good.Index
			return f.Coding() == coding && !alike, nil
		}
	})
}

func TestValidate(t *testing.T) {
	frags, _ := fragments(rand.New(rand.NewPCG(4, 4)), 100, dhash.Code{Need: 3, Total: 5})
	for name, change := range map[string]func(f *dhash.Fragment){
		"length below 0":   func(f *dhash.Fragment) { f.Length = -1 },
		"length too large": func(f *dhash.Fragment) { f.Length = venti.MaxBlock + 1 },
		"index below 0":    func(f *dhash.Fragment) { f.Index = -1 },
		"index too large":  func(f *dhash.Fragment) { f.Index = 5 },
		"code":             func(f *dhash.Fragment) { f.Code.Need = 6 },
		"no proof":         func(f *dhash.Fragment) { f.Proof = nil },
		"proof too long":   func(f *dhash.Fragment) { f.Proof = make([]dhash.Hash, 4) },
		"no payload":       func(f *dhash.Fragment) { f.Payload = nil },
		"payload too long": func(f *dhash.Fragment) { f.Payload = make([]byte, 128) },
	} {
		f := frags[2]
		change(&f)
		if err := f.Validate(); !errors.Is(err, dhash.ErrFragment) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is accepted encodes to the same bytes, and nothing makes the parser panic or take more memory than its input.
func FuzzParseFragment(f *testing.F) {
	for _, v := range vectors(f) {
		if v.kind == "fragment" {
			data, err := hex.DecodeString(v.data)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		frag, err := dhash.ParseFragment(data)
		if err != nil {
			if !errors.Is(err, dhash.ErrFragment) {
				t.Errorf("%v is no ErrFragment", err)
			}
			return
		}
		if err := frag.Validate(); err != nil {
			t.Errorf("accepted, and not valid: %v", err)
		}
		if again := frag.Append(nil); !bytes.Equal(again, data) {
			t.Errorf("%x encodes to %x", data, again)
		}
		frag.Coding()
	})
}
