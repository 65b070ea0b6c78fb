package main

import (
	"fmt"
	"math"
	"slices"
)

// fastest in an aim stands for whichever rival needs least.
const fastest = "fastest other"

// An aim is something this program set out to reach: a metric of a step is at most limit times a rival's or, without a
// rival, at most limit in the metric's unit.
type aim struct {
	step   step
	metric metric
	rival  string
	limit  float64
	sets   []string // nil means all
}

// aims are the promises that the comparison checks. They are policy: a measurement is no reason to change one.
var aims = []aim{
	{stepFirst, cpu, "restic", 0.5, nil},
	{stepFirst, wall, "restic", 0.5, nil},
	{stepFirst, allocated, "restic", 1, []string{"go", "noise"}},
	{stepFirst, allocated, "restic", 0.7, []string{"small"}},
	{stepUnchanged, wall, fastest, 0.4, nil},
	{stepUnchanged, wall, "", 0.1, []string{"noise"}},
	{stepChanged, added, "restic", 1, nil},
	{stepChanged, wall, "restic", 0.6, nil},
	{stepList, wall, "", 0.1, nil},
	{stepRestore, wall, fastest, 0.7, nil},
	{stepRestore, cpu, "restic", 0.6, nil},
	{stepCheck, wall, "restic", 0.6, nil},
	{stepCheck, cpu, "restic", 0.6, nil},
	{stepInit, peak, "", 200, nil},
	{stepFirst, peak, "", 200, nil},
	{stepUnchanged, peak, "", 200, nil},
	{stepChanged, peak, "", 200, nil},
	{stepList, peak, "", 200, nil},
	{stepRestore, peak, "", 200, nil},
	{stepCheck, peak, "", 200, nil},
}

// A verdict is an aim held against what was measured.
type verdict struct {
	Set    string  `json:"set"`
	Aim    string  `json:"aim"`
	Got    float64 `json:"got"`
	Limit  float64 `json:"limit"`
	Status string  `json:"status"` // PASS, FAIL, or SKIP when one side has no figure
}

// verdicts judges one data set: the aims, and that every step succeeded and every restore brought everything back.
func verdicts(r *setResult) []verdict {
	ours := r.cycles(vdh.name)
	if len(ours) == 0 {
		return nil
	}
	var list []verdict
	for _, a := range aims {
		if a.sets == nil || slices.Contains(a.sets, r.Set) {
			list = append(list, a.judge(r))
		}
	}
	differences, failures := 0.0, 0.0
	for _, c := range ours {
		differences += float64(len(c.Differences))
		failures += float64(len(c.Failures))
	}
	compared := verdict{Set: r.Set, Aim: "restore: differences from the source", Got: differences}
	compared.Status = status(differences, 0)
	if math.IsNaN(r.median(vdh.name, stepRestore, wall)) {
		compared.Status = "SKIP" // nothing was restored, so nothing differed
	}
	failed := verdict{Set: r.Set, Aim: "all steps: failures", Got: failures, Status: status(failures, 0)}
	return append(list, compared, failed)
}

func (a aim) judge(r *setResult) verdict {
	v := verdict{Set: r.Set, Limit: a.limit}
	switch a.rival {
	case "":
		v.Aim = fmt.Sprintf("%s: %s, %s", a.step, a.metric.name, a.metric.unit)
		v.Got = r.median(vdh.name, a.step, a.metric) / a.metric.scale
	case fastest:
		name, _ := r.best(a.step, a.metric)
		v.Aim = fmt.Sprintf("%s: %s, times the fastest other (%s)", a.step, a.metric.name, name)
		v.Got = r.ratio(name, a.step, a.metric)
	default:
		v.Aim = fmt.Sprintf("%s: %s, times %s", a.step, a.metric.name, a.rival)
		v.Got = r.ratio(a.rival, a.step, a.metric)
	}
	v.Status = status(v.Got, v.Limit)
	if math.IsNaN(v.Got) || math.IsInf(v.Got, 0) {
		v.Got, v.Status = 0, "SKIP" // JSON has no NaN
	}
	return v
}

func status(got, limit float64) string {
	if got <= limit {
		return "PASS"
	}
	return "FAIL"
}
