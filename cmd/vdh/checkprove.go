package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"text/tabwriter"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/snapshot/check"
	"ventidhash/venti"
)

// maxShort is how many blocks below the threshold are named.
const maxShort = 1000

// A proving has the blocks of snapshots proven by their holders, and counts what they prove. It may be used by many
// goroutines at once.
type proving struct {
	swarm swarmStore

	// mu protects the following until the check is over.
	mu sync.Mutex
	proofSummary
	short   []shortLine
	members map[dhash.ID]*memberProofs
	least   int                 // the lowest Proof.Above of a block of the snapshots that can be had
	lost    map[venti.Score]int // Proof.Above of blocks that cannot
}

// proofSummary is what a summary of a check by challenge says beyond that of every check.
type proofSummary struct {
	Proven        int64          `json:"proven"`         // blocks
	Unproven      int64          `json:"unproven"`       // blocks with fewer fragments proven than are needed
	Instead       int64          `json:"read_instead"`   // of the unproven: those that could be fetched
	NotDownloaded int64          `json:"not_downloaded"` // bytes of blocks that were proven and not fetched
	Above         above          `json:"above"`
	Below         int64          `json:"below_threshold"` // blocks that can be had, and have fewer than they should
	Weakest       *weakest       `json:"weakest,omitempty"`
	Members       []memberProofs `json:"members,omitempty"` // that failed
}

// memberProofs says of how many blocks a member proved nothing: see gateway.Proof.
type memberProofs struct {
	ID      string  `json:"id"`
	Name    rawName `json:"name,omitempty"`
	False   int64   `json:"false"`
	Lacking int64   `json:"lacking"`
	Silent  int64   `json:"silent"`
	Without int64   `json:"without"`
}

// shortLine is the JSON line of a block below its threshold.
type shortLine struct {
	Type   string     `json:"type"` // "short"
	Score  string     `json:"score"`
	Part   check.Part `json:"part"`
	Path   rawName    `json:"path"`
	Proven int        `json:"proven"`
	Need   int        `json:"need"`
	Total  int        `json:"total"`
}

func newProving(s swarmStore) *proving {
	return &proving{swarm: s, proofSummary: proofSummary{Above: above{}}, members: map[dhash.ID]*memberProofs{},
		least: dhash.MaxTotal, lost: map[venti.Score]int{}}
}

// prove is a check.Config.Prove. What all have answered about and is not proven is fetched: it may be somewhere else.
func (p *proving) prove(ctx context.Context, blocks []check.Block) ([]error, error) {
	scores := make([]venti.Score, len(blocks))
	for i, b := range blocks {
		scores[i] = b.Score
	}
	errs := make([]error, 0, len(blocks))
	err := p.swarm.Prove(ctx, scores, func(proof gateway.Proof) error {
		err := proof.Err()
		instead := false
		if err != nil && !errors.Is(err, venti.ErrUnavailable) {
			_, e := p.swarm.Get(ctx, proof.Score)
			instead = e == nil
		}
		p.add(proof, blocks[len(errs)], instead)
		if instead {
			err = nil
		}
		errs = append(errs, err)
		return ctx.Err()
	})
	return errs, err
}

// add counts what was proven of a block. instead says that it was not enough, and that the block was fetched.
func (p *proving) add(proof gateway.Proof, b check.Block, instead bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, kind := range []struct {
		ids  []dhash.ID
		note func(m *memberProofs)
	}{
		{proof.False, func(m *memberProofs) { m.False++ }},
		{proof.Lacking, func(m *memberProofs) { m.Lacking++ }},
		{proof.Silent, func(m *memberProofs) { m.Silent++ }},
		{proof.Without, func(m *memberProofs) { m.Without++ }},
	} {
		for _, id := range kind.ids {
			if p.members[id] == nil {
				p.members[id] = &memberProofs{ID: id.String()}
			}
			kind.note(p.members[id])
		}
	}
	if proof.Score == venti.ZeroScore() { // everybody has it
		p.Proven++
		return
	}
	left := proof.Above()
	p.Above[left]++
	if p.Weakest == nil || left < p.Weakest.above {
		p.Weakest = &weakest{proof.Score, proof.Score.String(), rawName(placeOf(b)), proof.Proven, proof.Code.Need,
			proof.Code.Total, left}
	}
	switch {
	case left < 0 && !instead:
		p.Unproven++
		p.lost[proof.Score] = left
		return
	case left < 0:
		p.Unproven++
		p.Instead++
	default:
		p.Proven++
		if !b.Walk {
			p.NotDownloaded += int64(proof.Length)
		}
	}
	if b.Part != check.Catalog {
		p.least = min(p.least, left)
	}
	if left >= 0 && proof.Stored >= proof.Code.Threshold() {
		return
	}
	p.Below++
	if len(p.short) < maxShort {
		p.short = append(p.short, shortLine{"short", proof.Score.String(), b.Part, rawName(b.Path), proof.Proven,
			proof.Code.Need, proof.Code.Total})
	}
}

