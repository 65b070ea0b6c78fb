package arena_test

import (
	"fmt"
	"testing"

	"ventidhash/venti/arena"
)

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{8 << 10, 128 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dK", size>>10), func(b *testing.B) {
			a := open(b, arena.Config{Dir: b.TempDir()})
			d := data(1, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := a.Append(1, key(1), d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScanHeaders(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dK", size>>10), func(b *testing.B) {
			a := open(b, arena.Config{Dir: b.TempDir()})
			n := (48 << 20) / size
			appendN(b, a, 0, n, size)
			b.SetBytes(int64(n * size))
			for b.Loop() {
				if keys, _ := scan(b, a, arena.Headers); len(keys) != n {
					b.Fatal(len(keys))
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
