package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"ventidhash/bench/harness"
	"ventidhash/dhash/node"
	"ventidhash/dhash/sim/procs"
	"ventidhash/venti"
)

const (
	readBlocks = 300
	readSize   = 16 << 10
	readPause  = 5 * time.Millisecond // it shares two processors with those that it asks
)

// A reader reads random blocks, some at once, from its own connection to the swarm, until it is stopped. It goes to the
// members, not to a cache: a client has none.
type reader struct {
	c      *node.Client
	scores []venti.Score
	stop   context.CancelFunc
	work   sync.WaitGroup

	mu               sync.Mutex // protects the following
	attempts, failed int
	last             error
}

// reader stores the blocks, and begins to read so many at once.
func (p *place) reader(ctx context.Context, atOnce int) (*reader, error) {
	f, err := node.OpenFolder(procs.FolderIn(p.client()))
	if err != nil {
		return nil, err
	}
	r := new(reader)
	owner := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	if r.c, err = node.Dial(ctx, node.ClientConfig{Folder: f, Owner: owner}); err != nil {
		return nil, err
	}
	random := rand.NewChaCha8([32]byte{2})
	for range readBlocks {
		block := make([]byte, readSize)
		random.Read(block) // never fails
		s, err := r.c.Put(ctx, block)
		if err != nil {
			return nil, errors.Join(err, r.c.Close())
		}
		r.scores = append(r.scores, s)
	}
	if err := r.c.Sync(ctx); err != nil {
		return nil, errors.Join(err, r.c.Close())
	}
	ctx, r.stop = context.WithCancel(ctx)
	for range atOnce {
		dice := rand.New(rand.NewPCG(random.Uint64(), 3))
		r.work.Go(func() { r.read(ctx, dice) })
	}
	return r, nil
}

// read reads one block after the other.
func (r *reader) read(ctx context.Context, dice *rand.Rand) {
	for ctx.Err() == nil {
		_, err := r.c.Get(ctx, r.scores[dice.IntN(len(r.scores))]) // which checks what it gets against the score
		if ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		r.attempts++
		if err != nil {
			r.failed++
			r.last = err
		}
		r.mu.Unlock()
		if harness.Sleep(ctx, readPause) != nil {
			return
		}
	}
}

// finish stops reading, and prints what came of it.
func (r *reader) finish(b *bench, scenario string) error {
	r.stop()
	r.work.Wait()
	b.check(r.failed == 0, scenario, "reads of random blocks that failed", "%d of %d; at 95 %% fewer than %s", r.failed, r.attempts,
		bound(r.failed, r.attempts))
	if r.last != nil {
		harness.Say("%s: the last read that failed: %v", scenario, r.last)
	}
	return r.c.Close()
}

// bound says how many of the reads fail at most, with a confidence of 95 %: 3 of the attempts if none did (the rule of
// three), and else the upper limit of the Poisson distribution's mean, by the approximation of Wilson and Hilferty.
func bound(failed, attempts int) string {
	if attempts == 0 {
		return "all"
	}
	n, most := float64(failed+1), 3.0
	if failed > 0 {
		most = n * math.Pow(1-1/(9*n)+1.645/(3*math.Sqrt(n)), 3)
	}
	return fmt.Sprintf("%.2g of all", min(1, most/float64(attempts)))
}
