package main

import (
	"math"
	"slices"
)

// A pair is one run of vdh and one of another tool right after it, so that both meet the same machine. Without vdh
// there is only the other.
type pair struct {
	Ours  *cycle `json:"vdh,omitempty"`
	Other *cycle `json:"other,omitempty"`
}

// A metric is one number among a step's figures.
type metric struct {
	name  string
	unit  string
	scale float64 // the unit in seconds or bytes
	of    func(f figures) float64
}

var (
	wall      = metric{"wall", "s", 1, func(f figures) float64 { return f.Wall }}
	cpu       = metric{"CPU", "s", 1, func(f figures) float64 { return f.CPU }}
	peak      = metric{"peak", "MiB", 1 << 20, func(f figures) float64 { return float64(f.Peak) }}
	allocated = metric{"store", "MB", 1e6, func(f figures) float64 { return float64(f.Store.Allocated) }}
	apparent  = metric{"apparent", "MB", 1e6, func(f figures) float64 { return float64(f.Store.Apparent) }}
	added     = metric{"added", "MB", 1e6, func(f figures) float64 { return float64(f.Added) }}
	aside     = metric{"aside", "MB", 1e6, func(f figures) float64 { return float64(f.Aside) }}
)

// A setResult is all that was measured of one data set.
type setResult struct {
	Set   string `json:"set"`
	Data  size   `json:"data"`
	Pairs []pair `json:"pairs"`
}

// tools returns the names of the tools that ran, ours first.
func (r *setResult) tools() []string {
	var names []string
	for _, p := range r.Pairs {
		for _, c := range []*cycle{p.Ours, p.Other} {
			if c != nil && !slices.Contains(names, c.Tool) {
				names = append(names, c.Tool)
			}
		}
	}
	return names
}

// rivals returns the names of the tools but ours.
func (r *setResult) rivals() []string {
	return slices.DeleteFunc(r.tools(), func(name string) bool { return name == vdh.name })
}

// cycles returns every run of a tool.
func (r *setResult) cycles(name string) []*cycle {
	var runs []*cycle
	for _, p := range r.Pairs {
		for _, c := range []*cycle{p.Ours, p.Other} {
			if c != nil && c.Tool == name {
				runs = append(runs, c)
			}
		}
	}
	return runs
}

// median returns the middle value of a metric over a tool's runs, or NaN when no run came to that step.
func (r *setResult) median(name string, s step, m metric) float64 {
	var values []float64
	for _, c := range r.cycles(name) {
		if f, ok := c.at(s); ok {
			values = append(values, m.of(f))
		}
	}
	return median(values)
}

// ratio returns the median, over the pairs with a rival, of our value divided by the rival's.
func (r *setResult) ratio(rival string, s step, m metric) float64 {
	var values []float64
	for _, p := range r.Pairs {
		if p.Ours == nil || p.Other == nil || p.Other.Tool != rival {
			continue
		}
		ours, ok := p.Ours.at(s)
		theirs, too := p.Other.at(s)
		if ok && too {
			values = append(values, m.of(ours)/m.of(theirs))
		}
	}
	return median(values)
}

// best returns the rival with the smallest median.
func (r *setResult) best(s step, m metric) (name string, value float64) {
	value = math.NaN()
	for _, rival := range r.rivals() {
		if v := r.median(rival, s, m); math.IsNaN(value) || v < value {
			name, value = rival, v
		}
	}
	return name, value
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
