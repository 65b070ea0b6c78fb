package disk_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/disk"
)

// reclaim runs Trash, Settled and Reclaim, with the blocks live for which live returns true.
func reclaim(t testing.TB, s *disk.Store, live func(venti.Score) bool) (disk.TrashReport, disk.ReclaimReport) {
	t.Helper()
	tr, err := s.Trash(t.Context(), live)
	if err != nil {
		t.Fatal(err)
	}
	settled, err := s.Settled(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rr, err := s.Reclaim(t.Context(), settled, disk.ReclaimConfig{})
	if err != nil {
		t.Fatal(err)
	}
	return tr, rr
}

func among(scores ...[]venti.Score) func(venti.Score) bool {
	m := map[venti.Score]bool{}
	for _, list := range scores {
		for _, s := range list {
			m[s] = true
		}
	}
	return func(s venti.Score) bool { return m[s] }
}

func arenaBytes(t testing.TB, dir string) (n int64) {
	t.Helper()
	files, err := os.ReadDir(filepath.Join(dir, "arenas"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}

func TestReclaim(t *testing.T) {
	const n, size = 200, 5000
	cfg := disk.Config{Dir: t.TempDir(), SegmentSize: 100_000}
	s := open(t, cfg)
	all := putN(t, s, 0, n, size)
	before := arenaBytes(t, cfg.Dir)
	keep := append(append([]venti.Score(nil), all[:20]...), all[150], all[151], all[199])
	tr, rr := reclaim(t, s, among(keep))
	if tr.Live != 23 || tr.Trash != n-23 || tr.New != n-23 || rr.BlocksFreed != n-23 {
		t.Errorf("%+v %+v", tr, rr)
	}
	after := arenaBytes(t, cfg.Dir)
	if after > 30*(size+100) || before-after < rr.BytesFreed-1000 {
		t.Errorf("%d bytes, then %d; freed %d", before, after, rr.BytesFreed)
	}
	check := func(s *disk.Store) {
		t.Helper()
		for i, score := range all {
			if got, want := has(t, s, score), among(keep)(score); got != want {
				t.Errorf("block %d: has %v, want %v", i, got, want)
			}
		}
		wantAll(t, s, 0, 20, size)
		rep, err := s.Verify(t.Context(), every, func(d disk.Damage) { t.Errorf("damage: %+v", d) })
		if err != nil || rep.Blocks != 23 || rep.Missing != 0 {
			t.Errorf("%+v %v", rep, err)
		}
	}
	check(s)
	closeStore(t, s)
	s = open(t, cfg)
	check(s)
	if err := errors.Join(s.Close(), os.RemoveAll(filepath.Join(cfg.Dir, "index"))); err != nil {
		t.Fatal(err)
	}
	s = open(t, cfg)
	check(s)
	putN(t, s, 0, n, size)
	wantAll(t, s, 0, n, size)
	if _, rr = reclaim(t, s, among(all)); rr.BlocksFreed != 0 {
		t.Errorf("freed needed blocks: %+v", rr)
	}
	wantAll(t, s, 0, n, size)
}

// TestHardlyDead leaves segments alone of which too little is dead, and keeps what is trash there as trash.
func TestSurvey(t *testing.T) {
	s := open(t, disk.Config{Dir: t.TempDir()})
	all := putN(t, s, 0, 50, 1000)
	live := among(all[:30])
	said, err := s.Survey(t.Context(), live)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Trash != 0 {
		t.Errorf("after a survey: %+v, %v", st, err)
	}
	done, err := s.Trash(t.Context(), live)
	if err != nil || said != done {
		t.Errorf("said %+v, did %+v, %v", said, done, err)
	}
}

func TestHardlyDead(t *testing.T) {
	cfg := disk.Config{Dir: t.TempDir(), SegmentSize: 100_000}
	s := open(t, cfg)
	all := putN(t, s, 0, 60, 5000) // 19 in a segment
	_, rr := reclaim(t, s, among(all[1:]))
	if rr.BlocksFreed != 0 || rr.BytesWaiting < 5000 || rr.SegmentsRewritten != 0 {
		t.Errorf("%+v", rr)
	}
	st, err := s.Stats(t.Context())
	if err != nil || st.Trash != 1 || st.Blocks != 60 {
		t.Errorf("%+v %v", st, err)
	}
	_, rr = reclaim(t, s, among(all[2:]))
	if rr.BlocksFreed != 2 {
		t.Errorf("%+v", rr)
	}
}

// TestRescue says that whoever asks for trash keeps it.
func TestRescue(t *testing.T) {
	for name, ask := range map[string]func(s *disk.Store, i int) error{
		"get": func(s *disk.Store, i int) error {
			_, err := s.Get(context.Background(), venti.Sum(block(i, 1000)))
			return err
		},
		"put": func(s *disk.Store, i int) error { _, err := s.Put(context.Background(), block(i, 1000)); return err },
		"has": func(s *disk.Store, i int) error {
			h, err := s.Has(context.Background(), []venti.Score{venti.Sum(block(i, 1000))})
			if err == nil && !h[0] {
				err = errors.New("not there")
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := disk.Config{Dir: t.TempDir(), SegmentSize: 10_000}
			s := open(t, cfg)
			guest := open(t, cfg)
			putN(t, s, 0, 50, 1000)
			if _, err := s.Trash(t.Context(), among()); err != nil {
				t.Fatal(err)
			}
			for i := 0; i < 50; i += 5 {
				if err := ask(map[bool]*disk.Store{true: s, false: guest}[i%10 == 0], i); err != nil {
					t.Error(err)
				}
			}
			settled, err := s.Settled(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			rr, err := s.Reclaim(t.Context(), settled, disk.ReclaimConfig{})
			if err != nil || rr.BlocksFreed != 40 {
				t.Errorf("%+v %v", rr, err)
			}
			for i := range 50 {
				if got := has(t, s, venti.Sum(block(i, 1000))); got != (i%5 == 0) {
					t.Errorf("block %d: %v", i, got)
				}
			}
		})
	}
}

func TestSessions(t *testing.T) {
	cfg := disk.Config{Dir: t.TempDir(), SegmentSize: 10_000}
	s := open(t, cfg)
	all := putN(t, s, 0, 30, 1000)
	old, err := s.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := start(t, "session", cfg.Dir)
	other.line(t)
	own, err := s.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Trash(t.Context(), among(all[10:])); err != nil {
		t.Fatal(err)
	}
	late, err := s.Session(t.Context()) // began after the trash became trash
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	try := func(what string, want int64) {
		t.Helper()
		settled, err := s.Settled(t.Context(), own)
		if err != nil {
			t.Fatal(err)
		}
		rr, err := s.Reclaim(t.Context(), settled, disk.ReclaimConfig{})
		if err != nil || rr.BlocksFreed != want {
			t.Errorf("%s: %+v %v", what, rr, err)
		}
		if want == 0 && rr.BytesWaiting < 10_000 {
			t.Errorf("%s: %+v", what, rr)
		}
	}
	try("two sessions", 0)
	if err := errors.Join(old.Close(), old.Close()); err != nil {
		t.Error(err)
	}
	try("another process's session", 0)
	other.kill()
	try("late session only", 10)
	files, err := os.ReadDir(filepath.Join(cfg.Dir, "sessions"))
	if err != nil || len(files) != 3 { // own, late and the counter
		t.Errorf("%v %v", files, err)
	}
}

// TestCounterLost says that sessions begin also when their counter went back, as after a power cut.
func TestCounterLost(t *testing.T) {
	cfg := disk.Config{Dir: t.TempDir()}
	s := open(t, cfg)
	for _, text := range []string{"1\n", "", "junk"} {
		for range 2 {
			sess, err := s.Session(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer sess.Close()
		}
		if err := os.WriteFile(filepath.Join(cfg.Dir, "sessions", "next"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := os.ReadDir(filepath.Join(cfg.Dir, "sessions")); err != nil || len(files) != 7 {
		t.Errorf("%v %v", files, err)
	}
}

// TestOwnerDied says that trash is not settled for sessions that had begun when an owner died: it may have taken the
// note with it that they need some of it.
func TestOwnerDied(t *testing.T) {
	dir := t.TempDir()
	owner := start(t, "hold", dir)
	owner.line(t)
	s := open(t, disk.Config{Dir: dir})
	putN(t, s, 0, 10, 1000)
	if _, err := s.Trash(t.Context(), among()); err != nil { // takes the store over
		t.Fatal(err)
	}
	sess, err := s.Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	victim := start(t, "hold", dir)
	victim.line(t)
	victim.kill()
	owner.kill()
	s = open(t, disk.Config{Dir: dir})
	settled, err := s.Settled(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rr, err := s.Reclaim(t.Context(), settled, disk.ReclaimConfig{})
	if err != nil || rr.BlocksFreed != 0 {
		t.Errorf("%+v %v", rr, err)
	}
	closeStore(t, s)
	s = open(t, disk.Config{Dir: dir}) // closed well: still not
	if rr, err = s.Reclaim(t.Context(), settled, disk.ReclaimConfig{}); err != nil || rr.BlocksFreed != 0 {
		t.Errorf("%+v %v", rr, err)
	}
	if err := sess.Close(); err != nil {
		t.Error(err)
	}
	if settled, err = s.Settled(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rr, err = s.Reclaim(t.Context(), settled, disk.ReclaimConfig{}); err != nil || rr.BlocksFreed != 10 {
		t.Errorf("%+v %v", rr, err)
	}
}
