package lenders_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/lenders"
	"ventidhash/venti"
)

// An heirs is lenders that take hand-overs as they are told to, and keep no claims.
type heirs struct {
	mu     sync.Mutex
	away   map[dhash.ID]bool
	reason map[dhash.ID]claim.Reason // why a lender refuses hand-overs; none if it does not
	heard  map[dhash.ID][]string
}

// State implements what brings statements.
func (h *heirs) State(_ context.Context, to dhash.ID, raw []byte) ([]byte, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away[to] {
		return nil, fmt.Errorf("%w: it is away", venti.ErrUnavailable)
	}
	s, err := claim.Parse(raw, swarm, to)
	if err != nil {
		return nil, err
	}
	h.heard[to] = append(h.heard[to], fmt.Sprintf("%v %d", s.Kind, slices.Index(owners(), s.Owner)))
	a := claim.Answer{Verdict: claim.Done, Now: time.Now().Truncate(time.Second), Number: s.Number}
	if r := h.reason[to]; s.Kind == claim.HandOver && r != claim.NoReason {
		a.Verdict, a.Reason = claim.Refused, r
		if s.Heir != owners()[0] {
			return nil, fmt.Errorf("hand-over to %x", s.Heir)
		}
	}
	return a.Encode(), nil
}

func (h *heirs) take(id dhash.ID) (list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list, h.heard[id] = h.heard[id], nil
	return list
}

func formerKeys() []ed25519.PrivateKey {
	return []ed25519.PrivateKey{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{4}, 32)), ed25519.NewKeyFromSeed(bytes.Repeat([]byte{5}, 32))}
}

// owners are the present one, and the former ones.
func owners() (list []dhash.Owner) {
	for _, k := range append([]ed25519.PrivateKey{key}, formerKeys()...) {
		list = append(list, dhash.Owner(k.Public().(ed25519.PublicKey)))
	}
	return list
}

// TestHandOver tells every lender once, before anything else; one that is away when it is back, one that has nothing again
// and again; and it remembers who has another heir.
func TestHandOver(t *testing.T) {
	h := &heirs{away: map[dhash.ID]bool{"b": true}, reason: map[dhash.ID]claim.Reason{"c": claim.NoClaims, "d": claim.HandedOver,
		"e": claim.TooOld}, heard: map[dhash.ID][]string{}}
	cfg := lenders.Config{Dir: t.TempDir(), Swarm: swarm, Key: key, Carrier: h, Former: formerKeys()}
	ids := []dhash.ID{"a", "b", "c", "d", "e"}
	open := func() *lenders.Ledger {
		t.Helper()
		l, err := lenders.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l := open()
	told, missed, err := l.HandOver(t.Context(), ids)
	if err != nil || told != 3 || len(missed) != 2 || missed["b"] == nil || missed["e"] == nil {
		t.Errorf("%d were told, not %v: %v", told, missed, err)
	}
	both := []string{"hand-over 1", "hand-over 2"}
	for id, want := range map[dhash.ID][]string{"a": both, "b": nil, "c": both, "d": both, "e": both[:1]} {
		if got := h.take(id); !slices.Equal(got, want) {
			t.Errorf("%s heard %v, want %v", id, got, want)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	h.away, h.reason["e"] = nil, claim.NoReason
	beats := []string{"heartbeat 0", "heartbeat 0"}
	l = open()
	heard, err := l.Heartbeat(t.Context(), ids, 0)
	for i, hd := range heard {
		if hd.Err != nil {
			t.Errorf("%s: %v", ids[i], hd.Err)
		}
	}
	if err != nil {
		t.Error(err)
	}
	for id, want := range map[dhash.ID][]string{"a": beats, "b": append(both, beats...), "c": append(both, beats...), "d": beats,
		"e": append(both, beats...)} {
		if got := h.take(id); !slices.Equal(got, want) {
			t.Errorf("%s heard %v, want %v", id, got, want)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	list, err := lenders.ReadHanded(cfg.Dir)
	others := slices.DeleteFunc(slices.Clone(list), func(d lenders.Handed) bool { return !d.Other })
	if err != nil || len(list) != 8 || len(others) != 2 || others[0].ID != "d" {
		t.Errorf("%+v, %v", list, err)
	}
	if err := os.Truncate(filepath.Join(cfg.Dir, "handed"), 20); err != nil { // as good as missing
		t.Fatal(err)
	}
	l = open()
	defer l.Close()
	if told, missed, err := l.HandOver(t.Context(), ids[:1]); told != 1 || len(missed) != 0 || err != nil || !slices.Equal(h.take("a"), both) {
		t.Errorf("%d, %v, %v", told, missed, err)
	}
}

// A member that does not take a hand-over now hears the heartbeat all the same, and whoever sends it hears why; one that is
// away is not waited for twice.
func TestHeartbeatWithoutHandOver(t *testing.T) {
	h := &heirs{away: map[dhash.ID]bool{"b": true}, reason: map[dhash.ID]claim.Reason{"a": claim.TooMany}, heard: map[dhash.ID][]string{}}
	cfg := lenders.Config{Dir: t.TempDir(), Swarm: swarm, Key: key, Carrier: h, Former: formerKeys()[:1]}
	l, err := lenders.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for i, want := range [][]string{{"hand-over 1", "heartbeat 0", "heartbeat 0"}, {"hand-over 1"}} {
		heard, err := l.Heartbeat(t.Context(), []dhash.ID{"a", "b"}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		a, b := heard[0], heard[1]
		if a.Err == nil || errors.Is(a.Err, venti.ErrUnavailable) || a.Fresh != (i == 1) || i == 0 && (a.Answer.Verdict != claim.Done || a.At.IsZero()) {
			t.Errorf("%d: %+v", i, a)
		}
		if !errors.Is(b.Err, venti.ErrUnavailable) {
			t.Errorf("%+v", b)
		}
		if got := h.take("a"); !slices.Equal(got, want) {
			t.Errorf("%d: it heard %v, want %v", i, got, want)
		}
	}
}
