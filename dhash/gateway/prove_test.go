package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zeebo/blake3"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// Challenge implements gateway.Peers: with the checks of a peer.Client, as far as lies are concerned.
func (f *fakeSwarm) Challenge(ctx context.Context, id dhash.ID, all []peer.Challenge) ([]peer.Proof, error) {
	m, how, err := f.enter(ctx, id)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]peer.Proof, len(all))
	for i, ch := range all {
		m.nonces = append(m.nonces, ch.Nonce)
		for _, fr := range m.held[ch.Score][ch.Coding] {
			nonce, good := ch.Nonce, fr.Fragment
			switch how {
			case garbles:
				good.Payload = slices.Clone(good.Payload)
				for j := range good.Payload {
					good.Payload[j] ^= 1
				}
			case mixes: // a leaf that it has prepared
				nonce++
			case lost:
				continue
			}
			l := good.Leaf(nonce)
			if err := l.Verify(ch.Score, ch.Coding, ch.Nonce); err != nil {
				out[i] = peer.Proof{Err: err}
				break
			}
			out[i] = peer.Proof{Leaf: l}
			break
		}
		if how == halts && i > 0 {
			return nil, errors.New("connection reset")
		}
	}
	return out, nil
}

// stored gives n blocks to those members that are to hold them, as f.open's gateway would, and returns their scores.
func (f *fakeSwarm) stored(t *testing.T, n, size int) []venti.Score {
	t.Helper()
	return f.coded(t, dhash.Code{Need: 8, Total: 20}, n, size)
}

func (f *fakeSwarm) coded(t *testing.T, code dhash.Code, n, size int) (scores []venti.Score) {
	t.Helper()
	var e codec.Encoder
	for i := range n {
		block := ventitest.Random(uint64(i), size)
		s := venti.Sum(block)
		enc, err := e.Encode(s, block, code)
		if err != nil {
			t.Fatal(err)
		}
		h, err := blake3.NewKeyed(append([]byte{2}, make([]byte, 31)...))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = h.Write(append(s[:], enc.Coding[:]...))
		claim := dhash.Claim{Owner: dhash.Owner{1}}
		copy(claim.Mark[:], h.Sum(nil))
		for j, m := range f.table().Closest(dhash.KeyOf(s), code.Total) {
			fr := enc.Fragment(j)
			f.members[m.ID].keep(&fr, claim)
		}
		scores = append(scores, s)
	}
	return scores
}

func proveAll(t *testing.T, g *gateway.Gateway, scores []venti.Score) (all []gateway.Proof) {
	t.Helper()
	err := g.Prove(t.Context(), scores, func(p gateway.Proof) error {
		all = append(all, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range all {
		if p.Score != scores[i] {
			t.Fatalf("proof %d is of another block", i)
		}
	}
	if len(all) != len(scores) {
		t.Fatalf("%d proofs of %d blocks", len(all), len(scores))
	}
	return all
}

func TestProve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSwarm(24)
		g := f.open(t)
		scores := f.stored(t, 1100, 9000) // two batches, several chunks
		scores = append(scores, venti.ZeroScore())
		all := proveAll(t, g, scores)
		for _, p := range all[:len(all)-1] {
			if p.Code != (dhash.Code{Need: 8, Total: 20}) || p.Length != 9000 || p.Proven != 20 || p.Stored != 20 || p.Above() != 12 ||
				p.Err() != nil || len(p.False)+len(p.Lacking)+len(p.Silent)+len(p.Without)+p.Others != 0 || p.Asked < 20 {
				t.Fatalf("%+v: %v", p, p.Err())
			}
		}
		if err := all[len(all)-1].Err(); err != nil {
			t.Errorf("the empty block: %v", err)
		}
		if c := g.Counts(); c.Challenges != 22000 || c.Proven != 22000 || c.False != 0 || c.Lacking != 0 || c.Gets != 0 {
			t.Errorf("%+v", c)
		}
		seen := map[uint64]bool{}
		for _, m := range f.members {
			for _, n := range m.nonces {
				if seen[n] {
					t.Fatal("a nonce was used twice")
				}
				seen[n] = true
			}
		}
	})
}

