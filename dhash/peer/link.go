package peer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"ventidhash/dhash"
	"ventidhash/venti"
)

const (
	readBuffer   = 1 << 10 // little: a payload is read past it, straight to where it belongs
	maxForgotten = 256     // requests that nobody waits for any more, and that have no answer yet
)

var (
	errStalled = errors.New("no sign of life while requests were outstanding")
	errIgnored = errors.New("too many requests without an answer")
	errIdle    = errors.New("nothing to do")
	errClosing = errors.New("the member takes no more requests")
	errClosed  = errors.New("the client is closed")
)

// A lostError says that a connection ended before an answer came. What was asked may or may not have been done.
type lostError struct{ cause error }

func (e *lostError) Error() string   { return "connection lost: " + e.cause.Error() }
func (e *lostError) Unwrap() []error { return []error{venti.ErrUnavailable, e.cause} }

// A link is one stream to a member, on which this node asks.
type link struct {
	remote *remote
	stream network.Stream
	out    *sender
	in     *bufio.Reader
	reused bool          // the connection was there before
	gone   chan struct{} // closed when the stream is lost
	watch  *time.Timer
	moved  atomic.Int64 // when the member last gave a sign of life, or began to owe one: nanoseconds since 1970
	proven atomic.Bool  // the member has answered something

	mu        sync.Mutex // protects the following
	calls     map[uint32]*call
	forgotten int // of calls
	last      uint32
	pinged    bool  // a ping of the watch is outstanding
	closing   bool  // no more requests
	cause     error // why the stream is lost
	shown     map[dhash.Owner]*showing
}

// A call is a request that has no answer yet.
type call struct {
	kind      kind
	id        uint32
	sent      time.Time
	answer    chan reply // room for one
	forgotten bool       // nobody waits for the answer; protected by link.mu
	own       bool       // a ping of the watch
}

// A reply is what came in answer to a call.
type reply struct {
	kind kind
	body []byte
}

// start makes a link of a stream, on a connection that may have been there before.
func (r *remote) start(stream network.Stream, reused bool) *link {
	l := &link{
		remote: r,
		stream: stream,
		reused: reused,
		gone:   make(chan struct{}),
		calls:  make(map[uint32]*call),
		shown:  make(map[dhash.Owner]*showing),
	}
	cfg := &r.client.cfg
	l.in = bufio.NewReaderSize(&meter{stream, func(n int) {
		l.touch()
		r.client.bytesIn.Add(int64(n))
	}}, readBuffer)
	l.out = newSender(stream, cfg.Stall, lingerTime, func(n int, payload bool) {
		if payload { // on a slow line it takes long to the first answer; requests without payload all fit in a buffer
			l.touch()
		}
		r.client.bytesOut.Add(int64(n))
	})
	l.touch()
	r.client.work.Go(func() {
		if err := l.out.run(); err != nil {
			l.fail(err)
		}
	})
	r.client.work.Go(func() { l.fail(l.receive()) })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watch = time.AfterFunc(cfg.Stall/4, l.check)
	return l
}

// A meter counts what is read.
type meter struct {
	r    io.Reader
	read func(n int)
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	if n > 0 {
		m.read(n)
	}
	return n, err
}

// outdated reports whether err, with which the link was lost, says that a connection had ended that was there before the
// link: that of a member that was restarted, perhaps, which nobody had noticed. A stream that the member itself ended is
// no sign of that.
func (l *link) outdated(err error) bool {
	if !l.reused {
		return false
	}
	ended, ok := errors.AsType[*network.StreamError](err)
	byMember := ok && ended.Remote || errors.Is(err, io.EOF)
	return !byMember || l.stream.Conn().IsClosed()
}

func (l *link) touch() { l.moved.Store(time.Now().UnixNano()) }

// usable reports whether requests can be sent.
func (l *link) usable() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cause == nil && !l.closing
}

// fail ends the link unless it has ended already.
func (l *link) fail(cause error) {
	l.mu.Lock()
	if l.cause != nil {
		l.mu.Unlock()
		return
	}
	l.cause = cause
	waiting := len(l.calls)
	now := time.Now()
	for _, c := range l.calls {
		if c.kind == kGet {
			l.remote.latency.add(now, now.Sub(c.sent), 0)
		}
	}
	l.watch.Stop()
	l.mu.Unlock()
	close(l.gone)
	if errors.Is(cause, errIdle) || errors.Is(cause, errClosing) {
		l.stream.Close()
	} else {
		l.stream.Reset()
	}
	l.out.close(errEnded)
	l.remote.lost(l, waiting, cause)
}

// check looks whether the member is alive, from time to time.
func (l *link) check() {
	cfg := &l.remote.client.cfg
	l.mu.Lock()
	still := time.Since(time.Unix(0, l.moved.Load())) // under the lock: a call that has come since has moved it
	calls, pinged := len(l.calls), l.pinged
	if calls == 0 && still >= cfg.Idle {
		l.closing = true
		l.mu.Unlock()
		l.fail(errIdle)
		return
	}
	if l.cause == nil {
		l.watch.Reset(cfg.Stall / 4)
	}
	l.mu.Unlock()
	switch {
	case calls > 0 && still >= cfg.Stall && pinged: // else the clock was set, or this program stood still
		l.fail(fmt.Errorf("%w for %v", errStalled, still.Round(time.Millisecond)))
	case calls > 0 && still >= cfg.Stall/2 && !pinged:
		l.send(&call{kind: kPing, own: true}, &frame{})
	}
}

