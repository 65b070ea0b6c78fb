package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"

	"ventidhash/dhash"
	"ventidhash/venti"
)

// A ClientConfig says how a Client behaves. The zero value is good.
type ClientConfig struct {
	// Connect makes sure that the host is connected to a member and that both have said hello. Nil dials the addresses
	// in the host's peerstore and no more. It is called before each stream is opened, also when there is a connection.
	Connect func(ctx context.Context, id dhash.ID) error

	// Grant returns what shows a holder that this node may store on behalf of owner: at most MaxGrant bytes, or none if
	// it may not. It is shown once on each connection on which it is needed. Nil: no grants are needed.
	Grant func(owner dhash.Owner) []byte

	// Seen is called when a member has answered, at most once a second for each. Nil: not called.
	Seen func(id dhash.ID)

	// Failed is called when a member cannot be reached, does not answer in time, breaks the protocol or sends something
	// else than what it was asked for. A refusal is no failure. It may come shortly after the request that failed has
	// returned. Nil: not called. Neither Seen nor Failed may wait.
	Failed func(id dhash.ID, err error)

	Timeout time.Duration // for one request, waiting for its turn included; 0 means 30 s
	Stall   time.Duration // a member that owes answers and gives no sign of life so long is given up; 0 means 20 s
	Dial    time.Duration // for opening a stream; 0 means 10 s
	Idle    time.Duration // a stream that is not used so long is closed; 0 means 5 min
	Window  int64         // bytes of requests under way to one member; 0 means 8 MiB
	Members int           // that are kept in mind, connected or not; 0 means 4096
}

// Validate reports a field that cannot be.
func (c *ClientConfig) Validate() error {
	for _, d := range []time.Duration{c.Timeout, c.Stall, c.Dial, c.Idle} {
		if d < 0 || d > 0 && d < time.Millisecond {
			return fmt.Errorf("peer client: a time of %v; want 1 ms or more, or 0 for the default", d)
		}
	}
	if c.Window < 0 || c.Members < 0 {
		return fmt.Errorf("peer client: window %d and members %d; want no negative ones", c.Window, c.Members)
	}
	return nil
}

// withDefaults returns c with the defaults filled in.
func (c ClientConfig) withDefaults() ClientConfig {
	orElse(&c.Timeout, 30*time.Second)
	orElse(&c.Stall, 20*time.Second)
	orElse(&c.Dial, 10*time.Second)
	orElse(&c.Idle, 5*time.Minute)
	orElse(&c.Window, 8<<20)
	orElse(&c.Members, 4096)
	return c
}

func orElse[T int | int64 | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

const windowRequests = 100 // requests under way to one member, whatever their size; a server takes maxParallel

// A Client asks members for fragments, and sends them some. Any number of goroutines share it.
//
// Every method returns when its context ends, when the member has answered, or after ClientConfig.Timeout. It then holds
// on to nothing of its arguments. An error wraps venti.ErrUnavailable if the member could not be reached or did not
// answer, is a *Refusal if it answered and would not, and wraps dhash.ErrFragment if what it sent is not what was asked
// for. All requests can be repeated without harm.
type Client struct {
	host host.Host
	cfg  ClientConfig
	work sync.WaitGroup // goroutines

	requests, failures, bytesIn, bytesOut atomic.Int64

	mu      sync.Mutex // protects the following
	remotes map[dhash.ID]*remote
	closed  bool
}

// Counters say what a Client or a Server has done since it was made.
type Counters struct {
	Requests int64 // that were sent or served, pings and grants included
	Failures int64 // of the client: no answer or a wrong one; of the server: connections that it dropped
	BytesIn  int64
	BytesOut int64
}

// NewClient returns a Client that uses h. It starts nothing until it is used. Close ends it.
func NewClient(h host.Host, cfg ClientConfig) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Client{host: h, cfg: cfg.withDefaults(), remotes: make(map[dhash.ID]*remote)}, nil
}

// Close ends all connections and returns when nothing of the Client runs any more. What is outstanding fails.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	remotes := make([]*remote, 0, len(c.remotes))
	for _, r := range c.remotes {
		remotes = append(remotes, r)
	}
	c.mu.Unlock()
	for _, r := range remotes {
		r.close(errClosed)
	}
	c.work.Wait()
	return nil
}

