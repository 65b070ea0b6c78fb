package peer_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"ventidhash/dhash"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// reversed answers a message by its bytes in the other order.
func reversed(_ context.Context, b []byte) ([]byte, error) {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return b, nil
}

// TestOpaque sends messages that only others understand, of all lengths that may be and of some that may not.
func TestOpaque(t *testing.T) {
	replies := map[byte]int{0: 1, 1: peer.MaxReply, 2: 0, 3: peer.MaxReply + 1}
	h := &holder{onState: func(_ context.Context, b []byte) ([]byte, error) { return make([]byte, replies[b[0]]), nil }}
	h.onReconcile = func(ctx context.Context, b []byte) ([]byte, error) {
		switch b[0] {
		case 7:
			return nil, nil
		case 8:
			return make([]byte, peer.MaxReconcile+1), nil
		case 9:
			return nil, dhash.ErrBusy
		}
		return reversed(ctx, b)
	}
	c, to := pair(t, h, peer.ClientConfig{})
	ctx := soon(t)
	for _, n := range []int{1, 2, 5000, peer.MaxReconcile} {
		msg := bytes.Repeat([]byte{1}, n)
		msg[n-1] = 2
		got, err := c.Reconcile(ctx, to, msg)
		if want, _ := reversed(ctx, msg); n > 1 && !bytes.Equal(got, want) || err != nil {
			t.Errorf("reconcile of %d bytes: %d bytes, %v", n, len(got), err)
		}
	}
	if got, err := c.Reconcile(ctx, to, []byte{7}); err != nil || len(got) != 0 {
		t.Errorf("an empty answer: %x, %v", got, err)
	}
	for _, n := range []int{1, 100, peer.MaxStatement} {
		statement := make([]byte, n)
		for kind, size := range replies {
			statement[0] = kind
			got, err := c.State(ctx, to, statement)
			if ok := size >= 1 && size <= peer.MaxReply; len(got) != size && ok || ok != (err == nil) {
				t.Errorf("statement of %d bytes, answer of %d: %d, %v", n, size, len(got), err)
			}
			if err != nil && !errors.As(err, new(*peer.Refusal)) {
				t.Errorf("answer of %d bytes: %v", size, err)
			}
		}
	}
	if _, err := c.Reconcile(ctx, to, []byte{8}); !errors.As(err, new(*peer.Refusal)) {
		t.Errorf("an answer that is too long: %v", err)
	}
	if _, err := c.Reconcile(ctx, to, []byte{9}); !errors.Is(err, dhash.ErrBusy) {
		t.Errorf("a refusal became %v", err)
	}
	for _, n := range []int{0, peer.MaxReconcile + 1} {
		if _, err := c.Reconcile(ctx, to, make([]byte, n)); err == nil || errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("reconcile of %d bytes: %v", n, err)
		}
	}
	for _, n := range []int{0, peer.MaxStatement + 1} {
		if _, err := c.State(ctx, to, make([]byte, n)); err == nil || errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("statement of %d bytes: %v", n, err)
		}
	}
	if n := c.Counters(); n.Failures != 0 {
		t.Errorf("%d failures", n.Failures)
	}
}

// owners returns the claims of n owners, in no order.
func owners(n int) (all []dhash.Claim) {
	for i := range n {
		all = append(all, dhash.Claim{Owner: dhash.Owner{byte(37 * (i + 1))}, Mark: [16]byte{byte(i)}})
	}
	return all
}

func TestCopy(t *testing.T) {
	h := &holder{}
	c, to := pair(t, h, peer.ClientConfig{Grant: func(dhash.Owner) []byte {
		t.Error("a grant was asked for")
		return nil
	}})
	ctx := soon(t)
	for i, n := range []int{1, 2, peer.MaxClaims} {
		all, coding := block(uint64(i), venti.MaxBlock>>i, dhash.Code{Need: 1, Total: 3})
		r, err := c.Copy(ctx, to, owners(n), all[2])
		if err != nil || r.Coding != coding || r.Free != 1<<40 {
			t.Fatalf("copy with %d claims: %+v, %v", n, r, err)
		}
		for _, claim := range owners(n) {
			held, err := c.Have(ctx, to, claim.Owner, []venti.Score{all[2].Score})
			if err != nil || len(held[0]) != 1 || held[0][0].Mark != claim.Mark {
				t.Errorf("the claim of %x: %+v, %v", claim.Owner[:1], held, err)
			}
		}
	}
	all, _ := block(1, 1000, dhash.Code{Need: 2, Total: 4})
	for _, claims := range [][]dhash.Claim{nil, owners(peer.MaxClaims + 1), append(owners(3), owners(1)...)} {
		if _, err := c.Copy(ctx, to, claims, all[0]); err == nil || errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("copy with %d claims: %v", len(claims), err)
		}
	}
	h.onPut = func(context.Context, *dhash.Fragment) error { return dhash.ErrNotMine }
	if _, err := c.Copy(ctx, to, owners(1), all[0]); !errors.Is(err, dhash.ErrNotMine) {
		t.Error(err)
	}
}

