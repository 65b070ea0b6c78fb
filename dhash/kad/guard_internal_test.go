package kad

import (
	"encoding/binary"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"ventidhash/dhash"
)

// A fakeStream has a connection whose peer is "them".
type fakeStream struct{ network.Stream }

func (fakeStream) Conn() network.Conn { return fakeConn{} }

type fakeConn struct{ network.Conn }

func (fakeConn) RemotePeer() peer.ID { return "them" }

// messages counts, with the standard library, the messages that begin in b, and reports whether one is too long.
func messages(b []byte) (n uint64, long bool) {
	for len(b) > 0 {
		length, size := binary.Uvarint(b)
		if size < 0 || size > 4 || size == 0 && len(b) >= 4 || size > 0 && length > maxMessage {
			return n, true
		}
		if size == 0 { // cut off in the length: too long already, perhaps
			var so uint64
			for i, c := range b {
				so |= uint64(c&0x7f) << (7 * i)
			}
			return n, so > maxMessage
		}
		n++
		b = b[size:]
		b = b[min(uint64(len(b)), length):]
	}
	return n, false
}

// However the bytes are cut, a stream follows the messages.
func FuzzFollow(f *testing.F) {
	f.Add([]byte{3, 1, 2, 3, 0, 1, 9}, uint8(2))
	f.Add(append(binary.AppendUvarint(nil, maxMessage), 7), uint8(1))
	f.Add(binary.AppendUvarint([]byte{1, 1}, maxMessage+1), uint8(1))
	f.Add([]byte{0x80, 0x80, 0x80, 0x80, 0x00}, uint8(3))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, uint8(10))
	f.Fuzz(func(t *testing.T, b []byte, step uint8) {
		var count atomic.Uint64
		s := &stream{Stream: fakeStream{}, member: func(peer.ID) bool { return true }, received: &count}
		var err error
		for rest := b; len(rest) > 0 && err == nil; {
			n := min(len(rest), int(step)+1)
			err = s.follow(rest[:n])
			rest = rest[n:]
		}
		n, long := messages(b)
		if long != errors.Is(err, errLong) || count.Load() != n {
			t.Errorf("%x in steps of %d: %d messages, %v; want %d, too long: %v", b, step+1, count.Load(), err, n, long)
		}
	})
}

// Whoever is banned is not heard any more, on streams that were open.
func TestFollowStranger(t *testing.T) {
	member := true
	s := &stream{Stream: fakeStream{}, member: func(p peer.ID) bool { return member && p == "them" }}
	if err := s.follow([]byte{2, 1, 1, 3}); err != nil {
		t.Error(err)
	}
	member = false
	if err := s.follow([]byte{1, 1, 1}); err != nil { // the rest of the message
		t.Error(err)
	}
	if err := s.follow([]byte{1}); !errors.Is(err, dhash.ErrStranger) {
		t.Error(err)
	}
}

func TestNearest(t *testing.T) {
	key := dhash.ID("a").Key()
	got := nearest(key, []peer.ID{"b", "a", "b", "a"}, 20)
	if len(got) != 2 || got[0] != "a" || got[1] != "b" {
		t.Errorf("nearest: %v", got)
	}
	for _, n := range []int{-1, 0} {
		if got := nearest(key, []peer.ID{"a"}, n); len(got) != 0 {
			t.Errorf("nearest %d: %v", n, got)
		}
	}
}
