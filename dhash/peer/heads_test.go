package peer_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

func signed(owner byte, sequence uint64, catalog byte) venti.Head {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{owner}, ed25519.SeedSize))
	return venti.SignHead(key, sequence, venti.Score{catalog}, time.Unix(1_790_000_000, 0))
}

// Heads arrive as they were sent, with whose grant was shown. A member needs none; a client needs that of each owner.
func TestHeads(t *testing.T) {
	one, two := signed(1, 5, 1), signed(2, 7, 2)
	var got []venti.Head
	var granted []bool
	h := &holder{onHeads: func(_ context.Context, _ dhash.ID, heads []venti.Head, g []bool) ([]head.Verdict, []venti.Head, error) {
		got, granted = heads, g
		return slices.Repeat([]head.Verdict{head.Older}, len(heads)), []venti.Head{signed(1, 6, 9)}, nil
	}}
	for name, full := range map[string]bool{"member": true, "client": false} {
		t.Run(name, func(t *testing.T) {
			server, asker := newHost(t), newHost(t)
			know(asker, server)
			cfg := everybody()
			cfg.Full = func(dhash.ID) bool { return full }
			cfg.Grant = func(_ dhash.ID, b []byte) (dhash.Owner, error) { return dhash.Owner(b), nil }
			serve(t, server, h, cfg)
			c := client(t, asker, peer.ClientConfig{Grant: func(o dhash.Owner) []byte {
				if o != dhash.Owner(one.Owner) {
					return nil
				}
				return o[:]
			}})
			ctx, to := soon(t), idOf(server)
			_, _, err := c.Heads(ctx, to, []venti.Head{one})
			if full != (err == nil) || !full && !errors.Is(err, peer.ErrNotGranted) || full && granted[0] {
				t.Errorf("without a grant: %v, granted %v", err, granted)
			}
			v, newer, err := c.PublishHead(ctx, to, one)
			if err != nil || v != head.Older || !slices.Equal(newer, []venti.Head{signed(1, 6, 9)}) || !granted[0] || got[0] != one {
				t.Errorf("with a grant: %v, %v, %v", v, newer, err)
			}
			_, _, err = c.Heads(ctx, to, []venti.Head{one, two})
			if full != (err == nil) || full && !slices.Equal(granted, []bool{true, false}) {
				t.Errorf("with one of two: %v, granted %v", err, granted)
			}
			if _, _, err := c.PublishHead(ctx, to, two); !errors.Is(err, peer.ErrNotGranted) {
				t.Errorf("of an owner who has granted nothing: %v", err)
			}
			if n := c.Counters(); n.Failures != 0 {
				t.Errorf("%d failures", n.Failures)
			}
		})
	}
}

// What a member may not say of heads is a failure of the member's.
func TestLyingAboutHeads(t *testing.T) {
	one, forged := signed(1, 5, 1), signed(1, 6, 1)
	forged.Signature[3] ^= 1
	var verdicts []head.Verdict
	var newer []venti.Head
	h := &holder{
		onHeads: func(context.Context, dhash.ID, []venti.Head, []bool) ([]head.Verdict, []venti.Head, error) {
			return verdicts, newer, nil
		},
		onFind: func([]dhash.Owner) [][]venti.Head { return [][]venti.Head{newer} },
	}
	c, to := pair(t, h, peer.ClientConfig{})
	ctx := soon(t)
	for _, x := range []struct {
		name     string
		verdicts []head.Verdict
		newer    []venti.Head
		ok       bool
	}{
		{"nothing", []head.Verdict{head.New}, nil, true},
		{"a newer one", []head.Verdict{head.Older}, []venti.Head{signed(1, 9, 9)}, true},
		{"a forged one", []head.Verdict{head.Older}, []venti.Head{forged}, false},
		{"another owner's", []head.Verdict{head.Older}, []venti.Head{signed(2, 9, 9)}, false},
		{"five", []head.Verdict{head.Older}, []venti.Head{one, one, one, one, one}, false},
	} {
		verdicts, newer = x.verdicts, x.newer
		if _, _, err := c.Heads(ctx, to, []venti.Head{one}); x.ok != (err == nil) || !x.ok && !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("%s: %v", x.name, err)
		}
		lists, err := c.FindHeads(ctx, to, []dhash.Owner{one.Owner})
		if x.ok != (err == nil) || x.ok && !slices.Equal(lists[0], x.newer) {
			t.Errorf("%s: found %v, %v", x.name, lists, err)
		}
	}
	for _, n := range []int{0, peer.MaxHeads + 1} {
		if _, _, err := c.Heads(ctx, to, make([]venti.Head, n)); err == nil {
			t.Errorf("%d heads were sent", n)
		}
	}
	for _, n := range []int{0, peer.MaxFindOwners + 1} {
		if _, err := c.FindHeads(ctx, to, make([]dhash.Owner, n)); err == nil {
			t.Errorf("the heads of %d owners were asked for", n)
		}
	}
	verdicts, newer = nil, nil
	if _, _, err := c.Heads(ctx, to, []venti.Head{one}); !errors.As(err, new(*peer.Refusal)) {
		t.Errorf("a handler that fails: %v", err)
	}
}

// Roots are told to who shows the owner's grant, page by page, and each page leads on.
func TestRoots(t *testing.T) {
	owner := dhash.Owner(signed(1, 1, 1).Owner)
	scores := []venti.Score{{1}, {2}, {3}, {4}, {5}}
	slices.SortFunc(scores, func(a, b venti.Score) int {
		x, y := dhash.KeyOf(a), dhash.KeyOf(b)
		return bytes.Compare(x[:], y[:])
	})
	back := false
	h := &holder{onRoots: func(o dhash.Owner, at dhash.Key) ([]venti.Score, dhash.Key, error) {
		if o != owner {
			t.Errorf("asked about %x", o)
		}
		if back {
			return nil, dhash.Key{1}, nil
		}
		for i, s := range scores {
			if k := dhash.KeyOf(s); bytes.Compare(k[:], at[:]) >= 0 {
				if i+2 < len(scores) {
					return scores[i : i+2], dhash.KeyOf(scores[i+2]), nil
				}
				return scores[i:], dhash.Key{}, nil
			}
		}
		return nil, dhash.Key{}, nil
	}}
	c, to := pair(t, h, peer.ClientConfig{})
	ctx := soon(t)
	var got []venti.Score
	for at := (dhash.Key{}); ; {
		page, next, err := c.Roots(ctx, to, owner, at)
		if err != nil {
			t.Fatal(err)
		}
		if got, at = append(got, page...), next; next == (dhash.Key{}) {
			break
		}
	}
	if !slices.Equal(got, scores) {
		t.Errorf("%v, want %v", got, scores)
	}
	back = true
	if _, _, err := c.Roots(ctx, to, owner, dhash.Key{2}); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("a member that leads back: %v", err)
	}
}
