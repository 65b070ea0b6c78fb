package lenders_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/lenders"
	"ventidhash/venti"
)

// TestTell releases blocks at lenders whose clocks differ: exactly those go whose claims are older than the cut.
func TestTell(t *testing.T) {
	o := newTown(t, 3)
	o.lenders[1].ahead, o.lenders[2].ahead = 50*time.Minute, -50*time.Minute
	gone, live, young := blocks(1, 40), blocks(2, 400), blocks(3, 20)
	for _, l := range o.lenders {
		l.claim(old, append(gone, live...)...)
		l.claim(time.Now().Add(-time.Minute), young...) // a backup runs
	}
	cut := func(tell *lenders.Tell) { tell.Cut = time.Now().Add(-2 * time.Minute) }
	for i, told := range o.tell(append(gone, young...), live, cut) {
		l := o.lenders[i]
		if told.Fragments != 40 || told.Bytes != 400 || !told.Settled() || l.has(gone...) > 0 || l.has(live...) < 400 || l.has(young...) < 20 {
			t.Errorf("lender %d: %+v; it has %d, %d, %d", i, told, l.has(gone...), l.has(live...), l.has(young...))
		}
		if k := l.kinds(); !slices.Equal(k, []claim.Kind{claim.Heartbeat, claim.Heartbeat, claim.Release}) && len(k) != 2 {
			t.Errorf("it heard %v", k)
		}
	}
	o.tell(nil, live, cut)
	for _, l := range o.lenders {
		if k := l.kinds(); slices.Contains(k, claim.Release) {
			t.Errorf("told a second time: %v", k)
		}
	}
	ledger := o.open()
	defer ledger.Close()
	for i, r := range ledger.Lenders() {
		if r.Claims != 420 || r.Bytes != 4200 || r.Heard.IsZero() || r.Kept.Sub(r.Heard.Add(o.lenders[i].ahead)) < 179*24*time.Hour || r.Other {
			t.Errorf("%+v", r)
		}
	}
	if _, err := lenders.Open(lenders.Config{Dir: o.dir, Swarm: swarm, Key: key, Carrier: o}); !errors.Is(err, lenders.ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
}

// TestRipe tells lenders again about blocks that were put down after the cut, since they may have been claimed after it.
func TestRipe(t *testing.T) {
	o := newTown(t, 1)
	l, gone, live := o.lenders[0], blocks(1, 10), blocks(2, 10)
	l.claim(time.Now().Add(-2*time.Minute), append(gone, live...)...)
	late := func(tell *lenders.Tell) { tell.Cut = time.Now().Add(-24 * time.Hour) }
	o.tell(gone, live, late)
	if n := l.has(gone...); n != 10 {
		t.Fatalf("claims younger than the cut are gone: %d are left", n)
	}
	if told := o.tell(nil, live, nil); told[0].Fragments != 10 || l.has(live...) != 10 {
		t.Errorf("told again: %+v", told)
	}
}

// TestAway has a lender that is away for three rounds: it is told what it missed, and nobody else hears it again.
func TestAway(t *testing.T) {
	o := newTown(t, 2)
	here, away := o.lenders[0], o.lenders[1]
	live := blocks(0, 1000)
	var all []venti.Score
	for _, l := range o.lenders {
		l.claim(old, live...)
		l.claim(old, blocks(1, 10)...)
		l.claim(old, blocks(2, 10)...)
		l.claim(old, blocks(3, 10)...)
	}
	away.away = true
	for i := range 3 {
		gone := blocks(i+1, 10)
		all = append(all, gone...)
		told := o.tell(gone, live, nil)
		if told[0].Fragments != 10 || !errors.Is(told[1].Err, venti.ErrUnavailable) || told[1].Settled() {
			t.Errorf("%+v", told)
		}
	}
	away.away = false
	here.kinds()
	again := all[5] // is needed now
	told := o.tell(nil, append(live, again), nil)
	if told[1].Fragments != 29 || away.has(all...) != 1 || away.has(again) != 1 || slices.Contains(here.kinds(), claim.Release) {
		t.Errorf("%+v; %d are left", told, away.has(all...))
	}
	ledger := o.open()
	defer ledger.Close()
	if n := ledger.Owed(); n != 0 {
		t.Errorf("%d blocks are owed still", n)
	}
}

// TestConfirm releases more than a tenth: that takes a second word, a day later, and then the same statement.
func TestConfirm(t *testing.T) {
	o := newTown(t, 1)
	l, gone, live := o.lenders[0], blocks(1, 300), blocks(2, 300)
	l.claim(old, append(gone, live...)...)
	told := o.tell(gone, live, nil)
	if w := told[0].Waiting; len(w) != 1 || w[0].Fragments != 300 || w[0].Kind != claim.Release || !told[0].Settled() || l.has(gone...) != 300 {
		t.Fatalf("%+v", told)
	}
	confirm := func(tell *lenders.Tell) { tell.Confirm = true }
	for _, change := range []func(*lenders.Tell){nil, confirm} {
		told = o.tell(nil, live, change)
		if w := told[0].Waiting; len(w) != 1 || l.has(gone...) != 300 || change != nil && time.Until(w[0].Until) < 23*time.Hour {
			t.Errorf("too early: %+v", told)
		}
	}
	l.ahead = 25 * time.Hour
	if told = o.tell(nil, live, nil); len(told[0].Waiting) != 1 || l.has(gone...) != 300 {
		t.Errorf("without a second word: %+v", told)
	}
	if told = o.tell(nil, live, confirm); told[0].Fragments != 300 || len(told[0].Waiting) != 0 || l.has(gone...) != 0 || l.has(live...) != 300 {
		t.Errorf("with it: %+v", told)
	}
	o.nothingWaits()
}

func (o *town) nothingWaits() {
	o.t.Helper()
	if files, err := filepath.Glob(filepath.Join(o.dir, "waiting/*")); len(files) > 0 || err != nil {
		o.t.Errorf("left over: %v, %v", files, err)
	}
}

// TestNeededAgain holds that a statement that waits is not confirmed once a block of it is needed again: the others are
// released anew.
func TestNeededAgain(t *testing.T) {
	o := newTown(t, 1)
	l, gone, live := o.lenders[0], blocks(1, 300), blocks(2, 300)
	l.claim(old, append(gone, live...)...)
	o.tell(gone, live, nil)
	l.ahead = 25 * time.Hour
	live = append(live, gone[7])
	for range 2 {
		told := o.tell(nil, live, func(tell *lenders.Tell) { tell.Confirm = true })
		if told[0].Fragments != 0 || l.has(gone...) != 300 {
			t.Errorf("%+v", told)
		}
	}
	l.ahead = 51 * time.Hour
	o.tell(nil, live, func(tell *lenders.Tell) { tell.Confirm = true })
	if l.has(gone...) != 1 || l.has(gone[7]) != 1 {
		t.Errorf("%d are left of those let go", l.has(gone...))
	}
}

// TestRetain has claims of which the owner knows nothing: a retain set finds them, and spares what is young.
func TestRetain(t *testing.T) {
	o := newTown(t, 2)
	leaked, live, young := blocks(1, 50), blocks(2, 1000), blocks(3, 50)
	for _, l := range o.lenders {
		l.claim(old, append(leaked, live...)...)
		l.claim(time.Now().Add(-60*time.Hour), young...)
	}
	o.tell(nil, live, nil)
	if k := o.lenders[0].kinds(); slices.Contains(k, claim.Retain) {
		t.Errorf("right away: %v", k)
	}
	ledger := o.open()
	ledger.Line(o.lenders[1].id, func(l *lenders.Lender) { l.Retained = time.Now().Add(-lenders.RetainEvery) })
	if err := errors.Join(ledger.Owe(nil, time.Now(), func(venti.Score) bool { return false }), ledger.Close()); err != nil {
		t.Fatal(err)
	}
	for i, told := range o.tell(nil, live, func(tell *lenders.Tell) { tell.Retain = true }) {
		l := o.lenders[i]
		if told.Fragments != 50 || !told.Retained || l.has(leaked...) != 0 || l.has(live...) != 1000 || l.has(young...) != 50 {
			t.Errorf("%+v; %d, %d, %d", told, l.has(leaked...), l.has(live...), l.has(young...))
		}
	}
}

// TestWrongSet has a retain set made from a list that lacks a snapshot: it waits, and is not confirmed once the snapshot is
// on the list again.
func TestWrongSet(t *testing.T) {
	o := newTown(t, 1)
	l, lacking, live := o.lenders[0], blocks(1, 300), blocks(2, 300)
	l.claim(old, append(lacking, live...)...)
	told := o.tell(nil, live, func(tell *lenders.Tell) { tell.Retain = true })
	if len(told[0].Waiting) != 1 || told[0].Waiting[0].Kind != claim.Retain || l.has(lacking...) != 300 {
		t.Fatalf("%+v", told)
	}
	whole := append(slices.Clone(live), lacking...)
	confirm := func(older []venti.Score) func(tell *lenders.Tell) {
		return func(tell *lenders.Tell) {
			tell.Confirm = true
			tell.Older = func(at time.Time) []venti.Score {
				if age := time.Since(at); age < 72*time.Hour || age > 74*time.Hour {
					t.Errorf("asked about %v", at)
				}
				return older
			}
		}
	}
	l.ahead = 25 * time.Hour
	for range 3 {
		if told = o.tell(nil, whole, confirm(whole)); l.has(whole...) != 600 || told[0].Fragments != 0 {
			t.Errorf("%+v; %d are left", told, l.has(whole...))
		}
	}
	o.nothingWaits()

	o = newTown(t, 1) // and one that was right, but for what came later
	l = o.lenders[0]
	l.claim(old, append(lacking, live...)...)
	o.tell(nil, live, func(tell *lenders.Tell) { tell.Retain = true })
	fresh := blocks(3, 10)
	l.claim(time.Now(), fresh...)
	l.ahead = 25 * time.Hour
	if told = o.tell(nil, append(slices.Clone(live), fresh...), confirm(live)); told[0].Fragments != 300 || l.has(live...) != 300 || l.has(fresh...) != 10 {
		t.Errorf("%+v", told)
	}
}

// TestSpans compares the ranges of retain sets with what they have to be.
func TestSpans(t *testing.T) {
	for _, n := range []int{0, 1, 7, 8, 9, 100} {
		live := blocks(9, n)
		var all []venti.Score
		next := dhash.Key{}
		list := lenders.Spans(live, 8)
		for i, s := range list {
			if s.From != next || len(s.Scores) > 8 {
				t.Errorf("%d blocks, range %d: begins at %x, not %x, with %d", n, i, s.From[:4], next[:4], len(s.Scores))
			}
			raw, _, err := claim.Sign(key, swarm, claim.Statement{Kind: claim.Retain, Lender: "l", Number: 1, Date: old.Truncate(time.Second),
				Before: old.Truncate(time.Second), From: s.From, To: s.To, Scores: s.Scores})
			if err != nil || len(raw) == 0 {
				t.Errorf("%d blocks, range %d: %v", n, i, err)
			}
			all = append(all, s.Scores...)
			next = s.To
			for j := len(next) - 1; j >= 0; j-- {
				if next[j]++; next[j] != 0 {
					break
				}
			}
		}
		if next != (dhash.Key{}) || len(all) != n || n > 0 && len(list) != (n+7)/8 {
			t.Errorf("%d blocks in %d ranges: %d, ending before %x", n, len(list), len(all), next[:4])
		}
	}
}

// TestOther has somebody else speak in the owner's name.
func TestOther(t *testing.T) {
	o := newTown(t, 2)
	for _, l := range o.lenders {
		l.claim(old, blocks(1, 5)...)
	}
	elsewhere := &town{t: t, dir: t.TempDir(), lenders: o.lenders[:1]}
	other := func(o *town) (list []bool) {
		t.Helper()
		o.heartbeat()
		l := o.open()
		defer l.Close()
		for _, r := range l.Lenders() {
			list = append(list, r.Other)
		}
		return list
	}
	for range 3 {
		if got := other(o); got[0] || got[1] {
			t.Errorf("nobody else spoke: %v", got)
		}
	}
	if got := other(elsewhere); !got[0] {
		t.Error("a machine that is new to a lender that is not does not see that")
	}
	for range 2 {
		if got := other(o); !got[0] || got[1] {
			t.Errorf("somebody else spoke to the first: %v", got)
		}
	}
	l := o.open()
	l.Trust()
	if _, err := l.Heartbeat(t.Context(), o.ids(), 0); err != nil {
		t.Error(err)
	}
	if list := l.Lenders(); list[0].Other || list[1].Other {
		t.Errorf("not trusted: %+v", list)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
