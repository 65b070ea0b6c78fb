package sim_test

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/member"
	"ventidhash/dhash/sim"
	"ventidhash/venti"
)

// run is sim.Run, and says what it cost.
func run(t *testing.T, cfg sim.Config, f func(t *testing.T, s *sim.Swarm)) {
	t.Helper()
	before := cpuTime()
	sim.Run(t, cfg, func(t *testing.T, s *sim.Swarm) {
		formed := cpuTime()
		begun := time.Now()
		f(t, s)
		t.Logf("%v of virtual time, %v of CPU, and %v before to form the swarm", time.Since(begun).Round(time.Millisecond),
			(cpuTime() - formed).Round(time.Millisecond), (formed - before).Round(time.Millisecond))
	})
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ten is a swarm of ten members, which hold one fragment each of every block: four of them are needed.
func ten(seed uint64) sim.Config {
	return sim.Config{Members: 10, Seed: seed, Manifest: &member.Manifest{Name: "ten", MilliNines: 5000, Availability: 900_000,
		Code: dhash.Code{Need: 4, Total: 10}}}
}

// long skips a test that takes a minute or more of CPU, unless it is asked for.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("VDH_SIM_LONG") == "" {
		t.Skip("takes long; set VDH_SIM_LONG=1")
	}
}

// blocks returns n blocks of a size.
func blocks(s *sim.Swarm, n, size int) [][]byte {
	var list [][]byte
	for range n {
		list = append(list, s.Block(size))
	}
	return list
}

// read gets all blocks from a store, one after the other, and returns how long that took.
func read(t *testing.T, g *gateway.Gateway, scores []venti.Score, want [][]byte) time.Duration {
	t.Helper()
	begun := time.Now()
	for i, score := range scores {
		got, err := g.Get(t.Context(), score)
		if err != nil {
			t.Fatalf("block %d of %d: %v", i, len(scores), err)
		}
		if !bytes.Equal(got, want[i]) {
			t.Fatalf("block %d of %d is another one", i, len(scores))
		}
	}
	return time.Since(begun)
}

// try puts a block and waits for it, and returns what the store says.
func try(t *testing.T, g *gateway.Gateway, block []byte) error {
	t.Helper()
	_, err := g.Put(t.Context(), block)
	return errors.Join(err, g.Sync(t.Context()))
}

func scoresOf(list [][]byte) []venti.Score {
	var scores []venti.Score
	for _, b := range list {
		scores = append(scores, venti.Sum(b))
	}
	return scores
}

func upTo(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return all
}
