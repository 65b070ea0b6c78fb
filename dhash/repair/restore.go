package repair

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/venti"
)

// Restore makes a fragment again that this member should hold and cannot read any more: it reads as many of the others as
// give the block, verifies it, and stores its own fragment anew, with the claims that h names. h is what the store's index
// knows of the fragment (fragstore.Store.Bad). Where another member has made the fragment meanwhile, the damaged one is
// given up.
//
// Unlike what else is missing of a block this is not left until more is: the member is there, what it has lost will not
// return, and damage comes seldom. It keeps within the budget: an error that wraps dhash.ErrBusy says that another time
// will do. Errors wrap venti.ErrUnavailable if too few fragments can be had, and venti.ErrCorrupt or codec.ErrCoding if
// they do not give the block.
func (r *Repairer) Restore(ctx context.Context, h fragstore.Held) error {
	if !r.afford() {
		return fmt.Errorf("%w: the budget of repair is used up", dhash.ErrBusy)
	}
	it := &item{Candidate: Candidate{Score: h.Score, Coding: h.Coding, Code: h.Code}}
	s := sight{key: dhash.KeyOf(h.Score), table: r.cfg.Table(), claims: h.Claims,
		asked: map[dhash.ID]bool{}, silent: map[dhash.ID]bool{}}
	owner, _ := asker(s.claims)
	var list []*inquiry
	for _, m := range r.circle(s.table, s.key, it) {
		list = append(list, &inquiry{member: m, owner: owner, which: []int{0}})
		s.asked[m.ID] = true
	}
	sights := []sight{s}
	r.inquire(ctx, list, []venti.Score{h.Score}, sights)
	b := r.bench(it, h.Coding, h.Code)
	b.trash = false // what others have given up they may have given up because this member had it
	c := judge(&sights[0], b)
	if !slices.Contains(c.missing, h.Index) {
		_, err := r.cfg.Store.Trim(ctx, []fragstore.Name{h.Name}, time.Now())
		return err
	}
	got, _, err := r.fetch(ctx, h.Score, h.Coding, c, byMend)
	if err != nil {
		return err
	}
	enc, err := r.codec.Rebuild(h.Coding, got)
	if err != nil {
		return fmt.Errorf("making %s again: %w", h.Name, err)
	}
	f := enc.Fragment(h.Index)
	for part := range slices.Chunk(h.Claims, maxClaims) {
		if err := r.cfg.Store.PutClaimed(ctx, part, &f, h.Coding); err != nil {
			return fmt.Errorf("storing %s again: %w", h.Name, err)
		}
	}
	r.tally(func(s *Stats) { s.Made++ })
	return nil
}
