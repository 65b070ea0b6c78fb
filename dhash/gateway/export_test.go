package gateway

import (
	"context"
	"time"

	"ventidhash/venti"
)

// Probe asks the members closest to a block whether they are there, unless that was begun since a time, and returns how many
// are.
func (g *Gateway) Probe(ctx context.Context, s venti.Score, since time.Time) int {
	return g.probe(ctx, s, since).answers
}
