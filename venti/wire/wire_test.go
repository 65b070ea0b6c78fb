package wire_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"ventidhash/venti"
	"ventidhash/venti/ventitest"
	"ventidhash/venti/wire"
)

// soon bounds what must not hang. It is generous: the machine may be busy.
const soon = 20 * time.Second

func TestStoreOverPipe(t *testing.T) {
	ventitest.TestStore(t, func(t *testing.T) venti.Store {
		return dial(t, serve(t, &wire.Server{Store: ventitest.NewMemory()}, newPipes()))
	})
}

func TestStoreOverUnixSocket(t *testing.T) {
	ventitest.TestStore(t, func(t *testing.T) venti.Store {
		return dial(t, serve(t, &wire.Server{Store: ventitest.NewMemory()}, listenUnix(t)))
	})
}

func TestStoreOverTCP(t *testing.T) {
	ventitest.TestStore(t, func(t *testing.T) venti.Store {
		return dial(t, serve(t, &wire.Server{Store: ventitest.NewMemory()}, listenTCP(t)))
	})
}

// A network is a listener and the way to it.
type network interface {
	net.Listener
	dial(t testing.TB) net.Conn
}

// A serving is a Server at work.
type serving struct {
	network
	stop context.CancelFunc
	done chan error // what Serve returned
}

// serve runs srv until the test ends, and then sees to it that Serve returns.
func serve(t testing.TB, srv *wire.Server, n network) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &serving{network: n, stop: cancel, done: make(chan error, 1)}
	go func() {
		s.done <- srv.Serve(ctx, n)
		close(s.done)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-s.done:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(soon):
			t.Error("Serve does not return")
		}
	})
	return s
}

// dial returns a client that is closed when the test ends.
func dial(t testing.TB, n network) *wire.Client {
	t.Helper()
	c, err := wire.NewClient(context.Background(), n.dial(t))
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

type socket struct {
	net.Listener
}

func listenUnix(t testing.TB) network {
	t.Helper()
	dir, err := os.MkdirTemp("", "wire") // t.TempDir's names may be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return listen(t, "unix", filepath.Join(dir, "s"))
}

func listenTCP(t testing.TB) network { return listen(t, "tcp", "127.0.0.1:0") }

func listen(t testing.TB, kind, address string) network {
	t.Helper()
	l, err := net.Listen(kind, address)
	if err != nil {
		t.Fatal(err)
	}
	return socket{l}
}

func (s socket) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial(s.Addr().Network(), s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// pipes is a network of connections without any buffer.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (p *pipes) dial(t testing.TB) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	select {
	case p.conns <- there:
	case <-p.closed:
		t.Fatal("nobody accepts")
	}
	return here
}

// readAll reads until the other side closes, and fails the test if that does not happen soon.
func readAll(t testing.TB, conn net.Conn) []byte {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(soon))
	b, err := io.ReadAll(conn)
	if err, ok := err.(net.Error); ok && err.Timeout() {
		t.Error("the other side does not close the connection")
	}
	return b
}
