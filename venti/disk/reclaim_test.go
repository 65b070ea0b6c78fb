package disk_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"ventidhash/venti"
	"ventidhash/venti/disk"
)

var errStop = errors.New("stop here")

// TestReclaimInterrupted stops Reclaim at each of its steps, by an error and by what a crash would leave: what is
// needed stays, and the next Reclaim ends the work.
func TestReclaimInterrupted(t *testing.T) {
	const n, size = 60, 1000
	for stop := range 30 {
		cfg := disk.Config{Dir: t.TempDir(), SegmentSize: 10_000}
		s := open(t, cfg)
		all := putN(t, s, 0, n, size)
		var keep []venti.Score
		for i, score := range all {
			if i%4 == 0 || i > 45 {
				keep = append(keep, score)
			}
		}
		if _, err := s.Trash(t.Context(), among(keep)); err != nil {
			t.Fatal(err)
		}
		settled, err := s.Settled(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		steps, at, crashed := 0, "", filepath.Join(t.TempDir(), "crashed")
		disk.SetStep(s, func(step string) error {
			if steps++; steps <= stop {
				return nil
			}
			at = step
			return errors.Join(errStop, copyStore(crashed, cfg.Dir))
		})
		_, err = s.Reclaim(t.Context(), settled, disk.ReclaimConfig{})
		if err == nil {
			if stop < 10 {
				t.Errorf("only %d steps", stop)
			}
			return
		}
		if !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		disk.SetStep(s, nil)
		for what, s := range map[string]*disk.Store{
			"stopped": s, "crashed": open(t, disk.Config{Dir: crashed, SegmentSize: 10_000}),
		} {
			afterStop(t, fmt.Sprintf("%s at step %d, %s", what, stop, at), s, keep)
		}
		closeStore(t, s)
	}
}

// copyStore copies a store as a crash would leave it: sockets and locks are gone.
func copyStore(to, from string) error {
	if err := os.Remove(filepath.Join(from, "sock")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.CopyFS(to, os.DirFS(from))
}

func afterStop(t *testing.T, what string, s *disk.Store, keep []venti.Score) {
	t.Helper()
	for _, score := range keep {
		if _, err := s.Get(t.Context(), score); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, _ = reclaim(t, s, among(keep))
	rep, err := s.Verify(t.Context(), every, func(d disk.Damage) { t.Errorf("%s: %+v", what, d) })
	if err != nil || rep.Missing+rep.Dangling != 0 {
		t.Errorf("%s: %+v %v", what, rep, err)
	}
	for _, score := range keep {
		if _, err := s.Get(t.Context(), score); err != nil {
			t.Errorf("%s, and reclaimed: %v", what, err)
		}
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Blocks > int64(len(keep))+6 {
		t.Errorf("%s: %+v %v", what, st, err)
	}
}

// TestReclaimRace has writers put and ask for blocks while they are reclaimed: what one was told is there, stays.
func TestReclaimRace(t *testing.T) {
	const n, size = 300, 1000
	cfg := disk.Config{Dir: t.TempDir(), SegmentSize: 10_000}
	s := open(t, cfg)
	guest := open(t, cfg)
	putN(t, s, 0, n, size)
	for round := range 4 {
		if _, err := s.Trash(t.Context(), among()); err != nil {
			t.Fatal(err)
		}
		settled, err := s.Settled(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		told := make([]bool, n)
		var wg sync.WaitGroup
		asked, finished := make(chan struct{}), make(chan struct{})
		disk.SetStep(s, func(string) error { // so that the two do go on side by side
			for range 2 {
				select {
				case <-asked:
				case <-finished:
				}
			}
			return nil
		})
		for w, st := range []*disk.Store{s, guest, s} {
			wg.Go(func() {
				for i := w; i < n; i += 3 {
					asked <- struct{}{}
					var err error
					switch (i + round) % 4 {
					case 0:
						_, err = st.Put(t.Context(), block(i, size))
						told[i] = true
					case 1:
						told[i] = has(t, st, venti.Sum(block(i, size)))
					case 2:
						_, err = st.Get(t.Context(), venti.Sum(block(i, size)))
						told[i] = err == nil
						if errors.Is(err, venti.ErrNotFound) {
							err = nil
						}
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		go func() {
			wg.Wait()
			close(finished)
		}()
		rr, err := s.Reclaim(t.Context(), settled, disk.ReclaimConfig{})
		if err != nil {
			t.Error(err)
		}
		for open := true; open; {
			select {
			case <-asked:
			case <-finished:
				open = false
			}
		}
		kept := 0
		for i, yes := range told {
			if yes {
				kept++
				wantAll(t, s, i, 1, size)
			}
		}
		t.Logf("%d freed, %d asked for and kept", rr.BlocksFreed, kept)
		rep, err := s.Verify(t.Context(), every, func(d disk.Damage) { t.Errorf("%+v", d) })
		if err != nil || rep.Missing+rep.Dangling != 0 {
			t.Errorf("%+v %v", rep, err)
		}
		putN(t, guest, 0, n, size)
	}
}
