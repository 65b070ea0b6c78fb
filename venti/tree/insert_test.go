package tree_test

import (
	"bytes"
	"slices"
	"testing"

	"ventidhash/venti/tree"
)

// TestInsert inserts a byte into a stream of 64 MiB at the front, in the middle and at the end: a leaf or two and the
// pointer blocks above them may be new, and nothing else.
func TestInsert(t *testing.T) {
	size := 64 << 20
	if testing.Short() {
		size = 8 << 20
	}
	r := newRig(t)
	data := noise(1, size)
	e := r.write(t, tree.Files(), data)
	for _, at := range []int{0, size / 2, size} {
		before := r.Len()
		w := tree.NewWriter(t.Context(), r.sink, tree.Files())
		_, _ = w.Write(data[:at])
		_, _ = w.Write([]byte("!"))
		if _, err := w.ReadFrom(bytes.NewReader(data[at:])); err != nil {
			t.Fatal(err)
		}
		f := closed(t, w)
		fresh := r.Len() - before
		t.Logf("a byte inserted at %d of %d: %d new blocks of %d", at, size, fresh, before)
		if fresh > 3+f.Depth || f.Depth != e.Depth || f.Size != e.Size+1 {
			t.Errorf("a byte inserted at %d: %d new blocks, depth %d", at, fresh, f.Depth)
		}
	}
}

// TestInsertDeep does the same to a stream of two levels of pointer blocks, and removes bytes. The leaves are as small as
// they can be for two cuttings to meet again soon: what decides an end is the 64 bytes before it.
func TestInsertDeep(t *testing.T) {
	r := newRig(t)
	tiny := tree.Cut{Min: 64, Avg: 256, Max: 1024}
	data := noise(1, 1<<20)
	e := r.write(t, tiny, data)
	for _, at := range []int{0, 1, 1000, len(data) / 2, len(data)} {
		for _, change := range [][]byte{
			slices.Insert(slices.Clone(data), at, '!'),
			slices.Delete(slices.Clone(data), max(at-5, 0), at),
		} {
			before := r.Len()
			f := r.write(t, tiny, change)
			if fresh := r.Len() - before; fresh > 8+3*f.Depth {
				t.Errorf("a change at %d: %d new blocks, depth %d and %d", at, fresh, e.Depth, f.Depth)
			}
		}
	}
}
