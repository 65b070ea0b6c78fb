package prune_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/prune"
	"ventidhash/venti"
)

var runs = flag.Int("runs", 4, "how many times TestRace runs")

const (
	childDir  = "PRUNE_TEST_DIR" // in the environment: this process is to work in that world
	childSeed = "PRUNE_TEST_SEED"
)

// TestMain makes the test binary a second process that works in a world, when it is called so.
func TestMain(m *testing.M) {
	dir := os.Getenv(childDir)
	if dir == "" {
		os.Exit(m.Run())
	}
	seed, err := strconv.ParseUint(os.Getenv(childSeed), 10, 64)
	if err == nil {
		err = crowd(context.Background(), dir, seed)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// TestRace lets backups, forgetting and prunes go on beside each other, in two processes with several goroutines each,
// one of which is killed in every other run. What is in the catalog can be read in the end.
func TestRace(t *testing.T) {
	for run := range *runs {
		t.Run(strconv.Itoa(run), func(t *testing.T) {
			seed := uint64(run) * 100
			w := newWorld(t)
			a := must(w.backup(t.Context(), venti.Score{}, contents{1, 1, 1, 1, 1, 1}))(t)
			must(w.backup(t.Context(), a, contents{2, 2, 2, keep, keep, keep}))(t)

			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), childDir+"="+w.dir, fmt.Sprintf("%s=%d", childSeed, seed+50))
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			if run%2 == 1 {
				r := rand.New(rand.NewPCG(seed, 7))
				time.AfterFunc(time.Duration(100+r.IntN(900))*time.Millisecond, func() { child.Process.Kill() })
			}
			if err := crowd(t.Context(), w.dir, seed); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
			if err := child.Wait(); err != nil && run%2 == 0 {
				t.Errorf("seed %d: second process: %v", seed, err)
			}
			if err := os.RemoveAll(filepath.Join(w.dir, "catalog", "blocks")); err != nil {
				t.Fatal(err)
			}
			w = reopen(t, w.dir)
			w.mustSound(t)
			must(w.backup(t.Context(), venti.Score{}, contents{1, 2, 3}))(t) // prune does not take an empty list for what is needed
			w.mustSound(t)
			rep := must(prune.Run(t.Context(), w.config()))(t)
			if got := w.blocks(t); rep.Missing != 0 || rep.WaitingBytes != 0 || got != rep.LiveBlocks {
				t.Errorf("seed %d: %d blocks are left of %+v", seed, got, rep)
			}
			w.mustSound(t)
		})
	}
}

// crowd works in the world in dir with several goroutines, each for a number of turns. Two of them share a store.
func crowd(ctx context.Context, dir string, seed uint64) error {
	shared, err := open(ctx, dir)
	if err != nil {
		return err
	}
	other, err := open(ctx, dir)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, 3)
	for i, w := range []*world{shared, shared, other} {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for turn := 0; turn < 20 && errs[i] == nil; turn++ {
				if err := w.turn(ctx, r); err != nil {
					errs[i] = fmt.Errorf("goroutine %d, turn %d: %w", i, turn, err)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, shared.store.Close(), other.store.Close())...)
}

// turn does one thing at random.
func (w *world) turn(ctx context.Context, r *rand.Rand) error {
	list, err := w.cat.List(ctx)
	if err != nil {
		return err
	}
	var some venti.Score
	if len(list) > 0 { // else several have forgotten one at the same time
		some = list[r.IntN(len(list))].Score
	}
	switch n := r.IntN(10); {
	case n < 3:
		if len(list) > 2 {
			return w.cat.Remove(ctx, some)
		}
		return nil
	case n < 5:
		_, err := prune.Run(ctx, w.config())
		if errors.Is(err, venti.ErrNotFound) { // another prune freed a snapshot that was forgotten meanwhile
			return w.stillThere(ctx, err)
		}
		if errors.Is(err, venti.ErrUnavailable) || errors.Is(err, prune.ErrEmpty) { // the other process prunes
			return nil
		}
		return err
	}
	var c contents
	for i := range c {
		if c[i] = keep; r.IntN(2) == 0 {
			c[i] = r.IntN(4)
		}
	}
	if r.IntN(4) == 0 {
		some = venti.Score{}
	}
	_, err = w.backup(ctx, some, c)
	if errors.Is(err, errGone) || errors.Is(err, venti.ErrNotFound) && !some.IsZero() {
		return nil // the parent was forgotten and freed
	}
	return err
}

// stillThere returns err, unless all that the catalog leads to can be read.
func (w *world) stillThere(ctx context.Context, err error) error {
	if w.sound(ctx) == nil {
		return nil
	}
	return err
}

// TestCatalogUnderWay prunes while the catalog is being replaced by somebody without a session: its blocks are stored
// before the marks are made, and its head comes after.
func TestCatalogUnderWay(t *testing.T) {
	w, _, b, c := seeded(t)
	ctx := t.Context()
	w.forget(t, b)
	slow := &slowSync{Store: w.store, synced: make(chan bool), goOn: make(chan bool)}
	cat, err := catalog.Open(catalog.Config{Dir: filepath.Join(w.dir, "catalog"), Store: slow, Owner: w.owner})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	_, err = w.during(ctx, map[string]func() error{
		"before trash": func() error {
			go func() { done <- cat.Remove(ctx, c) }()
			<-slow.synced
			return nil
		},
		"after settled": func() error {
			time.AfterFunc(50*time.Millisecond, func() { close(slow.goOn) })
			return nil
		},
	})
	if err := errors.Join(err, <-done, os.RemoveAll(filepath.Join(w.dir, "catalog", "blocks"))); err != nil {
		t.Fatal(err)
	}
	w.mustSound(t)
	if list := must(w.cat.List(ctx))(t); len(list) != 1 {
		t.Errorf("the catalog has %d snapshots, want 1", len(list))
	}
}

// slowSync is a store whose Sync says when it is called, and waits.
type slowSync struct {
	venti.Store
	synced, goOn chan bool
}

func (s *slowSync) Sync(ctx context.Context) error {
	close(s.synced)
	<-s.goOn
	return s.Store.Sync(ctx)
}
