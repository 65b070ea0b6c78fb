package repair_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/placement"
	"ventidhash/dhash/repair"
	"ventidhash/venti"
)

// owner and mark are those of all blocks in these tests, where nothing else is said.
var (
	owner = dhash.Owner{7}
	mark  = [16]byte{9}
	cl    = []dhash.Claim{{Owner: owner, Mark: mark}}
)

// A swarm is members that are maps, each with a Repairer over it.
type swarm struct {
	t       *testing.T
	members []*member
	byID    map[dhash.ID]*member
	policy  *codec.Policy
	codec   codec.Encoder
	blocks  map[venti.Score][]byte
	change  []func(*repair.Config) // of each Repairer that is made

	mu      sync.Mutex
	copies  int
	gets    int
	haves   int
	order   []venti.Score // in the order of copies
	bytes   int64
	flying  int
	most    int                      // requests under way at once
	onCopy  func(to *member)         // called before a copy is stored
	twoMade map[venti.Score]dhash.ID // where a member was seen with two fragments of a coding
}

type member struct {
	s      *swarm
	id     dhash.ID
	domain string
	full   bool // as the table says
	dead   bool // does not answer
	gone   bool // is not in the table
	refuse bool // stores nothing, though the table says that it has room
	liar   bool // sends fragments with a bit flipped
	empty  bool // has nothing of what it says that it has
	hangs  bool // does not answer gets and copies before they are given up
	leaves bool // retires
	delay  time.Duration

	held map[fragstore.Name]*kept
	rep  *repair.Repairer
}

type kept struct {
	encoded []byte
	code    dhash.Code
	length  int
	claims  []dhash.Claim
}

func newSwarm(t *testing.T, n int, change ...func(*repair.Config)) *swarm {
	s := &swarm{t: t, byID: map[dhash.ID]*member{}, blocks: map[venti.Score][]byte{}, change: change,
		twoMade: map[venti.Score]dhash.ID{}}
	s.join(n)
	return s
}

// join adds members.
func (s *swarm) join(n int) {
	for range n {
		i := len(s.members)
		m := &member{s: s, id: dhash.ID(fmt.Sprintf("member %d", i)), domain: fmt.Sprintf("site%d/host%d", i, i),
			held: map[fragstore.Name]*kept{}}
		s.members = append(s.members, m)
		s.byID[m.id] = m
		cfg := repair.Config{Self: m.id, Peers: wire{s, m}, Store: disk{m}, Table: s.table, Retiring: s.leaves}
		if s.policy != nil {
			cfg.Policy = func() codec.Policy { return *s.policy }
		}
		for _, c := range s.change {
			c(&cfg)
		}
		var err error
		if m.rep, err = repair.New(cfg); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *swarm) leaves(id dhash.ID) bool { return s.byID[id].leaves }

func (s *swarm) table() *placement.Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []placement.Member
	for _, m := range s.members {
		if !m.gone {
			list = append(list, placement.Member{ID: m.id, Key: m.id.Key(), Domain: m.domain, Full: m.full})
		}
	}
	return placement.New(list)
}

// put stores a block of so many bytes as a gateway does, and returns its coding.
func (s *swarm) put(seed uint64, size int, c dhash.Code) *codec.Encoded {
	s.t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	block := make([]byte, size)
	for i := range block {
		block[i] = byte(rng.Uint32())
	}
	score := venti.Sum(block)
	enc, err := s.codec.Encode(score, block, c)
	if err != nil {
		s.t.Fatal(err)
	}
	s.blocks[score] = block
	s.store(enc)
	return enc
}

// putAll stores n blocks of so many bytes.
func (s *swarm) putAll(n, size int, c dhash.Code) (all []*codec.Encoded) {
	s.t.Helper()
	for i := range n {
		all = append(all, s.put(uint64(i), size, c))
	}
	return all
}

func (s *swarm) store(enc *codec.Encoded) {
	for _, p := range s.table().Place(dhash.KeyOf(enc.Score), enc.Code) {
		f := enc.Fragment(p.Index)
		s.byID[p.Member.ID].keep(cl, &f, enc.Coding)
	}
}

// keep stores a fragment. s.mu is not held.
func (m *member) keep(claims []dhash.Claim, f *dhash.Fragment, coding dhash.Coding) {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	n := fragstore.Name{Score: f.Score, Coding: coding, Index: f.Index}
	k := m.held[n]
	if k == nil {
		for other, o := range m.held {
			if other.Score == n.Score && other.Coding == coding && len(o.claims) > 0 {
				m.s.twoMade[n.Score] = m.id
			}
		}
		k = &kept{encoded: f.Append(nil), code: f.Code, length: f.Length}
		m.held[n] = k
	}
	for _, c := range claims {
		if !slices.Contains(k.claims, c) {
			k.claims = append(k.claims, c)
		}
	}
}

// wipe is what a new disk does.
func (m *member) wipe() {
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	m.held = map[fragstore.Name]*kept{}
}

func (m *member) holds(coding dhash.Coding) (indices []int) {
	for n, k := range m.held {
		if n.Coding == coding && len(k.claims) > 0 {
			indices = append(indices, n.Index)
		}
	}
	return indices
}

