package wire_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/ventitest"
	"ventidhash/venti/wire"
)

// flat is a store without any work of its own, so that what is measured is the protocol and the client's hashing.
type flat struct {
	block []byte
	score venti.Score
}

func newFlat(size int) *flat {
	block := ventitest.Random(1, size)
	return &flat{block, venti.Sum(block)}
}

func (f *flat) Get(context.Context, venti.Score) ([]byte, error) { return f.block, nil }
func (f *flat) Put(context.Context, []byte) (venti.Score, error) { return f.score, nil }
func (f *flat) Has(_ context.Context, s []venti.Score) ([]bool, error) {
	return make([]bool, len(s)), nil
}
func (f *flat) Sync(context.Context) error { return nil }

func BenchmarkPut(b *testing.B) {
	bench(b, func(ctx context.Context, c *wire.Client, f *flat) error {
		_, err := c.Put(ctx, f.block)
		return err
	})
}

func BenchmarkGet(b *testing.B) {
	bench(b, func(ctx context.Context, c *wire.Client, f *flat) error {
		_, err := c.Get(ctx, f.score)
		return err
	})
}

// bench runs op over a Unix socket, from one goroutine and from sixteen.
func bench(b *testing.B, op func(context.Context, *wire.Client, *flat) error) {
	for _, size := range []int{1 << 10, 64 << 10, 1 << 20, 4 << 20} {
		for _, at := range []int{1, 16} {
			b.Run(fmt.Sprintf("%dKiB/at-once-%d", size>>10, at), func(b *testing.B) {
				f := newFlat(size)
				c := dial(b, serve(b, &wire.Server{Store: f}, listenUnix(b)))
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				b.SetBytes(int64(size))
				b.ReportAllocs()
				var left atomic.Int64
				left.Store(int64(b.N))
				done := make(chan error, at)
				b.ResetTimer()
				for range at {
					go func() {
						var err error
						for err == nil && left.Add(-1) >= 0 {
							err = op(ctx, c, f)
						}
						done <- err
					}()
				}
				for range at {
					if err := <-done; err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkHas(b *testing.B) {
	f := newFlat(1)
	c := dial(b, serve(b, &wire.Server{Store: f}, listenUnix(b)))
	scores := make([]venti.Score, 4096)
	b.SetBytes(int64(len(scores) * venti.ScoreSize))
	for b.Loop() {
		if _, err := c.Has(b.Context(), scores); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSum is what the client's hashing alone costs.
func BenchmarkSum(b *testing.B) {
	f := newFlat(1 << 20)
	b.SetBytes(1 << 20)
	for b.Loop() {
		venti.Sum(f.block)
	}
}
