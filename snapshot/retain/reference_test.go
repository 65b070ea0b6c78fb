package retain_test

import (
	"slices"
	"strings"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/retain"
)

// kept says by definition whether a policy keeps s: it asks about one snapshot at a time, counts the slots that come
// before its own, and writes slots as text. It is slow and shares nothing with Plan.
func kept(now time.Time, list []snapshot.Snapshot, s snapshot.Snapshot, p retain.Policy) bool {
	if s.Time.IsZero() || s.Share || s.Time.After(now) {
		return true
	}
	zone := p.Zone
	if zone == nil {
		zone = time.UTC
	}
	var group []snapshot.Snapshot // what the rules count of the group of s
	for _, o := range list {
		if id(o) == id(s) && !o.Time.IsZero() && !o.Share && !o.Time.After(now) {
			group = append(group, o)
		}
	}
	newest := slices.MaxFunc(group, snapshot.Compare)
	oldest := slices.MinFunc(group, snapshot.Compare)
	if s.Score == newest.Score {
		return true
	}
	if s.Incomplete == 0 && !slices.ContainsFunc(group, func(o snapshot.Snapshot) bool {
		return o.Incomplete == 0 && snapshot.Compare(o, s) > 0
	}) {
		return true
	}
	if w := p.Within; w != (retain.Span{}) {
		days := w.Days + 7*w.Weeks
		since := newest.Time.In(zone).AddDate(-w.Years, -w.Months, -days).Add(-time.Hour * time.Duration(w.Hours))
		if s.Time.Sub(since) > 0 {
			return true
		}
	}
	for _, t := range s.Tags {
		if slices.Contains(p.Tags, t) {
			return true
		}
	}
	for _, r := range []struct {
		count int
		slot  func(snapshot.Snapshot) string
	}{
		{p.Last, func(s snapshot.Snapshot) string { return s.Score.String() }},
		{p.Hourly, func(s snapshot.Snapshot) string { return s.Time.In(zone).Format("2006-01-02T15-0700") }},
		{p.Daily, func(s snapshot.Snapshot) string { return s.Time.In(zone).Format(time.DateOnly) }},
		{p.Weekly, func(s snapshot.Snapshot) string { return thursday(s.Time.In(zone)) }},
		{p.Monthly, func(s snapshot.Snapshot) string { return s.Time.In(zone).Format("2006-01") }},
		{p.Yearly, func(s snapshot.Snapshot) string { return s.Time.In(zone).Format("2006") }},
	} {
		newer := map[string]bool{} // slots with something that is newer than s
		for _, o := range group {
			if snapshot.Compare(o, s) > 0 {
				newer[r.slot(o)] = true
			}
		}
		first := !newer[r.slot(s)]
		room := r.count == retain.All || len(newer) < r.count
		if r.count != 0 && room && (first || s.Score == oldest.Score) {
			return true
		}
	}
	return false
}

// thursday names a week by its Thursday, as ISO 8601 means it.
func thursday(t time.Time) string {
	day := time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, time.UTC)
	for day.Weekday() != time.Monday {
		day = day.AddDate(0, 0, -1)
	}
	return day.AddDate(0, 0, 3).Format(time.DateOnly)
}

// id names the group of a snapshot.
func id(s snapshot.Snapshot) string {
	return s.Host + "\x00" + strings.Join(slices.Sorted(slices.Values(s.Paths)), "\x00")
}
