package sim_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/head"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/sim"
	"ventidhash/venti"
)

// A liar is a member that acknowledges fragments, and then serves what lie makes of them.
type liar struct {
	lie func(l *liar, f *dhash.Fragment) (*dhash.Fragment, error)

	mu   sync.Mutex // protects the following
	kept []*dhash.Fragment
}

func (l *liar) Put(_ context.Context, _ dhash.ID, _ dhash.Claim, f *dhash.Fragment, _ dhash.Coding) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := *f
	kept.Payload = bytes.Clone(f.Payload)
	l.kept = append(l.kept, &kept)
	return 1 << 30, nil
}

func (l *liar) Get(_ context.Context, _ dhash.ID, w peer.Want) (*dhash.Fragment, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.kept {
		if f.Score == w.Score {
			return l.lie(l, f)
		}
	}
	return nil, dhash.ErrNoFragment
}

func (l *liar) Have(_ context.Context, _ dhash.ID, _ dhash.Owner, scores []venti.Score) ([][]dhash.Held, error) {
	return make([][]dhash.Held, len(scores)), nil
}

func (l *liar) Claim(_ context.Context, _ dhash.ID, _ dhash.Owner, marks []peer.Mark) ([]bool, error) {
	return make([]bool, len(marks)), nil
}

func (l *liar) Divert(context.Context, dhash.ID, peer.Diversion) error { return nil }

func (l *liar) Reconcile(context.Context, dhash.ID, []byte) ([]byte, error) {
	return nil, venti.ErrUnavailable
}

func (l *liar) Copy(context.Context, dhash.ID, []dhash.Claim, *dhash.Fragment, dhash.Coding) (int64, error) {
	return 0, dhash.ErrNotMine
}

func (l *liar) Heads(context.Context, dhash.ID, []venti.Head, []bool) ([]head.Verdict, []venti.Head, error) {
	return nil, nil, venti.ErrUnavailable
}

func (l *liar) FindHeads(context.Context, dhash.ID, []dhash.Owner) ([][]venti.Head, error) {
	return nil, venti.ErrUnavailable
}

func (l *liar) Roots(context.Context, dhash.ID, dhash.Owner, dhash.Key) ([]venti.Score, dhash.Key, error) {
	return nil, dhash.Key{}, venti.ErrUnavailable
}

func (l *liar) State(context.Context, dhash.ID, []byte) ([]byte, error) {
	return nil, venti.ErrUnavailable
}

func (l *liar) Challenge(context.Context, dhash.ID, peer.Challenge) (*dhash.Leaf, error) {
	return nil, dhash.ErrNoFragment
}

func forgets(*liar, *dhash.Fragment) (*dhash.Fragment, error) { return nil, dhash.ErrNoFragment }

func damages(_ *liar, f *dhash.Fragment) (*dhash.Fragment, error) {
	bad := *f
	bad.Payload = bytes.Clone(f.Payload)
	bad.Payload[len(bad.Payload)/2] ^= 1
	return &bad, nil
}

func servesAnother(l *liar, f *dhash.Fragment) (*dhash.Fragment, error) {
	for _, other := range l.kept {
		if other.Score != f.Score {
			return other, nil
		}
	}
	return nil, dhash.ErrNoFragment
}

// A journal is a log that can be searched.
type journal struct {
	mu   sync.Mutex // protects text
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// about returns how many lines have all words.
func (j *journal) about(words ...string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for line := range strings.Lines(j.text.String()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			n++
		}
	}
	return n
}

// A member that forgets what it acknowledged, one that serves damaged fragments, and one that serves another block's do
// not keep anybody from reading what is right, and who sent what is wrong gets into the log.
func TestLiars(t *testing.T) {
	j := new(journal)
	cfg := sim.Config{Members: 12, Seed: 10, Log: slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	run(t, cfg, func(t *testing.T, s *sim.Swarm) {
		const forgetter, damager, other = 3, 4, 5
		s.Serve(forgetter, &liar{lie: forgets})
		s.Serve(damager, &liar{lie: damages})
		s.Serve(other, &liar{lie: servesAnother})
		want := blocks(s, 12, 16<<10)
		scores := s.Put(0, want...)
		for i, score := range scores {
			if held := s.FragmentsOf(score); len(held) != 9 {
				t.Fatalf("block %d is held by %v", i, held)
			}
		}
		g := s.Client(1)
		t.Logf("12 gets: %v", read(t, g, scores, want))
		read(t, g, scores, want)
		s.Leave(9, 10, 11) // so that the liars are asked for sure
		t.Logf("12 gets with three members less: %v", read(t, g, scores, want))
		if j.about("sent a bad fragment", s.ID(other).Short()) == 0 {
			t.Error("nothing is said about the member that serves another block's fragments")
		}
		if j.about("not of this block") == 0 {
			t.Error("nothing is said about damaged fragments")
		}
		err := s.Client(2).Survey(t.Context(), scores, func(st gateway.State) error {
			if st.Present != 6 || st.Silent > 3 {
				return fmt.Errorf("a survey says %+v", st)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A member whose disk has damaged all fragments serves none of them, and everything is read from the others. When the
// blocks are put again it takes its fragments again.
func TestDamagedDisk(t *testing.T) {
	run(t, sim.Config{Members: 12, Seed: 11}, func(t *testing.T, s *sim.Swarm) {
		want := blocks(s, 12, 16<<10)
		scores := s.Put(0, want...)
		const bad = 6
		s.Kill(bad)
		s.Down(bad)
		damage(t, filepath.Join(s.Dir(bad), "fragments", "arenas"))
		s.Restart(bad)
		s.Settle()
		good := func() (n int) {
			for _, score := range scores {
				n += len(s.FragmentsOf(score)[bad])
			}
			return n
		}
		read(t, s.Client(2), scores, want)
		read(t, s.Client(bad), scores, want)
		if n := good(); n != 0 {
			t.Errorf("%d damaged fragments are shown as good", n)
		}
		s.Put(3, want...)
		if n := good(); n != len(scores) {
			t.Errorf("%d of %d fragments are there again", n, len(scores))
		}
	})
}

// damage flips a bit in each 512 bytes of all segments in a folder.
func damage(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d segments in %s, %v", len(files), dir, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := 1000; at < len(b); at += 512 {
			b[at] ^= 0x10
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
