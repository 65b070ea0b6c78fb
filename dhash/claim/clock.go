package claim

import (
	"errors"
	"fmt"
	"time"

	"github.com/zeebo/blake3"

	"ventidhash/venti"
)

// ErrDamaged says that a lender's own record of owners or of its time is damaged. It begins anew, and gives nothing up
// before it knows enough again.
var ErrDamaged = errors.New("damaged record")

const (
	maxJump  = time.Hour
	maxSpans = 512

	// A lender that was away for no longer than spanGap has not been away: it was restarted.
	spanGap = time.Hour

	// awayLong is for how long a lender has to be away before it has to come to know the swarm again (Limits.StartPause).
	// Shorter times do not count, or a machine that is switched off at night would never give anything up.
	awayLong = day
)

// A Span is a time during which a lender ran.
type Span struct{ From, To time.Time }

// A Clock is what a lender knows about its own time: when it ran, and whether what its clock shows can be believed. The
// zero Clock is that of a new lender. Times are in whole seconds.
type Clock struct {
	Last time.Time // the latest time that was believed
	Up   []Span    // when the lender ran, ascending, the oldest forgotten

	// Of this process:
	started bool
	wall    time.Time     // a reading of the clock
	running time.Duration // and for how long the process had run then
	jumped  bool
	jumpAt  time.Duration
}

// Observe notes what the clock shows and for how long this process has run, by a clock that nobody sets and that goes on
// while the machine sleeps. It is called every few minutes: what lies between two calls, the lender ran, unless that is
// more than an hour.
//
// When the two clocks have come apart by more than an hour, or the time is more than an hour before the last one of the
// process before, the clock has jumped. What it shows is not believed then until it has kept step for as long as
// Limits.StartPause.
func (c *Clock) Observe(now time.Time, running time.Duration, l Limits) {
	now = now.Round(0).UTC().Truncate(time.Second)
	apart := now.Sub(c.wall) - (running - c.running)
	jump := c.started && (apart > maxJump || apart < -maxJump) ||
		!c.started && !c.Last.IsZero() && c.Last.Sub(now) > maxJump
	if jump {
		c.jumped, c.jumpAt = true, running
	}
	if jump || !c.started || running-c.running > day { // so that a clock which is a little fast does not add up
		c.wall, c.running, c.started = now, running, true
	}
	if c.jumped {
		if running-c.jumpAt < l.startPause() {
			return
		}
		c.believe(now)
	}
	c.extend(now)
}

// believe ends the doubts after a jump: the clock is right now, so it was wrong where it was ahead.
func (c *Clock) believe(now time.Time) {
	c.jumped = false
	if !c.Last.After(now) {
		return
	}
	c.Last = now
	for n := len(c.Up); n > 0 && c.Up[n-1].To.After(now); n-- {
		if c.Up[n-1].From.Before(now) {
			c.Up[n-1].To = now
			return
		}
		c.Up = c.Up[:n-1]
	}
}

// extend notes that the lender runs now.
func (c *Clock) extend(now time.Time) {
	if now.After(c.Last) {
		c.Last = now
	}
	n := len(c.Up)
	switch {
	case n > 0 && !now.After(c.Up[n-1].To):
	case n > 0 && now.Sub(c.Up[n-1].To) <= spanGap:
		c.Up[n-1].To = now
	default:
		if n == maxSpans {
			c.Up = append(c.Up[:0], c.Up[1:]...)
		}
		c.Up = append(c.Up, Span{now, now})
	}
}

// Now returns the time that counts when the clock shows now: never one before Last.
func (c *Clock) Now(now time.Time) time.Time {
	now = now.Round(0).UTC().Truncate(time.Second)
	if now.Before(c.Last) {
		return c.Last
	}
	return now
}

// Jumped reports whether the clock is not to be believed.
func (c *Clock) Jumped() bool { return c.jumped }

// Served returns for how long the lender has run since it was last away for more than a day.
func (c *Clock) Served() (d time.Duration) {
	for i := len(c.Up) - 1; i >= 0; i-- {
		d += c.Up[i].To.Sub(c.Up[i].From)
		if i > 0 && c.Up[i].From.Sub(c.Up[i-1].To) > awayLong {
			break
		}
	}
	return d
}

// UpFor returns for how long the lender ran between two times.
func (c *Clock) UpFor(from, to time.Time) (d time.Duration) {
	for _, s := range c.Up {
		a, b := s.From, s.To
		if a.Before(from) {
			a = from
		}
		if b.After(to) {
			b = to
		}
		if b.After(a) {
			d += b.Sub(a)
		}
	}
	return d
}

// Encode returns what a Clock is on the disk: all but what is this process's.
func (c *Clock) Encode() []byte {
	b := venti.AppendSeconds([]byte{version}, c.Last)
	b = venti.AppendUint(b, uint64(len(c.Up)))
	for _, s := range c.Up {
		b = venti.AppendSeconds(b, s.From)
		b = venti.AppendSeconds(b, s.To)
	}
	return seal(b)
}

// ParseClock reads what Encode wrote and nothing else. Errors wrap ErrDamaged.
func ParseClock(b []byte) (*Clock, error) {
	d, err := unseal(b)
	if err != nil {
		return nil, err
	}
	decodeVersion(d)
	c := &Clock{Last: d.Seconds()}
	for n, i := int(d.Uint(maxSpans)), 0; i < n && d.Err() == nil; i++ {
		s := Span{d.Seconds(), d.Seconds()}
		if s.To.Before(s.From) || s.To.After(c.Last) || s.From.IsZero() || i > 0 && !s.From.After(c.Up[i-1].To) {
			d.Fail(errors.New("spans are not in order"))
		}
		c.Up = append(c.Up, s)
	}
	if err := d.Finish(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return c, nil
}

// seal appends a hash of b, by which damage is found.
func seal(b []byte) []byte {
	h := blake3.Sum256(b)
	return append(b, h[:]...)
}

// unseal returns a decoder of what seal was given.
func unseal(b []byte) (*venti.Decoder, error) {
	n := len(b) - 32
	if n < 0 || blake3.Sum256(b[:n]) != [32]byte(b[n:]) {
		return nil, fmt.Errorf("%w: its hash is another", ErrDamaged)
	}
	return venti.NewDecoder(b[:n]), nil
}
