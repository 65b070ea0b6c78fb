package sim_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/sim"
	"ventidhash/venti"
)

// agree fails the test unless all members that run compute the same holders.
func agree(t *testing.T, s *sim.Swarm) {
	t.Helper()
	code := dhash.Code{Need: 4, Total: 10}
	for range 50 {
		score := venti.Sum(s.Block(8))
		var want []int
		for _, i := range s.Running() {
			got := s.Holders(i, score, code, 6)
			if want == nil {
				want = got
			}
			if !slices.Equal(got, want) {
				t.Fatalf("member %d computes %v, others %v", i, got, want)
			}
		}
	}
}

// After joins, leaves and crashes all members compute the same holders, and what was stored before is read.
func TestSamePlacement(t *testing.T) {
	cfg := sim.Config{Members: 12, Seed: 7, Domain: func(i int) string { return fmt.Sprintf("site%d/host%d", i%5, i/2) }}
	run(t, cfg, func(t *testing.T, s *sim.Swarm) {
		agree(t, s)
		want := blocks(s, 4, 16<<10)
		scores := s.Put(1, want...)
		joined := s.Join(4)
		t.Logf("four joined, known after %v", s.Settle())
		agree(t, s)
		read(t, s.Client(joined[0]), scores, want)
		s.Leave(2, 3)
		t.Logf("two left, known after %v", s.Settle())
		agree(t, s)
		s.Kill(4, 13)
		t.Logf("two crashed, known after %v", s.Settle())
		agree(t, s)
		scores = append(scores, s.Put(joined[2], blocks(s, 1, 16<<10)...)...)[:4]
		s.Restart(2, 13)
		t.Logf("two are back, known after %v", s.Settle())
		agree(t, s)
		read(t, s.Client(13), scores, want)
	})
}

// A member that does not know of the last three to join reads what was placed on them, and what it places is read.
func TestPartialRoster(t *testing.T) {
	run(t, sim.Config{Members: 12, Seed: 8}, func(t *testing.T, s *sim.Swarm) {
		s.Partition([]int{9})
		s.Join(3)
		time.Sleep(10 * time.Second)
		want := blocks(s, 5, 16<<10)
		scores := s.Put(4, want[:4]...)
		onNew := 0
		for _, score := range scores {
			held := s.FragmentsOf(score)
			onNew += len(held[12]) + len(held[13]) + len(held[14])
		}
		if onNew == 0 {
			t.Fatal("nothing was placed on the new members")
		}
		s.Heal()
		if n := len(s.Node(9).Members()); n != 12 {
			t.Fatalf("member 9 knows %d members already", n)
		}
		g := s.Client(9)
		t.Logf("4 gets with a roster of 12 of 15: %v", read(t, g, scores, want[:4]))
		if err := try(t, g, want[4]); err != nil {
			t.Error(err)
		}
		read(t, s.Client(13), scoresOf(want[4:]), want[4:])
		t.Logf("known after %v", s.Settle())
		agree(t, s)
	})
}

// Two members that were cut off for ten minutes, from each other too, and one that starts again elsewhere, are part of
// the swarm again by themselves, with what they hold.
func TestCutOffAndMoved(t *testing.T) {
	run(t, sim.Config{Members: 7, Seed: 9}, func(t *testing.T, s *sim.Swarm) {
		want := blocks(s, 3, 16<<10)
		scores := s.Put(0, want...)
		s.Partition([]int{4}, []int{6})
		s.Kill(5)
		t.Logf("all three are missed after %v", s.Settle(0, 1, 2, 3))
		time.Sleep(10 * time.Minute)
		s.Heal()
		s.Move(5)
		took := s.Settle()
		t.Logf("all three are back after %v", took)
		if took > 90*time.Second {
			t.Error("that is too long")
		}
		agree(t, s)
		for _, i := range []int{4, 5, 6} {
			read(t, s.Client(i), scores, want)
			s.Put(i, s.Block(16<<10))
		}
		for i, score := range scores {
			if held := s.FragmentsOf(score); len(held) != 7 {
				t.Errorf("block %d is held by %v", i, held)
			}
		}
	})
}

// A member that crashes and is back before anybody has noticed gets its fragment of the next block: requests to it, over
// connections of its former life, are sent again.
func TestUnnoticedRestart(t *testing.T) {
	run(t, sim.Config{Members: 7, Seed: 14}, func(t *testing.T, s *sim.Swarm) {
		want := blocks(s, 7, 4<<10)
		scores := s.Put(0, want[0]) // member 0 has a stream to member 3, the others a connection
		s.Kill(3)
		s.Down(3)
		s.Restart(3)
		for n, i := range []int{0, 1, 2, 4, 5, 6} {
			scores = append(scores, s.Put(i, want[n+1])...)
		}
		for i, score := range scores {
			if held := s.FragmentsOf(score); len(held[3]) != 1 {
				t.Errorf("block %d: member 3 has no fragment: %v", i, held)
			}
		}
		read(t, s.Client(3), scores, want)
	})
}
