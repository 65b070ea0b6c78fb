package plan_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/plan"
)

const day = 24 * time.Hour

// TestSnapshot is about ten million blocks.
func TestSnapshot(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(`
code        5/10 7/14    7/16  8/16    8/18 8/20  8/22   10/20  10/24 16/32 20/40
unavailable 1469 172.1   4.53  59.2    1.63 .0392 8.6e-4 7.09   .0054 .0128 2.0e-4
leaves      5875 688.4   18.1  237     6.50 .157  3.4e-3 28.4   .0216 .0513 7.8e-4
readable    0    1.8e-75 .0108 1.9e-26 .197 .9615 .9991  8.3e-4 .9946 .9873 .9998`), "\n")
	all := plan.Snapshot{Blocks: 1e7, Levels: 3}
	for i, name := range strings.Fields(rows[0])[1:] {
		u := codec.Unavailability(code(t, name), .9)
		printed(t, name+" unavailable", all.Unavailable(u), strings.Fields(rows[1])[i+1])
		printed(t, name+" leaves", all.Unreachable(u, u), strings.Fields(rows[2])[i+1])
		printed(t, name+" readable", all.AllReadable(u), strings.Fields(rows[3])[i+1])
	}
	two := plan.Snapshot{Blocks: 1e7, Levels: 2}
	for name, want := range map[string]string{"8/16": "178", "8/20": ".118"} {
		u := codec.Unavailability(code(t, name), .9)
		printed(t, name+" with two levels", two.Unreachable(u, u), want)
	}
	u := codec.Unavailability(dhash.Code{Need: 8, Total: 16}, .9)
	safe := codec.Unavailability(dhash.Code{Need: 4, Total: 16}, .9)
	printed(t, "pointer blocks at 4/16", safe, "4.18e-11")
	if got := all.Unreachable(u, safe) / all.Unavailable(u); got > 1.0001 {
		t.Errorf("with safe pointer blocks %g times as many leaves are out of reach", got)
	}
	for _, c := range []struct {
		fanout int64
		want   string
	}{
		{409, "[24450 60 1]"}, {256, "[39063 153 1]"}, {2048, "[4883 3 1]"}, {32768, "[306 1]"},
	} {
		if got := fmt.Sprint(plan.Pointers(1e7, c.fanout)); got != c.want {
			t.Errorf("pointer blocks of %d rows: %s, want %s", c.fanout, got, c.want)
		}
	}
	if got := plan.Pointers(1, 2); len(got) != 0 {
		t.Errorf("a single leaf has pointer blocks: %v", got)
	}
}

// TestMTTDL is the table of mean times to a loss, in years.
func TestMTTDL(t *testing.T) {
	churns := []plan.Churn{{plan.Year, day}, {plan.Year, 3 * day}, {plan.Year / 4, day}}
	for line := range strings.Lines(`1/3   4.489715e4  2.247993e4  2.260168e4  5.084896e3  2.553510e3 2.594094e3 7.219222e2  3.630926e2 3.707020e2
1/5     3.610985e9  1.507798e8  1.544992e8  4.587376e7  1.924697e6 2.067345e6   3.680769e6  1.548419e5 1.701495e5
5/10    5.316759e9  4.481509e7  4.856647e7  2.323253e7  2.009313e5 2.531250e5   1.420146e6  1.246029e4 1.683992e4
7/14    3.760986e13 7.592914e9  8.983824e9  1.866228e10 3.923715e6 6.340143e6   6.486801e8  1.396199e5 2.605329e5
8/12    4.669882e6  1.979549e5  2.143342e5  6.223975e4  2.744054e3 3.429664e3   5.115200e3  2.305884e2 3.073286e2
8/16    3.222875e15 8.157842e10 1.020452e11 5.389074e11 1.431973e7 2.705562e7   1.412523e10 3.861932e5 8.818104e5
10/20   2.422386e19 6.855127e12 9.809445e12 4.599708e14 1.390016e8 3.820254e8   6.855572e12 2.155994e6 7.968210e6
`) {
		fields := strings.Fields(line)
		c := code(t, fields[0])
		for i, want := range fields[1:] {
			m := plan.Model(i % 3)
			printed(t, fmt.Sprint(c, m, churns[i/3]), plan.MTTDL(m, c, c.Total-1, churns[i/3]), want)
		}
	}
	for i, want := range []string{"8.190465e12", "7.418935e8", "1.835558e7"} {
		printed(t, "8/20 M2 at 16", plan.MTTDL(plan.M2, dhash.Code{Need: 8, Total: 20}, 16, churns[i]), want)
	}
	// Magnus's monitor, which acts when none is to spare
	for i, want := range []string{"4.86e7", "2.43e6", "8.26e4", "2.21e3", "48"} {
		printed(t, "5/10 M2", plan.MTTDL(plan.M2, dhash.Code{Need: 5, Total: 10}, 9-i, churns[0]), want)
	}
	for _, m := range []plan.Model{plan.M1, plan.M1s, plan.M2} { // (3λ+μ)/2λ²
		printed(t, "a mirror, "+m.String(), plan.MTTDL(m, dhash.Code{Need: 1, Total: 2}, 1, churns[0]), "184.125")
	}
	printed(t, "no repair", plan.MTTDL(plan.M2, dhash.Code{Need: 8, Total: 16}, 0, churns[0]), "0.787871850371850")
	printed(t, "nothing to repair from", plan.MTTDL(plan.M2, dhash.Code{Need: 1, Total: 1}, 1, churns[0]), "1")
	long := plan.Churn{Lifetime: 100 * plan.Year, Repair: time.Second}
	for _, m := range []plan.Model{plan.M1, plan.M1s, plan.M2} {
		if x := plan.MTTDL(m, dhash.Code{Need: 1, Total: dhash.MaxTotal}, 63, long); x != math.MaxFloat64 {
			t.Errorf("%v beyond all numbers: %g", m, x)
		}
	}
	if got := fmt.Sprint(plan.M1, plan.M1s, plan.M2, plan.Model(9)); got != "M1 M1s M2 Model(9)" {
		t.Error(got)
	}
}

