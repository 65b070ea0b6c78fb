package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/node"
	"ventidhash/dhash/plan"
)

// TestSpan holds which times a plan takes, and how it writes them.
func TestSpan(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  time.Duration
		again string
	}{
		{"90m", 90 * time.Minute, "1h30m0s"}, {"24h", 24 * time.Hour, "24h"}, {"72h", 72 * time.Hour, "72h"}, {"7d", 168 * time.Hour, "7d"},
		{"2w", 336 * time.Hour, "14d"}, {"1y", plan.Year, "1y"}, {"0.5y", plan.Year / 2, "4383h"}, {"100y", 100 * plan.Year, "100y"},
		{"1h30m", 90 * time.Minute, "1h30m0s"}, {"1s", time.Second, "1s"},
	} {
		got, err := parseSpan(c.text)
		if err != nil || got != c.want || spanText(got) != c.again {
			t.Errorf("%q: %v, %v, written %s", c.text, got, err, spanText(got))
		}
	}
	for _, text := range []string{"", "y", "d", "1", "0", "0y", "-1d", "-1h", "1e300y", "nand", "infy", "NaNy",
		"1 y", "1Y", "1y2d", "0x1p70w"} {
		if got, err := parseSpan(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
}

// TestPlanNumbers holds how the numbers of a plan are written.
func TestPlanNumbers(t *testing.T) {
	s := planned{Swarm: plan.Swarm{Nines: 5}}
	for _, c := range []struct{ got, want string }{
		{figure(0), "0"}, {figure(0.389), "0.389"}, {figure(1), "1"}, {figure(0.00012), "1.2e-4"}, {figure(999.4), "999"},
		{figure(999.6), "1,000"}, {figure(2431050.4), "2,431,050"}, {figure(8.19e12), "8.2e12"}, {figure(1e7), "1.0e7"},
		{share(0.9), "90 %"}, {share(0.838), "83.8 %"}, {share(0.5), "50 %"}, {share(0.99999), "99.999 %"},
		{share(1 - 1e-12), "99.9999999999 %"}, {share(0.01), "1 %"}, {share(0.9999), "99.99 %"},
		{likelihood(0), "<0.01 %"}, {likelihood(1), ">99.99 %"}, {likelihood(0.6778), "67.78 %"}, {likelihood(0.99989), "99.99 %"},
		{s.ninesText(5), "5.00"}, {s.ninesText(4.9999), "4.99"}, {s.ninesText(5 - 1e-9), "5.00"}, {s.ninesText(5.227), "5.23"},
		{s.ninesText(4.214), "4.21"}, {amount(1e12), "1.0 TB"}, {amount(0), "0 B"}, {amount(1e30), "9.2 EB"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	text := strings.Repeat("word ", 60)
	for line := range strings.Lines(wrap(text, "Warning: ", "  ")) {
		if n := len(strings.TrimSuffix(line, "\n")); n > planWidth ||
			!strings.HasPrefix(line, "Warning: ") && !strings.HasPrefix(line, "  w") {
			t.Errorf("line of %d: %q", n, line)
		}
	}
	if got := strings.Count(wrap(text, "Warning: ", "  "), "word"); got != 60 {
		t.Errorf("%d of 60 words are left", got)
	}
}

// TestCounted holds which members a plan counts on, and at how many sites they are.
func TestCounted(t *testing.T) {
	var list []node.MemberInfo
	for i, m := range []string{"alive bern/a", "alive bern/b", "suspect basel/c", "full d", "alive ", "alive ",
		"dead zug/e", "banned zug/f", "retiring zug/g"} {
		state, domain, _ := strings.Cut(m, " ")
		list = append(list, node.MemberInfo{ID: fmt.Sprint(i), State: state, Domain: domain})
	}
	if members, sites := counted(list); members != 6 || sites != 5 {
		t.Errorf("%d members at %d sites", members, sites)
	}
	if members, sites := counted(nil); members != 1 || sites != 0 {
		t.Errorf("of nobody: %d members at %d sites", members, sites)
	}
}

// TestPlanWarnings holds of what a plan warns, and that it does so only then.
func TestPlanWarnings(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*planned)
		want  []string
	}{
		{"sound", func(*planned) {}, nil},
		{"small", func(s *planned) { s.Members = 5 }, []string{"too small"}},
		{"hopeless", func(s *planned) { s.P = .3 }, []string{"no number", "30 %"}},
		{"at .6", func(s *planned) { s.P, s.Nines = .6, 3 }, []string{"60 %"}},
		{"above .6", func(s *planned) { s.P, s.Nines = .61, 3 }, nil},
		{"budget", func(s *planned) { s.Bandwidth = 31_000 }, []string{"budget"}},
		{"within it", func(s *planned) { s.Bandwidth = 32_000 }, nil},
		{"losses", func(s *planned) { s.Repair = 60 * 24 * time.Hour }, []string{"lost for good"}},
		{"correlated", func(s *planned) { s.Rho = .05 }, []string{"8/20, which members use", "rho 0.05"}},
		{"fixed", func(s *planned) { s.fixed = dhash.Code{Need: 5, Total: 10} }, []string{"5/10, which members use"}},
		{"fixed well", func(s *planned) { s.fixed = dhash.Code{Need: 4, Total: 16} }, nil},
		{"sites", func(s *planned) { s.sites = 2 }, []string{"2 sites"}},
		{"enough sites", func(s *planned) { s.sites = 3 }, nil},
	} {
		s := planned{Swarm: plan.Swarm{Members: 20, P: .9, Nines: 5, Lifetime: plan.Year, Repair: 24 * time.Hour, Bandwidth: 10e6,
			Data: 1e12, Blocks: 1e6}}
		c.spoil(&s)
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		got := s.warnings(candidates(&s, nil)[0].Figures)
		if len(got) != len(c.want) || !slices.EqualFunc(got, c.want, strings.Contains) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
