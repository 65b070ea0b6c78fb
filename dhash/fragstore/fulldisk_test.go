package fragstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/dhash"
)

// A disk that somebody else fills to the last byte: nothing new is taken, everything that was acknowledged is served,
// and still is after a restart; with room again the store goes on.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	cfg := config(t)
	cfg.Dir = filepath.Join(disk, "fragments")
	s := open(t, cfg)
	var held []piece
	for i := range 10 {
		p := one(i, 200_000)
		if err := putOne(t.Context(), s, alice, p); err != nil {
			t.Fatal(err)
		}
		held = append(held, p)
	}
	ballast := filepath.Join(disk, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err = nil; err == nil; {
		_, err = f.Write(make([]byte, 4096))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := putOne(t.Context(), s, alice, one(100+i, 200_000)); !errors.Is(err, dhash.ErrFull) {
			t.Fatalf("Put on a full disk: %v, want %v", err, dhash.ErrFull)
		}
	}
	for _, p := range held {
		if _, _, err := s.Get(t.Context(), p.Score, nil, nil); err != nil {
			t.Errorf("Get from a full disk: %v", err)
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Release(t.Context(), alice, names(held[:5]), time.Unix(1_800_000_000, 0)); err != nil || n != 5 {
		t.Errorf("Release: %d, %v", n, err)
	}
	if err := putOne(t.Context(), s, alice, one(200, 200_000)); err != nil {
		t.Errorf("Put with room again: %v", err)
	}
	closeStore(t, s)
	s = open(t, cfg)
	for _, p := range held {
		if _, _, err := s.Get(t.Context(), p.Score, nil, nil); err != nil {
			t.Errorf("Get after a restart: %v", err)
		}
	}
}
