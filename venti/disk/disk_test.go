package disk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/disk"
	"ventidhash/venti/ventitest"
)

func open(t testing.TB, cfg disk.Config) *disk.Store {
	t.Helper()
	if cfg.Wait == 0 {
		cfg.Wait = 20 * time.Second
	}
	s, err := disk.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func closeStore(t testing.TB, s *disk.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func block(i, n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "block %06d;", i), n/13+1)[:n] }

func putN(t testing.TB, s venti.Store, from, n, size int) []venti.Score {
	t.Helper()
	var out []venti.Score
	for i := from; i < from+n; i++ {
		score, err := s.Put(t.Context(), block(i, size))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, score)
	}
	return out
}

// wantAll says that all of the blocks from and so on can be read.
func wantAll(t testing.TB, s venti.Store, from, n, size int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		b := block(i, size)
		if got, err := s.Get(t.Context(), venti.Sum(b)); err != nil || !bytes.Equal(got, b) {
			t.Errorf("block %d: %d bytes, %v", i, len(got), err)
		}
	}
}

func has(t testing.TB, s venti.Store, score venti.Score) bool {
	t.Helper()
	h, err := s.Has(t.Context(), []venti.Score{score})
	if err != nil {
		t.Fatal(err)
	}
	return h[0]
}

func TestAdded(t *testing.T) {
	s := open(t, disk.Config{Dir: t.TempDir()})
	putN(t, s, 0, 10, 1000)
	putN(t, s, 5, 10, 1000) // five of them again
	if n := s.Added(); n != 15*1000 {
		t.Errorf("%d bytes added, not 15 blocks of 1000", n)
	}
}

func TestContract(t *testing.T) {
	t.Run("owner", func(t *testing.T) {
		ventitest.TestStore(t, func(t *testing.T) venti.Store { return open(t, disk.Config{Dir: t.TempDir()}) })
	})
	t.Run("guest", func(t *testing.T) {
		ventitest.TestStore(t, func(t *testing.T) venti.Store {
			cfg := disk.Config{Dir: t.TempDir()}
			open(t, cfg)
			return open(t, cfg)
		})
	})
}

func TestReopen(t *testing.T) {
	cfg := disk.Config{Dir: filepath.Join(t.TempDir(), "a", "b"), SegmentSize: 20_000}
	for round := range 5 {
		s := open(t, cfg)
		wantAll(t, s, 0, round*40, 700)
		putN(t, s, round*40, 40, 700)
		if round%2 == 0 {
			if err := s.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		closeStore(t, s)
		closeStore(t, s)
		if _, err := s.Put(t.Context(), nil); err == nil {
			t.Error("put after Close went well")
		}
	}
	s := open(t, cfg)
	wantAll(t, s, 0, 200, 700)
	st, err := s.Stats(t.Context())
	if err != nil || st.Blocks != 200 || st.Segments < 5 {
		t.Errorf("%+v %v", st, err)
	}
	if _, err := s.Get(t.Context(), venti.Score{1}); !errors.Is(err, venti.ErrNotFound) {
		t.Errorf("a block that never was: %v", err)
	}
}

func TestFolder(t *testing.T) {
	t.Run("other things", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := disk.Open(t.Context(), disk.Config{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), "thesis.tex") {
			t.Errorf("opened: %v", err)
		}
		if es, _ := os.ReadDir(dir); len(es) != 1 {
			t.Errorf("something was written: %v", es)
		}
	})
	for name, text := range map[string]string{
		"later version": "venti disk store\nversion 2\nid 00\n", "empty": "", "other program": "Signature: 8a477f597d28d172789f06886806bc55\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "FORMAT"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := disk.Open(t.Context(), disk.Config{Dir: dir}); err == nil {
				t.Error("opened")
			} else {
				t.Log(err)
			}
		})
	}
	t.Run("at once", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "s")
		ids := make(chan string, 8)
		for range cap(ids) {
			go func() {
				s, err := disk.Open(context.Background(), disk.Config{Dir: dir})
				if err != nil {
					ids <- err.Error()
					return
				}
				ids <- s.ID()
				t.Cleanup(func() { s.Close() })
			}()
		}
		first := <-ids
		for range cap(ids) - 1 {
			if id := <-ids; id != first || len(id) != 32 {
				t.Errorf("ids %q and %q", first, id)
			}
		}
	})
}

func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("a long name ", 15), strings.Repeat("another ", 20))
	a := open(t, disk.Config{Dir: dir})
	b := open(t, disk.Config{Dir: dir})
	putN(t, a, 0, 5, 100)
	wantAll(t, b, 0, 5, 100)
	closeStore(t, a)
	putN(t, b, 5, 5, 100)
	wantAll(t, b, 0, 10, 100)
}
