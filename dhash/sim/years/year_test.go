package years_test

import (
	"runtime"
	"testing"
	"time"

	"ventidhash/dhash/sim/years"
)

// year is a year, and half a one before it, of members that are there nine tenths of the time and die after a year.
func year(t *testing.T, text string) years.Config {
	return years.Config{Seed: 1, Members: 300, Blocks: 1500, Warmup: years.Year / 2, Code: code(t, text), Reads: 400_000}
}

// The default policy keeps five nines, loses nothing, and spends at most one and a half times what an oracle would.
func TestYear(t *testing.T) {
	cfg := year(t, "8/20")
	res := run(t, cfg)
	cfg.Oracle = true
	oracle := run(t, cfg)
	ratio := float64(res.Bytes.Repair()) / float64(oracle.Bytes.Repair())
	t.Logf("%v: unreadable %.2e [%.2e %.2e], reads below %.2e, %d lost of %d deaths, %.2f times the oracle", res.Code,
		res.Unavailability, res.Low, res.High, res.ReadBound, res.Lost, res.Deaths, ratio)
	if res.High > 1e-5 || res.ReadBound > 2e-5 || res.Lost > 0 || oracle.Lost > 0 {
		t.Errorf("%+v", res)
	}
	if res.Deaths != oracle.Deaths || res.Deaths < 350 {
		t.Errorf("%d deaths, the oracle has seen %d", res.Deaths, oracle.Deaths)
	}
	if ratio < 0.9 || ratio > 1.5 {
		t.Errorf("repair takes %.2f times what the oracle's does", ratio)
	}
}

// What the default is better than: DHash's own code misses five nines, and repair at the last moment loses blocks.
func TestOthers(t *testing.T) {
	eager := year(t, "7/14")
	eager.Lines = years.Lines{Repair: 13, Urgent: -1}
	res := run(t, eager)
	t.Logf("7/14, eager: unreadable %.2e, %d lost, %.1f GiB", res.Unavailability, res.Lost, float64(res.Bytes.Repair())/(1<<30))
	if res.Unavailability < 1e-5 || res.Unavailability > 1e-4 || res.Lost > 0 {
		t.Errorf("7/14, eager: %+v", res)
	}
	last := year(t, "8/20")
	last.Lines = years.Lines{Repair: 8, Urgent: -1}
	res = run(t, last)
	t.Logf("8/20, at the last moment: unreadable %.2e, %d lost", res.Unavailability, res.Lost)
	if res.Unavailability < 1e-3 || res.Lost == 0 {
		t.Errorf("8/20, at the last moment: %+v", res)
	}
}

// A block of 20 fragments takes less than 400 bytes, so that a million of them fit into 400 MB.
func TestMemory(t *testing.T) {
	const blocks = 100_000
	var before, most runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cfg := years.Config{Members: 1000, Blocks: blocks, Duration: 2 * years.Day, Code: code(t, "8/20")}
	cfg.Progress = func(passed, _ time.Duration) {
		if passed > years.Day && most.HeapAlloc == 0 {
			runtime.GC()
			runtime.ReadMemStats(&most)
		}
	}
	run(t, cfg)
	each := float64(most.HeapAlloc-before.HeapAlloc) / blocks
	t.Logf("%.0f bytes a block", each)
	if each > 400 {
		t.Errorf("%.0f bytes a block", each)
	}
}
