package plan_test

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/plan"
)

// printed fails unless got is what was printed, to the last digit printed.
func printed(t *testing.T, what string, got float64, want string) {
	t.Helper()
	w, err := strconv.ParseFloat(want, 64)
	if err != nil {
		t.Fatal(err)
	}
	mantissa, exp, _ := strings.Cut(want, "e")
	e := 0
	if exp != "" {
		if e, err = strconv.Atoi(exp); err != nil {
			t.Fatal(err)
		}
	}
	if _, after, ok := strings.Cut(mantissa, "."); ok {
		e -= len(after)
	}
	half := 0.5 * math.Pow(10, float64(e))
	if math.IsNaN(got) || math.Abs(got-w) > half*(1+1e-6) {
		t.Errorf("%s: %.15g, want %s", what, got, want)
	}
}

// code reads Need/Total, of any size.
func code(t *testing.T, text string) dhash.Code {
	t.Helper()
	a, b, _ := strings.Cut(strings.Trim(text, "()"), "/")
	k, err := strconv.Atoi(a)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(b)
	if err != nil {
		t.Fatal(err)
	}
	return dhash.Code{Need: k, Total: n}
}

// number reads a number.
func number(t *testing.T, text string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// eachCell calls fn for each cell of a table whose first line and first column are headings; - is no cell.
func eachCell(t *testing.T, table string, fn func(row, column, cell string)) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(table), "\n")
	columns := strings.Fields(lines[0])
	cells := 0
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		if len(fields) != len(columns) {
			t.Fatalf("%q has not the columns %q", line, columns)
		}
		for i, cell := range fields[1:] {
			if cell != "-" {
				fn(fields[0], columns[i+1], cell)
				cells++
			}
		}
	}
	if cells == 0 {
		t.Fatal("an empty table")
	}
}

// exact returns the availability of a code in rational numbers, from above: Σ C(n,i) pⁱ(1−p)ⁿ⁻ⁱ over i ≥ k.
func exact(c dhash.Code, p *big.Rat) *big.Rat {
	q := new(big.Rat).Sub(big.NewRat(1, 1), p)
	sum := new(big.Rat)
	for i := c.Need; i <= c.Total; i++ {
		term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(c.Total), int64(i)))
		for range i {
			term.Mul(term, p)
		}
		for range c.Total - i {
			term.Mul(term, q)
		}
		sum.Add(sum, term)
	}
	return sum
}

// TestExact holds the availabilities that are known exactly, and the sums of floating-point numbers against them.
func TestExact(t *testing.T) {
	for _, part := range []struct{ p, table string }{
		{"9/10", `
1/3 0.999                           1/5 0.99999
3/10 0.9999996264                   4/16 0.9999999999581895
5/10 0.9998530974                   6/12 0.999949819662
7/14 0.99998279026164               7/15 0.999997153517547
8/12 0.99567065673                  8/16 0.9999940756769955
8/18 0.999999837394507908           8/20 0.99999999607677459588
10/19 0.999996070117672872          10/20 0.99999929113936682778
10/30 0.999999999999994195106398988505
16/27 0.99999590561212124363873256
16/32 0.99999999871786741498589656668195
20/32 0.99999449313133368363213372864525`},
		{"1/2", "7/14 2477/4096 8/16 39203/65536 10/20 308333/524288"},
		{"8/10", "4/16 0.99999975293054976 8/20 0.999984841483780096"},
	} {
		p, _ := new(big.Rat).SetString(part.p)
		fields := strings.Fields(part.table)
		for i := 0; i < len(fields); i += 2 {
			c := code(t, fields[i])
			want, ok := new(big.Rat).SetString(fields[i+1])
			if !ok {
				t.Fatal(fields[i+1])
			}
			got := exact(c, p)
			if part.p != "8/10" && got.Cmp(want) != 0 {
				t.Errorf("%v at %s: %s, want %s", c, part.p, got.FloatString(30), fields[i+1])
			}
			u, _ := got.Sub(big.NewRat(1, 1), got).Float64()
			f, _ := p.Float64()
			for name, x := range map[string]float64{
				"binomial":         codec.Unavailability(c, f),
				"beta-binomial":    plan.BetaBinomial(c, f, 0),
				"Poisson-binomial": plan.PoissonBinomial(c.Need, same(f, c.Total)),
				"sites":            plan.Sites(c, f, 0.01, c.Total),
			} {
				if math.Abs(x-u) > 1e-13*u {
					t.Errorf("%v at %s, %s: %g, want %g", c, part.p, name, x, u)
				}
			}
		}
	}
}

