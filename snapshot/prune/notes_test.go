package prune_test

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"ventidhash/snapshot/prune"
	"ventidhash/venti"
)

// TestForgotten notes snapshots and takes them off again, from many goroutines at once.
func TestForgotten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "notes")
	now := time.Unix(1_790_000_000, 0).UTC()
	if list, err := prune.ReadForgotten(dir); err != nil || list != nil {
		t.Errorf("%v, %v", list, err)
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			s := venti.Sum([]byte{byte(i)})
			if err := prune.Forget(t.Context(), dir, now, s, venti.Sum([]byte("twice"))); err != nil {
				t.Error(err)
			}
			if i%2 == 1 {
				if err := prune.LetGo(t.Context(), dir, s); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	list, err := prune.ReadForgotten(dir)
	if err != nil || len(list) != 11 || !slices.IsSortedFunc(list, func(a, b prune.Forgotten) int { return bytes.Compare(a.Score[:], b.Score[:]) }) {
		t.Fatalf("%d, %v", len(list), err)
	}
	for _, f := range list {
		if !f.Time.Equal(now) {
			t.Errorf("%v", f)
		}
	}
	name := filepath.Join(dir, "forgotten")
	good := must(os.ReadFile(name))(t)
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 4
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if list, err := prune.ReadForgotten(dir); err != nil || list != nil {
			t.Fatalf("byte %d damaged: %v, %v", i, list, err)
		}
	}
	if err := prune.Forget(t.Context(), dir, now, list[0].Score); err != nil { // goes on from nothing
		t.Fatal(err)
	}
	if again := must(prune.ReadForgotten(dir))(t); len(again) != 1 || again[0] != list[0] {
		t.Errorf("%v", again)
	}
}

// forgottenVector is a file, made by hand from FORMAT.md with dhash/testdata/blake3.py.
const forgottenVector = "0101" + "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" + "80f7c4d506" +
	"5c817138cc76affd3c13126d93ca43154aa700165f8102ba1a8e03f45f5e0f51"

func FuzzForgotten(f *testing.F) {
	b, err := hex.DecodeString(forgottenVector)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		if again, err := prune.ReencodeForgotten(b); err == nil && !bytes.Equal(again, b) {
			t.Errorf("encoded again, %x is %x", b, again)
		}
	})
}

// TestForgottenFormat reads and writes the vector.
func TestForgottenFormat(t *testing.T) {
	dir := t.TempDir()
	b := must(hex.DecodeString(forgottenVector))(t)
	if err := os.WriteFile(filepath.Join(dir, "forgotten"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	list := must(prune.ReadForgotten(dir))(t)
	if len(list) != 1 || list[0].Score != venti.Sum([]byte{0}) || list[0].Time.Unix() != 1_790_000_000 {
		t.Errorf("%v", list)
	}
	other := t.TempDir()
	if err := prune.Forget(t.Context(), other, time.Unix(1_790_000_000, 5), venti.Sum([]byte{0})); err != nil {
		t.Fatal(err)
	}
	if got := must(os.ReadFile(filepath.Join(other, "forgotten")))(t); !bytes.Equal(got, b) {
		t.Errorf("written as\n%x, not\n%x", got, b)
	}
}

// TestRunning sees who writes, and not who died.
func TestRunning(t *testing.T) {
	dir := t.TempDir()
	count := func(want int, oldest time.Time) {
		t.Helper()
		if n, at, err := prune.Running(dir); err != nil || n != want || !at.Equal(oldest) {
			t.Errorf("%d since %v, %v; not %d since %v", n, at, err, want, oldest)
		}
	}
	count(0, time.Time{})
	now := time.UnixMilli(1_790_000_000_123)
	a := must(prune.Begin(dir, now.Add(time.Second)))(t)
	b := must(prune.Begin(dir, now))(t)
	count(2, now)
	dead := filepath.Join(dir, "running", "run-1000-0123456789abcdef")
	if err := os.WriteFile(dead, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	count(2, now)
	if _, err := os.Stat(dead); err == nil {
		t.Error("what a dead program left is not tidied up")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	count(1, now.Add(time.Second))
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	count(0, time.Time{})
	if left := must(os.ReadDir(filepath.Join(dir, "running")))(t); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}
