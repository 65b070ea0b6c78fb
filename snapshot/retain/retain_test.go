package retain_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // where the machine has no time zones

	"ventidhash/snapshot"
	"ventidhash/snapshot/retain"
	"ventidhash/venti"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// at returns a snapshot of a time. Its score is of the time and of what makes it different.
func at(t time.Time, different ...string) snapshot.Snapshot {
	return snapshot.Snapshot{Score: venti.Sum([]byte(fmt.Sprint(t.UnixNano(), different))), Time: t.UTC(), Host: "h", Paths: []string{"/srv"}}
}

func parse(t *testing.T, text string, zone *time.Location) time.Time {
	t.Helper()
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at
		}
	}
	t.Fatal(text)
	return time.Time{}
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestPlan(t *testing.T) {
	bern, john := zone(t, "Europe/Zurich"), zone(t, "America/St_Johns")
	for _, c := range []struct {
		name   string
		policy retain.Policy
		list   string // times, the newest first; + is kept, - is not
		why    string // the reasons of the last that is kept
	}{
		{"last", retain.Policy{Last: 2}, "+2026-03-03 10:00 +2026-03-02 10:00 -2026-03-01 10:00", "last"},
		{"the newest of each day", retain.Policy{Daily: 2},
			"+2026-03-03 10:00 -2026-03-03 09:00 +2026-03-02 23:59 -2026-03-02 00:00 -2026-03-01 10:00", "daily"},
		{"days without a snapshot do not count", retain.Policy{Daily: 2}, "+2026-03-03 10:00 +2026-01-01 10:00 -2025-01-01 10:00", "daily"},
		{"too few days: the oldest as well", retain.Policy{Daily: 3},
			"+2026-03-03 10:00 -2026-03-03 09:00 +2026-03-03 08:00", "oldest daily"},
		{"days enough: not the oldest", retain.Policy{Daily: 1}, "+2026-03-03 10:00 -2026-03-03 09:00 -2026-03-03 08:00", "newest; daily"},
		{"days are of the zone", retain.Policy{Daily: 9, Zone: bern},
			"+2026-03-03 00:10 +2026-03-02 23:50 -2026-03-02 00:10 +2026-03-01 23:59", "daily"},
		{"ISO weeks cross the year", retain.Policy{Weekly: 2},
			"+2027-01-03 10:00 -2026-12-31 10:00 -2026-12-28 10:00 +2026-12-27 10:00 -2026-12-21 10:00 -2026-12-20 10:00", "weekly"},
		{"months and years", retain.Policy{Monthly: 2, Yearly: 2},
			"+2026-03-03 10:00 -2026-03-01 10:00 +2026-02-03 10:00 -2026-01-03 10:00 +2025-12-31 10:00 -2024-12-31 10:00", "yearly"},
		{"all", retain.Policy{Yearly: retain.All}, "+2026-03-03 10:00 +2025-03-01 10:00 +2024-02-03 10:00 +2024-01-03 10:00", "oldest yearly"},
		{"within is before the newest, not now", retain.Policy{Within: retain.Span{Days: 7}},
			"+2019-03-08 10:00 +2019-03-01 10:01 -2019-03-01 10:00", "within 7d"},
		{"a month is as long as it is", retain.Policy{Within: retain.Span{Months: 1}},
			"+2026-03-15 10:00 +2026-02-15 10:01 -2026-02-15 10:00", "within 1m"},
		{"a day across the change of clocks", retain.Policy{Within: retain.Span{Days: 1}, Zone: bern},
			"+2026-03-29 12:00 +2026-03-28 12:01 -2026-03-28 12:00", "within 1d"},
		{"an hour that comes twice is two", retain.Policy{Hourly: 4, Zone: bern},
			"+2026-10-25T03:10:00+01:00 +2026-10-25T02:50:00+01:00 -2026-10-25T02:10:00+01:00 +2026-10-25T02:50:00+02:00 " +
				"-2026-10-25T02:10:00+02:00 +2026-10-25T01:10:00+02:00 -2026-10-25T00:10:00+02:00", "hourly"},
		{"a day that begins twice is one", retain.Policy{Daily: 2, Zone: john},
			"+2010-11-07T00:30:00-03:30 +2010-11-06T23:30:00-03:30 -2010-11-07T00:00:30-02:30 -2010-11-06T23:45:00-02:30 -2010-11-05T10:00:00-02:30", "daily"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var list []snapshot.Snapshot
			var want []bool
			in := time.UTC
			if c.policy.Zone != nil {
				in = c.policy.Zone
			}
			for _, word := range strings.FieldsFunc(strings.ReplaceAll(c.list, " +", "|+"), func(r rune) bool { return r == '|' }) {
				for i, w := range strings.Split(word, " -") {
					if w = strings.TrimLeft(w, "+"); i > 0 || w == word {
						want = append(want, false)
					} else {
						want = append(want, true)
					}
					list = append(list, at(parse(t, w, in)))
				}
			}
			groups, err := retain.Plan(now.AddDate(1, 0, 0), list, c.policy)
			if err != nil || len(groups) != 1 {
				t.Fatal(groups, err)
			}
			var why string
			for i, v := range groups[0].Verdicts {
				s := slices.IndexFunc(list, func(s snapshot.Snapshot) bool { return s.Score == v.Snapshot.Score })
				if v.Keep != want[s] || v.Keep != (len(v.Why) > 0) {
					t.Errorf("%v (number %d): keep is %v %q", v.Snapshot.Time.In(in), i, v.Keep, v.Why)
				}
				if v.Keep {
					why = strings.Join(v.Why, "; ")
				}
			}
			if why != c.why {
				t.Errorf("the last is kept by %q, not %q", why, c.why)
			}
		})
	}
}

