package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/placement"
)

const (
	maxSet    = 1 << 17          // points in a set that answers; where there are more the asker is told to ask for less
	maxCached = 1 << 19          // points in all sets that are kept, at 13 bytes each
	keepFor   = 2 * time.Minute  // how long a set is kept for the next message of its session
	slower    = 4                // a member waits as many times as long as its last message took
	longest   = 10 * time.Second // but no longer
)

// ResponderConfig says what a Responder answers from. All that is exported is needed.
type ResponderConfig struct {
	Self  dhash.ID
	Store Store
	Table func() *placement.Table // returns the members that placement counts on now

	maxSet int // tests have less
}

// Validate returns an error that names the field, if there is one to name.
func (c ResponderConfig) Validate() error {
	if c.Self == "" || c.Store == nil || c.Table == nil {
		return errors.New("sweep: Self, Store and Table are needed")
	}
	return nil
}

// A Responder answers what the Sweepers of other members ask. It keeps the set that a member's session is about for the
// next message of that session: one for each member, and so many points in all. Sets are made one at a time, and a
// member that keeps it busy is answered slowly, so that it gets a fifth of one processor at most. All methods may be
// called from many goroutines.
type Responder struct {
	cfg      ResponderConfig
	building chan struct{} // has an element while a set is made

	mu     sync.Mutex // protects what follows
	askers map[dhash.ID]*asker
	kept   int // points in the sets of all askers
	tidied time.Time
}

// An asker is a member that has asked lately.
type asker struct {
	asking bool // something that is not answered yet
	set    *Set
	used   time.Time // when it was last answered
	next   time.Time // when it may be answered again
}

// NewResponder returns a Responder; it starts nothing.
func NewResponder(cfg ResponderConfig) (*Responder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.maxSet = cmp.Or(cfg.maxSet, maxSet)
	return &Responder{cfg: cfg, building: make(chan struct{}, 1), askers: map[dhash.ID]*asker{}}, nil
}

// Answer answers a message from a member, whose id the connection has proven. Errors wrap ErrMessage, dhash.ErrBusy if
// the member has asked something that is not answered yet, or what the disk or ctx says.
func (r *Responder) Answer(ctx context.Context, from dhash.ID, message []byte) ([]byte, error) {
	q, err := parseQuery(message)
	if err != nil {
		return nil, err
	}
	a, set, wait, err := r.enter(from)
	if err != nil {
		return nil, err
	}
	var cost time.Duration
	defer func() { r.leave(a, cost) }()
	if err := pause(ctx, wait); err != nil {
		return nil, err
	}
	if set == nil || set.salt != q.salt || q.from < set.from || q.from > set.to {
		if set, cost, err = r.build(ctx, from, q); err != nil {
			return nil, err
		}
		r.keep(a, set)
	}
	began := time.Now()
	defer func() { cost += time.Since(began) }()
	if q.to > set.to {
		return cutAnswer(set.to + 1), nil
	}
	return respond(set.part(q.from, q.to), q)
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// enter notes that a member asks, and returns its set and how long it has to wait.
func (r *Responder) enter(from dhash.ID) (*asker, *Set, time.Duration, error) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.tidied) > keepFor/4 {
		r.tidied = now
		r.tidy(now)
	}
	a := r.askers[from]
	if a == nil {
		a = &asker{used: now}
		r.askers[from] = a
	}
	if a.asking {
		return nil, nil, 0, fmt.Errorf("%w: with what the member asked before", dhash.ErrBusy)
	}
	a.asking = true
	return a, a.set, a.next.Sub(now), nil
}

// tidy forgets who has not asked for a while. mu is held.
func (r *Responder) tidy(now time.Time) {
	for id, a := range r.askers {
		if !a.asking && now.Sub(a.used) > keepFor {
			r.drop(a)
			delete(r.askers, id)
		}
	}
}

// drop gives up a set; whoever works with it goes on. mu is held.
func (r *Responder) drop(a *asker) {
	if a.set != nil {
		r.kept -= a.set.points.Len()
		a.set = nil
	}
}

// leave notes that a member has its answer, and what that has cost.
func (r *Responder) leave(a *asker, cost time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a.asking, a.used = false, time.Now()
	if next := a.used.Add(min(longest, slower*cost)); next.After(a.next) {
		a.next = next
	}
}

// keep keeps a set for the next message, in place of those that were not used for longest.
func (r *Responder) keep(a *asker, set *Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(a)
	for r.kept > 0 && r.kept+set.points.Len() > maxCached {
		var oldest *asker
		for _, other := range r.askers {
			if other.set != nil && (oldest == nil || other.used.Before(oldest.used)) {
				oldest = other
			}
		}
		r.drop(oldest)
	}
	a.set = set
	r.kept += set.points.Len()
}

// build makes the set of what a query is about, or of the beginning of that, and says how long it took. Of what is held
// in the range those points are compared that both this member and the asker are expected to hold.
func (r *Responder) build(ctx context.Context, from dhash.ID, q *query) (set *Set, took time.Duration, err error) {
	select {
	case r.building <- struct{}{}:
		defer func() { <-r.building }()
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	began := time.Now()
	var compared bitset
	count := 0
	seats := newSeats(r.cfg.Table(), func(holders []placement.Member, _ dhash.Code) *seating {
		s := new(seating)
		for _, m := range holders {
			s.mine = s.mine || m.ID == r.cfg.Self
			s.theirs = s.theirs || m.ID == from
		}
		return s
	})
	points, last, err := gather(ctx, r.cfg.Store, q.from, q.to, r.cfg.maxSet, func(h *holding) {
		if s := seats.of(h.key, h.code); s.mine && s.theirs {
			growBit(&compared, count)
		}
		count++
	})
	if err != nil {
		return nil, time.Since(began), fmt.Errorf("answer a sweep: %w", err)
	}
	all := newBitset(count)
	all.add(compared)
	return newSet(q.salt, q.from, last, points, all, all), time.Since(began), nil
}
