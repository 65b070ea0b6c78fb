package gateway

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"ventidhash/dhash"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// Renew is Has for a writer that is about to rely on blocks without putting them: it also makes the owner's claims on
// them anew. What an owner releases are claims that were made before some time (package claim), so a list that was made
// earlier, by a prune that did not know of this writer, does not touch them. A block is there if enough fragments to
// bring it back, and as many as its code's threshold or as there were, have been claimed anew.
func (g *Gateway) Renew(ctx context.Context, scores []venti.Score) (has []bool, err error) {
	if len(scores) == 0 {
		return nil, ctx.Err()
	}
	err = g.patiently(ctx, scores[0], func() error {
		has, err = g.renew(ctx, scores)
		return err
	})
	return has, err
}

func (g *Gateway) renew(ctx context.Context, scores []venti.Score) ([]bool, error) {
	out := make([]bool, 0, len(scores))
	for len(scores) > 0 {
		n := min(len(scores), hasBatch)
		table := g.cfg.Table()
		heard, err := g.gather(ctx, table, scores[:n], g.haveOnce)
		if err != nil {
			return nil, err
		}
		renewed, silent, err := g.claimAgain(ctx, scores[:n], heard)
		if err != nil {
			return nil, err
		}
		for i, h := range heard {
			st := State{Score: scores[i], Asked: len(h.asked), Silent: len(h.silent)}
			g.judge(&st, table, h.found)
			known, err := g.known(st.Score)
			if err != nil {
				return nil, err
			}
			need := max(1, st.Code.Need)
			switch got := renewed[i]; {
			case known || st.Score == venti.ZeroScore():
				out = append(out, true)
			case got >= need && got >= min(st.Mine, max(need, st.Code.Threshold())):
				g.noteHeld(st)
				out = append(out, true)
			case got+silent[i]+st.Silent >= need && silent[i]+st.Silent > 0:
				return nil, &venti.BlockError{Op: "renew", Score: st.Score, Err: fmt.Errorf("%w: %d of %d members did not answer",
					venti.ErrUnavailable, silent[i]+st.Silent, st.Asked)}
			default:
				out = append(out, false)
			}
		}
		scores = scores[n:]
	}
	return out, nil
}

// claimAgain claims the fragments anew that carry this owner's mark, or that of one who has handed over to it. It returns for each block how many different ones of
// one coding that went for, of the coding of which they are the most, and how many holders did not answer.
func (g *Gateway) claimAgain(ctx context.Context, scores []venti.Score, heard []heard) (renewed, silent []int, err error) {
	type item struct {
		block int
		mark  peer.Mark
	}
	ask := map[dhash.ID][]item{}
	for i, h := range heard {
		for _, c := range h.found {
			if marks := g.marks(scores[i], c.held.Coding); slices.Contains(marks, c.held.Mark) {
				ask[c.member.ID] = append(ask[c.member.ID], item{i, peer.Mark{Score: scores[i], Coding: c.held.Coding,
					Index: c.held.Index, Mark: marks[0]}})
			}
		}
	}
	type piece struct {
		coding dhash.Coding
		index  int
	}
	got := make([]map[piece]bool, len(scores))
	silent = make([]int, len(scores))
	var mu sync.Mutex
	var all sync.WaitGroup
	for id, items := range ask {
		all.Go(func() {
			marks := make([]peer.Mark, len(items))
			for j, it := range items {
				marks[j] = it.mark
			}
			ctx, cancel := context.WithTimeout(ctx, g.cfg.Patience)
			defer cancel()
			held, err := g.cfg.Peers.Claim(ctx, id, g.cfg.Owner, marks)
			mu.Lock()
			defer mu.Unlock()
			for j, it := range items {
				switch {
				case err != nil || j >= len(held):
					silent[it.block]++
				case held[j]:
					if got[it.block] == nil {
						got[it.block] = map[piece]bool{}
					}
					got[it.block][piece{it.mark.Coding, it.mark.Index}] = true
				}
			}
		})
	}
	all.Wait()
	renewed = make([]int, len(scores))
	for i, pieces := range got {
		count := map[dhash.Coding]int{}
		for p := range pieces {
			count[p.coding]++
			renewed[i] = max(renewed[i], count[p.coding])
		}
	}
	return renewed, silent, ctx.Err()
}
