package years_test

import (
	"math"
	"testing"

	"ventidhash/dhash/sim/years"
)

// Against the bounds by exact arithmetic: solutions of P(X ≤ failures) = 1 − confidence in 60
// digits (testdata/bound.py).
func TestUpperBound(t *testing.T) {
	for _, v := range []struct {
		failures, attempts int
		want               float64
	}{
		{0, 1, 0.95},
		{0, 300000, 9.98572438750229e-06},
		{1, 10, 0.394163302436505},
		{5, 100, 0.102253377643275},
		{9, 10, 0.994883803108176},
		{20, 1000000, 2.90618871599407e-05},
		{10, 10, 1},
		{0, 0, 1},
		{150, 2000, 0.085407951308438},
	} {
		if got := years.UpperBound(v.failures, v.attempts, 0.95); math.Abs(got/v.want-1) > 1e-9 {
			t.Errorf("%d of %d: %.12g, want %.12g", v.failures, v.attempts, got, v.want)
		}
	}
}
