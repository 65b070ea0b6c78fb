package years_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/sim/years"
)

// burst is what happened to OpenDHT: 60 of its 190 nodes left within fifteen minutes, and came back.
func burst(t *testing.T, seed uint64) []years.Event {
	const members, leave = 190, 60
	tape := newTape(members)
	rng := rand.New(rand.NewPCG(seed, 99))
	who := rng.Perm(members)[:leave]
	for i, m := range who {
		tape.add(7*time.Hour+time.Duration(i)*15*time.Minute/leave, m, "down")
	}
	for i, m := range who {
		tape.add(13*time.Hour+time.Duration(i)*time.Minute, m, "up")
	}
	return tape.parse(t)
}

// hypergeometric returns the probability that fewer than Need fragments of a block are left when so many of so many
// members have left (dht.md, 9.1), in factors that are neither very large nor very small.
func hypergeometric(c dhash.Code, members, left int) float64 {
	choose := func(n, k int) float64 {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(k + 1))
		d, _ := math.Lgamma(float64(n - k + 1))
		return a - b - d
	}
	u := 0.0
	for i := max(0, c.Total-left); i < c.Need; i++ {
		u += math.Exp(choose(members-left, i) + choose(left, c.Total-i) - choose(members, c.Total))
	}
	return u
}

// When 60 of 190 members leave within a quarter of an hour, as many blocks cannot be read as the hypergeometric
// distribution says; and all is well when they are back.
func TestBurst(t *testing.T) {
	const seeds, blocks = 100, 300
	for text, published := range map[string]float64{"1/8": 7.05e-5, "7/14": 3.65e-2, "8/16": 2.95e-2, "8/20": 1.22e-3,
		"8/22": 1.95e-4, "4/16": 2.78e-5, "10/30": 2.60e-6, "16/32": 4.66e-3} {
		c := code(t, text)
		want := hypergeometric(c, 190, 60)
		if math.Abs(want/published-1) > 0.005 {
			t.Fatalf("%s: the hypergeometric distribution gives %.3g, not %.3g", text, want, published)
		}
		var sum, squares float64
		for seed := range uint64(seeds) {
			res := run(t, years.Config{Seed: seed, Trace: burst(t, seed), Blocks: blocks, Duration: 2 * years.Day, Code: c, Reads: -1})
			part := float64(res.MostAtOnce) / blocks
			sum += part
			squares += part * part
			if res.AtEnd+res.Lost > 0 {
				t.Fatalf("%s, seed %d: %d cannot be read in the end, %d lost", text, seed, res.AtEnd, res.Lost)
			}
		}
		mean := sum / seeds
		deviation := math.Sqrt(max(squares/seeds-mean*mean, want/blocks) / seeds) // what one block more or less is, at least
		t.Logf("%-5s unreadable %.2e ± %.1e, hypergeometric %.2e", text, mean, deviation, want)
		if math.Abs(mean-want) > 4*deviation {
			t.Errorf("%s: %.3e of the blocks cannot be read, want %.3e", text, mean, want)
		}
	}
}

// A burst makes no storm of repair. What is repaired is a few blocks that are looked at before the brake is on, and some
// when it comes off too early: it should wait until nine tenths are back. Without the brake there is a storm.
func TestBrake(t *testing.T) {
	const seeds, blocks = 20, 500
	repaired := map[string]float64{} // parts of the bytes that are stored
	for name, cfg := range map[string]years.Config{"off": {NoBrake: true}, "on": {}, "released late": {Release: 0.1}} {
		for seed := range uint64(seeds) {
			cfg.Seed, cfg.Trace, cfg.Blocks, cfg.Duration, cfg.Reads = seed, burst(t, seed), blocks, 1*years.Day, -1
			cfg.Code = code(t, "8/20")
			res := run(t, cfg)
			repaired[name] += float64(res.Bytes.Repair()) / (seeds * blocks * 20 / 8. * (1 << 20))
		}
	}
	t.Logf("repaired: %v", repaired)
	if repaired["off"] < 0.04 || repaired["on"] > 0.005 || repaired["released late"] > repaired["on"]/3 {
		t.Errorf("repaired: %v", repaired)
	}
}

// Members that stay away for longer than the grace period are gone: the brake does not stop repair for ever.
func TestBrakeEnds(t *testing.T) {
	tape := newTape(100)
	for m := range 40 {
		tape.add(5*time.Hour, m, "down")
	}
	res := run(t, years.Config{Trace: tape.parse(t), Blocks: 500, Duration: 6 * years.Day, Code: code(t, "8/20"), Reads: -1})
	if res.Braked != 1 || res.Mended+res.Urgent < 450 || res.Counted[20] < 500*3 {
		t.Errorf("%+v", res)
	}
}