// TestKept holds what is kept whatever the rules say, and that it takes no other snapshot's place.
func TestKept(t *testing.T) {
	list := []snapshot.Snapshot{at(now.Add(time.Second)), at(now.AddDate(70, 0, 0)), at(now), at(now.Add(-time.Hour)), at(time.Time{}),
		at(now.Add(-2*time.Hour), "share"), at(now.Add(-3*time.Hour), "tagged"), at(now.Add(-4 * time.Hour))}
	list[5].Share, list[6].Tags = true, []string{"other", "keep"}
	groups, err := retain.Plan(now, list, retain.Policy{Last: 1, Within: retain.Span{Hours: 1}, Tags: []string{"keep"}})
	if err != nil {
		t.Fatal(err)
	}
	drop := retain.Drop(groups)
	if len(drop) != 2 || drop[0].Score != list[3].Score || drop[1].Score != list[7].Score {
		t.Errorf("dropped %v", drop)
	}
	why := map[venti.Score]string{list[0].Score: "from the future", list[1].Score: "from the future", list[2].Score: "newest; within 1h; last",
		list[4].Score: "has no time", list[5].Score: "share", list[6].Score: `tag "keep"`}
	for _, v := range groups[0].Verdicts {
		if got := strings.Join(v.Why, "; "); got != why[v.Snapshot.Score] {
			t.Errorf("%v: %q, not %q", v.Snapshot.Time, got, why[v.Snapshot.Score])
		}
	}

	// By a clock that was lost everything is from the future.
	if groups, err = retain.Plan(time.Unix(0, 0), list, retain.Policy{Last: 1}); err != nil || len(retain.Drop(groups)) > 0 {
		t.Errorf("in 1970 these are dropped: %v, %v", retain.Drop(groups), err)
	}
}

