package repair

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// maxClaims is how many claims go with one copy of a fragment, to another member or to the own disk.
const maxClaims = min(peer.MaxClaims, fragstore.MaxClaims)

// mend makes n of the missing fragments of an item, and places them.
func (r *Repairer) mend(ctx context.Context, it *item, s *sight, c *count, n int, why cause) outcome {
	got, bad, err := r.fetch(ctx, it.Score, it.Coding, c, why)
	if err != nil {
		r.mark(func() { it.lost = true })
		return failed(err)
	}
	enc, err := r.codec.Rebuild(it.Coding, got)
	switch {
	case errors.Is(err, codec.ErrCoding):
		r.cfg.Log.Warn("a coding of a block is junk", slog.String("block", it.Score.Short()), slog.Any("err", err))
		r.mark(func() { it.junk = true })
		if enc == nil {
			return failed(errJunk)
		}
		return r.spread(ctx, it, s, enc, why) // the block itself is known, and can be stored as it should be
	case err != nil:
		return failed(fmt.Errorf("repairing block %s: %w", it.Score.Short(), err))
	}
	missing, lost := without(c, bad)
	missing = missing[:min(len(missing), n+lost)]
	placed, err := r.distribute(ctx, it, enc, missing, c, bad, why)
	switch {
	case errors.Is(err, errReleased):
		return outcome{}
	case c.view.Present-lost+placed < it.Code.Threshold():
		return failed(fmt.Errorf("repairing block %s: only %d of %d fragments that were made could be placed: %w",
			it.Score.Short(), placed, len(missing), cmp.Or(err, venti.ErrUnavailable)))
	}
	r.tally(func(s *Stats) { s.Repaired++ })
	return later(0) // to see that they are there, and whether the own one is in its place
}

// without returns the missing fragments once those at members that turned out bad count as missing too, and how many
// these are.
func without(c *count, bad map[dhash.ID]bool) (missing []int, lost int) {
	for _, h := range c.sources {
		i := h.held.Index
		if !bad[h.member.ID] || slices.Contains(c.missing, i) || slices.Contains(missing, i) ||
			slices.ContainsFunc(c.sources, func(o holding) bool { return o.held.Index == i && !bad[o.member.ID] }) {
			continue
		}
		missing = append(missing, i)
	}
	return append(missing, c.missing...), len(missing)
}

// distribute places fragments of enc, each at another member. It returns how many found a place, and the last reason
// why one did not; errReleased if nobody claims the block any more.
func (r *Repairer) distribute(ctx context.Context, it *item, enc *codec.Encoded, indices []int, c *count,
	bad map[dhash.ID]bool, why cause) (placed int, err error) {
	claims, err := r.claimsNow(ctx, it)
	if err != nil {
		return 0, err
	}
	room := slices.DeleteFunc(slices.Concat(c.empty, c.spill), func(m placement.Member) bool {
		return bad[m.ID] || slices.ContainsFunc(indices, func(i int) bool { return c.revive[i].ID == m.ID })
	})
	inUse := slices.Clone(c.inUse)
	var last error
	for len(indices) > 0 {
		var trips []*trip
		for _, i := range indices {
			m, ok := c.revive[i]
			if delete(c.revive, i); !ok || bad[m.ID] {
				n := next(room, inUse, enc.Code)
				if n < 0 {
					break
				}
				m = room[n]
				room = slices.Delete(room, n, n+1)
			}
			inUse = append(inUse, m)
			trips = append(trips, &trip{index: i, to: m})
		}
		if len(trips) == 0 {
			break
		}
		r.travel(ctx, trips, enc, claims, why)
		for _, t := range trips {
			if t.err != nil {
				last = t.err
				inUse = slices.DeleteFunc(inUse, func(m placement.Member) bool { return m.ID == t.to.ID })
				continue
			}
			placed++
			indices = slices.DeleteFunc(slices.Clone(indices), func(i int) bool { return i == t.index })
		}
		if ctx.Err() != nil {
			break
		}
	}
	r.tally(func(s *Stats) { s.Made += int64(placed) })
	return placed, last
}

// A trip is one fragment on its way to one member.
type trip struct {
	index int
	to    placement.Member
	err   error
}

// travel makes all trips, at the same time as far as that is allowed.
func (r *Repairer) travel(ctx context.Context, trips []*trip, enc *codec.Encoded, claims []dhash.Claim, why cause) {
	var all sync.WaitGroup
	for _, t := range trips {
		all.Go(func() {
			f := enc.Fragment(t.index)
			t.err = r.send(ctx, t.to, claims, &f, enc.Coding, why)
		})
	}
	all.Wait()
}

// send stores a fragment at a member, with claims.
func (r *Repairer) send(ctx context.Context, to placement.Member, claims []dhash.Claim, f *dhash.Fragment,
	coding dhash.Coding, why cause) error {
	if err := r.enter(ctx); err != nil {
		return err
	}
	defer r.leave()
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	for part := range slices.Chunk(claims, maxClaims) {
		if to.ID == r.cfg.Self {
			if err := r.cfg.Store.PutClaimed(ctx, part, f, coding); err != nil {
				return fmt.Errorf("storing fragment %d of block %s here: %w", f.Index, f.Score.Short(), err)
			}
			continue
		}
		r.spent(why, 0, len(f.Payload))
		receipt, err := r.cfg.Peers.Copy(ctx, to.ID, part, f)
		if err == nil && receipt.Coding != coding {
			err = fmt.Errorf("%w: it says that it got another one", dhash.ErrFragment)
		}
		if err != nil {
			return fmt.Errorf("member %s did not take fragment %d of block %s: %w", to.ID.Short(), f.Index, f.Score.Short(), err)
		}
	}
	return nil
}
