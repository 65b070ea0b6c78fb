package wire

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"ventidhash/venti"
)

const (
	maxConns    = 256             // connections; more wait until one ends
	maxParallel = 16              // requests of one connection that are served at once; more wait in the socket
	maxBlocks   = 32              // blocks in memory, of all connections: 128 MiB if all are of the largest size
	largeFields = 4 << 10         // a request with longer fields counts as a block
	messageTime = 2 * time.Minute // for a message that has begun to come or to go
	drainTime   = 30 * time.Second
)

// A Server serves Store to every connection of a listener. The fields may not change while Serve runs.
type Server struct {
	Store venti.Store

	// Yield is what a client's request to hand over ownership of the store does; nil refuses. It returns nil once the
	// process has agreed, and must not wait for Serve to return, which waits for Yield. The client is told whatever
	// Yield returns.
	Yield func(context.Context) error

	// Log is told of connections that end badly. Nil discards.
	Log *slog.Logger
}

// Serve accepts connections from l until ctx is done or l fails. Then it closes l, takes no more requests, answers
// those that it has read, closes the connections, and returns when nothing of it runs any more: nil if it was ctx that
// ended it, else the error of l. Requests have half a minute to end; those that last longer have their context
// cancelled.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	v := &service{Server: s, log: s.Log, blocks: make(chan struct{}, maxBlocks), pool: new(pool)}
	if v.log == nil {
		v.log = slog.New(slog.DiscardHandler)
	}
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() {
		l.Close()
		close(closed)
	})
	var conns sync.WaitGroup
	err := v.accept(ctx, l, &conns)
	cancel()
	conns.Wait()
	<-closed
	if outer.Err() != nil {
		return nil
	}
	return err
}

// A service is a Server while it serves: what its connections share.
type service struct {
	*Server
	log    *slog.Logger
	blocks chan struct{} // an element for each block in memory
	pool   *pool
}

// accept serves the connections of l until ctx is done or l fails.
func (v *service) accept(ctx context.Context, l net.Listener, conns *sync.WaitGroup) error {
	slots := make(chan struct{}, maxConns)
	pause := time.Duration(0)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			conns.Go(func() {
				defer func() { <-slots }()
				v.serve(ctx, conn)
			})
		case ctx.Err() != nil || !passes(err):
			return err
		default:
			<-slots
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			v.log.Warn("accepting a connection", slog.Any("err", err), slog.Duration("pause", pause))
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// passes reports whether Accept may work again after err.
func passes(err error) bool {
	for _, e := range []error{syscall.ECONNABORTED, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM,
		syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
