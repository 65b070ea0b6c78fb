package check_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"ventidhash/snapshot/check"
	"ventidhash/venti"
)

// A prover is a check.Config.Prove that knows what is not there.
type prover struct {
	// mu protects the following.
	mu     sync.Mutex
	errs   map[venti.Score]error
	blocks []check.Block
}

func (p *prover) prove(_ context.Context, blocks []check.Block) ([]error, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocks = append(p.blocks, blocks...)
	errs := make([]error, len(blocks))
	for i, b := range blocks {
		if err := p.errs[b.Score]; err != nil {
			errs[i] = &venti.BlockError{Op: "prove", Score: b.Score, Err: err}
		}
	}
	return errs, nil
}

// asked returns the blocks that were to be proven, sorted, each as often as it was.
func (p *prover) asked() (scores []venti.Score) {
	for _, b := range p.blocks {
		scores = append(scores, b.Score)
	}
	slices.SortFunc(scores, func(a, b venti.Score) int { return slices.Compare(a[:], b[:]) })
	return scores
}

func sorted(scores []venti.Score) []venti.Score {
	scores = slices.Clone(scores)
	slices.SortFunc(scores, func(a, b venti.Score) int { return slices.Compare(a[:], b[:]) })
	return scores
}

// TestProve holds that every block is proven, each once, whatever it is a part of.
func TestProve(t *testing.T) {
	a := sample(t)
	p := &prover{}
	before := a.store.Gets()
	r := run(t, a, check.Config{Prove: p.prove})
	walked := 0
	for _, b := range p.blocks {
		if b.Walk {
			walked++
		}
	}
	if got := a.store.Gets() - before; got != walked {
		t.Errorf("%d blocks were fetched, and it is said of %d", got, walked)
	}
	if !r.OK() || r.Blocks != int64(a.store.Len()) || !slices.Equal(p.asked(), sorted(a.store.Scores())) {
		t.Errorf("%d of %d blocks were proven: %+v", len(p.blocks), a.store.Len(), r)
	}
	parts := map[check.Part]int{}
	for _, b := range p.blocks {
		parts[b.Part]++
		if b.Part == check.File && b.Path == "" || (b.Part == check.Root || b.Part == check.Table) && b.Path != "" {
			t.Errorf("a block of a %s is for %q", b.Part, b.Path)
		}
	}
	if parts[check.Root] != 3 || parts[check.Directory] == 0 || parts[check.File] == 0 || parts[check.Table] == 0 {
		t.Errorf("%v", parts)
	}
	again := &prover{}
	if r := run(t, a, check.Config{Prove: again.prove, ReadData: true}); !r.OK() || len(again.blocks) != 0 {
		t.Errorf("with ReadData %d blocks were to be proven", len(again.blocks))
	}
}

// TestUnproven makes each block in turn one that is not proven, though it can be read, and then one that neither is.
func TestUnproven(t *testing.T) {
	a := sample(t)
	kinds := []error{venti.ErrNotFound, venti.ErrUnavailable, venti.ErrCorrupt}
	for i, s := range a.store.Scores() {
		kind := kinds[i%len(kinds)]
		p := &prover{errs: map[venti.Score]error{s: kind}}
		r := run(t, a, check.Config{Prove: p.prove})
		if len(r.Damaged) != 1 || r.Damaged[0].Score != s || !errors.Is(r.Damaged[0].Err, kind) || r.OK() {
			t.Fatalf("block %s is not proven: %+v", s.Short(), r)
		}
		if kind != venti.ErrCorrupt && len(r.Damaged[0].Touched) == 0 {
			t.Errorf("block %s is not proven, and touches nothing", s.Short())
		}
		if r.Blocks != int64(len(p.blocks)) {
			t.Errorf("%d blocks, %d to be proven", r.Blocks, len(p.blocks))
		}
		a.store.set(s, kind)
		p = &prover{errs: map[venti.Score]error{s: kind}}
		r = run(t, a, check.Config{Prove: p.prove})
		a.store.set(s, nil)
		known := func(d check.Damage) bool { return d.Score == s && errors.Is(d.Err, kind) }
		if !slices.ContainsFunc(r.Damaged, known) || r.OK() {
			t.Errorf("block %s is not there: %+v", s.Short(), r)
		}
		once := slices.Compact(p.asked())
		if !slices.Contains(once, s) || len(once) != len(p.blocks) || r.Blocks != int64(len(p.blocks)) {
			t.Errorf("block %s is not there: %d blocks, %d to be proven, %d different", s.Short(), r.Blocks, len(p.blocks), len(once))
		}
	}
}

// TestProveFails holds that a run that cannot prove anything is no good one.
func TestProveFails(t *testing.T) {
	a := sample(t)
	for name, prove := range map[string]func(context.Context, []check.Block) ([]error, error){
		"error": func(context.Context, []check.Block) ([]error, error) { return nil, errors.New("no swarm") },
		"too few": func(_ context.Context, b []check.Block) ([]error, error) {
			return make([]error, len(b)-1), nil
		},
		"odd error": func(_ context.Context, b []check.Block) ([]error, error) {
			return slices.Repeat([]error{errors.New("odd")}, len(b)), nil
		},
	} {
		r, err := check.Run(t.Context(), a.source(), a.key, a.snaps, check.Config{Prove: prove})
		if err == nil || r.OK() {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
	}
}
