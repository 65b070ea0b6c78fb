package sim_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash/member"
	"ventidhash/dhash/sim"
	"ventidhash/venti"
)

// Blocks put through one member are read through another while packets get lost, and every fragment found its place.
func TestLoss(t *testing.T) {
	run(t, sim.Config{Members: 12, Seed: 1, Latency: 40 * time.Millisecond, BitsPerSecond: 50_000_000},
		func(t *testing.T, s *sim.Swarm) {
			want := blocks(s, 6, 64<<10)
			begun := time.Now()
			scores := s.Put(2, want[:3]...)
			t.Logf("put without loss: %v", time.Since(begun))
			s.Loss(0.02)
			begun = time.Now()
			scores = append(scores, s.Put(2, want[3:]...)...)
			t.Logf("put with 2 %% loss: %v", time.Since(begun))
			t.Logf("get with 2 %% loss: %v", read(t, s.Client(7), scores, want))
			for i, score := range scores {
				if held := s.FragmentsOf(score); len(held) != 12 {
					t.Errorf("block %d: %d members hold fragments", i, len(held))
				}
			}
			s.Heal()
		})
}

// The network falls into two while both sides write. The larger side stores and says that it is below the threshold; the
// smaller one says that it could not. When the network is whole again, what was stored is readable everywhere.
func TestPartitionDuringPut(t *testing.T) {
	run(t, ten(2), func(t *testing.T, s *sim.Swarm) {
		large, small := s.Client(1), s.Client(9)
		want := blocks(s, 3, 16<<10)
		s.Put(1, want[2])
		ends := make(chan error, 2)
		go func() { ends <- try(t, large, want[0]) }()
		go func() { ends <- try(t, small, want[1]) }()
		time.Sleep(time.Millisecond) // all is under way
		s.Partition([]int{7, 8, 9})
		begun := time.Now()
		first, second := <-ends, <-ends
		t.Logf("after %v: %v; %v", time.Since(begun), first, second)
		if first == nil {
			first = second
		} else if second != nil {
			t.Error("the larger side stored nothing")
		}
		if !errors.Is(first, venti.ErrUnavailable) {
			t.Errorf("the smaller side says %v", first)
		}
		if r := large.Report(); r.Blocks != 1 || r.Below != 1 || r.Fragments != 7 {
			t.Errorf("the larger side reports %+v", r)
		}
		if _, err := s.Client(8).Get(t.Context(), venti.Sum(want[0])); !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("the smaller side cannot read, and says %v", err)
		}
		s.Heal()
		t.Logf("one swarm again after %v", s.Settle())
		s.Put(9, want[1])
		for _, i := range []int{0, 6, 7, 9} {
			read(t, s.Client(i), scoresOf(want), want)
		}
	})
}

// One member of twenty hangs: puts and gets go on, and gets take no longer than before.
func TestOneHangs(t *testing.T) {
	run(t, sim.Config{Members: 20, Seed: 3}, func(t *testing.T, s *sim.Swarm) {
		want := blocks(s, 20, 16<<10)
		scores := s.Put(0, want...)
		g := s.Client(5)
		read(t, g, scores, want) // so that latencies are known
		before := read(t, g, scores, want)

		s.Stop(11)
		after := read(t, g, scores, want)
		t.Logf("20 gets: %v; with one that hangs: %v", before, after)
		if float64(after) > 1.3*float64(before) {
			t.Error("gets take more than 1.3 times as long")
		}
		more := blocks(s, 4, 16<<10)
		begun := time.Now()
		scores = s.Put(5, more...)
		t.Logf("puts: %v", time.Since(begun))
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("puts took %v", took)
		}
		read(t, s.Client(6), scores, more)
		s.Settle(slices.DeleteFunc(upTo(20), func(i int) bool { return i == 11 })...)
		read(t, s.Client(7), scores, more)
		s.Resume(11)
		t.Logf("back after %v", s.Settle())
		read(t, s.Client(11), scores, more)
	})
}

// Neither a put nor a get asks the DHT, or for the roster, or pings.
func TestNothingIsAskedPerBlock(t *testing.T) {
	run(t, sim.Config{Members: 12, Seed: 4}, func(t *testing.T, s *sim.Swarm) {
		requests := func() (lookups, dht uint64, roster int) {
			for i := range 12 {
				st := s.Node(i).Status()
				lookups += st.Lookups
				dht += st.Requests
			}
			return lookups, dht, s.Streams(member.Protocol)
		}
		time.Sleep(30 * time.Second) // what belongs to joining is over
		_, dht0, roster0 := requests()
		time.Sleep(time.Minute)
		_, dht1, roster1 := requests()
		g, want := s.Client(3), blocks(s, 60, 4<<10)
		begun := time.Now()
		scores := s.Put(3, want...)
		read(t, s.Client(8), scores, want)
		took := time.Since(begun)
		lookups, dht2, roster2 := requests()
		t.Logf("in an idle minute %d requests of the DHT, %d of the roster; in %v with 60 blocks %d and %d",
			dht1-dht0, roster1-roster0, took, dht2-dht1, roster2-roster1)
		if lookups != 0 || g.Counts().Lookups != 0 {
			t.Errorf("%d lookups", lookups)
		}
		share := float64(took) / float64(time.Minute)
		if n := roster2 - roster1; float64(n) > 10+2*share*float64(roster1-roster0) {
			t.Errorf("%d requests of the roster", n)
		}
		if n := dht2 - dht1; float64(n) > 10+2*share*float64(dht1-dht0) {
			t.Errorf("%d requests of the DHT", n)
		}
	})
}