// Counters returns what the client has done.
func (c *Client) Counters() Counters {
	return Counters{c.requests.Load(), c.failures.Load(), c.bytesIn.Load(), c.bytesOut.Load()}
}

// Latency returns how long a member takes to answer a get of 128 KiB, while other requests are under way as they lately
// were: a moving average, and the 95th percentile of the last 64 answers. What is older than ten minutes does not count;
// both are zero if nothing is known.
func (c *Client) Latency(id dhash.ID) (ewma, p95 time.Duration) {
	if r := c.known(id); r != nil {
		return r.latency.estimate(time.Now())
	}
	return 0, 0
}

// Outstanding returns how many bytes are under way to a member and from it. A get counts as 128 KiB.
func (c *Client) Outstanding(id dhash.ID) int64 {
	if r := c.known(id); r != nil {
		return r.window.inUse()
	}
	return 0
}

func (c *Client) known(id dhash.ID) *remote {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remotes[id]
}

// acquire returns what is kept about a member, and sees to it that it is kept until release.
func (c *Client) acquire(id dhash.ID) (*remote, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, &lostError{errClosed}
	}
	r := c.remotes[id]
	if r == nil {
		if len(c.remotes) >= c.cfg.Members && !c.evict() {
			return nil, fmt.Errorf("%w: this node talks to %d members at once already", venti.ErrUnavailable, c.cfg.Members)
		}
		r = &remote{client: c, id: id, window: newBudget(c.cfg.Window), all: make(map[*link]struct{})}
		c.remotes[id] = r
	}
	r.users++
	r.used = time.Now()
	return r, nil
}

func (c *Client) release(r *remote) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.users--
}

// evict forgets the member that was not used for longest. c.mu is held.
func (c *Client) evict() bool {
	var oldest *remote
	for _, r := range c.remotes {
		if (oldest == nil || r.used.Before(oldest.used)) && r.idle() {
			oldest = r
		}
	}
	if oldest == nil {
		return false
	}
	delete(c.remotes, oldest.id)
	c.work.Go(func() { oldest.close(errIdle) })
	return true
}

// failed notes a failure of a member.
func (c *Client) failed(id dhash.ID, err error) {
	c.failures.Add(1)
	if c.cfg.Failed != nil {
		c.cfg.Failed(id, err)
	}
}

// A request is what do sends. weight is what it counts in the member's window.
type request struct {
	kind    kind
	body    []byte
	payload []byte
	weight  int64
	owner   *dhash.Owner // whose grant has to be shown before; nil if none
}

// errTimeout is the cause of a context that ended because of ClientConfig.Timeout.
var errTimeout = fmt.Errorf("%w: no answer in time", venti.ErrUnavailable)

// do sends a request to a member and returns the body of the answer.
func (c *Client) do(ctx context.Context, id dhash.ID, q *request) ([]byte, error) {
	r, err := c.acquire(id)
	if err != nil {
		return nil, err
	}
	defer c.release(r)
	c.requests.Add(1)
	timed, cancel := context.WithTimeoutCause(ctx, c.cfg.Timeout, errTimeout)
	defer cancel()
	body, err := r.do(timed, q)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && timed.Err() != nil {
		err = fmt.Errorf("%w (%v)", context.Cause(timed), c.cfg.Timeout)
		c.failed(id, err)
	}
	return body, err
}

// do waits for its turn, sends a request, and sends it again if the connection that was there turns out to be dead.
func (r *remote) do(ctx context.Context, q *request) ([]byte, error) {
	weight := max(q.weight, r.window.size/windowRequests)
	if err := r.window.take(ctx, weight); err != nil {
		return nil, err
	}
	defer r.window.give(weight)
	for again := false; ; again = true {
		l, fresh, err := r.get(ctx)
		if err != nil {
			return nil, err
		}
		if q.owner != nil {
			err = l.show(ctx, *q.owner)
		}
		var body []byte
		if err == nil {
			body, err = l.roundTrip(ctx, q.kind, q.body, q.payload)
		}
		if err == nil || again || fresh && !l.outdated(err) || !stale(err) {
			return body, err
		}
	}
}

// stale reports whether err says that a connection had ended, perhaps long ago, through no fault that will come again.
func stale(err error) bool {
	var lost *lostError
	if !errors.As(err, &lost) {
		return false
	}
	for _, e := range []error{errStalled, errIgnored, errMalformed, errClosed} {
		if errors.Is(lost.cause, e) {
			return false
		}
	}
	return true
}
