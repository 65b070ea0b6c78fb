package gateway

import (
	"context"
	"fmt"
	"slices"

	"ventidhash/dhash"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

const (
	proveBatch   = 1024 // blocks that are proven at once
	proveMembers = 64   // members that are challenged at once
	proveChunk   = 64   // challenges to one member that have Config.Patience together
)

// A Proof is what the holders of a block could prove.
type Proof struct {
	Score  venti.Score
	Code   dhash.Code // of the coding of which the most was proven; zero if nobody says that it holds one with our mark
	Length int        // of the block, in bytes; zero like Code
	Proven int        // how many different fragments of that coding were proven
	Stored int        // how many of them count, with regard to failure domains (placement.Table.Stored)
	Asked  int        // how many members were asked
	Others int        // fragments that are said to be held, of codings without this owner's mark: they prove nothing

	False   []dhash.ID // members that sent something that proves nothing: they lie
	Lacking []dhash.ID // members that say that they hold a fragment, and then that they do not, or that it is damaged
	Silent  []dhash.ID // members that did not answer
	Without []dhash.ID // members that are to hold a fragment and do not say that they do, where not all were proven
}

// Above returns how many fragments more than are needed were proven; below zero the block cannot be had from what was
// proven.
func (p *Proof) Above() int { return p.Proven - max(1, p.Code.Need) }

// Err returns nil if enough was proven to bring the block back, and else a *venti.BlockError. That wraps
// venti.ErrUnavailable if those who were silent may have what is missing; venti.ErrCorrupt if what is said to be held
// would be enough, and is not what it should be; and else venti.ErrNotFound.
func (p *Proof) Err() error {
	need := max(1, p.Code.Need)
	broken := len(p.False) + len(p.Lacking)
	if p.Proven >= need || p.Score == venti.ZeroScore() {
		return nil
	}
	why := venti.ErrNotFound
	switch {
	case p.Asked == 0, len(p.Silent) > 0 && p.Proven+len(p.Silent) >= need:
		why = venti.ErrUnavailable
	case p.Proven+broken >= need:
		why = venti.ErrCorrupt
	}
	return &venti.BlockError{Op: "prove", Score: p.Score, Err: fmt.Errorf("%w: %d of the %d fragments that it takes were "+
		"proven; of %d members %d did not answer, and %d could not prove what they say they hold", why, p.Proven, need, p.Asked,
		len(p.Silent), broken)}
}

// Prove has the holders of blocks prove that they have them, and calls fn for each block in the order of scores. Of what
// each says that it holds, it is challenged for the codings that carry this owner's mark, with a nonce that nobody could
// foresee. Nothing is fetched: a fragment costs about 1.6 KB. An error from fn ends it and is returned. Sync before:
// a block on its way is not there yet.
func (g *Gateway) Prove(ctx context.Context, scores []venti.Score, fn func(Proof) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.life, cancel)()
	for batch := range slices.Chunk(scores, proveBatch) {
		proofs, err := g.prove(ctx, batch)
		if g.life.Err() != nil {
			return fmt.Errorf("%w: the gateway was closed", venti.ErrUnavailable)
		}
		if err != nil {
			return err
		}
		for _, p := range proofs {
			if err := fn(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *Gateway) prove(ctx context.Context, scores []venti.Score) ([]Proof, error) {
	table := g.cfg.Table()
	all, err := g.gather(ctx, table, scores, g.haveTwice)
	if err != nil {
		return nil, err
	}
	asks := g.challenges(scores, all)
	if err := g.challengeAll(ctx, asks); err != nil {
		return nil, err
	}
	answers := make([][]*asking, len(scores))
	for _, list := range asks {
		for _, a := range list {
			answers[a.block] = append(answers[a.block], a)
		}
	}
	proofs := make([]Proof, len(scores))
	for i, s := range scores {
		proofs[i] = weigh(table, answers[i])
		p := &proofs[i]
		p.Score, p.Asked = s, len(all[i].asked)
		p.Silent = append(p.Silent, all[i].silent...)
		p.Without = p.without(all[i], answers[i])
		for _, c := range all[i].found {
			if !slices.Contains(g.marks(s, c.held.Coding), c.held.Mark) {
				p.Others++
			}
		}
	}
	return proofs, nil
}

// without returns the members that are to hold a fragment, do answer, and hold none of a coding that is believed.
func (p *Proof) without(all heard, answers []*asking) (ids []dhash.ID) {
	if p.Proven >= p.Code.Total { // also where there is no coding
		return nil
	}
	for _, id := range all.asked[:min(p.Code.Total, len(all.asked))] {
		said := slices.ContainsFunc(answers, func(a *asking) bool { return a.member.ID == id })
		if !said && !slices.Contains(all.silent, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// An asking is a fragment that a member says it holds, and what came of the challenge to prove it.
type asking struct {
	block  int // which of the scores
	score  venti.Score
	member placement.Member
	held   dhash.Held
	came   came

	// Of the fragment whose leaf was verified:
	code          dhash.Code
	length, index int
}

// came is what came of a challenge.
type came byte

const (
	silence came = iota
	proof
	falsehood
	nothing
)

// challenges returns what is to be asked of whom. A member proves one fragment of a coding, whichever it likes.
func (g *Gateway) challenges(scores []venti.Score, all []heard) map[dhash.ID][]*asking {
	asks := map[dhash.ID][]*asking{}
	for i, s := range scores {
		marks := map[dhash.Coding][][16]byte{}
		for _, c := range all[i].found {
			believed, ok := marks[c.held.Coding]
			if !ok {
				believed = g.marks(s, c.held.Coding)
				marks[c.held.Coding] = believed
			}
			list := asks[c.member.ID]
			again := slices.ContainsFunc(tail(list), func(a *asking) bool {
				return a.block == i && a.held.Coding == c.held.Coding
			})
			if slices.Contains(believed, c.held.Mark) && !again {
				asks[c.member.ID] = append(list, &asking{block: i, score: s, member: c.member, held: c.held})
			}
		}
	}
	return asks
}

// tail returns what a member may have been asked about the last block: it names so many fragments at most.
func tail(list []*asking) []*asking { return list[max(0, len(list)-peerHeld):] }

// weigh says what was proven of a block: of the coding of which the most is there beyond what it takes. A leaf that was
// verified is of that coding, so that code and length are what they are; where there is none, the least is believed.
func weigh(table *placement.Table, all []*asking) (best Proof) {
	var seen []dhash.Coding
	for _, first := range all {
		if slices.Contains(seen, first.held.Coding) {
			continue
		}
		seen = append(seen, first.held.Coding)
		p := Proof{}
		var holders []placement.Member
		var indices uint64 // dhash.MaxTotal bits
		for _, a := range all {
			if a.held.Coding != first.held.Coding {
				continue
			}
			switch a.came {
			case silence:
				p.Silent = append(p.Silent, a.member.ID)
			case falsehood:
				p.False = append(p.False, a.member.ID)
			case nothing:
				p.Lacking = append(p.Lacking, a.member.ID)
			case proof:
				if bit := uint64(1) << a.index; indices&bit == 0 {
					indices |= bit
					holders = append(holders, a.member)
				}
				p.Code, p.Length = a.code, a.length
			}
		}
		p.Proven = len(holders)
		for _, a := range all {
			if p.Proven == 0 && a.held.Coding == first.held.Coding && (p.Code.Need == 0 || a.held.Code.Need < p.Code.Need) {
				p.Code, p.Length = a.held.Code, a.held.Length
			}
		}
		p.Stored = table.Stored(holders, p.Code)
		if len(seen) == 1 || p.Above() > best.Above() {
			best = p
		}
	}
	return best
}