// holders returns the members that hold a claimed fragment of a coding, the closest first.
func (s *swarm) holders(enc *codec.Encoded) (list []*member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		if len(m.holds(enc.Coding)) > 0 {
			list = append(list, m)
		}
	}
	at := dhash.KeyOf(enc.Score)
	slices.SortFunc(list, func(a, b *member) int { return at.Compare(a.id.Key(), b.id.Key()) })
	return list
}

// present counts the different claimed fragments of a coding at members that answer, and all of them.
func (s *swarm) present(enc *codec.Encoded) (different, all int) {
	seen := map[int]bool{}
	for _, m := range s.holders(enc) {
		if m.dead {
			continue
		}
		for _, i := range m.holds(enc.Coding) {
			seen[i] = true
			all++
		}
	}
	return len(seen), all
}

// read decodes a block from what the members that answer hold, of any coding, trash included.
func (s *swarm) read(score venti.Score) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	byCoding := map[dhash.Coding][]*dhash.Fragment{}
	for _, m := range s.members {
		if m.dead || m.gone {
			continue
		}
		for n, k := range m.held {
			if n.Score == score {
				f, err := dhash.ParseFragment(k.encoded)
				if err != nil || f.Coding() != n.Coding {
					continue
				}
				byCoding[n.Coding] = append(byCoding[n.Coding], f)
			}
		}
	}
	err := errors.New("nothing")
	for coding, list := range byCoding {
		var block []byte
		if block, err = s.codec.Decode(coding, list); err == nil && bytes.Equal(block, s.blocks[score]) {
			return nil
		}
	}
	return err
}

// rounds has all members sweep and repair n times, and lets time pass after each.
func (s *swarm) rounds(n int, gap time.Duration) {
	s.t.Helper()
	for range n {
		s.sweep()
		s.now()
		time.Sleep(gap)
	}
}

// sweep tells every member that answers about all it holds, as a sweep that counts exactly would.
func (s *swarm) sweep(only ...*member) {
	table := s.table()
	s.mu.Lock()
	live := map[dhash.Coding]map[int]bool{}
	hold := map[dhash.Coding][]dhash.Key{}
	for _, m := range s.members {
		for n, k := range m.held {
			if !m.dead && !m.gone && len(k.claims) > 0 {
				if live[n.Coding] == nil {
					live[n.Coding] = map[int]bool{}
				}
				live[n.Coding][n.Index] = true
				hold[n.Coding] = append(hold[n.Coding], m.id.Key())
			}
		}
	}
	found := map[*member][]repair.Candidate{}
	for _, m := range s.members {
		if m.dead || m.gone || len(only) > 0 && !slices.Contains(only, m) {
			continue
		}
		for n, k := range m.held {
			if len(k.claims) > 0 {
				c := repair.Candidate{Score: n.Score, Coding: n.Coding, Code: k.code, Present: len(live[n.Coding])}
				at, own := dhash.KeyOf(n.Score), m.id.Key()
				for _, other := range hold[n.Coding] {
					if at.Compare(other, own) < 0 {
						c.Rank++
					}
				}
				if !table.Responsible(m.id, at, k.code, 0) {
					c.Present, c.Stray = 1, true
				}
				found[m] = append(found[m], c)
			}
		}
	}
	s.mu.Unlock()
	for m, list := range found {
		slices.SortFunc(list, func(a, b repair.Candidate) int { return bytes.Compare(a.Score[:], b.Score[:]) })
		m.rep.Add(list)
	}
}

// now lets every member that answers do what is due, one after the other.
func (s *swarm) now(only ...*member) {
	s.t.Helper()
	for _, m := range s.members {
		if m.dead || m.gone || len(only) > 0 && !slices.Contains(only, m) {
			continue
		}
		if err := m.rep.Now(s.t.Context(), nil); err != nil {
			s.t.Fatalf("member %s: %v", m.id.Short(), err)
		}
	}
}

// together is now for all members at the same time.
func (s *swarm) together() {
	s.t.Helper()
	var all sync.WaitGroup
	for _, m := range s.members {
		if !m.dead && !m.gone {
			all.Go(func() {
				if err := m.rep.Now(s.t.Context(), nil); err != nil {
					s.t.Errorf("member %s: %v", m.id.Short(), err)
				}
			})
		}
	}
	all.Wait()
}

// total adds up the stats of all members.
func (s *swarm) total() (sum repair.Stats) {
	for _, m := range s.members {
		st := m.rep.Stats()
		sum.Queued += st.Queued
		sum.Irreparable += st.Irreparable
		sum.Repaired += st.Repaired
		sum.Recoded += st.Recoded
		sum.Made += st.Made
		sum.HandedOff += st.HandedOff
		sum.Trimmed += st.Trimmed
		sum.Bad += st.Bad
		sum.Failed += st.Failed
		if st.LastError != nil {
			sum.LastError = st.LastError
		}
	}
	return sum
}

// junkCoding returns a coding of other bytes under a block's score: what a liar plants.
func (s *swarm) junkCoding(score venti.Score, c dhash.Code) *codec.Encoded {
	sum := sha256.Sum256(score[:])
	enc, err := s.codec.Encode(score, bytes.Repeat(sum[:], len(s.blocks[score])/len(sum)+1)[:len(s.blocks[score])], c)
	if err != nil {
		s.t.Fatal(err)
	}
	return enc
}
