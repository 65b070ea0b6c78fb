package main

import (
	"testing"

	"ventidhash/dhash"
)

// TestKilledEarly kills a member right after it joined, before it has noted where the others are: started again, it finds
// them by the addresses that it was invited with.
func TestKilledEarly(t *testing.T) {
	r := newTrial(t, 4, dhash.Code{Need: 1, Total: 3}, nil)
	r.kill(3)
	r.do(r.swarm.Run(3), r.swarm.Settle(t.Context(), 4))
}
