package repair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

var (
	errLost = fmt.Errorf("%w: fewer fragments are held by members that answer than it takes; it is tried again, also when "+
		"members come back", venti.ErrUnavailable)
	errJunk = fmt.Errorf("%w: the fragments fit together and are not the block: whoever stored them planted junk; it is "+
		"not repaired", venti.ErrCorrupt)
	errReleased = errors.New("nobody claims the block any more")
)

// bench returns what judge has to know about an item, for one coding of its block.
func (r *Repairer) bench(it *item, coding dhash.Coding, code dhash.Code) bench {
	b := bench{self: r.cfg.Self, retiring: r.cfg.Retiring, coding: coding, code: code, trash: true}
	if !it.short.IsZero() {
		b.short = time.Since(it.short)
		b.trash = b.short < trashPatience
	}
	return b
}

// tend does what has to be done about an item now that it has been surveyed.
func (r *Repairer) tend(ctx context.Context, it *item, s *sight) outcome {
	if len(s.claims) == 0 {
		return outcome{} // released, or not here any more
	}
	if f := it.farewell; f != nil {
		f.before, f.agreed = f.agreed, time.Time{} // giveUp restores it if this survey says the same
	}
	b := r.bench(it, it.Coding, it.Code)
	c := judge(s, b)
	if c.view.Present > c.claimed && c.claimed > it.Code.Threshold() && r.refills(c) {
		// What it had was perhaps handed to it, and who did so has it as trash. With so few the owner is not letting go.
		b.trash = false
		c = judge(s, b)
		clear(c.revive)
	}
	want := r.wanted(s.table, it.Code)
	r.note(it, c)
	if Weaker(it.Code, want) || it.lost || it.junk {
		if out, ok := r.replaced(ctx, it, s, want); ok {
			return out
		}
	}
	if it.junk {
		return later(long)
	}
	if it.lost {
		return failed(errLost)
	}
	if c.far {
		return r.arrange(ctx, it, s, c) // those that see more of the block will mend it
	}
	action, n := r.decide(c, want)
	if action >= Recode && len(s.silent) > 0 && r.cutOff() { // as the roster knows since the survey found them silent
		return later(0)
	}
	if (action == Mend || action == Recode) && !r.afford() {
		return outcome{keep: true, poor: true}
	}
	switch action {
	case Mend:
		return r.mend(ctx, it, s, c, n, byMend)
	case Urgent:
		return r.mend(ctx, it, s, c, n, byUrgent)
	case Recode:
		return r.recode(ctx, it, s, c, want)
	case Wait: // until it is this member's turn, if nobody acts before
		return later(time.Duration(c.view.Rank)*r.cfg.Takeover - c.view.Short)
	}
	if out := r.arrange(ctx, it, s, c); out.keep {
		return out
	}
	if c.claimed <= it.Code.Threshold() && c.view.Present > c.claimed { // what makes up for it may be trash
		return later(long)
	}
	return outcome{}
}

// note keeps in mind what a count says of an item, under mu because Stats looks at it.
func (r *Repairer) note(it *item, c *count) {
	first := *c
	first.view.Rank = 0
	action, _ := r.decide(&first, dhash.Code{})
	r.mu.Lock()
	defer r.mu.Unlock()
	it.Present, it.Stray = c.view.Present, c.far
	it.lost = !c.far && c.view.Present < it.Code.Need && len(distinct(c.sources)) < it.Code.Need
	switch {
	case action == Nothing && c.claimed > it.Code.Threshold():
		it.short = time.Time{}
	case it.short.IsZero():
		it.short = time.Now()
	}
}

// decide is Decide, but for the fragments of members that retire: they do not count as present, and can be read; and for
// members that were wiped.
func (r *Repairer) decide(c *count, want dhash.Code) (Action, int) {
	v := c.view
	v.Present = max(v.Present, min(v.Code.Need, len(distinct(c.sources))))
	v.Absent = min(v.Absent, v.Code.Total-v.Present)
	action, n := Decide(v, want, r.cfg.Takeover)
	if n > 0 && action != Recode {
		n += v.Present - c.view.Present
	}
	lost := v.Code.Total - v.Present - v.Absent
	if action == Nothing && v.Claimed && lost > 0 && v.Present >= v.Code.Need && r.refills(c) {
		return turn(v, r.cfg.Takeover, Mend, lost)
	}
	return action, n
}

// refills reports whether a member that was wiped should hold a fragment and has none.
func (r *Repairer) refills(c *count) bool {
	return slices.ContainsFunc(c.empty, func(m placement.Member) bool { return r.cfg.Wiped(m.ID) })
}

