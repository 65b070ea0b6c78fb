package peer_test

import (
	"bytes"
	"context"
	"sync"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// holder is a Handler that keeps everything in memory.
type holder struct {
	mu       sync.Mutex
	held     map[venti.Score][]piece
	diverted []peer.Diversion

	// Called before the operations, if not nil.
	onPut func(ctx context.Context, f *dhash.Fragment) error
	onGet func(ctx context.Context, want peer.Want) (*dhash.Fragment, error)

	// Called for the operations.
	onReconcile func(ctx context.Context, msg []byte) ([]byte, error)
	onState     func(ctx context.Context, statement []byte) ([]byte, error)
	onHeads     func(ctx context.Context, from dhash.ID, heads []venti.Head, granted []bool) ([]head.Verdict, []venti.Head, error)
	onFind      func(owners []dhash.Owner) [][]venti.Head
	onRoots     func(owner dhash.Owner, at dhash.Key) ([]venti.Score, dhash.Key, error)
	onChallenge func(ctx context.Context, ch peer.Challenge) (*dhash.Leaf, error) // if not nil
}

type piece struct {
	f      *dhash.Fragment
	coding dhash.Coding
	marks  map[dhash.Owner][16]byte
}

func (h *holder) Put(ctx context.Context, _ dhash.ID, claim dhash.Claim, f *dhash.Fragment, coding dhash.Coding) (int64,
	error) {
	if h.onPut != nil {
		if err := h.onPut(ctx, f); err != nil {
			return 0, err
		}
	}
	kept := *f
	kept.Payload = bytes.Clone(f.Payload)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held == nil {
		h.held = make(map[venti.Score][]piece)
	}
	h.held[f.Score] = append(h.held[f.Score], piece{&kept, coding, map[dhash.Owner][16]byte{claim.Owner: claim.Mark}})
	return 1 << 40, nil
}

func (h *holder) Get(ctx context.Context, _ dhash.ID, want peer.Want) (*dhash.Fragment, error) {
	if h.onGet != nil {
		if f, err := h.onGet(ctx, want); f != nil || err != nil {
			return f, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
next:
	for _, p := range h.held[want.Score] {
		if !want.Coding.IsZero() && p.coding != want.Coding {
			continue
		}
		for _, a := range want.Avoid {
			if a == p.coding {
				continue next
			}
		}
		return p.f, nil
	}
	return nil, dhash.ErrNoFragment
}

func (h *holder) Have(_ context.Context, _ dhash.ID, owner dhash.Owner, scores []venti.Score) ([][]dhash.Held, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([][]dhash.Held, len(scores))
	for i, s := range scores {
		for _, p := range h.held[s] {
			all[i] = append(all[i], dhash.Held{Coding: p.coding, Code: p.f.Code, Index: p.f.Index, Length: p.f.Length,
				Mark: p.marks[owner]})
		}
	}
	return all, nil
}

func (h *holder) Claim(_ context.Context, _ dhash.ID, owner dhash.Owner, marks []peer.Mark) ([]bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	is := make([]bool, len(marks))
	for i, m := range marks {
		for _, p := range h.held[m.Score] {
			if p.coding == m.Coding && p.f.Index == m.Index {
				is[i] = true
				p.marks[owner] = m.Mark
			}
		}
	}
	return is, nil
}

func (h *holder) Divert(_ context.Context, _ dhash.ID, v peer.Diversion) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.diverted = append(h.diverted, v)
	return nil
}

func (h *holder) Reconcile(ctx context.Context, _ dhash.ID, msg []byte) ([]byte, error) {
	return h.onReconcile(ctx, msg)
}

func (h *holder) Copy(ctx context.Context, from dhash.ID, claims []dhash.Claim, f *dhash.Fragment,
	coding dhash.Coding) (int64, error) {
	free, err := h.Put(ctx, from, claims[0], f, coding)
	for _, c := range claims[1:] {
		h.Claim(ctx, from, c.Owner, []peer.Mark{{Score: f.Score, Coding: coding, Index: f.Index, Mark: c.Mark}})
	}
	return free, err
}

func (h *holder) State(ctx context.Context, _ dhash.ID, statement []byte) ([]byte, error) {
	return h.onState(ctx, statement)
}

func (h *holder) Challenge(ctx context.Context, from dhash.ID, ch peer.Challenge) (*dhash.Leaf, error) {
	if h.onChallenge != nil {
		return h.onChallenge(ctx, ch)
	}
	f, err := h.Get(ctx, from, peer.Want{Score: ch.Score, Coding: ch.Coding})
	if err != nil {
		return nil, err
	}
	return f.Leaf(ch.Nonce), nil
}

func (h *holder) Heads(ctx context.Context, from dhash.ID, heads []venti.Head, granted []bool) ([]head.Verdict, []venti.Head,
	error) {
	return h.onHeads(ctx, from, heads, granted)
}

func (h *holder) FindHeads(_ context.Context, _ dhash.ID, owners []dhash.Owner) ([][]venti.Head, error) {
	return h.onFind(owners), nil
}

func (h *holder) Roots(_ context.Context, _ dhash.ID, owner dhash.Owner, at dhash.Key) ([]venti.Score, dhash.Key, error) {
	return h.onRoots(owner, at)
}
