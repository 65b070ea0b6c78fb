package main

import (
	"context"
	"errors"

	"ventidhash/venti"
)

// A swarmStore is the store that the members of a swarm make together. Its methods may be called from many goroutines
// at once.
type swarmStore interface {
	venti.VitalStore

	// ID names the swarm, and stays the same for as long as there is one: what this machine knows about the swarm's
	// blocks is kept under it.
	ID() string

	// Report says how well that is held which was put until now. After Sync it is the last word on the blocks put
	// before.
	Report() redundancy

	// Close ends this machine's part in what was begun; no goroutine of the store outlives it.
	Close() error
}

// errNoSwarm says that this machine is in no swarm.
var errNoSwarm = errors.New("this machine has joined no swarm: vdh swarm init founds one, vdh swarm join TOKEN joins one")

// openSwarm opens the store of the swarm that this machine has joined. create is set where a backup is about to begin,
// so that what it needs may be made; otherwise nothing is. a.owner is the owner of the blocks, nil where only a share is
// read.
func (a *app) openSwarm(ctx context.Context, create bool) (swarmStore, error) {
	return nil, errNoSwarm
}
