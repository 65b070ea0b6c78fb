package years

import (
	"context"
	"math/rand/v2"
	"time"

	"ventidhash/dhash/repair"
)

// visits is in how many parts the sweep goes through the blocks.
const visits = 64

// An alarm is something that the run has set itself to do.
type alarm struct {
	what    byte
	urgent  bool
	member  int32
	session uint32
	block   int32 // or the part of the sweep
	count   int   // of fragments to make
}

// What an alarm is for.
const (
	sweeping byte = iota
	silent        // the grace period of a member is over
	made          // a repair is done
)

// What is under way for a block.
const (
	idle byte = iota
	mending
	hurrying
)

// A decision is what Config.decide says.
type decision struct {
	act   repair.Action
	count int
}

// A run is a simulation under way.
type run struct {
	cfg      Config
	now, end time.Duration
	swarm    *swarm
	churn    source
	alarms   heap[alarm]
	reads    *rand.Rand
	nextRead time.Duration
	alive    int
	peak     window
	cutOff   time.Duration // when the brake was put on; negative: it is off
	cutFrom  int           // how many were alive before
	decided  []decision    // of present and absent
	doing    []byte        // of each block
	lost     []bool
	since    []time.Duration // since when a block cannot be read
	tally
}

// Run simulates. Where ctx ends first the Result is about the time until then, and the error is that of ctx. It uses one
// goroutine, the caller's; the same Config gives the same Result.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if err := cfg.Validate(); err != nil {
		return Result{}, err
	}
	cfg = cfg.withDefaults()
	r := newRun(cfg)
	for !r.over() {
		if ctx.Err() != nil {
			return r.result(), ctx.Err()
		}
		r.step()
	}
	r.advance(r.end)
	return r.result(), nil
}

func newRun(cfg Config) *run {
	r := &run{
		cfg: cfg, end: cfg.Warmup + cfg.Duration, swarm: newSwarm(&cfg), alive: cfg.Members, cutOff: -1,
		reads: rand.New(rand.NewPCG(cfg.Seed, 3)), nextRead: far,
		doing: make([]byte, cfg.Blocks), lost: make([]bool, cfg.Blocks), since: make([]time.Duration, cfg.Blocks),
	}
	if len(cfg.Trace) > 0 {
		r.churn = &replay{cfg.Trace, int32(cfg.Members)}
	} else {
		r.churn = newChurn(cfg)
	}
	if cfg.Reads > 0 && !cfg.Oracle {
		r.nextRead = cfg.Warmup
	}
	r.peak.set(0, r.alive)
	r.swarm.store()
	side := cfg.Code.Total + 1
	r.decided = make([]decision, side*side)
	for present := range side {
		for absent := range side - present {
			d := &r.decided[present*side+absent]
			d.act, d.count = cfg.decide(present, absent)
		}
	}
	for part := range int32(visits) {
		r.alarms.push(cfg.Interval*time.Duration(2*part+1)/(2*visits), alarm{what: sweeping, block: part})
	}
	return r
}

// over reports whether nothing happens any more before the end.
func (r *run) over() bool {
	event, any := r.churn.peek()
	timer, _ := r.alarms.peek() // the sweep never ends
	return timer >= r.end && (!any || event >= r.end)
}

// step lets things happen until a part of the sweep is done.
func (r *run) step() {
	for !r.over() {
		at, _ := r.alarms.peek()
		if event, any := r.churn.peek(); any && event <= at {
			r.advance(event)
			r.happen(r.churn.next())
			continue
		}
		r.advance(at)
		_, a := r.alarms.pop()
		switch a.what {
		case silent:
			r.gone(a.member, a.session)
		case made:
			r.made(a)
		case sweeping:
			r.sweep(a.block)
			r.alarms.push(r.now+r.cfg.Interval, a)
			return
		}
	}
}

// advance lets time pass in which nothing happens but reads.
func (r *run) advance(to time.Duration) {
	for r.nextRead < to {
		b := r.reads.IntN(len(r.swarm.keys))
		r.attempts++
		if int(r.swarm.present[b]) < r.cfg.Code.Need {
			r.failures++
		}
		// Not in step with the sweep.
		r.nextRead += time.Duration(2 * r.reads.Float64() * float64(r.cfg.Duration) / float64(r.cfg.Reads))
	}
	r.now = to
}

