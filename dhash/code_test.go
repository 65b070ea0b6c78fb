package dhash_test

import (
	"testing"

	"ventidhash/dhash"
)

// The laws of a code: text and back, a threshold between Need and Total, payloads that hold the block.
func TestCode(t *testing.T) {
	for total := 1; total <= dhash.MaxTotal; total++ {
		for need := 1; need <= total; need++ {
			c := dhash.Code{Need: need, Total: total}
			if got, err := dhash.ParseCode(c.String()); err != nil || got != c {
				t.Fatalf("%v reads as %v, %v", c, got, err)
			}
			if r := c.Threshold(); r < need || r > total || r < total-(total+4)/5 {
				t.Errorf("%v: threshold %d", c, r)
			}
			if u := c.UrgentLine(); u != need+3 && u != c.Threshold()-1 || u > need+3 || u >= c.Threshold() {
				t.Errorf("%v: urgent at %d, threshold %d", c, u, c.Threshold())
			}
			if c.DomainLimit() < 1 || c.DomainLimit() > 1 && total-c.DomainLimit() < need+3 {
				t.Errorf("%v: %d in a domain", c, c.DomainLimit())
			}
			if c.Overhead() != float64(total)/float64(need) {
				t.Errorf("%v: overhead %v", c, c.Overhead())
			}
			for _, length := range []int{0, 1, 64, 65, 4095, 4096} {
				size := c.PayloadSize(length)
				if need*size < length || need > 1 && (size%64 != 0 || need*(size-64) >= length && size > 0) {
					t.Errorf("%v: %d bytes in payloads of %d", c, length, size)
				}
			}
		}
	}
	for _, c := range []dhash.Code{{}, {Need: -1, Total: 2}, {Need: 3, Total: 2}, {Need: 1, Total: 65}} {
		if c.Validate() == nil {
			t.Errorf("%v is valid", c)
		}
	}
}
