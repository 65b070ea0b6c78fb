package kad_test

import (
	"context"
	"encoding/binary"
	"io"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/libp2p/go-libp2p-kad-dht/pb"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-msgio/pbio"

	"ventidhash/dhash/kad"
	"ventidhash/venti"
)

// A member that announces a message of four megabytes is cut off before it has sent it.
func TestLongMessage(t *testing.T) {
	r := newRoll()
	n := swarm(t, 1, r)[0]
	h := newHost(t, 60)
	defer h.Close()
	r.set(h.ID(), true)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := h.Connect(ctx, n.info()); err != nil {
		t.Fatal(err)
	}
	s, err := h.NewStream(ctx, n.Host.ID(), kad.Protocol)
	if err != nil {
		t.Fatal(err)
	}
	s.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := s.Write(binary.AppendUvarint(nil, 4<<20)); err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(s)
	if err == nil || isTimeout(err) {
		t.Errorf("the stream was not reset: %v", err)
	}
	if served := n.Stats().Served; served != 0 {
		t.Errorf("served %d", served)
	}
}

func isTimeout(err error) bool {
	e, ok := err.(interface{ Timeout() bool })
	return ok && e.Timeout()
}

// A member that answers with peers that it made up, and one that does not answer, spoil neither lookups nor crawls.
func TestLiar(t *testing.T) {
	r := newRoll()
	nodes := swarm(t, 5, r)
	formed(t, nodes)
	liar, silent := newHost(t, 61), newHost(t, 62)
	defer liar.Close()
	defer silent.Close()
	var made atomic.Int32
	liar.SetStreamHandler(kad.Protocol, func(s network.Stream) {
		defer s.Close()
		in, out := pbio.NewDelimitedReader(s, 1<<20), pbio.NewDelimitedWriter(s)
		for {
			var m pb.Message
			if in.ReadMsg(&m) != nil {
				return
			}
			answer := pb.NewMessage(m.GetType(), nil, 0)
			for range 100 {
				id, err := peer.IDFromPublicKey(publicKey(t, 1000+int(made.Add(1))))
				if err != nil {
					t.Error(err)
				}
				answer.CloserPeers = append(answer.CloserPeers, &pb.Message_Peer{Id: []byte(id),
					Addrs: [][]byte{nodes[0].Host.Addrs()[0].Bytes()}})
			}
			answer.CloserPeers = append(answer.CloserPeers, &pb.Message_Peer{Id: []byte("no id")})
			if out.WriteMsg(answer) != nil {
				return
			}
		}
	})
	silent.SetStreamHandler(kad.Protocol, func(s network.Stream) { io.Copy(io.Discard, s) })
	ctx := context.Background()
	for _, h := range []interface {
		ID() peer.ID
		Connect(context.Context, peer.AddrInfo) error
	}{liar, silent} {
		r.set(h.ID(), true)
		for _, n := range nodes {
			if err := h.Connect(ctx, n.info()); err != nil {
				t.Fatal(err)
			}
			n.Changed()
		}
	}
	until(t, 10*time.Second, func() string {
		if nodes[0].Size() != 5 {
			return "the liar is not in the table"
		}
		return ""
	})
	got, err := nodes[0].Closest(ctx, venti.Sum(nil), 20)
	if err != nil || len(got) != 6 { // the liar is a member
		t.Errorf("closest: %d, %v", len(got), err)
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	found := 0
	begin := time.Now()
	if err := nodes[0].Crawl(ctx, func(peer.AddrInfo) { found++ }); err != nil || found != 5 {
		t.Errorf("crawl found %d, %v", found, err)
	}
	t.Logf("crawl past the liar: %v", time.Since(begin))
}
