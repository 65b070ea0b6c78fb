package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// A holder does what members ask of this node: it is a peer.Handler over the fragments on its disk.
type holder struct {
	n *Node

	// What answers Reconcile and State.
	reconcile func(ctx context.Context, from dhash.ID, msg []byte) ([]byte, error)
	state     func(ctx context.Context, from dhash.ID, statement []byte) ([]byte, error)
}

// Put implements peer.Handler.
func (h *holder) Put(ctx context.Context, _ dhash.ID, c dhash.Claim, f *dhash.Fragment, coding dhash.Coding) (int64, error) {
	if !h.responsible(h.n.cfg.Folder.ID(), f) {
		return 0, dhash.ErrNotMine
	}
	h.n.served.Store(time.Now().UnixNano())
	if err := h.n.store.Put(ctx, c, f, coding); err != nil {
		return 0, err
	}
	return h.n.store.Free(), nil
}

// responsible reports whether a member is near enough to a block to hold a fragment of it.
func (h *holder) responsible(id dhash.ID, f *dhash.Fragment) bool {
	return h.n.p.table().Responsible(id, dhash.KeyOf(f.Score), f.Code, placement.Reach(f.Code))
}

// Copy implements peer.Handler. Who sends it is a member, and need not be near the block itself: it may be handing over
// what it holds too far from its place.
func (h *holder) Copy(ctx context.Context, _ dhash.ID, claims []dhash.Claim, f *dhash.Fragment,
	coding dhash.Coding) (int64, error) {
	if !h.responsible(h.n.cfg.Folder.ID(), f) {
		return 0, dhash.ErrNotMine
	}
	if err := h.n.store.PutClaimed(ctx, claims, f, coding); err != nil {
		return 0, err
	}
	return h.n.store.Free(), nil
}

// Challenge implements peer.Handler.
func (h *holder) Challenge(ctx context.Context, _ dhash.ID, ch peer.Challenge) (*dhash.Leaf, error) {
	claimed := func(f fragstore.Held) bool { return f.Coding == ch.Coding && !f.Trash() }
	encoded, _, err := h.n.store.Get(ctx, ch.Score, claimed, nil)
	if err != nil {
		return nil, err
	}
	f, err := dhash.ParseFragment(encoded)
	if err != nil {
		return nil, err
	}
	l := f.Leaf(ch.Nonce)
	return l, l.Verify(ch.Score, ch.Coding, ch.Nonce)
}

// Reconcile implements peer.Handler.
func (h *holder) Reconcile(ctx context.Context, from dhash.ID, msg []byte) ([]byte, error) {
	return h.reconcile(ctx, from, msg)
}

// State implements peer.Handler.
func (h *holder) State(ctx context.Context, from dhash.ID, statement []byte) ([]byte, error) {
	return h.state(ctx, from, statement)
}

// Get implements peer.Handler.
func (h *holder) Get(ctx context.Context, _ dhash.ID, w peer.Want) (*dhash.Fragment, error) {
	if w.Coding.IsZero() { // a member that repairs knows which one it wants
		h.n.served.Store(time.Now().UnixNano())
	}
	encoded, _, err := h.n.store.Get(ctx, w.Score, func(f fragstore.Held) bool {
		return (w.Coding.IsZero() || f.Coding == w.Coding) && !slices.Contains(w.Avoid, f.Coding)
	}, nil)
	if err == nil {
		return dhash.ParseFragment(encoded)
	}
	if errors.Is(err, dhash.ErrNoFragment) {
		if gone, e := h.n.store.Diverted(ctx, w.Score); e == nil && len(gone) > 0 {
			return nil, &peer.Refusal{Err: dhash.ErrNoFragment, Text: "it went to another member", Diverted: gone[0].To}
		}
	}
	return nil, err
}

// Have implements peer.Handler.
func (h *holder) Have(ctx context.Context, _ dhash.ID, o dhash.Owner, scores []venti.Score) ([][]dhash.Held, error) {
	lists, err := h.n.store.Have(ctx, scores)
	if err != nil {
		return nil, err
	}
	out := make([][]dhash.Held, len(lists))
	for i, list := range lists {
		for _, f := range list {
			held := dhash.Held{Coding: f.Coding, Code: f.Code, Index: f.Index, Length: f.Length}
			for _, c := range f.Claims {
				if c.Owner == o {
					held.Mark = c.Mark
				}
			}
			out[i] = append(out[i], held)
		}
	}
	return out, nil
}

// Claim implements peer.Handler.
func (h *holder) Claim(ctx context.Context, _ dhash.ID, o dhash.Owner, marks []peer.Mark) ([]bool, error) {
	list := make([]fragstore.Marked, len(marks))
	for i, m := range marks {
		list[i] = fragstore.Marked{Name: fragstore.Name{Score: m.Score, Coding: m.Coding, Index: m.Index}, Mark: m.Mark}
	}
	return h.n.store.Claim(ctx, o, list)
}

// Divert implements peer.Handler.
func (h *holder) Divert(ctx context.Context, _ dhash.ID, d peer.Diversion) error {
	name := fragstore.Name{Score: d.Score, Coding: d.Coding, Index: d.Index}
	return h.n.store.Divert(ctx, fragstore.Diversion{Name: name, To: d.To})
}

// busyFor is how long after a request of a person's program this node counts as busy with it.
const busyFor = 2 * time.Second

// busy reports whether this node has lately stored or read a fragment for a person's program.
func (n *Node) busy() bool { return time.Now().UnixNano()-n.served.Load() < int64(busyFor) }
