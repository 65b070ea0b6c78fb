package gateway

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"ventidhash/dhash"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// hasBatch is how many blocks are asked about at once.
const hasBatch = 4096

// A State is what the holders of a block say about it.
type State struct {
	Score   venti.Score
	Code    dhash.Code // of the coding of which the most is there; zero if nothing is
	Length  int        // of the block, in bytes
	Present int        // how many different fragments of that coding are held
	Stored  int        // how many of them count, with regard to failure domains (placement.Table.Stored)
	Mine    int        // of Present, how many carry this owner's mark, or that of one who has handed over to it
	Asked   int        // how many members were asked
	Silent  int        // how many of those did not answer
}

// Has implements venti.Store. A block is there if enough fragments to bring it back carry the owner's own mark. A block
// that only others store is not: put it, which costs no more than claims if the holders have it. What is there, and below
// its code's threshold, counts in the Report.
func (g *Gateway) Has(ctx context.Context, scores []venti.Score) (has []bool, err error) {
	if len(scores) == 0 {
		return nil, ctx.Err()
	}
	err = g.patiently(ctx, scores[0], func() error {
		has, err = g.has(ctx, scores)
		return err
	})
	return has, err
}

func (g *Gateway) has(ctx context.Context, scores []venti.Score) ([]bool, error) {
	out := make([]bool, 0, len(scores))
	err := g.Survey(ctx, scores, func(st State) error {
		ok, err := g.known(st.Score)
		if err != nil {
			return err
		}
		need := max(1, st.Code.Need)
		switch {
		case ok || st.Score == venti.ZeroScore():
			ok = true
		case st.Mine >= need:
			ok = true
			g.noteHeld(st)
		case st.Mine+st.Silent >= need && st.Silent > 0:
			return &venti.BlockError{Op: "has", Score: st.Score, Err: fmt.Errorf("%w: %d of %d members did not answer",
				venti.ErrUnavailable, st.Silent, st.Asked)}
		}
		out = append(out, ok)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Survey asks the holders of blocks what they hold, and calls fn for each block in the order of scores. Nothing is
// transferred but what package peer's "have" says. An error from fn ends the survey and is returned.
func (g *Gateway) Survey(ctx context.Context, scores []venti.Score, fn func(State) error) error {
	for len(scores) > 0 {
		n := min(len(scores), hasBatch)
		states, err := g.survey(ctx, scores[:n])
		if err != nil {
			return err
		}
		for _, st := range states {
			if err := fn(st); err != nil {
				return err
			}
		}
		scores = scores[n:]
	}
	return nil
}

// claimed is one fragment that a member says it holds.
type claimed struct {
	member placement.Member
	held   dhash.Held
}

func (g *Gateway) survey(ctx context.Context, scores []venti.Score) ([]State, error) {
	table := g.cfg.Table()
	heard, err := g.gather(ctx, table, scores, g.haveOnce)
	if err != nil {
		return nil, err
	}
	states := make([]State, len(scores))
	for i, s := range scores {
		states[i] = State{Score: s, Asked: len(heard[i].asked), Silent: len(heard[i].silent)}
		g.judge(&states[i], table, heard[i].found)
	}
	return states, nil
}

// heard is what members say about a block.
type heard struct {
	asked  []dhash.ID // the closest first
	silent []dhash.ID // did not answer
	found  []claimed
}

// haveOnce asks a member what it holds.
func (g *Gateway) haveOnce(ctx context.Context, id dhash.ID, scores []venti.Score) ([][]dhash.Held, error) {
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Patience)
	defer cancel()
	return g.cfg.Peers.Have(ctx, id, g.cfg.Owner, scores)
}

// have asks a member what it holds, for a bounded time.
type have func(ctx context.Context, id dhash.ID, scores []venti.Score) ([][]dhash.Held, error)

// gather asks the holders of blocks what they hold of them.
func (g *Gateway) gather(ctx context.Context, table *placement.Table, scores []venti.Score, ask have) ([]heard, error) {
	code := g.cfg.Code(max(1, table.Len()), false)
	members := map[dhash.ID]placement.Member{}
	scoresOf := map[dhash.ID][]int{} // which of the scores
	all := make([]heard, len(scores))
	for i, s := range scores {
		for _, m := range g.holders(table, s, code) {
			members[m.ID] = m
			scoresOf[m.ID] = append(scoresOf[m.ID], i)
			all[i].asked = append(all[i].asked, m.ID)
		}
	}
	var mu sync.Mutex
	var asking sync.WaitGroup
	for id, which := range scoresOf {
		asking.Go(func() {
			list := make([]venti.Score, len(which))
			for j, i := range which {
				list[j] = scores[i]
			}
			answers, err := ask(ctx, id, list)
			mu.Lock()
			defer mu.Unlock()
			for j, i := range which {
				if err != nil || j >= len(answers) {
					all[i].silent = append(all[i].silent, id)
					continue
				}
				for _, h := range answers[j] {
					all[i].found = append(all[i].found, claimed{members[id], h})
				}
			}
		})
	}
	asking.Wait()
	return all, ctx.Err()
}

// judge fills in what is known of the coding of which the most is there. Of two, the one that carries this owner's mark
// is taken.
func (g *Gateway) judge(st *State, table *placement.Table, found []claimed) {
	for i, first := range found {
		if slices.ContainsFunc(found[:i], func(c claimed) bool { return c.held.Coding == first.held.Coding }) {
			continue
		}
		cand := State{Score: st.Score, Code: first.held.Code, Length: first.held.Length, Asked: st.Asked, Silent: st.Silent}
		if first.held.Code.Validate() != nil {
			continue
		}
		marks := g.marks(st.Score, first.held.Coding)
		indices, mine := map[int]bool{}, map[int]bool{}
		var holders []placement.Member
		for _, c := range found[i:] {
			if c.held.Coding != first.held.Coding {
				continue
			}
			if !indices[c.held.Index] {
				indices[c.held.Index] = true
				holders = append(holders, c.member)
			}
			if slices.Contains(marks, c.held.Mark) {
				mine[c.held.Index] = true
			}
		}
		cand.Present, cand.Mine = len(indices), len(mine)
		cand.Stored = table.Stored(holders, cand.Code)
		if cand.Mine > st.Mine || cand.Mine == st.Mine && cand.Present > st.Present {
			*st = cand
		}
	}
}
