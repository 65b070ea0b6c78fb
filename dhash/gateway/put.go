package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

const (
	// A member is not waited for longer than this for one fragment.
	putTimeout = 60 * time.Second

	// Fragments that lag are sent to another member as well: when the threshold is reached, after this time or three times
	// as long as it took; and in any case after lagLimit.
	lagFloor = 300 * time.Millisecond
	lagLimit = 10 * time.Second

	// With nobody to stand in for it, a member has so long before it counts as lagging: it may have to be dialled again.
	lagAlone = 1500 * time.Millisecond
)

// putting is a block on its way to its holders.
type putting struct {
	g     *Gateway
	enc   *codec.Encoded
	size  int64 // in the window
	table *placement.Table
	claim dhash.Claim
	done  chan struct{} // closed when nothing more is done about the block

	ctx     context.Context // of all attempts
	began   time.Time
	spares  []placement.Member // not tried yet
	results chan attempt
	out     map[int]placement.Member // fragments under way, once each: the member tried last
	flights int                      // attempts under way
	placed  map[int]placement.Member // fragments that are held
	there   int                      // of placed, those that were held already
	held    []placement.Member       // their holders
	full    map[int]placement.Member // members that were to have a fragment and have no room
	causes  map[string]int           // why members failed, counted
	silent  bool                     // some of them did not answer, and were not known to be absent
	outage  bool                     // there was one when the attempt began
}

// An attempt is the end of one try to place one fragment at one member.
type attempt struct {
	index  int
	member placement.Member
	there  bool // it held the fragment already
	err    error
}

func (p *putting) free() {
	b := p.enc.Buffer()
	p.g.buffers.Put(&b)
	p.g.window.release(p.size)
}

// run places all fragments, as far as that is possible.
func (p *putting) run() {
	until := time.Now().Add(p.g.cfg.Wait)
	err := p.g.patiently(p.g.life, p.enc.Score, p.attempt)
	for err == nil && p.cutOff() { // the swarm went away while the fragments travelled
		amid := p.outage
		if waited, reached := p.g.await(p.g.life, p.enc.Score, until); !reached || !waited && !amid {
			break
		}
		err = p.g.patiently(p.g.life, p.enc.Score, p.attempt)
	}
	p.g.finish(p, p.stored(), len(p.placed), err)
	p.free()
	close(p.done)
}

// attempt places all fragments, as far as that is possible now. In the end nothing is under way.
func (p *putting) attempt() error {
	ctx, cancel := context.WithCancel(p.g.life)
	p.ctx, p.began, p.table, p.outage = ctx, time.Now(), p.g.cfg.Table(), p.g.outage.on.Load()
	err := p.place()
	p.divert()
	cancel()
	for ; p.flights > 0; p.flights-- { // they hold the buffer
		<-p.results
	}
	return err
}

// cutOff reports whether fewer fragments are held than there should be because members cannot be reached: fewer hold one than
// it takes to bring any other block back, for which vital ones wait too, and those that were coded for few members; or there
// are too few for the block's code, and members did not answer, or an outage was not quite over.
func (p *putting) cutOff() bool {
	switch stored := p.stored(); {
	case p.g.cfg.Wait == 0:
		return false
	case stored < p.g.usual().Need:
		return true
	default:
		return stored < p.enc.Code.Threshold() && (p.silent || p.outage)
	}
}

// stored returns how many fragments count as held, with regard to failure domains.
func (p *putting) stored() int { return p.table.Stored(p.held, p.enc.Code) }

func (p *putting) place() error {
	code := p.enc.Code
	members := p.g.holders(p.table, p.enc.Score, code)
	p.results = make(chan attempt, code.Total+len(members))
	p.out = map[int]placement.Member{}
	p.placed = map[int]placement.Member{}
	p.full = map[int]placement.Member{}
	p.held, p.there, p.silent = nil, 0, false
	p.causes = map[string]int{}
	first := min(code.Total, len(members))
	p.spares = members[first:]
	claimed := p.claimed(members[:first])
	for i, m := range members[:first] {
		p.start(i, m, claimed)
	}
	return p.wait()
}

