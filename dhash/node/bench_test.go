package node_test

import (
	"fmt"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// 24 members and a client in one process, over TCP: what a block of 1 MiB costs all of them together. For processes of
// their own see bench/swarm.

func benchSwarm(b *testing.B) *swarm {
	b.Helper()
	s := found(b, 24)
	b.SetBytes(1 << 20)
	b.ReportAllocs()
	return s
}

func BenchmarkPut(b *testing.B) {
	s := benchSwarm(b)
	c := s.dial(0)
	block := ventitest.Random(1, 1<<20)
	b.ResetTimer()
	for i := range b.N {
		copy(block, fmt.Sprint(i))
		if _, err := c.Put(b.Context(), block); err != nil {
			b.Fatal(err)
		}
	}
	if err := c.Sync(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkGet(b *testing.B) {
	s := benchSwarm(b)
	c := s.dial(0)
	block := ventitest.Random(1, 1<<20)
	var scores []venti.Score
	for i := range 64 {
		copy(block, fmt.Sprint(i))
		score, err := c.Put(b.Context(), block)
		if err != nil {
			b.Fatal(err)
		}
		scores = append(scores, score)
	}
	if err := c.Sync(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := c.Get(b.Context(), scores[i%len(scores)]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
