package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// How a fake member behaves.
type mode int32

const (
	good    mode = iota
	full         // refuses to store
	hung         // does not answer before the context ends
	gone         // cannot be reached
	garbles      // sends fragments with a bit flipped
	forgets      // acknowledges and keeps nothing
	mixes        // answers with a fragment of another block
	lost         // says what it held, and has lost it
	halts        // does not answer the second challenge
	moved        // cannot be reached the first time
)

// fakeSwarm is a gateway.Peers whose members are maps.
type fakeSwarm struct {
	ids     []dhash.ID
	members map[dhash.ID]*fakeMember
	domain  func(i int) string
	claimed atomic.Int64 // claims on what is held already
}

type fakeMember struct {
	mode  atomic.Int32
	delay atomic.Int64 // of every answer, in nanoseconds

	mu   sync.Mutex
	held map[venti.Score]map[dhash.Coding]map[int]*fragment
	puts int

	nonces   []uint64
	diverted map[venti.Score]dhash.ID
}

type fragment struct {
	dhash.Fragment
	marks map[dhash.Owner][16]byte
}

func newFakeSwarm(n int) *fakeSwarm {
	f := &fakeSwarm{members: map[dhash.ID]*fakeMember{}, domain: func(i int) string { return fmt.Sprintf("site%d/host%d", i, i) }}
	for i := range n {
		id := dhash.ID(fmt.Sprintf("member %d", i))
		f.ids = append(f.ids, id)
		f.members[id] = &fakeMember{held: map[venti.Score]map[dhash.Coding]map[int]*fragment{},
			diverted: map[venti.Score]dhash.ID{}}
	}
	return f
}

func (f *fakeSwarm) table() *placement.Table {
	list := make([]placement.Member, len(f.ids))
	for i, id := range f.ids {
		list[i] = placement.Member{ID: id, Key: id.Key(), Domain: f.domain(i)}
	}
	return placement.New(list)
}

func (f *fakeSwarm) set(m mode, ids ...dhash.ID) {
	for _, id := range ids {
		f.members[id].mode.Store(int32(m))
	}
}

// fragments counts the fragments that members hold.
func (f *fakeSwarm) fragments() (n int) {
	for _, m := range f.members {
		m.mu.Lock()
		for _, codings := range m.held {
			for _, byIndex := range codings {
				n += len(byIndex)
			}
		}
		m.mu.Unlock()
	}
	return n
}

func (f *fakeSwarm) puts() (n int) {
	for _, m := range f.members {
		m.mu.Lock()
		n += m.puts
		m.mu.Unlock()
	}
	return n
}

// holders returns who holds something of a block.
func (f *fakeSwarm) holders(s venti.Score) (ids []dhash.ID) {
	for _, id := range f.ids {
		m := f.members[id]
		m.mu.Lock()
		if len(m.held[s]) > 0 {
			ids = append(ids, id)
		}
		m.mu.Unlock()
	}
	return ids
}

// enter waits as long as the member takes to answer, and fails where it does not.
func (f *fakeSwarm) enter(ctx context.Context, id dhash.ID) (*fakeMember, mode, error) {
	m := f.members[id]
	if m == nil {
		return nil, 0, errors.New("no such member")
	}
	how := mode(m.mode.Load())
	switch how {
	case moved:
		m.mode.Store(int32(good))
		return nil, how, errors.New("connection refused")
	case gone:
		return nil, how, errors.New("connection refused")
	case hung:
		<-ctx.Done()
		return nil, how, ctx.Err()
	}
	if d := time.Duration(m.delay.Load()); d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return nil, how, ctx.Err()
		}
	}
	return m, how, ctx.Err()
}

