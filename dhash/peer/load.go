package peer

import (
	"context"
	"errors"
	"fmt"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const (
	loadGuess  = 128 << 10 // bytes that a get is taken to need before the handler has answered
	auditBytes = 8 << 20   // of payloads: when so many were read for one message of challenges, the rest waits for another
)

// get serves a get.
func (c *served) get(ctx context.Context, h header, want Want) {
	var f *dhash.Fragment
	held, err := c.load(ctx, c.loads, loadGuess, func() (size int64, err error) {
		f, err = c.handler.Get(ctx, c.id, want)
		if err != nil {
			return 0, err
		}
		return int64(len(f.Payload)), nil
	})
	if err != nil {
		c.reply(h, err, nil, nil, held)
		return
	}
	c.reply(h, nil, f.AppendHeader(make([]byte, 0, 256)), f.Payload, held)
}

// have serves a have.
func (c *served) have(ctx context.Context, h header, owner dhash.Owner, scores []venti.Score) {
	var body []byte
	held, err := c.load(ctx, c.loads, int64(len(scores))*(1+heldSize), func() (int64, error) {
		all, err := c.handler.Have(ctx, c.id, owner, scores)
		if err == nil && len(all) != len(scores) {
			err = fmt.Errorf("%w: %d answers for %d scores", venti.ErrUnavailable, len(all), len(scores))
		}
		body = appendHeld(nil, all)
		return int64(len(body)), err
	})
	c.reply(h, err, body, nil, held)
}

// reconcile serves a message of a reconciliation.
func (c *served) reconcile(ctx context.Context, h header, msg []byte) {
	c.chore(ctx, h, MaxReconcile, func() ([]byte, error) {
		body, err := c.handler.Reconcile(ctx, c.id, msg)
		if err == nil && len(body) > MaxReconcile {
			err = fmt.Errorf("%w: %d bytes in answer to a reconciliation", venti.ErrUnavailable, len(body))
		}
		return body, err
	})
}

// challenge serves a message of challenges.
func (c *served) challenge(ctx context.Context, h header, all []Challenge) {
	c.chore(ctx, h, int64(len(all))*(2+dhash.MaxLeaf), func() ([]byte, error) { return c.prove(ctx, all) })
}

// chore serves a small message that can make a disk or the processor work much: one of a stream at a time and a few of all, in a queue of
// their own, so that gets do not wait for them.
func (c *served) chore(ctx context.Context, h header, guess int64, work func() ([]byte, error)) {
	select {
	case c.oneChore <- struct{}{}:
	case <-ctx.Done():
		c.refuse(h.id, ctx.Err())
		return
	}
	var body []byte
	held, err := c.load(ctx, c.chores, guess, func() (size int64, err error) {
		body, err = work()
		return int64(len(body)), err
	})
	<-c.oneChore
	c.reply(h, err, body, nil, held)
}

// prove answers challenges, one after the other, until all are answered or enough was read.
func (c *served) prove(ctx context.Context, all []Challenge) (body []byte, err error) {
	read := 0
	for i, ch := range all {
		leaf, err := c.handler.Challenge(ctx, c.id, ch)
		switch {
		case err == nil && leaf != nil:
			body = appendLeaf(body, leaf.Append(nil))
			read += leaf.Fragment.Code.PayloadSize(leaf.Fragment.Length)
		case err == nil, errors.Is(err, dhash.ErrNoFragment), errors.Is(err, dhash.ErrFragment),
			errors.Is(err, venti.ErrCorrupt):
			body = appendLeaf(body, nil)
		case i == 0:
			return nil, err
		default:
			return body, nil // of what is left the member asks again, and hears why
		}
		if read >= auditBytes {
			return body, nil
		}
	}
	return body, nil
}

// load waits until there is room for an answer of about so many bytes, and until it is this request's turn, and has the
// handler work. The room that the answer really needs is taken afterwards; free gives it back.
func (c *served) load(ctx context.Context, turn chan struct{}, guess int64,
	work func() (size int64, err error)) (free func(), err error) {
	if err := c.inReply.take(ctx, guess); err != nil {
		return nil, err
	}
	if err := c.answers.take(ctx, guess); err != nil {
		c.inReply.give(guess)
		return nil, err
	}
	size := int64(0)
	select {
	case turn <- struct{}{}: // whoever has one gives it back without waiting for a member
		if err = c.out.ended(); err == nil { // else what was to be sent, and is not, has made the room
			size, err = work()
		}
		<-turn
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.inReply.adjust(guess, size)
	c.answers.adjust(guess, size)
	return func() {
		c.answers.give(size)
		c.inReply.give(size)
	}, err
}