// distinct returns the different fragments among holdings.
func distinct(list []holding) map[int]bool {
	set := map[int]bool{}
	for _, h := range list {
		set[h.held.Index] = true
	}
	return set
}

// arrange hands over what lies in the wrong place here, and gives up what is in its place elsewhere. The zero outcome
// says that there is nothing of the kind.
func (r *Repairer) arrange(ctx context.Context, it *item, s *sight, c *count) outcome {
	var spare []fragstore.Name
	var out outcome
	for _, h := range s.own {
		if h.Coding != it.Coding || h.Trash() {
			continue
		}
		switch keeper := c.keeper[h.Index]; {
		case keeper == r.cfg.Self:
		case keeper != "" || r.mayGo(c):
			spare = append(spare, h.Name)
		case !r.afford():
			out = outcome{keep: true, poor: true}
		default:
			if to, ok := c.ahead(move{r.cfg.Self, h.Index}); ok {
				if err := r.handOff(ctx, h, to); err != nil {
					return failed(err)
				}
				f := it.parting() // that member's receipt says what a survey would
				f.agreed, f.because = time.Now(), dhash.Coding{}
				out = later(r.cfg.Confirm)
			}
		}
	}
	if len(spare) > 0 {
		return r.giveUp(ctx, it, spare, dhash.Coding{})
	}
	return out
}

// mayGo reports whether this member retires and nobody is left who could take its fragment: all members that stay have
// one, and these are more than the threshold.
func (r *Repairer) mayGo(c *count) bool {
	return r.cfg.Retiring(r.cfg.Self) && c.scarce && len(c.empty) == 0 && c.view.Absent == 0 &&
		c.claimed > c.view.Code.Threshold()
}

// handOff sends an own fragment to the member that should hold it, without decoding anything.
func (r *Repairer) handOff(ctx context.Context, h fragstore.Held, to placement.Member) error {
	f, claims, err := r.ownFragment(ctx, h.Name)
	if err != nil {
		return err
	}
	if err := r.send(ctx, to, claims, f, h.Coding, byHandoff); err != nil {
		return fmt.Errorf("handing %s to the member %s that should hold it: %w", h.Name, to.ID.Short(), err)
	}
	r.tally(func(s *Stats) { s.HandedOff++ })
	return nil
}

// giveUp trims own fragments once two surveys, far enough apart, have said that they can go, for the same reason.
func (r *Repairer) giveUp(ctx context.Context, it *item, names []fragstore.Name, because dhash.Coding) outcome {
	now := time.Now()
	f := it.parting()
	f.agreed = now
	if !f.before.IsZero() && f.because == because {
		f.agreed = f.before
	}
	f.because = because
	if rest := r.cfg.Confirm - now.Sub(f.agreed); rest > 0 {
		return later(rest)
	}
	n, err := r.cfg.Store.Trim(ctx, names, now)
	if err != nil {
		return failed(fmt.Errorf("giving up fragments of block %s: %w", it.Score.Short(), err))
	}
	r.tally(func(s *Stats) { s.Trimmed += int64(n) })
	return outcome{}
}

// ownFragment reads a fragment of this member's, with those who claim it now.
func (r *Repairer) ownFragment(ctx context.Context, name fragstore.Name) (*dhash.Fragment, []dhash.Claim, error) {
	encoded, h, err := r.cfg.Store.Get(ctx, name.Score, func(h fragstore.Held) bool { return h.Name == name }, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("reading own %s: %w", name, err)
	}
	if h.Trash() {
		return nil, nil, errReleased
	}
	f, err := dhash.ParseFragment(encoded)
	if err != nil {
		return nil, nil, fmt.Errorf("reading own %s: %w", name, err)
	}
	if f.Index != name.Index || f.Coding() != name.Coding {
		return nil, nil, fmt.Errorf("reading own %s: %w: another one was stored there", name, dhash.ErrFragment)
	}
	return f, h.Claims, nil
}

// claimsNow returns who claims an item at this moment.
func (r *Repairer) claimsNow(ctx context.Context, it *item) ([]dhash.Claim, error) {
	own, err := r.cfg.Store.Have(ctx, []venti.Score{it.Score})
	if err != nil {
		return nil, fmt.Errorf("what this member holds of block %s: %w", it.Score.Short(), err)
	}
	claims := claimsOf(slices.Concat(own...), it.Coding)
	if len(claims) == 0 {
		return nil, errReleased
	}
	return claims, nil
}
