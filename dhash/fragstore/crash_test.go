package fragstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/fragstore"
	"ventidhash/venti"
)

// The test binary runs itself as another process, which puts fragments into the store in FRAGSTORE_DIR for ever.
func TestMain(m *testing.M) {
	dir := os.Getenv("FRAGSTORE_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	run := child
	if os.Getenv("FRAGSTORE_STATEMENT") != "" {
		run = settlingChild
	}
	if err := run(dir); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func childConfig(dir string) fragstore.Config {
	return fragstore.Config{Dir: dir, Member: me, Capacity: 1 << 40, Reserve: 1, SegmentSize: 1 << 20}
}

// child says which fragments are stored and which are released, after the store has said so.
func child(dir string) error {
	ctx := context.Background()
	s, err := fragstore.Open(ctx, childConfig(dir))
	if err != nil {
		return err
	}
	var mu sync.Mutex
	errs := make(chan error)
	for g := range 4 {
		go func() {
			for i := g; ; i += 4 {
				p := one(i, 5000)
				err := putOne(ctx, s, alice, p)
				if err == nil && i%3 == 0 {
					_, err = s.Release(ctx, alice, names([]piece{p}), time.Unix(int64(i), 0))
				}
				if err != nil {
					errs <- err
					return
				}
				mu.Lock()
				fmt.Println("stored", i)
				mu.Unlock()
			}
		}()
	}
	return <-errs
}

// TestKill kills a process while it puts and releases fragments: all that was acknowledged is so after a restart.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fragments")
	stored := map[int]bool{}
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "FRAGSTORE_DIR="+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var i int
			if _, err := fmt.Sscanf(lines.Text(), "stored %d", &i); err != nil {
				t.Fatal(err)
			}
			stored[i] = true
			if len(stored) == 150*(round+1) {
				cmd.Process.Kill()
			}
		}
		cmd.Wait()
		began := time.Now()
		s := open(t, childConfig(dir))
		t.Logf("reopened after %v, %d fragments", time.Since(began), len(stored))
		for i := range stored {
			p := one(i, 5000)
			want(t, s, p)
			if h := have(t, s, p.Score); len(h) != 1 || h[0].Trash() != (i%3 == 0) {
				t.Errorf("fragment %d: %+v", i, h)
			}
		}
		rep, err := s.Scrub(t.Context(), 1<<40, func(d fragstore.Damage) { t.Errorf("damage: %+v", d) })
		if err != nil || !rep.Done || rep.Missing+rep.Dangling != 0 {
			t.Errorf("%+v %v", rep, err)
		}
		closeStore(t, s)
	}
}

// TestOneProcess says who has the folder.
func TestOneProcess(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	_, err := fragstore.Open(t.Context(), cfg)
	if !errors.Is(err, venti.ErrUnavailable) {
		t.Error(err)
	}
	t.Log(err)
	closeStore(t, s)
	closeStore(t, open(t, cfg))
}

func TestMarker(t *testing.T) {
	cfg := config(t)
	cfg.Existing = true
	if _, err := fragstore.Open(t.Context(), cfg); !errors.Is(err, fragstore.ErrMarker) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := os.Stat(cfg.Dir); err == nil {
		t.Error("the folder was made")
	}
	if err := os.Mkdir(cfg.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := fragstore.Open(t.Context(), cfg)
	if !errors.Is(err, fragstore.ErrMarker) {
		t.Errorf("empty: %v", err)
	}
	t.Log(err)
	cfg.Existing = false
	s := open(t, cfg)
	put(t, s, alice, one(1, 100))
	closeStore(t, s)

	other := cfg
	other.Member = "another member"
	if _, err = fragstore.Open(t.Context(), other); !errors.Is(err, fragstore.ErrMarker) {
		t.Errorf("another member's: %v", err)
	}
	t.Log(err)
	path := filepath.Join(cfg.Dir, "FORMAT")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 0x20
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := fragstore.Open(t.Context(), cfg)
		if err == nil { // one hexadecimal digit instead of another: the index is another store's
			want(t, s, one(1, 100))
			closeStore(t, s)
		} else if !errors.Is(err, fragstore.ErrMarker) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for _, cfg.Existing = range []bool{true, false} {
		if _, err = fragstore.Open(t.Context(), cfg); !errors.Is(err, fragstore.ErrMarker) {
			t.Errorf("without marker: %v", err)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Existing = true
	want(t, open(t, cfg), one(1, 100))
}

func TestConfig(t *testing.T) {
	good := fragstore.Config{Dir: "x", Member: me, Capacity: 1}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*fragstore.Config){
		func(c *fragstore.Config) { c.Dir = "" }, func(c *fragstore.Config) { c.Member = "" },
		func(c *fragstore.Config) { c.Member = dhash.ID(make([]byte, 200)) }, func(c *fragstore.Config) { c.Capacity = 0 },
		func(c *fragstore.Config) { c.Reserve = -1 }, func(c *fragstore.Config) { c.TrashAge = -1 },
		func(c *fragstore.Config) { c.SegmentSize = 1 << 40 },
	} {
		bad := good
		change(&bad)
		if bad.Validate() == nil {
			t.Errorf("%+v is valid", bad)
		}
		if _, err := fragstore.Open(t.Context(), bad); err == nil {
			t.Errorf("%+v was opened", bad)
		}
	}
}

// settlingChild settles the statement in FRAGSTORE_STATEMENT, and kills itself when so many fragments are released.
func settlingChild(dir string) error {
	raw, err := os.ReadFile(os.Getenv("FRAGSTORE_STATEMENT"))
	if err != nil {
		return err
	}
	left, err := strconv.Atoi(os.Getenv("FRAGSTORE_RELEASES"))
	if err != nil {
		return err
	}
	cfg := childConfig(dir)
	cfg.Swarm = [32]byte{5}
	cfg.Clock(func() time.Time { return began })
	s, err := fragstore.Open(context.Background(), cfg)
	if err != nil {
		return err
	}
	fragstore.SetStep(s, func(string) error {
		if left--; left < 0 {
			p, err := os.FindProcess(os.Getpid())
			return errors.Join(err, p.Kill())
		}
		return nil
	})
	_, err = s.Settle(context.Background(), raw, calm(began.Add(time.Minute)))
	return errors.Join(err, errors.New("it was not killed"))
}

// TestSettleKill kills a process again and again while it settles: in the end all is released, and nothing else.
func TestSettleKill(t *testing.T) {
	w := newWriter(t, 1)
	cfg := swarmConfig(t, w)
	s := open(t, cfg)
	list := w.stock(s, 64)
	raw := w.release(list[:60]...)
	file := filepath.Join(t.TempDir(), "statement")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 20, 30} {
		closeStore(t, s)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "FRAGSTORE_DIR="+cfg.Dir, "FRAGSTORE_STATEMENT="+file, fmt.Sprint("FRAGSTORE_RELEASES=", n))
		if out, err := cmd.CombinedOutput(); err == nil || len(out) > 0 {
			t.Fatalf("%v: %s", err, out)
		}
		s = open(t, cfg)
		wantClaimed(t, s, w.owner, true, list[60:]...)
		want(t, s, list...)
	}
	left := s.Owner(w.owner).Fragments
	if left <= 4 || left >= 64 {
		t.Errorf("%d fragments are claimed", left)
	}
	w.settle(s, raw, claim.Done, claim.NoReason, left-4)
	wantClaimed(t, s, w.owner, false, list[:60]...)
	wantClaimed(t, s, w.owner, true, list[60:]...)
}
