package sim

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/venti"
)

// A Swarm is members on a simulated network, in virtual time. Members have numbers, from 0 on; member 0 has the swarm's
// key. A Swarm is for the goroutine that Run calls f on, but for Client's stores, which are for any.
type Swarm struct {
	t       testing.TB
	cfg     Config
	links   *links
	founder ed25519.PrivateKey
	owner   ed25519.PrivateKey
	data    *rand.Rand // of blocks
	dir     string
	members []*simulated
	stated  uint64 // statements made
}

// simulated is one member.
type simulated struct {
	index int
	dir   string
	key   ed25519.PrivateKey
	at    place
	up    bool // it runs, as far as the others can know

	leaves, refills bool // it retires, or has lost its disk
	host            host.Host
	node            *node.Node      // nil before the first start
	life            context.Context // ends when it is to end
	stop            context.CancelFunc
	work            sync.WaitGroup // what Serve runs
	ended           chan struct{}  // closed when nothing of it runs any more
	failed          error          // of Run; set before ended is closed
	stores          []*gateway.Gateway
}

// Run makes a swarm, waits until its members know each other, and calls f with it in a bubble of package synctest: time
// stands still while anything happens, and jumps ahead while nothing does. f is to use the t that it is given, which is
// the bubble's. When f returns, or fails the test, all members leave. A failed test says which seed it had.
func Run(t *testing.T, cfg Config, f func(t *testing.T, s *Swarm)) {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSwarm(t, cfg, dir)
		defer func() {
			if t.Failed() {
				t.Logf("the seed was %d; set %s to it to try again", cfg.Seed, SeedVariable)
			}
		}()
		defer s.close()
		for range cfg.Members {
			s.prepare()
		}
		for i := range s.members {
			s.start(i)
		}
		s.Settle()
		f(t, s)
	})
}

func newSwarm(t testing.TB, cfg Config, dir string) *Swarm {
	s := &Swarm{t: t, cfg: cfg, dir: dir}
	s.founder, s.owner = s.keyOf("swarm"), s.keyOf("owner")
	s.data = s.dice("data")
	s.links = newLinks(cfg, s.dice("loss"))
	m := *cfg.Manifest
	m.Revision = 1
	if err := m.Sign(s.founder, time.Now()); err != nil {
		t.Fatal(err)
	}
	s.cfg.Manifest = &m
	return s
}

// close ends all members, at once, and then the network.
func (s *Swarm) close() {
	var all []int
	for i, m := range s.members {
		if m.up {
			all = append(all, i)
		}
	}
	s.Heal()
	s.Leave(all...)
	for _, m := range s.members {
		if m.ended != nil {
			<-m.ended
		}
	}
	s.links.net.Close()
}

// dice returns a source of numbers that the seed and a name decide.
func (s *Swarm) dice(name string) *rand.Rand {
	b := binary.BigEndian.AppendUint64([]byte("vdh sim "), s.cfg.Seed)
	return rand.New(rand.NewChaCha8(sha256.Sum256(append(b, name...))))
}

func (s *Swarm) keyOf(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	d := s.dice("key of " + name)
	for i := range seed {
		seed[i] = byte(d.Uint32())
	}
	return ed25519.NewKeyFromSeed(seed)
}

// prepare makes one more member's folder, and returns its number. It is to start with the addresses of members 0 to 2.
func (s *Swarm) prepare() int {
	s.t.Helper()
	i := len(s.members)
	m := &simulated{index: i, dir: filepath.Join(s.dir, fmt.Sprintf("member%02d", i)), key: s.keyOf(fmt.Sprint("member ", i)),
		at: s.links.newPlace()}
	s.members = append(s.members, m)
	public := member.PublicOf(m.key)
	chain, err := member.Chain(nil).Issue(s.founder, member.PublicOf(s.founder), time.Now(),
		member.Certificate{Role: member.RoleMember, Subject: public, Label: fmt.Sprint("member ", i)})
	if err != nil {
		s.t.Fatal(err)
	}
	f := &node.Folder{Dir: m.dir, Key: m.key, Swarm: member.PublicOf(s.founder), Chain: chain, Manifest: s.cfg.Manifest}
	for _, seed := range s.members[:min(3, len(s.members))] {
		if seed != m {
			f.Seeds = append(f.Seeds, seed.addr(s.t))
		}
	}
	if err := errors.Join(os.MkdirAll(m.dir, 0o700), f.Save()); err != nil {
		s.t.Fatal(err)
	}
	return i
}

func (m *simulated) id() dhash.ID { return member.PublicOf(m.key).ID() }

