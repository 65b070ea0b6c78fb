package wire_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/ventitest"
	"ventidhash/venti/wire"
)

// A gate is a store whose operations wait until it is opened. It counts those that wait.
type gate struct {
	venti.Store
	open chan struct{}
	in   chan struct{} // an element for each operation that has begun

	mu        sync.Mutex // protects the following
	now, most int        // operations that run, and the most that ever did
}

func newGate(s venti.Store) *gate {
	return &gate{Store: s, open: make(chan struct{}), in: make(chan struct{}, 1000)}
}

func (g *gate) pass(ctx context.Context) error {
	g.mu.Lock()
	g.now++
	g.most = max(g.most, g.now)
	g.mu.Unlock()
	defer func() {
		g.mu.Lock()
		g.now--
		g.mu.Unlock()
	}()
	g.in <- struct{}{}
	select {
	case <-g.open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) Get(ctx context.Context, s venti.Score) ([]byte, error) {
	if err := g.pass(ctx); err != nil {
		return nil, err
	}
	return g.Store.Get(ctx, s)
}

func (g *gate) Put(ctx context.Context, b []byte) (venti.Score, error) {
	if err := g.pass(ctx); err != nil {
		return venti.Score{}, err
	}
	return g.Store.Put(ctx, b)
}

func (g *gate) Sync(ctx context.Context) error {
	if err := g.pass(ctx); err != nil {
		return err
	}
	return g.Store.Sync(ctx)
}

func TestDrain(t *testing.T) {
	g := newGate(ventitest.NewMemory())
	s := serve(t, &wire.Server{Store: g}, listenUnix(t))
	c, idle := dial(t, s), dial(t, s)
	block := ventitest.Random(1, 1<<20)
	done := make(chan error, 2)
	go func() {
		_, err := c.Put(context.Background(), block)
		done <- err
	}()
	go func() { done <- c.Sync(context.Background()) }()
	<-g.in
	<-g.in
	s.stop()
	if err := idle.Ping(t.Context()); err != nil && !errors.Is(err, wire.ErrLost) {
		t.Errorf("a client of a server that ends: %v", err)
	}
	select {
	case <-s.done:
		t.Fatal("Serve returned with requests in flight")
	case <-time.After(50 * time.Millisecond):
	}
	close(g.open)
	for range 2 {
		if err := <-done; err != nil {
			t.Errorf("in flight when the server ended: %v", err)
		}
	}
	if err := <-s.done; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := c.Sync(t.Context()); !errors.Is(err, wire.ErrLost) {
		t.Errorf("after the end: %v, want %v", err, wire.ErrLost)
	}
	if _, err := net.Dial(s.Addr().Network(), s.Addr().String()); err == nil {
		t.Error("the listener is open")
	}
}

func TestDrainEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(ventitest.NewMemory()) // nobody opens it
		s := serve(t, &wire.Server{Store: g}, newPipes())
		c := dial(t, s)
		done := make(chan error)
		go func() { done <- c.Sync(context.Background()) }()
		<-g.in
		start := time.Now()
		s.stop()
		if err := <-done; !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("Sync: %v, want %v", err, venti.ErrUnavailable)
		}
		<-s.done
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}

// A client that goes while the server drains is not waited for.
func TestDrainWithoutClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(ventitest.NewMemory()) // nobody opens it
		s := serve(t, &wire.Server{Store: g}, newPipes())
		c := dial(t, s)
		done := make(chan error)
		go func() { done <- c.Sync(context.Background()) }()
		<-g.in
		s.stop()
		synctest.Wait()
		start := time.Now()
		c.Close()
		<-done
		<-s.done
		if took := time.Since(start); took != 0 {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := ventitest.NewMemory()
		score, _ := mem.Put(t.Context(), ventitest.Random(1, 10_000))
		g := newGate(mem)
		s := serve(t, &wire.Server{Store: g}, newPipes())
		var work sync.WaitGroup
		most := func(want int) {
			t.Helper()
			synctest.Wait()
			if g.most != want {
				t.Errorf("the store serves %d requests at once, want %d", g.most, want)
			}
		}
		ask := func() {
			c := dial(t, s)
			for i := range 50 {
				work.Go(func() {
					var err error
					if i%2 == 0 {
						_, err = c.Get(t.Context(), score)
					} else {
						_, err = c.Put(t.Context(), ventitest.Random(uint64(i), 10_000))
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
		ask()
		most(16)
		ask()
		most(32)
		ask()
		most(32)
		close(g.open)
		work.Wait()
	})
}

// A client that goes away takes its requests with it.
func TestClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(ventitest.NewMemory())
		s := serve(t, &wire.Server{Store: g}, newPipes())
		c := dial(t, s)
		done := make(chan error)
		go func() { done <- c.Sync(context.Background()) }()
		<-g.in
		c.Close()
		if err := <-done; !errors.Is(err, wire.ErrLost) {
			t.Error(err)
		}
		synctest.Wait()
		if g.now != 0 {
			t.Error("the request lives on")
		}
	})
}
