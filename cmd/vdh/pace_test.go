package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"ventidhash/venti/ventitest"
)

// TestPace holds that what passes has the rate, and that whoever waits can be stopped.
func TestPace(t *testing.T) {
	p := &pace{rate: 1 << 20}
	begin := time.Now()
	for range 6 {
		if err := p.pass(t.Context(), 32<<10); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took < 150*time.Millisecond { // the last passes when the five before it are through
		t.Errorf("192 KiB passed in %v", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := p.pass(t.Context(), 1<<30); err != nil {
		t.Fatal(err)
	}
	if err := p.pass(ctx, 1); err == nil {
		t.Error("it did not wait")
	}
	for code, want := range map[string]float64{"8/20": 2.5, "1/1": 1, "": 1, "20/8": 1, "0/3": 1} {
		if got := growthOf(code); got != want {
			t.Errorf("the growth of %q is %v", code, got)
		}
	}
}

// TestLimitSwarm measures how fast a backup to a swarm sends, and a restore fetches, under --limit.
func TestLimitSwarm(t *testing.T) {
	if testing.Short() {
		t.Skip("runs members")
	}
	c := newPond(t, 4).client("client")
	const files, limit = 12 << 20, 16 << 20
	const sent = 2 * files // by the code
	dir := filepath.Join(c.home, "src")
	writeFile(t, filepath.Join(dir, "noise"), ventitest.Random(1, files))
	timed := func(what string, bytes int, args ...string) {
		t.Helper()
		begin := time.Now()
		c.vdh(exitOK, append(args, "-q", "--limit", "16MiB")...)
		took := time.Since(begin)
		if least := time.Duration(0.8 * float64(bytes) / limit * float64(time.Second)); took < least { // the first block is free
			t.Errorf("%s of %d MiB took %v, which is over %d MiB/s", what, bytes>>20, took, limit>>20)
		}
	}
	timed("a backup", sent, "backup", dir)
	timed("a restore", files, "restore", "latest"+dir, "--target", filepath.Join(c.home, "out"))
	sameTree(t, dir, filepath.Join(c.home, "out"))
}
