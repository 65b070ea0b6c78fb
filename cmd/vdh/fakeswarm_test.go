package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/node"
	"ventidhash/venti"
	"ventidhash/venti/seal"
	"ventidhash/venti/ventitest"
)

// A fakeSwarm is a swarm in memory, which outlives the runs of the program.
type fakeSwarm struct {
	*ventitest.Memory

	// mu protects the following.
	mu    sync.Mutex
	run   redundancy // of the run under way
	thin  bool       // every block stays below the target
	vital map[venti.Score]bool
	opens []bool // create, of each time it was opened
	open  bool

	heads []venti.Head // that were published last
	times int          // that one was
	asked int          // how often somebody has asked for heads
	deaf  error        // of whoever asks for heads or publishes one

	proof func(*gateway.Proof) // changes what Prove says; nil does not
}

func newFakeSwarm() *fakeSwarm {
	return &fakeSwarm{Memory: ventitest.NewMemory(), vital: map[venti.Score]bool{}}
}

// dial opens the swarm for one run.
func (s *fakeSwarm) dial(_ context.Context, create bool) (swarmStore, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		return nil, errors.New("the swarm is opened twice")
	}
	s.opens, s.open, s.run = append(s.opens, create), true, redundancy{}
	return s, nil
}

func (s *fakeSwarm) ID() string { return strings.Repeat("fa", 32) }

func (s *fakeSwarm) Put(ctx context.Context, b []byte) (venti.Score, error) {
	s.mu.Lock()
	s.run.Blocks++
	s.run.Nines = 5.2
	if has, err := s.Memory.Has(ctx, []venti.Score{venti.Sum(b)}); err == nil && !has[0] {
		s.run.New++
		s.run.Added += int64(len(b))
	}
	if s.thin {
		s.run.Below++
		s.run.Nines = 3.4567
	}
	s.mu.Unlock()
	return s.Memory.Put(ctx, b)
}

func (s *fakeSwarm) PutVital(ctx context.Context, b []byte) (venti.Score, error) {
	s.mu.Lock()
	s.vital[venti.Sum(b)] = true
	s.mu.Unlock()
	return s.Put(ctx, b)
}

func (s *fakeSwarm) Report(context.Context) (redundancy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run, nil
}

// Survey says that of each block 6 fragments of the code 3/8 are held, 4 if the swarm is thin. Of a block that is
// unavailable 1 is, the other members being silent; of one that is lost none, and all answer.
func (s *fakeSwarm) Survey(ctx context.Context, scores []venti.Score, fn func(gateway.State) error) error {
	for _, score := range scores {
		b, err := s.Get(ctx, score)
		st := gateway.State{Score: score, Code: dhash.Code{Need: 3, Total: 8}, Length: len(b), Present: 6, Stored: 6, Mine: 6, Asked: 8}
		if s.thin {
			st.Present, st.Stored, st.Mine = 4, 4, 4
		}
		switch {
		case errors.Is(err, venti.ErrUnavailable):
			st.Present, st.Stored, st.Mine, st.Silent = 1, 1, 1, 7
		case err != nil:
			st = gateway.State{Score: score, Asked: 8}
		}
		if err := fn(st); err != nil {
			return err
		}
	}
	return nil
}

// Prove says that what Survey says is proven.
func (s *fakeSwarm) Prove(ctx context.Context, scores []venti.Score, fn func(gateway.Proof) error) error {
	return s.Survey(ctx, scores, func(st gateway.State) error {
		p := gateway.Proof{Score: st.Score, Code: st.Code, Length: st.Length, Proven: st.Present, Stored: st.Stored,
			Asked: st.Asked}
		for i := range st.Silent {
			p.Silent = append(p.Silent, dhash.ID(rune('a'+i)))
		}
		if s.proof != nil {
			s.proof(&p)
		}
		return fn(p)
	})
}

// Members implements swarmStore.
func (s *fakeSwarm) Members(context.Context) ([]node.MemberInfo, error) {
	return []node.MemberInfo{{ID: dhash.ID("liar").String(), Name: "larry"}}, nil
}

// Heads implements swarmStore.
func (s *fakeSwarm) Heads(_ context.Context, o dhash.Owner) (f node.FoundHeads, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.deaf != nil {
		return node.FoundHeads{Asked: 1, Keepers: 1}, s.deaf
	}
	f.Asked, f.Answered, f.Keepers, f.Heard = 1, 1, 1, 1
	for _, h := range s.heads {
		if dhash.Owner(h.Owner) == o {
			f.Heads, f.Agree, f.Kept = append(f.Heads, h), 1, 1
		}
	}
	return f, nil
}

