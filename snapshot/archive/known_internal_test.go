package archive

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// farStore has some blocks, and takes its time to say so.
type farStore struct {
	venti.Store
	has   map[venti.Score]bool
	fails map[venti.Score]bool // whoever asks for one of them gets an error

	mu     sync.Mutex
	calls  int
	asked  map[venti.Score]int
	flying int
	most   int
}

const far = 40 * time.Millisecond

func (f *farStore) Has(ctx context.Context, scores []venti.Score) ([]bool, error) {
	f.mu.Lock()
	f.calls++
	f.flying++
	f.most = max(f.most, f.flying)
	f.mu.Unlock()
	time.Sleep(far)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flying--
	out := make([]bool, len(scores))
	for i, s := range scores {
		f.asked[s]++
		if f.fails[s] {
			return nil, errors.New("no answer")
		}
		out[i] = f.has[s]
	}
	return out, ctx.Err()
}

// knownOf returns a cache that knows n contents, each in a block of its own, which are blocks of the parent if shared.
// Every third block is gone.
func knownOf(n int, shared bool) (*Known, *farStore) {
	store := &farStore{has: map[venti.Score]bool{}, fails: map[venti.Score]bool{}, asked: map[venti.Score]int{}}
	left := vac.Shares{}
	k := new(Known)
	k.begin(store, left, false)
	for i := range n {
		score := venti.Score{1, byte(i >> 8), byte(i)}
		store.has[score] = i%3 > 0
		k.fresh[hashOf(i)] = place{ref: venti.Ref{Score: score}, size: 10, block: 100}
		if shared {
			left[score] = vac.Share{Size: 100, Used: 100}
		}
	}
	return k, store
}

func hashOf(i int) tree.Hash { return tree.Hash{2, byte(i >> 8), byte(i)} }

// TestKnownAsksAhead: when more and more of the parent's shared blocks are needed the store is asked for many at once.
func TestKnownAsksAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		k, store := knownOf(n, true)
		store.fails[venti.Score{1, 0, 9}] = true // one that nobody answers for spoils no other
		for i := range n {
			want := i%3 > 0 && i != 9
			if _, ok := k.slice(t.Context(), hashOf(i), 10); ok != want {
				t.Fatalf("content %d: %v, want %v", i, ok, want)
			}
		}
		if store.calls > 30 {
			t.Errorf("%d contents took %d questions", n, store.calls)
		}
	})
}

// TestKnownAsksForFew: where one block is needed one is asked for.
func TestKnownAsksForFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, store := knownOf(1000, true)
		for range 5 {
			if _, ok := k.slice(t.Context(), hashOf(7), 10); !ok {
				t.Fatal("it is not known")
			}
		}
		if store.calls != 1 || len(store.asked) != 1 {
			t.Errorf("%d questions about %d blocks", store.calls, len(store.asked))
		}
	})
}

// TestKnownAsksTogether: those who need different blocks at the same time do not wait for each other, and a block is asked
// for once.
func TestKnownAsksTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, store := knownOf(8, false)
		begun := time.Now()
		var work sync.WaitGroup
		for i := range 24 {
			work.Go(func() {
				if _, ok := k.slice(t.Context(), hashOf(i%8), 10); ok != (i%8%3 > 0) {
					t.Errorf("content %d: %v", i%8, ok)
				}
			})
		}
		work.Wait()
		if took := time.Since(begun); took != far || store.calls != 8 {
			t.Errorf("it took %v and %d questions, want %v and 8", took, store.calls, far)
		}
	})
}

// TestKnownGivesUp: whoever is told to stop does not wait for an answer that another one asked for.
func TestKnownGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, _ := knownOf(8, false)
		go k.slice(t.Context(), hashOf(1), 10)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		begun := time.Now()
		if _, ok := k.slice(ctx, hashOf(1), 10); ok || time.Since(begun) > 0 {
			t.Errorf("it says %v after %v", ok, time.Since(begun))
		}
		synctest.Wait()
		time.Sleep(far)
	})
}