// placeOf says for people what a block is needed for.
func placeOf(b check.Block) string {
	switch {
	case b.Part == check.Catalog:
		return "the catalog"
	case b.Path == "":
		return "the top of a snapshot"
	}
	return b.Path
}

// askNames sorts the members that failed, the worst first, and finds out their names, if that can be.
func (p *proving) askNames(ctx context.Context) {
	list, err := p.swarm.Members(ctx)
	names := map[string]string{}
	for _, m := range list {
		if err == nil {
			names[m.ID] = m.Name
		}
	}
	for _, m := range p.members {
		m.Name = rawName(names[m.ID])
		p.Members = append(p.Members, *m)
	}
	slices.SortFunc(p.Members, func(a, b memberProofs) int {
		return cmp.Or(cmp.Compare(b.False, a.False), cmp.Compare(b.Lacking, a.Lacking), cmp.Compare(b.Silent, a.Silent),
			cmp.Compare(b.Without, a.Without), cmp.Compare(a.ID, b.ID))
	})
}

// done says for people what was proven.
func (p *proving) done() string {
	text := fmt.Sprintf("%s proven by their holders, %s not downloaded", count(p.Proven, "block was", "blocks were"),
		size(p.NotDownloaded))
	if p.Instead > 0 {
		text += fmt.Sprintf("; %s not proven, and read instead", count(p.Instead, "block was", "blocks were"))
	}
	return text
}

// verdict returns the error of snapshots that can be read, and are not as safe as they should be.
func (p *proving) verdict() error {
	if p == nil || p.Below == 0 {
		return nil
	}
	return thin{fmt.Sprintf("all can be had, but of %s fewer fragments were proven than a stored block should have; "+
		"the members mend that as they sweep, or back up again with: vdh backup --force", count(p.Below, "block", "blocks"))}
}

// shownShort is how many blocks below the threshold are shown to people.
const shownShort = 20

// reportProofs prints what was proven; with --json, only what is not in the summary.
func (a *app) reportProofs(p *proving) error {
	slices.SortFunc(p.short, func(x, y shortLine) int {
		return cmp.Or(cmp.Compare(x.Proven-x.Need, y.Proven-y.Need), cmp.Compare(x.Score, y.Score))
	})
	if a.json {
		for _, l := range p.short {
			if err := a.print(l); err != nil {
				return err
			}
		}
		return nil
	}
	if len(p.Above) == 0 {
		return nil
	}
	if err := a.printAbove(p.Above); err != nil {
		return err
	}
	say := func(what, score string, proven, total, need int, place string) {
		fmt.Fprintf(a.out, "%s: block %s, %d fragments of %d proven, %d needed, for %s\n", what, score[:12], proven, total, need,
			printable(place))
	}
	fmt.Fprintln(a.out)
	w := p.Weakest
	say("weakest", w.Text, w.Present, w.Total, w.Need, string(w.Path))
	for _, l := range p.short[:min(len(p.short), shownShort)] {
		say("short", l.Score, l.Proven, l.Total, l.Need, placeOf(check.Block{Part: l.Part, Path: string(l.Path)}))
	}
	if more := p.Below - shownShort; more > 0 {
		fmt.Fprintf(a.out, "short: %s more (--json names them)\n", count(more, "block", "blocks"))
	}
	if len(p.Members) > 0 {
		fmt.Fprintln(a.out, "\nMembers that did not prove that they hold what they are to hold:")
		w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tNAME\tFALSE\tLACKING\tSILENT\tWITHOUT")
		for _, m := range p.Members {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\n", shortID(m.ID), printable(string(m.Name)), m.False, m.Lacking, m.Silent,
				m.Without)
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintln(a.out)
	return nil
}

// leastOf returns, for each snapshot that was looked at, how far its weakest block is above what it needs, at least:
// below zero if it is not all proven. Blocks that several snapshots share were looked at once, so that what one snapshot
// has is said of all.
func (p *proving) leastOf(snapshots int, damaged []check.Damage) map[int]int {
	out := make(map[int]int, snapshots)
	for i := range snapshots {
		out[i] = p.least
	}
	for _, d := range damaged {
		for _, t := range d.Touched {
			for _, i := range t.Snapshots {
				out[i] = min(out[i], p.lost[d.Score], -1)
			}
		}
	}
	maps.DeleteFunc(out, func(_, least int) bool { return least == dhash.MaxTotal }) // nothing was looked at
	return out
}