// claimed reports whether the block seems to be stored already in this very coding, so that it is worth asking holders
// to note a claim before they are sent anything. It asks some members at once, since one may be new or have lost its disk,
// and in place of one that cannot be reached another.
func (p *putting) claimed(members []placement.Member) bool {
	const asked = 3
	attempt := p.ctx // who is late may answer when another attempt is under way
	ctx, cancel := context.WithTimeout(attempt, lagFloor)
	defer cancel()
	members = slices.DeleteFunc(slices.Clone(members), func(m placement.Member) bool { return p.g.lags(m.ID) })
	type answer struct {
		holds bool
		err   error
	}
	answers := make(chan answer, len(members))
	flights := 0
	ask := func() {
		if len(members) == 0 {
			return
		}
		id := members[0].ID
		members = members[1:]
		flights++
		p.g.work.Go(func() {
			holds, err := p.holds(ctx, attempt, id)
			answers <- answer{holds, err}
		})
	}
	for range asked {
		ask()
	}
	for ; flights > 0; flights-- {
		a := <-answers
		if a.holds {
			return true
		}
		if a.err != nil && ctx.Err() == nil {
			ask()
		}
	}
	return false
}

// holds reports whether a member says that it holds a fragment of the block in this very coding. It may outlive the attempt.
func (p *putting) holds(ctx, attempt context.Context, id dhash.ID) (bool, error) {
	lists, err := p.g.cfg.Peers.Have(ctx, id, p.claim.Owner, []venti.Score{p.enc.Score})
	if err != nil || len(lists) != 1 {
		if err != nil && attempt.Err() == nil && ctx.Err() != context.Canceled {
			p.g.slow.set(id)
		}
		return false, err
	}
	return slices.ContainsFunc(lists[0], func(h dhash.Held) bool { return h.Coding == p.enc.Coding }), nil
}

// start begins to place fragment index at m. A member that lagged lately, is absent or full is passed over if another
// can be had.
func (p *putting) start(index int, m placement.Member, claim bool) {
	for (m.Full || p.g.lags(m.ID)) && len(p.spares) > 0 {
		if _, ok := p.full[index]; !ok && m.Full {
			p.full[index] = m
		}
		m, p.spares = p.spares[0], p.spares[1:]
	}
	p.out[index] = m
	p.flights++
	p.g.work.Go(func() {
		there, err := p.send(index, m, claim)
		p.results <- attempt{index, m, there, err}
	})
}

// send places fragment index at m, by a claim if m holds it already.
func (p *putting) send(index int, m placement.Member, claim bool) (there bool, err error) {
	ctx, cancel := context.WithTimeout(p.ctx, putTimeout)
	defer cancel()
	if claim {
		held, err := p.g.cfg.Peers.Claim(ctx, m.ID, p.claim.Owner, []peer.Mark{{Score: p.enc.Score, Coding: p.enc.Coding,
			Index: index, Mark: p.claim.Mark}})
		if err != nil || len(held) == 1 && held[0] {
			return err == nil, err
		}
	}
	f := p.enc.Fragment(index)
	p.g.count(func(c *Counts) { c.Puts++ })
	receipt, err := p.g.cfg.Peers.Put(ctx, m.ID, p.claim, &f)
	if err == nil && receipt.Coding != p.enc.Coding {
		return false, fmt.Errorf("%w: the member says that it got another one", dhash.ErrFragment)
	}
	return false, err
}

// divert tells the members that were to hold a fragment and have no room where it is now.
func (p *putting) divert() {
	for index, from := range p.full {
		to, ok := p.placed[index]
		if !ok || to.ID == from.ID {
			continue
		}
		ctx, cancel := context.WithTimeout(p.ctx, lagFloor)
		err := p.g.cfg.Peers.Divert(ctx, from.ID, peer.Diversion{Score: p.enc.Score, Coding: p.enc.Coding, Index: index, To: to.ID})
		cancel()
		if err != nil {
			p.g.cfg.Log.Debug("a full member could not be told where its fragment is", slog.String("member", from.ID.Short()),
				slog.Any("err", err))
		}
	}
}

