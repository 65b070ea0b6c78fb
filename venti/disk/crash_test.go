package disk_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/disk"
)

// TestKill kills a process while it puts blocks: all that were synced are there, at once.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		p := start(t, "put", dir)
		last := 0
		for last < 100*(round+1) {
			if _, err := fmt.Sscanf(p.line(t), "synced %d", &last); err != nil {
				t.Fatal(err)
			}
		}
		p.kill()
		began := time.Now()
		s := open(t, disk.Config{Dir: dir})
		t.Logf("reopened after %v, %d blocks", time.Since(began), last+1)
		for i := range last + 1 {
			wantAll(t, s, i, 1, 5000+i)
		}
		rep, err := s.Verify(t.Context(), every, func(d disk.Damage) { t.Errorf("damage: %+v", d) })
		if err != nil || rep.Missing != 0 || rep.Dangling != 0 {
			t.Errorf("%+v %v", rep, err)
		}
		closeStore(t, s)
	}
}

// TestFailover has two guests put blocks while one owner after another is killed or goes: they do not notice.
func TestFailover(t *testing.T) {
	dir := t.TempDir()
	owner := start(t, "hold", dir)
	owner.line(t)
	a, b := open(t, disk.Config{Dir: dir}), open(t, disk.Config{Dir: dir})
	next := start(t, "hold", dir)
	next.line(t)

	var done atomic.Bool
	var count [2]int
	var wg sync.WaitGroup
	for g, s := range []*disk.Store{a, b} {
		wg.Go(func() {
			for i := 0; !done.Load() || i < 50; i++ {
				bl := block(g*100_000+i, 3000)
				if _, err := s.Put(t.Context(), bl); err != nil {
					t.Errorf("guest %d, block %d: %v", g, i, err)
					return
				}
				if i%10 == 0 {
					if err := s.Sync(t.Context()); err != nil {
						t.Errorf("guest %d, sync: %v", g, err)
						return
					}
				}
				count[g] = i + 1
			}
		})
	}
	owner.kill()
	if err := a.Sync(t.Context()); err != nil {
		t.Error(err)
	}
	next.stop(t)
	for range 3 { // and the two take turns
		for _, s := range []*disk.Store{a, b} {
			if err := s.Own(t.Context()); err != nil {
				t.Error(err)
			}
			if !disk.IsOwner(s) {
				t.Error("not the owner after Own")
			}
		}
	}
	done.Store(true)
	wg.Wait()
	closeStore(t, a)
	wantAll(t, b, 0, count[0], 3000)
	wantAll(t, b, 100_000, count[1], 3000)
	t.Logf("%v blocks", count)
}

// TestDeadOwner says that a guest's Sync covers what an owner acknowledged that was killed since.
func TestDeadOwner(t *testing.T) {
	dir := t.TempDir()
	owner := start(t, "hold", dir)
	owner.line(t)
	g := open(t, disk.Config{Dir: dir})
	if disk.IsOwner(g) {
		t.Fatal("is the owner")
	}
	putN(t, g, 0, 100, 2000)
	owner.kill()
	wantAll(t, g, 0, 100, 2000)
	if err := g.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !disk.IsOwner(g) {
		t.Error("nobody is the owner")
	}
}

// TestStopped has an owner that does not answer: the error names it.
func TestStopped(t *testing.T) {
	dir := t.TempDir()
	owner := start(t, "hold", dir)
	owner.line(t)
	if err := os.Remove(filepath.Join(dir, "sock")); err != nil {
		t.Fatal(err)
	}
	_, err := disk.Open(t.Context(), disk.Config{Dir: dir, Wait: 50 * time.Millisecond})
	if !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("opened: %v", err)
	}
	t.Log(err)
	owner.stop(t)
	open(t, disk.Config{Dir: dir})
}

