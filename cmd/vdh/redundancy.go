package main

import (
	"context"
	"fmt"
	"math"
)

// A redundancy says how well the members of a swarm hold what this run has put, or has found to be there already.
type redundancy struct {
	Blocks int64   `json:"blocks_put"`
	New    int64   `json:"blocks_new"`             // of these, those that the members did not have
	Added  int64   `json:"-"`                      // bytes of the new blocks
	Below  int64   `json:"blocks_below_target"`    // those that have fewer fragments than a stored block should
	Nines  float64 `json:"lowest_nines,omitempty"` // the availability of the weakest, 3 for 99.9 %; finite, 0 without blocks
	Target float64 `json:"target_nines,omitempty"` // of the swarm

	// Promise is the availability that a new block of the swarm has just before it is repaired.
	Promise float64 `json:"threshold_nines,omitempty"`

	// Alone says that the swarm has one member only, as far as is known: the others have not been heard for the grace period,
	// or there never were any.
	Alone bool `json:"-"`
}

// A thin error says that everything was stored, but not everything with the target redundancy.
type thin struct{ text string }

func (t thin) Error() string { return t.text }

// redundancy returns how well the members of the swarm hold what was put, nil where the store is a folder.
func (a *app) redundancy(ctx context.Context) (*redundancy, error) {
	if a.swarm == nil {
		return nil, nil
	}
	r, err := a.swarm.Report(ctx)
	if err != nil {
		return nil, fmt.Errorf("everything is stored, but how safely is not known: %w", err)
	}
	return &r, nil
}

// thinly returns a thin error if what was put has less than the target redundancy, or the list could not be handed out.
func (a *app) thinly(ctx context.Context) error {
	r, err := a.redundancy(ctx)
	if err != nil {
		return err
	}
	return a.lagging(r.shortfall())
}

// shortfall returns a thin error if blocks are below the target.
func (r *redundancy) shortfall() error {
	if r == nil {
		return nil
	}
	nines := math.Floor(r.Nines*100) / 100 // never more than there is
	const advice = "more members, or more room on them, raise it"
	switch {
	case r.Below > 0:
		return thin{fmt.Sprintf("stored, but with %s below the swarm's target redundancy, the weakest at %.2f nines; %s",
			count(r.Below, "block", "blocks"), nines, advice)}
	case r.Nines > 0 && r.Nines < r.Target-ninesSlack && r.Alone:
		return thin{fmt.Sprintf("stored, but by one member alone, for the swarm has no other one or none has been heard lately: "+
			"that is %.2f nines, and its target is %g; more members raise it", nines, r.Target)}
	case r.Nines > 0 && min(r.Nines, r.Promise) < r.Target-ninesSlack:
		return thin{fmt.Sprintf("stored, but the swarm is too small for its target of %g nines: the weakest block has %.2f now, "+
			"and as few as %.2f before it is repaired; %s", r.Target, nines, math.Floor(r.Promise*100)/100, advice)}
	}
	return nil
}

// ninesSlack is how much the arithmetic may be off.
const ninesSlack = 1e-6
