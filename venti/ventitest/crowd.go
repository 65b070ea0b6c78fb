package ventitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"ventidhash/venti"
)

const (
	crowd   = 24 // goroutines
	perHead = 24 // blocks that each of them puts
)

// testDifferent lets many goroutines put, read and ask for blocks of their own, and some of them give up.
func testDifferent(t *testing.T, s venti.Store) {
	inCrowd(t, func(ctx context.Context, who int) error {
		for i := range perHead {
			seed := uint64(who*perHead + i)
			block := Random(seed, 1+int(seed*977%40_000))
			if err := there(ctx, s, block); err != nil {
				return err
			}
			if i%8 == 7 {
				if err := giveUp(ctx, s, seed); err != nil {
					return err
				}
			}
		}
		return s.Sync(ctx)
	})
	for seed := range uint64(crowd * perHead) {
		mustGet(t, s, Random(seed, 1+int(seed*977%40_000)))
	}
}

// testSame lets many goroutines put and read the same blocks.
func testSame(t *testing.T, s venti.Store) {
	inCrowd(t, func(ctx context.Context, who int) error {
		for i := range perHead {
			if err := there(ctx, s, Random(uint64(i), 20_000)); err != nil {
				return err
			}
		}
		return s.Sync(ctx)
	})
}

// there puts block and sees to it that it is there.
func there(ctx context.Context, s venti.Store, block []byte) error {
	score, err := s.Put(ctx, block)
	if err != nil {
		return fmt.Errorf("Put: %w", err)
	}
	if want := venti.Sum(block); score != want {
		return fmt.Errorf("Put returned %v, want %v", score, want)
	}
	has, err := s.Has(ctx, []venti.Score{score, flip(score)})
	if err != nil {
		return fmt.Errorf("Has: %w", err)
	}
	if len(has) != 2 || !has[0] || has[1] {
		return fmt.Errorf("Has after Put: %v", has)
	}
	got, err := s.Get(ctx, score)
	if err != nil {
		return fmt.Errorf("Get: %w", err)
	}
	if !bytes.Equal(got, block) {
		return fmt.Errorf("Get of %d bytes returned %d other ones", len(block), len(got))
	}
	return nil
}

// giveUp cancels an operation while it runs. It may have succeeded before.
func giveUp(ctx context.Context, s venti.Store, seed uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	block := Random(seed, 30_000)
	go func() {
		_, err := s.Put(ctx, block)
		done <- err
	}()
	cancel()
	err := <-done
	clear(block) // the store has no business with it any more
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("cancelled Put: %w", err)
	}
	return nil
}

func inCrowd(t *testing.T, f func(ctx context.Context, who int) error) {
	t.Helper()
	var wg sync.WaitGroup
	for who := range crowd {
		wg.Go(func() {
			if err := f(t.Context(), who); err != nil {
				t.Errorf("goroutine %d: %v", who, err)
			}
		})
	}
	wg.Wait()
}
