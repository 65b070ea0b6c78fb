package main

import (
	"strings"
	"testing"
)

func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		figure
		missed int
	}{
		{figure{"noise", "put", "MB/s", []float64{61, 59, 70}}, 0},
		{figure{"noise", "put", "MB/s", []float64{59, 59.9}}, 1},
		{figure{"noise", "put CPU", "s/GiB", []float64{20}}, 0},
		{figure{"noise", "put CPU", "s/GiB", []float64{20.1}}, 1},
		{figure{"go", "put", "MB/s", []float64{1}}, 0}, // has no aim
		{figure{"go", "differences after get", "", []float64{0, 0, 0}}, 0},
		{figure{"go", "differences after get", "", []float64{0, 1, 0}}, 1}, // once is too often
	} {
		var r results
		for _, v := range test.values {
			r.note(test.set, test.name, test.unit, v)
		}
		var out strings.Builder
		if missed, err := r.print(&out); err != nil || missed != test.missed {
			t.Errorf("%+v: %d missed, want %d; %v", test.figure, missed, test.missed, err)
		}
		if strings.Contains(out.String(), "FAIL") != (test.missed > 0) || strings.Count(out.String(), "\n") != 2 {
			t.Errorf("%+v: printed\n%s", test.figure, out.String())
		}
	}
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"-scale", "0.05", "-sets", "go,thumbs", "-members", "8"})
	if err != nil || o.shrink != 20 || len(o.sets) != 2 || o.members != 8 || o.runs != 1 {
		t.Errorf("%+v: %v", o, err)
	}
	for _, args := range []string{"-scale 0", "-scale 2", "-sets photos", "-members 2", "-runs 0", "more"} {
		if _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%s: accepted", args)
		}
	}
}
