package plan_test

import (
	"math/rand/v2"

	"ventidhash/dhash"
	"ventidhash/dhash/plan"
)

// runs is how many chains are run.
const runs = 40_000

// chains returns the mean time in years in which a block is lost, in chains that are run until then. lam and mu are the
// losses of a fragment and the repairs a year.
func chains(m plan.Model, c dhash.Code, trigger int, lam, mu float64) float64 {
	rng := rand.New(rand.NewPCG(7, uint64(m)))
	years := 0.0
	for range runs {
		for i := c.Total; i >= c.Need; {
			die, repair, to := float64(i)*lam, 0.0, i+1
			switch {
			case i == c.Total:
			case m == plan.M1:
				repair = float64(c.Total-i) * mu
			case m == plan.M1s:
				repair = mu
			case i <= trigger:
				repair, to = mu, c.Total
			}
			years += rng.ExpFloat64() / (die + repair)
			if rng.Float64()*(die+repair) < repair {
				i = to
			} else {
				i--
			}
		}
	}
	return years / runs
}
