package repair_test

import (
	"bytes"
	"context"
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
	"ventidhash/dhash/peer"
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

// sweep tells every member that answers about all it holds, as a sweep that counts exactly would.
func (s *swarm) sweep(only ...*member) {
	table := s.table()
	s.mu.Lock()
	live := map[dhash.Coding]map[int]bool{}
	for _, m := range s.members {
		for n, k := range m.held {
			if !m.dead && !m.gone && len(k.claims) > 0 {
				if live[n.Coding] == nil {
					live[n.Coding] = map[int]bool{}
				}
				live[n.Coding][n.Index] = true
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
				if !table.Responsible(m.id, dhash.KeyOf(n.Score), k.code, 0) {
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

// wire is what a member uses of the wire.
type wire struct {
	s    *swarm
	self *member
}

// enter begins a request to a member, and says whether it answers.
func (w wire) enter(ctx context.Context, id dhash.ID, large bool) (*member, error) {
	if id == w.self.id {
		return nil, errors.New("a member asks itself over the wire")
	}
	w.s.mu.Lock()
	w.s.flying++
	w.s.most = max(w.s.most, w.s.flying)
	w.s.mu.Unlock()
	defer func() {
		w.s.mu.Lock()
		w.s.flying--
		w.s.mu.Unlock()
	}()
	m := w.s.byID[id]
	w.s.mu.Lock()
	answers := m != nil && !m.dead && !m.gone
	w.s.mu.Unlock()
	if !answers {
		return nil, venti.ErrUnavailable
	}
	if m.hangs && large {
		<-ctx.Done()
		return nil, fmt.Errorf("%w: %w", venti.ErrUnavailable, ctx.Err())
	}
	time.Sleep(m.delay + time.Millisecond)
	return m, ctx.Err()
}

func (w wire) Latency(id dhash.ID) (mean, p95 time.Duration) { return w.s.byID[id].delay, 0 }

func (w wire) Have(ctx context.Context, from dhash.ID, o dhash.Owner, scores []venti.Score) ([][]dhash.Held, error) {
	if len(scores) > 256 {
		return nil, fmt.Errorf("%d scores at once", len(scores))
	}
	m, err := w.enter(ctx, from, false)
	if err != nil {
		return nil, err
	}
	lists, err := disk{m}.Have(ctx, scores)
	out := make([][]dhash.Held, len(scores))
	for i := range lists {
		for _, h := range lists[i] {
			held := dhash.Held{Coding: h.Coding, Code: h.Code, Index: h.Index, Length: h.Length}
			for _, c := range h.Claims {
				if c.Owner == o {
					held.Mark = c.Mark
				}
			}
			out[i] = append(out[i], held)
		}
	}
	return out, err
}

func (w wire) Get(ctx context.Context, from dhash.ID, want peer.Want) (*dhash.Fragment, dhash.Coding, error) {
	m, err := w.enter(ctx, from, true)
	if err != nil {
		return nil, dhash.Coding{}, err
	}
	encoded, _, err := disk{m}.Get(ctx, want.Score, func(h fragstore.Held) bool { return h.Coding == want.Coding }, nil)
	if err != nil || m.empty {
		return nil, dhash.Coding{}, &peer.Refusal{Err: dhash.ErrNoFragment}
	}
	f, err := dhash.ParseFragment(bytes.Clone(encoded))
	if err != nil {
		return nil, dhash.Coding{}, err
	}
	w.s.mu.Lock()
	w.s.gets++
	w.s.bytes += int64(len(f.Payload))
	w.s.mu.Unlock()
	if m.liar {
		return nil, dhash.Coding{}, fmt.Errorf("%w: a bit is flipped", dhash.ErrFragment) // as peer.Client finds
	}
	return f, f.Coding(), nil
}

func (w wire) Copy(ctx context.Context, to dhash.ID, claims []dhash.Claim, f *dhash.Fragment) (peer.Receipt, error) {
	m, err := w.enter(ctx, to, true)
	if err != nil {
		return peer.Receipt{}, err
	}
	if len(claims) == 0 || len(claims) > 16 {
		return peer.Receipt{}, fmt.Errorf("%d claims", len(claims))
	}
	if err := f.Validate(); err != nil {
		return peer.Receipt{}, err
	}
	if w.s.onCopy != nil {
		w.s.onCopy(m)
	}
	if m.full || m.refuse {
		return peer.Receipt{}, &peer.Refusal{Err: dhash.ErrFull}
	}
	m.keep(claims, f, f.Coding())
	w.s.mu.Lock()
	w.s.copies++
	w.s.order = append(w.s.order, f.Score)
	w.s.bytes += int64(len(f.Payload))
	w.s.mu.Unlock()
	return peer.Receipt{Free: 1, Coding: f.Coding()}, nil
}

// disk is what a member uses of its disk.
type disk struct{ m *member }

func (d disk) Have(_ context.Context, scores []venti.Score) ([][]fragstore.Held, error) {
	d.m.s.mu.Lock()
	defer d.m.s.mu.Unlock()
	out := make([][]fragstore.Held, len(scores))
	for i, s := range scores {
		for n, k := range d.m.held {
			if n.Score == s {
				out[i] = append(out[i], fragstore.Held{Name: n, Code: k.code, Length: k.length, Size: int64(len(k.encoded)),
					Claims: slices.Clone(k.claims)})
			}
		}
		slices.SortFunc(out[i], func(a, b fragstore.Held) int {
			return bytes.Compare(append(a.Coding[:], byte(a.Index)), append(b.Coding[:], byte(b.Index)))
		})
	}
	return out, nil
}

func (d disk) Get(ctx context.Context, score venti.Score, pick func(fragstore.Held) bool, _ []byte) ([]byte, fragstore.Held, error) {
	lists, err := d.Have(ctx, []venti.Score{score})
	if err != nil {
		return nil, fragstore.Held{}, err
	}
	for _, h := range lists[0] {
		if pick(h) {
			d.m.s.mu.Lock()
			defer d.m.s.mu.Unlock()
			return d.m.held[h.Name].encoded, h, nil
		}
	}
	return nil, fragstore.Held{}, dhash.ErrNoFragment
}

func (d disk) PutClaimed(_ context.Context, claims []dhash.Claim, f *dhash.Fragment, coding dhash.Coding) error {
	if d.m.full || d.m.refuse {
		return dhash.ErrFull
	}
	d.m.keep(claims, f, coding)
	return nil
}

func (d disk) Trim(_ context.Context, names []fragstore.Name, _ time.Time) (n int, err error) {
	d.m.s.mu.Lock()
	defer d.m.s.mu.Unlock()
	for _, name := range names {
		if k := d.m.held[name]; k != nil && len(k.claims) > 0 {
			k.claims, n = nil, n+1
		}
	}
	return n, nil
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
