package wire

import (
	"context"
	"fmt"
	"net"
	"time"

	"ventidhash/venti"
)

// Get implements venti.Store. It hashes the block that arrives; a wrong one is venti.ErrCorrupt.
func (c *Client) Get(ctx context.Context, score venti.Score) ([]byte, error) {
	m, err := c.do(ctx, &message{kind: tRead, score: score})
	if err == nil && venti.Sum(m.data) != score {
		err = fmt.Errorf("%w: the server sent other bytes", venti.ErrCorrupt)
	}
	if err != nil {
		return nil, &venti.BlockError{Op: "get", Score: score, Err: err}
	}
	return m.data, nil
}

// Put implements venti.Store. The block is hashed while the server is at work, and the server's score is compared with
// that.
func (c *Client) Put(ctx context.Context, block []byte) (venti.Score, error) {
	return c.put(ctx, tWrite, block)
}

// PutVital implements venti.VitalStore. A server whose store knows no difference treats it as Put.
func (c *Client) PutVital(ctx context.Context, block []byte) (venti.Score, error) {
	return c.put(ctx, tVital, block)
}

func (c *Client) put(ctx context.Context, k kind, block []byte) (venti.Score, error) {
	if len(block) > venti.MaxBlock {
		err := fmt.Errorf("%w: %d bytes, at most %d", venti.ErrTooLarge, len(block), venti.MaxBlock)
		return venti.Score{}, &venti.BlockError{Op: "put", Score: venti.Sum(block), Err: err}
	}
	a, err := c.send(ctx, &message{kind: k, data: block})
	score := venti.Sum(block)
	var m message
	if err == nil {
		m, err = c.wait(ctx, a)
	}
	if err == nil && m.score != score {
		err = fmt.Errorf("%w: the server stored other bytes, with score %v", venti.ErrCorrupt, m.score)
	}
	if err != nil {
		return venti.Score{}, &venti.BlockError{Op: "put", Score: score, Err: err}
	}
	return score, nil
}

// Has implements venti.Store. A long list travels in several messages, so it is no snapshot of one moment.
func (c *Client) Has(ctx context.Context, scores []venti.Score) ([]bool, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	has := make([]bool, 0, len(scores))
	for len(scores) > 0 {
		n := min(len(scores), maxHas)
		m, err := c.do(ctx, &message{kind: tHas, scores: scores[:n]})
		if err != nil {
			return nil, fmt.Errorf("asking for %d blocks: %w", n, err)
		}
		has, scores = append(has, m.has...), scores[n:]
	}
	return has, nil
}

// Sync implements venti.Store.
func (c *Client) Sync(ctx context.Context) error { return c.plain(ctx, tSync, "sync") }

// Ping asks for an answer and nothing else.
func (c *Client) Ping(ctx context.Context) error { return c.plain(ctx, tPing, "ping") }

// Yield asks the server's process to hand over ownership of the store. When it returns nil the process has agreed; it
// closes the connection when it has let go.
func (c *Client) Yield(ctx context.Context) error { return c.plain(ctx, tYield, "yield") }

// plain sends a request that has no fields, and whose answer has none.
func (c *Client) plain(ctx context.Context, k kind, name string) error {
	if _, err := c.do(ctx, &message{kind: k}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Close says goodbye if that takes no waiting, closes the connection and returns when nothing of the Client runs any
// more. What is outstanding fails with ErrLost, and so does everything after. Calls after the first do nothing.
func (c *Client) Close() error {
	select {
	case c.turn <- struct{}{}:
		if c.lost() == nil {
			c.conn.SetWriteDeadline(time.Now().Add(goodbyeTime))
			c.conn.Write((&message{kind: tGoodbye}).appendTo(nil)) // a courtesy: the server closes anyway
		}
		<-c.turn
	default:
	}
	err := c.fail(net.ErrClosed)
	c.work.Wait()
	return err
}
