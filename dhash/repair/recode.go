package repair

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/fragstore"
	"ventidhash/venti"
)

// recode codes the block of an item anew. The old fragments stay; see replaced.
func (r *Repairer) recode(ctx context.Context, it *item, s *sight, c *count, want dhash.Code) outcome {
	got, _, err := r.fetch(ctx, it.Score, it.Coding, c, byRecode)
	if err != nil {
		r.mark(func() { it.lost = true })
		return failed(err)
	}
	block, err := r.codec.Decode(it.Coding, got)
	if errors.Is(err, codec.ErrCoding) {
		r.mark(func() { it.junk = true })
		return failed(errJunk)
	}
	if err != nil {
		return failed(fmt.Errorf("coding block %s anew: %w", it.Score.Short(), err))
	}
	enc, err := r.codec.Encode(it.Score, block, want)
	if err != nil {
		return failed(err)
	}
	return r.spread(ctx, it, s, enc, byRecode)
}

// spread places all fragments of a coding that is to take the place of the item's, as far as they are not there yet.
// The claims go with them.
func (r *Repairer) spread(ctx context.Context, it *item, s *sight, enc *codec.Encoded, why cause) outcome {
	c := judge(s, r.bench(it, enc.Coding, enc.Code))
	placed, err := r.distribute(ctx, it, enc, c.missing, c, nil, why)
	switch {
	case errors.Is(err, errReleased):
		return outcome{}
	case c.view.Present+placed < enc.Code.Threshold():
		return failed(fmt.Errorf("coding block %s anew as %s: only %d of its fragments are placed: %w", it.Score.Short(),
			enc.Code, c.view.Present+placed, cmp.Or(err, venti.ErrUnavailable)))
	}
	it.parting().proven = enc.Coding
	r.tally(func(s *Stats) { s.Recoded++ })
	return later(0)
}

// replaced gives up this member's fragments of an item whose coding is not wanted any more once another coding of the
// block has been found at its threshold in two surveys, and has been read whole: no word of others is taken for it,
// since whoever plants junk could else have the block thrown away. ok says that the other coding is there, so nothing
// else has to be done about the item.
func (r *Repairer) replaced(ctx context.Context, it *item, s *sight, want dhash.Code) (out outcome, ok bool) {
	coding, c := r.successor(it, s, want)
	if c == nil {
		return outcome{}, false
	}
	if coding != it.parting().proven {
		if !r.afford() {
			return outcome{keep: true, poor: true}, true
		}
		got, _, err := r.fetch(ctx, it.Score, coding, c, byRecode)
		if err != nil {
			return outcome{}, false // it does not have what it takes now
		}
		if _, err := r.codec.Rebuild(coding, got); err != nil {
			it.parting().refuted = coding
			return outcome{}, false
		}
		it.parting().proven = coding
	}
	var names []fragstore.Name
	for _, h := range s.own {
		if h.Coding == it.Coding && !h.Trash() {
			names = append(names, h.Name)
		}
	}
	return r.giveUp(ctx, it, names, coding), true
}

// successor returns another coding of an item's block that the owner claims, that is at its threshold, and that can
// take the item's place: one of the wanted code, or any where the item's own fragments are not enough or junk.
func (r *Repairer) successor(it *item, s *sight, want dhash.Code) (coding dhash.Coding, c *count) {
	holders := map[dhash.Coding]int{}
	for _, h := range s.held {
		if h.marked {
			holders[h.held.Coding]++
		}
	}
	holders[it.Coding], holders[it.parting().refuted] = 0, 0
	for _, h := range s.held {
		code := h.held.Code
		if holders[h.held.Coding] < code.Threshold() || code != want && !it.lost && !it.junk {
			continue
		}
		holders[h.held.Coding] = 0 // looked at
		other := judge(s, bench{self: r.cfg.Self, retiring: r.cfg.Retiring, coding: h.held.Coding, code: code})
		if other.claimed >= code.Threshold() && (c == nil || h.held.Coding == it.parting().proven) {
			coding, c = h.held.Coding, other
		}
	}
	return coding, c
}

// mark changes what Stats sees of an item.
func (r *Repairer) mark(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}