func same(p float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = p
	}
	return out
}

// TestUnavailability is the table of U(k, n, p). Two of its figures had been rounded twice, and are here as they should be:
// 5/10 at .70 is 4.7349e-2, and at .95 2.7546e-6.
func TestUnavailability(t *testing.T) {
	eachCell(t, `
code    .50     .60     .70     .80     .85     .90     .95     .99
1/3     1.25e-1 6.40e-2 2.70e-2 8.00e-3 3.38e-3 1.00e-3 1.25e-4 1.00e-6
1/5     3.13e-2 1.02e-2 2.43e-3 3.20e-4 7.59e-5 1.00e-5 3.13e-7 1.0e-10
3/10    5.47e-2 1.23e-2 1.59e-3 7.79e-5 8.67e-6 3.74e-7 1.61e-9 4.4e-15
5/10    3.77e-1 1.66e-1 4.73e-2 6.37e-3 1.38e-3 1.47e-4 2.75e-6 2.0e-10
8/12    8.06e-1 5.62e-1 2.76e-1 7.26e-2 2.39e-2 4.33e-3 1.84e-4 7.5e-8
7/14    3.95e-1 1.50e-1 3.15e-2 2.40e-3 3.28e-4 1.72e-5 8.93e-8 2.8e-13
8/16    4.02e-1 1.42e-1 2.57e-2 1.48e-3 1.60e-4 5.92e-6 1.62e-8 1.1e-14
8/18    2.40e-1 5.76e-2 6.07e-3 1.59e-4 9.81e-6 1.63e-7 1.1e-10 3.0e-18
8/20    1.32e-1 2.10e-2 1.28e-3 1.52e-5 5.30e-7 3.92e-9 6.8e-13 7.3e-22
8/22    6.69e-2 7.05e-3 2.46e-4 1.31e-6 2.59e-8 8.6e-11 3.7e-15 1.6e-25
10/20   4.12e-1 1.28e-1 1.71e-2 5.63e-4 3.86e-5 7.09e-7 5.4e-10 1.5e-17
16/32   4.30e-1 9.20e-2 5.24e-3 3.27e-5 5.69e-7 1.28e-9 2.1e-14 4.9e-26
20/32   8.92e-1 5.38e-1 1.33e-1 6.05e-3 4.01e-4 5.51e-6 1.72e-9 2.9e-18
10/30   2.14e-2 8.56e-4 7.28e-6 4.48e-9 1.8e-11 5.8e-15 -       -
`, func(row, column, cell string) {
		printed(t, row+" at "+column, codec.Unavailability(code(t, row), number(t, column)), cell)
	})
	// Glacier's, of which a part is destroyed; and a swarm as it was simulated for DHash.
	printed(t, "Glacier, .6 destroyed", codec.Unavailability(dhash.Code{Need: 5, Total: 48}, 1-.6), "9.90e-7")
	printed(t, "Glacier, .7 destroyed", codec.Unavailability(dhash.Code{Need: 5, Total: 48}, 1-.7), "3.0e-4")
	p := 891887.0 / (891887 + 172218)
	for c, want := range map[string]string{"7/14": "5.6e-4", "8/16": "2.9e-4", "8/20": "1.3e-6"} {
		printed(t, "availsim "+c, codec.Unavailability(code(t, c), p), want)
	}
}

