package tree_test

import (
	"context"
	"io"
	"math/rand/v2"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/tree"
)

// A sinkhole takes blocks and keeps none; it scores them, as every store must.
type sinkhole struct{ *store }

func (sinkhole) Put(_ context.Context, block []byte) (venti.Score, error) {
	return venti.Sum(block), nil
}

func BenchmarkWriter(b *testing.B) {
	for name, data := range map[string][]byte{"noise": noise(1, 64<<20), "text": text(1, 64<<20)} {
		b.Run(name, func(b *testing.B) {
			sealer, err := seal.New(seal.Secret{})
			if err != nil {
				b.Fatal(err)
			}
			sink := tree.NewSink(sinkhole{newStore()}, sealer, nil)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				w := tree.NewWriter(b.Context(), sink, tree.Files())
				if _, err := w.Write(data); err != nil {
					b.Fatal(err)
				}
				closed(b, w)
			}
		})
	}
}

func BenchmarkReader(b *testing.B) {
	for name, data := range map[string][]byte{"noise": noise(1, 64<<20), "text": text(1, 64<<20)} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b)
			e := r.write(b, tree.Files(), data)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				rd := tree.NewReader(b.Context(), r.src, e)
				if n, err := io.Copy(io.Discard, rd); n != int64(len(data)) || err != nil {
					b.Fatal(n, err)
				}
				rd.Close()
			}
		})
	}
}

// BenchmarkReadAt reads 4 KiB here and there in a stream of a thousand leaves, all of it in the cache.
func BenchmarkReadAt(b *testing.B) {
	r := newRig(b)
	e := r.write(b, tree.Cut{Avg: 4 << 10, Fixed: true}, noise(1, 4<<20))
	rd := tree.NewReader(b.Context(), r.src, e)
	buf := make([]byte, 4<<10)
	rng := rand.New(rand.NewPCG(1, 1))
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rd.ReadAt(buf, rng.Int64N(e.Size-4<<10)); err != nil {
			b.Fatal(err)
		}
	}
}
