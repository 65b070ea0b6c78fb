package seal_test

import (
	"testing"

	"ventidhash/venti/seal"
)

// kinds are what is sealed: a leaf of average length of either sort.
func kinds() map[string][]byte {
	return map[string][]byte{"text": text(1 << 20), "noise": noise(1, 1<<20)}
}

func BenchmarkSeal(b *testing.B) {
	s := newSealer(b, seal.Secret{1})
	for kind, plain := range kinds() {
		b.Run(kind, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			var block []byte
			for b.Loop() {
				var err error
				if block, _, err = s.Seal(block[:0], plain); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	s := newSealer(b, seal.Secret{1})
	for kind, plain := range kinds() {
		block, ref := sealed(b, s, plain)
		b.Run(kind, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			dst, work := make([]byte, 0, len(plain)), make([]byte, len(block))
			for b.Loop() {
				copy(work, block) // Open overwrites it
				if _, err := s.Open(dst, ref, work); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
