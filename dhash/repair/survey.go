package repair

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

const (
	maxBatch    = 256 // items of one survey, and so scores in one request of it at most
	maxRequests = 15  // under way at once
)

// A holding is a fragment that a member says it holds.
type holding struct {
	member placement.Member
	held   dhash.Held
	marked bool // the owner claims it there; else it may be trash
}

// A sight is what a survey has seen of one block.
type sight struct {
	key    dhash.Key
	table  *placement.Table
	own    []fragstore.Held // that this member holds of the block
	claims []dhash.Claim    // of its fragments of the item's coding; none if nobody claims it
	asked  map[dhash.ID]bool
	silent map[dhash.ID]bool // of those asked
	held   []holding         // this member's own included
}

// claimsOf returns the claims on the fragments of a coding.
func claimsOf(own []fragstore.Held, coding dhash.Coding) []dhash.Claim {
	for _, h := range own {
		if h.Coding == coding && len(h.Claims) > 0 {
			return h.Claims
		}
	}
	return nil
}

// asker returns the owner on whose behalf members are asked: one whose marks tell. With marks of zeros it cannot be
// told what an owner claims, so they are taken to claim all; told says whether it can.
func asker(claims []dhash.Claim) (owner dhash.Owner, told bool) {
	for _, c := range claims {
		if c.Mark != [16]byte{} {
			return c.Owner, true
		}
	}
	return dhash.Owner{}, false
}

// An inquiry is what one member is asked on behalf of one owner, about which of the items.
type inquiry struct {
	member placement.Member
	owner  dhash.Owner
	which  []int
}

// survey asks all that might hold fragments of the items, and returns what it has seen of each in their order. Members
// that do not answer are silent. An error means that this member's own disk failed, or that ctx ended.
func (r *Repairer) survey(ctx context.Context, items []*item) ([]sight, error) {
	scores := make([]venti.Score, len(items))
	for i, it := range items {
		scores[i] = it.Score
	}
	own, err := r.cfg.Store.Have(ctx, scores)
	if err != nil {
		return nil, fmt.Errorf("what this member holds: %w", err)
	}
	table := r.cfg.Table()
	sights := make([]sight, len(items))
	var list []*inquiry
	known := map[dhash.ID]map[dhash.Owner]*inquiry{}
	for i, it := range items {
		s := &sights[i]
		*s = sight{key: dhash.KeyOf(it.Score), table: table, own: own[i],
			asked: map[dhash.ID]bool{}, silent: map[dhash.ID]bool{}}
		if s.claims = claimsOf(own[i], it.Coding); len(s.claims) == 0 {
			continue // not this member's any more
		}
		for _, h := range own[i] {
			s.held = append(s.held, holding{placement.Member{ID: r.cfg.Self, Key: r.cfg.Self.Key()},
				dhash.Held{Coding: h.Coding, Code: h.Code, Index: h.Index, Length: h.Length}, !h.Trash()})
		}
		owner, _ := asker(s.claims)
		for _, m := range r.circle(table, s.key, it) {
			q := known[m.ID][owner]
			if q == nil {
				q = &inquiry{member: m, owner: owner}
				if known[m.ID] == nil {
					known[m.ID] = map[dhash.Owner]*inquiry{}
				}
				known[m.ID][owner] = q
				list = append(list, q)
			}
			q.which = append(q.which, i)
			s.asked[m.ID] = true
		}
	}
	r.inquire(ctx, list, scores, sights)
	return sights, ctx.Err()
}

// circle returns the members to ask about an item, this one not among them: those that placement names, today and with
// the wanted code, and the closest ones whatever their failure domains, which may have had a fragment before others of
// their site came.
func (r *Repairer) circle(table *placement.Table, k dhash.Key, it *item) []placement.Member {
	list := table.Holders(k, it.Code, placement.Reach(it.Code))
	more := table.Closest(k, it.Code.Total+placement.Reach(it.Code))
	if want := r.wanted(table, it.Code); Weaker(it.Code, want) {
		more = append(more, table.Holders(k, want, placement.Reach(want))...)
	}
	in := map[dhash.ID]bool{r.cfg.Self: true}
	return slices.DeleteFunc(append(list, more...), func(m placement.Member) bool {
		was := in[m.ID]
		in[m.ID] = true
		return was
	})
}

// inquire makes all inquiries, maxRequests at a time.
func (r *Repairer) inquire(ctx context.Context, list []*inquiry, scores []venti.Score, sights []sight) {
	var mu sync.Mutex
	var all sync.WaitGroup
	next := 0
	for range min(maxRequests, len(list)) {
		all.Go(func() {
			for {
				mu.Lock()
				if next == len(list) {
					mu.Unlock()
					return
				}
				q := list[next]
				next++
				mu.Unlock()
				answer, err := r.have(ctx, q, scores)
				mu.Lock()
				q.note(sights, answer, err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
}

func (r *Repairer) have(ctx context.Context, q *inquiry, scores []venti.Score) ([][]dhash.Held, error) {
	if err := r.enter(ctx); err != nil {
		return nil, err
	}
	defer r.leave()
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	about := make([]venti.Score, len(q.which))
	for j, i := range q.which {
		about[j] = scores[i]
	}
	return r.cfg.Peers.Have(ctx, q.member.ID, q.owner, about)
}

// note files what a member has answered.
func (q *inquiry) note(sights []sight, answer [][]dhash.Held, err error) {
	for j, i := range q.which {
		s := &sights[i]
		if err != nil || j >= len(answer) {
			s.silent[q.member.ID] = true
			continue
		}
		_, told := asker(s.claims)
		for _, h := range answer[j] {
			if h.Code.Validate() == nil && h.Index >= 0 && h.Index < h.Code.Total {
				s.held = append(s.held, holding{q.member, h, !told || h.Mark != [16]byte{}})
			}
		}
	}
}

// wanted returns the code that the policy wants of a block that has code c; zero if it does not say.
func (r *Repairer) wanted(table *placement.Table, c dhash.Code) dhash.Code {
	if r.cfg.Policy == nil {
		return dhash.Code{}
	}
	return Wanted(r.cfg.Policy(), table.Len(), c)
}

// trashPatience is how long what members hold without a claim counts as held. It may have been released there, by an
// owner whose word has not come here yet; later it is taken for what it is about to be, gone.
const trashPatience = 72 * time.Hour
