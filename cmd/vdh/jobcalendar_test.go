package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // where the machine has no time zones
)

func mustCalendar(t *testing.T, text string) calendar {
	t.Helper()
	c, err := parseCalendar(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return c
}

func mustZone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestCalendarText(t *testing.T) {
	for _, text := range []string{"02:00", "mon 02:00", "mon-fri 12:00,18:00", "sat,sun 03:00", "hourly", "mon-tue,thu 23:59"} {
		mustCalendar(t, text)
	}
	for _, text := range []string{"", "2:00", "24:00", "02:60", "02:00 mon", "Mon 02:00", "fri-mon 02:00", "mon  02:00", "02:00,", "daily", "mon,", "02:00:00"} {
		if c, err := parseCalendar(text); err == nil {
			t.Errorf("%q is taken as %+v", text, c)
		}
	}
}

func TestCalendar(t *testing.T) {
	bern := mustZone(t, "Europe/Zurich")
	for _, c := range []struct{ calendar, now, last, next string }{
		{"02:00", "2026-11-21T13:00:00+01:00", "2026-11-21T02:00:00+01:00", "2026-11-22T02:00:00+01:00"},
		{"02:00", "2026-11-21T02:00:00+01:00", "2026-11-21T02:00:00+01:00", "2026-11-22T02:00:00+01:00"},
		{"02:00", "2026-11-21T01:59:59+01:00", "2026-11-20T02:00:00+01:00", "2026-11-21T02:00:00+01:00"},
		{"mon-fri 12:00,18:00", "2026-11-21T13:00:00+01:00", "2026-11-20T18:00:00+01:00", "2026-11-23T12:00:00+01:00"},
		{"sun 03:00", "2026-11-21T13:00:00+01:00", "2026-11-15T03:00:00+01:00", "2026-11-22T03:00:00+01:00"},
		{"hourly", "2026-11-21T13:20:30+01:00", "2026-11-21T13:00:00+01:00", "2026-11-21T14:00:00+01:00"},
		// The hour from two to three is skipped, and comes twice.
		{"04:00", "2026-03-29T10:00:00+02:00", "2026-03-29T04:00:00+02:00", "2026-03-30T04:00:00+02:00"},
		{"04:00", "2026-10-25T10:00:00+01:00", "2026-10-25T04:00:00+01:00", "2026-10-26T04:00:00+01:00"},
		{"hourly", "2026-10-25T02:20:00+01:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		cal := mustCalendar(t, c.calendar)
		last, next := cal.last(now.In(bern)).Format(time.RFC3339), cal.next(now.In(bern)).Format(time.RFC3339)
		if last != c.last || next != c.next {
			t.Errorf("%q at %s: %s and %s, not %s and %s", c.calendar, c.now, last, next, c.last, c.next)
		}
	}
}

// TestCalendarDays holds that each time comes once on each of its days, in zones and years in which clocks are set by odd
// amounts, and that last and next agree.
func TestCalendarDays(t *testing.T) {
	zones := []*time.Location{time.UTC, mustZone(t, "Europe/Zurich"), mustZone(t, "Australia/Lord_Howe"), mustZone(t, "America/St_Johns"),
		mustZone(t, "America/Sao_Paulo")}
	cal := mustCalendar(t, "mon-wed,sun 00:00,00:30,02:30,23:59")
	for _, zone := range zones {
		seen := map[string]int{}
		at := time.Date(2010, 1, 1, 0, 0, 0, 0, zone)
		for at.Year() < 2012 {
			next := cal.next(at)
			if !next.After(at) || !cal.last(next).Equal(next) || !cal.last(next.Add(-time.Second)).Equal(cal.last(at)) {
				t.Fatalf("%v: at %v next is %v, last then %v", zone, at, next, cal.last(next))
			}
			seen[next.Format(time.DateOnly)]++
			at = next
		}
		total := 0
		for day := time.Date(2010, 1, 2, 12, 0, 0, 0, zone); day.Year() < 2012; day = day.AddDate(0, 0, 1) {
			want := 0
			if slices.Contains([]time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Sunday}, day.Weekday()) {
				want = 4
			}
			total += want - seen[day.Format(time.DateOnly)]
			// Where the clocks skip midnight, a time that is skipped is on the day before.
			if got := seen[day.Format(time.DateOnly)]; got != want && !strings.HasPrefix(zone.String(), "America") {
				t.Errorf("%v: %d times on %s, not %d", zone, got, day.Format("Mon 2006-01-02"), want)
			}
		}
		if total != 0 {
			t.Errorf("%v: %d times are missing", zone, total)
		}
	}
}

func TestDue(t *testing.T) {
	cal := mustCalendar(t, "02:00")
	night := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, time.UTC) }
	for _, c := range []struct {
		name       string
		now, began time.Time
		delay      time.Duration
		want       bool
	}{
		{"never", night(10, 12, 0), time.Time{}, 0, true},
		{"its time", night(10, 2, 0), night(9, 2, 0), 0, true},
		{"a minute before", night(10, 1, 59), night(9, 2, 0), 0, false},
		{"ran", night(10, 2, 1), night(10, 2, 0), 0, false},
		{"slept through it", night(10, 9, 0), night(9, 2, 5), 0, true},
		{"slept for days", night(20, 9, 0), night(9, 2, 5), 0, true},
		{"and then it ran, late", night(20, 9, 1), night(20, 9, 0), 0, false},
		{"by hand in the evening before", night(10, 2, 0), night(9, 20, 0), 0, true},
		{"delayed", night(10, 2, 29), night(9, 2, 30), 30 * time.Minute, false},
		{"after the delay", night(10, 2, 30), night(9, 2, 30), 30 * time.Minute, true},
		{"the clock was set back a little", night(10, 1, 59), night(10, 2, 0), 0, false},
		{"the clock was set back by a year", night(10, 12, 0), night(10, 2, 0).AddDate(1, 0, 0), 0, true},
		{"the clock was lost", time.Unix(100_000, 0).UTC(), night(10, 2, 0), 0, true},
	} {
		if got := cal.due(c.now, c.began, c.delay); got != c.want {
			t.Errorf("%s: due is %v", c.name, got)
		}
	}
}

