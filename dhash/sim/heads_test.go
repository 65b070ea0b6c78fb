package sim_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/dhash/node"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/sim"
	"ventidhash/venti"
)

// publish signs a head of the swarm's one owner, and hands it out through member i.
func publish(t *testing.T, s *sim.Swarm, i int, sequence uint64, catalog byte) (venti.Head, node.PublishedHead) {
	t.Helper()
	s.Client(i) // so that the member has the owner's grant
	h := venti.SignHead(s.OwnerKey(), sequence, venti.Score{catalog}, time.Now())
	begun := time.Now()
	p, err := s.Node(i).PublishHead(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("published: %d of %d members keep it, after %v", p.Kept, p.Asked, time.Since(begun))
	return h, p
}

// find asks for the owner's heads through member i, and fails the test if it takes longer than it may.
func find(t *testing.T, s *sim.Swarm, i int, within time.Duration) node.FoundHeads {
	t.Helper()
	begun := time.Now()
	f, err := s.Node(i).Heads(t.Context(), s.Owner())
	if err != nil {
		t.Fatal(err)
	}
	took := time.Since(begun)
	t.Logf("found: %d heads, %d of %d answer, %d agree, after %v", len(f.Heads), f.Answered, f.Asked, f.Agree, took)
	if took > within {
		t.Errorf("it took %v, want at most %v", took, within)
	}
	return f
}

// With a third of the members hung a head is published, and found within three seconds; those that hung have it within an
// interval after they are back, and serve the old one until then, which rolls nobody back.
func TestHeads(t *testing.T) {
	cfg := sim.Config{Members: 24, Seed: 5, Upkeep: node.Upkeep{Sweep: 5 * time.Minute}}
	run(t, cfg, func(t *testing.T, s *sim.Swarm) {
		old, p := publish(t, s, 0, 1, 1)
		if p.Kept != 20 || p.Asked != 20 {
			t.Errorf("published: %+v", p)
		}
		if f := find(t, s, 1, time.Second); f.Answered != 24 || f.Agree != 20 || !slices.Equal(f.Heads, []venti.Head{old}) {
			t.Errorf("found: %+v", f)
		}
		hung := []int{2, 5, 8, 11, 14, 17, 20}
		s.Stop(hung...)
		newest, p := publish(t, s, 0, 2, 2)
		if p.Kept < 20-len(hung) || len(p.Others) != 1 {
			t.Errorf("published with members hung: %+v", p)
		}
		f := find(t, s, 1, 3*time.Second)
		if f.Answered < 24-len(hung) || f.Agree < 20-len(hung) || !slices.Equal(f.Heads, []venti.Head{newest}) {
			t.Errorf("found with members hung: %+v", f)
		}
		s.Resume(hung...)
		s.Settle()
		if f = find(t, s, 2, time.Second); !slices.Equal(f.Heads, []venti.Head{newest}) || f.Agree >= 20 {
			t.Errorf("found while some are stale: %+v", f)
		}
		time.Sleep(5 * time.Minute)
		if f = find(t, s, 5, time.Second); !slices.Equal(f.Heads, []venti.Head{newest}) || f.Agree != 20 {
			t.Errorf("found after a sweep: %+v", f)
		}
	})
}

// A member that is not close to an owner any more, because many have come, hands the owner's head on to those that are,
// and drops it: they take it from whoever has it.
func TestHeadFromAfar(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("takes many seconds, and with the race detector a minute")
	}
	cfg := sim.Config{Members: head.Keepers + head.Slack + 4, Seed: 8, Upkeep: node.Upkeep{Sweep: 5 * time.Minute}}
	run(t, cfg, func(t *testing.T, s *sim.Swarm) {
		by := s.Node(0).Table().Closest(dhash.OwnerKey(s.Owner()), cfg.Members)
		far := s.Member(by[len(by)-1].ID)
		h := venti.SignHead(s.OwnerKey(), 1, venti.Score{1}, time.Now())
		s.Leave(far)
		if err := os.WriteFile(filepath.Join(s.Dir(far), "heads"), h.Append(nil), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Restart(far)
		s.Settle()
		if n := s.Node(far).Status().Care.Heads; n != 1 {
			t.Fatalf("the member has the heads of %d owners", n)
		}
		time.Sleep(5 * time.Minute)
		asks := s.Member(by[0].ID)
		if f := find(t, s, asks, time.Second); !slices.Equal(f.Heads, []venti.Head{h}) || f.Kept != head.Keepers || f.Agree != f.Kept {
			t.Errorf("%+v", f)
		}
		for i, m := range by {
			want := 0
			if i < head.Keepers {
				want = 1
			}
			if n := s.Node(s.Member(m.ID)).Status().Care.Heads; n != want {
				t.Errorf("the member that is number %d from the owner has the heads of %d owners", i, n)
			}
		}
	})
}

// shower is a member that shows what it likes of heads.
type shower struct {
	liar
	show func() []venti.Head
}

func (s *shower) FindHeads(_ context.Context, _ dhash.ID, owners []dhash.Owner) ([][]venti.Head, error) {
	return slices.Repeat([][]venti.Head{s.show()}, len(owners)), nil
}

func (s *shower) Heads(_ context.Context, _ dhash.ID, heads []venti.Head, _ []bool) ([]head.Verdict, []venti.Head, error) {
	return slices.Repeat([]head.Verdict{head.New}, len(heads)), nil, nil
}

var _ peer.Handler = (*shower)(nil)

// Members that show an old head, or a forged one of a higher sequence, change nothing but how many agree.
func TestLyingHeads(t *testing.T) {
	run(t, sim.Config{Members: 10, Seed: 6}, func(t *testing.T, s *sim.Swarm) {
		old := venti.SignHead(s.OwnerKey(), 1, venti.Score{1}, time.Now())
		forged := venti.SignHead(s.OwnerKey(), 2, venti.Score{2}, time.Now())
		forged.Sequence = 99
		for i := range 6 {
			lie := old
			if i >= 4 {
				lie = forged
			}
			s.Serve(i, &shower{show: func() []venti.Head { return []venti.Head{lie} }})
		}
		newest, _ := publish(t, s, 9, 7, 7)
		f := find(t, s, 8, time.Second)
		if !slices.Equal(f.Heads, []venti.Head{newest}) || f.Agree != 4 || f.Answered != 8 {
			t.Errorf("%+v", f)
		}
		s.Leave(6, 7, 8) // one that is honest is left, and itself asks
		if f := find(t, s, 9, 10*time.Second); !slices.Equal(f.Heads, []venti.Head{newest}) || f.Agree != 1 {
			t.Errorf("one against six: %+v", f)
		}
	})
}

// The owner is away, and members retire and others come, until none of the first is left: the head is still there.
func TestHeadOutlivesMembers(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("takes many seconds, and with the race detector a minute")
	}
	run(t, sim.Config{Members: 6, Seed: 7, Upkeep: node.Upkeep{Sweep: 5 * time.Minute}}, func(t *testing.T, s *sim.Swarm) {
		h, _ := publish(t, s, 0, 3, 3)
		for i := 5; i >= 0; i-- { // those who come ask members 0 to 2 at first
			s.Join(1)
			s.Settle()
			if i%2 == 0 {
				s.Retire(i) // what it has, it hands on
				time.Sleep(time.Minute)
				if care := s.Node(i).Status().Care; care.Heads != 1 || care.HeadsLeft != 0 {
					t.Errorf("member %d retires: %+v", i, care)
				}
			}
			time.Sleep(5 * time.Minute)
			s.Leave(i)
		}
		if f := find(t, s, 7, 20*time.Second); !slices.Equal(f.Heads, []venti.Head{h}) || f.Agree != 6 {
			t.Errorf("%+v", f)
		}
		s.Leave(6, 7, 8, 9)
		s.Stop(11)
		if f := find(t, s, 10, 20*time.Second); len(f.Heads) != 1 || f.Agree != 1 {
			t.Errorf("one member is left: %+v", f)
		}
		_, unavailable := s.Node(10).Heads(t.Context(), dhash.Owner{1})
		if !errors.Is(unavailable, venti.ErrUnavailable) {
			t.Errorf("one member alone knows of no head of a stranger: %v", unavailable)
		}
	})
}
