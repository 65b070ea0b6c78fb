package gateway

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/zeebo/blake3"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

// A Gateway is a venti.Store, and a venti.VitalStore, made of the members of a swarm, for one owner. All methods may be
// called from many goroutines at once.
//
// Other than the contract of Store says of stores on a disk, a Put may return before the block is stored; if that then
// fails, Sync and every later Put return the error.
type Gateway struct {
	cfg   Config
	codec codec.Encoder
	life  context.Context // of everything in the background
	stop  context.CancelFunc
	work  sync.WaitGroup

	window  *window
	buffers sync.Pool // of *[]byte, for payloads
	slow    *slowness
	outage  outage
	mends   chan struct{} // a token for each fragment being sent again because a member's was bad

	mu     sync.Mutex // protects the following
	flying map[venti.Score]*putting
	stored map[venti.Score]struct{} // lately; bounded by storedMax
	failed error                    // of a block that could not be stored
	report Report
	counts Counts
}

// storedMax bounds how many of the scores last stored are remembered.
const storedMax = 1 << 16

// New returns a Gateway. Close it.
func New(cfg Config) (*Gateway, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	life, stop := context.WithCancel(context.Background())
	return &Gateway{cfg: cfg, life: life, stop: stop, window: newWindow(cfg.Window), slow: newSlowness(),
		mends: make(chan struct{}, 4), flying: map[venti.Score]*putting{}, stored: map[venti.Score]struct{}{}}, nil
}

// Close abandons what is under way and returns when nothing of the Gateway runs any more. Call Sync before.
func (g *Gateway) Close() error {
	g.stop()
	g.work.Wait()
	return nil
}

// Put implements venti.Store.
func (g *Gateway) Put(ctx context.Context, block []byte) (venti.Score, error) {
	return g.put(ctx, block, false)
}

// PutVital implements venti.VitalStore: the block is encoded so that it survives the loss of more members.
func (g *Gateway) PutVital(ctx context.Context, block []byte) (venti.Score, error) {
	return g.put(ctx, block, true)
}

func (g *Gateway) put(ctx context.Context, block []byte, vital bool) (venti.Score, error) {
	s := venti.Sum(block)
	if err := g.patiently(ctx, s, func() error { return g.begin(ctx, s, block, vital) }); err != nil {
		return venti.Score{}, &venti.BlockError{Op: "put", Score: s, Err: err}
	}
	return s, nil
}

// begin encodes a block and starts sending it, unless that was done lately.
func (g *Gateway) begin(ctx context.Context, s venti.Score, block []byte, vital bool) error {
	if len(block) > venti.MaxBlock {
		return fmt.Errorf("%w: %d bytes, at most %d", venti.ErrTooLarge, len(block), venti.MaxBlock)
	}
	if err := errors.Join(ctx.Err(), g.life.Err()); err != nil {
		return err
	}
	if s == venti.ZeroScore() {
		return nil // everybody has it
	}
	table := g.cfg.Table()
	members, err := g.members(table.Len())
	if err != nil {
		return err
	}
	code := g.cfg.Code(members, vital)
	size := int64(codec.BufferSize(code, len(block)))
	if done, err := g.known(s); done || err != nil {
		return err
	}
	if err := g.window.acquire(ctx, size); err != nil {
		return err
	}
	enc, err := g.codec.EncodeInto(g.buffer(codec.BufferSize(code, len(block))), s, block, code)
	if err != nil {
		g.window.release(size)
		return err
	}
	p := &putting{g: g, enc: enc, size: size, claim: dhash.Claim{Owner: g.cfg.Owner, Mark: g.mark(s, enc.Coding)},
		done: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.flying[s] != nil || g.failed != nil { // somebody else was quicker
		p.free()
		return g.failed
	}
	g.flying[s] = p
	g.work.Go(p.run)
	return nil
}

// buffer returns memory for n bytes of payloads.
func (g *Gateway) buffer(n int) []byte {
	if b, ok := g.buffers.Get().(*[]byte); ok && cap(*b) >= n {
		return *b
	}
	return make([]byte, n)
}

// known reports whether a block is on its way or was stored lately.
func (g *Gateway) known(s venti.Score) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed != nil {
		return false, g.failed
	}
	if _, ok := g.stored[s]; ok {
		return true, nil
	}
	return g.flying[s] != nil, nil
}

// mark returns the owner's mark of a coding.
func (g *Gateway) mark(s venti.Score, c dhash.Coding) [16]byte { return markBy(g.cfg.MarkKey, s, c) }

// marks returns all marks of a coding that are believed, the owner's own first.
func (g *Gateway) marks(s venti.Score, c dhash.Coding) [][16]byte {
	all := [][16]byte{g.mark(s, c)}
	for _, k := range g.cfg.FormerMarks {
		all = append(all, markBy(k, s, c))
	}
	return all
}

func markBy(key [32]byte, s venti.Score, c dhash.Coding) (mark [16]byte) {
	h, err := blake3.NewKeyed(key[:])
	if err != nil {
		panic(err) // the key has the right length
	}
	_, _ = h.Write(s[:])
	_, _ = h.Write(c[:])
	copy(mark[:], h.Sum(nil))
	return mark
}

// finish takes a block out of those that fly. placed is how many of its fragments are held, stored how many of them count.
func (g *Gateway) finish(p *putting, stored, placed int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.flying, p.enc.Score)
	code := p.enc.Code
	if err != nil {
		if g.failed == nil && g.life.Err() == nil {
			g.failed = err
		}
		return
	}
	if len(g.stored) >= storedMax {
		clear(g.stored)
	}
	g.stored[p.enc.Score] = struct{}{}
	g.report.add(p.enc, stored, placed, g.cfg.Nines)
	if placed < code.Total {
		g.counts.Short++
	}
	if p.there < code.Need {
		g.counts.New++
		g.counts.Added += int64(p.enc.Length)
	}
}

// Sync implements venti.Store. It also waits, for a bounded time, until every fragment has found a place.
func (g *Gateway) Sync(ctx context.Context) error {
	g.mu.Lock()
	before := slices.Collect(maps.Values(g.flying))
	g.mu.Unlock()
	for _, p := range before {
		select {
		case <-p.done:
		case <-ctx.Done():
			return ctx.Err()
		case <-g.life.Done():
			return fmt.Errorf("sync: %w: the gateway was closed", venti.ErrUnavailable)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed != nil {
		return fmt.Errorf("sync: %w", g.failed)
	}
	return ctx.Err()
}

// holders returns the members that are to hold a block, and some more, the closest first.
func (g *Gateway) holders(t *placement.Table, s venti.Score, code dhash.Code) []placement.Member {
	return t.Holders(dhash.KeyOf(s), code, extra(code))
}

// extra is how many members beyond a code's Total may hold a fragment because others could not.
func extra(c dhash.Code) int { return placement.Slack + c.Total/5 }

// lags reports whether a member should not be waited for if another can be had.
func (g *Gateway) lags(id dhash.ID) bool { return g.slow.is(id) || g.cfg.Absent(id) }
