package repair

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ventidhash/dhash/codec"
	"ventidhash/venti"
)

// A Repairer keeps blocks at strength of which this member holds a fragment. All methods may be called from many
// goroutines.
type Repairer struct {
	cfg   Config
	codec codec.Encoder
	slots chan struct{} // has an element for each request under way
	turn  chan struct{} // has an element while somebody works through the queue
	news  chan struct{} // has an element when something came into the queue

	mu     sync.Mutex // protects the following
	queue  *queue
	budget budget
	brake  brake
	stats  Stats
}

// New returns a Repairer. It starts nothing.
func New(cfg Config) (*Repairer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Repairer{cfg: cfg, queue: newQueue(cfg.Queue, cfg.Retry), budget: newBudget(cfg.Rate, time.Now(), cfg.Busy),
		slots: make(chan struct{}, maxRequests), turn: make(chan struct{}, 1),
		news: make(chan struct{}, 1)}, nil
}

// Add puts candidates into the queue, or notes their news. It never waits for anything. When the queue is full the
// healthiest are dropped, and counted; the next sweep finds them again.
func (r *Repairer) Add(candidates []Candidate) {
	now := time.Now()
	var policy codec.Policy
	if r.cfg.Policy != nil {
		policy = r.cfg.Policy()
	}
	r.mu.Lock()
	for _, c := range candidates {
		if c.Code.Validate() == nil {
			r.queue.add(c, c.Code.Need <= policy.Code(c.Code.Total, true).Need, now, r.turnOf(c))
		}
	}
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// turnOf returns how long it is until a candidate has to be looked at: nobody else than this member can act then. So not all
// holders of a block ask all others about it at once.
func (r *Repairer) turnOf(c Candidate) time.Duration {
	if c.Stray || c.Present <= c.Code.UrgentLine()+1 { // two of those counted may be the same
		return 0
	}
	return time.Duration(c.Rank) * r.cfg.Takeover
}

// poll is how often the roster is looked at, at least, when there is nothing else to do.
const poll = time.Minute

// long is a wait that is cut to the longest there is.
const long = 1000 * time.Hour

// Run works through the queue as its items become due, until ctx ends; then it returns nil. It may be called once.
func (r *Repairer) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	size := newPace()
	for ctx.Err() == nil {
		wait := r.step(ctx, &size)
		if wait == 0 {
			continue
		}
		timer.Reset(min(wait, poll))
		select {
		case <-timer.C:
		case <-r.news:
		case <-ctx.Done():
		}
	}
	return nil
}

// Now works through what is due, and returns when nothing is any more: not when all is well, since what failed, or is
// another member's to do, is due later. progress, which may be nil, is called after each batch. The error wraps
// venti.ErrUnavailable if this node takes itself for cut off, or is that of ctx.
func (r *Repairer) Now(ctx context.Context, progress func(Stats)) error {
	size := newPace()
	for {
		wait := r.step(ctx, &size)
		st := r.Stats()
		if progress != nil {
			progress(st)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case st.Braked:
			return fmt.Errorf("%w: most of the members that were there have vanished at once, so this node takes itself "+
				"for cut off and repairs nothing; check its network", venti.ErrUnavailable)
		case wait == 0:
			continue
		case st.Due == 0 && st.Waiting == 0:
			return nil
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// A pace is how many items to survey at once: few while the budget keeps them waiting until what was seen is stale.
type pace int

func newPace() pace { return 16 }

func (p *pace) adapt(waited bool) {
	if waited {
		*p = max(1, *p/2)
	} else {
		*p = min(maxBatch, *p*2)
	}
}

// step works at a batch of what is due, if anything is, and returns how long there is nothing to do then.
func (r *Repairer) step(ctx context.Context, size *pace) time.Duration {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return poll
	}
	batch, wait := r.take(int(*size))
	if len(batch) == 0 {
		return wait
	}
	sights, err := r.survey(ctx, batch)
	if err != nil {
		out := failed(err)
		out.poor = ctx.Err() != nil
		for _, it := range batch {
			r.settle(it, out)
		}
		return poll
	}
	size.adapt(r.work(ctx, batch, sights))
	return 0
}

// workers is how many blocks are worked at once: while one is read another is sent.
const workers = 3

// work tends the items of a batch, and reports whether any has to wait for the budget.
func (r *Repairer) work(ctx context.Context, batch []*item, sights []sight) bool {
	var next, waiting atomic.Int64
	var all sync.WaitGroup
	for range min(workers, len(batch)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(batch); i = int(next.Add(1)) - 1 {
				out := r.tend(ctx, batch[i], &sights[i])
				if ctx.Err() != nil {
					out = outcome{keep: true, poor: true} // nothing is known about it
				}
				if out.poor {
					waiting.Add(1)
				}
				r.settle(batch[i], out)
			}
		})
	}
	all.Wait()
	return waiting.Load() > 0
}