// happen makes known what happened to a member.
func (r *run) happen(e Event) {
	switch e.Kind {
	case Join:
		m := r.swarm.join()
		r.count(+1)
		r.joins++
		first, end := r.swarm.around(m)
		for b := first; b < end; b++ {
			r.swarm.strays[b] = true
		}
	case Up:
		r.up(r.swarm.named[e.Member])
	case Down:
		r.down(r.swarm.named[e.Member])
	case Dead:
		r.dead(r.swarm.named[e.Member])
	}
}

// count notes that one more or one less answers.
func (r *run) count(change int) {
	r.alive += change
	r.peak.set(r.now, r.alive)
}

// up brings a member back with all that it had.
func (r *run) up(m int32) {
	s, o := r.swarm, &r.swarm.members[m]
	o.up = true
	o.session++
	r.count(+1)
	if o.gone {
		o.gone = false
		s.table = nil
		r.returns++
		for _, b := range o.blocks {
			s.counted[b]++
		}
	}
	if !r.cfg.Oracle {
		need := uint8(r.cfg.Code.Need)
		for _, b := range o.blocks {
			if s.present[b]++; s.present[b] == need {
				r.readable(b)
			}
		}
	}
	spares := o.spares
	o.spares = nil
	for _, c := range spares {
		r.surplus(m, c)
	}
}

// surplus trims one of two copies of a fragment: that of m, or that of its holder, whichever is farther from the block.
func (r *run) surplus(m int32, c spare) {
	s := r.swarm
	r.trimmed++
	holders := s.holders(c.block)
	at := holders[c.index]
	if at == nobody || !s.members[at].up { // as good as none: keep the one that can be seen
		s.members[m].spares = append(s.members[m].spares, c)
		r.trimmed--
		return
	}
	for _, o := range holders {
		if o == m { // it was given another one
			return
		}
	}
	if s.keys[c.block].Compare(s.members[m].ident.Key, s.members[at].ident.Key) < 0 {
		s.move(c.block, int(c.index), at, m)
	}
}

// down makes a member fall silent.
func (r *run) down(m int32) {
	s, o := r.swarm, &r.swarm.members[m]
	o.up = false
	o.session++
	r.count(-1)
	if !r.cfg.Oracle {
		below := uint8(r.cfg.Code.Need - 1)
		for _, b := range o.blocks {
			if s.present[b]--; s.present[b] == below {
				r.unreadable(b)
			}
		}
		r.alarms.push(r.now+r.cfg.Grace, alarm{what: silent, member: m, session: o.session})
	}
	r.idle(m)
}

// idle drops what a member was about to repair; the next sweep gives it to somebody else.
func (r *run) idle(m int32) {
	o := &r.swarm.members[m]
	if o.busy != nobody && r.doing[o.busy] == mending {
		r.doing[o.busy] = idle
	}
	for _, b := range o.queue {
		if r.doing[b] == mending {
			r.doing[b] = idle
		}
	}
	o.queue, o.busy = nil, nobody
}

// dead destroys a member's disk.
func (r *run) dead(m int32) {
	s, o := r.swarm, &r.swarm.members[m]
	if o.up {
		r.down(m)
	}
	o.dead, o.spares = true, nil
	r.deaths++
	for _, b := range o.blocks {
		if s.intact[b]--; int(s.intact[b]) < r.cfg.Code.Need && !r.lost[b] {
			r.lost[b] = true
			r.losses++
		}
	}
	if r.cfg.Oracle || o.gone {
		r.gone(m, o.session)
	}
}

// gone makes a member count as gone that was silent for the grace period.
func (r *run) gone(m int32, session uint32) {
	s, o := r.swarm, &r.swarm.members[m]
	if o.session != session || !o.joined {
		return
	}
	if !o.gone {
		o.gone = true
		s.table = nil
		for _, b := range o.blocks {
			s.counted[b]--
		}
	}
	if !o.dead {
		return
	}
	for _, b := range o.blocks {
		holders := s.holders(b)
		for i := range holders {
			if holders[i] == m {
				holders[i] = nobody
			}
		}
	}
	o.blocks, o.joined = nil, false
	s.free = append(s.free, m)
}

// unreadable and readable keep the account of the time for which block b cannot be read.
func (r *run) unreadable(b int32) {
	r.since[b] = r.now
	r.dark++
	if r.now >= r.cfg.Warmup {
		r.darkest = max(r.darkest, r.dark)
	}
}

func (r *run) readable(b int32) {
	r.dark--
	r.spell(b, r.now)
}

// spell adds the time until now for which block b could not be read.
func (r *run) spell(b int32, until time.Duration) {
	if from := max(r.since[b], r.cfg.Warmup); until > from {
		r.unread[int(b)*batches/len(r.since)] += (until - from).Seconds()
		r.spells++
	}
}