// Each way to fail is told from the others, and is said of whom it is true.
func TestProveFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSwarm(20)
		var log syncBuffer
		g := f.open(t, func(c *gateway.Config) {
			c.Patience = 100 * time.Millisecond
			c.Log = slog.New(slog.NewTextHandler(&log, nil))
		})
		scores := f.stored(t, 30, 9000)
		f.set(garbles, f.ids[0])
		f.set(mixes, f.ids[1])
		f.set(lost, f.ids[2], f.ids[3])
		f.set(hung, f.ids[4])
		f.set(gone, f.ids[5])
		f.set(halts, f.ids[6])
		f.wipe(f.ids[7])
		sorted := func(ids ...dhash.ID) string {
			slices.Sort(ids)
			return fmt.Sprint(ids)
		}
		for _, p := range proveAll(t, g, scores) {
			if p.Proven != 12 || p.Stored != 12 || p.Above() != 4 || p.Err() != nil || p.Asked != 20 {
				t.Errorf("%+v: %v", p, p.Err())
			}
			if sorted(p.False...) != sorted(f.ids[:2]...) || sorted(p.Lacking...) != sorted(f.ids[2:4]...) ||
				sorted(p.Silent...) != sorted(f.ids[4:7]...) {
				t.Errorf("false %q, lacking %q, silent %q", p.False, p.Lacking, p.Silent)
			}
			if sorted(p.Without...) != sorted(f.ids[7]) {
				t.Errorf("without: %q", p.Without)
			}
		}
		if c := g.Counts(); c.False != 60 || c.Lacking != 60 || c.Proven != 360 {
			t.Errorf("%+v", c)
		}
		for i, text := range []string{`false proofs"`, `false proofs"`, `it holds"`, `it holds"`} {
			if want := fmt.Sprintf("%s member=%s", text, f.ids[i].Short()); !strings.Contains(log.String(), want) {
				t.Errorf("the log does not name member %d (%s):\n%s", i, want, log.String())
			}
		}
	})
}

// A member that could not be reached is asked once more, unless it is known to be absent.
func TestProveSecondChance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSwarm(20)
		g := f.open(t, func(c *gateway.Config) {
			c.Patience = 100 * time.Millisecond
			c.Absent = func(id dhash.ID) bool { return id == f.ids[3] }
		})
		s := f.stored(t, 1, 9000)
		f.set(moved, f.ids[2:4]...)
		p := proveAll(t, g, s)[0]
		if p.Proven != 19 || len(p.Silent) != 1 || p.Silent[0] != f.ids[3] {
			t.Errorf("%+v", p)
		}
	})
}

// The three errors are never blurred.
func TestProveErrors(t *testing.T) {
	f := newFakeSwarm(20) // 8 of 20 fragments are needed
	g := f.open(t, func(c *gateway.Config) { c.Patience = 100 * time.Millisecond })
	scores := f.stored(t, 3, 9000)
	for _, c := range []struct {
		name  string
		modes map[mode]int // of so many members
		wiped int
		want  error
	}{
		{"as many as are needed", map[mode]int{hung: 12}, 0, nil},
		{"one less, the others silent", map[mode]int{hung: 13}, 0, venti.ErrUnavailable},
		{"those who are silent would be enough", map[mode]int{hung: 1}, 12, venti.ErrUnavailable},
		{"those who are silent would not be enough", map[mode]int{hung: 1}, 13, venti.ErrNotFound},
		{"nobody is silent", nil, 13, venti.ErrNotFound},
		{"nothing is there", nil, 20, venti.ErrNotFound},
		{"nobody answers", map[mode]int{gone: 20}, 0, venti.ErrUnavailable},
		{"liars would be enough", map[mode]int{garbles: 13}, 0, venti.ErrCorrupt},
		{"damaged ones would be enough", map[mode]int{lost: 1}, 12, venti.ErrCorrupt},
		{"liars would not be enough", map[mode]int{garbles: 1}, 13, venti.ErrNotFound},
		{"liars, and silence", map[mode]int{garbles: 12, hung: 1}, 0, venti.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			next := f.ids
			kept := map[dhash.ID]map[venti.Score]map[dhash.Coding]map[int]*fragment{}
			for m, n := range c.modes {
				f.set(m, next[:n]...)
				next = next[n:]
			}
			for _, id := range next[:c.wiped] {
				kept[id] = f.wipe(id)
			}
			for _, p := range proveAll(t, g, scores) {
				err := p.Err()
				for _, kind := range []error{venti.ErrNotFound, venti.ErrUnavailable, venti.ErrCorrupt} {
					if errors.Is(err, kind) != (kind == c.want) {
						t.Errorf("%v", err)
					}
				}
				if (err == nil) != (p.Above() >= 0) {
					t.Errorf("%d above: %v", p.Above(), err)
				}
			}
			f.set(good, f.ids...)
			for id, held := range kept {
				f.members[id].held = held
			}
		})
	}
}