// PublishHead implements swarmStore: the higher sequence is kept, of the same sequence each.
func (s *fakeSwarm) PublishHead(_ context.Context, h venti.Head) (node.PublishedHead, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := node.PublishedHead{Asked: 1, Kept: 1}
	if s.deaf != nil {
		return node.PublishedHead{Asked: 1}, s.deaf
	}
	s.times++
	s.heads = slices.DeleteFunc(s.heads, func(old venti.Head) bool {
		if old.Owner == h.Owner && old.Sequence >= h.Sequence && old != h {
			p.Others = append(p.Others, old)
		}
		return old.Owner == h.Owner && old.Sequence < h.Sequence || old == h
	})
	s.heads = append(s.heads, h)
	return p, nil
}

// Roots implements swarmStore.
func (s *fakeSwarm) Roots(ctx context.Context, _ dhash.Owner, fn func(venti.Score) error) error {
	for _, score := range s.Scores() {
		if b, err := s.Get(ctx, score); err == nil && len(b) > 0 && b[0] == seal.RootByte {
			if err := fn(score); err != nil {
				return err
			}
		}
	}
	return nil
}

// Renew is Has: nobody prunes it.
func (s *fakeSwarm) Renew(ctx context.Context, scores []venti.Score) ([]bool, error) {
	return s.Has(ctx, scores)
}

func (s *fakeSwarm) State(context.Context, dhash.ID, []byte) ([]byte, error) {
	return nil, venti.ErrUnavailable
}

func (s *fakeSwarm) Outage(context.Context) (gateway.Outage, error) { return gateway.Outage{}, nil }

func (s *fakeSwarm) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open {
		return errors.New("the swarm is closed twice")
	}
	s.open = false
	return nil
}

// A swarmMachine runs the program in this process, in folders of its own, with --store swarm.
type swarmMachine struct {
	t     *testing.T
	dir   string
	swarm *fakeSwarm
}

func newSwarmMachine(t *testing.T) *swarmMachine {
	m := &swarmMachine{t, t.TempDir(), newFakeSwarm()}
	for _, name := range []string{"data", "cache", "config"} {
		t.Setenv("XDG_"+strings.ToUpper(name)+"_HOME", filepath.Join(m.dir, name))
	}
	t.Setenv("VDH_STORE", "swarm")
	return m
}

func (m *swarmMachine) run(want int, args ...string) (out, errs string) {
	m.t.Helper()
	var o, e bytes.Buffer
	a := newApp(strings.NewReader(""), &o, &e)
	a.dial = m.swarm.dial
	if code := a.execute(m.t.Context(), args); code != want {
		m.t.Fatalf("vdh %v: exit code %d, not %d\n%s%s", args, code, want, o.String(), e.String())
	}
	if m.swarm.open {
		m.t.Fatalf("vdh %v leaves the swarm open", args)
	}
	return strings.TrimSuffix(o.String(), "\n"), e.String()
}

// summary runs a verb with --json and returns the last line that it prints.
func (m *swarmMachine) summary(want int, args ...string) map[string]any {
	m.t.Helper()
	out, _ := m.run(want, append(args, "--json")...)
	lines := strings.Split(out, "\n")
	var v map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &v); err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
	return v
}

// source makes a folder with a few files.
func (m *swarmMachine) source() string {
	m.t.Helper()
	dir := filepath.Join(m.dir, "src")
	for name, size := range map[string]int{"a": 10, "sub/b": 200_000, "sub/c": 6_000_000} {
		writeFile(m.t, filepath.Join(dir, name), ventitest.Random(uint64(size), size))
	}
	return dir
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// files returns the paths below a folder of the machine that fit a pattern.
func (m *swarmMachine) files(pattern string) []string {
	m.t.Helper()
	names, err := filepath.Glob(filepath.Join(m.dir, pattern))
	if err != nil {
		m.t.Fatal(err)
	}
	return names
}

// TestFakeSwarm holds that the swarm of these tests is a Store, and that the catalog's way to it keeps vital blocks
// apart.
func TestFakeSwarm(t *testing.T) {
	ventitest.TestStore(t, func(*testing.T) venti.Store { return newFakeSwarm() })
	m := newSwarmMachine(t)
	a := newApp(strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer))
	a.dial, a.storePath = m.swarm.dial, swarmWord
	defer a.close()
	plain, err := late{a}.Put(t.Context(), []byte("plain"))
	if err != nil || m.swarm.vital[plain] {
		t.Errorf("plain: %v", err)
	}
	vital, err := venti.PutVital(t.Context(), late{a}, []byte("vital"))
	if err != nil || !m.swarm.vital[vital] {
		t.Errorf("vital: %v", err)
	}
}
