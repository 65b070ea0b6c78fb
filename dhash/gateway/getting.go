package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

const (
	// When an answer is later than this, or than the member's 95th percentile if that is known, another member is asked.
	hedgeFloor   = 20 * time.Millisecond
	hedgeUnknown = 200 * time.Millisecond
	hedgeMax     = 2 * time.Second

	// When nobody is left who may answer but members that are known to be absent, they have this long to prove otherwise.
	lastChance = 2 * time.Second

	// When too few were reached, those that could not be and are not known to be absent are tried once more after so long:
	// a member that has just come back elsewhere is not dialled again at once.
	secondChance = 600 * time.Millisecond

	maxAvoid = peer.MaxAvoid      // codings that turned out to be junk, for one block
	maxSeen  = 4 * dhash.MaxTotal // members that one block is looked for at
)

// getting is a block being fetched.
type getting struct {
	g     *Gateway
	score venti.Score
	ctx   context.Context // of all requests
	guess dhash.Code      // until a fragment has told

	queue   []placement.Member // to be asked, the most promising first
	seen    map[dhash.ID]bool  // was in the queue once
	out     map[dhash.ID]asked
	flights int
	spare   int // requests beyond what is missing
	results chan answer

	groups   map[dhash.Coding]*group
	avoid    []dhash.Coding     // junk
	absent   int                // members that hold nothing of the block
	silent   int                // members that could not be asked
	failed   []placement.Member // of those, that may yet be
	retried  bool
	bad      []placement.Member
	looked   bool      // the DHT was asked
	end      time.Time // of the patience, for that too
	lastErrs error
}

// asked is a member that was asked and has not answered.
type asked struct {
	late   time.Time // when another one is asked in its place
	hedged bool
}

// A group is the good fragments of one coding.
type group struct {
	need      int
	fragments map[int]*dhash.Fragment
	from      []placement.Member
}

type answer struct {
	member   placement.Member
	fragment *dhash.Fragment
	coding   dhash.Coding
	err      error
}

// run asks members until the block is there, or nobody is left to ask.
func (f *getting) run() ([]byte, dhash.Coding, error) {
	f.end = time.Now().Add(f.g.cfg.Patience)
	patience := time.NewTimer(f.g.cfg.Patience)
	defer patience.Stop()
	last := false
	tick := time.NewTimer(hedgeUnknown)
	defer tick.Stop()
	more := func() bool { // whether there are others to be asked than those who do not answer
		if !f.lookup() && !f.again() {
			return false
		}
		last = false
		patience.Reset(time.Until(f.end))
		return true
	}
	for {
		f.ask()
		if len(f.out) == 0 {
			if !more() {
				return nil, dhash.Coding{}, f.verdict()
			}
			continue
		}
		if !last && f.onlyAbsent() { // the DHT, if it is asked, may know others
			last = true
			patience.Reset(min(lastChance, f.g.cfg.Patience))
		}
		tick.Reset(f.nextHedge())
		select {
		case a := <-f.results:
			f.flights--
			f.take(a)
			if block, coding, ok := f.decode(a.coding); ok {
				return block, coding, nil
			}
		case <-tick.C:
			f.hedge()
		case <-patience.C:
			if last && more() {
				continue
			}
			f.silent += len(f.out)
			return nil, dhash.Coding{}, f.verdict()
		case <-f.ctx.Done():
			return nil, dhash.Coding{}, f.ctx.Err()
		case <-f.g.life.Done():
			return nil, dhash.Coding{}, fmt.Errorf("%w: the gateway was closed", venti.ErrUnavailable)
		}
	}
}

// again puts those that could not be reached into the queue once more, after a while, and reports whether there are any. It
// does so once.
func (f *getting) again() bool {
	list := f.failed
	f.failed = nil
	if f.retried || len(list) == 0 {
		return false
	}
	f.retried = true
	wait := time.NewTimer(min(secondChance, f.g.cfg.Patience))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-f.ctx.Done():
	case <-f.g.life.Done():
	}
	list = slices.DeleteFunc(list, func(m placement.Member) bool { return f.g.cfg.Absent(m.ID) })
	f.queue, f.silent = append(f.queue, list...), f.silent-len(list)
	return len(list) > 0
}

// onlyAbsent reports whether nobody is left to wait for but members that are known to be absent.
func (f *getting) onlyAbsent() bool {
	for id := range f.out {
		if !f.g.cfg.Absent(id) {
			return false
		}
	}
	for i := range f.queue {
		if !f.g.cfg.Absent(f.queue[i].ID) {
			return false
		}
	}
	return true
}

// missing returns how many more good fragments it takes, in the best case.
func (f *getting) missing() int {
	least := f.guess.Need
	for i := range f.groups {
		least = min(least, f.groups[i].need-len(f.groups[i].fragments))
	}
	if len(f.groups) == 1 {
		for _, g := range f.groups {
			return g.need - len(g.fragments)
		}
	}
	return least
}

// ask keeps as many requests under way as fragments are missing, and one more while it is not known of all who are asked
// how fast they are. Requests that lag do not count.
func (f *getting) ask() {
	waiting := 0
	for _, a := range f.out {
		if !a.hedged {
			waiting++
		}
	}
	for ; waiting < f.missing()+f.spare && len(f.queue) > 0; waiting++ {
		f.request(f.queue[0])
		f.queue = f.queue[1:]
	}
}

