package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/head"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
	"ventidhash/venti/seal"
)

// isNear reports whether a member is close enough to an owner's key to take the owner's head, as this node knows the
// swarm.
func isNear(t *placement.Table, id dhash.ID, o dhash.Owner) bool {
	near := t.Closest(dhash.OwnerKey(o), head.Keepers+head.Slack)
	return slices.ContainsFunc(near, func(m placement.Member) bool { return m.ID == id })
}

// lendsTo reports whether this member holds fragments for an owner.
func (n *Node) lendsTo(o dhash.Owner) bool { return n.store.Owner(o).Fragments > 0 }

// Heads implements peer.Handler. It takes the heads of owners to whose keys this member is close, whoever brings them:
// whoever has one that should be here may be far away itself, because others have come, and has to get rid of it. See
// package head for what bounds invented owners.
func (h *holder) Heads(_ context.Context, _ dhash.ID, heads []venti.Head, granted []bool) ([]head.Verdict, []venti.Head,
	error) {
	table, self := h.n.p.table(), h.n.cfg.Folder.ID()
	verdicts := make([]head.Verdict, len(heads))
	var mine []venti.Head
	for i, hd := range heads {
		if isNear(table, self, dhash.Owner(hd.Owner)) {
			mine = append(mine, hd)
		} else {
			verdicts[i] = head.NotMine
		}
	}
	taken, replaced, err := h.n.heads.Take(mine, time.Now())
	if err != nil {
		return nil, nil, err
	}
	for i := range verdicts {
		if verdicts[i] == 0 {
			verdicts[i], taken = taken[0], taken[1:]
		}
	}
	if len(heads) == 1 && granted[0] && verdicts[0] == head.New {
		return verdicts, replaced, nil // who publishes hears what has given way: perhaps it has not seen that
	}
	return verdicts, h.newer(heads), nil
}

// newer returns the heads that are here of the owners of those given, and that whoever gave these lacks.
func (h *holder) newer(given []venti.Head) (out []venti.Head) {
	of := map[dhash.Owner][]venti.Head{}
	for _, g := range given {
		of[dhash.Owner(g.Owner)] = append(of[dhash.Owner(g.Owner)], g)
	}
	for o, list := range of {
		out = append(out, head.Newer(h.n.heads.Of(o), list)...)
	}
	return out
}

// FindHeads implements peer.Handler.
func (h *holder) FindHeads(_ context.Context, _ dhash.ID, owners []dhash.Owner) ([][]venti.Head, error) {
	lists := make([][]venti.Head, len(owners))
	for i, o := range owners {
		lists[i] = h.n.heads.Of(o)
	}
	return lists, nil
}

// What looking for roots may cost for one message.
const (
	rootTime  = 500 * time.Millisecond // for looking through the index, and as much for reading
	rootReads = 8 << 20                // bytes of fragments that are read

	// maxRoot is the length of the longest block that is taken for a root, in bytes. A root names what was walked, some
	// paths; the leaves of files, of which there are many, are longer.
	maxRoot = 64 << 10
)

// Roots implements peer.Handler.
func (h *holder) Roots(ctx context.Context, _ dhash.ID, o dhash.Owner, from dhash.Key) (scores []venti.Score, next dhash.Key,
	err error) {
	list, next, err := h.n.rootCandidates(ctx, o, from)
	if err != nil {
		return nil, dhash.Key{}, err
	}
	end, bytes := time.Now().Add(rootTime), int64(0)
	for i, f := range list {
		if i > 0 && (time.Now().After(end) || bytes+f.Size > rootReads) && f.Score != list[i-1].Score {
			return scores, dhash.KeyOf(f.Score), nil
		}
		bytes += f.Size
		is, err := h.n.isRoot(ctx, f)
		if err != nil {
			return nil, dhash.Key{}, err
		}
		if is && (len(scores) == 0 || scores[len(scores)-1] != f.Score) {
			scores = append(scores, f.Score)
		}
	}
	return scores, next, nil
}

// rootCandidates returns, in the order of positions, the fragments that an owner claims and of which the payload has to
// be read to know whether the block is a root, and where to go on, which is zero at the end.
func (n *Node) rootCandidates(ctx context.Context, o dhash.Owner, from dhash.Key) (list []fragstore.Held, next dhash.Key,
	err error) {
	enough := errors.New("enough")
	end, seen := time.Now().Add(rootTime), 0
	var last venti.Score
	err = n.store.Walk(ctx, from, dhash.LastKey(), func(f fragstore.Held) error {
		if seen++; seen > 1 && f.Score != last && (len(list) >= peer.MaxRoots || seen%64 == 0 && time.Now().After(end)) {
			next = dhash.KeyOf(f.Score)
			return enough
		}
		last = f.Score
		claimed := func(c dhash.Claim) bool { return c.Owner == o }
		if (f.Index == 0 || f.Code.Need == 1) && f.Length <= maxRoot && slices.ContainsFunc(f.Claims, claimed) {
			list = append(list, f)
		}
		return nil
	})
	if err == enough {
		err = nil
	}
	return list, next, err
}

// isRoot reports whether a fragment begins like a root. The code is systematic: so begins the block, if it is fragment
// 0, or any one where each is the whole block.
func (n *Node) isRoot(ctx context.Context, f fragstore.Held) (bool, error) {
	b, _, err := n.store.Get(ctx, f.Score, func(h fragstore.Held) bool { return h.Name == f.Name && !h.Trash() }, nil)
	switch {
	case errors.Is(err, dhash.ErrNoFragment), errors.Is(err, venti.ErrCorrupt): // released or damaged meanwhile
		return false, nil
	case err != nil:
		return false, err
	}
	parsed, err := dhash.ParseFragment(b)
	return err == nil && len(parsed.Payload) > 0 && parsed.Payload[0] == seal.RootByte, nil
}
