package fragstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/fragstore"
)

// TestBooksLost damages and removes what the store knows of owners and of its time.
func TestBooksLost(t *testing.T) {
	w := newWriter(t, 1)
	cfg := swarmConfig(t, w)
	cfg.Capacity = 4 << 20
	s := open(t, cfg)
	list := w.stock(s, 100)
	old := w.release(list[0])
	w.settle(s, old, claim.Done, claim.NoReason, 1)
	name := filepath.Join(cfg.Dir, "owners", fmt.Sprintf("%x", w.owner[:]))
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(2 * time.Hour)
	for i := 0; i < len(good); i += 7 {
		bad := bytes.Clone(good)
		bad[i] ^= 4
		closeStore(t, s)
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s = open(t, cfg)
		w.settle(s, old, claim.Refused, claim.TooOld, 0)
		w.settle(s, w.release(list[1]), claim.Refused, claim.NoHeartbeat, 0)
	}
	w.now = w.now.Add(100 * day)
	fragstore.Served(s, w.now, 300*day)
	if rep, err := s.Tend(t.Context(), calm(w.now)); err != nil || rep.Lapsed != 0 {
		t.Errorf("%+v %v", rep, err)
	}
	w.now = w.now.Add(79 * day)
	fragstore.Served(s, w.now, 300*day)
	if l := s.Lent(); len(l) != 1 || l[0].State != claim.Active || l[0].Fragments != 99 || !l[0].Heartbeat.IsZero() {
		t.Errorf("%+v", l)
	}
	w.settle(s, w.heartbeat(), claim.Done, claim.NoReason, 0)
	w.settle(s, w.release(list[1]), claim.Done, claim.NoReason, 1)
	closeStore(t, s)
	for _, f := range []string{name, filepath.Join(cfg.Dir, "owners", "junk"), filepath.Join(cfg.Dir, "clock")} {
		if err := os.WriteFile(f, make([]byte, 100_000), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, cfg)
	if env := s.Observe(w.now, 0, 1, 1); env.Served != 0 {
		t.Errorf("%+v", env)
	}
	wantClaimed(t, s, w.owner, true, list[2:]...)
}

// TestOrphans lets an owner fall silent: its claims stay for as long as there is room.
func TestOrphans(t *testing.T) {
	w, v := newWriter(t, 1), newWriter(t, 2)
	cfg := swarmConfig(t, w)
	cfg.Capacity = 2 << 20
	s := open(t, cfg)
	var a, b []piece
	for i := range 16 {
		a, b = append(a, one(i, 50_000)), append(b, one(100+i, 50_000))
	}
	put(t, s, w.owner, a...)
	tend := func() fragstore.TendReport {
		t.Helper()
		fragstore.Served(s, w.now, 1000*day)
		rep, err := s.Tend(t.Context(), calm(w.now))
		if err != nil || rep.Paused != claim.NoReason {
			t.Errorf("%+v %v", rep, err)
		}
		return rep
	}
	tend()
	w.now = w.now.Add(day)
	put(t, s, v.owner, b...)
	tend()
	for range 271 {
		w.now = w.now.Add(day)
		tend()
	}
	if rep := tend(); rep.Lapsed != 2 || len(rep.Orphaned) != 1 || rep.Dropped.Fragments != 0 {
		t.Errorf("%+v", rep)
	}
	w.now = w.now.Add(2 * day)
	v.now = w.now
	put(t, s, dhash.Owner{7}, one(200, 200_000), one(201, 200_000))
	for i := 202; s.Free() > 70_000; i++ {
		put(t, s, dhash.Owner{7}, one(i, 30_000))
	}
	rep := tend()
	if len(rep.Orphaned) != 2 || rep.Orphaned[0] != w.owner || rep.Dropped.Fragments != 1 {
		t.Errorf("%+v, %d bytes are free", rep, s.Free())
	}
	if rep := tend(); rep.Dropped.Fragments != 0 { // what is in the trash will do
		t.Errorf("%+v", rep)
	}
	want(t, s, a...)
	if l := s.Lent(); len(l) != 3 || s.Owner(w.owner).Fragments != 15 || s.Owner(v.owner).Fragments != 16 {
		t.Errorf("%+v", l)
	}
	env := calm(w.now)
	env.Reachable, env.Members = 1, 3
	if rep, err := s.Tend(t.Context(), env); err != nil || rep.Paused != claim.PausedRoster || rep.Dropped.Fragments != 0 {
		t.Errorf("%+v %v", rep, err)
	}
	v.settle(s, v.heartbeat(), claim.Done, claim.NoReason, 0)
	if rep := tend(); len(rep.Orphaned) != 1 {
		t.Errorf("%+v", rep)
	}
	if _, err := s.Release(t.Context(), v.owner, names(b), w.now); err != nil {
		t.Error(err)
	}
	w.now = w.now.Add(31 * day)
	tend()
	if _, err := os.Stat(filepath.Join(cfg.Dir, "owners", fmt.Sprintf("%x", v.owner[:]))); !errors.Is(err, os.ErrNotExist) {
		t.Error("the book on an owner without claims is kept for ever", err)
	}
}

// TestPaused says that nothing is freed and nothing given up while the member doubts itself.
func TestPaused(t *testing.T) {
	w := newWriter(t, 1)
	cfg := swarmConfig(t, w)
	s := open(t, cfg)
	list := w.stock(s, 10)
	w.settle(s, w.release(list[:5]...), claim.Done, claim.NoReason, 5)
	w.now = w.now.Add(31 * day)
	try := func(env claim.Environment, reason claim.Reason) {
		t.Helper()
		a, err := s.Settle(t.Context(), w.release(list[5]), env)
		if err != nil || a.Reason != reason || a.Verdict != claim.Waits {
			t.Errorf("%+v %v", a, err)
		}
		rep, err := s.Compact(t.Context(), env)
		if err != nil || rep.Paused != reason || rep.Freed != 0 {
			t.Errorf("%+v %v", rep, err)
		}
		want(t, s, list...)
		wantClaimed(t, s, w.owner, true, list[5:]...)
	}
	closeStore(t, s)
	s = open(t, cfg)
	try(s.Observe(w.now, 0, 1, 1), claim.PausedStart)
	fragstore.Served(s, w.now, 2*day)
	try(s.Observe(w.now, 0, 3, 1), claim.PausedRoster)
	try(s.Observe(w.now.Add(2*time.Hour), time.Minute, 1, 1), claim.PausedClock)
	s = lose(t, s, cfg)
	try(s.Observe(w.now.Add(-2*time.Hour), 0, 1, 1), claim.PausedClock)
	s = lose(t, s, cfg)
	fragstore.Served(s, w.now, 2*day)
	marker := filepath.Join(cfg.Dir, "FORMAT")
	if err := os.Rename(marker, marker+".away"); err != nil {
		t.Fatal(err)
	}
	try(s.Observe(w.now, 0, 1, 1), claim.PausedMarker)
	if err := os.Rename(marker+".away", marker); err != nil {
		t.Fatal(err)
	}
	for _, p := range list[:5] { // reading them kept them, by the way
		if h := have(t, s, p.Score); !h[0].Trash() {
			t.Errorf("%+v", h)
		}
	}
	w.now = w.now.Add(31 * day)
	if rep, err := s.Compact(t.Context(), calm(w.now)); err != nil || rep.Freed != 5 {
		t.Errorf("%+v %v", rep, err)
	}
}

// TestResurrect reads trash: it stays for another month, and that is counted.
func TestResurrect(t *testing.T) {
	w := newWriter(t, 1)
	cfg := swarmConfig(t, w)
	s := open(t, cfg)
	list := w.stock(s, 10)
	w.settle(s, w.release(list...), claim.Done, claim.NoReason, 10)
	w.now = w.now.Add(29 * day)
	want(t, s, list[:4]...)
	if st := s.Stats(); st.Resurrected != 4 || st.Trash != 10 {
		t.Errorf("%+v", st)
	}
	s = lose(t, s, cfg, "index")
	w.now = w.now.Add(2 * day)
	if rep, err := s.Compact(t.Context(), calm(w.now)); err != nil || rep.Freed != 6 {
		t.Errorf("%+v %v", rep, err)
	}
	put(t, s, w.owner, list[0])
	w.now = w.now.Add(28 * day)
	if rep, err := s.Compact(t.Context(), calm(w.now)); err != nil || rep.Freed != 3 {
		t.Errorf("%+v %v", rep, err)
	}
	want(t, s, list[0])
}

// TestCompactRereads claims old trash between the steps of Compact: it stays.
func TestCompactRereads(t *testing.T) {
	for _, at := range []string{"copied", "moved"} {
		w := newWriter(t, 1)
		s := open(t, swarmConfig(t, w))
		list := w.stock(s, 10)
		w.settle(s, w.release(list...), claim.Done, claim.NoReason, 10)
		w.now = w.now.Add(31 * day)
		done := false
		fragstore.SetStep(s, func(step string) error {
			if step == at && !done {
				done = true
				put(t, s, w.owner, list[3])
				if here, err := s.Claim(t.Context(), alice, marks(alice, list[7])); err != nil || !here[0] {
					t.Error(err)
				}
			}
			return nil
		})
		if rep, err := s.Compact(t.Context(), calm(w.now)); err != nil || rep.Freed != 8 || !done {
			t.Errorf("%s: %+v %v", at, rep, err)
		}
		want(t, s, list[3], list[7])
		wantClaimed(t, s, w.owner, true, list[3])
		wantClaimed(t, s, alice, true, list[7])
	}
}

// TestPutClaimed stores a fragment for several owners, and leaves out whom it must.
func TestPutClaimed(t *testing.T) {
	cfg := config(t)
	cfg.Quota = func(o dhash.Owner) int64 {
		if o == bob {
			return 10
		}
		return 1 << 40
	}
	s := open(t, cfg)
	p := one(1, 500)
	carol := dhash.Owner{3}
	puts := func(owners ...dhash.Owner) error {
		var list []dhash.Claim
		for _, o := range owners {
			list = append(list, mark(o))
		}
		return s.PutClaimed(t.Context(), list, p.f, p.Coding)
	}
	if err := puts(bob); !errors.Is(err, dhash.ErrQuota) {
		t.Error(err)
	}
	if err := puts(alice, bob, carol); err != nil {
		t.Error(err)
	}
	if err := puts(); !errors.Is(err, dhash.ErrFragment) {
		t.Error(err)
	}
	if err := puts(make([]dhash.Owner, 17)...); !errors.Is(err, dhash.ErrFragment) {
		t.Error(err)
	}
	dave := dhash.Owner{4}
	if err := puts(dave, alice, bob); err != nil { // it is there
		t.Error(err)
	}
	if err := puts(bob); !errors.Is(err, dhash.ErrQuota) {
		t.Error(err)
	}
	for range 2 {
		h := have(t, s, p.Score)
		if len(h) != 1 || !slices.Equal(h[0].Claims, []dhash.Claim{mark(alice), mark(carol), mark(dave)}) {
			t.Errorf("%+v", h)
		}
		s = lose(t, s, cfg, "index")
	}
	if u := s.Owners(); len(u) != 3 || u[bob].Fragments != 0 || u[dave].Fragments != 1 {
		t.Errorf("%+v", u)
	}
}

// TestTrim gives up what others hold: it is trash for as long as any.
func TestTrim(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	a, b, c := one(1, 500), one(2, 500), one(3, 500)
	put(t, s, alice, a, b, c)
	put(t, s, bob, a)
	now := time.Unix(1_900_000_000, 0)
	for _, n := range []int{2, 0} {
		got, err := s.Trim(t.Context(), []fragstore.Name{a.Name, b.Name, one(4, 500).Name}, now)
		if err != nil || got != n {
			t.Error(got, err)
		}
	}
	s = lose(t, s, cfg, "index")
	if st := s.Stats(); st.Trash != 2 || st.Fragments != 1 || s.Owner(bob).Fragments != 0 {
		t.Errorf("%+v", st)
	}
	put(t, s, bob, b)
	if rep, err := s.Compact(t.Context(), calm(now.Add(29*day))); err != nil || rep.Freed != 0 {
		t.Errorf("%+v %v", rep, err)
	}
	if rep, err := s.Compact(t.Context(), calm(now.Add(30*day))); err != nil || rep.Freed != 1 {
		t.Errorf("%+v %v", rep, err)
	}
	want(t, s, b, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Trim(ctx, nil, now); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
