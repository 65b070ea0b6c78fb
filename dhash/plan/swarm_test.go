package plan_test

import (
	"math"
	"strings"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/plan"
)

// sound returns a swarm of the default policy.
func sound() plan.Swarm {
	return plan.Swarm{Members: 20, P: .9, Nines: 5, Lifetime: plan.Year, Repair: day, Bandwidth: 10e6, Data: 1e12, Blocks: 1e7}
}

// TestChoose holds that the choice is that of the policy which members follow, as long as they are independent.
func TestChoose(t *testing.T) {
	for _, p := range []float64{.3, .5, .6, .7, .8, .838, .9, .95, .99, .9999} {
		for _, nines := range []float64{.5, 1, 3, 5, 5.23, 7, 12} {
			s := sound()
			s.P, s.Nines = p, nines
			policy := codec.Policy{P: p, Nines: nines}
			needed := 0
			for s.Members = dhash.MaxTotal; s.Members > 0; s.Members-- {
				if got, want := s.Choose(), policy.Code(s.Members, false); got != want {
					t.Errorf("%d members, p %g, %g nines: %v, the policy's is %v", s.Members, p, nines, got, want)
				}
				if policy.Reach(s.Members).OK && (needed == 0 || needed == s.Members+1) {
					needed = s.Members
				}
			}
			if got := s.MembersNeeded(); got != needed {
				t.Errorf("p %g, %g nines: from %d members on, want %d", p, nines, got, needed)
			}
		}
	}
}

// TestChooseCorrelated holds that the choice reaches its target as long as any does, and that the next Need does not.
func TestChooseCorrelated(t *testing.T) {
	s := sound()
	before := s.Choose()
	if before != (dhash.Code{Need: 8, Total: 20}) {
		t.Fatalf("independent: %v", before)
	}
	for _, rho := range []float64{.001, .01, .02, .05, .1, .5} {
		s.Rho = rho
		c := s.Choose()
		if c.Need > before.Need || c.Total != 20 {
			t.Errorf("rho %g: %v, at less it was %v", rho, c, before)
		}
		before = c
		for need := 1; need <= 16; need++ {
			reaches := plan.BetaBinomial(dhash.Code{Need: need, Total: 16}, s.P, rho) <= 1e-5
			if reaches != (need <= c.Need && s.Assess(c).OnTarget) {
				t.Errorf("rho %g: chose %v, and %d/16 reaches the target: %v", rho, c, need, reaches)
			}
		}
	}
	if s.MembersNeeded() != 0 {
		t.Errorf("at rho %g, %d members are said to be enough", s.Rho, s.MembersNeeded())
	}
}

// TestAssess holds the figures of a code together.
func TestAssess(t *testing.T) {
	s := sound()
	f := s.Assess(dhash.Code{Need: 8, Total: 20})
	if !f.Fits || !f.OnTarget || f.Overhead != 2.5 {
		t.Errorf("%+v", f)
	}
	printed(t, "fresh", f.Fresh, "8.41")
	printed(t, "threshold", f.Threshold, "5.23")
	printed(t, "mean", f.Mean, "6.39")
	printed(t, "retry", f.Retry, "4.08")
	printed(t, "readable", f.Readable, "0.017")
	printed(t, "MTTDL", f.MTTDL[plan.M2], "8.190465e12")
	printed(t, "lost a year", f.Lost, "1.2e-6")
	printed(t, "held", s.Held(f.Code), "125e9")
	printed(t, "traffic", f.Traffic, "10.85e3")
	printed(t, "eager", f.Eager, "31.7e3")

	s.Members = 19
	if f := s.Assess(f.Code); f.Fits {
		t.Error("20 fragments are said to fit 19 members")
	}
	f = s.Assess(dhash.Code{Need: 1, Total: 1})
	if f.OnTarget || f.Traffic != 0 || f.Lost != 1e7 || math.Abs(f.MTTDL[plan.M2]-1) > 1e-9 {
		t.Errorf("a single copy: %+v", f)
	}
	s.P, s.Lifetime = .9999, 100*plan.Year
	if f := s.Assess(dhash.Code{Need: 1, Total: dhash.MaxTotal}); f.Fresh != 15 || math.IsInf(f.MTTDL[0], 0) || f.Lost < 0 {
		t.Errorf("beyond all numbers: %+v", f)
	}
	s.Rho = .05
	s.P = .9
	printed(t, "correlated", s.Unavailability(dhash.Code{Need: 8, Total: 16}), "1.3817e-3")
}

// TestValidate holds that each field is looked at, and named.
func TestValidate(t *testing.T) {
	if err := sound().Validate(); err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	for _, c := range []struct {
		field string
		spoil func(*plan.Swarm)
	}{
		{"members", func(s *plan.Swarm) { s.Members = 0 }},
		{"members", func(s *plan.Swarm) { s.Members = plan.MaxMembers + 1 }},
		{"availability", func(s *plan.Swarm) { s.P = 1 }},
		{"availability", func(s *plan.Swarm) { s.P = nan }},
		{"rho", func(s *plan.Swarm) { s.Rho = -.1 }},
		{"rho", func(s *plan.Swarm) { s.Rho = 1 }},
		{"rho", func(s *plan.Swarm) { s.Rho = nan }},
		{"nines", func(s *plan.Swarm) { s.Nines = 0 }},
		{"nines", func(s *plan.Swarm) { s.Nines = 13 }},
		{"lifetime", func(s *plan.Swarm) { s.Lifetime = 0 }},
		{"lifetime", func(s *plan.Swarm) { s.Lifetime = 200 * plan.Year }},
		{"repair", func(s *plan.Swarm) { s.Repair = -day }},
		{"repair", func(s *plan.Swarm) { s.Repair = 2 * plan.Year }},
		{"bandwidth", func(s *plan.Swarm) { s.Bandwidth = 0 }},
		{"bandwidth", func(s *plan.Swarm) { s.Bandwidth = math.Inf(1) }},
		{"data", func(s *plan.Swarm) { s.Data = nan }},
		{"blocks", func(s *plan.Swarm) { s.Blocks = 0 }},
	} {
		s := sound()
		c.spoil(&s)
		if err := s.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.field+" ") {
			t.Errorf("%+v: %v, which should be about %s", s, err, c.field)
		}
	}
}
