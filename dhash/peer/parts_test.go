package peer

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"ventidhash/dhash"
)

func TestBudget(t *testing.T) {
	b := newBudget(100)
	var in, most atomic.Int64
	var work sync.WaitGroup
	for i := range 16 {
		work.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range 500 {
				n := r.Int64N(150) // more than there is, at times
				ctx, cancel := context.WithCancel(context.Background())
				if r.IntN(4) == 0 {
					cancel()
				}
				if b.take(ctx, n) == nil {
					took := min(n, 100)
					if now := in.Add(took); now > most.Load() {
						most.Store(now)
					}
					in.Add(-took)
					b.give(n)
				}
				cancel()
			}
		})
	}
	work.Wait()
	if b.inUse() != 0 || b.waiting.Len() != 0 || most.Load() > 100 {
		t.Errorf("%d taken and %d waiting at the end, at most %d", b.inUse(), b.waiting.Len(), most.Load())
	}
}

func TestBudgetIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(10)
		ctx := t.Context()
		b.take(ctx, 6)
		got := make(chan int, 2)
		waits := func(n int) {
			t.Helper()
			synctest.Wait()
			if is := b.waiting.Len(); is != n {
				t.Fatalf("%d wait, not %d", is, n)
			}
		}
		go func() { b.take(ctx, 10); got <- 10 }()
		waits(1)
		small, cancel := context.WithCancel(ctx)
		go func() { b.take(ctx, 1); got <- 1 }()
		waits(2)
		go b.take(small, 1)
		waits(3)
		cancel()
		waits(2)
		b.give(6)
		if n := <-got; n != 10 {
			t.Errorf("%d was served before 10, which came first", n)
		}
		b.give(10)
		<-got
		b.adjust(1, 50)
		if n := b.inUse(); n != 10 {
			t.Errorf("%d in use after a guess was put right, want all", n)
		}
	})
}

// An echo is the stream of a member that answers each request with what it was sent, after some time.
type echo struct {
	network.Stream // nil: only what is below is used
	after          time.Duration
	answers        chan []byte
	rest           []byte
	ended          chan struct{}
	end            sync.Once
}

func (s *echo) Read(b []byte) (n int, err error) {
	if len(s.rest) == 0 {
		select {
		case s.rest = <-s.answers:
		case <-s.ended:
			return 0, io.EOF
		}
	}
	n = copy(b, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *echo) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		h, err := parseHeader(rest)
		if err != nil {
			return 0, err
		}
		body := rest[headerSize : headerSize+h.size]
		rest = rest[headerSize+h.size:]
		a := append(appendHeader(nil, h.kind|answer, h.id, h.size), body...)
		time.AfterFunc(s.after, func() { s.answers <- a })
	}
	return len(b), nil
}

func (s *echo) SetWriteDeadline(time.Time) error { return nil }
func (s *echo) Close() error                     { s.end.Do(func() { close(s.ended) }); return nil }
func (s *echo) Reset() error                     { return s.Close() }

// linked calls f with a link to an echo, in virtual time.
func linked(t *testing.T, after time.Duration, f func(t *testing.T, l *link)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg := ClientConfig{Stall: 20 * time.Second, Idle: time.Hour, Failed: func(dhash.ID, error) {},
			Grant: func(o dhash.Owner) []byte { return o[:] }}
		c := &Client{cfg: cfg.withDefaults()}
		r := &remote{client: c, window: newBudget(1), all: make(map[*link]struct{})}
		l := r.start(&echo{after: after, answers: make(chan []byte, 1000), ended: make(chan struct{})}, false)
		f(t, l)
		l.fail(errIdle)
		c.work.Wait()
	})
}

