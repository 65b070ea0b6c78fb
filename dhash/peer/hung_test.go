package peer_test

import (
	"bytes"
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

// TestHung asks a peer that takes the stream, or the requests too, and never answers. It costs those that ask it no more
// than the time that the configuration says.
func TestHung(t *testing.T) {
	all, _ := block(1, 1<<20, dhash.Code{Need: 8, Total: 20})
	for name, handle := range map[string]func(network.Stream){
		"reads nothing": func(network.Stream) {},
		"reads all":     func(s network.Stream) { io.Copy(io.Discard, s) },
	} {
		t.Run(name, func(t *testing.T) {
			var failed atomic.Int64
			c, to := fake(t, peer.ClientConfig{
				Grant: func(dhash.Owner) []byte { return nil }, Stall: 400 * time.Millisecond,
				Failed: func(_ dhash.ID, err error) { failed.Add(1) },
			}, handle)
			begun := time.Now()
			var work sync.WaitGroup
			for range 20 {
				work.Go(func() {
					if _, _, err := c.Get(soon(t), to, peer.Want{Score: all[0].Score}); !errors.Is(err, venti.ErrUnavailable) {
						t.Errorf("get: %v", err)
					}
				})
			}
			work.Wait()
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			eventually(t, "the callback", func() bool { return failed.Load() > 0 })
			if _, _, err := c.Get(soon(t), to, peer.Want{}); !errors.Is(err, venti.ErrUnavailable) {
				t.Errorf("get in the pause: %v", err)
			}
			if c.Outstanding(to) != 0 {
				t.Error("the window is not free again")
			}
		})
	}
}

// granting answers grants and nothing else, and then reads nothing more until release is closed.
func granting(release chan struct{}) func(network.Stream) {
	return func(s network.Stream) {
		_, id, body, err := readMessage(s)
		if err != nil {
			return
		}
		s.Write(message(0x86, id, body))
		<-release
		io.Copy(io.Discard, s)
	}
}

// TestPutToHung cancels puts to a peer that reads nothing, while they wait, are written, and are out. The caller has its
// payload back at once: the race detector sees that nobody reads it any more.
func TestPutToHung(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	c, to := fake(t, peer.ClientConfig{}, granting(release))
	all, _ := block(1, 2<<20, dhash.Code{Need: 8, Total: 20})
	var work sync.WaitGroup
	ctx, cancel := context.WithCancel(soon(t))
	for _, f := range all {
		work.Go(func() {
			_, err := c.Put(ctx, to, dhash.Claim{Owner: owner}, f)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("put: %v", err)
			}
			clear(f.Payload)
		})
	}
	eventually(t, "puts under way", func() bool { return c.Outstanding(to) > 4<<20 })
	cancel()
	begun := time.Now()
	work.Wait()
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("cancelling took %v", took)
	}
	if n := c.Outstanding(to); n != 0 {
		t.Errorf("%d bytes of the window are not free", n)
	}
}

// TestPutToSlow cancels a put in the middle. What the peer then reads is whole, though the caller's slice has changed, and
// the stream is used on.
func TestPutToSlow(t *testing.T) {
	release := make(chan struct{})
	got := make(chan []byte, 9)
	c, to := fake(t, peer.ClientConfig{Stall: 4 * time.Second}, func(s network.Stream) {
		_, id, body, _ := readMessage(s)
		s.Write(message(0x86, id, body))
		<-release
		for {
			kind, id, body, err := readMessage(s)
			if err != nil {
				return
			}
			if kind == 7 {
				s.Write(message(0x87, id, nil))
				continue
			}
			got <- body
			s.Write(message(0x81, id, make([]byte, 40)))
		}
	})
	all, _ := block(1, venti.MaxBlock, dhash.Code{Need: 1, Total: 1})
	want := all[0].Append(nil)
	ctx, cancel := context.WithCancel(soon(t))
	done := make(chan error)
	go func() {
		_, err := c.Put(ctx, to, dhash.Claim{Owner: owner}, all[0])
		done <- err
	}()
	eventually(t, "half of the put", func() bool { return c.Counters().BytesOut > 100<<10 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	clear(all[0].Payload)
	close(release)
	if err := c.Ping(soon(t), to); err != nil {
		t.Error(err)
	}
	if !bytes.Equal((<-got)[48:], want) {
		t.Error("the peer got something else")
	}
	if n := c.Counters(); n.Failures != 0 {
		t.Errorf("%+v", n)
	}
}

// TestIgnored asks a peer that reads and never answers, by many who lose patience: it is given up for that, before it has read
// 300 requests.
func TestIgnored(t *testing.T) {
	var read atomic.Int64
	lost := make(chan struct{}, 9)
	c, to := fake(t, peer.ClientConfig{Stall: time.Hour}, func(s network.Stream) {
		for {
			if _, _, _, err := readMessage(s); err != nil {
				lost <- struct{}{}
				return
			}
			read.Add(1)
		}
	})
	for end := time.Now().Add(time.Minute); len(lost) == 0 && read.Load() < 300; {
		if time.Now().After(end) {
			t.Fatalf("only %d requests go out", read.Load())
		}
		ctx, cancel := context.WithTimeout(soon(t), 2*time.Millisecond) // some never go out
		c.Ping(ctx, to)
		cancel()
	}
	select {
	case <-lost:
	case <-soon(t).Done():
		t.Error("the stream is still used, after 300 requests without an answer")
	}
}