// send sends a request, of which f.head has the body without payload.
func (l *link) send(c *call, f *frame) error {
	c.sent = time.Now()
	l.mu.Lock()
	if err := l.ended(); err != nil {
		l.mu.Unlock()
		return err
	}
	for l.last == 0 || l.calls[l.last] != nil {
		l.last++
	}
	c.id = l.last
	l.last++
	l.calls[c.id] = c
	if len(l.calls) == 1 {
		l.touch() // from here on the member owes something
	}
	l.pinged = l.pinged || c.own
	l.mu.Unlock()
	body := f.head
	f.head = appendHeader(make([]byte, 0, headerSize+len(body)), c.kind, c.id, len(body)+len(f.payload))
	f.head = append(f.head, body...)
	if err := l.out.push(f); err != nil {
		return l.lost()
	}
	return nil
}

// ended returns an error if no request can be sent any more. l.mu is held.
func (l *link) ended() error {
	switch {
	case l.cause != nil:
		return &lostError{l.cause}
	case l.closing:
		return &lostError{errClosing}
	}
	return nil
}

// lost returns why the link was lost.
func (l *link) lost() error {
	<-l.gone
	l.mu.Lock()
	defer l.mu.Unlock()
	return &lostError{l.cause}
}

// roundTrip sends a request and waits for its answer. A refusal is an error. When it returns, payload is the caller's
// again.
func (l *link) roundTrip(ctx context.Context, k kind, body, payload []byte) ([]byte, error) {
	c := &call{kind: k, answer: make(chan reply, 1)}
	f := &frame{head: body, payload: payload}
	if err := l.send(c, f); err != nil {
		return nil, err
	}
	var a reply
	var err error
	select {
	case a = <-c.answer:
	case <-ctx.Done():
		err = ctx.Err()
	case <-l.gone:
		select {
		case a = <-c.answer: // it came before the end
		default:
			err = l.lost()
		}
	}
	unsent := l.out.withdraw(f) // frees the payload, also where a liar has answered before it had all
	if err != nil {
		l.forget(c, unsent)
		return nil, err
	}
	if a.kind == rRefusal {
		r, err := parseRefusal(a.body)
		if err != nil {
			l.fail(err)
			return nil, l.lost()
		}
		return nil, r
	}
	return a.body, nil
}

// forget notes that nobody waits for the answer to c. If the request never went out there will be none.
func (l *link) forget(c *call, unsent bool) {
	l.mu.Lock()
	switch {
	case l.calls[c.id] != c: // the answer has come meanwhile
	case unsent:
		delete(l.calls, c.id)
	default:
		c.forgotten = true
		l.forgotten++
	}
	tooMany := l.forgotten > maxForgotten
	last := l.closing && len(l.calls) == 0
	l.mu.Unlock()
	switch {
	case tooMany:
		l.fail(errIgnored)
	case last:
		l.fail(errClosing)
	}
}

// receive reads answers until the stream is lost.
func (l *link) receive() error {
	for {
		var b [headerSize]byte
		if _, err := io.ReadFull(l.in, b[:]); err != nil {
			return fmt.Errorf("reading an answer: %w", err)
		}
		h, err := parseHeader(b[:])
		if err != nil {
			return err
		}
		if h.kind == nClosing {
			err = l.drain()
		} else {
			err = l.receiveBody(h)
		}
		if err != nil {
			return err
		}
	}
}

// drain notes that the member takes no more requests.
func (l *link) drain() error {
	l.remote.retire(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing = true
	if len(l.calls) == 0 {
		return errClosing
	}
	return nil
}

// receiveBody reads the rest of an answer and gives it to who waits.
func (l *link) receiveBody(h header) error {
	l.mu.Lock()
	c := l.calls[h.id]
	l.mu.Unlock()
	switch {
	case c == nil:
		return fmt.Errorf("%w: %v with id %d, which is not outstanding", errMalformed, h.kind, h.id)
	case h.kind != rRefusal && h.kind != c.kind|answer:
		return fmt.Errorf("%w: %v in answer to %v", errMalformed, h.kind, c.kind)
	}
	l.mu.Lock()
	forgotten := c.forgotten || c.own
	l.mu.Unlock()
	a := reply{kind: h.kind}
	var err error
	if forgotten {
		_, err = l.in.Discard(h.size)
	} else {
		a.body = make([]byte, h.size)
		_, err = io.ReadFull(l.in, a.body)
	}
	if err != nil {
		return fmt.Errorf("reading an answer: %w", err)
	}
	now := time.Now()
	if c.kind == kGet {
		l.remote.latency.add(now, now.Sub(c.sent), h.size)
	}
	l.proven.Store(true)
	l.remote.seen(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.calls, h.id)
	if c.own {
		l.pinged = false
	} else if c.forgotten {
		l.forgotten--
	} else {
		c.answer <- a
	}
	if l.closing && len(l.calls) == 0 {
		return errClosing
	}
	return nil
}
