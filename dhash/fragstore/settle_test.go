package fragstore_test

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
	"ventidhash/dhash/fragstore"
	"ventidhash/venti"
)

const day = 24 * time.Hour

var began = time.Unix(1_800_000_000, 0).UTC()

// A writer is an owner who speaks to the store of the test.
type writer struct {
	t      testing.TB
	key    ed25519.PrivateKey
	owner  dhash.Owner
	number uint64
	now    time.Time // both clocks
}

func swarmConfig(t testing.TB, w *writer) fragstore.Config {
	cfg := config(t)
	cfg.Swarm = [32]byte{5}
	cfg.Clock(func() time.Time { return w.now })
	return cfg
}

func newWriter(t testing.TB, seed byte) *writer {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	return &writer{t: t, key: key, owner: dhash.Owner(key.Public().(ed25519.PublicKey)), now: began}
}

func (w *writer) sign(s claim.Statement) []byte {
	w.t.Helper()
	w.number++
	s.Lender, s.Number, s.Date = me, w.number, w.now
	slices.SortFunc(s.Scores, func(a, b venti.Score) int { return bytes.Compare(a[:], b[:]) })
	s.Scores = slices.Compact(s.Scores)
	raw, _, err := claim.Sign(w.key, [32]byte{5}, s)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

func (w *writer) heartbeat() []byte { return w.sign(claim.Statement{Kind: claim.Heartbeat}) }

func (w *writer) release(list ...piece) []byte {
	s := claim.Statement{Kind: claim.Release, Before: w.now}
	for _, p := range list {
		s.Scores = append(s.Scores, p.Score)
	}
	return w.sign(s)
}

func (w *writer) retain(age time.Duration, list ...piece) []byte {
	s := claim.Statement{Kind: claim.Retain, Before: w.now.Add(-age)}
	for i := range s.To {
		s.To[i] = 0xff
	}
	for _, p := range list {
		s.Scores = append(s.Scores, p.Score)
	}
	return w.sign(s)
}

func (w *writer) confirm(raw []byte) []byte {
	return w.sign(claim.Statement{Kind: claim.Confirmation, Confirms: claim.HashOf(raw)})
}

// settle sends a statement and checks the verdict and how many fragments were released, or would be.
func (w *writer) settle(s *fragstore.Store, raw []byte, verdict claim.Verdict, reason claim.Reason, n int64) claim.Answer {
	w.t.Helper()
	a := w.answer(s, raw, verdict, reason)
	if a.Fragments != n {
		w.t.Errorf("%d fragments; want %d", a.Fragments, n)
	}
	if use := s.Owner(w.owner); reason != claim.NoClaims && (a.Claims != use.Fragments || a.ClaimBytes != use.Bytes) {
		w.t.Errorf("%d claims, %d bytes are said to be here, and %+v are", a.Claims, a.ClaimBytes, use)
	}
	return a
}

// stock puts n fragments of an owner, and says hello.
func (w *writer) stock(s *fragstore.Store, n int) (list []piece) {
	w.t.Helper()
	for i := range n {
		list = append(list, one(1000*int(w.owner[0])+i, 500))
	}
	put(w.t, s, w.owner, list...)
	w.settle(s, w.heartbeat(), claim.Done, claim.NoReason, 0)
	w.now = w.now.Add(time.Minute)
	return list
}

func wantClaimed(t testing.TB, s *fragstore.Store, o dhash.Owner, claimed bool, list ...piece) {
	t.Helper()
	for _, p := range list {
		h := have(t, s, p.Score)
		i := slices.IndexFunc(h, func(h fragstore.Held) bool { return h.Name == p.Name })
		if i < 0 || slices.ContainsFunc(h[i].Claims, func(c dhash.Claim) bool { return c.Owner == o }) != claimed {
			t.Errorf("%v: %+v, claimed should be %v", p.Name, h, claimed)
		}
	}
}

// lose closes a store, removes files of it, and opens it again.
func lose(t testing.TB, s *fragstore.Store, cfg fragstore.Config, files ...string) *fragstore.Store {
	t.Helper()
	closeStore(t, s)
	for _, f := range files {
		if err := os.RemoveAll(filepath.Join(cfg.Dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	return open(t, cfg)
}

// TestSettle releases, retains and confirms, and finds all as it was after a restart and without the index.
func TestSettle(t *testing.T) {
	a, b := newWriter(t, 1), newWriter(t, 2)
	cfg := swarmConfig(t, a)
	s := open(t, cfg)
	a.settle(s, a.heartbeat(), claim.Refused, claim.NoClaims, 0)
	list := a.stock(s, 200)
	put(t, s, b.owner, list[:5]...)
	a.settle(s, a.release(list[:20]...), claim.Done, claim.NoReason, 20)
	big := a.release(list[20:180]...)
	waits := a.settle(s, big, claim.Waits, claim.Braked, 160)
	if len(waits.Waiting) != 1 || waits.Claims != 180 {
		t.Errorf("%+v", waits)
	}
	check := func(gone, kept int) {
		t.Helper()
		wantClaimed(t, s, a.owner, false, list[:gone]...)
		wantClaimed(t, s, a.owner, true, list[gone:]...)
		wantClaimed(t, s, b.owner, true, list[:5]...)
		if st := s.Stats(); st.Trash != int64(gone-5) || s.Owner(a.owner).Fragments != int64(kept) {
			t.Errorf("%+v, %+v", st, s.Owner(a.owner))
		}
	}
	check(20, 180)
	s = lose(t, s, cfg, "index")
	check(20, 180)
	a.now = a.now.Add(time.Hour)
	confirm := a.confirm(big)
	a.settle(s, confirm, claim.Waits, claim.TooEarly, 0)
	a.now = a.now.Add(23 * time.Hour)
	a.settle(s, confirm, claim.Done, claim.NoReason, 0)
	s = lose(t, s, cfg)
	check(20, 180)
	a.settle(s, big, claim.Done, claim.NoReason, 160)
	s = lose(t, s, cfg, "index")
	check(180, 20)
	a.settle(s, big, claim.Done, claim.NoReason, 160) // a repeat
	check(180, 20)

	a.now = a.now.Add(4 * day)
	fresh := one(77_000, 500)
	put(t, s, a.owner, fresh, list[0])
	a.settle(s, a.retain(3*day, list[190:]...), claim.Done, claim.NoReason, 10)
	wantClaimed(t, s, a.owner, true, append(list[190:], fresh, list[0])...)
	wantClaimed(t, s, a.owner, false, list[180:190]...)
	a.settle(s, a.retain(3*day-time.Second), claim.Refused, claim.BadCutOff, 0)
	a.now = a.now.Add(4 * day)
	a.settle(s, a.retain(3*day), claim.Done, claim.NoReason, 12) // none at all is a set too
	if s.Owner(a.owner).Fragments != 0 || s.Owner(b.owner).Fragments != 5 {
		t.Errorf("%+v", s.Owners())
	}
	want(t, s, list...)
	if _, err := s.Settle(t.Context(), big[:len(big)-1], calm(a.now)); !errors.Is(err, claim.ErrStatement) {
		t.Error(err)
	}
}

// TestSettleRange retains within a part of the keyspace, several codings of a block too.
func TestSettleRange(t *testing.T) {
	w := newWriter(t, 1)
	s := open(t, swarmConfig(t, w))
	list := w.stock(s, 60)
	more := pieces(1000*int(w.owner[0]), 500, dhash.Code{Need: 2, Total: 4}) // of the first one's block, another coding
	put(t, s, w.owner, more...)
	w.now = w.now.Add(4 * day)
	mid := dhash.Key{0x80}
	st := claim.Statement{Kind: claim.Retain, Before: w.now.Add(-3 * day), To: mid}
	var gone, left []piece
	for i, p := range list {
		at := dhash.KeyOf(p.Score)
		in := bytes.Compare(at[:], mid[:]) <= 0
		switch {
		case in && i%2 == 0:
			st.Scores = append(st.Scores, p.Score)
			left = append(left, p)
		case in:
			gone = append(gone, p)
		default:
			left = append(left, p)
		}
	}
	w.settle(s, w.sign(st), claim.Done, claim.NoReason, int64(len(gone)))
	wantClaimed(t, s, w.owner, false, gone...)
	wantClaimed(t, s, w.owner, true, left...)
	w.settle(s, w.release(list[0]), claim.Done, claim.NoReason, 5) // all codings, all fragments
	wantClaimed(t, s, w.owner, false, more...)
	if len(gone) < 10 || len(left) < 30 {
		t.Errorf("%d gone, %d left", len(gone), len(left))
	}
}

// TestSettleLate has claims that are made, or made anew, after the time that a statement speaks of.
func TestSettleLate(t *testing.T) {
	w := newWriter(t, 1)
	cfg := swarmConfig(t, w)
	s := open(t, cfg)
	list := w.stock(s, 10)
	raw := w.release(list...)
	w.now = w.now.Add(time.Second)
	put(t, s, w.owner, list[0])
	if here, err := s.Claim(t.Context(), w.owner, marks(w.owner, list[1])); err != nil || !here[0] {
		t.Error(err)
	}
	s = lose(t, s, cfg, "index")
	w.settle(s, raw, claim.Done, claim.NoReason, 8)
	wantClaimed(t, s, w.owner, true, list[:2]...)
	wantClaimed(t, s, w.owner, false, list[2:]...)
	put(t, s, w.owner, list[2]) // back from the trash
	w.settle(s, raw, claim.Done, claim.NoReason, 8)
	wantClaimed(t, s, w.owner, true, list[:3]...)
	if rep, err := s.Compact(t.Context(), calm(w.now.Add(31*day))); err != nil || rep.Freed != 7 {
		t.Errorf("%+v %v", rep, err)
	}
	want(t, s, list[:3]...)
	// A clock that goes back does not make claims old.
	s.Observe(w.now, 0, 1, 1)
	past := w.now
	w.now = w.now.Add(-1000 * day)
	put(t, s, w.owner, list[3])
	w.now = past
	w.settle(s, w.release(list[3]), claim.Done, claim.NoReason, 0)
	wantClaimed(t, s, w.owner, true, list[3])
}

// TestSettleCrash interrupts a statement at each step, with and without the index being lost: sent again, it is done
// wholly, and nothing else is.
func TestSettleCrash(t *testing.T) {
	errStep := errors.New("interrupted")
	for _, at := range []string{"begun", "released", "settled"} {
		for _, nth := range []int{1, 30} {
			for _, files := range [][]string{nil, {"index"}, {"owners"}} {
				if at != "released" && nth > 1 {
					continue
				}
				t.Run(fmt.Sprint(at, nth, files), func(t *testing.T) {
					w := newWriter(t, 1)
					cfg := swarmConfig(t, w)
					s := open(t, cfg)
					list := w.stock(s, 64)
					raw := w.release(list[:60]...)
					seen := 0
					fragstore.SetStep(s, func(step string) error {
						if step == at {
							if seen++; seen == nth {
								return errStep
							}
						}
						return nil
					})
					if _, err := s.Settle(t.Context(), raw, calm(w.now)); !errors.Is(err, errStep) {
						t.Fatal(err)
					}
					released := int64(64) - s.Owner(w.owner).Fragments
					s = lose(t, s, cfg, files...)
					if got := int64(64) - s.Owner(w.owner).Fragments; got != released {
						t.Errorf("%d were released, and %d are", released, got)
					}
					if len(files) > 0 && files[0] == "owners" {
						w.settle(s, raw, claim.Refused, claim.NoHeartbeat, 0)
						w.settle(s, w.heartbeat(), claim.Done, claim.NoReason, 0)
						w.settle(s, raw, claim.Refused, claim.LowNumber, 0)
						raw = w.release(list[:60]...)
					}
					w.settle(s, raw, claim.Done, claim.NoReason, 60-released)
					wantClaimed(t, s, w.owner, false, list[:60]...)
					wantClaimed(t, s, w.owner, true, list[60:]...)
					want(t, s, list...)
				})
			}
		}
	}
}

// TestSettleBeside has heartbeats come while a release runs: those of others do not wait, the owner's own does.
func TestSettleBeside(t *testing.T) {
	w, v := newWriter(t, 1), newWriter(t, 2)
	s := open(t, swarmConfig(t, w))
	list := w.stock(s, 20)
	v.stock(s, 3)
	v.now = w.now
	own := make(chan error, 1)
	first := true
	fragstore.SetStep(s, func(step string) error {
		if step != "released" || !first {
			return nil
		}
		first = false
		v.settle(s, v.heartbeat(), claim.Done, claim.NoReason, 0)
		if rep, err := s.Scrub(t.Context(), 1<<30, nil); err != nil || rep.Damaged != 0 {
			t.Errorf("%+v %v", rep, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Settle(ctx, w.heartbeat(), calm(w.now)); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		raw := w.heartbeat()
		go func() {
			a, err := s.Settle(t.Context(), raw, calm(w.now))
			if a.Claims != 10 {
				err = errors.Join(err, fmt.Errorf("%d claims: it did not wait", a.Claims))
			}
			own <- err
		}()
		return nil
	})
	w.settle(s, w.release(list[:10]...), claim.Done, claim.NoReason, 10)
	if err := <-own; err != nil {
		t.Error(err)
	}
	if rep, err := s.Tend(t.Context(), calm(w.now)); err != nil || rep.Lapsed != 0 {
		t.Errorf("%+v %v", rep, err)
	}
}

// TestSettleConcurrent puts and claims while statements release the same blocks: what was put after the time of which a
// statement speaks is claimed in the end.
func TestSettleConcurrent(t *testing.T) {
	w := newWriter(t, 1)
	cfg := swarmConfig(t, w)
	s := open(t, cfg)
	list := w.stock(s, 300)
	for round := range 4 {
		var raws [][]byte
		for i := range 10 {
			raws = append(raws, w.release(list[6*i:6*i+6]...))
		}
		w.now = w.now.Add(time.Minute)
		now := w.now
		var wg sync.WaitGroup
		wg.Go(func() {
			for _, raw := range raws {
				if a, err := s.Settle(t.Context(), raw, calm(now)); err != nil || a.Verdict != claim.Done {
					t.Errorf("%+v %v", a, err)
				}
			}
		})
		for g := range 3 {
			wg.Go(func() {
				for i := g; i < 60; i += 3 {
					p := list[59-i]
					if i%2 == 0 {
						put(t, s, w.owner, p)
					} else if _, err := s.Claim(t.Context(), w.owner, marks(w.owner, p)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Go(func() {
			if _, err := s.Compact(t.Context(), calm(now)); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { s.Observe(now, 0, 1, 1); s.Lent(); s.Stats() })
		wg.Wait()
		wantClaimed(t, s, w.owner, true, list...)
		if use := s.Owner(w.owner); use.Fragments != 300 {
			t.Errorf("round %d: %+v", round, use)
		}
		w.now = w.now.Add(2 * day)
	}
}
