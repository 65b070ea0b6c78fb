package kad

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	upgrader "github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

// secure is libp2p's TLS, except that what is given to one Write leaves in one piece. TLS makes records of 16 KiB and writes
// them one by one, so that a fragment takes a dozen system calls here and wakes up the other side as often.
type secure struct{ *libp2ptls.Transport }

func newSecure(id protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (*secure, error) {
	t, err := libp2ptls.New(id, key, muxers)
	return &secure{t}, err
}

// SecureInbound implements sec.SecureTransport.
func (t *secure) SecureInbound(ctx context.Context, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	return whole(insecure, func(c net.Conn) (sec.SecureConn, error) { return t.Transport.SecureInbound(ctx, c, p) })
}

// SecureOutbound implements sec.SecureTransport.
func (t *secure) SecureOutbound(ctx context.Context, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	return whole(insecure, func(c net.Conn) (sec.SecureConn, error) { return t.Transport.SecureOutbound(ctx, c, p) })
}

// whole has handshake make a connection over insecure, and makes it write in whole pieces.
func whole(insecure net.Conn, handshake func(net.Conn) (sec.SecureConn, error)) (sec.SecureConn, error) {
	raw := &corked{Conn: insecure}
	c, err := handshake(raw)
	if err != nil {
		return nil, err
	}
	return &wholeConn{c, raw}, nil
}

// A wholeConn is a connection whose Write writes to raw once.
type wholeConn struct {
	sec.SecureConn
	raw *corked
}

// Write implements net.Conn. As for a TLS connection, after an error there is nothing more to be written.
func (c *wholeConn) Write(b []byte) (int, error) {
	c.raw.cork()
	n, err := c.SecureConn.Write(b)
	if e := c.raw.uncork(); err == nil && e != nil {
		return 0, e
	}
	return n, err
}

// Close implements net.Conn. What is being written is given up, as TLS does: the other side may take nothing any more, and a
// good-bye would wait for that.
func (c *wholeConn) Close() error {
	if c.raw.corks.Load() > 0 {
		c.raw.Conn.Close()
	}
	return c.SecureConn.Close()
}

// buffers are those of corked connections. What a multiplexer writes at once is 64 KiB at most, and a record has some bytes
// more.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 66<<10); return &b }}

// A corked connection keeps back what is written until it is uncorked.
type corked struct {
	net.Conn
	corks atomic.Int32 // Writes above that are under way

	mu   sync.Mutex // protects the following, and is held while the connection is written to
	kept *[]byte    // nil if there is none
	err  error      // of a write: then the other side has got a part
}

func (c *corked) cork() { c.corks.Add(1) }

// uncork writes what was kept back.
func (c *corked) uncork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.corks.Add(-1)
	b := c.kept
	if b == nil {
		return c.err // another Write took it along
	}
	c.kept = nil
	if c.err == nil {
		_, c.err = c.Conn.Write(*b)
	}
	if *b = (*b)[:0]; cap(*b) <= 2*66<<10 {
		buffers.Put(b)
	}
	return c.err
}

// Write implements net.Conn.
func (c *corked) Write(b []byte) (n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	if c.corks.Load() == 0 {
		n, c.err = c.Conn.Write(b)
		return n, c.err
	}
	if c.kept == nil {
		c.kept = buffers.Get().(*[]byte)
	}
	*c.kept = append(*c.kept, b...)
	return len(b), nil
}
