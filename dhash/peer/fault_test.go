package peer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	libpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"ventidhash/dhash"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// message returns the bytes of a message, right or wrong.
func message(kind byte, id uint32, body []byte) []byte {
	b := []byte{1, kind}
	b = binary.BigEndian.AppendUint32(b, id)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	return append(b, body...)
}

// readMessage reads a message that comes from the program.
func readMessage(r io.Reader) (kind byte, id uint32, body []byte, err error) {
	var h [10]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return 0, 0, nil, err
	}
	body = make([]byte, binary.BigEndian.Uint32(h[6:]))
	_, err = io.ReadFull(r, body)
	return h[1], binary.BigEndian.Uint32(h[2:]), body, err
}

// fake returns a client and a peer that handles streams as it likes.
func fake(t *testing.T, cfg peer.ClientConfig, handle func(network.Stream)) (*peer.Client, dhash.ID) {
	a, b := newHost(t), newHost(t)
	know(a, b)
	b.SetStreamHandler(peer.Protocol, handle)
	return client(t, a, cfg), idOf(b)
}

// TestLate cancels a request and uses the same stream on.
func TestLate(t *testing.T) {
	asked, let := make(chan struct{}), make(chan struct{})
	all, _ := block(1, 1<<20, dhash.Code{Need: 8, Total: 20})
	h := &holder{onGet: func(_ context.Context, w peer.Want) (*dhash.Fragment, error) {
		if w.Score == all[0].Score {
			return nil, nil
		}
		asked <- struct{}{}
		<-let
		return all[0], nil
	}}
	c, to := pair(t, h, peer.ClientConfig{})
	if _, err := c.Put(soon(t), to, dhash.Claim{Owner: owner}, all[0]); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, cancel := context.WithCancel(soon(t))
		done := make(chan error)
		go func() {
			_, _, err := c.Get(ctx, to, peer.Want{Score: venti.Score{1}})
			done <- err
		}()
		<-asked
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if n := c.Outstanding(to); n != 0 {
			t.Errorf("%d bytes of the window are not free", n)
		}
		let <- struct{}{} // the late answer
		if _, _, err := c.Get(soon(t), to, peer.Want{Score: all[0].Score}); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.Counters(); n.Failures != 0 {
		t.Errorf("%+v", n)
	}
}

// TestLiars gets answers that are not what was asked for.
func TestLiars(t *testing.T) {
	all, coding := block(1, 1000, dhash.Code{Need: 2, Total: 4})
	other, _ := block(2, 1000, dhash.Code{Need: 2, Total: 4})
	good := all[1].Append(nil)
	damaged := bytes.Clone(good)
	damaged[len(damaged)-1] ^= 1
	big := message(0x82, 1, nil)
	binary.BigEndian.PutUint32(big[6:], dhash.MaxFragment+1)
	want := peer.Want{Score: all[0].Score, Coding: coding}
	for name, v := range map[string]struct {
		answer func(id uint32) []byte
		want   error
	}{
		"good":              {func(id uint32) []byte { return message(0x82, id, good) }, nil},
		"another block":     {func(id uint32) []byte { return message(0x82, id, other[0].Append(nil)) }, dhash.ErrFragment},
		"damaged":           {func(id uint32) []byte { return message(0x82, id, damaged) }, dhash.ErrFragment},
		"cut":               {func(id uint32) []byte { return message(0x82, id, good[:len(good)-1]) }, dhash.ErrFragment},
		"another id":        {func(id uint32) []byte { return message(0x82, id+1, good) }, venti.ErrUnavailable},
		"twice":             {func(id uint32) []byte { return append(message(0x82, id^1<<31, good), big...) }, venti.ErrUnavailable},
		"another kind":      {func(id uint32) []byte { return message(0x87, id, nil) }, venti.ErrUnavailable},
		"a request":         {func(id uint32) []byte { return message(2, id, make([]byte, 64)) }, venti.ErrUnavailable},
		"too long":          {func(uint32) []byte { return big }, venti.ErrUnavailable},
		"no such reason":    {func(id uint32) []byte { return message(0x80, id, []byte{77, 0}) }, venti.ErrUnavailable},
		"a text of control": {func(id uint32) []byte { return message(0x80, id, []byte{1, 0, 10}) }, venti.ErrUnavailable},
		"version 2":         {func(id uint32) []byte { return append([]byte{2}, message(0x82, id, good)[1:]...) }, venti.ErrUnavailable},
		"half":              {func(id uint32) []byte { return message(0x82, id, good)[:200] }, venti.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			var failed atomic.Int64
			c, to := fake(t, peer.ClientConfig{
				Stall:  2 * time.Second,
				Failed: func(dhash.ID, error) { failed.Add(1) },
			}, func(s network.Stream) {
				for {
					_, id, _, err := readMessage(s)
					if err != nil {
						return
					}
					s.Write(v.answer(id))
				}
			})
			_, _, err := c.Get(soon(t), to, want)
			if !errors.Is(err, v.want) || (err == nil) != (v.want == nil) {
				t.Errorf("%v, want %v", err, v.want)
			}
			eventually(t, "the callback", func() bool { return (failed.Load() > 0) == (v.want != nil) })
		})
	}
}

