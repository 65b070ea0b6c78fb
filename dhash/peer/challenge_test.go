package peer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// TestChallenge proves fragments that are held, and tells what is not.
func TestChallenge(t *testing.T) {
	h := &holder{}
	failed := 0
	c, to := pair(t, h, peer.ClientConfig{Failed: func(dhash.ID, error) { failed++ }})
	ctx := soon(t)
	all, coding := block(1, 1<<20, dhash.Code{Need: 8, Total: 20})
	whole, one := block(2, venti.MaxBlock, dhash.Code{Need: 1, Total: 1})
	bad, damaged := block(3, 5000, dhash.Code{Need: 1, Total: 2})
	bad[0].Payload[1] ^= 1
	for _, f := range []*dhash.Fragment{all[7], whole[0], bad[0]} {
		if _, err := c.Put(ctx, to, dhash.Claim{Owner: owner}, f); err != nil {
			t.Fatal(err)
		}
	}
	h.held[bad[0].Score][0].coding = damaged // what it was, when it was put
	list := []peer.Challenge{
		{all[0].Score, coding, 1<<63 + 77}, {all[0].Score, one, 1}, {venti.Score{}, coding, 1}, {whole[0].Score, one, 4095},
		{bad[0].Score, damaged, 2},
	}
	proofs, err := c.Challenge(ctx, to, list)
	if err != nil || len(proofs) != len(list) {
		t.Fatalf("%d proofs, %v", len(proofs), err)
	}
	for i, want := range []int{7, -1, -1, 0} {
		p := proofs[i]
		switch {
		case want < 0 && p != (peer.Proof{}):
			t.Errorf("challenge %d: %+v", i, p)
		case want >= 0 && (p.Err != nil || p.Leaf.Fragment.Index != want):
			t.Errorf("challenge %d: %+v", i, p)
		}
	}
	if p := proofs[4]; !errors.Is(p.Err, dhash.ErrFragment) || p.Leaf != nil || failed != 1 {
		t.Errorf("damaged, and not known to be: %+v; %d failures", p, failed)
	}
	if proofs[0].Leaf.Number != 77 || !bytes.Equal(proofs[0].Leaf.Data, all[7].Payload[77<<10:78<<10]) {
		t.Errorf("leaf %d", proofs[0].Leaf.Number)
	}
	if proofs, err := c.Challenge(ctx, to, nil); len(proofs) != 0 || err != nil {
		t.Errorf("no challenges: %v, %v", proofs, err)
	}
}

// TestManyChallenges has lists that take several messages: by their length, and by what the member reads for them.
func TestManyChallenges(t *testing.T) {
	for _, v := range []struct{ payload, challenges, requests int }{
		{100, 2*peer.MaxChallenge + 1, 3},
		{128 << 10, 2*peer.MaxChallenge + 1, 9}, // 64 at once are 8 MiB
		{venti.MaxBlock, 7, 4},
	} {
		h := &holder{}
		c, to := pair(t, h, peer.ClientConfig{})
		ctx := soon(t)
		all, coding := block(1, v.payload, dhash.Code{Need: 1, Total: 1})
		if _, err := c.Put(ctx, to, dhash.Claim{Owner: owner}, all[0]); err != nil {
			t.Fatal(err)
		}
		list := slices.Repeat([]peer.Challenge{{Score: all[0].Score, Coding: coding, Nonce: 5}}, v.challenges)
		list[v.challenges-1].Score[0]++ // not held
		before := c.Counters().Requests
		proofs, err := c.Challenge(ctx, to, list)
		if n := c.Counters().Requests - before; err != nil || len(proofs) != len(list) || n != int64(v.requests) {
			t.Errorf("payloads of %d: %d proofs in %d requests, %v; want %d in %d", v.payload, len(proofs), n, err, len(list),
				v.requests)
		}
		for i, p := range proofs {
			if p.Err != nil || (p.Leaf != nil) != (i < v.challenges-1) {
				t.Errorf("payloads of %d: proof %d: %+v", v.payload, i, p)
			}
		}
	}
}