// TestClients has a client do what it may, and what only members may.
func TestClients(t *testing.T) {
	for name, full := range map[string]func(dhash.ID) bool{"nobody": nil, "others": func(dhash.ID) bool { return false }} {
		t.Run(name, func(t *testing.T) {
			a, b := newHost(t), newHost(t)
			know(a, b)
			var called atomic.Int64
			h := &holder{onState: reversed, onReconcile: func(context.Context, []byte) ([]byte, error) {
				called.Add(1)
				return nil, nil
			}, onPut: func(context.Context, *dhash.Fragment) error {
				called.Add(1)
				return nil
			}}
			cfg := everybody()
			cfg.Full = full
			s, _ := serve(t, b, h, cfg)
			ctx := soon(t)
			all, coding := block(1, 1000, dhash.Code{Need: 2, Total: 4})
			c := client(t, a, peer.ClientConfig{})
			if _, err := c.State(ctx, idOf(b), []byte{1, 2}); err != nil {
				t.Error(err)
			}
			if proofs, err := c.Challenge(ctx, idOf(b), []peer.Challenge{{Score: all[0].Score, Coding: coding}}); err != nil ||
				len(proofs) != 1 || proofs[0] != (peer.Proof{}) {
				t.Errorf("%+v, %v", proofs, err)
			}
			for kind, n := range map[byte]int{8: 1, 9: 1 << 20} { // only the head is sent: nothing of the rest is waited for
				raw := open(t, a, b)
				raw.Write(message(kind, 1, make([]byte, n))[:10])
				raw.SetReadDeadline(time.Now().Add(10 * time.Second))
				if _, err := raw.Read(make([]byte, 1)); !errors.Is(err, network.ErrReset) {
					t.Errorf("kind %d: the stream goes on: %v", kind, err)
				}
			}
			eventually(t, "two dropped streams", func() bool { return s.Counters().Failures == 2 })
			if _, err := c.Reconcile(ctx, idOf(b), []byte{1}); !errors.Is(err, venti.ErrUnavailable) {
				t.Errorf("reconcile: %v", err)
			}
			other := client(t, a, peer.ClientConfig{})
			if _, err := other.Copy(ctx, idOf(b), owners(1), all[0]); !errors.Is(err, venti.ErrUnavailable) {
				t.Errorf("copy: %v", err)
			}
			if n := called.Load(); n != 0 {
				t.Errorf("the handler was called %d times", n)
			}
		})
	}
}

// TestStatementsBackpressure has a handler that is slow to take statements and copies. The server takes no more of them
// than of puts, and gets pass.
func TestStatementsBackpressure(t *testing.T) {
	const inFlight = 2 * dhash.MaxFragment
	b := newHost(t)
	let := make(chan struct{})
	var now, most atomic.Int64
	slow := func(n int) {
		size := now.Add(int64(n))
		for m := most.Load(); size > m && !most.CompareAndSwap(m, size); m = most.Load() {
		}
		<-let
		now.Add(-int64(n))
	}
	h := &holder{onState: func(_ context.Context, b []byte) ([]byte, error) {
		slow(len(b))
		return []byte{1}, nil
	}, onPut: func(_ context.Context, f *dhash.Fragment) error {
		slow(len(f.Payload))
		return nil
	}}
	cfg := everybody()
	cfg.InFlight = inFlight
	serve(t, b, h, cfg)
	all, _ := block(1, 2<<20, dhash.Code{Need: 2, Total: 3})
	var work sync.WaitGroup
	for range 5 {
		a := newHost(t)
		know(a, b)
		c := client(t, a, peer.ClientConfig{Window: 16 << 20})
		for i := range 6 {
			work.Go(func() {
				if _, err := c.State(soon(t), idOf(b), make([]byte, 1<<20)); err != nil {
					t.Error(err)
				}
				if _, err := c.Copy(soon(t), idOf(b), owners(2), all[i%3]); err != nil {
					t.Error(err)
				}
			})
		}
	}
	eventually(t, "a full server", func() bool { return now.Load() > inFlight/2 })
	a := newHost(t)
	know(a, b)
	if _, _, err := client(t, a, peer.ClientConfig{}).Get(soon(t), idOf(b), peer.Want{}); !errors.Is(err, dhash.ErrNoFragment) {
		t.Errorf("get beside statements that wait: %v", err)
	}
	close(let)
	work.Wait()
	if most.Load() > inFlight {
		t.Errorf("%d bytes were in flight, at most %d may be", most.Load(), inFlight)
	}
}
