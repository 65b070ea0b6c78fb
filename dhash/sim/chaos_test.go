package sim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash/sim"
	"ventidhash/venti"
)

// A trial is a swarm that one thing after another happens to, never to more than a quarter of its members at once. As
// long as that is so every block that was acknowledged can be read by who is there.
type trial struct {
	t      *testing.T
	s      *sim.Swarm
	dice   *rand.Rand
	n      int
	away   map[int]string // members, and what happened to them
	scores []venti.Score
	blocks [][]byte
}

// chaos makes so many steps.
func chaos(t *testing.T, members int, seed uint64, steps int) {
	run(t, sim.Config{Members: members, Seed: seed}, func(t *testing.T, s *sim.Swarm) {
		tr := &trial{t: t, s: s, dice: rand.New(rand.NewPCG(seed, 1)), n: members, away: map[int]string{}}
		tr.put()
		for i := range steps {
			t.Logf("step %d: %s", i, tr.step())
			if i%3 == 2 {
				tr.settle()
			}
		}
		for i := range tr.away {
			tr.back(i)
		}
		s.Heal()
		s.Settle()
		agree(t, s)
		for range 3 {
			read(t, s.Client(tr.dice.IntN(members)), tr.scores, tr.blocks)
		}
	})
}

// present returns the members that nothing has happened to.
func (tr *trial) present() []int {
	return slices.DeleteFunc(upTo(tr.n), func(i int) bool { return tr.away[i] != "" })
}

func (tr *trial) any() int {
	list := tr.present()
	return list[tr.dice.IntN(len(list))]
}

// step does something, and returns what, in words.
func (tr *trial) step() string {
	s := tr.s
	switch k := tr.dice.IntN(10); {
	case k < 4 && len(tr.away) < tr.n/4:
		i := tr.any()
		switch tr.away[i] = []string{"killed", "hangs", "left", "cut off"}[k]; k {
		case 0:
			s.Kill(i)
		case 1:
			s.Stop(i)
		case 2:
			s.Leave(i)
		case 3:
			tr.cut()
		}
		return fmt.Sprintf("member %d: %s", i, tr.away[i])
	case k < 6 && len(tr.away) > 0:
		gone := make([]int, 0, len(tr.away))
		for i := range tr.away {
			gone = append(gone, i)
		}
		slices.Sort(gone)
		i := gone[tr.dice.IntN(len(gone))]
		what := tr.back(i)
		return fmt.Sprintf("member %d is back, that %s", i, what)
	case k == 6:
		p := float64(tr.dice.IntN(3)) / 100
		s.Loss(p)
		return fmt.Sprintf("packets get lost: %.0f %%", 100*p)
	case k == 7:
		d := time.Duration(tr.dice.IntN(90)) * time.Second
		time.Sleep(d)
		return fmt.Sprintf("%v pass", d)
	case k == 8:
		return tr.put()
	}
	i := tr.any()
	took := read(tr.t, s.Client(i), tr.scores, tr.blocks)
	return fmt.Sprintf("member %d reads %d blocks in %v", i, len(tr.scores), took)
}

// put stores some blocks.
func (tr *trial) put() string {
	i := tr.any()
	begun := time.Now()
	list := blocks(tr.s, 3, 1<<10<<tr.dice.IntN(6))
	tr.scores = append(tr.scores, tr.s.Put(i, list...)...)
	tr.blocks = append(tr.blocks, list...)
	return fmt.Sprintf("member %d puts 3 blocks in %v", i, time.Since(begun))
}

// back undoes what happened to a member.
func (tr *trial) back(i int) string {
	what := tr.away[i]
	delete(tr.away, i)
	switch what {
	case "hangs":
		tr.s.Resume(i)
	case "cut off":
		tr.cut()
	case "killed":
		if tr.dice.IntN(2) == 0 {
			tr.s.Move(i)
			return "was killed, elsewhere"
		}
		tr.s.Restart(i)
	default:
		tr.s.Restart(i)
	}
	return what
}

// cut has the network be as away says: those that are cut off are together.
func (tr *trial) cut() {
	var group []int
	for i, what := range tr.away {
		if what == "cut off" {
			group = append(group, i)
		}
	}
	tr.s.Partition(group)
}

func (tr *trial) settle() {
	took := tr.s.Settle(tr.present()...)
	tr.t.Logf("settled after %v", took)
}

// Some of what can happen, in an order that the seed decides.
func TestChaos(t *testing.T) {
	chaos(t, 12, 12, 12)
}

// More of it.
func TestChaosLong(t *testing.T) {
	long(t)
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { chaos(t, 12+int(seed)%3*4, 100+seed, 40) })
	}
}

// Fifty members form a swarm, a third of them vanish and come back elsewhere, and all agree on everything.
func TestFifty(t *testing.T) {
	long(t)
	run(t, sim.Config{Members: 50, Seed: 13}, func(t *testing.T, s *sim.Swarm) {
		agree(t, s)
		want := blocks(s, 20, 16<<10)
		scores := s.Put(0, want...)
		gone := upTo(50)[35:]
		s.Kill(gone...)
		t.Logf("20 gets after 15 of 50 vanished: %v", read(t, s.Client(1), scores, want))
		t.Logf("noticed after %v", s.Settle())
		agree(t, s)
		s.Move(gone...)
		t.Logf("all are back after %v", s.Settle())
		agree(t, s)
		read(t, s.Client(40), scores, want)
	})
}
