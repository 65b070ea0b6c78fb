package node

import (
	"context"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// A holder does what members ask of this node: it is a peer.Handler over the fragments on its disk.
type holder struct{ n *Node }

// slack is how many places beyond a code's Total a member may be from a block and still take a fragment of it: rosters
// differ a little, and members that are full or gone are stepped over.
func slack(c dhash.Code) int { return 8 + c.Total/2 }

// Put implements peer.Handler.
func (h *holder) Put(ctx context.Context, _ dhash.ID, c dhash.Claim, f *dhash.Fragment, coding dhash.Coding) (int64, error) {
	if !h.n.p.table().Responsible(h.n.cfg.Folder.ID(), dhash.KeyOf(f.Score), f.Code, slack(f.Code)) {
		return 0, dhash.ErrNotMine
	}
	if err := h.n.store.Put(ctx, c, f, coding); err != nil {
		return 0, err
	}
	return h.n.store.Free(), nil
}

// Get implements peer.Handler.
func (h *holder) Get(ctx context.Context, _ dhash.ID, w peer.Want) (*dhash.Fragment, error) {
	f, to, err := h.n.store.Get(ctx, w.Score, w.Coding, w.Avoid)
	if err != nil && to != "" {
		return nil, &peer.Refusal{Err: dhash.ErrNoFragment, Text: "it went to another member", Diverted: to}
	}
	return f, err
}

// Have implements peer.Handler.
func (h *holder) Have(ctx context.Context, _ dhash.ID, o dhash.Owner, scores []venti.Score) ([][]dhash.Held, error) {
	return h.n.store.Have(ctx, o, scores)
}

// Claim implements peer.Handler.
func (h *holder) Claim(ctx context.Context, _ dhash.ID, o dhash.Owner, marks []peer.Mark) ([]bool, error) {
	claims := make([]fragstore.Claim, len(marks))
	for i, m := range marks {
		claims[i] = fragstore.Claim{Name: fragstore.Name{Score: m.Score, Coding: m.Coding, Index: m.Index}, Mark: m.Mark}
	}
	return h.n.store.Claim(ctx, o, claims)
}

// Divert implements peer.Handler.
func (h *holder) Divert(ctx context.Context, _ dhash.ID, d peer.Diversion) error {
	return h.n.store.Divert(ctx, fragstore.Name{Score: d.Score, Coding: d.Coding, Index: d.Index}, d.To, time.Now())
}
