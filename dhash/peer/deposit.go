package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// receiveLarge reads the rest of a put, copy or statement and starts serving it. It waits until there is room for it in
// memory, and with it all that comes after it on the stream.
func (c *served) receiveLarge(ctx context.Context, h header) error {
	size := int64(h.size)
	if err := c.inPuts.take(ctx, size); err != nil {
		return err
	}
	if err := c.puts.take(ctx, size); err != nil {
		c.inPuts.give(size)
		return err
	}
	buf := c.pool.take(h.size)
	free := func() {
		c.pool.give(buf)
		c.puts.give(size)
		c.inPuts.give(size)
	}
	c.begun = time.Now() // what we have waited for room is not the member's fault
	if err := c.readFull(*buf); err != nil {
		free()
		return err
	}
	serve, err := c.prepareLarge(ctx, h, *buf)
	if err != nil && errors.Is(err, errMalformed) {
		free()
		return err
	}
	if err = c.refusing(err); err != nil {
		free()
		c.refuse(h.id, err)
		return nil
	}
	c.workers.Go(func() {
		body, err := serve()
		free()
		c.reply(h, err, body, nil, nil)
	})
	return nil
}

// prepareLarge parses a put, copy or statement and returns what serves it.
func (c *served) prepareLarge(ctx context.Context, h header, body []byte) (serve func() ([]byte, error), err error) {
	switch h.kind {
	case kPut:
		claim, f, err := parsePut(body)
		if _, granted := c.grants[claim.Owner]; err == nil && !granted {
			err = ErrNotGranted
		}
		return func() ([]byte, error) {
			coding := f.Coding()
			free, err := c.handler.Put(ctx, c.id, claim, f, coding)
			return receipt(free, coding), err
		}, err
	case kCopy:
		claims, f, err := parseCopy(body)
		return func() ([]byte, error) {
			coding := f.Coding()
			free, err := c.handler.Copy(ctx, c.id, claims, f, coding)
			return receipt(free, coding), err
		}, err
	}
	return func() ([]byte, error) { // a statement
		reply, err := c.handler.State(ctx, c.id, body)
		if err == nil && (len(reply) < 1 || len(reply) > MaxReply) {
			err = fmt.Errorf("%w: %d bytes in answer to a statement", venti.ErrUnavailable, len(reply))
		}
		return reply, err
	}, nil
}

func receipt(free int64, coding dhash.Coding) []byte {
	r := Receipt{max(free, 0), coding}
	return r.append(nil)
}
