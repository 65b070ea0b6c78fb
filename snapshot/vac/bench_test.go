package vac_test

import (
	"fmt"
	"testing"

	"ventidhash/snapshot/vac"
)

const benchEntries = 100_000

func perEntry(b *testing.B, n int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/entry")
}

// BenchmarkAdd writes one large directory.
func BenchmarkAdd(b *testing.B) {
	r := newRig(b)
	kids := crowd(benchEntries)
	for b.Loop() {
		w := vac.NewDirWriter(b.Context(), r.sink, r.src, vac.Content{})
		for i := range kids {
			if err := w.Add(&kids[i].Dir); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := w.CloseStream(); err != nil {
			b.Fatal(err)
		}
	}
	perEntry(b, benchEntries)
}

// BenchmarkWalk reads one large directory, and as many entries in directories of ten.
func BenchmarkWalk(b *testing.B) {
	var dirs []node
	for i := range benchEntries / 11 {
		dirs = append(dirs, dir(fmt.Sprintf("%06d", i), crowd(10)...))
	}
	for name, kids := range map[string][]node{"flat": crowd(benchEntries), "nested": dirs} {
		b.Run(name, func(b *testing.B) {
			r := newRig(b)
			tr := r.snapshot(b, kids...)
			b.ReportAllocs()
			for b.Loop() {
				if err := tr.WalkDir(b.Context(), tr.Top(), "", func(string, *vac.Dir) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			perEntry(b, benchEntries)
		})
	}
}
