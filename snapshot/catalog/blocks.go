package catalog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"ventidhash/venti"
)

// blocks is a venti.Store for one operation on the catalog: the owner's store with the folder of copies in front of it.
// A copy is taken only if it has the score. A copy that can't be written is no failure, for the store has the block.
type blocks struct {
	dir   string
	store venti.Store // nil where there is none

	// mu protects used: the blocks got and put.
	mu   sync.Mutex
	used map[venti.Score]bool
}

func newBlocks(cfg *Config) *blocks {
	return &blocks{dir: filepath.Join(cfg.Dir, "blocks"), store: cfg.Store, used: map[venti.Score]bool{}}
}

func (b *blocks) file(score venti.Score) string { return filepath.Join(b.dir, score.String()) }

func (b *blocks) use(score venti.Score) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used[score] = true
}

// Get returns a copy that has the score, or else what the store has, verified by the store.
func (b *blocks) Get(ctx context.Context, score venti.Score) ([]byte, error) {
	if block, ok := b.copied(score); ok {
		b.use(score)
		return block, nil
	}
	if b.store == nil {
		return nil, &venti.BlockError{Op: "get", Score: score,
			Err: fmt.Errorf("%w: no good copy in %s, and no store to ask", venti.ErrUnavailable, b.dir)}
	}
	block, err := b.store.Get(ctx, score)
	if err == nil {
		b.use(score)
		b.copy(score, block)
	}
	return block, err
}

// copied returns the copy of the block if there is a good one.
func (b *blocks) copied(score venti.Score) ([]byte, bool) {
	block, err := os.ReadFile(b.file(score))
	return block, err == nil && venti.Sum(block) == score
}

// copy writes a copy, unless a good one is there. It is not made durable: a bad one does no harm.
func (b *blocks) copy(score venti.Score, block []byte) {
	if _, ok := b.copied(score); ok || os.MkdirAll(b.dir, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(b.dir, "tmp-") // readers may write the same copy at the same time
	if err != nil {
		return
	}
	defer os.Remove(f.Name()) // fails once the name has changed
	_, err = f.Write(block)
	if f.Close() == nil && err == nil {
		os.Rename(f.Name(), b.file(score))
	}
}

// Put stores block, and copies it.
func (b *blocks) Put(ctx context.Context, block []byte) (venti.Score, error) {
	return b.keep(block, func() (venti.Score, error) { return b.store.Put(ctx, block) })
}

// PutVital implements venti.VitalStore.
func (b *blocks) PutVital(ctx context.Context, block []byte) (venti.Score, error) {
	return b.keep(block, func() (venti.Score, error) { return venti.PutVital(ctx, b.store, block) })
}

// keep copies block once put has stored it.
func (b *blocks) keep(block []byte, put func() (venti.Score, error)) (venti.Score, error) {
	score, err := put()
	if err == nil {
		b.use(score)
		b.copy(score, block)
	}
	return score, err
}

// Has implements venti.Store.
func (b *blocks) Has(ctx context.Context, scores []venti.Score) ([]bool, error) {
	return b.store.Has(ctx, scores)
}

// Sync implements venti.Store.
func (b *blocks) Sync(ctx context.Context) error { return b.store.Sync(ctx) }

// putUsed stores again every block that was got: the store may lack blocks of which there are copies.
func (b *blocks) putUsed(ctx context.Context) error {
	for score := range b.used {
		block, err := b.Get(ctx, score)
		if err != nil {
			return err
		}
		if _, err := b.store.Put(ctx, block); err != nil {
			return err
		}
	}
	return b.store.Sync(ctx)
}

// tidy removes all copies but those of the blocks used. The lock is held.
func (b *blocks) tidy() {
	names, err := os.ReadDir(b.dir)
	if err != nil {
		return
	}
	for _, n := range names {
		if score, err := venti.ParseScore(n.Name()); err != nil || !b.used[score] {
			os.Remove(filepath.Join(b.dir, n.Name()))
		}
	}
}