// TestNines is the same in nines, of more systems.
func TestNines(t *testing.T) {
	eachCell(t, `
code    .7   .8   .9   .95  .99
1/3     1.6  2.1  3.0  3.9  6.0
7/14    1.5  2.6  4.8  7.0  12.5
3/10    2.8  4.1  6.4  8.8  14.4
8/12    0.6  1.1  2.4  3.7  7.1
10/30   5.1  8.3  14.2 20.4 34.9
10/25   3.3  5.7  10.1 14.7 25.7
29/80   10.0 17.5 31.8 46.8 82.7
29/35   0.0  0.2  1.3  2.8  7.3
8/20    2.9  4.8  8.4  12.2 21.1
8/17    1.9  3.3  6.0  8.9  15.7
8/16    1.6  2.8  5.2  7.8  14.0
8/11    0.4  0.8  1.7  2.8  5.5
4/20    6.3  9.1  14.1 19.1 31.0
4/16    4.5  6.6  10.4 14.2 23.3
`, func(row, column, cell string) {
		printed(t, row+" at "+column, codec.Nines(codec.Unavailability(code(t, row), number(t, column))), cell)
	})
}

// TestMagnus recomputes the table of Magnus's report, which has its codes as (Total, Need), and where they cross.
func TestMagnus(t *testing.T) {
	for _, c := range []struct {
		code string
		fail float64 // how likely a member fails
		want string  // availability in percent
	}{
		{"10/20", .25, "99.60579"}, {"10/20", .35, "94.68334"}, {"10/20", .50, "58.81"},
		{"10/30", .30, "99.99927"}, {"10/30", .50, "97.86130"},
		{"1/5", .10, "99.999"}, {"1/4", .10, "99.99"}, {"1/2", .50, "75"},
		{"5/10", .10, "99.98531"}, {"5/10", .20, "99.36306"}, {"5/10", .30, "95.26510"}, {"5/10", .50, "62.30469"},
	} {
		printed(t, c.code, 100*codec.Availability(code(t, c.code), 1-c.fail), c.want)
	}
	printed(t, "5/10 at .1", codec.Availability(dhash.Code{Need: 5, Total: 10}, .9), "0.9998531")
	better := codec.Unavailability(dhash.Code{Need: 5, Total: 10}, .9) / codec.Unavailability(dhash.Code{Need: 1, Total: 5}, .9)
	printed(t, "five copies against 5/10", better, "14.7")
	for _, c := range []struct{ code, copies, want string }{
		{"10/20", "1/2", "42.38"}, {"5/10", "1/2", "39.26"}, {"10/30", "1/3", "61.92"},
	} {
		low, high := 0.05, 0.95 // of failure; below the crossing the code is better
		for range 60 {
			mid := (low + high) / 2
			if codec.Unavailability(code(t, c.code), 1-mid) < codec.Unavailability(code(t, c.copies), 1-mid) {
				low = mid
			} else {
				high = mid
			}
		}
		printed(t, c.code+" crosses "+c.copies, 100*low, c.want)
	}
}

// TestUnequal is about members that differ, and draws without return.
func TestUnequal(t *testing.T) {
	p := append(append(same(.99, 4), same(.9, 8)...), same(.8, 4)...)
	printed(t, "unequal", plan.PoissonBinomial(8, p), "2.4082243862e-6")
	mean := 0.0
	for _, x := range p {
		mean += x / 16
	}
	printed(t, "their mean", codec.Unavailability(dhash.Code{Need: 8, Total: 16}, mean), "7.2724332319e-6")
	if u := plan.PoissonBinomial(8, append(same(1, 8), same(.3, 8)...)); u != 0 {
		t.Errorf("eight members that always answer: %g", u)
	}
	for _, c := range []struct {
		members, down int
		code, want    string
	}{
		{100, 10, "7/14", "6.440750e-7"}, {100, 10, "8/16", "5.597635e-8"}, {100, 10, "5/10", "3.182315e-5"},
		{100, 10, "10/20", "0"}, {30, 8, "7/14", "5.130768e-4"}, {30, 8, "8/16", "0"},
	} {
		got := plan.Hypergeometric(code(t, c.code), c.members, c.down)
		if printed(t, c.code, got, c.want); c.want == "0" && got != 0 {
			t.Errorf("%s: %g", c.code, got)
		}
	}
	if u := plan.Hypergeometric(dhash.Code{Need: 8, Total: 16}, 16, 16); u != 1 {
		t.Errorf("all are down: %g", u)
	}
}

