package ventitest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"ventidhash/venti"
)

// prompt is within what time an operation with a cancelled context returns. It is generous: the machine may be busy.
const prompt = 5 * time.Second

// TestStore tests that what open returns meets the contract of venti.Store. Every subtest opens a store of its own,
// which must be empty; open registers with t.Cleanup whatever it takes to close it.
func TestStore(t *testing.T, open func(t *testing.T) venti.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, venti.Store)
	}{
		{"round trip", testRoundTrip},
		{"empty block", testEmpty},
		{"largest block", testLargest},
		{"too large", testTooLarge},
		{"put twice", testTwice},
		{"slices belong to the caller", testSlices},
		{"not found", testNotFound},
		{"has", testHas},
		{"large has", testLargeHas},
		{"cancelled", testCancelled},
		{"many goroutines, different blocks", testDifferent},
		{"many goroutines, same blocks", testSame},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func testRoundTrip(t *testing.T, s venti.Store) {
	var blocks [][]byte
	for i, size := range []int{1, 2, 31, 32, 33, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1<<20 - 1, 1 << 20} {
		blocks = append(blocks, Random(uint64(i), size), make([]byte, size))
	}
	for _, b := range blocks {
		mustPut(t, s, b)
		mustGet(t, s, b) // readable at once, not only after Sync
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatalf("Sync: %v", err)
	}
	for _, b := range blocks {
		mustGet(t, s, b)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatalf("Sync with nothing to do: %v", err)
	}
}

func testEmpty(t *testing.T, s venti.Store) {
	if got := mustPut(t, s, nil); got != venti.ZeroScore() {
		t.Errorf("the empty block has score %v, want %v", got, venti.ZeroScore())
	}
	mustPut(t, s, []byte{})
	mustGet(t, s, nil)
	mustHave(t, s, []venti.Score{venti.ZeroScore()}, []bool{true})
}

func testLargest(t *testing.T, s venti.Store) {
	block := Random(1, venti.MaxBlock)
	mustPut(t, s, block)
	mustGet(t, s, block)
}

func testTooLarge(t *testing.T, s venti.Store) {
	block := Random(1, venti.MaxBlock+1)
	if _, err := s.Put(t.Context(), block); !errors.Is(err, venti.ErrTooLarge) {
		t.Errorf("Put of %d bytes: %v, want %v", len(block), err, venti.ErrTooLarge)
	}
	mustPut(t, s, block[:1000]) // the store goes on working
	mustGet(t, s, block[:1000])
}

func testTwice(t *testing.T, s venti.Store) {
	block := Random(1, 10_000)
	for range 3 {
		mustPut(t, s, block)
		mustGet(t, s, block)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Fatalf("Sync: %v", err)
	}
	mustPut(t, s, block)
	mustGet(t, s, block)
}

func testSlices(t *testing.T, s venti.Store) {
	block := Random(1, 100_000)
	buf := bytes.Clone(block)
	score := mustPut(t, s, buf)
	if !bytes.Equal(buf, block) {
		t.Error("Put changed the slice")
	}
	clear(buf)
	got, err := s.Get(t.Context(), score)
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	clear(got)
	_ = append(got, 1, 2, 3)
	mustGet(t, s, block)
}

func testNotFound(t *testing.T, s venti.Store) {
	mustPut(t, s, Random(1, 100))
	for name, score := range map[string]venti.Score{
		"a block never put":     venti.Sum(Random(2, 100)),
		"one bit off":           flip(venti.Sum(Random(1, 100))),
		"the zero value":        {},
		"the score of all ones": venti.Score(bytes.Repeat([]byte{0xff}, venti.ScoreSize)),
	} {
		block, err := s.Get(t.Context(), score)
		var be *venti.BlockError
		switch {
		case !errors.Is(err, venti.ErrNotFound):
			t.Errorf("%s: %v, want %v", name, err, venti.ErrNotFound)
		case errors.Is(err, venti.ErrUnavailable) || errors.Is(err, venti.ErrCorrupt):
			t.Errorf("%s: %v is more than one kind of failure", name, err)
		case !errors.As(err, &be):
			t.Errorf("%s: error %T has no *venti.BlockError in it", name, err)
		case be.Score != score:
			t.Errorf("%s: the error speaks of block %v, want %v", name, be.Score, score)
		case be.Op == "" || be.Err == nil:
			t.Errorf("%s: incomplete error %#v", name, be)
		}
		if block != nil {
			t.Errorf("%s: an error and %d bytes", name, len(block))
		}
	}
}

func testHas(t *testing.T, s venti.Store) {
	mustHave(t, s, nil, nil)
	a := mustPut(t, s, Random(1, 100))
	b := mustPut(t, s, Random(2, 100))
	no := venti.Sum(Random(3, 100))
	mustHave(t, s, []venti.Score{a}, []bool{true})
	mustHave(t, s, []venti.Score{no}, []bool{false})
	mustHave(t, s, []venti.Score{no, a, b}, []bool{false, true, true})
	mustHave(t, s, []venti.Score{b, no, a}, []bool{true, false, true})
	mustHave(t, s, []venti.Score{a, a, no, no, b, a}, []bool{true, true, false, false, true, true})
	if _, err := s.Get(t.Context(), no); !errors.Is(err, venti.ErrNotFound) {
		t.Errorf("asking made a block: %v", err)
	}
}

func testLargeHas(t *testing.T, s venti.Store) {
	const n, every = 10_000, 37
	scores, want := make([]venti.Score, n), make([]bool, n)
	for i := range scores {
		block := Random(uint64(i), 64)
		scores[i] = venti.Sum(block)
		if want[i] = i%every == 0; want[i] {
			mustPut(t, s, block)
		}
	}
	mustHave(t, s, scores, want)
}

func testCancelled(t *testing.T, s venti.Store) {
	block := Random(1, 1000)
	score := mustPut(t, s, block)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, stop := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer stop()
	for ctx, want := range map[context.Context]error{cancelled: context.Canceled, late: context.DeadlineExceeded} {
		for name, op := range map[string]func() error{
			"Get":           func() error { _, err := s.Get(ctx, score); return err },
			"Get of no one": func() error { _, err := s.Get(ctx, flip(score)); return err },
			"Put":           func() error { _, err := s.Put(ctx, Random(2, 1000)); return err },
			"Has":           func() error { _, err := s.Has(ctx, []venti.Score{score, flip(score)}); return err },
			"Sync":          func() error { return s.Sync(ctx) },
		} {
			start := time.Now()
			err := op()
			if took := time.Since(start); took > prompt {
				t.Errorf("%s returned after %v", name, took)
			}
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
	}
	mustGet(t, s, block) // the store goes on working
	mustPut(t, s, Random(3, 1000))
}

// Random returns size bytes that are a function of seed and size.
func Random(seed uint64, size int) []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	b := make([]byte, size)
	rand.NewChaCha8(key).Read(b)
	return b
}

func flip(s venti.Score) venti.Score {
	s[venti.ScoreSize-1] ^= 1
	return s
}

func mustPut(t *testing.T, s venti.Store, block []byte) venti.Score {
	t.Helper()
	score, err := s.Put(t.Context(), block)
	if err != nil {
		t.Fatalf("Put of %d bytes: %v", len(block), err)
	}
	if want := venti.Sum(block); score != want {
		t.Fatalf("Put of %d bytes returned %v, want %v", len(block), score, want)
	}
	return score
}

func mustGet(t *testing.T, s venti.Store, block []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), venti.Sum(block))
	if err != nil {
		t.Fatalf("Get of %d bytes: %v", len(block), err)
	}
	if !bytes.Equal(got, block) {
		t.Fatalf("Get of %d bytes returned %d other ones", len(block), len(got))
	}
}

func mustHave(t *testing.T, s venti.Store, scores []venti.Score, want []bool) {
	t.Helper()
	got, err := s.Has(t.Context(), scores)
	if err != nil {
		t.Fatalf("Has of %d: %v", len(scores), err)
	}
	if len(got) != len(want) {
		t.Fatalf("Has of %d returned %d answers", len(scores), len(got))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("Has of %d: answer %d is %v, want %v", len(scores), i, got[i], want[i])
		}
	}
}