func (f *getting) request(m placement.Member) {
	_, p95 := f.g.cfg.Peers.Latency(m.ID)
	wait := hedgeUnknown
	if p95 > 0 {
		wait = min(max(p95, hedgeFloor), hedgeMax)
	} else {
		f.spare = 1
	}
	f.out[m.ID] = asked{late: time.Now().Add(wait)}
	f.flights++
	avoid := slices.Clone(f.avoid)
	f.g.count(func(c *Counts) { c.Gets++ })
	f.g.work.Go(func() {
		fragment, coding, err := f.g.cfg.Peers.Get(f.ctx, m.ID, peer.Want{Score: f.score, Avoid: avoid})
		f.results <- answer{m, fragment, coding, err}
	})
}

// nextHedge returns how long it is until an answer is late.
func (f *getting) nextHedge() time.Duration {
	next := hedgeMax
	for _, a := range f.out {
		if !a.hedged {
			next = min(next, time.Until(a.late))
		}
	}
	return max(next, time.Millisecond)
}

// hedge marks the requests that lag, so that others are asked as well.
func (f *getting) hedge() {
	now := time.Now()
	for id, a := range f.out {
		if !a.hedged && now.After(a.late) {
			a.hedged = true
			f.out[id] = a
			f.g.count(func(c *Counts) { c.Hedges++ })
			if len(f.queue) > 0 {
				f.request(f.queue[0])
				f.queue = f.queue[1:]
			}
		}
	}
}

// take deals with an answer.
func (f *getting) take(a answer) {
	delete(f.out, a.member.ID)
	switch {
	case a.err == nil:
		f.g.slow.clear(a.member.ID)
		gr := f.groups[a.coding]
		if gr == nil {
			gr = &group{need: a.fragment.Code.Need, fragments: map[int]*dhash.Fragment{}}
			f.groups[a.coding] = gr
		}
		gr.fragments[a.fragment.Index] = a.fragment
		gr.from = append(gr.from, a.member)
	case errors.Is(a.err, dhash.ErrNoFragment):
		f.absent++
		if r, ok := errors.AsType[*peer.Refusal](a.err); ok && r.Diverted != "" && !f.seen[r.Diverted] && len(f.seen) < maxSeen {
			f.seen[r.Diverted] = true
			f.queue = append(f.queue, placement.Member{ID: r.Diverted})
		}
	case errors.Is(a.err, dhash.ErrFragment), errors.Is(a.err, venti.ErrCorrupt):
		f.bad = append(f.bad, a.member)
		f.g.cfg.Log.Warn("member sent a bad fragment", slog.String("member", a.member.ID.Short()),
			slog.String("block", f.score.Short()), slog.Any("err", a.err))
	default:
		f.silent++
		f.lastErrs = a.err
		if !f.retried && !f.g.cfg.Absent(a.member.ID) {
			f.failed = append(f.failed, a.member)
		}
		if f.ctx.Err() == nil {
			f.g.noteFailure(a.member, a.err)
		}
	}
}

// decode tries to make the block of the fragments of a coding.
func (f *getting) decode(c dhash.Coding) ([]byte, dhash.Coding, bool) {
	gr := f.groups[c]
	if gr == nil || len(gr.fragments) < gr.need {
		return nil, c, false
	}
	fragments := make([]*dhash.Fragment, 0, len(gr.fragments))
	for _, fr := range gr.fragments {
		fragments = append(fragments, fr)
	}
	block, err := f.g.codec.Decode(c, fragments)
	if err == nil {
		return block, c, true
	}
	// Each fragment is what its coding says, and together they are not the block: somebody stored junk under its score.
	f.g.cfg.Log.Warn("a coding of the block is junk", slog.String("block", f.score.Short()), slog.Any("err", err))
	delete(f.groups, c)
	if len(f.avoid) < maxAvoid {
		f.avoid = append(f.avoid, c)
		f.queue = append(f.queue, gr.from...) // they may hold others
	}
	return nil, c, false
}

// lookup asks the DHT who is closest to the block, once, and reports whether that made anybody to ask.
func (f *getting) lookup() bool {
	if f.looked || f.g.cfg.Lookup == nil {
		return false
	}
	f.looked = true
	f.g.count(func(c *Counts) { c.Lookups++ })
	ctx, cancel := context.WithDeadline(f.ctx, f.end)
	defer cancel()
	ids, err := f.g.cfg.Lookup(ctx, f.score)
	if err != nil {
		f.g.cfg.Log.Debug("lookup in the DHT failed", slog.Any("err", err))
		return false
	}
	for _, id := range ids {
		if !f.seen[id] {
			f.seen[id] = true
			f.queue = append(f.queue, placement.Member{ID: id})
		}
	}
	return len(f.queue) > 0
}

// verdict says why the block is not there: it is absent if all who should have it say so, damaged if nobody is left who
// might have a good fragment, else unavailable.
func (f *getting) verdict() error {
	good, need := 0, f.guess.Need
	for _, gr := range f.groups {
		if len(gr.fragments) > good {
			good, need = len(gr.fragments), gr.need
		}
	}
	switch {
	case f.silent > 0 || f.absent == 0 && len(f.bad) == 0 && good == 0:
		return fmt.Errorf("%w: %d of the %d fragments that it takes were found; %d members did not answer, %d hold none%s",
			venti.ErrUnavailable, good, need, f.silent, f.absent, because(f.lastErrs))
	case len(f.bad) > 0 || len(f.avoid) > 0:
		return fmt.Errorf("%w: %d of the %d fragments that it takes are good; %d members sent bad ones", venti.ErrCorrupt, good,
			need, len(f.bad))
	case good > 0:
		return fmt.Errorf("%w: only %d of the %d fragments that it takes were found, though all members answered",
			venti.ErrUnavailable, good, need)
	}
	return venti.ErrNotFound
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return " (the last: " + err.Error() + ")"
}
