package years_test

import (
	"math"
	"testing"
	"time"

	"ventidhash/dhash/sim/years"
)

// Members are there for the part of the time that was asked for, in sessions as long as was asked for, and die as often;
// each event can come after the one before.
func TestChurn(t *testing.T) {
	const members, days = 200, 400
	for name, c := range map[string]years.Churn{
		"exponential": {Availability: 0.9, Session: 8 * time.Hour, Lifetime: 100 * years.Day},
		"long tails":  {Availability: 0.8, Session: 4 * time.Hour, Shape: 0.6, Lifetime: 100 * years.Day},
		"regular":     {Availability: 0.5, Session: 12 * time.Hour, Shape: 3, Lifetime: 100 * years.Day},
		"daily":       {Availability: 0.8, Session: 8 * time.Hour, Diurnal: 0.5, Lifetime: 100 * years.Day},
		"sites": {Availability: 0.9, Session: 8 * time.Hour, Lifetime: 100 * years.Day, Sites: 10, SiteEvery: 19 * years.Day,
			SiteOutage: years.Day},
	} {
		up, dead, since := map[int32]bool{}, map[int32]bool{}, map[int32]time.Duration{}
		for m := range int32(members) {
			up[m] = true
		}
		var there, last time.Duration
		sessions, deaths, next := 0, 0, int32(members)
		const end = days * years.Day
		for _, e := range years.Events(years.Config{Seed: 9, Members: members, Churn: c}, end) {
			was := up[e.Member]
			if e.At < last || dead[e.Member] || e.Kind == years.Join && e.Member != next ||
				e.Kind != years.Join && e.Member >= next || e.Kind == years.Up && was || e.Kind == years.Down && !was {
				t.Fatalf("%s: %+v cannot be; up %v, dead %v, next is %d", name, e, was, dead[e.Member], next)
			}
			last = e.At
			if was {
				there += e.At - since[e.Member]
			}
			if up[e.Member] = e.Kind == years.Up || e.Kind == years.Join; up[e.Member] {
				since[e.Member] = e.At
			}
			switch e.Kind {
			case years.Join:
				next++
			case years.Dead:
				dead[e.Member] = true
				deaths++
			case years.Down:
				sessions++
			}
		}
		for m, is := range up {
			if is {
				there += end - since[m]
			}
		}
		want := c.Availability
		if c.Sites > 0 {
			want *= 0.95
		}
		got := float64(there) / float64(members*end)
		mean := time.Duration(float64(there) / float64(sessions)).Round(time.Minute)
		t.Logf("%s: there %.3f of the time, %v at a stretch, %d deaths", name, got, mean, deaths)
		if math.Abs(got-want) > 0.015 {
			t.Errorf("%s: there %.3f of the time, want %.3f", name, got, want)
		}
		// Of sites the outages end sessions too.
		if c.Sites == 0 && math.Abs(float64(mean)/float64(c.Session)-1) > 0.06 {
			t.Errorf("%s: sessions of %v, want %v", name, mean, c.Session)
		}
		if math.Abs(float64(deaths)/(members*days/100)-1) > 0.12 {
			t.Errorf("%s: %d deaths, want %d", name, deaths, members*days/100)
		}
	}
}

// At the worst time of the day fewer are there than at the best.
func TestDaily(t *testing.T) {
	alive, fewest, most := 1000, map[int]int{}, map[int]int{}
	c := years.Churn{Availability: 0.8, Session: 4 * time.Hour, Diurnal: 0.6, Lifetime: -1}
	for _, e := range years.Events(years.Config{Seed: 2, Members: 1000, Churn: c}, 10*years.Day) {
		if e.Kind == years.Up {
			alive++
		} else {
			alive--
		}
		day := int(e.At / years.Day)
		if fewest[day] == 0 {
			fewest[day] = alive
		}
		fewest[day], most[day] = min(fewest[day], alive), max(most[day], alive)
	}
	for day := 1; day < 10; day++ {
		if most[day] < fewest[day]+150 {
			t.Errorf("day %d: %d to %d of 1000 are there", day, fewest[day], most[day])
		}
	}
}

func TestAround(t *testing.T) {
	for _, sites := range []int{0, 8} {
		for _, members := range []int{20, 70, 300} {
			cfg := years.Config{Seed: 6, Members: members, Blocks: 1000, Code: code(t, "8/20"), Churn: years.Churn{Sites: sites}}
			if err := years.CheckAround(cfg); err != nil {
				t.Errorf("%d members at %d sites: %v", members, sites, err)
			}
		}
	}
}
