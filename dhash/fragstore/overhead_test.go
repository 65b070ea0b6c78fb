package fragstore_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// diskBytes adds up the sizes of all files below dir.
func diskBytes(t testing.TB, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		n += info.Size()
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return n
}

// TestOverhead says how much disk a store takes beyond the encoded fragments.
func TestOverhead(t *testing.T) {
	for _, c := range []struct {
		n, size int
		most    float64
	}{{0, 0, 0}, {100, 8 << 10, 0.05}, {3000, 8 << 10, 0.02}, {12_000, 8 << 10, 0.055}, {200, 128 << 10, 0.01}} {
		cfg := config(t)
		s := open(t, cfg)
		mk := many(c.size)
		var encoded int64
		var mu sync.Mutex
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := g; i < c.n; i += 8 {
					p := mk(i)
					put(t, s, alice, p)
					mu.Lock()
					encoded += int64(len(p.encoded))
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		closeStore(t, s)
		over := diskBytes(t, cfg.Dir) - encoded
		t.Logf("%d fragments of %d bytes: %d bytes more, %.2f %%, %d each", c.n, c.size, over, 100*float64(over)/float64(max(1, encoded)),
			over/int64(max(1, c.n)))
		if limit := int64(c.most*float64(encoded)) + 10_000; over > limit {
			t.Errorf("%d fragments of %d bytes: %d bytes more than they have", c.n, c.size, over)
		}
	}
}
