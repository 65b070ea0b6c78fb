package node

import (
	"context"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// Lookup asks the DHT who is closest to a block.
func (c *Client) Lookup(ctx context.Context, s venti.Score) ([]dhash.ID, error) {
	return c.p.lookup(ctx, s)
}