// TestCorrelated is about members that fail together.
func TestCorrelated(t *testing.T) {
	eachCell(t, `
rho     0          .001       .01        .05        .1         .2
7/14    1.7210e-5  2.1130e-5  8.8974e-5  1.7029e-3  7.4340e-3  2.5672e-2
8/16    5.9243e-6  7.6923e-6  4.5419e-5  1.3817e-3  6.8926e-3  2.5380e-2
10/20   7.0886e-7  1.0492e-6  1.3040e-5  9.7531e-4  6.1152e-3  2.4934e-2
16/32   1.2821e-9  3.2567e-9  5.6996e-7  4.8532e-4  4.9179e-3  2.4180e-2
1/5     1.0000e-5  1.0927e-5  2.1919e-5  1.5385e-4  6.1361e-4  2.9920e-3
`, func(row, column, cell string) {
		printed(t, row+" at rho "+column, plan.BetaBinomial(code(t, row), .9, number(t, column)), cell)
	})
	eachCell(t, `
sites    1          2          3          4          7
8/16     1.0003e-2  1.0666e-2  1.1056e-3  4.3068e-4  4.5340e-5
7/14     1.0008e-2  9.7478e-3  1.2102e-3  5.2912e-4  5.3074e-5
`, func(row, column, cell string) {
		printed(t, row+" on sites: "+column, plan.Sites(code(t, row), .9, .01, int(number(t, column))), cell)
	})
	printed(t, "8/16, a site each", plan.Sites(dhash.Code{Need: 8, Total: 16}, .9, .01, 16), "5.9243e-6")
	printed(t, "7/14, a site each", plan.Sites(dhash.Code{Need: 7, Total: 14}, .9, .01, 14), "1.7210e-5")
	if u := plan.BetaBinomial(dhash.Code{Need: 3, Total: 2}, .9, .1); u != 1 {
		t.Errorf("fewer fragments than are needed: %g", u)
	}
}

// TestSmallestTotal is the table of how many members five nines take.
func TestSmallestTotal(t *testing.T) {
	for _, line := range strings.Split(`
.99 1e-5  1→3 2→4 3→5 4→7 5→8 6→9 7→10 8→11 10→13 16→20 32→37 64→70
.95 1e-5  1→4 2→6 4→9 7→13 8→14 10→16 16→23 32→42 64→78
.90 1e-5  1→5 2→7 3→9 4→10 5→12 6→13 7→15 8→16 9→18 10→19 12→22 14→24 16→27 20→32 24→37 32→47 48→67 64→86 128→162
.80 1e-5  1→8 4→14 7→19 8→21 10→24 16→34 32→58 64→103
.70 1e-5  1→10 4→18 8→26 10→30 16→41 32→70 64→123
.60 1e-5  1→13
.50 1e-5  1→17 4→29 8→42 10→48 16→65 32→107 64→185
.90 1e-9  1→9 4→15 7→20 8→21 10→24 16→33 20→38 32→54
.90 1e-12 8→25 10→28 16→37 32→59`, "\n")[1:] {
		fields := strings.Fields(line)
		for _, pair := range fields[2:] {
			k, n, _ := strings.Cut(pair, "→")
			got := plan.SmallestTotal(int(number(t, k)), number(t, fields[0]), number(t, fields[1]))
			if strconv.Itoa(got) != n {
				t.Errorf("%s for %s at %s: %d", pair, fields[1], fields[0], got)
			}
		}
	}
	if n := plan.SmallestTotal(64, .01, 1e-5); n != 0 {
		t.Errorf("what takes more than a thousand: %d", n)
	}
}
