package plan

import (
	"math"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
)

// PoissonBinomial returns the probability that fewer than need of the members answer, member i with probability p[i],
// independently.
func PoissonBinomial(need int, p []float64) float64 {
	return tail(need, distribution(p))
}

// distribution returns how likely each number of members is to answer.
func distribution(p []float64) []float64 {
	d := make([]float64, 1, len(p)+1)
	d[0] = 1
	for _, up := range p {
		d = append(d, 0)
		for i := len(d) - 1; i >= 0; i-- {
			d[i] *= 1 - up
			if i > 0 {
				d[i] += d[i-1] * up
			}
		}
	}
	return d
}

// tail sums a distribution below need, from its small end.
func tail(need int, d []float64) float64 {
	sum := 0.0
	for _, x := range d[:min(max(0, need), len(d))] {
		sum += x
	}
	return min(sum, 1)
}

// Hypergeometric returns the probability that fewer than c.Need of c.Total members answer, which are a random draw from
// so many members of which exactly down do not answer; 0 ≤ down ≤ members, c.Total ≤ members.
func Hypergeometric(c dhash.Code, members, down int) float64 {
	sum := 0.0
	for i := max(0, c.Total-down); i < c.Need && i <= members-down; i++ {
		sum += math.Exp(logChoose(members-down, i) + logChoose(down, c.Total-i) - logChoose(members, c.Total))
	}
	return min(sum, 1)
}

// logChoose returns the logarithm of n over k, 0 ≤ k ≤ n.
func logChoose(n, k int) float64 {
	sum := 0.0
	for i := 1; i <= min(k, n-k); i++ {
		sum += math.Log(float64(n-min(k, n-k)+i) / float64(i))
	}
	return sum
}

// BetaBinomial returns the probability that fewer than c.Need of c.Total members answer, if each does with probability
// p, 0 < p < 1, and any two of them are correlated by rho, 0 ≤ rho < 1: how many answer today is binomial, with a
// probability that is itself drawn, for all of them, from a Beta distribution of mean p. With rho 0 it is binomial.
func BetaBinomial(c dhash.Code, p, rho float64) float64 {
	// Beta(i+a, n−i+b) / Beta(a, b) as a product, each factor divided by a+b = (1−rho)/rho: no logarithm of Γ is
	// needed, and rho may be 0.
	s := rho / (1 - rho)
	if c.Need > c.Total {
		return 1
	}
	sum, ways := 0.0, 1.0
	for i := range max(0, c.Need) {
		term := ways
		for j := range c.Total {
			x := p + float64(j)*s
			if j >= i {
				x = 1 - p + float64(j-i)*s
			}
			term *= x / (1 + float64(j)*s)
		}
		sum += term
		ways = ways * float64(c.Total-i) / float64(i+1)
	}
	return min(sum, 1)
}

// Sites returns the probability that fewer than c.Need of c.Total members answer, which are spread over so many sites
// as evenly as can be, if each site is down with probability down, 0 ≤ down < 1−p, and all of it with it, and if each
// member answers with probability p in all.
func Sites(c dhash.Code, p, down float64, sites int) float64 {
	d := []float64{1}
	for s := range sites {
		here := c.Total / sites
		if s < c.Total%sites {
			here++
		}
		up := make([]float64, here)
		for i := range up {
			up[i] = p / (1 - down)
		}
		site := distribution(up)
		for i := range site {
			site[i] *= 1 - down
		}
		site[0] += down
		d = convolve(d, site)
	}
	return tail(c.Need, d)
}

// convolve returns the distribution of the sum of two numbers.
func convolve(a, b []float64) []float64 {
	out := make([]float64, len(a)+len(b)-1)
	for i, x := range a {
		for j, y := range b {
			out[i+j] += x * y
		}
	}
	return out
}

// maxSmallest bounds the search of SmallestTotal; beyond, the arithmetic overflows.
const maxSmallest = 1000

// SmallestTotal returns the smallest n for which need of n members answer but with probability u at most, each of them
// with probability p, independently. n may be more than dhash.MaxTotal; it is 0 if it would be more than a thousand.
func SmallestTotal(need int, p, u float64) int {
	for n := need; n <= maxSmallest; n++ {
		if codec.Unavailability(dhash.Code{Need: need, Total: n}, p) <= u*(1+slack) {
			return n
		}
	}
	return 0
}

// slack is how much more than the target an unavailability may be, as a part of it, and still count as reaching it, as
// in codec.Policy.
const slack = 1e-12
