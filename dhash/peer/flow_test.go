package peer_test

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"ventidhash/dhash"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// TestDrain ends a server while puts wait for the disk: they are answered, and no more are taken.
func TestDrain(t *testing.T) {
	a, b := newHost(t), newHost(t)
	know(a, b)
	let := make(chan struct{})
	var begun atomic.Int64
	h := &holder{onPut: func(context.Context, *dhash.Fragment) error {
		begun.Add(1)
		<-let
		return nil
	}}
	_, stop := serve(t, b, h, everybody())
	c := client(t, a, peer.ClientConfig{Failed: func(_ dhash.ID, err error) { t.Errorf("a failure: %v", err) }})
	all, _ := block(1, 1<<20, dhash.Code{Need: 8, Total: 20})
	var work sync.WaitGroup
	for _, f := range all {
		work.Go(func() {
			if _, err := c.Put(soon(t), idOf(b), dhash.Claim{Owner: owner}, f); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, "all puts at the handler", func() bool { return begun.Load() == 20 })
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	eventually(t, "the end of the protocol", func() bool { return !speaks(b) })
	select {
	case <-stopped:
		t.Error("the server did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	close(let)
	work.Wait()
	<-stopped
	if len(h.held[all[0].Score]) != 20 {
		t.Errorf("%d were stored", len(h.held[all[0].Score]))
	}
}

// TestDrainEnds has a request that does not end in time.
func TestDrainEnds(t *testing.T) {
	a, b := newHost(t), newHost(t)
	know(a, b)
	asked := make(chan struct{})
	cfg := everybody()
	cfg.Drain = 100 * time.Millisecond
	_, stop := serve(t, b, &holder{onGet: func(ctx context.Context, _ peer.Want) (*dhash.Fragment, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	}}, cfg)
	c := client(t, a, peer.ClientConfig{})
	done := make(chan error)
	go func() {
		_, _, err := c.Get(soon(t), idOf(b), peer.Want{})
		done <- err
	}()
	<-asked
	stop()
	if err := <-done; !errors.Is(err, venti.ErrUnavailable) && !errors.Is(err, dhash.ErrBusy) {
		t.Error(err)
	}
}

// TestBackpressure has a handler that stores nothing for a while. The server takes no more than it may, gets pass, and
// in the end all is stored.
func TestBackpressure(t *testing.T) {
	const inFlight = 2 * dhash.MaxFragment // of which one stream has a quarter
	b := newHost(t)
	let := make(chan struct{})
	var now, most atomic.Int64
	h := &holder{onPut: func(_ context.Context, f *dhash.Fragment) error {
		size := now.Add(int64(len(f.Payload)))
		for m := most.Load(); size > m && !most.CompareAndSwap(m, size); m = most.Load() {
		}
		<-let
		now.Add(-int64(len(f.Payload)))
		return nil
	}}
	cfg := everybody()
	cfg.InFlight = inFlight
	serve(t, b, h, cfg)
	all, _ := block(1, 1<<20, dhash.Code{Need: 8, Total: 20})
	var work sync.WaitGroup
	var clients []*peer.Client
	for range 4 {
		a := newHost(t)
		know(a, b)
		c := client(t, a, peer.ClientConfig{Window: 16 << 20})
		clients = append(clients, c)
		for i := range 64 {
			work.Go(func() {
				if _, err := c.Put(soon(t), idOf(b), dhash.Claim{Owner: owner}, all[i%20]); err != nil {
					t.Error(err)
				}
			})
		}
	}
	eventually(t, "a full server", func() bool { return now.Load() > inFlight/2 })
	a := newHost(t)
	know(a, b)
	if _, _, err := client(t, a, peer.ClientConfig{}).Get(soon(t), idOf(b), peer.Want{}); !errors.Is(err, dhash.ErrNoFragment) {
		t.Errorf("get beside puts that wait: %v", err)
	}
	for range 256 {
		let <- struct{}{}
	}
	work.Wait()
	if most.Load() > inFlight {
		t.Errorf("%d bytes were in flight, at most %d may be", most.Load(), inFlight)
	}
	for _, c := range clients {
		if n := c.Outstanding(idOf(b)); n != 0 {
			t.Errorf("%d bytes outstanding at the end", n)
		}
	}
}

// TestReaderThatDoesNotRead asks for much and takes nothing. Its answers take their part of memory, and after a while
// the stream ends.
func TestReaderThatDoesNotRead(t *testing.T) {
	a, b := newHost(t), newHost(t)
	know(a, b)
	all, _ := block(1, venti.MaxBlock, dhash.Code{Need: 1, Total: 1})
	var loads atomic.Int64
	cfg := everybody()
	cfg.InFlight, cfg.Stall = 2*dhash.MaxFragment, 2*time.Second
	serve(t, b, &holder{onGet: func(context.Context, peer.Want) (*dhash.Fragment, error) {
		loads.Add(1)
		return all[0], nil
	}}, cfg)
	s := open(t, a, b)
	for i := range 500 {
		if _, err := s.Write(message(2, uint32(i+1), make([]byte, 64))); err != nil {
			break
		}
	}
	other := newHost(t)
	know(other, b)
	c := client(t, other, peer.ClientConfig{})
	for range 3 { // served beside it
		if _, _, err := c.Get(soon(t), idOf(b), peer.Want{Score: all[0].Score}); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the end of the stream", func() bool {
		_, err := s.Write(message(7, 9999, nil))
		return err != nil
	})
	if n := loads.Load(); n > 40 {
		t.Errorf("%d fragments of 4 MiB were loaded for who does not read", n)
	}
}

// TestStreams opens more streams than a member may have: the oldest goes.
func TestStreams(t *testing.T) {
	a, b := newHost(t), newHost(t)
	know(a, b)
	serve(t, b, &holder{}, everybody())
	var streams []network.Stream
	for i := range 5 {
		s := open(t, a, b)
		s.Write(message(7, 1, nil))
		if kind, _, _, err := readMessage(s); kind != 0x87 || err != nil {
			t.Fatalf("stream %d: %#x, %v", i, kind, err)
		}
		streams = append(streams, s)
	}
	for i, s := range streams {
		s.SetReadDeadline(time.Now().Add(10 * time.Second))
		if i < 3 {
			if _, err := s.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
				t.Errorf("stream %d: %v", i, err)
			}
			continue
		}
		s.Write(message(7, 2, nil))
		if kind, _, _, err := readMessage(s); kind != 0x87 || err != nil {
			t.Errorf("stream %d: %#x, %v", i, kind, err)
		}
	}
}

// TestIdle uses a stream, lets it be, and uses another one.
func TestIdle(t *testing.T) {
	ended := make(chan error, 9)
	c, to := fake(t, peer.ClientConfig{Idle: 50 * time.Millisecond, Stall: 2 * time.Second,
		Failed: func(_ dhash.ID, err error) { t.Errorf("a failure: %v", err) }},
		func(s network.Stream) {
			_, id, _, _ := readMessage(s)
			s.Write(message(0x87, id, nil))
			_, err := s.Read(make([]byte, 1))
			ended <- err
			s.Close()
		})
	for range 2 {
		if err := c.Ping(soon(t), to); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != io.EOF {
			t.Errorf("the stream ended with %v", err)
		}
	}
}

// TestSlowHandler has a member that works longer than a stream may stand still, but is alive.
func TestSlowHandler(t *testing.T) {
	c, to := pair(t, &holder{onGet: func(ctx context.Context, _ peer.Want) (*dhash.Fragment, error) {
		select {
		case <-time.After(4 * time.Second):
		case <-ctx.Done():
		}
		return nil, nil
	}}, peer.ClientConfig{Stall: time.Second})
	if _, _, err := c.Get(soon(t), to, peer.Want{}); !errors.Is(err, dhash.ErrNoFragment) {
		t.Error(err)
	}
}

// TestTimeout has a member that is alive and never answers one request.
func TestTimeout(t *testing.T) {
	var failed atomic.Int64
	c, to := pair(t, &holder{onGet: func(ctx context.Context, _ peer.Want) (*dhash.Fragment, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}, peer.ClientConfig{Timeout: 200 * time.Millisecond, Failed: func(dhash.ID, error) { failed.Add(1) }})
	if _, _, err := c.Get(soon(t), to, peer.Want{}); !errors.Is(err, venti.ErrUnavailable) {
		t.Error(err)
	}
	if failed.Load() != 1 {
		t.Errorf("%d failures were told", failed.Load())
	}
	if err := c.Ping(soon(t), to); err != nil {
		t.Error(err)
	}
}

// TestMany talks to more members than are kept in mind.
func TestMany(t *testing.T) {
	a := newHost(t)
	c := client(t, a, peer.ClientConfig{Members: 2})
	for range 2 {
		for range 3 {
			b := newHost(t)
			know(a, b)
			serve(t, b, &holder{}, everybody())
			if err := c.Ping(soon(t), idOf(b)); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestConnect uses the hook that dials, and its failure.
func TestConnect(t *testing.T) {
	a, b := newHost(t), newHost(t)
	know(a, b)
	serve(t, b, &holder{}, everybody())
	var calls atomic.Int64
	var told error
	c := client(t, a, peer.ClientConfig{Connect: func(context.Context, dhash.ID) error {
		calls.Add(1)
		return told
	}})
	told = dhash.ErrStranger
	for range 3 { // the second and the third fail in the pause
		if err := c.Ping(soon(t), idOf(b)); !errors.Is(err, dhash.ErrStranger) || !errors.Is(err, venti.ErrUnavailable) {
			t.Error(err)
		}
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("dialled %d times", n)
	}
	told = nil
	eventually(t, "an answer", func() bool { return c.Ping(soon(t), idOf(b)) == nil })
}

// TestClose closes a client whose requests are outstanding.
func TestClose(t *testing.T) {
	asked := make(chan struct{})
	c, to := pair(t, &holder{onGet: func(ctx context.Context, _ peer.Want) (*dhash.Fragment, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	}}, peer.ClientConfig{})
	done := make(chan error)
	go func() {
		_, _, err := c.Get(soon(t), to, peer.Want{})
		done <- err
	}()
	<-asked
	c.Close()
	if err := <-done; !errors.Is(err, venti.ErrUnavailable) {
		t.Error(err)
	}
	if err := c.Ping(soon(t), to); !errors.Is(err, venti.ErrUnavailable) {
		t.Error(err)
	}
}