// TestBusyOwner says that nobody takes the store away from a process that is tending it.
func TestBusyOwner(t *testing.T) {
	dir := t.TempDir()
	a := open(t, disk.Config{Dir: dir})
	b := open(t, disk.Config{Dir: dir, Wait: 100 * time.Millisecond}) // as long as it is refused
	patient := open(t, disk.Config{Dir: dir})
	putN(t, a, 0, 10, 100)
	asked := false
	_, err := a.Trash(t.Context(), func(venti.Score) bool {
		if !asked {
			asked = true
			if err := b.Own(t.Context()); !errors.Is(err, venti.ErrUnavailable) {
				t.Errorf("own: %v", err)
			} else {
				t.Log(err)
			}
			putN(t, b, 10, 10, 100) // it can still be used
		}
		return true
	})
	if err != nil || !asked {
		t.Error(err)
	}
	if err := patient.Own(t.Context()); err != nil {
		t.Error(err)
	}
	wantAll(t, a, 0, 20, 100)
}

// mount mounts something on dir, or skips the test.
func mount(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", append(args, dir)...).CombinedOutput(); err != nil {
		t.Skipf("needs to mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
}

func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir, "-t", "tmpfs", "-o", "size=24m", "none")
	cfg := disk.Config{Dir: dir, SegmentSize: 4 << 20}
	s := open(t, cfg)
	n := 0
	for ; ; n++ {
		_, err := s.Put(t.Context(), block(n, 300_000))
		if err == nil {
			continue
		}
		if !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, venti.ErrUnavailable) {
			t.Fatal(err)
		}
		t.Log(err)
		break
	}
	if n < 50 {
		t.Errorf("full after %d blocks", n)
	}
	if err := s.Sync(t.Context()); err != nil {
		t.Error(err)
	}
	wantAll(t, s, 0, n, 300_000)
	// Somebody else takes the rest.
	hog := filepath.Join(dir, "lost+found")
	if err := os.WriteFile(hog, make([]byte, 24<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), block(n, 300_000)); !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	wantAll(t, s, 0, n, 300_000)
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	// Space comes back by reclaiming.
	if _, err := s.Trash(t.Context(), func(venti.Score) bool { return false }); err != nil {
		t.Fatal(err)
	}
	settled, err := s.Settled(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rep, err := s.Reclaim(t.Context(), settled, disk.ReclaimConfig{})
	if err != nil || rep.BlocksFreed != int64(n) {
		t.Errorf("%+v %v", rep, err)
	}
	putN(t, s, 0, n, 300_000)
	closeStore(t, s)
	wantAll(t, open(t, cfg), 0, n, 300_000)
}

func TestReadOnly(t *testing.T) {
	dir, view := t.TempDir(), t.TempDir()
	s := open(t, disk.Config{Dir: dir, SegmentSize: 20_000})
	putN(t, s, 0, 100, 1000)
	closeStore(t, s)
	mount(t, view, "--bind", dir)
	if out, err := exec.Command("mount", "-o", "remount,bind,ro", view).CombinedOutput(); err != nil {
		t.Skipf("needs to mount: %v: %s", err, out)
	}
	r := open(t, disk.Config{Dir: view})
	wantAll(t, r, 0, 100, 1000)
	putN(t, r, 0, 100, 1000) // they are there
	if _, err := r.Put(t.Context(), block(200, 1000)); !errors.Is(err, os.ErrPermission) {
		t.Errorf("put: %v", err)
	}
	if err := r.Own(t.Context()); !errors.Is(err, syscall.EROFS) {
		t.Errorf("own: %v", err)
	}
	if st, err := r.Stats(t.Context()); err != nil || st.Blocks != 100 {
		t.Errorf("%+v %v", st, err)
	}
	rep, err := r.Verify(t.Context(), every, nil)
	if err != nil || rep.Records != 100 || rep.Damaged+rep.Missing+rep.Dangling != 0 {
		t.Errorf("%+v %v", rep, err)
	}
}
