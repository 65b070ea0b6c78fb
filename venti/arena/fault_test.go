package arena_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"ventidhash/venti/arena"
)

// TestDiskFull lets writes stop half-way: the failed record leaves nothing, and the next one goes well.
func TestDiskFull(t *testing.T) {
	cfg := arena.Config{Dir: t.TempDir()}
	a := open(t, cfg)
	appendN(t, a, 0, 2, 100)
	for _, taken := range []int{0, 1, 19, 25, 60} {
		a.SetWrite(func(f *os.File, head, data []byte, off int64) (int, error) {
			all := append(append([]byte(nil), head...), data...)
			n, err := f.WriteAt(all[:taken], off)
			return n, errors.Join(err, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC})
		})
		if _, err := a.Append(1, key(50), data(50, 100)); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("full disk after %d bytes: %v", taken, err)
		}
		a.SetWrite(arena.Pwritev)
		appendN(t, a, 2, 1, 100)
	}
	if err := a.Sync(t.Context()); err != nil {
		t.Error(err)
	}
	if keys, damage := scan(t, a, arena.Data); len(keys) != 7 || len(damage) != 0 {
		t.Errorf("%d records, damage %v", len(keys), damage)
	}
	a.Close()
	if keys, damage := scan(t, open(t, cfg), arena.Data); len(keys) != 7 || len(damage) != 0 {
		t.Errorf("reopened: %d records, damage %v", len(keys), damage)
	}
}

// TestGroupCommit holds one fsync up while others ask: they share the next one.
func TestGroupCommit(t *testing.T) {
	a := open(t, arena.Config{Dir: t.TempDir()})
	appendN(t, a, 0, 1, 10)
	if err := a.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	var syncs atomic.Int32
	entered, let := make(chan struct{}, 100), make(chan struct{})
	a.SetSync(func(*os.File) error {
		syncs.Add(1)
		entered <- struct{}{}
		<-let
		return nil
	})
	var wg sync.WaitGroup
	appendN(t, a, 1, 1, 10)
	wg.Go(func() { check(t, a.Sync(t.Context())) })
	<-entered
	for i := range 20 {
		appendN(t, a, 2+i, 1, 10)
		wg.Go(func() { check(t, a.Sync(t.Context())) })
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Sync(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a waiting Sync ignored its context: %v", err)
	}
	close(let)
	wg.Wait()
	if n := syncs.Load(); n > 3 {
		t.Errorf("22 calls of Sync made %d calls of fsync", n)
	}
	check(t, a.Sync(t.Context()))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// TestSyncFails says that after a failed fsync nothing is claimed to be durable any more.
func TestSyncFails(t *testing.T) {
	a := open(t, arena.Config{Dir: t.TempDir()})
	locs := appendN(t, a, 0, 1, 10)
	a.SetSync(func(*os.File) error { return syscall.EIO })
	for range 2 {
		if err := a.Sync(t.Context()); !errors.Is(err, syscall.EIO) {
			t.Errorf("sync: %v", err)
		}
	}
	if _, err := a.Append(1, key(1), nil); !errors.Is(err, syscall.EIO) {
		t.Errorf("append: %v", err)
	}
	wantRecord(t, a, locs[0], 0, 10)
}