// Junk under a score proves nothing, however well it is held; and what is believed of a coding is what its leaves say.
func TestProvePlanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSwarm(20)
		g := f.open(t)
		s := f.stored(t, 1, 9000)[0]
		other := f.open(t, func(c *gateway.Config) { c.Owner, c.MarkKey = dhash.Owner{9}, [32]byte{9} })
		if _, err := other.Put(t.Context(), ventitest.Random(77, 5000)); err != nil {
			t.Fatal(err)
		}
		if err := other.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		junk := venti.Sum(ventitest.Random(77, 5000))
		for _, m := range f.members {
			for _, byIndex := range m.held[junk] {
				for index, fr := range byIndex { // as if it were of block s
					planted := *fr
					planted.Score = s
					coding := planted.Coding()
					if m.held[s][coding] == nil {
						m.held[s][coding] = map[int]*fragment{}
					}
					m.held[s][coding][index] = &planted
				}
			}
		}
		if p := proveAll(t, g, []venti.Score{s})[0]; p.Proven != 20 || p.Length != 9000 || p.Others < 20 || p.Err() != nil {
			t.Errorf("%+v", p)
		}
		before := g.Counts().Challenges
		if p := proveAll(t, g, []venti.Score{junk})[0]; p.Proven != 0 || p.Others < 20 || !errors.Is(p.Err(), venti.ErrNotFound) {
			t.Errorf("%+v: %v", p, p.Err())
		}
		if g.Counts().Challenges != before {
			t.Error("members were challenged for what nobody believes")
		}
	})
}

// Of two codings that the owner has made, as after the swarm has changed its code, the one counts of which more is proven
// than it takes, however much is said of the other.
func TestProveTwoCodings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSwarm(20)
		g := f.open(t)
		s := f.coded(t, dhash.Code{Need: 8, Total: 20}, 1, 9000)
		f.coded(t, dhash.Code{Need: 4, Total: 10}, 1, 9000)
		if p := proveAll(t, g, s)[0]; p.Code.Total != 20 || p.Proven != 20 {
			t.Errorf("%+v", p)
		}
		for _, id := range f.ids[:11] {
			m := f.members[id]
			for coding, byIndex := range m.held[s[0]] {
				for _, fr := range byIndex {
					if fr.Code.Total == 20 {
						delete(m.held[s[0]], coding)
					}
				}
			}
		}
		if p := proveAll(t, g, s)[0]; p.Code.Total != 10 || p.Proven != 10 || p.Above() != 6 || p.Err() != nil {
			t.Errorf("%+v", p)
		}
	})
}

// Two members with the same fragment prove one.
func TestProveSameFragment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSwarm(20)
		g := f.open(t)
		s := f.stored(t, 1, 9000)[0]
		from, to := f.members[f.ids[0]], f.members[f.ids[1]]
		to.held[s] = from.held[s]
		if p := proveAll(t, g, []venti.Score{s})[0]; p.Proven != 19 || p.Stored != 19 {
			t.Errorf("%+v", p)
		}
	})
}

func TestProveEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFakeSwarm(20)
		g := f.open(t)
		scores := f.stored(t, 2, 9000)
		stop := errors.New("enough")
		calls := 0
		if err := g.Prove(t.Context(), scores, func(gateway.Proof) error { calls++; return stop }); err != stop || calls != 1 {
			t.Errorf("%v after %d calls", err, calls)
		}
		f.set(hung, f.ids...)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if err := g.Prove(ctx, scores, func(gateway.Proof) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cancelled: %v", err)
		}
		done := make(chan error)
		go func() { done <- g.Prove(context.Background(), scores, func(gateway.Proof) error { return nil }) }()
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("closed: %v", err)
		}
	})
}

// wipe takes all that a member holds away from it, and returns it.
func (f *fakeSwarm) wipe(id dhash.ID) map[venti.Score]map[dhash.Coding]map[int]*fragment {
	m := f.members[id]
	m.mu.Lock()
	defer m.mu.Unlock()
	held := m.held
	m.held = map[venti.Score]map[dhash.Coding]map[int]*fragment{}
	return held
}

// syncBuffer is a bytes.Buffer for many goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
