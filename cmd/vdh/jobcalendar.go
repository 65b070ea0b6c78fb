package main

import (
	"errors"
	"hash/fnv"
	"slices"
	"strings"
	"time"
)

// A calendar says at which times of which days of the week a job is to run, by the clock of this machine. Each time comes
// once a day, also on days on which the clocks are set.
type calendar struct {
	hourly bool    // on the hour, each hour; then the rest is empty
	days   [7]bool // by time.Weekday
	times  []clock // sorted, each once
}

// A clock is a time of day in minutes.
type clock int

// weekdays are the names of days as they are written, the week beginning on Monday.
var weekdays = [...]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// weekday returns the day that weekdays has at a place.
func weekday(place int) time.Weekday { return time.Weekday((place + 1) % 7) }

var errCalendar = errors.New("want a time of day like 02:00, several with commas between, with days before them if it is " +
	"not every day, like mon-fri 12:00,18:00 or sun 03:00; or hourly")

// parseCalendar reads a calendar, for instance "02:00", "mon-fri 12:00,18:00", "sat,sun 03:00" or "hourly".
func parseCalendar(text string) (c calendar, err error) {
	if text == "hourly" {
		return calendar{hourly: true}, nil
	}
	days, times, ok := strings.Cut(text, " ")
	if !ok {
		days, times = "mon-sun", text
	}
	for _, part := range strings.Split(days, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, to := slices.Index(weekdays[:], first), slices.Index(weekdays[:], last)
		if from < 0 || to < from {
			return calendar{}, errCalendar
		}
		for i := from; i <= to; i++ {
			c.days[weekday(i)] = true
		}
	}
	for _, part := range strings.Split(times, ",") {
		t, err := parseClock(part)
		if err != nil {
			return calendar{}, errCalendar
		}
		c.times = append(c.times, t)
	}
	slices.Sort(c.times)
	c.times = slices.Compact(c.times)
	return c, nil
}

// parseClock reads a time of day.
func parseClock(text string) (clock, error) {
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, errors.New("want a time of day, like 06:30")
	}
	return clock(t.Hour()*60 + t.Minute()), nil
}

// on returns the moment of a time of day on the day of t. Where the clocks skip it, it is an hour off.
func (c clock) on(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), int(c)/60, int(c)%60, 0, 0, t.Location())
}

// after returns the first moment of a time of day after t.
func (c clock) after(t time.Time) time.Time {
	for day := -1; ; day++ {
		if at := c.on(noon(t, day)); at.After(t) {
			return at
		}
	}
}

// noon returns noon of a day before or after t: a day has a noon whatever is done to its clocks.
func noon(t time.Time, days int) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day()+days, 12, 0, 0, 0, t.Location())
}

// last returns the last time of the calendar that is not after now.
func (c calendar) last(now time.Time) time.Time {
	if c.hourly {
		_, m, s := now.Clock()
		return now.Add(-time.Duration(m)*time.Minute - time.Duration(s)*time.Second - time.Duration(now.Nanosecond()))
	}
	var found time.Time
	for day := 1; found.IsZero(); day-- {
		on := noon(now, day)
		for _, t := range c.times {
			if at := t.on(on); c.days[on.Weekday()] && !at.After(now) && at.After(found) {
				found = at
			}
		}
	}
	return found
}

// next returns the first time of the calendar after now.
func (c calendar) next(now time.Time) time.Time {
	if c.hourly {
		return c.last(now).Add(time.Hour)
	}
	var found time.Time
	for day := -1; found.IsZero(); day++ {
		on := noon(now, day)
		for _, t := range c.times {
			if at := t.on(on); c.days[on.Weekday()] && at.After(now) && (found.IsZero() || at.Before(found)) {
				found = at
			}
		}
	}
	return found
}

// gap returns the longest time between two times of the calendar, of those of the two weeks after now.
func (c calendar) gap(now time.Time) (longest time.Duration) {
	for at, end := c.next(now), now.AddDate(0, 0, 15); at.Before(end); {
		next := c.next(at)
		longest, at = max(longest, next.Sub(at)), next
	}
	return longest
}

// wrongClock is how far in the future the last start of a job may lie: farther, the clock was wrong then.
const wrongClock = time.Hour

// due reports whether a job is to run now that last began at a time, the zero time if it never did. A time of the
// calendar that was missed, since the machine slept or was off, is made up for, but only the last one. delay is how much
// later than the calendar says the job runs.
func (c calendar) due(now, began time.Time, delay time.Duration) bool {
	if began.After(now.Add(wrongClock)) {
		return true
	}
	return c.last(now.Add(-delay)).After(began)
}

// delayOf returns a delay of less than most that is the same each night for a job on a machine, and differs between
// them, so that not all begin at once.
func delayOf(host, name string, most time.Duration) time.Duration {
	if most < time.Minute {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(host + "\x00" + name))
	return time.Duration(h.Sum64()%uint64(most/time.Minute)) * time.Minute
}
