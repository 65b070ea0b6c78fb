package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"ventidhash/venti"
)

// ErrLost says that the connection is gone. What was asked may or may not have been done.
var ErrLost = errors.New("connection lost")

const (
	helloTime   = 10 * time.Second
	outstanding = 32 // requests on one connection
)

// A Client is a venti.Store at the other end of a connection. It may be used by many goroutines at once; their requests
// share the connection. Once the connection is lost, every call fails with an error that wraps ErrLost.
type Client struct {
	conn  net.Conn
	tags  chan uint16 // free tags
	write sync.Mutex  // one message at a time

	// mu protects the following. calls has an entry for each tag that is not free.
	mu    sync.Mutex
	calls map[uint16]*call
	lost  error
	done  chan struct{} // closed when the reader has ended
}

// A call is one request. A call that was given up keeps its tag until its answer has come.
type call struct {
	answer chan message // the body is the receiver's; closed without a message when the connection is lost
}

var _ venti.Store = (*Client)(nil)

// NewClient greets the other side and returns a Client that owns conn. Greeting takes ten seconds at most.
func NewClient(ctx context.Context, conn net.Conn) (*Client, error) {
	c := &Client{conn: conn, tags: make(chan uint16, outstanding), calls: map[uint16]*call{}, done: make(chan struct{})}
	for i := range outstanding {
		c.tags <- uint16(i)
	}
	deadline := time.Now().Add(helloTime)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	conn.SetDeadline(deadline)
	r := bufio.NewReaderSize(conn, 64<<10)
	err := c.hello(r)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("greet: %w: %w", ErrLost, err)
	}
	conn.SetDeadline(time.Time{})
	go c.reader(r)
	return c, nil
}

func (c *Client) hello(r *bufio.Reader) error {
	if _, err := c.conn.Write([]byte(versionLine)); err != nil {
		return err
	}
	if err := checkLine(r); err != nil {
		return err
	}
	if err := writeMessage(c.conn, tHello, 0, venti.AppendBytes(nil, token)); err != nil {
		return err
	}
	m, _, err := readMessage(r, nil, maxText+16)
	if err != nil {
		return err
	}
	if m.kind != rHello || m.tag != 0 || len(m.body) != 0 {
		return fmt.Errorf("%w: answer %d to a hello", errMessage, m.kind)
	}
	return nil
}

// reader hands answers to their calls until the connection ends.
func (c *Client) reader(r *bufio.Reader) {
	defer close(c.done)
	for {
		m, _, err := readMessage(r, nil, maxBody)
		if err == nil {
			c.mu.Lock()
			call := c.calls[m.tag]
			delete(c.calls, m.tag)
			c.mu.Unlock()
			if call != nil {
				call.answer <- m // has room for one
				c.tags <- m.tag
				continue
			}
			err = fmt.Errorf("%w: answer to tag %d, which asked nothing", errMessage, m.tag)
		}
		c.lose(err)
		return
	}
}

// lose ends all calls.
func (c *Client) lose(err error) {
	c.conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost == nil {
		c.lost = fmt.Errorf("%w: %w", ErrLost, err)
	}
	for tag, call := range c.calls {
		close(call.answer)
		delete(c.calls, tag)
	}
}

// ask sends a request and returns the body of its answer.
func (c *Client) ask(ctx context.Context, kind byte, parts ...[]byte) ([]byte, error) {
	var tag uint16
	select {
	case tag = <-c.tags:
	case <-c.done:
		return nil, c.lostError()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	call := &call{answer: make(chan message, 1)}
	c.mu.Lock()
	if c.lost != nil {
		c.mu.Unlock()
		return nil, c.lostError()
	}
	c.calls[tag] = call
	c.mu.Unlock()

	c.write.Lock()
	err := writeMessage(c.conn, kind, tag, parts...)
	c.write.Unlock()
	if err != nil {
		c.lose(err)
		return nil, c.lostError()
	}
	select {
	case m, ok := <-call.answer:
		if !ok {
			return nil, c.lostError()
		}
		return c.answer(kind, m)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answer checks that m answers a request of the given kind.
func (c *Client) answer(kind byte, m message) ([]byte, error) {
	if m.kind == rError {
		remote, err := parseError(m.body)
		if err != nil {
			c.lose(err)
			return nil, c.lostError()
		}
		return nil, remote
	}
	if m.kind != kind+1 {
		c.lose(fmt.Errorf("%w: answer %d to request %d", errMessage, m.kind, kind))
		return nil, c.lostError()
	}
	return m.body, nil
}

func (c *Client) lostError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost == nil {
		return ErrLost
	}
	return c.lost
}

// wrap makes a *venti.BlockError of errors about a block; a lost connection and a cancelled context stay what they are.
func wrap(op string, s venti.Score, err error) error {
	var remote *remoteError
	if errors.As(err, &remote) {
		return &venti.BlockError{Op: op, Score: s, Err: remote}
	}
	return err
}

// Get implements venti.Store. What comes is hashed.
func (c *Client) Get(ctx context.Context, s venti.Score) ([]byte, error) {
	b, err := c.ask(ctx, tRead, s[:])
	if err != nil {
		return nil, wrap("get", s, err)
	}
	if venti.Sum(b) != s {
		return nil, &venti.BlockError{Op: "get", Score: s, Err: venti.ErrCorrupt}
	}
	return b, nil
}

// Put implements venti.Store.
func (c *Client) Put(ctx context.Context, block []byte) (venti.Score, error) {
	s := venti.Sum(block)
	if len(block) > venti.MaxBlock {
		return venti.Score{}, &venti.BlockError{Op: "put", Score: s, Err: venti.ErrTooLarge}
	}
	b, err := c.ask(ctx, tWrite, block)
	if err != nil {
		return venti.Score{}, wrap("put", s, err)
	}
	if got, err := parseScore(b); err != nil || got != s {
		return venti.Score{}, &venti.BlockError{Op: "put", Score: s,
			Err: fmt.Errorf("%w: the other side stored other bytes", venti.ErrCorrupt)}
	}
	return s, nil
}

// Has implements venti.Store.
func (c *Client) Has(ctx context.Context, scores []venti.Score) ([]bool, error) {
	has := make([]bool, 0, len(scores))
	for len(scores) > 0 || len(has) == 0 {
		n := min(len(scores), maxHas)
		b, err := c.ask(ctx, tHas, appendScores(nil, scores[:n]))
		if err != nil {
			return nil, fmt.Errorf("ask for %d blocks: %w", n, err)
		}
		some, err := parseFlags(b, n)
		if err != nil {
			return nil, err
		}
		has, scores = append(has, some...), scores[n:]
		if n == 0 {
			break
		}
	}
	return has, nil
}

// Sync implements venti.Store.
func (c *Client) Sync(ctx context.Context) error {
	_, err := c.ask(ctx, tSync)
	return err
}

// Ping returns nil if the other side answers.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.ask(ctx, tPing)
	return err
}

// Yield asks the process at the other end to give up the store. After nil the connection is about to end.
func (c *Client) Yield(ctx context.Context) error {
	_, err := c.ask(ctx, tYield)
	return err
}

// Close says goodbye and ends the connection.
func (c *Client) Close() error {
	c.write.Lock()
	c.conn.SetWriteDeadline(time.Now().Add(time.Second))
	err := writeMessage(c.conn, tGoodbye, 0)
	c.write.Unlock()
	c.lose(net.ErrClosed)
	<-c.done
	if errors.Is(err, net.ErrClosed) || err != nil {
		return nil // the other side was faster
	}
	return nil
}
