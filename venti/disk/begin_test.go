package disk_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/disk"
)

// beginningWith returns the scores of the blocks that begin with b, sorted, and how much was damaged.
func beginningWith(t *testing.T, s *disk.Store, b byte) (scores []venti.Score, damaged int64) {
	t.Helper()
	damaged, err := s.Beginning(t.Context(), b, func(score venti.Score, block []byte) error {
		if block[0] != b || venti.Sum(block) != score {
			t.Errorf("block %s begins with %d, or is another one", score, block[0])
		}
		scores = append(scores, score)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(scores, func(a, b venti.Score) int { return slices.Compare(a[:], b[:]) })
	return scores, damaged
}

func TestBeginning(t *testing.T) {
	dir := t.TempDir()
	s := open(t, disk.Config{Dir: dir, SegmentSize: 1 << 16})
	var want []venti.Score
	for i := range 400 {
		b := block(i, 1+i*7)
		b[0] = byte(i % 5)
		score, err := s.Put(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if i%5 == 2 {
			want = append(want, score)
		}
	}
	if _, err := s.Put(t.Context(), nil); err != nil { // a block without a first byte
		t.Fatal(err)
	}
	slices.SortFunc(want, func(a, b venti.Score) int { return slices.Compare(a[:], b[:]) })
	check := func(what string) {
		t.Helper()
		if got, damaged := beginningWith(t, s, 2); damaged != 0 || !slices.Equal(got, want) {
			t.Errorf("%s: %d blocks, want %d; %d damaged", what, len(got), len(want), damaged)
		}
	}
	check("new")
	if _, err := s.Trash(t.Context(), func(venti.Score) bool { return false }); err != nil {
		t.Fatal(err)
	}
	check("all is trash")
	closeStore(t, s)
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	s = open(t, disk.Config{Dir: dir, SegmentSize: 1 << 16})
	check("without an index")

	stop := errors.New("stop")
	if _, err := s.Beginning(t.Context(), 2, func(venti.Score, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("fn fails: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Beginning(ctx, 2, func(venti.Score, []byte) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}

	// What is not needed any more is not met again, though its record may still be there.
	reclaim(t, s, among(want[:10]))
	want = want[:10]
	check("after reclaiming")
}

func TestBeginningDamaged(t *testing.T) {
	dir := t.TempDir()
	s := open(t, disk.Config{Dir: dir})
	var all []venti.Score
	for i := range 20 {
		b := block(i, 1000)
		b[0] = 2
		score, err := s.Put(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, score)
	}
	closeStore(t, s)
	names, err := filepath.Glob(filepath.Join(dir, "arenas", "*"))
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	f, err := os.OpenFile(names[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int64{3000, 10_000} { // within a block each
		if _, err := f.WriteAt([]byte{0xff, 0xfe, 0xfd}, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, disk.Config{Dir: dir})
	if got, damaged := beginningWith(t, s, 2); damaged != 2 || len(got) != len(all)-2 {
		t.Errorf("%d blocks, %d damaged", len(got), damaged)
	}
}