// TestStranger lets nobody in.
func TestStranger(t *testing.T) {
	a, b := newHost(t), newHost(t)
	know(a, b)
	var member atomic.Bool
	cfg := everybody()
	cfg.Member = func(dhash.ID) bool { return member.Load() }
	h := &holder{onGet: func(context.Context, peer.Want) (*dhash.Fragment, error) {
		if !member.Load() {
			t.Error("a stranger was served")
		}
		return nil, nil
	}}
	s, _ := serve(t, b, h, cfg)
	ask := func() error {
		c := client(t, a, peer.ClientConfig{})
		defer c.Close()
		return c.Ping(soon(t), idOf(b))
	}
	if err := ask(); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("a stranger got %v", err)
	}
	member.Store(true)
	if err := ask(); err != nil {
		t.Errorf("a member got %v", err)
	}
	c := client(t, a, peer.ClientConfig{})
	if err := c.Ping(soon(t), idOf(b)); err != nil {
		t.Fatal(err)
	}
	member.Store(false) // banned, while there is a stream
	if _, _, err := c.Get(soon(t), idOf(b), peer.Want{}); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("who was banned got %v", err)
	}
	if n := s.Counters(); n.Requests != 2 {
		t.Errorf("%d requests were served", n.Requests)
	}
}

// open opens a stream by hand.
func open(t *testing.T, a, b host.Host) network.Stream {
	t.Helper()
	s, err := a.NewStream(soon(t), b.ID(), peer.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Reset() })
	return s
}

// TestBrokenRequests sends what no client sends. The stream ends; others are served as before.
func TestBrokenRequests(t *testing.T) {
	a, b := newHost(t), newHost(t)
	know(a, b)
	cfg := everybody()
	cfg.Stall = 300 * time.Millisecond
	serve(t, b, &holder{}, cfg)
	other := newHost(t)
	know(other, b)
	good := client(t, other, peer.ClientConfig{})
	huge := message(1, 1, nil)
	binary.BigEndian.PutUint32(huge[6:], 1<<31)
	long := message(1, 1, nil)
	binary.BigEndian.PutUint32(long[6:], 48+dhash.MaxFragment)
	for name, bytes := range map[string][]byte{
		"version 0":                make([]byte, 10),
		"kind 0":                   message(0, 1, nil),
		"kind 12":                  message(12, 1, nil),
		"an answer":                message(0x87, 1, nil),
		"a refusal":                message(0x80, 1, []byte{1, 0}),
		"closing":                  message(0xff, 0, nil),
		"id 0":                     message(7, 0, nil),
		"huge":                     huge,
		"a ping with a body":       message(7, 1, []byte{0}),
		"a get that is too short":  message(2, 1, make([]byte, 63)),
		"a get of half a coding":   message(2, 1, make([]byte, 65)),
		"a have of half a score":   message(3, 1, make([]byte, 32+48)),
		"a claim of index 200":     message(4, 1, append(append(make([]byte, 32+64), 200), make([]byte, 16)...)),
		"a diversion to nobody":    message(5, 1, make([]byte, 32+32+1+20)),
		"a reconcile of nothing":   message(8, 1, nil),
		"a copy of no claims":      message(9, 1, make([]byte, 1+48+37)),
		"a copy of 16 claims, cut": message(9, 1, append([]byte{16}, make([]byte, 48+37)...)),
		"a statement of nothing":   message(10, 1, nil),
		"half a challenge":         message(11, 1, make([]byte, 72+36)),
		"half a head":              {1, 7, 0},
		"half a body":              message(2, 1, make([]byte, 64))[:40],
		"a long put, then silence": append(long, make([]byte, 100000)...),
		"HTTP":                     []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			s := open(t, a, b)
			if _, err := s.Write(bytes); err != nil {
				t.Fatal(err)
			}
			s.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := s.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
				t.Errorf("the stream goes on: %v", err)
			}
			if err := good.Ping(soon(t), idOf(b)); err != nil {
				t.Errorf("another one: %v", err)
			}
		})
	}
	// A put whose fragment is bad is refused, and the stream goes on.
	s := open(t, a, b)
	s.Write(message(1, 5, make([]byte, 48+37)))
	s.Write(message(7, 6, nil))
	for range 2 {
		kind, id, body, err := readMessage(s)
		if err != nil || !(id == 5 && kind == 0x80 && body[0] == 6 || id == 6 && kind == 0x87) {
			t.Errorf("answer %#x to %d: %x, %v", kind, id, body, err)
		}
	}
}

// TestRestart asks a member again after its process has gone and come back.
func TestRestart(t *testing.T) {
	a, b := newHost(t), newHost(t)
	know(a, b)
	_, stop := serve(t, b, &holder{}, everybody())
	c := client(t, a, peer.ClientConfig{Connect: func(ctx context.Context, id dhash.ID) error {
		// Whoever connects decides when to try again (package member); libp2p would wait for ever longer.
		a.Network().(*swarm.Swarm).Backoff().Clear(libpeer.ID(id))
		return a.Connect(ctx, libpeer.AddrInfo{ID: libpeer.ID(id)})
	}})
	if err := c.Ping(soon(t), idOf(b)); err != nil {
		t.Fatal(err)
	}
	at := b.Addrs()[0]
	key := b.Peerstore().PrivKey(b.ID())
	b.Close() // without a word
	stop()
	if err := c.Ping(soon(t), dhash.ID(b.ID())); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("ping of nobody: %v", err)
	}
	b = newHost(t, libp2p.Identity(key), libp2p.ListenAddrs(at))
	serve(t, b, &holder{}, everybody())
	a.Network().ClosePeer(b.ID())
	eventually(t, "an answer", func() bool { return c.Ping(soon(t), idOf(b)) == nil })
}
