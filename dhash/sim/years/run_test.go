package years_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/sim/years"
)

func run(t *testing.T, cfg years.Config) years.Result {
	t.Helper()
	res, err := years.Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// Whatever happens, the numbers that are kept up to date are those that a count gives, and no member has two fragments of
// a block.
func TestNumbersAreKept(t *testing.T) {
	harsh := years.Churn{Availability: 0.7, Session: 6 * time.Hour, Shape: 0.5, Lifetime: 20 * years.Day, Diurnal: 0.5}
	sites := harsh
	sites.Sites, sites.SiteEvery, sites.SiteOutage = 7, 10*years.Day, 12*time.Hour
	for name, cfg := range map[string]years.Config{
		"default":     {Members: 60},
		"harsh":       {Members: 60, Churn: harsh, Grace: 8 * time.Hour},
		"sites":       {Members: 60, Churn: sites, Grace: 8 * time.Hour},
		"no grace":    {Members: 40, Churn: harsh, Grace: -1, Lines: years.Lines{Repair: 13, Urgent: -1}, Code: code(t, "7/14")},
		"last moment": {Members: 40, Churn: harsh, Lines: years.Lines{Repair: 8, Urgent: -1}},
		"slow":        {Members: 40, Churn: harsh, Rate: 300, Uplink: 3000},
		"oracle":      {Members: 60, Churn: harsh, Oracle: true},
		"strays":      {Members: 60, Churn: harsh, Stray: 4, NoBrake: true, Grace: 8 * time.Hour},
		"as few as n": {Members: 20, Churn: harsh, Code: code(t, "8/20")},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Seed, cfg.Blocks, cfg.Duration, cfg.Reads = 5, 200, 40*years.Day, 1000
			res, err := years.CheckRun(cfg, 41)
			if err != nil {
				t.Fatal(err)
			}
			if res.Deaths == 0 || res.Joins != res.Deaths {
				t.Errorf("%d deaths, %d joins", res.Deaths, res.Joins)
			}
			if again := run(t, cfg); !reflect.DeepEqual(res, again) {
				t.Errorf("the same seed gives\n%+v\n%+v", res, again)
			}
		})
	}
}

func code(t *testing.T, text string) dhash.Code {
	t.Helper()
	c, err := dhash.ParseCode(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Where nobody dies and nothing is repaired, the time for which blocks cannot be read is the binomial's, and random
// reads say the same.
func TestBinomial(t *testing.T) {
	for text, p := range map[string]float64{"3/6": 0.7, "8/20": 0.6, "1/3": 0.9} {
		for _, shape := range []float64{1, 0.6} {
			cfg := years.Config{Seed: 3, Members: 300, Blocks: 1500, Duration: 200 * years.Day, Code: code(t, text), Reads: 200_000,
				Churn: years.Churn{Availability: p, Shape: shape, Lifetime: -1}, Grace: 2 * years.Year,
				Lines: years.Lines{Repair: 1, Urgent: -1}}
			res, want := run(t, cfg), codec.Unavailability(code(t, text), p)
			t.Logf("%s, p %.1f, shape %.1f: %.3e in [%.3e %.3e], want %.3e; reads %d of %d", text, p, shape, res.Unavailability,
				res.Low, res.High, want, res.FailedReads, res.Reads)
			if math.Abs(res.Unavailability/want-1) > 0.15 {
				t.Errorf("%s, p %.1f, shape %.1f: %.3e, want %.3e", text, p, shape, res.Unavailability, want)
			}
			reads := float64(res.FailedReads) / float64(res.Reads)
			if math.Abs(reads-res.Unavailability) > 5*math.Sqrt(want/float64(res.Reads)) {
				t.Errorf("%s: reads %.3e, integral %.3e", text, reads, res.Unavailability)
			}
			if res.Bytes != (years.Traffic{}) {
				t.Errorf("repaired: %+v", res.Bytes)
			}
		}
	}
}

// The lines of repair.Decide, said as Lines, make no difference.
func TestLinesAreThoseOfDecide(t *testing.T) {
	for _, text := range []string{"8/20", "4/16", "1/8"} {
		cfg := years.Config{Seed: 2, Members: 60, Blocks: 200, Duration: 100 * years.Day, Code: code(t, text), Reads: 1000,
			Churn: years.Churn{Availability: 0.75, Lifetime: 60 * years.Day}}
		want := run(t, cfg)
		cfg.Lines = years.Lines{Repair: cfg.Code.Threshold(), Urgent: cfg.Code.UrgentLine()}
		if got := run(t, cfg); want.Mended == 0 || want.Urgent == 0 || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v\n%+v", text, got, want)
		}
	}
}

// The bytes of lazy repair are those of its cycle: one reading and four fragments each time that four members of a block
// have died, Bhagwan's way of counting (Total Recall, 2004).
func TestTrafficOfTheCycle(t *testing.T) {
	cfg := years.Config{Seed: 4, Members: 300, Blocks: 1500, Duration: 4 * years.Year, Warmup: years.Year / 2, Reads: -1,
		Churn: years.Churn{Availability: 1}}
	res := run(t, cfg)
	cycle := 0.0 // in years
	for i := 17; i <= 20; i++ {
		cycle += 1 / float64(i)
	}
	cycle += (24 + 3) * float64(time.Hour) / float64(years.Year) // grace, and half an interval
	want := (7 + 4) / 8. / cycle
	got := float64(res.Bytes.Repair()) / 1500 / (1 << 20) / 4
	t.Logf("%.3f block sizes a block and year, want %.3f", got, want)
	if math.Abs(got/want-1) > 0.06 {
		t.Errorf("%.3f block sizes a block and year, want %.3f", got, want)
	}
	if res.Lost != 0 || res.Spells != 0 {
		t.Errorf("%d lost, %d times unreadable", res.Lost, res.Spells)
	}
	// Who joins gets the share of who died: all fragments are made again once in a life, so as many are handed off at most.
	if limit := int64(1500 * 20 / 8. * (1 << 20) * 4.5); res.Bytes.HandOff == 0 || res.Bytes.HandOff > limit {
		t.Errorf("%d bytes handed off, at most %d", res.Bytes.HandOff, limit)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	cfg := years.Config{Members: 50, Blocks: 100, Duration: years.Year}
	cfg.Progress = func(passed, all time.Duration) {
		if all != years.Year {
			t.Errorf("all of it is %v", all)
		}
		if passed > 30*years.Day {
			stop()
		}
	}
	res, err := years.Run(ctx, cfg)
	if !errors.Is(err, context.Canceled) || res.Simulated < 30*years.Day || res.Simulated > 31*years.Day || res.Reads == 0 {
		t.Errorf("%v, %+v", err, res)
	}
}

func TestValidate(t *testing.T) {
	for want, cfg := range map[string]years.Config{
		"members":          {Members: 1e6},
		"blocks":           {Blocks: 5},
		"years":            {Duration: -1},
		"availability":     {Churn: years.Churn{Availability: 1.5}},
		"NaN":              {Churn: years.Churn{Availability: math.NaN()}},
		"needs 20 members": {Members: 10, Code: dhash.Code{Need: 8, Total: 20}},
		"1 ≤ need":         {Code: dhash.Code{Need: 8, Total: 7}},
		"repair line":      {Lines: years.Lines{Repair: 20}},
		"lifetime":         {Churn: years.Churn{Lifetime: time.Second}},
		"diurnal":          {Churn: years.Churn{Diurnal: 1}},
		"rate":             {Rate: -1},
	} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := (years.Config{}).Validate(); err != nil {
		t.Error(err)
	}
}
