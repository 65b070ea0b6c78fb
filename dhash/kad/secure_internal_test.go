package kad

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	mrand "math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
)

// counted counts the writes to a connection, and fails them if fail is set.
type counted struct {
	net.Conn
	writes atomic.Int64
	fail   atomic.Bool
}

var errCut = errors.New("cut")

func (c *counted) Write(b []byte) (int, error) {
	c.writes.Add(1)
	if c.fail.Load() {
		return 0, errCut
	}
	return c.Conn.Write(b)
}

// pair returns both ends of a secured connection over loopback, and what the first one writes to.
func pair(t *testing.T) (a, b sec.SecureConn, raw *counted) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	one, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	host := func() (*secure, peer.ID) {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		s, err := newSecure(libp2ptls.ID, key, nil)
		if err != nil {
			t.Fatal(err)
		}
		id, err := peer.IDFromPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return s, id
	}
	client, _ := host()
	server, id := host()
	done := make(chan error, 1)
	go func() {
		var err error
		b, err = server.SecureInbound(context.Background(), other, "")
		done <- err
	}()
	raw = &counted{Conn: one}
	a, err = client.SecureOutbound(context.Background(), raw, id)
	if err := errors.Join(err, <-done); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	if a.RemotePeer() != id {
		t.Fatalf("connected to %v, want %v", a.RemotePeer(), id)
	}
	return a, b, raw
}

// TestOneWrite: what is written at once leaves at once, however many records it takes.
func TestOneWrite(t *testing.T) {
	a, b, raw := pair(t)
	for _, size := range []int{1, 16 << 10, 64 << 10, 1 << 20} {
		sent, got := make([]byte, size), make([]byte, size)
		rand.Read(sent)
		read := make(chan error, 1)
		go func() {
			_, err := io.ReadFull(b, got)
			read <- err
		}()
		before := raw.writes.Load()
		if n, err := a.Write(sent); n != size || err != nil {
			t.Fatalf("%d of %d bytes: %v", n, size, err)
		}
		if n := raw.writes.Load() - before; n != 1 {
			t.Errorf("%d bytes took %d writes", size, n)
		}
		if err := <-read; err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%d bytes did not arrive: %v", size, err)
		}
	}
}

// TestWritesTogether: of several at the same time each arrives whole.
func TestWritesTogether(t *testing.T) {
	const writers, each = 8, 50
	a, b, _ := pair(t)
	var work sync.WaitGroup
	for w := range writers {
		dice := mrand.New(mrand.NewPCG(uint64(w), 1))
		work.Go(func() {
			for range each {
				m := bytes.Repeat([]byte{byte(w)}, 5+dice.IntN(100<<10))
				binary.BigEndian.PutUint32(m, uint32(len(m)))
				if _, err := a.Write(m); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range writers * each {
		var size [4]byte
		if _, err := io.ReadFull(b, size[:]); err != nil {
			t.Fatal(err)
		}
		m := make([]byte, binary.BigEndian.Uint32(size[:])-4)
		if _, err := io.ReadFull(b, m); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(m, m[:1]); n != len(m) {
			t.Fatalf("of %d bytes %d are another message's", len(m), len(m)-n)
		}
	}
	work.Wait()
}

// TestFailedWrite: nothing is written behind what was not written.
func TestFailedWrite(t *testing.T) {
	a, _, raw := pair(t)
	raw.fail.Store(true)
	if n, err := a.Write(make([]byte, 40<<10)); n != 0 || !errors.Is(err, errCut) {
		t.Errorf("a write that failed: %d, %v", n, err)
	}
	raw.fail.Store(false)
	before := raw.writes.Load()
	if _, err := a.Write([]byte("more")); !errors.Is(err, errCut) {
		t.Errorf("after it: %v", err)
	}
	if n := raw.writes.Load() - before; n > 0 {
		t.Errorf("%d writes after one that failed", n)
	}
}

// TestCloseWhileTheOtherSideHangs does not wait for it.
func TestCloseWhileTheOtherSideHangs(t *testing.T) {
	a, _, raw := pair(t)
	stuck := make(chan error, 1)
	go func() {
		for {
			if _, err := a.Write(make([]byte, 1<<20)); err != nil {
				stuck <- err
				return
			}
		}
	}()
	for before := int64(-1); before != raw.writes.Load(); { // until a write takes longer
		before = raw.writes.Load()
		select {
		case err := <-stuck:
			t.Fatal(err)
		case <-time.After(200 * time.Millisecond):
		}
	}
	begun := time.Now()
	if err := a.Close(); err != nil {
		t.Logf("closing: %v", err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("closing took %v", took)
	}
	<-stuck
}
