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
	perStream = 16 << 20   // bytes of puts of one stream in memory, at most
	bodyRead  = 256 * 1024 // what is read of a body at once
)

var (
	errDrained   = errors.New("requests took too long to end")
	errDisplaced = errors.New("the member has opened another stream")
)

// A served is one stream at the server. One goroutine reads requests, one sends answers, and each request has one of its
// own while the handler works on it.
type served struct {
	*Server
	id       dhash.ID
	stream   network.Stream
	in       *bufio.Reader
	out      *sender
	slots    chan struct{} // an element for each request whose answer is not out
	inPuts   *budget       // this stream's part of Server.puts
	inReply  *budget       // this stream's part of Server.answers
	oneChore chan struct{} // an element for the one that is in Server.chores, or waits for it
	workers  sync.WaitGroup
	busy     atomic.Bool // new requests are refused

	grants map[dhash.Owner]struct{} // the reader's
	armed  time.Time                // the reader's: when the deadline for reading was set; zero if there is none
	begun  time.Time                // the reader's: when the message began to come

	mu    sync.Mutex // protects the following
	cause error      // why the stream was dropped
}

func newServed(s *Server, id dhash.ID, stream network.Stream) *served {
	c := &served{
		Server:   s,
		id:       id,
		stream:   stream,
		slots:    make(chan struct{}, maxParallel),
		inPuts:   newBudget(min(perStream, s.puts.size/4)),
		inReply:  newBudget(s.answers.size / 8), // who does not read holds it until the stream is given up
		oneChore: make(chan struct{}, 1),
		grants:   make(map[dhash.Owner]struct{}),
	}
	c.in = bufio.NewReaderSize(&meter{stream, func(n int) { s.bytesIn.Add(int64(n)) }}, readBuffer)
	c.out = newSender(stream, s.cfg.Stall, 0, func(n int, _ bool) { s.bytesOut.Add(int64(n)) })
	return c
}

// serve serves the stream until the member closes it, breaks a rule, or is dropped. It returns when nothing of the
// stream runs any more.
func (c *served) serve() error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var sending sync.WaitGroup
	sending.Go(func() {
		if err := c.out.run(); err != nil {
			c.drop(err)
			cancel()
		}
	})
	err := c.receive(ctx)
	if err == io.EOF { // between two requests: the member wants the answers that it has asked for, but sends no more
		err = nil
	} else {
		c.drop(err)
		cancel()
	}
	c.workers.Wait()
	for range cap(c.slots) { // until all answers are out
		c.slots <- struct{}{}
	}
	c.out.close(errEnded)
	sending.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return c.cause
	}
	c.stream.Close()
	return err
}

// drop ends the stream at once, unless that was done before.
func (c *served) drop(cause error) {
	c.mu.Lock()
	if c.cause == nil {
		c.cause = cause
	}
	c.mu.Unlock()
	c.stream.Reset()
}

// drain refuses new requests, and tells the member so. The member then closes the stream when it has its answers.
func (c *served) drain() {
	c.busy.Store(true)
	c.out.push(&frame{head: appendHeader(nil, nClosing, 0, 0)})
}