// take returns what is to be done now. If the budget is used up that is only what is urgent; if this node seems to be
// cut off, nothing.
func (r *Repairer) take(n int) ([]*item, time.Duration) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.braked(now) {
		return nil, poll
	}
	class, wait := classes-1, r.budget.wait(now)
	if wait > 0 {
		class = urgentClass
	}
	batch := r.queue.take(now, n, class)
	if len(batch) > 0 {
		return batch, 0
	}
	when, ok := r.queue.due(class)
	switch {
	case !ok && wait == 0:
		return nil, poll
	case !ok:
		return nil, wait
	case wait > 0:
		return nil, min(wait, when.Sub(now))
	}
	return nil, when.Sub(now)
}

// braked reports whether the brake is on. mu is held.
func (r *Repairer) braked(now time.Time) bool {
	if r.cfg.Roster == nil {
		return false
	}
	alive, known := r.cfg.Roster()
	was := r.brake.on
	grace := 24 * time.Hour
	if r.cfg.Grace != nil {
		grace = cmp.Or(r.cfg.Grace(), grace)
	}
	on := r.brake.check(now, grace, alive, known)
	if on != was {
		r.cfg.Log.Warn("most members vanished at once, or came back", slog.Bool("repairs wait", on),
			slog.Int("alive", alive), slog.Int("before", r.brake.high))
	}
	return on
}

// cutOff reports whether the brake is on.
func (r *Repairer) cutOff() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.braked(time.Now())
}

// An outcome says what becomes of an item that was looked at.
type outcome struct {
	keep bool          // it stays in the queue
	poor bool          // the budget did not allow it; it is due as soon as that does
	wait time.Duration // when it is due again
	err  error         // a failure: it is due again after a backoff
}

func failed(err error) outcome      { return outcome{keep: true, err: err} }
func later(d time.Duration) outcome { return outcome{keep: true, wait: d} }

// enter waits until one more request may be under way; leave is called when it has ended.
func (r *Repairer) enter(ctx context.Context) error {
	select {
	case r.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Repairer) leave() { <-r.slots }

// settle puts an item back, or away, and takes in what was heard of it meanwhile.
func (r *Repairer) settle(it *item, out outcome) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if news := it.news; news != nil {
		it.news = nil
		defer func() { r.queue.add(*news, it.vital, now, r.turnOf(*news)) }()
	}
	it.poor = out.poor
	switch {
	case !out.keep:
		r.queue.remove(it)
		return
	case out.poor:
		it.next = now.Add(r.budget.wait(now))
	case out.err != nil:
		it.attempts++
		it.err, it.last, it.next = out.err, now, now.Add(r.queue.backoff(it.attempts))
		r.stats.Failed++
		r.stats.LastError = out.err
	default:
		it.attempts, it.err, it.last, it.next = 0, nil, now, now.Add(r.queue.within(out.wait))
	}
	r.queue.push(it)
}

// afford reports whether something that is not urgent may be done now.
func (r *Repairer) afford() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.budget.wait(time.Now()) == 0
}