// TestWatchOfRest makes requests, after a long rest, at the very moment in which the watch looks at the link: the member owes
// no sign of life for the time of the rest.
func TestWatchOfRest(t *testing.T) {
	linked(t, 0, func(t *testing.T, l *link) {
		for round := range 2000 {
			time.Sleep(40 * time.Second) // of the bubble: twice as long as a member that owes something may be silent
			var all sync.WaitGroup
			for range 8 {
				all.Go(l.check)
				all.Go(func() {
					if _, err := l.roundTrip(t.Context(), kPing, nil, nil); err != nil {
						t.Errorf("round %d: %v", round, err)
					}
				})
			}
			all.Wait()
			if t.Failed() {
				break
			}
		}
	})
}

// TestWatchOfTime: when the clock was set, or this program stood still, members are asked before they are given up.
func TestWatchOfTime(t *testing.T) {
	linked(t, time.Second, func(t *testing.T, l *link) {
		for range 3 {
			done := make(chan error)
			go func() {
				_, err := l.roundTrip(t.Context(), kPing, nil, nil)
				done <- err
			}()
			synctest.Wait()
			l.moved.Store(time.Now().Add(-time.Hour).UnixNano())
			l.check()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestWatchGivesUp: a member that stays silent is given up soon after the time for that is over.
func TestWatchGivesUp(t *testing.T) {
	linked(t, 365*24*time.Hour, func(t *testing.T, l *link) {
		time.Sleep(33 * time.Second) // of the bubble: the watch looks at 30 and at 35
		begun := time.Now()
		_, err := l.roundTrip(t.Context(), kPing, nil, nil)
		if took := time.Since(begun); !errors.Is(err, errStalled) || took < 20*time.Second || took > 30*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// TestShowCancelled: that the first of those who need a grant shown gives up is not the others' failure.
func TestShowCancelled(t *testing.T) {
	linked(t, time.Second, func(t *testing.T, l *link) {
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if err := l.show(ctx, dhash.Owner{1}); !errors.Is(err, context.Canceled) {
				t.Errorf("the first: %v", err)
			}
		})
		synctest.Wait()
		for range 3 {
			all.Go(func() {
				if err := l.show(t.Context(), dhash.Owner{1}); err != nil {
					t.Errorf("another: %v", err)
				}
			})
		}
		synctest.Wait()
		cancel()
		all.Wait()
	})
}

func TestLatency(t *testing.T) {
	var l latency
	now := time.Unix(1e9, 0)
	check := func(ewma, p95 time.Duration) {
		t.Helper()
		if e, p := l.estimate(now); e != ewma || p != p95 {
			t.Errorf("%v and %v, want %v and %v", e, p, ewma, p95)
		}
	}
	check(0, 0)
	l.add(now, 8*time.Millisecond, 100)
	check(8*time.Millisecond, 8*time.Millisecond)
	l.add(now, 16*time.Millisecond, nominal)
	check(9*time.Millisecond, 16*time.Millisecond)
	l.add(now, 32*17*time.Millisecond, 32*nominal) // as 17 ms
	check(10*time.Millisecond, 17*time.Millisecond)
	for i := range latencyKept {
		l.add(now, time.Duration(i+1)*time.Millisecond, 0)
	}
	if _, p := l.estimate(now); p != 61*time.Millisecond {
		t.Errorf("95th percentile of 1 to 64 ms: %v", p)
	}
	now = now.Add(latencyAge + time.Second)
	check(0, 0)
	l.add(now, time.Second, 0)
	check(time.Second, time.Second)
}

// TestPool takes buffers of all sizes around the limits of the classes.
func TestPool(t *testing.T) {
	var p pool
	_, longest, _ := kPut.body()
	for _, n := range []int{1, around, around + 1, 4096, 4096 + around, 4097 + around, 128<<10 + 300, longest} {
		b := p.take(n)
		if len(*b) != n || class(cap(*b)) != class(n) {
			t.Errorf("a buffer of %d and %d bytes for %d", len(*b), cap(*b), n)
		}
		p.give(b)
	}
	if b := p.take(128<<10 + 300); cap(*b) > 130<<10 {
		t.Errorf("%d bytes for a fragment of 128 KiB", cap(*b))
	}
}
