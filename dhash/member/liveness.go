package member

import (
	"fmt"
	"time"
)

// Liveness is what this node has observed of a member.
type Liveness byte

// The states of a member as observed. Placement counts on all but those that are gone.
const (
	Alive   Liveness = iota
	Suspect          // one failure, or nothing heard for long, or not yet contacted
	Away             // said goodbye: absent at once, and expected back
	Dead             // has failed for Thresholds.DeadAfter: do not wait for it
	Gone             // has not signed a record for Thresholds.Grace: what it held counts as lost
)

// String returns the state's name.
func (l Liveness) String() string {
	switch l {
	case Alive:
		return "alive"
	case Suspect:
		return "suspect"
	case Away:
		return "away"
	case Dead:
		return "dead"
	case Gone:
		return "gone"
	}
	return fmt.Sprintf("liveness %d", byte(l))
}

// Thresholds say when silence means what. Zero values stand for the defaults.
type Thresholds struct {
	// PingInterval is how often a member that is not heard otherwise is pinged. Default 10 s. In a swarm of more than 40
	// it grows so that a node sends no more than 4 pings a second.
	PingInterval time.Duration

	// SilentAfter is when a member that did not fail, but was not heard either, is suspect. Default 10 min.
	SilentAfter time.Duration

	// DeadAfter is how long a member fails before it is dead. Default 30 s.
	DeadAfter time.Duration

	// RetryMax bounds the time between two attempts to reach a member that fails, in a swarm where no more than 120 fail
	// at once. Default 1 min. While nobody can be reached it is a quarter of that.
	RetryMax time.Duration

	// Grace is the age of a member's record at which the member is gone. Default 24 h; records are signed anew every
	// hour (Config.Refresh). It is a matter of the record, not of what a node happened to observe, so that nodes with
	// the same records agree.
	Grace time.Duration

	// Forget is the age at which a record is dropped. Default 30 days.
	Forget time.Duration
}

func (t Thresholds) withDefaults() Thresholds {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&t.PingInterval, 10*time.Second)
	set(&t.SilentAfter, 10*time.Minute)
	set(&t.DeadAfter, 30*time.Second)
	set(&t.RetryMax, time.Minute)
	set(&t.Grace, 24*time.Hour)
	set(&t.Forget, max(30*24*time.Hour, t.Grace))
	return t
}

// under returns the thresholds in a swarm whose manifest is m, which may be nil: its grace period holds where t has none. If
// that is short, as tests have it, the others are as much shorter as they have to be.
func (t Thresholds) under(m *Manifest) Thresholds {
	if t.Grace == 0 && m != nil {
		t.Grace = m.Grace
		if 0 < t.Grace && t.Grace < 2*time.Minute {
			t.DeadAfter, t.PingInterval, t.RetryMax = t.Grace/4, t.Grace/12, t.Grace/12
		}
	}
	return t.withDefaults()
}

// Validate returns an error that names the field and the rule, if there is one to name.
func (t Thresholds) Validate() error {
	d := t.withDefaults()
	for _, f := range []struct {
		name string
		v    time.Duration
		min  time.Duration
	}{
		{"PingInterval", d.PingInterval, 10 * time.Millisecond}, {"SilentAfter", d.SilentAfter, d.PingInterval},
		{"DeadAfter", d.DeadAfter, 10 * time.Millisecond}, {"RetryMax", d.RetryMax, 10 * time.Millisecond},
		{"Grace", d.Grace, d.DeadAfter}, {"Forget", d.Forget, d.Grace},
	} {
		if f.v < f.min {
			return fmt.Errorf("member: %s is %v, below %v", f.name, f.v, f.min)
		}
	}
	return nil
}

const (
	pingRate  = 4 // pings a second that a node sends at most, when all goes well
	retryRate = 2 // attempts a second to reach members that fail
)

// An observation is what this node saw of a member. The zero value is that of one never contacted. Its methods are pure.
type observation struct {
	seen    time.Time     // last heard
	failing time.Time     // since when every attempt failed; zero if the last one did not
	away    bool          // said goodbye, not heard since
	next    time.Time     // when to contact it
	retry   time.Duration // the last time between two attempts, while failing
	trying  bool          // an attempt is under way
}

func (o *observation) heard(now time.Time, interval time.Duration) {
	*o = observation{seen: now, next: now.Add(interval)}
}

// failed notes a failed attempt. The next one is at once after the first, and then ever later, up to limit.
func (o *observation) failed(now time.Time, limit time.Duration) {
	trying := o.trying
	o.trying = false
	if o.failing.IsZero() {
		o.failing, o.next, o.retry = now, now, 0
		return
	}
	if !trying && now.Before(o.next) {
		return // several requests failed of one cause
	}
	o.retry = min(max(2*o.retry, time.Second), limit)
	o.next = now.Add(o.retry)
}

func (o *observation) left(now time.Time, limit time.Duration) {
	o.away, o.failing, o.retry = true, now, limit/4
	o.next = now.Add(o.retry)
}

// liveness judges the observation of a member whose newest record was signed at the time recorded.
func (o *observation) liveness(now, recorded time.Time, t Thresholds) Liveness {
	switch {
	case now.Sub(recorded) >= t.Grace:
		return Gone
	case o.away:
		return Away
	case !o.failing.IsZero() && now.Sub(o.failing) >= t.DeadAfter:
		return Dead
	case !o.failing.IsZero() || now.Sub(o.seen) >= t.SilentAfter:
		return Suspect
	}
	return Alive
}
