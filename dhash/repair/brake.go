package repair

import "time"

// A budget is a token bucket that may go into debt: whoever finds it above zero may spend what it takes, and the next
// one waits until that is paid. So a block of any size passes at any rate, and the average is kept.
type budget struct {
	rate  float64 // bytes a second
	level float64 // bytes that may be spent
	at    time.Time
	busy  func() bool // credits come slower; may be nil
}

// While the node serves people its repairs have one part in busyShare of their rate.
const busyShare = 4

// maxDebt is the longest time that what was urgent keeps all else waiting.
const maxDebt = time.Hour

func newBudget(rate int64, now time.Time, busy func() bool) budget {
	return budget{rate: float64(rate), level: float64(rate), at: now, busy: busy}
}

// fill credits the time that has passed; more than a second's worth is not saved up.
func (b *budget) fill(now time.Time) {
	if d := now.Sub(b.at); d > 0 {
		credit := d.Seconds() * b.rate
		if b.busy != nil && b.busy() {
			credit /= busyShare
		}
		b.level = min(b.level+credit, b.rate)
	}
	b.at = now
}

// wait returns how long it is until something may be spent.
func (b *budget) wait(now time.Time) time.Duration {
	b.fill(now)
	if b.level > 0 {
		return 0
	}
	return time.Duration(-b.level/b.rate*float64(time.Second)) + time.Millisecond
}

// spend takes n bytes, allowed or not.
func (b *budget) spend(n int64, now time.Time) {
	b.fill(now)
	b.level = max(b.level-float64(n), -b.rate*maxDebt.Seconds())
}

// A brake tells the loss of members from the loss of this node's own connection: when more than 30 % of those that were
// alive within the last hour have vanished, the node takes itself for cut off, until nine tenths are back
// or the grace period has passed. In its first minutes a node hears of the members one by one, and may be cut off from
// half of them before it has met them: until then all that are known count as having been alive.
type brake struct {
	first time.Time // of all checks
	seen  []sample  // of the last hour, at most one a minute
	on    bool
	since time.Time // when it was put on
	high  int       // how many were alive before
}

type sample struct {
	at    time.Time
	alive int
}

// acquaint is how long a node takes to meet the members that it hears of.
const acquaint = 10 * time.Minute

// vanished reports whether alive is less than 70 % of before.
func vanished(alive, before int) bool { return 10*alive < 7*before }

// check takes what the roster says now and reports whether the brake is on. Members that are gone are not known any
// more, and nobody waits for them; for nobody longer than the grace period.
func (b *brake) check(now time.Time, grace time.Duration, alive, known int) bool {
	if b.on {
		if 10*alive < 9*min(b.high, known) && now.Sub(b.since) < grace {
			return true
		}
		b.on, b.seen = false, []sample{{now, alive}}
		return false
	}
	if b.first.IsZero() {
		b.first = now
	}
	met := alive
	if now.Sub(b.first) < acquaint {
		met = known
	}
	for len(b.seen) > 0 && now.Sub(b.seen[0].at) > time.Hour {
		b.seen = b.seen[1:]
	}
	if n := len(b.seen); n == 0 || now.Sub(b.seen[n-1].at) >= time.Minute {
		b.seen = append(b.seen, sample{now, met})
	} else {
		b.seen[n-1].alive = max(b.seen[n-1].alive, met)
	}
	b.high = 0
	for _, s := range b.seen {
		b.high = max(b.high, s.alive)
	}
	if vanished(alive, min(b.high, known)) {
		b.on, b.since = true, now
	}
	return b.on
}