// receive reads requests, and starts serving them, until the member closes the stream: then it returns io.EOF.
func (c *served) receive(ctx context.Context) error {
	for {
		h, err := c.readHeader()
		if err != nil {
			return err
		}
		if !c.cfg.Member(c.id) {
			return fmt.Errorf("%w any more", dhash.ErrStranger)
		}
		if h.kind.inner() && (c.cfg.Full == nil || !c.cfg.Full(c.id)) {
			return fmt.Errorf("%w: %v from a client", dhash.ErrStranger, h.kind)
		}
		select {
		case c.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		c.requests.Add(1)
		if h.kind.large() {
			err = c.receiveLarge(ctx, h)
		} else {
			err = c.receiveOther(ctx, h)
		}
		if err != nil { // nothing was started that would give the slot back
			<-c.slots
			return err
		}
	}
}

// readHeader reads the header of a request. Between requests a member may be silent for ever.
func (c *served) readHeader() (header, error) {
	if !c.armed.IsZero() {
		c.stream.SetReadDeadline(time.Time{})
		c.armed = time.Time{}
	}
	if _, err := c.in.Peek(1); err != nil {
		return header{}, err
	}
	c.begun = time.Now()
	var b [headerSize]byte
	if err := c.readFull(b[:]); err != nil {
		return header{}, err
	}
	h, err := parseHeader(b[:])
	if err == nil && h.kind >= answer {
		err = fmt.Errorf("%w: %v in place of a request", errMalformed, h.kind)
	}
	return h, err
}

// readFull fills b with what comes next of a message. It fails if nothing comes for too long, or if the whole message
// takes too long.
func (c *served) readFull(b []byte) error {
	for len(b) > 0 {
		if c.in.Buffered() == 0 {
			now := time.Now()
			if now.Sub(c.begun) > messageTime {
				return fmt.Errorf("%w: it took more than %v to come", errMalformed, messageTime)
			}
			if now.Sub(c.armed) > c.cfg.Stall/8 {
				c.stream.SetReadDeadline(now.Add(c.cfg.Stall))
				c.armed = now
			}
		}
		n, err := c.in.Read(b[:min(len(b), bodyRead)])
		b = b[n:]
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && len(b) > 0 {
			return fmt.Errorf("in the middle of a message: %w", err)
		}
	}
	return nil
}

// refusing returns err, or dhash.ErrBusy if new requests are refused.
func (c *served) refusing(err error) error {
	if err == nil && c.busy.Load() {
		return fmt.Errorf("%w: it shuts down", dhash.ErrBusy)
	}
	return err
}

// receiveOther reads the rest of a request that is no put, and starts serving it.
func (c *served) receiveOther(ctx context.Context, h header) error {
	body := make([]byte, h.size)
	if err := c.readFull(body); err != nil {
		return err
	}
	serve, err := c.prepare(ctx, h, body)
	if err != nil && errors.Is(err, errMalformed) {
		return err
	}
	if err = c.refusing(err); err != nil {
		c.refuse(h.id, err)
	} else {
		c.workers.Go(serve)
	}
	return nil
}

// prepare parses a request and returns what serves it.
func (c *served) prepare(ctx context.Context, h header, body []byte) (func(), error) {
	switch h.kind {
	case kGet:
		want, err := parseWant(body)
		return func() { c.get(ctx, h, want) }, err
	case kHave:
		owner, scores, err := parseHave(body)
		return func() { c.have(ctx, h, owner, scores) }, err
	case kClaim:
		owner, marks, err := parseMarks(body)
		if _, granted := c.grants[owner]; err == nil && !granted {
			err = ErrNotGranted
		}
		return func() {
			held, err := c.handler.Claim(ctx, c.id, owner, marks)
			if err == nil && len(held) != len(marks) {
				err = fmt.Errorf("%w: %d answers for %d claims", venti.ErrUnavailable, len(held), len(marks))
			}
			c.reply(h, err, appendBools(nil, held), nil, nil)
		}, err
	case kDivert:
		v, err := parseDiversion(body)
		return func() { c.reply(h, c.handler.Divert(ctx, c.id, v), nil, nil, nil) }, err
	case kGrant:
		owner, err := c.grant(body)
		return func() { c.reply(h, nil, owner[:], nil, nil) }, err
	case kReconcile:
		return func() { c.reconcile(ctx, h, body) }, nil
	case kChallenge:
		all, err := parseChallenges(body)
		return func() { c.challenge(ctx, h, all) }, err
	case kHeads:
		return c.prepareHeads(ctx, h, body)
	case kFindHeads:
		owners, err := parseOwners(body)
		return func() { c.findHeads(ctx, h, owners) }, err
	case kRoots:
		return c.prepareRoots(ctx, h, body)
	}
	return func() { c.reply(h, nil, nil, nil, nil) }, nil // a ping
}

// grant checks a grant and notes its owner.
func (c *served) grant(body []byte) (dhash.Owner, error) {
	owner, err := c.cfg.Grant(c.id, body)
	if err != nil {
		return dhash.Owner{}, fmt.Errorf("%w: %w", ErrNotGranted, err)
	}
	if _, known := c.grants[owner]; !known && len(c.grants) >= maxGrants {
		return dhash.Owner{}, fmt.Errorf("%w: %d owners on one stream", dhash.ErrBusy, maxGrants)
	}
	c.grants[owner] = struct{}{}
	return owner, nil
}

// reply sends the answer to a request, or the refusal that tells err, and then calls free and gives the slot back.
func (c *served) reply(h header, err error, body, payload []byte, free func()) {
	k := h.kind | answer
	if err != nil {
		k, body, payload = rRefusal, appendRefusal(nil, err), nil
	}
	f := &frame{head: appendHeader(make([]byte, 0, headerSize+len(body)), k, h.id, len(body)+len(payload)), payload: payload}
	f.head = append(f.head, body...)
	f.done = func(error) {
		if free != nil {
			free()
		}
		<-c.slots
	}
	if c.out.push(f) != nil {
		f.done(nil)
	}
}

// refuse sends a refusal and gives the slot back.
func (c *served) refuse(id uint32, err error) { c.reply(header{id: id}, err, nil, nil, nil) }
