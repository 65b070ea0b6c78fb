package dhash_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"testing"

	"lukechampine.com/blake3/bao"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// whole returns a fragment of the code 1/1, whose payload is the block.
func whole(payload []byte) (*dhash.Fragment, dhash.Coding) {
	f := &dhash.Fragment{Score: venti.Sum(payload), Length: len(payload), Code: dhash.Code{Need: 1, Total: 1},
		Payload: payload}
	return f, f.Coding()
}

func random(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// Each leaf of payloads of every shape of tree proves itself, survives encoding, and passes for no other leaf; and Bao
// says the same about the same bytes.
func TestLeaves(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	sizes := []int{0, 1, 63, 1023, 128 << 10, 300000, venti.MaxBlock - 1, venti.MaxBlock}
	for n := 1; n <= 36; n++ {
		sizes = append(sizes, n*dhash.LeafSize, n*dhash.LeafSize+1, n*dhash.LeafSize+1+rng.IntN(1023))
	}
	longest := 0
	for _, size := range sizes {
		f, coding := whole(random(rng, size))
		leaves := dhash.Leaves(size)
		for i := range leaves {
			if leaves > 64 && i != leaves-1 && rng.IntN(leaves) > 20 {
				continue
			}
			nonce := uint64(i) + uint64(leaves)*uint64(rng.Uint32())
			l := f.Leaf(nonce)
			if l.Number != i || !bytes.Equal(l.Data, f.Payload[i*dhash.LeafSize:i*dhash.LeafSize+len(l.Data)]) {
				t.Fatalf("leaf %d of %d bytes: number %d, %d bytes", i, size, l.Number, len(l.Data))
			}
			if err := l.Verify(f.Score, coding, nonce); err != nil {
				t.Fatalf("leaf %d of %d bytes: %v", i, size, err)
			}
			encoded := l.Append(nil)
			longest = max(longest, len(encoded))
			got, err := dhash.ParseLeaf(encoded)
			if err != nil || !bytes.Equal(got.Append(nil), encoded) {
				t.Fatalf("leaf %d of %d bytes: %v", i, size, err)
			}
			if err := got.Verify(f.Score, coding, nonce); err != nil {
				t.Fatalf("leaf %d of %d bytes, parsed: %v", i, size, err)
			}
			if leaves > 1 && got.Verify(f.Score, coding, nonce+1) == nil {
				t.Fatalf("leaf %d of %d bytes passes for another", i, size)
			}
			if size > 0 {
				compareBao(t, f.Payload, l)
			}
		}
	}
	if longest+6*32 > dhash.MaxLeaf { // with the proof of one of 64 fragments
		t.Errorf("a leaf takes %d bytes", longest+6*32)
	}
}

// compareBao verifies the leaf as a slice of Bao, whose encoding has both children of each node on the way, from the top.
func compareBao(t *testing.T, payload []byte, l *dhash.Leaf) {
	t.Helper()
	from := l.Number * dhash.LeafSize
	outboard, root := bao.EncodeBuf(payload, 0, true)
	var slice bytes.Buffer
	err := bao.ExtractSlice(&slice, bytes.NewReader(l.Data), bytes.NewReader(outboard), 0, uint64(from), uint64(len(l.Data)))
	if err != nil || root != dhash.HashPayload(payload) {
		t.Fatalf("bao: root %x, %v", root, err)
	}
	b := slice.Bytes()[8:]
	if len(b) != 64*len(l.Path)+len(l.Data) {
		t.Fatalf("bao: slice of %d bytes, path of %d", len(b), len(l.Path))
	}
	for i := range l.Path {
		if sibling := l.Path[len(l.Path)-1-i]; !bytes.Equal(b[:32], sibling[:]) && !bytes.Equal(b[32:64], sibling[:]) {
			t.Fatalf("bao: leaf %d: another path", l.Number)
		}
		b = b[64:]
	}
}

// Of a coding of many fragments each proves its leaves, and none those of another fragment, block or coding.
func TestLeafBinds(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	code := dhash.Code{Need: 2, Total: 7}
	frags, coding := fragments(rng, 6000, code)
	_, other := fragments(rng, 6000, code)
	score := frags[0].Score
	for i := range frags {
		l := frags[i].Leaf(2)
		if err := l.Verify(score, coding, 2); err != nil || l.Fragment.Index != i || l.Fragment.Payload != nil {
			t.Errorf("fragment %d: number %d, %v", i, l.Fragment.Index, err)
		}
		for name, err := range map[string]error{
			"another block":  l.Verify(venti.Score{1}, coding, 2),
			"another coding": l.Verify(score, other, 2),
			"another leaf":   l.Verify(score, coding, 1),
		} {
			if !errors.Is(err, dhash.ErrFragment) {
				t.Errorf("fragment %d as %s: %v", i, name, err)
			}
		}
		for j := range frags {
			as := frags[j].Leaf(2)
			as.Data, as.Path = l.Data, l.Path
			if err := as.Verify(score, coding, 2); (err == nil) != (i == j) {
				t.Errorf("the leaf of fragment %d passes for number %d", i, j)
			}
		}
	}
	damaged := frags[3]
	damaged.Payload = bytes.Clone(damaged.Payload)
	damaged.Payload[0] ^= 1
	if err := damaged.Leaf(2).Verify(score, coding, 2); !errors.Is(err, dhash.ErrFragment) {
		t.Errorf("a leaf of a payload that is damaged elsewhere: %v", err)
	}
}

// Whatever bit of a leaf is flipped, it is none any more or does not prove what it did; except that empty payloads are
// alike, so that one may become the good leaf of another fragment.
func TestLeafBitFlips(t *testing.T) {
	everyDamage(t, "leaf", func(data []byte) func([]byte) (bool, error) {
		good, err := dhash.ParseLeaf(data)
		if err != nil {
			t.Fatal(err)
		}
		coding := good.Coding()
		return func(bad []byte) (passes bool, err error) {
			l, err := dhash.ParseLeaf(bad)
			if err != nil {
				return false, err
			}
			alike := len(l.Data) == 0 && l.Fragment.Index != good.Fragment.Index
			return !alike && l.Verify(good.Fragment.Score, coding, uint64(good.Number)) == nil, nil
		}
	})
}

// What is accepted encodes to the same bytes, fits MaxLeaf, and can be judged without panic.
func FuzzParseLeaf(f *testing.F) {
	for _, v := range vectors(f) {
		if v.kind == "leaf" {
			data, err := hex.DecodeString(v.data)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := dhash.ParseLeaf(data)
		if err != nil {
			if !errors.Is(err, dhash.ErrFragment) {
				t.Errorf("%v is no ErrFragment", err)
			}
			return
		}
		if again := l.Append(nil); !bytes.Equal(again, data) || len(data) > dhash.MaxLeaf {
			t.Errorf("%x encodes to %x", data, again)
		}
		if err := l.Verify(l.Fragment.Score, l.Coding(), uint64(l.Number)); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkLeaf(b *testing.B) {
	f, coding := whole(random(rand.New(rand.NewPCG(7, 7)), 128<<10))
	b.Run("make", func(b *testing.B) {
		b.SetBytes(int64(len(f.Payload)))
		for i := range b.N {
			f.Leaf(uint64(i))
		}
	})
	b.Run("verify", func(b *testing.B) {
		l := f.Leaf(77)
		for range b.N {
			if err := l.Verify(f.Score, coding, 77); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("hash", func(b *testing.B) {
		b.SetBytes(int64(len(f.Payload)))
		for range b.N {
			dhash.HashPayload(f.Payload)
		}
	})
}
