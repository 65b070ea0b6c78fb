package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sync"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/venti"
)

func random(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func codes(t testing.TB, texts ...string) (all []dhash.Code) {
	t.Helper()
	for _, text := range texts {
		c, err := dhash.ParseCode(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func encode(t testing.TB, e *codec.Encoder, block []byte, c dhash.Code) *codec.Encoded {
	t.Helper()
	out, err := e.Encode(venti.Sum(block), block, c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// pick returns copies of the fragments of e whose bits are set.
func pick(e *codec.Encoded, set uint64) []*dhash.Fragment {
	var frags []*dhash.Fragment
	for ; set != 0; set &= set - 1 {
		f := e.Fragment(bits.TrailingZeros64(set))
		frags = append(frags, &f)
	}
	return frags
}

// randomSet returns a set of n of total bits.
func randomSet(rng *rand.Rand, n, total int) (set uint64) {
	for _, i := range rng.Perm(total)[:n] {
		set |= 1 << i
	}
	return set
}

// Every subset of Need fragments gives the block back, and every one of Need-1 is refused, for the codes in use up to
// 16 and all up to 10.
func TestEverySubset(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for total := 1; total <= 16; total++ {
		for need := 1; need <= total; need++ {
			if total > 10 && need != total/2 && need != (codec.Policy{}).Code(total, false).Need {
				continue // the codes in use, and those of half
			}
			var e codec.Encoder
			c := dhash.Code{Need: need, Total: total}
			block := random(rng, need*64-rng.IntN(20))
			out := encode(t, &e, block, c)
			for set := range uint64(1) << total {
				switch bits.OnesCount64(set) {
				case need:
					got, err := e.Decode(out.Coding, pick(out, set))
					if err != nil || !bytes.Equal(got, block) {
						t.Fatalf("%v: fragments %b: %v", c, set, err)
					}
				case need - 1:
					if _, err := e.Decode(out.Coding, pick(out, set)); !errors.Is(err, venti.ErrUnavailable) {
						t.Fatalf("%v: fragments %b, one too few: %v", c, set, err)
					}
				}
			}
		}
	}
}

// Random subsets of at least Need, of larger codes and of blocks of any length.
func TestRandomSubsets(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	var e codec.Encoder
	for range 150 {
		c := dhash.Code{Total: 1 + rng.IntN(dhash.MaxTotal)}
		c.Need = 1 + rng.IntN(c.Total)
		block := random(rng, rng.IntN(5000))
		out := encode(t, &e, block, c)
		for range 5 {
			set := randomSet(rng, c.Need+rng.IntN(c.Total-c.Need+1), c.Total)
			frags := pick(out, set)
			rng.Shuffle(len(frags), func(i, j int) { frags[i], frags[j] = frags[j], frags[i] })
			got, err := e.Decode(out.Coding, frags)
			if err != nil || !bytes.Equal(got, block) {
				t.Fatalf("%v, %d bytes, fragments %b: %v", c, len(block), set, err)
			}
		}
	}
}

// Blocks of the lengths where something may be off by one, and the largest.
func TestLengths(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	var e codec.Encoder
	for _, c := range codes(t, "1/1", "1/4", "2/3", "3/3", "4/20", "8/20") {
		for _, length := range []int{0, 1, 63, 64, 65, 64 * c.Need, 64*c.Need + 1, 64*c.Need - 1, venti.MaxBlock} {
			block := random(rng, length)
			out := encode(t, &e, block, c)
			for i := range c.Total {
				f := out.Fragment(i)
				if err := f.Validate(); err != nil || f.Coding() != out.Coding {
					t.Errorf("%v, %d bytes: fragment %d: %v", c, length, i, err)
				}
			}
			got, err := e.Decode(out.Coding, pick(out, randomSet(rng, c.Need, c.Total)))
			if err != nil || !bytes.Equal(got, block) {
				t.Errorf("%v, %d bytes: %v", c, length, err)
			}
		}
	}
	large := make([]byte, venti.MaxBlock+1)
	if _, err := e.Encode(venti.Score{}, large, dhash.Code{Need: 8, Total: 20}); !errors.Is(err, venti.ErrTooLarge) {
		t.Errorf("block too large: %v", err)
	}
	for _, c := range []dhash.Code{{}, {Total: 5}, {Need: 6, Total: 5}, {Need: 1, Total: 65}, {Need: -1, Total: 3}} {
		if _, err := e.Encode(venti.Score{}, nil, c); err == nil {
			t.Errorf("code %v is accepted", c)
		}
	}
}

// Payloads lie in the caller's memory, whatever it held, and the block is neither changed nor kept.
func TestEncodeInto(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	var e codec.Encoder
	for _, c := range codes(t, "1/5", "2/3", "8/20", "4/4") {
		block := random(rng, 1000)
		want := encode(t, &e, block, c)
		buf := random(rng, codec.BufferSize(c, len(block))+10)
		before := bytes.Clone(block)
		got, err := e.EncodeInto(buf, venti.Sum(block), block, c)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(block, before) {
			t.Errorf("%v: the block is changed", c)
		}
		clear(block)
		if got.Coding != want.Coding {
			t.Errorf("%v: coding depends on the buffer", c)
		}
		if b := got.Buffer(); &b[0] != &buf[0] || len(b) != codec.BufferSize(c, len(block)) {
			t.Errorf("%v: not in the buffer", c)
		}
		for i := range c.Total {
			f := got.Fragment(i)
			if f.Coding() != want.Coding {
				t.Errorf("%v: fragment %d changed with the block", c, i)
			}
		}
		small, err := e.EncodeInto(buf[:0:10], venti.Sum(before), before, c)
		if err != nil || small.Coding != want.Coding {
			t.Errorf("%v: buffer too small: %v", c, err)
		}
	}
}

// A changed payload makes the fragment another coding's, and Decode says which one it was.
func TestBadFragment(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	var e codec.Encoder
	block := random(rng, 1024) // no payload has padding, which is no part of the block
	for _, c := range codes(t, "1/3", "4/4", "8/20") {
		out := encode(t, &e, block, c)
		for range 50 {
			frags := pick(out, randomSet(rng, c.Need, c.Total))
			bad := frags[rng.IntN(len(frags))]
			bad.Payload = bytes.Clone(bad.Payload)
			at := rng.IntN(len(bad.Payload))
			bad.Payload[at] ^= 1 << rng.IntN(8)
			if bad.Coding() == out.Coding {
				t.Fatalf("%v: fragment %d: byte %d changed, coding did not", c, bad.Index, at)
			}
			_, err := e.Decode(out.Coding, frags)
			if !errors.Is(err, dhash.ErrFragment) || errors.Is(err, codec.ErrCoding) {
				t.Fatalf("%v: %v", c, err)
			}
			if want := fmt.Sprintf("number %d ", bad.Index); !bytes.Contains([]byte(err.Error()), []byte(want)) {
				t.Errorf("%v: %v; want %q in it", c, err, want)
			}
		}
	}
}

// Fragments that do not go together, or are malformed, are refused before they are decoded.
func TestMixedFragments(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	var e codec.Encoder
	block := random(rng, 300)
	c := dhash.Code{Need: 2, Total: 3}
	out := encode(t, &e, block, c)
	for name, change := range map[string]func(f *dhash.Fragment){
		"score":   func(f *dhash.Fragment) { f.Score[0] ^= 1 },
		"length":  func(f *dhash.Fragment) { f.Length++ },
		"code":    func(f *dhash.Fragment) { f.Code.Total = 4; f.Proof = make([]dhash.Hash, 2) },
		"payload": func(f *dhash.Fragment) { f.Payload = f.Payload[1:] },
		"proof":   func(f *dhash.Fragment) { f.Proof = nil },
		"index":   func(f *dhash.Fragment) { f.Index = 3 },
		"need":    func(f *dhash.Fragment) { f.Code.Need = 0 },
	} {
		frags := pick(out, 0b110)
		change(frags[1])
		if _, err := e.Decode(out.Coding, frags); !errors.Is(err, dhash.ErrFragment) {
			t.Errorf("%s: %v", name, err)
		}
	}
	twice := pick(out, 0b010)
	if _, err := e.Decode(out.Coding, append(twice, twice...)); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("the same fragment twice: %v", err)
	}
	if _, err := e.Decode(out.Coding, nil); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("no fragments: %v", err)
	}
}

// Junk under a score: all fragments prove that they are of their coding, and the block is another.
func TestJunk(t *testing.T) {
	var e codec.Encoder
	block, junk := []byte("the block"), []byte("some junk")
	for _, c := range codes(t, "1/2", "2/4") {
		out, err := e.Encode(venti.Sum(block), junk, c)
		if err != nil {
			t.Fatal(err)
		}
		frags := pick(out, 0b11)
		if _, err := e.Decode(out.Coding, frags); !errors.Is(err, codec.ErrCoding) || errors.Is(err, dhash.ErrFragment) {
			t.Errorf("%v: %v", c, err)
		}
		if got, err := e.Rebuild(out.Coding, frags); got != nil || !errors.Is(err, codec.ErrCoding) {
			t.Errorf("%v: rebuilt: %v", c, err)
		}
	}
}

// A coding some of whose fragments are honest: those give the block, and Rebuild notices that others would not.
func TestHalfHonestCoding(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	var e codec.Encoder
	c := dhash.Code{Need: 3, Total: 6}
	block := random(rng, 500)
	honest := encode(t, &e, block, c)
	var leaves []dhash.Hash
	var frags []*dhash.Fragment
	for i := range c.Total {
		f := honest.Fragment(i)
		if i >= c.Need {
			f.Payload = random(rng, len(f.Payload))
		}
		leaves = append(leaves, dhash.HashPayload(f.Payload))
		frags = append(frags, &f)
	}
	root, proofs := dhash.Proofs(leaves)
	coding := dhash.CodingOf(venti.Sum(block), len(block), c, root)
	for i, f := range frags {
		f.Proof = proofs[i]
		if f.Coding() != coding {
			t.Fatalf("fragment %d", i)
		}
	}
	if got, err := e.Decode(coding, frags[:3]); err != nil || !bytes.Equal(got, block) {
		t.Errorf("honest fragments: %v", err)
	}
	if _, err := e.Decode(coding, frags[3:]); !errors.Is(err, codec.ErrCoding) {
		t.Errorf("the others: %v", err)
	}
	got, err := e.Rebuild(coding, frags[:3])
	if !errors.Is(err, codec.ErrCoding) || got == nil || got.Coding != honest.Coding {
		t.Errorf("rebuilt %v, %v", got, err)
	}
}

// Rebuild makes the very fragments that were there.
func TestRebuild(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	var e codec.Encoder
	c := dhash.Code{Need: 8, Total: 20}
	out := encode(t, &e, random(rng, 9999), c)
	again, err := e.Rebuild(out.Coding, pick(out, randomSet(rng, c.Need, c.Total)))
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Total {
		a, b := out.Fragment(i), again.Fragment(i)
		if !bytes.Equal(a.Append(nil), b.Append(nil)) {
			t.Errorf("fragment %d differs", i)
		}
	}
}

// One Encoder serves many goroutines, with more codes than it keeps.
func TestConcurrent(t *testing.T) {
	var e codec.Encoder
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(9, uint64(g)))
			for i := range 80 {
				c := dhash.Code{Need: 2 + i%10, Total: 20 - i%7}
				block := random(rng, 700)
				out, err := e.Encode(venti.Sum(block), block, c)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := e.Decode(out.Coding, pick(out, randomSet(rng, c.Need, c.Total)))
				if err != nil || !bytes.Equal(got, block) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkEncode(b *testing.B) {
	var e codec.Encoder
	rng := rand.New(rand.NewPCG(10, 10))
	for _, length := range []int{64 << 10, 1 << 20} {
		block := random(rng, length)
		score := venti.Sum(block)
		for _, c := range codes(b, "8/20", "4/20") {
			b.Run(fmt.Sprintf("%v/%dKiB", c.Need, length>>10), func(b *testing.B) {
				b.SetBytes(int64(length))
				b.ReportAllocs()
				var buf []byte
				for b.Loop() {
					out, err := e.EncodeInto(buf, score, block, c)
					if err != nil {
						b.Fatal(err)
					}
					buf = out.Buffer()
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	var e codec.Encoder
	rng := rand.New(rand.NewPCG(11, 11))
	block := random(rng, 1<<20)
	out := encode(b, &e, block, dhash.Code{Need: 8, Total: 20})
	for _, v := range []struct {
		name string
		set  uint64
	}{{"data", 0xff}, {"lost1", 0x1fe}, {"parity", 0xff000}} {
		frags := pick(out, v.set)
		b.Run(v.name, func(b *testing.B) {
			b.SetBytes(int64(len(block)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Decode(out.Coding, frags); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
