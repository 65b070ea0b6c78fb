package check

import (
	"context"
	"fmt"
	"sync"

	"ventidhash/venti"
	"ventidhash/venti/tree"
)

// A job is work that the walk leaves to a worker: to read one block of contents, to ask for many, or to have many
// proven.
type job struct {
	ref    venti.Ref
	size   int64 // of the plaintext; unknown if negative
	claims []claim
	ask    []venti.Score
	prove  []Block
}

const (
	askBatch = 1000 // blocks in one question to the store
	queued   = 256  // jobs that wait for a worker
)

// workers do jobs at the same time.
type workers struct {
	src    *tree.Source
	tally  *tally
	prove  func(context.Context, []Block) ([]error, error) // Config.Prove
	jobs   chan job
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
}

// newWorkers starts the workers. The context they return ends with the first error that does not concern a block.
func newWorkers(ctx context.Context, src *tree.Source, t *tally, cfg Config) (*workers, context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &workers{src: src, tally: t, prove: cfg.Prove, jobs: make(chan job, queued), cancel: cancel}
	for range cfg.workers() {
		w.wg.Go(func() {
			for j := range w.jobs {
				if ctx.Err() != nil {
					continue
				}
				if err := w.do(ctx, j); err != nil {
					cancel(err)
				}
			}
		})
	}
	return w, ctx
}

// give leaves a job to the workers.
func (w *workers) give(ctx context.Context, j job) error {
	select {
	case w.jobs <- j:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// wait returns when all jobs are done and nothing of the workers runs any more.
func (w *workers) wait() {
	close(w.jobs)
	w.wg.Wait()
}

// do does one job.
func (w *workers) do(ctx context.Context, j job) error {
	switch {
	case j.ask != nil:
		return w.ask(ctx, j.ask)
	case j.prove != nil:
		return w.proven(ctx, j.prove)
	}
	plain, err := w.src.Fetch(ctx, j.ref)
	if err != nil {
		if over := ended(ctx); over != nil {
			return over
		}
		return w.tally.damage(blame(err, j.ref.Score), err)
	}
	w.tally.count(func(p *Progress) { p.Bytes += int64(len(plain)) })
	if j.size >= 0 && int64(len(plain)) != j.size {
		return w.tally.damage(j.ref.Score, corrupt(j.ref.Score, "leaf of %d bytes where %d were expected", len(plain), j.size))
	}
	for _, c := range j.claims {
		if err := c.verify(j.ref.Score, plain); err != nil {
			return w.tally.damage(j.ref.Score, err)
		}
	}
	return nil
}

// ask finds which of the blocks the store does not have. What it has not is asked for once more: the store may have the
// block and know that it is corrupt.
func (w *workers) ask(ctx context.Context, scores []venti.Score) error {
	has, err := w.src.Store().Has(ctx, scores)
	if over := ended(ctx); over != nil {
		return over
	}
	for i, s := range scores {
		if err == nil && has[i] {
			continue
		}
		if _, err := w.src.Store().Get(ctx, s); err != nil {
			if over := ended(ctx); over != nil {
				return over
			}
			if err := w.tally.damage(s, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// proven finds which of the blocks are not there, by Config.Prove.
func (w *workers) proven(ctx context.Context, blocks []Block) error {
	errs, err := w.prove(ctx, blocks)
	if over := ended(ctx); over != nil {
		return over
	}
	if err == nil && len(errs) != len(blocks) {
		err = fmt.Errorf("check: %d answers about %d blocks", len(errs), len(blocks))
	}
	if err != nil {
		return err
	}
	for i, b := range blocks {
		if errs[i] == nil {
			continue
		}
		if err := w.tally.damage(b.Score, errs[i]); err != nil {
			return err
		}
	}
	return nil
}
