package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

const (
	goodbyeTime    = 100 * time.Millisecond
	maxOutstanding = 64      // requests of one client
	readBuffer     = 1 << 16 // most of a block is read past it, straight to where it belongs
)

// A Client is a venti.Store at the other end of a connection. Any number of goroutines share it: up to maxOutstanding
// requests travel at once, others wait for their turn.
//
// A call whose context ends returns at once. Its request may be carried out all the same; the late answer is discarded.
// If the context of a Put ends while the block is being sent, what is left of it is copied and sent on, so that others
// can go on using the connection and the caller may use the slice. That takes a connection which survives a write
// deadline: net's do, a tls.Conn is lost.
type Client struct {
	conn net.Conn
	in   *bufio.Reader  // the reader's
	turn chan struct{}  // holds an element while somebody writes
	tags chan byte      // those that are free
	gone chan struct{}  // closed when the connection is lost
	work sync.WaitGroup // goroutines

	mu    sync.Mutex // protects the following
	calls [256]*call // by tag; a tag is either here or in tags, or its answer is being read
	cause error      // why the connection is lost
}

// A call is a request that has no answer yet.
type call struct {
	request   kind
	asked     int          // how many scores a tHas has
	answer    chan message // room for one
	abandoned bool         // nobody waits for the answer; protected by Client.mu
}

// NewClient exchanges version lines and hellos on conn, which must take no longer than ten seconds and no longer than
// ctx allows, and returns a Client. It starts a goroutine that lasts until Close or until the connection is lost. If
// NewClient fails it leaves nothing running, and conn is still the caller's to close.
func NewClient(ctx context.Context, conn net.Conn) (*Client, error) {
	c := &Client{
		conn: conn,
		in:   bufio.NewReaderSize(conn, readBuffer),
		turn: make(chan struct{}, 1),
		tags: make(chan byte, maxOutstanding),
		gone: make(chan struct{}),
	}
	for tag := range maxOutstanding {
		c.tags <- byte(tag)
	}
	err := inTime(ctx, conn, func() error {
		if err := exchangeLines(conn, c.in); err != nil {
			return err
		}
		return c.hello()
	})
	if err != nil {
		return nil, fmt.Errorf("greeting the server: %w", err)
	}
	c.work.Go(c.receive)
	return c, nil
}

// hello sends tHello and reads the answer to it.
func (c *Client) hello() error {
	if _, err := c.conn.Write((&message{kind: tHello, version: dialect}).appendTo(nil)); err != nil {
		return err
	}
	h, err := readHead(c.in)
	if err != nil {
		return err
	}
	if h.tag != 0 || h.kind != rHello && h.kind != rError {
		return fmt.Errorf("%w: kind %d in answer to the hello", errMalformed, h.kind)
	}
	m, err := readFields(c.in, h, make([]byte, h.size))
	switch {
	case err != nil:
		return err
	case m.kind == rError:
		return m.err()
	case m.version != dialect:
		return fmt.Errorf("%w: the hello says %q", errMalformed, m.version)
	}
	return nil
}

// do sends a request and waits for its answer.
func (c *Client) do(ctx context.Context, m *message) (message, error) {
	a, err := c.send(ctx, m)
	if err != nil {
		return message{}, err
	}
	return c.wait(ctx, a)
}

// send sends a request. When it returns, the fields of m are the caller's again.
func (c *Client) send(ctx context.Context, m *message) (*call, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case m.tag = <-c.tags:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.gone:
		return nil, c.lost()
	}
	a := &call{request: m.kind, asked: len(m.scores), answer: make(chan message, 1)}
	c.mu.Lock()
	c.calls[m.tag] = a
	c.mu.Unlock()
	begun, err := c.write(ctx, m)
	if err != nil && begun {
		c.abandon(a)
	} else if err != nil {
		c.mu.Lock()
		c.calls[m.tag] = nil
		c.mu.Unlock()
		c.tags <- m.tag
	}
	return a, err
}

// write writes a request and reports whether any of it went out. If ctx ends meanwhile, a goroutine writes the rest.
func (c *Client) write(ctx context.Context, m *message) (begun bool, err error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	case <-c.gone:
		return false, c.lost()
	}
	out := net.Buffers{m.appendTo(nil)}
	if len(m.data) > 0 {
		out = append(out, m.data)
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.conn.SetWriteDeadline(longAgo())
		close(fired)
	})
	n, err := out.WriteTo(c.conn)
	if !stop() {
		<-fired
		c.conn.SetWriteDeadline(time.Time{})
	}
	if err == nil {
		<-c.turn
		return true, nil
	}
	if ctx.Err() == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		c.fail(err)
		<-c.turn
		return true, c.lost()
	}
	if n == 0 {
		<-c.turn
		return false, ctx.Err()
	}
	c.finish(out)
	return true, ctx.Err()
}

// finish copies what is left of a message and starts a goroutine that writes it and gives back the turn.
func (c *Client) finish(out net.Buffers) {
	rest := bytes.Join(out, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil { // Close may be waiting for c.work already
		<-c.turn
		return
	}
	c.work.Go(func() {
		if _, err := c.conn.Write(rest); err != nil {
			c.fail(err)
		}
		<-c.turn
	})
}

// wait waits for the answer to a call. An rError becomes an error.
func (c *Client) wait(ctx context.Context, a *call) (message, error) {
	var m message
	select {
	case m = <-a.answer:
	case <-ctx.Done():
		c.abandon(a)
		return message{}, ctx.Err()
	case <-c.gone:
		select {
		case m = <-a.answer: // it came before the end
		default:
			return message{}, c.lost()
		}
	}
	if m.kind == rError {
		return message{}, m.err()
	}
	return m, nil
}

func (c *Client) abandon(a *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a.abandoned = true
}

// lost returns an error if the connection is lost.
func (c *Client) lost() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		return nil
	}
	return &lostError{c.cause}
}

// fail closes the connection unless it is lost already.
func (c *Client) fail(cause error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return nil
	}
	c.cause = cause
	close(c.gone)
	return c.conn.Close()
}

// receive reads answers until the connection is lost.
func (c *Client) receive() {
	for {
		if err := c.receiveOne(); err != nil {
			c.fail(err)
			return
		}
	}
}

func (c *Client) receiveOne() error {
	h, err := readHead(c.in)
	if err != nil {
		return err
	}
	c.mu.Lock()
	a := c.calls[h.tag]
	c.calls[h.tag] = nil
	drop := a != nil && a.abandoned
	c.mu.Unlock()
	switch {
	case a == nil:
		return fmt.Errorf("%w: an answer with tag %d, which is not outstanding", errMalformed, h.tag)
	case h.kind != rError && h.kind != a.request+1:
		return fmt.Errorf("%w: kind %d in answer to kind %d", errMalformed, h.kind, a.request)
	case h.kind == rHas && h.size != a.asked:
		return fmt.Errorf("%w: %d answers for %d scores", errMalformed, h.size, a.asked)
	}
	if drop {
		_, err = c.in.Discard(h.size)
	} else {
		var m message
		if m, err = readFields(c.in, h, make([]byte, h.size)); err == nil {
			a.answer <- m
		}
	}
	if err == nil {
		c.tags <- h.tag
	}
	return err
}
