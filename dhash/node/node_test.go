package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// swarm is nodes in this process, over TCP on 127.0.0.1.
type swarm struct {
	t       testing.TB
	founder *node.Folder
	folders []*node.Folder
	nodes   []*node.Node
	stop    []context.CancelFunc
	done    []chan error
	log     *slog.Logger
	upkeep  node.Upkeep // of members that are started from now on
}

func found(t testing.TB, n int) *swarm {
	t.Helper()
	s := &swarm{t: t, log: slog.New(slog.DiscardHandler)}
	if testing.Verbose() && os.Getenv("LOG") != "" {
		s.log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	f, err := node.Found(t.TempDir(), &member.Manifest{Name: "test", MilliNines: 5000, Availability: 900_000}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	s.founder, s.folders = f, []*node.Folder{f}
	s.run(0)
	for i := 1; i < n; i++ {
		s.join()
		s.run(i)
	}
	s.settle(n)
	return s
}

// join makes one more member, which does not run yet.
func (s *swarm) join() *node.Folder {
	s.t.Helper()
	var seeds []ma.Multiaddr
	for _, a := range s.nodes[0].Status().Addrs {
		seeds = append(seeds, must(ma.NewMultiaddr(a))(s.t))
	}
	now := time.Now()
	v, err := member.Invite(s.founder.Swarm, nil, s.founder.Founder, now, now.Add(time.Hour), 0, "test", seeds)
	if err != nil {
		s.t.Fatal(err)
	}
	f, err := node.Join(s.t.TempDir(), v, "test", now)
	if err != nil {
		s.t.Fatal(err)
	}
	s.folders = append(s.folders, f)
	return f
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// run starts member i, from what its folder says.
func (s *swarm) run(i int) {
	s.t.Helper()
	f := must(node.OpenFolder(s.folders[i].Dir))(s.t)
	n, err := node.Open(s.t.Context(), node.Config{Folder: f, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Name: fmt.Sprint(i),
		Domain: fmt.Sprintf("site%d/host", i), Capacity: 1 << 30, Upkeep: s.upkeep, Log: s.log.With("node", i)})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	if i == len(s.nodes) {
		s.nodes, s.stop, s.done = append(s.nodes, nil), append(s.stop, nil), append(s.done, nil)
		s.t.Cleanup(func() { s.end(i) })
	}
	s.nodes[i], s.stop[i], s.done[i] = n, cancel, done
}

// end stops member i as SIGTERM would.
func (s *swarm) end(i int) {
	s.t.Helper()
	if s.stop[i] == nil {
		return
	}
	s.stop[i]()
	if err := <-s.done[i]; err != nil {
		s.t.Errorf("member %d: %v", i, err)
	}
	s.stop[i] = nil
}

// settle waits until all members that run see so many alive, and those that run where they are.
func (s *swarm) settle(alive int) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for i := range s.nodes {
		for s.stop[i] != nil && !s.settled(i, alive) {
			if time.Now().After(deadline) {
				s.t.Fatalf("member %d sees %+v", i, s.nodes[i].Members())
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func (s *swarm) settled(i, alive int) bool {
	seen := map[string]node.MemberInfo{}
	for _, m := range s.nodes[i].Members() {
		seen[m.ID] = m
	}
	for j, n := range s.nodes {
		if s.stop[j] == nil {
			continue
		}
		st := n.Status()
		if m := seen[st.ID]; len(m.Addrs) != 1 || st.Addrs[0] != m.Addrs[0]+"/p2p/"+st.ID {
			return false
		}
	}
	return s.nodes[i].Status().Alive == alive
}

func owner(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func (s *swarm) dial(i int) *node.Client {
	s.t.Helper()
	c, err := node.Dial(s.t.Context(), node.ClientConfig{Folder: s.folders[i], Owner: owner(1), MarkKey: [32]byte{1}, Log: s.log})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			s.t.Error(err)
		}
	})
	return c
}

// random returns n different blocks of a size.
func random(n, size int) (blocks [][]byte) {
	for i := range n {
		blocks = append(blocks, ventitest.Random(uint64(i), size))
	}
	return blocks
}

// store puts blocks through member i, again until every member holds a fragment of each. A put does not wait for members that
// lag behind enough others, as any may on a machine that is busy; they get their fragments when the block comes again.
func (s *swarm) store(i int, blocks ...[]byte) (scores []venti.Score) {
	s.t.Helper()
	want := int64(len(blocks) * len(s.nodes))
	for deadline := time.Now().Add(time.Minute); ; {
		c := s.dial(i)
		scores = nil
		for _, b := range blocks {
			scores = append(scores, must(c.Put(s.t.Context(), b))(s.t))
		}
		if err := c.Sync(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
		rep := c.Report()
		if rep.Blocks != int64(len(blocks)) || rep.Below != 0 {
			s.t.Fatalf("%+v", rep)
		}
		if rep.Fragments == want {
			return scores
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%+v", rep)
		}
	}
}

func TestContract(t *testing.T) {
	for _, n := range []int{1, 5} {
		t.Run(fmt.Sprintf("%d members", n), func(t *testing.T) {
			s := found(t, n)
			t.Run("client", func(t *testing.T) {
				ventitest.TestStore(t, func(t *testing.T) venti.Store {
					c := *s
					c.t = t
					return c.dial(0)
				})
			})
		})
	}
}

// A block that a client put is read through another member's socket, with as many members gone as the code allows.
func TestPutAndGet(t *testing.T) {
	s := found(t, 7)
	blocks := random(20, 100_000)
	scores := s.store(3, blocks...)
	l := must(node.DialLocal(t.Context(), s.folders[0].Dir))(t)
	defer l.Close()
	id := must(member.ParseID(must(l.Status(t.Context()))(t).ID))(t)
	key := must(member.KeyOf(id))(t)
	session := node.Session{Owner: dhash.Owner(member.PublicOf(owner(1))), MarkKey: [32]byte{1},
		Grant: must(s.folders[0].Grant(owner(1), key, time.Now()))(t)}
	r := must(l.Blocks(t.Context(), session))(t)
	defer r.Close()
	code := must(dhash.ParseCode(must(l.Status(t.Context()))(t).Code))(t)
	t.Logf("code %v", code)
	for i := range code.Total - code.Need {
		s.end(1 + i)
	}
	for i, score := range scores {
		if got := must(r.Get(t.Context(), score))(t); !bytes.Equal(got, blocks[i]) {
			t.Fatalf("block %d is another one", i)
		}
	}
	has := must(r.Has(t.Context(), scores))(t)
	for i := range has {
		if !has[i] && code.Need == 1 {
			t.Errorf("block %d is not there", i)
		}
	}
	if l, _, err := r.Report(t.Context()); err != nil || l.Blocks != 0 {
		t.Errorf("%+v, %v", l, err)
	}
}

// A member that restarts has what it acknowledged, at another port, and is found by the others.
func TestRestart(t *testing.T) {
	s := found(t, 3)
	c := s.dial(0)
	block := ventitest.Random(1, 300_000)
	score := must(c.Put(t.Context(), block))(t)
	if err := c.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 3 { // in the end no address is what it was
		s.end(i)
		s.run(i)
		s.settle(3)
	}
	again := s.dial(1)
	if got := must(again.Get(t.Context(), score))(t); !bytes.Equal(got, block) {
		t.Error("the block is another one")
	}
	if has := must(again.Has(t.Context(), []venti.Score{score}))(t); !has[0] {
		t.Error("the owner's mark is lost")
	}
}

// A folder of fragments that is not the member's, or not there any more, is refused.
func TestFolders(t *testing.T) {
	s := found(t, 2)
	s.end(0)
	s.end(1)
	if _, err := node.DialLocal(t.Context(), s.folders[0].Dir); !errors.Is(err, node.ErrNotRunning) {
		t.Errorf("DialLocal with no node: %v", err)
	}
	a, b := s.folders[0].Dir+"/fragments", s.folders[1].Dir+"/fragments"
	if err := errors.Join(os.Rename(a, a+".away"), os.Rename(b, a)); err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{Folder: must(node.OpenFolder(s.folders[0].Dir))(t), Domain: "a/b", Capacity: 1 << 20}
	if _, err := node.Open(t.Context(), cfg); err == nil {
		t.Error("a node opened another member's fragments")
	}
	if err := os.Rename(a, b); err != nil {
		t.Fatal(err)
	}
	if _, err := node.Open(t.Context(), cfg); err == nil {
		t.Error("a node opened no fragments where it had some")
	}
	if _, err := node.OpenFolder(t.TempDir()); !errors.Is(err, node.ErrNoSwarm) {
		t.Errorf("OpenFolder of an empty folder: %v", err)
	}
}

// Who joined with an invitation that was used up is told so, and at once.
func TestRefused(t *testing.T) {
	s := found(t, 1)
	var seeds []ma.Multiaddr
	for _, a := range s.nodes[0].Status().Addrs {
		seeds = append(seeds, must(ma.NewMultiaddr(a))(t))
	}
	now := time.Now()
	v := must(member.Invite(s.founder.Swarm, nil, s.founder.Founder, now, now.Add(time.Hour), 1, "test", seeds))(t)
	for range 2 {
		s.folders = append(s.folders, must(node.Join(t.TempDir(), v, "test", now))(t))
	}
	s.run(1)
	s.settle(2)
	_, err := node.Dial(t.Context(), node.ClientConfig{Folder: s.folders[2], Owner: owner(1), Log: s.log})
	if !errors.Is(err, dhash.ErrStranger) || !strings.Contains(err.Error(), "used up") {
		t.Errorf("Dial: %v", err)
	}
}

// A client is answered by the members' DHT, though it is none of them, and finds those that are closest to a block.
func TestClientLookup(t *testing.T) {
	s := found(t, 5)
	c := s.dial(2)
	score := venti.Sum([]byte("never put"))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Lookup(over, score); err == nil { // whoever gives up does not take the time to join from others
		t.Error("a lookup that was over has found somebody")
	}
	var ids []dhash.ID
	for deadline := time.Now().Add(30 * time.Second); len(ids) < 5; { // the table fills one by one
		if time.Now().After(deadline) {
			t.Fatalf("found %d members, want 5", len(ids))
		}
		ids = must(c.Lookup(t.Context(), score))(t)
	}
	want := slices.Clone(s.folders)
	key := dhash.KeyOf(score)
	slices.SortFunc(want, func(a, b *node.Folder) int { return key.Compare(a.ID().Key(), b.ID().Key()) })
	for i, f := range want {
		if ids[i] != f.ID() {
			t.Errorf("member %d is %s, want %s", i, ids[i].Short(), f.ID().Short())
		}
	}
}