// TestUnreadable: of a disk that fails more is unreadable every night, and what was whole is not forgotten for it.
func TestUnreadable(t *testing.T) {
	var list []snapshot.Snapshot
	for i := range 6 {
		s := at(now.AddDate(0, 0, -i))
		s.Incomplete = uint64(max(0, 3-i))
		list = append(list, s)
	}
	groups, err := retain.Plan(now, list, retain.Policy{Last: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range groups[0].Verdicts {
		if v.Keep != (i == 0 || i == 3) {
			t.Errorf("number %d, with %d files unreadable: keep is %v %q", i, v.Snapshot.Incomplete, v.Keep, v.Why)
		}
	}
}

func TestGroups(t *testing.T) {
	a, b, c, d := at(now), at(now.Add(-1)), at(now.Add(-2)), at(now.Add(-3))
	a.Paths, b.Paths = []string{"/b", "/a"}, []string{"/a", "/b"}
	d.Host = "g"
	list := []snapshot.Snapshot{c, b, d, a}
	before := slices.Clone(list)
	groups, err := retain.Plan(now, list, retain.Policy{Last: 1})
	if err != nil || len(groups) != 3 {
		t.Fatal(groups, err)
	}
	if groups[0].Host != "g" || !slices.Equal(groups[1].Paths, []string{"/a", "/b"}) || !slices.Equal(groups[2].Paths, []string{"/srv"}) {
		t.Errorf("groups are %v", groups)
	}
	if drop := retain.Drop(groups); len(drop) != 1 || drop[0].Score != b.Score {
		t.Errorf("dropped %v", drop)
	}
	if !slices.EqualFunc(list, before, func(a, b snapshot.Snapshot) bool { return a.Score == b.Score }) {
		t.Error("the list was changed")
	}
}

func TestValidate(t *testing.T) {
	for _, p := range []retain.Policy{{}, {Zone: time.UTC}, {Tags: []string{}}} {
		if _, err := retain.Plan(now, []snapshot.Snapshot{at(now)}, p); !errors.Is(err, retain.ErrNoRule) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	for _, p := range []retain.Policy{{Last: -2}, {Last: 1, Yearly: -5}, {Last: 1, Within: retain.Span{Days: -1}}, {Within: retain.Span{Years: 1 << 30}}} {
		if _, err := retain.Plan(now, nil, p); err == nil || errors.Is(err, retain.ErrNoRule) {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestSpan(t *testing.T) {
	for _, text := range []string{"1y", "6m", "1y6m2w3d4h", "36h", "100000y", "2w1h"} {
		s, err := retain.ParseSpan(text)
		if err != nil || s.String() != text {
			t.Errorf("%q is %q, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "7", "d", "-1d", "+1d", "1d1d", "1h1d", "1.5d", "0d", "1 d", "1s", "100001y", "99999999999999d", "1dd"} {
		if s, err := retain.ParseSpan(text); err == nil {
			t.Errorf("%q is taken as %v", text, s)
		}
	}
}

// check compares Plan with the slow reference, and holds the laws.
func check(t *testing.T, list []snapshot.Snapshot, p retain.Policy) {
	t.Helper()
	groups, err := retain.Plan(now, list, p)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[venti.Score]bool{}
	var keep []snapshot.Snapshot
	for _, g := range groups {
		newest := false // something is kept of a group that has anything
		for _, v := range g.Verdicts {
			if seen[v.Snapshot.Score] {
				t.Errorf("two verdicts on %v", v.Snapshot)
			}
			seen[v.Snapshot.Score] = true
			if v.Keep {
				keep = append(keep, v.Snapshot)
			}
			if want := kept(now, list, v.Snapshot, p); v.Keep != want {
				t.Errorf("%v: keep is %v %q, not %v", v.Snapshot.Time, v.Keep, v.Why, want)
			}
			if newest = newest || v.Keep; !newest {
				t.Errorf("the newest, of %v, is not kept", v.Snapshot.Time)
			}
		}
	}
	if len(seen) != len(list) {
		t.Errorf("%d verdicts on %d snapshots", len(seen), len(list))
	}
	again, err := retain.Plan(now, keep, p)
	if err != nil || len(retain.Drop(again)) > 0 {
		t.Errorf("a second plan drops %v, %v", retain.Drop(again), err)
	}
	if t.Failed() {
		t.Fatalf("policy %+v", p)
	}
}

// random makes a policy and a list of some numbers.
func random(r *rand.Rand, zones []*time.Location) ([]snapshot.Snapshot, retain.Policy) {
	count := func() int { return max(retain.All, r.IntN(12)-6) }
	p := retain.Policy{Last: count(), Hourly: count(), Daily: count(), Weekly: count(), Monthly: count(), Yearly: count(), Zone: zones[r.IntN(len(zones))]}
	if r.IntN(2) == 0 {
		p.Within = retain.Span{Months: r.IntN(2), Days: r.IntN(9), Hours: r.IntN(30)}
	}
	if r.IntN(3) == 0 {
		p.Tags = []string{"a", "b"}[:1+r.IntN(2)]
	}
	if p.IsZero() {
		p.Last = 1
	}
	steps := []time.Duration{time.Second, 10 * time.Minute, time.Hour, 11 * time.Hour, 24 * time.Hour, 5 * 24 * time.Hour, 40 * 24 * time.Hour}
	step := steps[r.IntN(len(steps))]
	var list []snapshot.Snapshot
	when := now.Add(time.Duration(r.IntN(100)-99) * time.Hour)
	for i := range r.IntN(60) {
		s := at(when, fmt.Sprint(i))
		s.Host = []string{"g", "h"}[r.IntN(2)]
		s.Share = r.IntN(20) == 0
		s.Incomplete = uint64(max(0, r.IntN(4)-2))
		s.Tags = [][]string{nil, {"a"}, {"x", "b"}}[r.IntN(3)]
		if r.IntN(40) == 0 {
			s.Time = time.Time{}
		}
		list = append(list, s)
		when = when.Add(-time.Duration(r.Int64N(int64(2 * step))))
	}
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list, p
}

func TestReference(t *testing.T) {
	zones := []*time.Location{nil, zone(t, "Europe/Zurich"), zone(t, "Pacific/Apia"), zone(t, "Australia/Lord_Howe"), zone(t, "America/St_Johns")}
	for seed := range uint64(1000) {
		list, p := random(rand.New(rand.NewPCG(seed, 2)), zones)
		check(t, list, p)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzPlan(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		list, p := random(rand.New(rand.NewPCG(a, b)), []*time.Location{time.UTC, time.FixedZone("odd", 5*3600+1800)})
		check(t, list, p)
	})
}

func FuzzSpan(f *testing.F) {
	f.Add("1y6m2w3d4h")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := retain.ParseSpan(text)
		if err != nil {
			return
		}
		if again, err := retain.ParseSpan(s.String()); err != nil || again != s {
			t.Errorf("%q is %v, and then %v, %v", text, s, again, err)
		}
		if p := (retain.Policy{Within: s}); p.Validate() != nil || !s.Before(now).Before(now) {
			t.Errorf("%q: %v", text, s.Before(now))
		}
	})
}

func Example() {
	night := func(day int) snapshot.Snapshot { return at(time.Date(2026, 11, day, 2, 0, 0, 0, time.UTC)) }
	list := []snapshot.Snapshot{night(20), night(19), night(18), night(15), night(14)}
	groups, _ := retain.Plan(now, list, retain.Policy{Daily: 2, Weekly: 2})
	for _, v := range groups[0].Verdicts {
		fmt.Println(v.Snapshot.Time.Format(time.DateOnly), v.Keep, v.Why)
	}
	// Output:
	// 2026-11-20 true [newest daily weekly]
	// 2026-11-19 true [daily]
	// 2026-11-18 false []
	// 2026-11-15 true [weekly]
	// 2026-11-14 false []
}
