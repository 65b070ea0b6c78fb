package peer

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/venti"
)

// A canned stream reads fixed bytes and swallows what is written.
type canned struct {
	network.Stream // nil: only what is below is used
	in             *bytes.Reader

	mu  sync.Mutex // protects the following
	out bytes.Buffer
}

func (s *canned) Read(b []byte) (int, error)       { return s.in.Read(b) }
func (s *canned) SetReadDeadline(time.Time) error  { return nil }
func (s *canned) SetWriteDeadline(time.Time) error { return nil }
func (s *canned) Reset() error                     { return nil }
func (s *canned) Close() error                     { return nil }

func (s *canned) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}

// nothing is a Handler that holds nothing and takes everything.
type nothing struct{}

func (nothing) Put(context.Context, dhash.ID, dhash.Claim, *dhash.Fragment, dhash.Coding) (int64, error) {
	return 0, nil
}
func (nothing) Get(context.Context, dhash.ID, Want) (*dhash.Fragment, error) {
	return nil, dhash.ErrNoFragment
}
func (nothing) Have(_ context.Context, _ dhash.ID, _ dhash.Owner, s []venti.Score) ([][]dhash.Held, error) {
	return make([][]dhash.Held, len(s)), nil
}
func (nothing) Claim(_ context.Context, _ dhash.ID, _ dhash.Owner, m []Mark) ([]bool, error) {
	return make([]bool, len(m)), nil
}
func (nothing) Divert(context.Context, dhash.ID, Diversion) error                   { return nil }
func (nothing) Reconcile(context.Context, dhash.ID, []byte) ([]byte, error)         { return nil, nil }
func (nothing) State(context.Context, dhash.ID, []byte) ([]byte, error)             { return []byte{1}, nil }
func (nothing) Challenge(context.Context, dhash.ID, Challenge) (*dhash.Leaf, error) { return nil, nil }
func (nothing) Heads(_ context.Context, _ dhash.ID, h []venti.Head, _ []bool) ([]head.Verdict, []venti.Head, error) {
	return slices.Repeat([]head.Verdict{head.New}, len(h)), nil, nil
}
func (nothing) FindHeads(_ context.Context, _ dhash.ID, o []dhash.Owner) ([][]venti.Head, error) {
	return make([][]venti.Head, len(o)), nil
}
func (nothing) Roots(context.Context, dhash.ID, dhash.Owner, dhash.Key) ([]venti.Score, dhash.Key, error) {
	return nil, dhash.Key{}, nil
}
func (nothing) Copy(context.Context, dhash.ID, []dhash.Claim, *dhash.Fragment, dhash.Coding) (int64, error) {
	return 0, nil
}

// FuzzServer feeds a server. Each request that is whole gets one answer, which is well-formed, and the stream ends.
func FuzzServer(f *testing.F) {
	var all []byte
	for _, v := range vectors(f) {
		f.Add(v.data)
		if h, err := parseHeader(v.data); err == nil && h.kind < answer && v.expect != "malformed" {
			all = append(all, v.data...)
		}
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := NewServer(nil, nothing{}, ServerConfig{
			Member: func(dhash.ID) bool { return true },
			Full:   func(dhash.ID) bool { return true },
			Grant:  func(dhash.ID, []byte) (dhash.Owner, error) { return dhash.Owner{}, nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		stream := &canned{in: bytes.NewReader(b)}
		failed := newServed(s, "x", stream).serve()
		if s.puts.inUse() != 0 || s.answers.inUse() != 0 {
			t.Errorf("%d and %d bytes are taken at the end", s.puts.inUse(), s.answers.inUse())
		}
		answers := int64(0)
		for out := stream.out.Bytes(); len(out) > 0; answers++ {
			h, err := parseHeader(out)
			if err != nil || h.kind < answer {
				t.Fatalf("an answer %x: %v", out[:headerSize], err)
			}
			out = out[headerSize+h.size:]
		}
		if failed == nil && answers != s.requests.Load() {
			t.Errorf("%d answers to %d requests", answers, s.requests.Load())
		}
	})
}

// FuzzClient feeds a client that has one request of each kind outstanding, with the ids 1 to 14. Each call gets one
// answer, of its kind, or none.
func FuzzClient(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.data)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg := ClientConfig{Stall: time.Hour, Idle: time.Hour}
		c := &Client{cfg: cfg.withDefaults()}
		r := &remote{client: c, window: newBudget(1), all: make(map[*link]struct{})}
		block := make(chan struct{})
		l := r.start(&delayed{canned{in: bytes.NewReader(b)}, block}, false)
		calls := make([]*call, 0, 14)
		for k := kPut; k <= kRoots; k++ {
			calls = append(calls, &call{kind: k, answer: make(chan reply, 1)})
			if err := l.send(calls[len(calls)-1], &frame{}); err != nil {
				t.Fatal(err)
			}
		}
		close(block)
		<-l.gone
		c.work.Wait()
		if !errors.Is(l.lost(), venti.ErrUnavailable) {
			t.Errorf("lost: %v", l.lost())
		}
		for _, c := range calls {
			select {
			case a := <-c.answer:
				if a.kind != rRefusal && a.kind != c.kind|answer {
					t.Errorf("%v in answer to %v", a.kind, c.kind)
				}
			default:
			}
		}
	})
}

// A delayed stream reads nothing before block is closed.
type delayed struct {
	canned
	block chan struct{}
}

func (s *delayed) Read(b []byte) (int, error) {
	<-s.block
	return s.canned.Read(b)
}

// FuzzCheck verifies what came in answer to a get: whatever is accepted is what was wanted.
func FuzzCheck(f *testing.F) {
	all := []byte("payload")
	good := dhash.Fragment{Score: venti.Sum(all), Length: len(all), Code: dhash.Code{Need: 1, Total: 1}, Payload: all}
	f.Add(good.Append(nil), true)
	f.Add(good.Append(nil), false)
	f.Fuzz(func(t *testing.T, b []byte, any bool) {
		want := Want{Score: good.Score, Coding: good.Coding()}
		if any {
			want = Want{Score: good.Score, Avoid: []dhash.Coding{{1}}}
		}
		got, coding, err := check(want, b)
		switch {
		case err != nil && !errors.Is(err, dhash.ErrFragment):
			t.Error(err)
		case err == nil && (got.Score != want.Score || got.Coding() != coding):
			t.Errorf("accepted %+v", got)
		case err == nil && !any && !bytes.Equal(b, good.Append(nil)):
			t.Errorf("accepted another fragment %x", b)
		}
	})
}

// FuzzProve verifies what came in answer to a challenge: whatever is accepted is the leaf that was asked for.
func FuzzProve(f *testing.F) {
	block := bytes.Repeat([]byte("payload "), 400)
	held := dhash.Fragment{Score: venti.Sum(block), Length: len(block), Code: dhash.Code{Need: 1, Total: 1}, Payload: block}
	ch := Challenge{held.Score, held.Coding(), 1<<63 + 1}
	good := held.Leaf(ch.Nonce).Append(nil)
	f.Add(good)
	f.Add(held.Leaf(0).Append(nil))
	f.Add(good[:len(good)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := prove(ch, b)
		switch {
		case p.Err != nil && (!errors.Is(p.Err, dhash.ErrFragment) || p.Leaf != nil):
			t.Errorf("%+v", p)
		case p.Leaf != nil && !bytes.Equal(b, good):
			t.Errorf("accepted another leaf %x", b)
		case p.Leaf == nil && p.Err == nil && len(b) > 0:
			t.Errorf("%x says that nothing is held", b)
		}
	})
}