// TestLazy is the price of waiting, for 8 of 16.
func TestLazy(t *testing.T) {
	ch := plan.Churn{Lifetime: plan.Year, Repair: day}
	c := dhash.Code{Need: 8, Total: 16}
	all := plan.Snapshot{Blocks: 1e7}
	eachCell(t, `
r      MTTDL   lost   traffic
15     1.02e11 9.8e-5 17.2
14     8.14e9  1.2e-3 9.5
13     4.63e8  .022   6.8
12     2.19e7  .46    5.4
11     9.05e5  11     4.5
10     3.31e4  302    3.9
9      1.08e3  9.3e3  3.4
8      31      3.2e5  3.0
`, func(row, column, cell string) {
		r := int(number(t, row))
		mttdl := plan.MTTDL(plan.M2, c, r, ch)
		got := map[string]float64{"MTTDL": mttdl, "lost": all.Lost(1, mttdl), "traffic": plan.EstimateTraffic(c, r, ch)}[column]
		printed(t, column+" at "+row, got, cell)
	})
	mttdl := plan.MTTDL(plan.M2, c, 12, ch)
	printed(t, "any lost in a year", all.LossProbability(1, mttdl), fmt.Sprintf("%.12f", 1-math.Exp(-1e7/mttdl)))
}

// TestCycle is the mean over the time from one repair to the next. Of 8/16 at 15 it is 7.3848e-6, which had been rounded
// twice.
func TestCycle(t *testing.T) {
	ch := plan.Churn{Lifetime: plan.Year, Repair: day}
	for line := range strings.Lines(`7/14 13 2.09e-5  9.9e-5    15.5     9.0e9    2.0
8/16 15 7.38e-6  3.4e-5    17.3     1.0e11   2.0
8/16 12 3.55e-4  4.3e-3    5.4      2.2e7    2.0
8/18 16 7.5e-7   5.9e-6    10.7     4.4e12   2.25
8/20 16 4.08e-7  5.92e-6   6.85     8.2e12   2.5
8/20 15 1.95e-6  3.4e-5    5.8      4.4e11   2.5
10/20 18 2.97e-6  2.1e-5   11.4     9.7e11   2.0
16/32 28 8.1e-8   8.7e-7   9.4      2.5e15   2.0
16/32 26 1.24e-6  1.8e-5   6.7      1.9e13   2.0
`) {
		fields := strings.Fields(line)
		c, r := code(t, fields[0]), int(number(t, fields[1]))
		cycle := plan.NewCycle(c, r, ch, at(.9))
		for i, got := range []float64{cycle.Unavailability, codec.Unavailability(dhash.Code{Need: c.Need, Total: r}, .9),
			cycle.Traffic, cycle.MTTDL, c.Overhead()} {
			printed(t, fmt.Sprintf("%s, column %d", line, i), got, fields[2+i])
		}
	}
	// Copies are not decoded.
	if got := plan.NewCycle(dhash.Code{Need: 1, Total: 3}, 2, ch, at(.9)).Traffic; math.Abs(got-3) > 0.05 {
		t.Errorf("three copies move %g copies a year", got)
	}
	// What is never repaired has no traffic, and dies.
	dead := plan.NewCycle(dhash.Code{Need: 8, Total: 16}, 7, ch, at(.9))
	if dead.Traffic != 0 || dead.Unavailability < .01 {
		t.Errorf("without repair: %+v", dead)
	}
}

func at(p float64) func(dhash.Code) float64 {
	return func(c dhash.Code) float64 { return codec.Unavailability(c, p) }
}

// TestEagerTraffic is what the loss of a member costs where nothing is saved up.
func TestEagerTraffic(t *testing.T) {
	c := dhash.Code{Need: 8, Total: 16}
	read, write := plan.EagerTraffic(c, 100e9, plan.Year)
	printed(t, "100 GB, read, KB/s", read/1e3, "25.4")
	printed(t, "100 GB, written", write/1e3, "3.2")
	read, write = plan.EagerTraffic(c, 1e12, plan.Year/4)
	printed(t, "1 TB, read", read/1e3, "1014")
	printed(t, "1 TB, written", write/1e3, "127")
	if read, write := plan.EagerTraffic(dhash.Code{Need: 1, Total: 3}, 1e12, plan.Year); read != write {
		t.Errorf("a copy is read once and written once: %g, %g", read, write)
	}
}

// TestMTTDLSimulated compares the formulas with chains that are run, where a loss does not take long.
func TestMTTDLSimulated(t *testing.T) {
	c, trigger := dhash.Code{Need: 2, Total: 5}, 3
	ch := plan.Churn{Lifetime: plan.Year, Repair: plan.Year / 3}
	for _, m := range []plan.Model{plan.M1, plan.M1s, plan.M2} {
		got := chains(m, c, trigger, 1, 3)
		if want := plan.MTTDL(m, c, trigger, ch); math.Abs(got-want) > 0.03*want {
			t.Errorf("%v: %.3f years in %d chains, %.3f by the formula", m, got, runs, want)
		}
	}
	cycle := plan.NewCycle(c, trigger, ch, func(c dhash.Code) float64 { return float64(c.Total) })
	if left := cycle.Unavailability; !(left > 2 && left < 5) {
		t.Errorf("on average %g fragments are left", left)
	}
}