// wait collects receipts until every fragment has one, or no more can be had.
func (p *putting) wait() error {
	lag := time.NewTimer(lagLimit)
	defer lag.Stop()
	patience := time.NewTimer(putTimeout)
	defer patience.Stop()
	reached := false
	for len(p.out) > 0 && !(reached && p.hopeless()) {
		select {
		case a := <-p.results:
			p.flights--
			p.take(a)
			if !reached && p.stored() >= p.enc.Code.Threshold() {
				reached = true
				lag.Reset(max(lagFloor, 3*time.Since(p.began)))
				patience.Reset(p.g.cfg.Patience)
			}
		case <-lag.C:
			p.hedge()
			if reached {
				lag.Reset(2 * lagFloor)
			} else {
				lag.Reset(lagLimit)
			}
		case <-patience.C:
			return p.verdict()
		case <-p.g.life.Done():
			return p.g.life.Err()
		}
	}
	return p.verdict()
}

// hopeless reports whether nothing is under way but to members that lag, and nobody is left to stand in for them.
func (p *putting) hopeless() bool {
	for _, m := range p.out {
		if !p.g.lags(m.ID) {
			return false
		}
	}
	return len(p.spares) == 0
}

// take deals with the end of an attempt.
func (p *putting) take(a attempt) {
	if _, ok := p.placed[a.index]; ok {
		return // a hedge was quicker
	}
	if a.err == nil {
		p.g.slow.clear(a.member.ID)
		p.placed[a.index] = a.member
		if a.there {
			p.there++
		}
		p.held = append(p.held, a.member)
		delete(p.out, a.index)
		return
	}
	if p.out[a.index].ID != a.member.ID {
		return // its hedge is under way
	}
	delete(p.out, a.index)
	p.causes[cause(a.err)]++
	if _, ok := p.full[a.index]; !ok && errors.Is(a.err, dhash.ErrFull) {
		p.full[a.index] = a.member
	}
	p.silent = p.silent || !refuses(a.err) && !p.g.cfg.Absent(a.member.ID)
	p.g.noteFailure(a.member, a.err)
	if len(p.spares) > 0 {
		m := p.spares[0]
		p.spares = p.spares[1:]
		p.start(a.index, m, false)
	}
}

// hedge sends every fragment that is still under way to another member as well, and remembers who lagged.
func (p *putting) hedge() {
	for index, m := range p.out {
		if len(p.spares) > 0 || time.Since(p.began) >= lagAlone {
			p.g.slow.set(m.ID)
		}
		if len(p.spares) > 0 {
			p.g.cfg.Log.Info("member lags; its fragment goes to another one as well", slog.String("member", m.ID.Short()),
				slog.String("block", p.enc.Score.Short()))
			m, p.spares = p.spares[0], p.spares[1:]
			p.start(index, m, false)
		}
	}
}

// verdict says whether what was placed can bring the block back.
func (p *putting) verdict() error {
	for _, m := range p.out {
		p.silent = p.silent || !p.g.cfg.Absent(m.ID)
	}
	need := p.enc.Code.Need
	if len(p.placed) >= need {
		return nil
	}
	return &venti.BlockError{Op: "put", Score: p.enc.Score, Err: fmt.Errorf("%w: %d of the %d fragments that it takes were stored%s",
		venti.ErrUnavailable, len(p.placed), need, p.why())}
}

// why lists the reasons of failures, for people.
func (p *putting) why() string {
	text := ""
	for reason, n := range p.causes {
		text += fmt.Sprintf("; %d × %s", n, reason)
	}
	return text
}

// cause names the kind of a failure.
func cause(err error) string {
	for _, known := range []error{dhash.ErrFull, dhash.ErrQuota, dhash.ErrHandedOver, dhash.ErrNotMine, dhash.ErrBusy, dhash.ErrStranger,
		dhash.ErrFragment, dhash.ErrNoFragment, context.DeadlineExceeded, venti.ErrUnavailable} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// refuses reports whether an error says that a member answered, and would not or could not.
func refuses(err error) bool {
	for _, e := range []error{dhash.ErrFull, dhash.ErrQuota, dhash.ErrHandedOver, dhash.ErrNotMine, dhash.ErrFragment, dhash.ErrNoFragment} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// noteFailure remembers a member whose connection failed, and logs any refusal.
func (g *Gateway) noteFailure(m placement.Member, err error) {
	if !refuses(err) && g.life.Err() == nil {
		g.slow.set(m.ID)
	}
	g.cfg.Log.Debug("member failed", slog.String("member", m.ID.Short()), slog.Any("err", err))
}
