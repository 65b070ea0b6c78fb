package sweep

import (
	"context"
	"sync"
	"time"

	"ventidhash/dhash/fragstore"
)

// A Sweeper looks, for one member, which blocks have lost fragments. Its methods may be called from many goroutines.
type Sweeper struct {
	cfg  Config
	busy chan struct{} // has an element while a region is swept, which goes with the use of memory

	memory memory

	mu    sync.Mutex
	last  *Report
	swept time.Time // when Now last came to its end
}

// New returns a Sweeper; it starts nothing.
func New(cfg Config) (*Sweeper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Sweeper{cfg: cfg.withDefaults(), busy: make(chan struct{}, 1)}, nil
}

// Last returns the report of the newest round that came to its end, of Run or Now, since the program started.
func (s *Sweeper) Last() (Report, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return Report{}, false
	}
	return s.last.clone(), true
}

func (s *Sweeper) finished(r *Report, byHand bool) {
	r.Ended = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = r
	if byHand {
		s.swept = r.Ended
	}
}

// byHand returns when Now last came to its end.
func (s *Sweeper) byHand() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.swept
}

// Now sweeps all that is held, without waiting between regions. progress may be nil; it hears of how many items were
// swept out of how many. The round of Run begins anew afterwards, an interval later. The report is of what was done,
// also when there is an error: that of ctx, or of the disk.
func (s *Sweeper) Now(ctx context.Context, progress func(done, of int64)) (Report, error) {
	select {
	case s.busy <- struct{}{}:
		defer func() { <-s.busy }()
	case <-ctx.Done():
		return Report{}, ctx.Err()
	}
	report := newReport(time.Now())
	total, err := s.count(ctx)
	for position, more := uint64(0), true; more && err == nil; {
		var g *region
		if g, err = s.region(ctx, position, report); err != nil {
			break
		}
		position, more = after(g.last)
		if progress != nil {
			progress(report.Items, max(report.Items, total))
		}
	}
	if err != nil {
		return report.clone(), err
	}
	s.finished(report, true)
	s.saveCursor(cursor{0, report.Ended.Add(s.cfg.Interval)})
	return report.clone(), nil
}

// region sweeps one region, and adds what it sees to a report.
func (s *Sweeper) region(ctx context.Context, from uint64, report *Report) (*region, error) {
	began := time.Now()
	g, err := gatherRegion(ctx, &s.cfg, &s.memory, from)
	if err != nil {
		return nil, err
	}
	if err := g.compare(ctx); err != nil {
		return nil, err
	}
	items, err := g.items(ctx)
	if err != nil {
		return nil, err
	}
	s.cfg.Found(ctx, items)
	report.add(g, items, time.Since(began))
	return g, nil
}

// count returns how many fragments are held and claimed.
func (s *Sweeper) count(ctx context.Context) (n int64, err error) {
	err = s.cfg.Store.Walk(ctx, keyFrom(0), keyTo(1<<64-1), func(h fragstore.Held) error {
		if !h.Trash() {
			n++
		}
		return nil
	})
	return n, err
}

// A round is what Run is in the middle of.
type round struct {
	cursor
	total  int64     // how many items there are, 0 if that is not known
	swept  time.Time // of the Sweeper, when the round began
	failed int       // tries in a row to sweep the next region
	report *Report
}

// Run sweeps region after region, evenly spread over the interval, round after round, until ctx ends, and then returns
// nil. It goes on where it was when the program last ended. What fails is logged and tried again.
func (s *Sweeper) Run(ctx context.Context) error {
	r := &round{cursor: s.loadCursor(time.Now()), swept: s.byHand(), report: newReport(time.Now())}
	for {
		timer := time.NewTimer(time.Until(r.due))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case s.busy <- struct{}{}:
		}
		s.step(ctx, r)
		<-s.busy
	}
}

// step sweeps the region that is due.
func (s *Sweeper) step(ctx context.Context, r *round) {
	now := time.Now()
	if at := s.byHand(); !at.Equal(r.swept) { // Now has done all of it
		*r = round{cursor: cursor{0, at.Add(s.cfg.Interval)}, swept: at, report: newReport(now)}
		return
	}
	if r.total == 0 {
		var err error
		if r.total, err = s.count(ctx); err != nil {
			s.retry(ctx, r, err)
			return
		}
	}
	if r.position == 0 {
		r.report = newReport(now)
	}
	g, err := s.region(ctx, r.position, r.report)
	if err != nil {
		s.retry(ctx, r, err)
		return
	}
	r.failed = 0
	// The time of a region is its share of the interval. What was late is not made up for.
	share := 1.0
	if n := int64(g.points.Len()); n < r.total {
		share = float64(n) / float64(r.total)
	}
	if r.due.Before(now) {
		r.due = now
	}
	r.due = r.due.Add(time.Duration(share * float64(s.cfg.Interval)))
	var more bool
	if r.position, more = after(g.last); !more {
		r.position, r.total = 0, 0
		s.finished(r.report, false)
	}
	s.saveCursor(r.cursor)
}

// retry has a region that could not be swept tried again, ever more slowly.
func (s *Sweeper) retry(ctx context.Context, r *round, err error) {
	if ctx.Err() != nil {
		return
	}
	wait := min(s.cfg.Interval, time.Minute<<min(r.failed, 10))
	r.failed++
	r.due = time.Now().Add(wait)
	s.cfg.Log.Warn("sweep: to be tried again", "why", err, "in", wait)
}
