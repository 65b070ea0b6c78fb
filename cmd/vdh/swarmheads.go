package main

import (
	"context"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// swarmHeads is where the machines of an owner find each other's heads: with the members of the swarm, which is joined
// when that is first asked for.
type swarmHeads struct{ a *app }

// open returns the swarm.
func (h swarmHeads) open(ctx context.Context) (swarmStore, error) {
	if _, err := h.a.blocks(ctx, false); err != nil {
		return nil, err
	}
	return h.a.swarm, nil
}

// Find implements catalog.Heads.
func (h swarmHeads) Find(ctx context.Context) ([]venti.Head, error) {
	s, err := h.open(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.Heads(ctx, dhash.Owner(h.a.owner.PublicKey()))
	return found.Heads, err
}

// Publish implements catalog.Heads.
func (h swarmHeads) Publish(ctx context.Context, head venti.Head) ([]venti.Head, error) {
	s, err := h.open(ctx)
	if err != nil {
		return nil, err
	}
	done, err := s.PublishHead(ctx, head)
	return done.Others, err
}
