package claim_test

import (
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
)

const day = 24 * time.Hour

// A lenderLife is a lender's clock and process.
type lenderLife struct {
	clock   claim.Clock
	now     time.Time
	running time.Duration
	limits  claim.Limits
}

// run has the lender run for d, observing its clock every ten minutes.
func (l *lenderLife) run(d time.Duration) {
	for ; d > 0; d -= 10 * time.Minute {
		l.clock.Observe(l.now, l.running, l.limits)
		l.now, l.running = l.now.Add(10*time.Minute), l.running+10*time.Minute
	}
	l.clock.Observe(l.now, l.running, l.limits)
}

// restart stops the lender for d.
func (l *lenderLife) restart(t *testing.T, d time.Duration) {
	t.Helper()
	c, err := claim.ParseClock(l.clock.Encode())
	if err != nil {
		t.Fatal(err)
	}
	l.clock = *c
	l.now, l.running = l.now.Add(d), 0
}

// TestClock says when the clock has jumped, and what is believed then.
func TestClock(t *testing.T) {
	for _, jump := range []time.Duration{-2 * time.Hour, 2 * time.Hour, -10 * 365 * day, 10 * 365 * day} {
		l := lenderLife{now: start}
		l.run(100 * day)
		if l.clock.Jumped() || l.clock.Served() != 100*day || !l.clock.Last.Equal(l.now) {
			t.Fatalf("%+v", l.clock)
		}
		was := l.now
		l.now = l.now.Add(jump)
		l.run(10 * time.Minute)
		if !l.clock.Jumped() || l.clock.Last.After(was) {
			t.Errorf("%v: %+v", jump, l.clock)
		}
		if jump < 0 && !l.clock.Now(l.now).Equal(was) {
			t.Errorf("%v: it is %v", jump, l.clock.Now(l.now))
		}
		if jump > 0 { // and back
			l.now = l.now.Add(-jump)
			l.run(23 * time.Hour)
			if !l.clock.Jumped() {
				t.Error("what jumped back is believed")
			}
		}
		l.run(24 * time.Hour)
		if l.clock.Jumped() || !l.clock.Last.Equal(l.now) || !l.clock.Now(l.now).Equal(l.now) {
			t.Errorf("%v, a day later: %v %v", jump, l.clock.Jumped(), l.clock.Last)
		}
		if _, err := claim.ParseClock(l.clock.Encode()); err != nil {
			t.Error(err)
		}
	}
	l := lenderLife{now: start} // a clock that is set a little, often
	for range 300 {
		l.run(12 * time.Hour)
		l.now = l.now.Add(20 * time.Second)
		if l.clock.Jumped() {
			t.Fatal("a clock that is a little slow jumped")
		}
	}
	l.restart(t, -2*time.Hour)
	l.run(10 * time.Minute)
	if !l.clock.Jumped() {
		t.Error("a clock that went back while the lender was off did not jump")
	}
	l.restart(t, 10*time.Minute)
	l.run(10 * time.Minute)
	if !l.clock.Jumped() {
		t.Error("it is believed after a restart")
	}
	l.restart(t, 2*time.Hour)
	l.run(10 * time.Minute)
	if l.clock.Jumped() {
		t.Error("it is right again and not believed")
	}
}

// TestServed says for how long a lender has been back.
func TestServed(t *testing.T) {
	l := lenderLife{now: start}
	if l.clock.Served() != 0 {
		t.Error(l.clock.Served())
	}
	l.run(23 * time.Hour)
	l.restart(t, 30*time.Minute) // an upgrade
	l.run(30 * time.Minute)
	if d := l.clock.Served(); d != 24*time.Hour {
		t.Error(d)
	}
	for range 5 { // switched off at night
		l.restart(t, 16*time.Hour)
		l.run(8 * time.Hour)
	}
	if d := l.clock.Served(); d != 64*time.Hour {
		t.Error(d)
	}
	if d := l.clock.UpFor(l.now.Add(-48*time.Hour), l.now); d != 16*time.Hour {
		t.Error(d)
	}
	l.restart(t, 25*time.Hour)
	l.run(time.Hour)
	if d := l.clock.Served(); d != time.Hour {
		t.Error(d)
	}
	for range 600 {
		l.restart(t, 2*time.Hour)
		l.run(10 * time.Minute)
	}
	if len(l.clock.Up) != 512 {
		t.Errorf("%d spans", len(l.clock.Up))
	}
	if _, err := claim.ParseClock(l.clock.Encode()); err != nil {
		t.Error(err)
	}
}

// TestLapse follows an owner who falls silent.
func TestLapse(t *testing.T) {
	for _, c := range []struct {
		name string
		on   int // of ten days
		want map[int]claim.State
	}{
		{"always on", 10, map[int]claim.State{179: claim.Active, 182: claim.Lapsed, 268: claim.Lapsed, 280: claim.Orphaned, 3000: claim.Orphaned}},
		{"mostly on", 6, map[int]claim.State{179: claim.Active, 190: claim.Lapsed, 260: claim.Lapsed, 300: claim.Orphaned}},
		{"mostly off", 4, map[int]claim.State{190: claim.Active, 300: claim.Active, 1000: claim.Active}},
	} {
		l := lenderLife{now: start}
		b := claim.NewBook(dhash.Owner{1}, start)
		state := claim.Active
		for d := 0; d <= 1000; d++ {
			if d%10 < c.on {
				l.run(day)
				b, state = b.Watch(&l.clock, l.now, l.limits)
			} else {
				l.restart(t, day)
			}
			if want, ok := c.want[d]; ok && state != want {
				t.Errorf("%s, day %d: %v, want %v", c.name, d, state, want)
			}
		}
		if state == claim.Orphaned { // and comes back
			b.Since = l.now
			if b, state = b.Watch(&l.clock, l.now, l.limits); state != claim.Active || !b.Lapsed.IsZero() {
				t.Errorf("%s, after a heartbeat: %v", c.name, state)
			}
		}
	}
}

// TestAway has the lender away while the owner's term ends, and in the grace period.
func TestAway(t *testing.T) {
	l := lenderLife{now: start}
	l.run(10 * day)
	b := claim.NewBook(dhash.Owner{1}, l.now)
	l.restart(t, 400*day)
	l.run(day)
	b, state := b.Watch(&l.clock, l.now, l.limits)
	if state != claim.Active || !b.Since.Equal(l.now) {
		t.Errorf("after the lender was away: %v, %+v", state, b)
	}
	for range 181 {
		l.run(day)
		b, state = b.Watch(&l.clock, l.now, l.limits)
	}
	if state != claim.Lapsed {
		t.Errorf("a term later: %v", state)
	}
	l.restart(t, 100*day)
	l.run(day)
	if b, state = b.Watch(&l.clock, l.now, l.limits); state != claim.Lapsed {
		t.Errorf("away in the grace period: %v", state)
	}
	for range 46 {
		l.run(day)
		b, state = b.Watch(&l.clock, l.now, l.limits)
	}
	if state != claim.Orphaned {
		t.Errorf("after the grace period: %v", state)
	}
	// A clock that leaps ahead makes nobody lapse.
	b = claim.NewBook(dhash.Owner{1}, l.now)
	l.now = l.now.Add(1000 * day)
	l.run(time.Hour)
	if b, state = b.Watch(&l.clock, l.now, l.limits); state != claim.Active || !b.Lapsed.IsZero() {
		t.Errorf("after the clock jumped: %v", state)
	}
}
