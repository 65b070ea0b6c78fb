package repair_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/repair"
	"ventidhash/venti"
)

// What is real fits.
var (
	_ repair.Store = (*fragstore.Store)(nil)
	_ repair.Peers = (*peer.Client)(nil)
)

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
	w.s.mu.Lock()
	w.s.haves++
	w.s.mu.Unlock()
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

func (d disk) Get(ctx context.Context, score venti.Score, pick func(fragstore.Held) bool,
	_ []byte) ([]byte, fragstore.Held, error) {
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
