package kad

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"ventidhash/dhash"
)

// maxMessage is the length of the longest message that is read. An answer has twenty-one peers with at most 64
// addresses each, of some forty bytes: half of it.
const maxMessage = 128 << 10

// errLong says that a peer announced a message over maxMessage.
var errLong = errors.New("message of the DHT is too long")

// A guard is the host as kad-dht sees it: one that has hellos said before anything is asked, that knows no strangers,
// and whose messages are bounded and counted.
type guard struct {
	host.Host
	member  func(peer.ID) bool
	connect func(context.Context, peer.AddrInfo) error
	timeout time.Duration // for connect

	asked  atomic.Uint64 // requests sent
	served atomic.Uint64 // requests read
}

// Connect implements host.Host.
func (g *guard) Connect(ctx context.Context, info peer.AddrInfo) error {
	if g.member(info.ID) && g.Network().Connectedness(info.ID) == network.Connected {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	return g.connect(ctx, info)
}

// NewStream implements host.Host. A peer that is no member yet is given the chance to become one.
func (g *guard) NewStream(ctx context.Context, p peer.ID, protocols ...protocol.ID) (network.Stream, error) {
	if !g.member(p) {
		if err := g.Connect(ctx, peer.AddrInfo{ID: p}); err != nil {
			return nil, err
		}
		if !g.member(p) {
			return nil, fmt.Errorf("ask %s: %w", dhash.ID(p).Short(), dhash.ErrStranger)
		}
	}
	s, err := g.Host.NewStream(ctx, p, protocols...)
	if err != nil {
		return nil, err
	}
	return &stream{Stream: s, member: g.member, sent: &g.asked}, nil
}

// SetStreamHandler implements host.Host.
func (g *guard) SetStreamHandler(id protocol.ID, f network.StreamHandler) {
	g.Host.SetStreamHandler(id, func(s network.Stream) {
		if !g.member(s.Conn().RemotePeer()) {
			s.Reset()
			return
		}
		f(&stream{Stream: s, member: g.member, received: &g.served})
	})
}

// A stream cuts off a peer that is no member any more, and one that announces too long a message: it follows the
// framing, which is a length as a varint and so many bytes. kad-dht keeps streams open, and reads and writes one from
// one goroutine at a time.
type stream struct {
	network.Stream
	member   func(peer.ID) bool
	sent     *atomic.Uint64 // counts writes, which are messages: kad-dht writes each at once; nil counts none
	received *atomic.Uint64 // counts messages; nil counts none

	length uint64 // what has been read of the varint
	shift  uint   // bits of it
	body   uint64 // bytes of the message that are still to come
}

// Read implements io.Reader.
func (s *stream) Read(b []byte) (int, error) {
	n, err := s.Stream.Read(b)
	if e := s.follow(b[:n]); e != nil {
		s.Reset()
		return 0, e
	}
	return n, err
}

// follow takes note of bytes that were read. There is an error if they begin a message that must not be.
func (s *stream) follow(b []byte) error {
	for len(b) > 0 {
		if s.body > 0 {
			skip := min(s.body, uint64(len(b)))
			s.body -= skip
			b = b[skip:]
			continue
		}
		s.length |= uint64(b[0]&0x7f) << s.shift
		s.shift += 7
		last := b[0] < 0x80
		b = b[1:]
		if s.length > maxMessage || s.shift > 21 && !last {
			return errLong
		}
		if last {
			if !s.member(s.Conn().RemotePeer()) {
				return dhash.ErrStranger
			}
			s.body, s.length, s.shift = s.length, 0, 0
			if s.received != nil {
				s.received.Add(1)
			}
		}
	}
	return nil
}

// Write implements io.Writer.
func (s *stream) Write(b []byte) (int, error) {
	if !s.member(s.Conn().RemotePeer()) {
		s.Reset()
		return 0, dhash.ErrStranger
	}
	if s.sent != nil {
		s.sent.Add(1)
	}
	return s.Stream.Write(b)
}