func (m *simulated) addr(t testing.TB) ma.Multiaddr {
	a, err := ma.NewMultiaddr(fmt.Sprintf("/ip4/%s/udp/17035/quic-v1/p2p/%s", m.at, m.id()))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// start runs member i, from what its folder says.
func (s *Swarm) start(i int) {
	s.t.Helper()
	m := s.members[i]
	folder, err := node.OpenFolder(m.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	h, err := s.links.host(m.key, m.at)
	if err != nil {
		s.t.Fatal(err)
	}
	n, err := node.Open(s.t.Context(), node.Config{Folder: folder, Host: h, NoSocket: true, Name: fmt.Sprint("member ", i),
		Domain: s.cfg.Domain(i), Capacity: s.cfg.Capacity, Program: "sim", Upkeep: s.cfg.Upkeep, Retire: m.leaves,
		Refill: m.refills, Log: s.cfg.Log.With("member", i)})
	if err != nil {
		s.t.Fatalf("member %d: %v", i, err)
	}
	m.host, m.node, m.up, m.ended, m.failed = h, n, true, make(chan struct{}), nil
	m.life, m.stop = context.WithCancel(context.Background())
	go func() {
		defer close(m.ended)
		m.failed = n.Run(m.life)
		m.work.Wait()
	}()
}

// Join adds n members, starts them, and returns their numbers. It does not wait until the others know them.
func (s *Swarm) Join(n int) []int {
	s.t.Helper()
	var added []int
	for range n {
		i := s.prepare()
		s.start(i)
		added = append(added, i)
	}
	return added
}

// Leave ends members in order, all at once, and returns when they are gone: they say goodbye and close their files.
func (s *Swarm) Leave(members ...int) {
	s.t.Helper()
	var all sync.WaitGroup
	for _, i := range members {
		m := s.running(i)
		m.up = false
		all.Go(func() {
			m.end()
			<-m.ended
		})
	}
	all.Wait()
	for _, i := range members {
		if err := s.members[i].failed; err != nil {
			s.t.Errorf("member %d: %v", i, err)
		}
	}
}

// Kill has members vanish without a word: from now on nobody hears them. Their files are closed in order (what a crash
// does to those is tested in packages arena and fragstore), some time later; Restart waits for that.
func (s *Swarm) Kill(members ...int) {
	s.t.Helper()
	s.Stop(members...)
	for _, i := range members {
		m := s.running(i)
		m.up = false
		go m.end()
	}
}

// end closes the stores of a member, and ends it.
func (m *simulated) end() {
	for _, g := range m.stores {
		g.Close()
	}
	m.stores = nil
	m.stop()
}

// Restart starts members again, after Leave or Kill, where they were.
func (s *Swarm) Restart(members ...int) {
	s.t.Helper()
	for _, i := range members {
		s.down(i)
		s.Resume(i)
		s.start(i)
	}
}

// Retire has members stop and start again as ones that are about to leave: they hand over what they hold.
func (s *Swarm) Retire(members ...int) {
	s.t.Helper()
	s.Leave(members...)
	for _, i := range members {
		s.members[i].leaves = true
	}
	s.Restart(members...)
}

// Wipe has a member lose its disk: it is killed, its fragments are removed, and it starts again with an empty folder, under
// the name that it had. If it refills (node.Config.Refill) it says so, else it does not know that anything was there.
func (s *Swarm) Wipe(i int, refills bool) {
	s.t.Helper()
	s.Kill(i)
	m := s.down(i)
	lost := []string{"fragments"}
	if m.refills = refills; !refills {
		lost = append(lost, "place")
	}
	for _, name := range lost {
		if err := os.RemoveAll(filepath.Join(m.dir, name)); err != nil {
			s.t.Fatal(err)
		}
	}
	s.Restart(i)
	m.refills = false // when it starts the next time
}

// Move starts members again, after Leave or Kill, at addresses that nobody has had.
func (s *Swarm) Move(members ...int) {
	s.t.Helper()
	for _, i := range members {
		m := s.down(i)
		m.at = s.links.newPlace()
		s.start(i)
	}
}

// running returns a member that runs.
func (s *Swarm) running(i int) *simulated {
	s.t.Helper()
	m := s.members[i]
	if !m.up {
		s.t.Fatalf("member %d does not run", i)
	}
	return m
}

// down waits until nothing of a member runs, which is not to be running.
func (s *Swarm) down(i int) *simulated {
	s.t.Helper()
	m := s.members[i]
	if m.up {
		s.t.Fatalf("member %d runs already", i)
	}
	<-m.ended
	return m
}

// Dir returns the folder of member i. While it does not run its files may be changed.
func (s *Swarm) Dir(i int) string { return s.members[i].dir }

// Down waits until members that were killed have closed their files.
func (s *Swarm) Down(members ...int) {
	s.t.Helper()
	for _, i := range members {
		s.down(i)
	}
}

// Block returns size bytes that the seed decides, others at each call.
func (s *Swarm) Block(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(s.data.Uint32())
	}
	return b
}

// Client returns a store that keeps its blocks in the swarm, for the one owner that there is, through member i. It ends
// with the member.
func (s *Swarm) Client(i int) *gateway.Gateway {
	s.t.Helper()
	m := s.running(i)
	folder, err := node.OpenFolder(m.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	grant, err := folder.Grant(s.owner, member.PublicOf(m.key), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	g, err := m.node.Gateway(node.Session{Owner: dhash.Owner(member.PublicOf(s.owner)), Grant: grant, MarkKey: [32]byte{1}})
	if err != nil {
		s.t.Fatal(err)
	}
	m.stores = append(m.stores, g)
	return g
}

// Put stores blocks through member i, and waits until they are durable.
func (s *Swarm) Put(i int, blocks ...[]byte) []venti.Score {
	s.t.Helper()
	g := s.Client(i)
	var scores []venti.Score
	for _, b := range blocks {
		score, err := g.Put(s.t.Context(), b)
		if err != nil {
			s.t.Fatal(err)
		}
		scores = append(scores, score)
	}
	if err := g.Sync(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return scores
}
