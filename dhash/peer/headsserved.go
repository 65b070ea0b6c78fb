package peer

import (
	"context"
	"fmt"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// prepareHeads looks at whose heads a message has, and returns what serves it. A member needs no grants, but the handler
// hears whose were shown; the client of one needs them all. To check signatures is work, which waits for its turn.
func (c *served) prepareHeads(ctx context.Context, h header, body []byte) (func(), error) {
	owners, err := ownersOf(body)
	if err != nil {
		return nil, err
	}
	full := c.cfg.Full != nil && c.cfg.Full(c.id)
	granted := make([]bool, len(owners))
	for i, o := range owners {
		if _, granted[i] = c.grants[o]; !granted[i] && !full {
			return nil, ErrNotGranted
		}
	}
	return func() {
		c.chore(ctx, h, int64(len(body)), func() ([]byte, error) {
			heads, err := parseHeads(body)
			if err != nil {
				c.drop(err)
				return nil, err
			}
			verdicts, newer, err := c.handler.Heads(ctx, c.id, heads, granted)
			if err == nil && (len(verdicts) != len(heads) || len(newer) > maxNewer) {
				err = fmt.Errorf("%w: %d verdicts on %d heads, and %d others", venti.ErrUnavailable, len(verdicts), len(heads),
					len(newer))
			}
			return appendVerdicts(nil, verdicts, newer), err
		})
	}, nil
}

// findHeads serves a findheads.
func (c *served) findHeads(ctx context.Context, h header, owners []dhash.Owner) {
	var body []byte
	held, err := c.load(ctx, c.loads, int64(len(owners))*(1+venti.HeadSize), func() (int64, error) {
		heads, err := c.handler.FindHeads(ctx, c.id, owners)
		if err == nil && len(heads) != len(owners) {
			err = fmt.Errorf("%w: %d answers for %d owners", venti.ErrUnavailable, len(heads), len(owners))
		}
		body = appendHeadsOf(nil, heads)
		return int64(len(body)), err
	})
	c.reply(h, err, body, nil, held)
}

// prepareRoots parses a roots and returns what serves it.
func (c *served) prepareRoots(ctx context.Context, h header, body []byte) (func(), error) {
	owner, from, err := parseRootsOf(body)
	if err != nil {
		return nil, err
	}
	if _, granted := c.grants[owner]; !granted {
		return nil, ErrNotGranted
	}
	return func() {
		c.chore(ctx, h, 32+MaxRoots*venti.ScoreSize, func() ([]byte, error) {
			scores, next, err := c.handler.Roots(ctx, c.id, owner, from)
			if err == nil && len(scores) > MaxRoots {
				err = fmt.Errorf("%w: %d roots", venti.ErrUnavailable, len(scores))
			}
			return appendRoots(nil, scores, next), err
		})
	}, nil
}
