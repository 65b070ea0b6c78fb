package gateway

import (
	"context"
	"log/slog"
	"slices"

	"ventidhash/dhash"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// blame names the members whose fragments cannot be what an honest encoder made of the block, and sends them the right
// ones.
func (f *getting) blame(block []byte, coding dhash.Coding) {
	gr := f.groups[coding]
	var code dhash.Code
	for _, fr := range gr.fragments {
		code = fr.Code
	}
	for c, other := range f.groups {
		for i, fr := range other.fragments {
			if c != coding && fr.Code == code && fr.Length == len(block) {
				for _, m := range other.from {
					f.g.cfg.Log.Warn("member holds a fragment that is not of this block", slog.String("member", m.ID.Short()),
						slog.String("block", f.score.Short()), slog.Int("index", i))
				}
				f.bad = append(f.bad, other.from...)
				break
			}
		}
	}
	if len(f.bad) > 0 {
		f.g.mend(f.score, block, code, f.bad)
	}
}

// mend sends members whose fragment was bad the one that they should have, in the background, unless too much of that is
// under way.
func (g *Gateway) mend(s venti.Score, block []byte, code dhash.Code, members []placement.Member) {
	select {
	case g.mends <- struct{}{}:
	default:
		return
	}
	block = slices.Clone(block)
	g.work.Go(func() {
		defer func() { <-g.mends }()
		enc, err := g.codec.Encode(s, block, code)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(g.life, g.cfg.Patience)
		defer cancel()
		holders := g.holders(g.cfg.Table(), s, code)
		claim := dhash.Claim{Owner: g.cfg.Owner, Mark: g.mark(s, enc.Coding)}
		for _, m := range members {
			index := slices.IndexFunc(holders, func(h placement.Member) bool { return h.ID == m.ID })
			if index < 0 || index >= code.Total {
				continue
			}
			f := enc.Fragment(index)
			if _, err := g.cfg.Peers.Put(ctx, m.ID, claim, &f); err != nil {
				g.cfg.Log.Debug("a bad fragment could not be replaced", slog.String("member", m.ID.Short()), slog.Any("err", err))
			} else {
				g.count(func(c *Counts) { c.Mended++ })
			}
		}
	})
}