func (f *fakeSwarm) Put(ctx context.Context, to dhash.ID, c dhash.Claim, fr *dhash.Fragment) (peer.Receipt, error) {
	m, how, err := f.enter(ctx, to)
	if err != nil {
		return peer.Receipt{}, err
	}
	if how == full {
		return peer.Receipt{}, &peer.Refusal{Err: dhash.ErrFull, Text: "0 bytes left"}
	}
	parsed, err := dhash.ParseFragment(fr.Append(nil))
	if err != nil {
		return peer.Receipt{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	if how != forgets {
		m.keep(parsed, c)
	}
	return peer.Receipt{Free: 1, Coding: parsed.Coding()}, nil
}

func (f *fakeSwarm) Divert(ctx context.Context, to dhash.ID, d peer.Diversion) error {
	m, _, err := f.enter(ctx, to)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.diverted[d.Score] = d.To
	return nil
}

// keep stores a fragment. The caller holds mu.
func (m *fakeMember) keep(fr *dhash.Fragment, c dhash.Claim) {
	coding := fr.Coding()
	if m.held[fr.Score] == nil {
		m.held[fr.Score] = map[dhash.Coding]map[int]*fragment{}
	}
	if m.held[fr.Score][coding] == nil {
		m.held[fr.Score][coding] = map[int]*fragment{}
	}
	old := m.held[fr.Score][coding][fr.Index]
	if old == nil {
		old = &fragment{Fragment: *fr, marks: map[dhash.Owner][16]byte{}}
		m.held[fr.Score][coding][fr.Index] = old
	}
	old.marks[c.Owner] = c.Mark
}

func (f *fakeSwarm) Get(ctx context.Context, from dhash.ID, w peer.Want) (*dhash.Fragment, dhash.Coding, error) {
	m, how, err := f.enter(ctx, from)
	if err != nil {
		return nil, dhash.Coding{}, err
	}
	s := w.Score
	m.mu.Lock()
	defer m.mu.Unlock()
	if how == mixes {
		for other, codings := range m.held {
			if other != s && len(codings) > 0 {
				return nil, dhash.Coding{}, fmt.Errorf("%w: it is of block %s", dhash.ErrFragment, other.Short())
			}
		}
	}
	for coding, byIndex := range m.held[s] {
		if slices.Contains(w.Avoid, coding) || !w.Coding.IsZero() && coding != w.Coding {
			continue
		}
		for _, fr := range byIndex {
			out := fr.Fragment
			if how == garbles {
				out.Payload = slices.Clone(out.Payload)
				out.Payload[len(out.Payload)/2] ^= 1
			}
			return &out, out.Coding(), nil
		}
	}
	return nil, dhash.Coding{}, &peer.Refusal{Err: dhash.ErrNoFragment, Diverted: m.diverted[s]}
}

func (f *fakeSwarm) Have(ctx context.Context, from dhash.ID, o dhash.Owner, scores []venti.Score) ([][]dhash.Held, error) {
	m, _, err := f.enter(ctx, from)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([][]dhash.Held, len(scores))
	for i, s := range scores {
		for coding, byIndex := range m.held[s] {
			for index, fr := range byIndex {
				out[i] = append(out[i], dhash.Held{Coding: coding, Code: fr.Code, Index: index, Length: fr.Length, Mark: fr.marks[o]})
			}
		}
	}
	return out, nil
}

func (f *fakeSwarm) Claim(ctx context.Context, to dhash.ID, o dhash.Owner, marks []peer.Mark) ([]bool, error) {
	m, _, err := f.enter(ctx, to)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]bool, len(marks))
	for i, k := range marks {
		if fr := m.held[k.Score][k.Coding][k.Index]; fr != nil {
			fr.marks[o] = k.Mark
			out[i] = true
			f.claimed.Add(1)
		}
	}
	return out, nil
}

func (f *fakeSwarm) Latency(id dhash.ID) (mean, p95 time.Duration) {
	d := time.Duration(f.members[id].delay.Load())
	return d, 2 * d
}

// open returns a gateway over f with a code of 8/20, 4/20 for vital blocks, or what a smaller swarm allows.
func (f *fakeSwarm) open(t *testing.T, change ...func(*gateway.Config)) *gateway.Gateway {
	t.Helper()
	cfg := gateway.Config{Peers: f, Table: f.table, Owner: dhash.Owner{1}, MarkKey: [32]byte{2}, Patience: 10 * time.Second,
		Code: func(members int, vital bool) dhash.Code {
			n := min(members, 20)
			k := max(1, n*8/20)
			if vital {
				k = max(1, k/2)
			}
			return dhash.Code{Need: k, Total: n}
		}}
	for _, c := range change {
		c(&cfg)
	}
	g, err := gateway.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}
