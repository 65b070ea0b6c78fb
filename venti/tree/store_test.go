package tree_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
	"ventidhash/venti/ventitest"
)

// A store counts what is asked of a Memory, and answers in its place where it is told to.
type store struct {
	*ventitest.Memory

	mu   sync.Mutex
	gets map[venti.Score]int
	puts int

	// Both may be nil. What get returns instead of a block is returned unverified, as by a store that breaks its word.
	get func(ctx context.Context, s venti.Score) ([]byte, error)
	put func(ctx context.Context) error
}

func newStore() *store {
	return &store{Memory: ventitest.NewMemory(), gets: map[venti.Score]int{}}
}

func (s *store) Get(ctx context.Context, score venti.Score) ([]byte, error) {
	s.mu.Lock()
	s.gets[score]++
	get := s.get
	s.mu.Unlock()
	if get != nil {
		if b, err := get(ctx, score); b != nil || err != nil {
			return bytes.Clone(b), err
		}
	}
	return s.Memory.Get(ctx, score)
}

func (s *store) Put(ctx context.Context, block []byte) (venti.Score, error) {
	if s.put != nil {
		if err := s.put(ctx); err != nil {
			return venti.Score{}, err
		}
	}
	s.mu.Lock()
	s.puts++
	s.mu.Unlock()
	return s.Memory.Put(ctx, block)
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
