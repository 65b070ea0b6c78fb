package main

import (
	"strings"
	"testing"
)

func TestBound(t *testing.T) {
	for _, test := range []struct {
		failed, attempts int
		want             string
	}{
		{0, 0, "all"},
		{0, 300_000, "1e-05 of all"}, // the rule of three
		{1, 1000, "0.0047 of all"},   // 4.74: half of the 95 % point of chi-squared with 4 degrees of freedom
		{10, 1000, "0.017 of all"},   // 16.96
		{3, 3, "1 of all"},
	} {
		if got := bound(test.failed, test.attempts); got != test.want {
			t.Errorf("%d of %d: %s, want %s", test.failed, test.attempts, got, test.want)
		}
	}
}

func TestSafety(t *testing.T) {
	for _, test := range []struct {
		above      map[string]int64
		full, kept bool
	}{
		{map[string]int64{"12": 3, "16": 1}, true, true},
		{map[string]int64{"12": 3, "9": 1}, false, true},
		{map[string]int64{"12": 3, "8": 1}, false, false},
		{map[string]int64{"12": 3, "-1": 1}, false, false},
	} {
		s := safety{Blocks: 4, Above: test.above}
		if s.full() != test.full || s.kept() != test.kept {
			t.Errorf("%v: full is %v, kept %v", test.above, s.full(), s.kept())
		}
	}
}

func TestParse(t *testing.T) {
	o, err := parse(strings.Fields("-scale 0.05 -only rot,idle -members 30"))
	if err != nil || len(o.only) != 2 || o.members != 30 {
		t.Errorf("%+v: %v", o, err)
	}
	for _, args := range []string{"-scale 0", "-members 20", "-only flood", "-rounds 0", "-pause 1ms", "more"} {
		if _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%s: accepted", args)
		}
	}
}
