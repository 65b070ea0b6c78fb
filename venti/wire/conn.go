package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"ventidhash/venti"
)

// A served is one connection at the server. One goroutine reads requests, and each is answered by one of its own. While
// maxParallel requests are being served none is read, and then a client that goes is noticed only when one of them
// ends.
type served struct {
	*service
	conn  net.Conn
	in    *bufio.Reader
	slots chan struct{}  // an element for each request that is being served
	work  sync.WaitGroup // requests that are being served

	writing sync.Mutex // held while an answer is written

	mu   sync.Mutex // protects the following
	busy [256]bool  // tags of requests that have no answer yet
}

// serve serves a connection until the client goes, breaks a rule, or ctx is done, and then closes it.
func (v *service) serve(ctx context.Context, conn net.Conn) {
	c := &served{
		service: v,
		conn:    conn,
		in:      bufio.NewReaderSize(conn, readBuffer),
		slots:   make(chan struct{}, maxParallel),
	}
	// Requests outlive ctx, for that they are answered; they do not outlive the client.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	err := inTime(ctx, conn, c.greet)
	if err == nil {
		stop := context.AfterFunc(ctx, func() { conn.SetReadDeadline(longAgo()) })
		err = c.receive(ctx, work)
		stop()
	}
	drop := func() {
		conn.Close() // first: that the work is cancelled is no answer
		cancel()
	}
	if ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, os.ErrDeadlineExceeded)) {
		c.drain(drop)
	}
	drop()
	c.work.Wait()
	switch {
	case ctx.Err() != nil, err == io.EOF:
	case errors.Is(err, errMalformed), errors.Is(err, errDialect):
		v.log.Warn("closed the connection of a client", slog.Any("from", conn.RemoteAddr()), slog.Any("err", err))
	default:
		v.log.Debug("lost a client", slog.Any("from", conn.RemoteAddr()), slog.Any("err", err))
	}
}

// drain waits for the requests that are being served, but calls drop after drainTime, or when the client goes. What
// else the client sends is thrown away: a TCP connection that is closed with something unread may take our last answers
// with it.
func (c *served) drain(drop func()) {
	timer := time.AfterFunc(drainTime, drop)
	c.conn.SetReadDeadline(time.Time{})
	var watch sync.WaitGroup
	watch.Go(func() {
		io.Copy(io.Discard, c.in)
		drop()
	})
	c.work.Wait()
	timer.Stop()
	drop()
	watch.Wait()
}

// greet exchanges version lines and hellos.
func (c *served) greet() error {
	if err := exchangeLines(c.conn, c.in); err != nil {
		return err
	}
	h, err := readHead(c.in)
	if err != nil {
		return err
	}
	if h.kind != tHello || h.tag != 0 {
		return fmt.Errorf("%w: kind %d and tag %d in place of a hello", errMalformed, h.kind, h.tag)
	}
	m, err := readFields(c.in, h, make([]byte, h.size))
	if err != nil {
		return err
	}
	if m.version != dialect {
		return fmt.Errorf("%w: the hello says %q", errMalformed, m.version)
	}
	_, err = c.conn.Write((&message{kind: rHello, version: dialect}).appendTo(nil))
	return err
}

// receive reads requests and starts serving them, under the context work, until ctx is done or the client ends. It
// returns io.EOF if the client went as it should.
func (c *served) receive(ctx, work context.Context) error {
	for {
		if !c.readBy(ctx, time.Time{}) { // a client may be silent between requests for as long as it likes
			return ctx.Err()
		}
		h, err := readHead(c.in)
		if err != nil {
			return err
		}
		if h.kind == tGoodbye {
			return io.EOF
		}
		if err := c.register(h); err != nil {
			return err
		}
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if h.isLarge() {
			select {
			case c.blocks <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := c.receiveFields(ctx, work, h); err != nil {
			if h.isLarge() {
				<-c.blocks
			}
			return err
		}
	}
}

// receiveFields reads the rest of a request and starts serving it. On success it is the new goroutine that gives back
// the request's slot, its block and its buffer.
func (c *served) receiveFields(ctx, work context.Context, h head) error {
	if c.in.Buffered() < h.size && !c.readBy(ctx, time.Now().Add(messageTime)) {
		return ctx.Err()
	}
	buf := c.pool.take(h.size)
	m, err := readFields(c.in, h, *buf)
	if err != nil {
		c.pool.give(buf)
		return err
	}
	c.work.Go(func() {
		defer func() { <-c.slots }()
		a, err := c.do(work, &m)
		c.pool.give(buf)
		if h.isLarge() {
			<-c.blocks
		}
		if err != nil {
			a = errorMessage(err)
		}
		c.answer(&a, h.tag)
		if a.kind == rRead {
			<-c.blocks
		}
	})
	return nil
}

// readBy sets the time by which what is read next must have come, and returns false if ctx is done: its deadline, which
// has passed, then stands.
func (c *served) readBy(ctx context.Context, t time.Time) bool {
	c.conn.SetReadDeadline(t)
	if ctx.Err() == nil {
		return true // when ctx ends from here on, AfterFunc sets the deadline after us
	}
	c.conn.SetReadDeadline(longAgo())
	return false
}

// register notes that a request has come.
func (c *served) register(h head) error {
	if !h.kind.isRequest() || h.kind == tHello {
		return fmt.Errorf("%w: kind %d in place of a request", errMalformed, h.kind)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy[h.tag] {
		return fmt.Errorf("%w: tag %d is outstanding already", errMalformed, h.tag)
	}
	c.busy[h.tag] = true
	return nil
}

// answer sends the answer to the request with a tag.
func (c *served) answer(a *message, tag byte) {
	a.tag = tag
	c.mu.Lock()
	c.busy[tag] = false // the client may use it again as soon as it has the answer
	c.mu.Unlock()
	out := net.Buffers{a.appendTo(nil)}
	if len(a.data) > 0 {
		out = append(out, a.data)
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.conn.SetWriteDeadline(time.Now().Add(messageTime))
	if _, err := out.WriteTo(c.conn); err != nil {
		c.conn.Close() // half an answer may be out; the reader notices
	}
}

// do carries out a request and returns the answer to it. An rRead holds one of c.blocks.
func (c *served) do(ctx context.Context, m *message) (message, error) {
	a := message{kind: m.kind + 1}
	var err error
	switch m.kind {
	case tRead:
		a.data, err = c.get(ctx, m.score)
	case tWrite:
		a.score, err = c.Store.Put(ctx, m.data)
	case tVital:
		a.score, err = venti.PutVital(ctx, c.Store, m.data)
	case tHas:
		a.has, err = c.Store.Has(ctx, m.scores)
		if err == nil && len(a.has) != len(m.scores) {
			err = fmt.Errorf("the store gave %d answers for %d scores", len(a.has), len(m.scores))
		}
	case tSync:
		err = c.Store.Sync(ctx)
	case tYield:
		if c.Yield == nil {
			err = errors.New("this process does not hand over its store")
		} else {
			err = c.Yield(ctx)
		}
	}
	return a, err
}

// get reads a block. If it succeeds, the block holds one of c.blocks.
func (c *served) get(ctx context.Context, score venti.Score) ([]byte, error) {
	select {
	case c.blocks <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	block, err := c.Store.Get(ctx, score)
	if err == nil && len(block) > venti.MaxBlock {
		err = fmt.Errorf("%w: %d bytes", venti.ErrTooLarge, len(block))
	}
	if err != nil {
		<-c.blocks
		return nil, err
	}
	return block, nil
}
