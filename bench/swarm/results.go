package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// A figure is what was measured of one thing, once in each run.
type figure struct {
	set, name, unit string
	values          []float64
}

// results are all figures, in the order in which they were first noted.
type results struct{ figures []*figure }

func (r *results) note(set, name, unit string, v float64) {
	for _, f := range r.figures {
		if f.set == set && f.name == name && f.unit == unit {
			f.values = append(f.values, v)
			return
		}
	}
	r.figures = append(r.figures, &figure{set, name, unit, []float64{v}})
}

// median returns the middle value.
func (f *figure) median() float64 {
	sorted := slices.Sorted(slices.Values(f.values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// An aim is what this project set out to reach. It is policy: a measurement is no reason to change one.
type aim struct {
	set, name, unit string
	limit           float64
	least           bool // limit is the least, not the most
}

var aims = []aim{
	{"noise", "put", "MB/s", 60, true},
	{"noise", "put CPU", "s/GiB", 20, false},
	{"noise", "get", "MB/s", 120, true},
	{"noise", "get CPU", "s/GiB", 10, false},
	{"noise", "get, 30 % gone, of get", "", 0.8, true},
	{"noise", "get, one hangs, times get", "", 1.3, false},
	{"noise", "put, one hangs, times put", "", 1.3, false},
	{"noise", "disks, of n/k · sealed", "", 1.05, false},
	{"thumbs", "put", "files/s", 5000, true},
	{"thumbs", "put CPU", "s/GiB", 60, false},
	{"thumbs", "get", "files/s", 5000, true},
	{"thumbs", "disks, of n/k · sealed", "", 1.05, false},
	{"go", "put, times a local store", "", 1.5, false},
	{"go", "get, times a local store", "", 1.5, false},
	{"go", "disks, of n/k · sealed", "", 1.05, false},
	{"small", "second night, unchanged, local, beyond the walk", "s", 1, false},
	{"small", "third night, unchanged, local, beyond the walk", "s", 1, false},
	{"small", "second night, unchanged, swarm", "s", 5, false},
	{"small", "third night, unchanged, swarm", "s", 5, false},
	{"–", "idle member", "% of a core", 1, false},
	{"–", "idle member", "MiB", 100, false},
	{"–", "start-up to serving", "s", 2, false},
	{"–", "backup of one small file", "s", 2, false},
	{"–", "DHT lookups for 200 blocks", "", 0, false},
}

// verdict returns what a figure's aim says, and whether it was missed. That a restore differs is always a miss.
func (f *figure) verdict() (text string, missed bool) {
	v := f.median()
	for _, a := range aims {
		if a.set != f.set || a.name != f.name || a.unit != f.unit {
			continue
		}
		text, missed = fmt.Sprintf("≤ %g", a.limit), !(v <= a.limit)
		if a.least {
			text, missed = fmt.Sprintf("≥ %g", a.limit), !(v >= a.limit)
		}
		return text, missed
	}
	if len(f.name) > 11 && f.name[:11] == "differences" {
		return "≤ 0", slices.Max(f.values) > 0
	}
	return "", false
}

// print writes all figures beside their aims, and returns how many aims were missed.
func (r *results) print(out io.Writer) (missed int, err error) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "set\tfigure\tmeasured\tunit\taim\t")
	for _, f := range r.figures {
		text, miss := f.verdict()
		result := ""
		switch {
		case miss:
			result = "FAIL"
			missed++
		case text != "":
			result = "pass"
		}
		fmt.Fprintf(w, "%s\t%s\t%.4g\t%s\t%s\t%s\n", f.set, f.name, f.median(), f.unit, text, result)
	}
	return missed, w.Flush()
}
