package main

import (
	"fmt"
	"math"
)

// A redundancy says how well the members of a swarm hold what this run has put.
type redundancy struct {
	Blocks int64   `json:"blocks_put"`
	Below  int64   `json:"blocks_below_target"`    // of them, those that have less than the target redundancy
	Nines  float64 `json:"lowest_nines,omitempty"` // the availability of the weakest, 3 for 99.9 %; finite, 0 without blocks
}

// A thin error says that everything was stored, but not everything with the target redundancy.
type thin struct{ text string }

func (t thin) Error() string { return t.text }

// redundancy returns how well the members of the swarm hold what was put, nil where the store is a folder.
func (a *app) redundancy() *redundancy {
	if a.swarm == nil {
		return nil
	}
	r := a.swarm.Report()
	return &r
}

// shortfall returns a thin error if blocks are below the target.
func (r *redundancy) shortfall() error {
	if r == nil || r.Below == 0 {
		return nil
	}
	nines := math.Floor(r.Nines*100) / 100 // never more than there is
	return thin{fmt.Sprintf("stored, but with %d of %s below the swarm's target redundancy, the weakest at %.2f nines; "+
		"more members, or more room on them, raise it", r.Below, count(r.Blocks, "block", "blocks"), nines)}
}
