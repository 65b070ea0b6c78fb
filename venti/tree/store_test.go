package tree_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// A store keeps blocks in memory, counts, and fails where it is told to.
type store struct {
	mu     sync.Mutex
	blocks map[venti.Score][]byte
	order  []venti.Score // as they were first put
	gets   map[venti.Score]int
	puts   int

	// Both may be nil. What get returns instead of a block is returned unverified, as by a store that breaks its word.
	get func(ctx context.Context, s venti.Score) ([]byte, error)
	put func(ctx context.Context) error
}

func newStore() *store {
	return &store{blocks: map[venti.Score][]byte{}, gets: map[venti.Score]int{}}
}

func (s *store) Get(ctx context.Context, score venti.Score) ([]byte, error) {
	s.mu.Lock()
	s.gets[score]++
	get := s.get
	b, ok := s.blocks[score]
	s.mu.Unlock()
	if get != nil {
		if b, err := get(ctx, score); b != nil || err != nil {
			return bytes.Clone(b), err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !ok {
		return nil, &venti.BlockError{Op: "get", Score: score, Err: venti.ErrNotFound}
	}
	return bytes.Clone(b), nil
}

func (s *store) Put(ctx context.Context, block []byte) (venti.Score, error) {
	if s.put != nil {
		if err := s.put(ctx); err != nil {
			return venti.Score{}, err
		}
	}
	score := venti.Sum(block)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts++
	if _, ok := s.blocks[score]; !ok {
		s.blocks[score] = bytes.Clone(block)
		s.order = append(s.order, score)
	}
	return score, nil
}

func (s *store) Has(_ context.Context, scores []venti.Score) ([]bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]bool, len(scores))
	for i, score := range scores {
		_, out[i] = s.blocks[score]
	}
	return out, nil
}

func (s *store) Sync(context.Context) error { return nil }

// gone makes Get fail with err for score.
func (s *store) gone(score venti.Score, err error) {
	s.get = func(_ context.Context, got venti.Score) ([]byte, error) {
		if got == score {
			return nil, &venti.BlockError{Op: "get", Score: score, Err: err}
		}
		return nil, nil
	}
}

// A rig is a store with a way in and a way out.
type rig struct {
	*store
	sealer *seal.Sealer
	sink   *tree.Sink
	src    *tree.Source
}

func newRig(t testing.TB) *rig {
	t.Helper()
	s := newStore()
	sealer, err := seal.New(seal.Secret{1})
	if err != nil {
		t.Fatal(err)
	}
	return &rig{store: s, sealer: sealer, sink: tree.NewSink(s, sealer, nil), src: tree.NewSource(s, sealer, 8<<20)}
}

// small makes deep trees of little data.
var small = tree.Cut{Min: 16, Avg: 64, Max: 256}

// write stores data with one call of Write.
func (r *rig) write(t testing.TB, c tree.Cut, data []byte) venti.Entry {
	t.Helper()
	w := tree.NewWriter(t.Context(), r.sink, c)
	if n, err := w.Write(data); n != len(data) || err != nil {
		t.Fatalf("Write of %d bytes: %d, %v", len(data), n, err)
	}
	return closed(t, w)
}

func closed(t testing.TB, w *tree.Writer) venti.Entry {
	t.Helper()
	e, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// readAll returns the stream e by way of Read.
func (r *rig) readAll(t testing.TB, e venti.Entry) []byte {
	t.Helper()
	rd := tree.NewReader(t.Context(), r.src, e)
	defer rd.Close()
	b, err := io.ReadAll(rd)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// noise is n bytes that do not compress.
func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// text is about n bytes of words, which compress to a third or so.
func text(seed uint64, n int) []byte {
	words := strings.Fields(`venti is a block storage server for archival data the score of a block acts as
		its address so a block once written can be read by anyone who has its score and cannot be changed any more`)
	r := rand.New(rand.NewPCG(seed, 0))
	b := make([]byte, 0, n)
	for len(b) < n {
		b = append(b, words[r.IntN(len(words))]...)
		b = append(b, byte('a'+r.IntN(26)), ' ')
	}
	return b[:n]
}

// check compares without printing megabytes.
func check(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	t.Fatalf("%s: %d bytes, want %d; they differ from byte %d on", what, len(got), len(want), i)
}

// scores returns what is in the store, sorted.
func (s *store) scores() []venti.Score {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.order)
	slices.SortFunc(out, func(a, b venti.Score) int { return bytes.Compare(a[:], b[:]) })
	return out
}