// TestDueOnce holds that whoever asks often runs a job once for each time of the calendar, or once after it was away.
func TestDueOnce(t *testing.T) {
	zone := mustZone(t, "Europe/Zurich")
	cal := mustCalendar(t, "02:30,14:00")
	r := rand.New(rand.NewPCG(5, 5))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, zone)
	began := now
	for range 20000 {
		step := time.Duration(r.Int64N(int64(20 * time.Minute)))
		if r.IntN(500) == 0 {
			step = time.Duration(r.Int64N(int64(100 * time.Hour))) // it slept
		}
		missed := cal.next(now)
		now = now.Add(step)
		if due := cal.due(now, began, 0); due != !missed.After(now) {
			t.Fatalf("at %v, which has %v before it: due is %v", now, missed, due)
		} else if due {
			began = now
		}
	}
}

func TestDelay(t *testing.T) {
	seen := map[time.Duration]bool{}
	for i := range 100 {
		d := delayOf(fmt.Sprint("host", i), "srv", 30*time.Minute)
		if d < 0 || d >= 30*time.Minute || d != delayOf(fmt.Sprint("host", i), "srv", 30*time.Minute) {
			t.Errorf("delay of %v", d)
		}
		seen[d] = true
	}
	if len(seen) < 15 {
		t.Errorf("only %d delays", len(seen))
	}
	if d := delayOf("host", "srv", 0); d != 0 {
		t.Errorf("a delay of %v of none", d)
	}
}

func TestClockAfter(t *testing.T) {
	zone := mustZone(t, "Europe/Zurich")
	at := time.Date(2026, 3, 28, 2, 0, 0, 0, zone)
	if end := clock(6 * 60).after(at); end.Sub(at) != 4*time.Hour {
		t.Errorf("from two to six is %v", end.Sub(at))
	}
	if end := clock(6 * 60).after(at.AddDate(0, 0, 1).Add(-time.Hour)); end.Format(time.RFC3339) != "2026-03-29T06:00:00+02:00" {
		t.Errorf("the end is %v", end)
	}
	if end := clock(120).after(at); end.Sub(at) <= 0 {
		t.Errorf("the end is %v", end)
	}
}