// TestChallengeFails tells a fragment that cannot be read now from one that is not there.
func TestChallengeFails(t *testing.T) {
	var told [2]error
	n := 0
	c, to := pair(t, &holder{onChallenge: func(context.Context, peer.Challenge) (*dhash.Leaf, error) {
		n++
		return nil, told[(n-1)%2]
	}}, peer.ClientConfig{})
	ctx := soon(t)
	for _, absent := range []error{nil, dhash.ErrNoFragment, fmt.Errorf("x: %w", venti.ErrCorrupt), dhash.ErrFragment} {
		told = [2]error{absent, absent}
		if p, err := c.Challenge(ctx, to, make([]peer.Challenge, 2)); err != nil || p[0] != p[1] || p[0] != (peer.Proof{}) {
			t.Errorf("%v became %+v, %v", absent, p, err)
		}
	}
	n, told = 0, [2]error{dhash.ErrNoFragment, venti.ErrUnavailable}
	if p, err := c.Challenge(ctx, to, make([]peer.Challenge, 1)); err != nil || len(p) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	told[0] = venti.ErrUnavailable
	p, err := c.Challenge(ctx, to, make([]peer.Challenge, 2))
	if r := new(*peer.Refusal); p != nil || !errors.As(err, r) || (*r).Err != venti.ErrUnavailable {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestChallengeLiars gets answers that prove nothing.
func TestChallengeLiars(t *testing.T) {
	all, coding := block(1, 3000, dhash.Code{Need: 1, Total: 2})
	other, _ := block(2, 3000, dhash.Code{Need: 1, Total: 2})
	entry := func(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }
	good := entry(all[1].Leaf(1).Append(nil))
	list := []peer.Challenge{{all[0].Score, coding, 1}, {all[0].Score, coding, 1}}
	for name, v := range map[string]struct {
		body []byte
		bad  bool  // the second proof
		want error // of all
	}{
		"good":          {body: slices.Concat(good, good)},
		"not held":      {body: slices.Concat(good, entry(nil))},
		"another leaf":  {body: slices.Concat(good, entry(all[1].Leaf(2).Append(nil))), bad: true},
		"another block": {body: slices.Concat(good, entry(other[1].Leaf(1).Append(nil))), bad: true},
		"no leaf":       {body: slices.Concat(good, entry([]byte("abc"))), bad: true},
		"cut leaf":      {body: slices.Concat(good, entry(good[2:len(good)-1])), bad: true},
		"three":         {body: slices.Concat(good, good, good), want: venti.ErrUnavailable},
		"cut":           {body: slices.Concat(good, good[:len(good)-1]), want: venti.ErrUnavailable},
		"nothing":       {body: nil, want: venti.ErrUnavailable},
		"one byte":      {body: []byte{0}, want: venti.ErrUnavailable},
		"too long":      {body: entry(make([]byte, dhash.MaxLeaf+1)), want: venti.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			var failed atomic.Int64
			c, to := fake(t, peer.ClientConfig{Failed: func(dhash.ID, error) { failed.Add(1) }}, func(s network.Stream) {
				for {
					_, id, _, err := readMessage(s)
					if err != nil {
						return
					}
					s.Write(message(0x8b, id, v.body))
				}
			})
			proofs, err := c.Challenge(soon(t), to, list)
			if !errors.Is(err, v.want) || (err == nil) != (v.want == nil) {
				t.Fatalf("%v, want %v", err, v.want)
			}
			if err == nil && (proofs[0].Leaf == nil || errors.Is(proofs[1].Err, dhash.ErrFragment) != v.bad) {
				t.Errorf("%+v", proofs)
			}
			eventually(t, "the callback", func() bool { return (failed.Load() > 0) == (v.bad || v.want != nil) })
		})
	}
}

// TestChores has many challenges, reconciliations and heads under way, of a disk that stands still. Few are at the disk,
// one of each member, and gets pass.
func TestChores(t *testing.T) {
	b := newHost(t)
	let := make(chan struct{})
	var mu sync.Mutex
	var at, most int
	served := map[byte]int{}
	disk := func(from byte) {
		mu.Lock()
		at++
		most = max(most, at)
		if served[from]++; served[from] > 1 {
			t.Errorf("two chores of member %d at once", from)
		}
		mu.Unlock()
		<-let
		mu.Lock()
		defer mu.Unlock()
		at--
		served[from]--
	}
	serve(t, b, &holder{onChallenge: func(_ context.Context, ch peer.Challenge) (*dhash.Leaf, error) {
		disk(ch.Score[0])
		return nil, nil
	}, onReconcile: func(_ context.Context, msg []byte) ([]byte, error) {
		disk(msg[0])
		return nil, nil
	}, onHeads: func(_ context.Context, _ dhash.ID, heads []venti.Head, _ []bool) ([]head.Verdict, []venti.Head, error) {
		disk(byte(heads[0].Sequence - 1))
		return []head.Verdict{head.New}, nil, nil
	}}, everybody())
	var work sync.WaitGroup
	for i := range byte(4) {
		a := newHost(t)
		know(a, b)
		c := client(t, a, peer.ClientConfig{})
		for range 5 {
			work.Go(func() {
				list := slices.Repeat([]peer.Challenge{{Score: venti.Score{i}}}, 6)
				if _, err := c.Challenge(soon(t), idOf(b), list); err != nil {
					t.Error(err)
				}
			})
			work.Go(func() {
				if _, err := c.Reconcile(soon(t), idOf(b), []byte{i}); err != nil {
					t.Error(err)
				}
			})
			work.Go(func() {
				if _, _, err := c.Heads(soon(t), idOf(b), []venti.Head{signed(1, 1+uint64(i), 1)}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	eventually(t, "chores at the disk", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return at == 2
	})
	a := newHost(t)
	know(a, b)
	c := client(t, a, peer.ClientConfig{})
	for range 40 {
		if _, _, err := c.Get(soon(t), idOf(b), peer.Want{}); !errors.Is(err, dhash.ErrNoFragment) {
			t.Fatalf("get beside chores: %v", err)
		}
	}
	close(let)
	work.Wait()
	if most != 2 {
		t.Errorf("%d chores at once", most)
	}
}
