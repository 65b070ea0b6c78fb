package main

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// A report is the whole outcome; -json writes it as it is.
type report struct {
	Machine  machine           `json:"machine"`
	Versions map[string]string `json:"versions"`
	Seed     uint64            `json:"seed"`
	Shrink   int               `json:"shrink"`
	Sets     []*setResult      `json:"sets"`
	Verdicts []verdict         `json:"verdicts,omitempty"`
}

// rows are the lines of a set's table.
var rows = []struct {
	step    step
	metrics []metric
}{
	{stepInit, []metric{wall, cpu}},
	{stepFirst, []metric{wall, cpu, peak, allocated, apparent, aside}},
	{stepUnchanged, []metric{wall, cpu, peak, added}},
	{stepChanged, []metric{wall, cpu, peak, added, allocated}},
	{stepList, []metric{wall, cpu, peak}},
	{stepRestore, []metric{wall, cpu, peak}},
	{stepCheck, []metric{wall, cpu, peak}},
}

// table prints medians of every tool, the best of the others, and ours divided by each of them.
func table(w io.Writer, r *setResult) error {
	fmt.Fprintf(w, "\n%s: %d files, %.1f MB; medians, ratios of pairs\n", r.Set, r.Data.Files, float64(r.Data.Apparent)/1e6)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	ours, rivals := len(r.cycles(vdh.name)) > 0, r.rivals()
	fmt.Fprint(tw, "step\tfigure\tunit\t")
	for _, name := range r.tools() {
		fmt.Fprintf(tw, "%s\t", name)
	}
	if len(rivals) > 0 {
		fmt.Fprint(tw, "best other\t\t")
	}
	if ours {
		for _, name := range rivals {
			fmt.Fprintf(tw, "vdh/%s\t", name)
		}
	}
	fmt.Fprintln(tw)
	for _, row := range rows {
		for _, m := range row.metrics {
			fmt.Fprintf(tw, "%s\t%s\t%s\t", row.step, m.name, m.unit)
			for _, name := range r.tools() {
				fmt.Fprintf(tw, "%s\t", number(r.median(name, row.step, m)/m.scale))
			}
			if len(rivals) > 0 {
				name, value := r.best(row.step, m)
				fmt.Fprintf(tw, "%s\t%s\t", number(value/m.scale), name)
			}
			if ours {
				for _, name := range rivals {
					fmt.Fprintf(tw, "%s\t", number(r.ratio(name, row.step, m)))
				}
			}
			fmt.Fprintln(tw)
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	wrong(w, r)
	return nil
}

// wrong prints which steps failed and what restores did not bring back, a few examples of each run, and nothing when
// all is well.
func wrong(w io.Writer, r *setResult) {
	const examples = 5
	for _, name := range r.tools() {
		for _, c := range r.cycles(name) {
			for _, line := range c.Failures {
				fmt.Fprintf(w, "%s failed: %s\n", name, strings.TrimSpace(line))
			}
			if len(c.Differences) == 0 {
				continue
			}
			fmt.Fprintf(w, "%s: the restored tree differs in %d places:\n", name, len(c.Differences))
			for _, line := range c.Differences[:min(examples, len(c.Differences))] {
				fmt.Fprintln(w, "  "+line)
			}
		}
	}
}

// judgement prints the verdicts, and returns how many aims were missed.
func judgement(w io.Writer, list []verdict) (missed int, err error) {
	if len(list) == 0 {
		return 0, nil
	}
	fmt.Fprintln(w, "\naims")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\tset\taim\tat most\tmeasured")
	for _, v := range list {
		if v.Status == "FAIL" {
			missed++
		}
		got := fmt.Sprintf("%.6g", v.Got) // more digits than in the tables: some limits are missed by very little
		if v.Status == "SKIP" {
			got = "–"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%g\t%s\n", v.Status, v.Set, v.Aim, v.Limit, got)
	}
	return missed, tw.Flush()
}

// number prints three significant digits, and a dash for what cannot be said.
func number(v float64) string {
	switch abs := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case v == math.Trunc(v) && abs < 1000 || abs >= 100:
		return fmt.Sprintf("%.0f", v)
	case abs >= 10:
		return fmt.Sprintf("%.1f", v)
	case abs >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}
