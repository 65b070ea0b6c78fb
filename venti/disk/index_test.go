package disk_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/disk"
)

// fill makes a store of n blocks whose index has several tables, and closes it.
func fill(t testing.TB, cfg disk.Config, n, size int) {
	t.Helper()
	s := open(t, cfg)
	for from := 0; from < n; from += n / 4 {
		putN(t, s, from, n/4, size)
		if err := disk.Flush(s); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		s = open(t, cfg)
	}
	closeStore(t, s)
}

func TestIndexLost(t *testing.T) {
	const n, size = 400, 300
	cfg := disk.Config{Dir: t.TempDir(), SegmentSize: 20_000}
	index := filepath.Join(cfg.Dir, "index")
	old := filepath.Join(t.TempDir(), "old")
	fill(t, cfg, n/2, size)
	if err := os.CopyFS(old, os.DirFS(index)); err != nil {
		t.Fatal(err)
	}
	s := open(t, cfg)
	putN(t, s, n/2, n/2, size)
	if err := disk.Flush(s); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)

	check := func(t *testing.T) {
		t.Helper()
		var log bytes.Buffer
		c := cfg
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		s := open(t, c)
		wantAll(t, s, 0, n, size)
		rep, err := s.Verify(t.Context(), every, func(d disk.Damage) { t.Errorf("damage: %+v", d) })
		if err != nil || rep.Blocks != n || rep.Missing+rep.Dangling != 0 {
			t.Errorf("%+v %v", rep, err)
		}
		if h := has(t, s, venti.Sum(block(n, size))); h {
			t.Error("has what never was")
		}
		closeStore(t, s)
		t.Log(strings.TrimSpace(log.String()))
	}
	t.Run("deleted", func(t *testing.T) {
		if err := os.RemoveAll(index); err != nil {
			t.Fatal(err)
		}
		check(t)
	})
	t.Run("older than the arenas", func(t *testing.T) {
		if err := os.RemoveAll(index); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(index, os.DirFS(old)); err != nil {
			t.Fatal(err)
		}
		check(t)
	})
	t.Run("newer than the arenas", func(t *testing.T) {
		segs, err := filepath.Glob(filepath.Join(cfg.Dir, "arenas", "*.seg"))
		if err != nil {
			t.Fatal(err)
		}
		last := segs[len(segs)-1]
		b, err := os.ReadFile(last)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(last, 1000); err != nil {
			t.Fatal(err)
		}
		s := open(t, cfg)
		lost := 0
		for i := range n {
			switch _, err := s.Get(t.Context(), venti.Sum(block(i, size))); {
			case errors.Is(err, venti.ErrNotFound):
				lost++
			case err != nil:
				t.Error(err)
			}
		}
		if lost == 0 {
			t.Error("nothing is missing")
		}
		closeStore(t, s)
		if err := os.WriteFile(last, b, 0o600); err != nil {
			t.Fatal(err)
		}
		check(t)
	})
	t.Run("another store's", func(t *testing.T) {
		other := disk.Config{Dir: t.TempDir(), SegmentSize: 20_000}
		fill(t, other, n, size+1)
		if err := os.RemoveAll(index); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(index, os.DirFS(filepath.Join(other.Dir, "index"))); err != nil {
			t.Fatal(err)
		}
		check(t)
	})
}

// TestIndexDamaged flips bytes all over the files of the index: all blocks are found again.
func TestIndexDamaged(t *testing.T) {
	const n, size = 200, 100
	cfg := disk.Config{Dir: t.TempDir()}
	fill(t, cfg, n, size)
	good := filepath.Join(t.TempDir(), "good")
	index := filepath.Join(cfg.Dir, "index")
	if err := os.CopyFS(good, os.DirFS(index)); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(good)
	if err != nil {
		t.Fatal(err)
	}
	tables := 0
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(good, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(f.Name(), ".sst") {
			tables++
		}
		for i := range 5 {
			if len(b) == 0 {
				continue
			}
			if err := errors.Join(os.RemoveAll(index), os.CopyFS(index, os.DirFS(good))); err != nil {
				t.Fatal(err)
			}
			bad := bytes.Clone(b)
			bad[i*(len(b)-1)/4] ^= 0x10
			if err := os.WriteFile(filepath.Join(index, f.Name()), bad, 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, cfg)
			wantAll(t, s, 0, n, size)
			for j := range n {
				if !has(t, s, venti.Sum(block(j, size))) {
					t.Errorf("%s: block %d is missing", f.Name(), j)
				}
			}
			closeStore(t, s)
		}
	}
	if tables < 3 {
		t.Errorf("only %d tables", tables)
	}
}

