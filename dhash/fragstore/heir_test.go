package fragstore_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/fragstore"
)

// handOver signs that w's claims are the heir's from now on.
func (w *writer) handOver(heir *writer) []byte {
	w.t.Helper()
	w.number++
	raw, _, err := claim.SignHandOver(w.key, heir.key, [32]byte{5}, claim.Statement{Lender: me, Number: w.number, Date: w.now})
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// answer sends a statement and checks the verdict.
func (w *writer) answer(s *fragstore.Store, raw []byte, verdict claim.Verdict, reason claim.Reason) claim.Answer {
	w.t.Helper()
	a, err := s.Settle(w.t.Context(), raw, calm(w.now))
	if err != nil || a.Verdict != verdict || a.Reason != reason {
		w.t.Errorf("%v because %v; want %v, %v: %v", a.Verdict, a.Reason, verdict, reason, err)
	}
	return a
}

func wantUse(t testing.TB, s *fragstore.Store, o dhash.Owner, n int64) {
	t.Helper()
	if use := s.Owner(o); use.Fragments != n || s.Owners()[o].Fragments != n {
		t.Errorf("owner %d has %+v, %+v; want %d", o[0], use, s.Owners()[o], n)
	}
}

// TestHandOver has an owner hand over: the heir speaks for the claims of both, which count once, and the old key for none,
// after a restart and without the index too.
func TestHandOver(t *testing.T) {
	a, b := newWriter(t, 1), newWriter(t, 2)
	cfg := swarmConfig(t, a)
	cfg.Quota = func(dhash.Owner) int64 { return 110 * 800 }
	s := open(t, cfg)
	b.answer(s, a.handOver(b), claim.Refused, claim.NoClaims)
	list := a.stock(s, 100)
	put(t, s, b.owner, list[:5]...) // the member was away, and the heir has been there
	wantUse(t, s, b.owner, 5)
	late := a.release(list...)
	if got := a.answer(s, a.handOver(b), claim.Done, claim.NoReason); got.Claims != 100 {
		t.Errorf("%+v", got)
	}
	check := func() {
		t.Helper()
		wantUse(t, s, a.owner, 0)
		wantUse(t, s, b.owner, 100)
		wantClaimed(t, s, a.owner, false, list...)
		wantClaimed(t, s, b.owner, true, list...)
		if h := have(t, s, list[7].Score); h[0].Claims[0] != (dhash.Claim{Owner: b.owner, Mark: mark(a.owner).Mark}) {
			t.Errorf("%+v", h)
		}
		if h := have(t, s, list[3].Score); len(h[0].Claims) != 1 || h[0].Claims[0] != mark(b.owner) {
			t.Errorf("%+v", h)
		}
		if lent := s.Lent(); len(lent) != 1 || lent[0].Owner != b.owner || lent[0].Fragments != 100 {
			t.Errorf("%+v", lent)
		}
	}
	check()
	s = lose(t, s, cfg)
	check()
	s = lose(t, s, cfg, "index")
	check()
	for _, raw := range [][]byte{late, a.heartbeat(), a.release(list[0]), a.retain(3 * day), a.confirm(late), a.handOver(newWriter(t, 3))} {
		a.answer(s, raw, claim.Refused, claim.HandedOver)
	}
	a.answer(s, a.handOver(b), claim.Done, claim.NoReason)
	if err := putOne(t.Context(), s, a.owner, list[0]); !errors.Is(err, dhash.ErrHandedOver) {
		t.Error(err)
	}
	if _, err := s.Claim(t.Context(), a.owner, marks(a.owner, list[0])); !errors.Is(err, dhash.ErrHandedOver) {
		t.Error(err)
	}
	b.now = a.now.Add(time.Minute)
	a.now = b.now
	b.answer(s, b.release(list[0]), claim.Refused, claim.NoHeartbeat)
	b.settle(s, b.heartbeat(), claim.Done, claim.NoReason, 0)
	b.settle(s, b.release(list[:10]...), claim.Done, claim.NoReason, 10)
	wantClaimed(t, s, b.owner, false, list[:10]...)

	// A member that has not heard sends a copy with the old claim: it is the heir's, for whom there is one quota.
	more := make([]piece, 30)
	for i := range more {
		more[i] = one(50_000+i, 500)
		claims := []dhash.Claim{mark(a.owner), mark(bob)}
		err := s.PutClaimed(t.Context(), claims, more[i].f, more[i].Coding)
		if err != nil {
			t.Fatal(err)
		}
	}
	if use := s.Owner(b.owner); use.Bytes > 110*800 || use.Fragments < 95 || s.Owner(bob).Fragments != 30 {
		t.Errorf("%+v, %+v", use, s.Owner(bob))
	}
	wantUse(t, s, a.owner, 0)
	s = lose(t, s, cfg, "index")
	a.now, b.now = a.now.Add(4*day), b.now.Add(4*day)
	b.answer(s, b.heartbeat(), claim.Done, claim.NoReason)
	b.answer(s, b.retain(3*day), claim.Waits, claim.Braked)
}

// TestHandOverLatest has claims of both made anew before a release, and a release of what only the old owner claimed
// long ago.
func TestHandOverLatest(t *testing.T) {
	a, b := newWriter(t, 1), newWriter(t, 2)
	cfg := swarmConfig(t, a)
	s := open(t, cfg)
	list := a.stock(s, 20)
	a.answer(s, a.handOver(b), claim.Done, claim.NoReason)
	b.now = a.now
	b.answer(s, b.heartbeat(), claim.Done, claim.NoReason)
	raw := b.release(list...)
	a.now = a.now.Add(time.Second)
	put(t, s, b.owner, list[0])
	if here, err := s.Claim(t.Context(), b.owner, marks(b.owner, list[1])); err != nil || !here[0] {
		t.Error(err)
	}
	wantUse(t, s, b.owner, 20)
	b.settle(s, raw, claim.Done, claim.NoReason, 18)
	wantClaimed(t, s, b.owner, true, list[:2]...)
	wantClaimed(t, s, b.owner, false, list[2:]...)
	if st := s.Stats(); st.Trash != 18 {
		t.Errorf("%+v", st)
	}
}

// TestHandOverChain rotates several times, in and out of order.
func TestHandOverChain(t *testing.T) {
	var w [5]*writer
	for i := range w {
		w[i] = newWriter(t, byte(i+1))
	}
	cfg := swarmConfig(t, w[0])
	s := open(t, cfg)
	list := w[0].stock(s, 40)
	w[1].answer(s, w[1].handOver(w[2]), claim.Refused, claim.NoClaims)
	put(t, s, w[1].owner, list[:10]...)
	w[1].answer(s, w[1].handOver(w[2]), claim.Done, claim.NoReason) // heard before the one to 1
	wantUse(t, s, w[2].owner, 10)
	w[0].answer(s, w[0].handOver(w[1]), claim.Done, claim.NoReason)
	wantUse(t, s, w[2].owner, 40)
	w[0].answer(s, w[0].handOver(w[2]), claim.Done, claim.NoReason) // by whom all ends
	w[2].answer(s, w[2].handOver(w[3]), claim.Done, claim.NoReason)
	w[0].answer(s, w[0].handOver(w[3]), claim.Done, claim.NoReason)
	w[3].answer(s, w[3].handOver(w[0]), claim.Refused, claim.BadHeir)
	w[0].answer(s, w[0].handOver(w[4]), claim.Refused, claim.HandedOver)
	for range 2 {
		for i := range 3 {
			wantUse(t, s, w[i].owner, 0)
		}
		wantUse(t, s, w[3].owner, 40)
		s = lose(t, s, cfg, "index")
	}
	w[3].settle(s, w[3].heartbeat(), claim.Done, claim.NoReason, 0)
	w[0].now = w[0].now.Add(time.Minute)
	w[3].now = w[0].now
	w[3].settle(s, w[3].release(list...), claim.Done, claim.NoReason, 40)
}

// TestHandOverTheft has a thief give up what passes without a second word, hand over to himself, and go on.
func TestHandOverTheft(t *testing.T) {
	a, b, c := newWriter(t, 1), newWriter(t, 2), newWriter(t, 3)
	s := open(t, swarmConfig(t, a))
	list := a.stock(s, 1000)
	a.settle(s, a.release(list[:100]...), claim.Done, claim.NoReason, 100)
	b.now = a.now
	a.answer(s, a.handOver(b), claim.Done, claim.NoReason)
	b.settle(s, b.heartbeat(), claim.Done, claim.NoReason, 0)
	b.settle(s, b.release(list[100:190]...), claim.Waits, claim.Braked, 90)
	a.answer(s, a.handOver(c), claim.Refused, claim.HandedOver) // the owner is late
}

// TestHandOverForestalled hands over though a statement with the highest number of all has been taken.
func TestHandOverForestalled(t *testing.T) {
	a, b := newWriter(t, 1), newWriter(t, 2)
	s := open(t, swarmConfig(t, a))
	a.stock(s, 5)
	n := a.number
	a.number = 1<<63 - 2
	a.settle(s, a.heartbeat(), claim.Done, claim.NoReason, 0)
	a.number = n
	a.answer(s, a.handOver(b), claim.Done, claim.NoReason)
}

// TestHandOverCrash interrupts a hand-over at each step; sent again it is done.
func TestHandOverCrash(t *testing.T) {
	stop := errors.New("interrupted")
	for _, at := range []string{"inherited", "handed over"} {
		for _, files := range [][]string{nil, {"index"}} {
			t.Run(fmt.Sprint(at, files), func(t *testing.T) {
				a, b := newWriter(t, 1), newWriter(t, 2)
				cfg := swarmConfig(t, a)
				s := open(t, cfg)
				list := a.stock(s, 20)
				put(t, s, b.owner, list[:5]...)
				raw := a.handOver(b)
				fragstore.SetStep(s, func(step string) error {
					if step == at {
						return stop
					}
					return nil
				})
				if _, err := s.Settle(t.Context(), raw, calm(a.now)); !errors.Is(err, stop) {
					t.Fatal(err)
				}
				s = lose(t, s, cfg, files...)
				a.answer(s, raw, claim.Done, claim.NoReason)
				wantUse(t, s, b.owner, 20)
				wantUse(t, s, a.owner, 0)
				if rep := s.Stats(); rep.Fragments != 20 {
					t.Errorf("%+v", rep)
				}
			})
		}
	}
}

// TestHandOverForgotten forgets a hand-over once nothing of the heir is here, and not before.
func TestHandOverForgotten(t *testing.T) {
	a, b := newWriter(t, 1), newWriter(t, 2)
	cfg := swarmConfig(t, a)
	s := open(t, cfg)
	list := a.stock(s, 5)
	a.answer(s, a.handOver(b), claim.Done, claim.NoReason)
	b.now = a.now
	b.settle(s, b.heartbeat(), claim.Done, claim.NoReason, 0)
	tend := func() {
		t.Helper()
		for range 3 {
			if _, err := s.Tend(t.Context(), calm(b.now)); err != nil {
				t.Fatal(err)
			}
		}
		s = lose(t, s, cfg)
	}
	a.now, b.now = a.now.Add(100*day), b.now.Add(100*day)
	tend()
	if s.Heir(a.owner) != b.owner {
		t.Error("it is forgotten while the heir has claims")
	}
	b.settle(s, b.heartbeat(), claim.Done, claim.NoReason, 0)
	b.settle(s, b.release(list...), claim.Done, claim.NoReason, 5)
	tend()
	if s.Heir(a.owner) != b.owner {
		t.Error("it is forgotten while the heir was just heard of")
	}
	a.now, b.now = a.now.Add(31*day), b.now.Add(31*day)
	tend()
	if s.Heir(a.owner) != a.owner || !slices.Equal(s.Lent(), nil) {
		t.Error("it is not forgotten")
	}
}
