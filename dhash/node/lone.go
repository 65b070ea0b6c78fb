package node

import (
	"io"
	"net"
	"sync"
)

// lone is a listener of one connection that is there already. It ends with the connection.
type lone struct {
	conn net.Conn // nil once it was accepted
	mu   sync.Mutex
	done chan struct{}
	once sync.Once
	addr net.Addr
}

// newLone returns a listener of conn, of which r has what was read already.
func newLone(conn net.Conn, r io.Reader) *lone {
	l := &lone{done: make(chan struct{}), addr: conn.LocalAddr()}
	l.conn = &begun{Conn: conn, r: r, closed: l.end}
	return l
}

func (l *lone) end() { l.once.Do(func() { close(l.done) }) }

// Accept implements net.Listener.
func (l *lone) Accept() (net.Conn, error) {
	l.mu.Lock()
	conn := l.conn
	l.conn = nil
	l.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	<-l.done
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (l *lone) Close() error {
	l.end()
	return nil
}

// Addr implements net.Listener.
func (l *lone) Addr() net.Addr { return l.addr }

// begun is a connection from which something was read already.
type begun struct {
	net.Conn
	r      io.Reader
	closed func() // nil does nothing
}

// Read implements net.Conn.
func (b *begun) Read(p []byte) (int, error) { return b.r.Read(p) }

// Close implements net.Conn.
func (b *begun) Close() error {
	if b.closed != nil {
		b.closed()
	}
	return b.Conn.Close()
}