// TestFlipEveryByte damages each byte of the arena in turn: at most one block is lost, it is named, and it heals when
// it is put again.
func TestFlipEveryByte(t *testing.T) {
	const n, size = 3, 20
	cfg := disk.Config{Dir: t.TempDir()}
	s := open(t, cfg)
	putN(t, s, 0, n, size)
	if err := disk.Flush(s); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	dir := t.TempDir()
	good, err := os.ReadFile(filepath.Join(cfg.Dir, "arenas", "00000001.seg"))
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		if at%3 > 0 && testing.Short() {
			continue
		}
		if err := errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(cfg.Dir))); err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(good)
		bad[at] ^= 0x20
		if err := os.WriteFile(filepath.Join(dir, "arenas", "00000001.seg"), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		flipped(t, disk.Config{Dir: dir}, at, n, size)
	}
}

func flipped(t *testing.T, cfg disk.Config, at, n, size int) {
	s := open(t, cfg)
	defer closeStore(t, s)
	var lost []venti.Score
	for i := range n {
		score := venti.Sum(block(i, size))
		_, err := s.Get(t.Context(), score)
		if err == nil {
			continue
		}
		lost = append(lost, score)
		if !errors.Is(err, venti.ErrCorrupt) {
			t.Errorf("byte %d: %v", at, err)
		}
		if has(t, s, score) {
			t.Errorf("byte %d: has a damaged block", at)
		}
	}
	if want := 1; at >= 32 && len(lost) != want {
		t.Errorf("byte %d: %d blocks are lost", at, len(lost))
	}
	reports, named := 0, 0
	rep, err := s.Verify(t.Context(), every, func(d disk.Damage) {
		reports++
		if len(lost) == 1 && d.Score == lost[0] {
			named++
		}
	})
	if err != nil || reports != 1 || len(lost) == 1 && named != 1 {
		t.Errorf("byte %d: %d reports, %d name the block: %+v %v", at, reports, named, rep, err)
	}
	putN(t, s, 0, n, size)
	wantAll(t, s, 0, n, size)
}

// TestRebuild builds a large index anew, reading the arenas once and more than once.
func TestRebuild(t *testing.T) {
	const n, size = 5000, 20
	cfg := disk.Config{Dir: t.TempDir(), SegmentSize: 100_000}
	s := open(t, cfg)
	putN(t, s, 0, n, size)
	closeStore(t, s)
	for _, rows := range []int{0, 2000, 150} {
		if err := os.RemoveAll(filepath.Join(cfg.Dir, "index")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			s := open(t, cfg.RebuildRows(rows))
			wantAll(t, s, 0, n, size)
			rep, err := s.Verify(t.Context(), nil, nil)
			if err != nil || rep.Blocks != n || rep.Missing+rep.Dangling+rep.Damaged != 0 {
				t.Errorf("%d rows at a time: %+v %v", rows, rep, err)
			}
			closeStore(t, s)
		}
		s := open(t, cfg)
		if _, err := s.Trash(t.Context(), func(venti.Score) bool { return false }); err != nil { // changes each row
			t.Error(err)
		}
		closeStore(t, s)
		s = open(t, cfg)
		if st, err := s.Stats(t.Context()); err != nil || st.Trash != n {
			t.Errorf("%d rows at a time: %+v %v", rows, st, err)
		}
		closeStore(t, s)
	}
}

// every has Verify read every block.
func every(venti.Score) bool { return true }

// TestVerifyRest: what the caller has read is not read again, and all else is.
func TestVerifyRest(t *testing.T) {
	const n, size = 20, 2000
	cfg := disk.Config{Dir: t.TempDir()}
	s := open(t, cfg)
	defer closeStore(t, s)
	putN(t, s, 0, n, size)
	seg := filepath.Join(cfg.Dir, "arenas", "00000001.seg")
	f, err := os.OpenFile(seg, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("damage"), 15*size+size/2); err != nil { // in the contents of one
		t.Fatal(err)
	}
	for _, read := range []bool{false, true} {
		asked, damaged := 0, 0
		rep, err := s.Verify(t.Context(), func(venti.Score) bool { asked++; return read }, func(disk.Damage) { damaged++ })
		if err != nil || asked != n || rep.Records != n || (damaged == 1) != read {
			t.Errorf("reading %v: asked for %d, %d damaged: %+v %v", read, asked, damaged, rep, err)
		}
	}
}
