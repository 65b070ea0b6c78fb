package claim_test

import (
	"bytes"
	"crypto/ed25519"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
)

var start = time.Unix(1_800_000_000, 0).UTC()

// A talk is one owner's with a lender who does what Decide says.
type talk struct {
	t      *testing.T
	now    time.Time
	env    func(*claim.Environment)
	limits claim.Limits
	book   claim.Book
	claims int64 // that the owner has at the lender
	number uint64
}

func newTalk(t *testing.T, claims int64) *talk {
	k := &talk{t: t, now: start, claims: claims}
	k.book = claim.NewBook(dhash.Owner(vectorKey().Public().(ed25519.PublicKey)), start)
	k.say(claim.Heartbeat, 0, claim.Done, claim.NoReason)
	return k
}

// statement makes the next statement, of a number and with a date that will do.
func (k *talk) statement(kind claim.Kind) claim.Statement {
	k.number++
	s := claim.Statement{Kind: kind, Lender: lender, Number: k.number, Date: k.now}
	switch kind {
	case claim.Release:
		s.Before, s.Scores = k.now, scores(1)
	case claim.Retain:
		s.Before, s.To = k.now.Add(-72*time.Hour), lastKey()
	}
	return s
}

// send has the lender decide about a statement that would release so many claims, and do that.
func (k *talk) send(s claim.Statement, release int64, verdict claim.Verdict, reason claim.Reason) (*claim.Statement, claim.Answer) {
	k.t.Helper()
	raw, hash, err := claim.Sign(vectorKey(), swarm, s)
	if err != nil {
		k.t.Fatal(err)
	}
	p, err := claim.Parse(raw, swarm, lender)
	if err != nil || p.Hash != hash {
		k.t.Fatal(err)
	}
	env := claim.Environment{Now: k.now, Served: 1000 * time.Hour, Members: 10, Reachable: 10}
	if k.env != nil {
		k.env(&env)
	}
	before := k.book.Encode()
	d := claim.Decide(k.book, p, claim.Totals{Claims: k.claims, Bytes: 100 * k.claims, Release: release, ReleaseB: 100 * release}, env, k.limits)
	if screened, more := claim.Screen(k.book, p, env, k.limits); !more && (screened.Answer.Verdict != d.Answer.Verdict || d.Apply) {
		k.t.Errorf("screened %+v, decided %+v", screened.Answer, d.Answer)
	}
	if !bytes.Equal(before, k.book.Encode()) {
		k.t.Error("the book that was given was changed")
	}
	if d.Answer.Verdict != verdict || d.Answer.Reason != reason {
		k.t.Errorf("number %d, a %v of %d: %v because %v, want %v because %v", s.Number, s.Kind, release, d.Answer.Verdict,
			d.Answer.Reason, verdict, reason)
	}
	if d.Apply != (verdict == claim.Done && release > 0 && d.Answer.Fragments == 0) {
		k.t.Errorf("number %d, a %v of %d: applied: %v", s.Number, s.Kind, release, d.Apply)
	}
	if !d.Changed && !bytes.Equal(before, d.Book.Encode()) && verdict != claim.Refused {
		k.t.Error("a change of the book would be lost")
	}
	if a, err := claim.ParseAnswer(d.Answer.Encode()); err != nil || a.Verdict != verdict {
		k.t.Errorf("%+v %v", a, err)
	}
	if d.Changed {
		k.book = d.Book
	}
	if d.Apply {
		k.claims -= release
		k.book = k.book.Settle(p, release, 100*release)
	}
	return p, d.Answer
}

func (k *talk) say(kind claim.Kind, release int64, verdict claim.Verdict, reason claim.Reason) (*claim.Statement, claim.Answer) {
	k.t.Helper()
	return k.send(k.statement(kind), release, verdict, reason)
}

// TestTenth says what is braked: more than a tenth of the claims and more than 64 of them, also in small lists.
func TestTenth(t *testing.T) {
	for _, c := range []struct {
		claims, release int64
		braked          bool
	}{
		{1000, 100, false}, {1000, 101, true}, {1000, 1000, true},
		{64, 64, false}, {65, 65, true}, {640, 64, false}, {640, 65, true}, {650, 65, false}, {1, 1, false}, {0, 0, false},
		{1 << 40, 1 << 36, false}, {1 << 40, 1 << 37, true},
	} {
		for _, kind := range []claim.Kind{claim.Release, claim.Retain} {
			k := newTalk(t, c.claims)
			if c.braked {
				k.say(kind, c.release, claim.Waits, claim.Braked)
			} else {
				k.say(kind, c.release, claim.Done, claim.NoReason)
			}
		}
	}
}

// TestManySmall releases a little again and again: within a day that adds up, and then it waits.
func TestManySmall(t *testing.T) {
	k := newTalk(t, 1000)
	for range 10 {
		k.say(claim.Release, 10, claim.Done, claim.NoReason)
		k.now = k.now.Add(time.Hour)
	}
	k.say(claim.Release, 1, claim.Waits, claim.Braked)
	k.say(claim.Retain, 1, claim.Waits, claim.Braked)
	k.say(claim.Retain, 0, claim.Done, claim.NoReason)
	k.now = k.now.Add(14 * time.Hour) // 24 since the first
	k.say(claim.Release, 1, claim.Waits, claim.Braked)
	k.now = k.now.Add(time.Hour)
	k.say(claim.Release, 1, claim.Done, claim.NoReason)
	k.now = k.now.Add(25 * time.Hour)
	k.say(claim.Release, 89, claim.Done, claim.NoReason)
	if k.claims != 810 {
		t.Errorf("%d are left", k.claims)
	}
}

// TestConfirm says when the second word is good, and for what.
func TestConfirm(t *testing.T) {
	k := newTalk(t, 1000)
	list := k.statement(claim.Release)
	p, a := k.send(list, 500, claim.Waits, claim.Braked)
	if a.Fragments != 500 || !a.Until.Equal(k.now.Add(24*time.Hour)) || len(a.Waiting) != 1 || a.Waiting[0].Hash != p.Hash ||
		a.Waiting[0].Fragments != 500 || a.Number != p.Number {
		t.Errorf("%+v", a)
	}
	k.send(list, 500, claim.Waits, claim.Braked) // again: it still waits
	k.say(claim.Release, 5, claim.Done, claim.NoReason)
	confirm := k.statement(claim.Confirmation)
	confirm.Confirms = p.Hash
	k.now = k.now.Add(24*time.Hour - time.Second)
	if _, a := k.send(confirm, 0, claim.Waits, claim.TooEarly); !a.Until.Equal(k.now.Add(time.Second)) {
		t.Errorf("%+v", a)
	}
	k.send(list, 500, claim.Waits, claim.Braked)
	other := k.statement(claim.Confirmation)
	other.Confirms = dhash.Hash{1}
	k.send(other, 0, claim.Refused, claim.NothingWaits)
	k.now = k.now.Add(time.Second)
	k.send(confirm, 0, claim.Done, claim.NoReason)
	k.send(confirm, 0, claim.Done, claim.NoReason)
	k.now = k.now.Add(5 * 24 * time.Hour)
	k.say(claim.Heartbeat, 0, claim.Done, claim.NoReason)
	k.send(list, 495, claim.Done, claim.NoReason)
	if k.claims != 500 || len(k.book.Pending) != 0 {
		t.Errorf("%d claims are left, %+v", k.claims, k.book)
	}
	if _, a := k.send(list, 0, claim.Done, claim.NoReason); a.Fragments != 495 || a.Bytes != 49500 { // a repeat
		t.Errorf("%+v", a)
	}
	k.say(claim.Release, 50, claim.Done, claim.NoReason) // what was confirmed does not count for the next
}

// TestBackwards has the lender's clock set right after it was ahead: what waited since the future is forgotten, and can
// be said anew.
func TestBackwards(t *testing.T) {
	k := newTalk(t, 1000)
	k.now = k.now.Add(1000 * 24 * time.Hour)
	k.say(claim.Release, 500, claim.Waits, claim.Braked)
	k.say(claim.Release, 50, claim.Done, claim.NoReason)
	k.now = start.Add(time.Hour)
	k.say(claim.Release, 90, claim.Done, claim.NoReason)
	if len(k.book.Pending) != 0 || len(k.book.Tally) != 1 {
		t.Errorf("%+v", k.book)
	}
	k.say(claim.Release, 500, claim.Waits, claim.Braked)
}

// TestForgotten has a statement that waits for too long.
func TestForgotten(t *testing.T) {
	k := newTalk(t, 1000)
	list := k.statement(claim.Release)
	p, _ := k.send(list, 500, claim.Waits, claim.Braked)
	k.now = k.now.Add(31 * 24 * time.Hour)
	confirm := k.statement(claim.Confirmation)
	confirm.Confirms = p.Hash
	k.send(confirm, 0, claim.Refused, claim.NothingWaits)
	k.send(list, 500, claim.Refused, claim.TooOld)
	if k.say(claim.Heartbeat, 0, claim.Done, claim.NoReason); len(k.book.Pending) != 0 {
		t.Errorf("%+v", k.book)
	}
}

func TestTooMany(t *testing.T) {
	k := newTalk(t, 1000)
	for range claim.MaxPending {
		k.say(claim.Release, 500, claim.Waits, claim.Braked)
	}
	k.say(claim.Release, 500, claim.Refused, claim.TooMany)
	k.say(claim.Release, 50, claim.Done, claim.NoReason)
}

// TestNumbers replays all that was said, in any order: nothing is carried out twice, and nothing late.
func TestNumbers(t *testing.T) {
	k := newTalk(t, 10_000)
	var said []claim.Statement
	for i := range 12 {
		s := k.statement([]claim.Kind{claim.Release, claim.Heartbeat, claim.Retain}[i%3])
		release := int64(10)
		if s.Kind == claim.Heartbeat {
			release = 0
		}
		k.send(s, release, claim.Done, claim.NoReason)
		said = append(said, s)
	}
	late := k.statement(claim.Release)
	k.say(claim.Heartbeat, 0, claim.Done, claim.NoReason)
	if _, a := k.send(late, 10, claim.Refused, claim.LowNumber); a.Number != k.number {
		t.Errorf("%+v", a)
	}
	left, heartbeat := k.claims, k.book.Heartbeat
	k.now = k.now.Add(time.Hour)
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, i := range rnd.Perm(len(said)) {
		var release int64
		if said[i].Kind != claim.Heartbeat {
			release = 10 // of what was put since
		}
		raw, _, _ := claim.Sign(vectorKey(), swarm, said[i])
		s, _ := claim.Parse(raw, swarm, lender)
		d := claim.Decide(k.book, s, claim.Totals{Claims: k.claims, Release: release}, claim.Environment{Now: k.now, Served: 1000 * time.Hour,
			Members: 1, Reachable: 1}, k.limits)
		if d.Apply || d.Changed || d.Answer.Verdict != claim.Done || d.Answer.Fragments != release {
			t.Errorf("%v: %+v", s.Kind, d)
		}
	}
	if k.claims != left || !k.book.Heartbeat.Equal(heartbeat) {
		t.Errorf("%d claims left of %d", k.claims, left)
	}
	for range 20 { // so that what was said is not remembered one by one
		k.say(claim.Heartbeat, 0, claim.Done, claim.NoReason)
	}
	for _, s := range said {
		k.send(s, 10, claim.Refused, claim.LowNumber)
	}
}

// TestDates says when a statement is too old, or from the future, and which cut-offs are good.
func TestDates(t *testing.T) {
	k := newTalk(t, 1000)
	dated := func(kind claim.Kind, age time.Duration) claim.Statement {
		s := k.statement(kind)
		s.Date = k.now.Add(-age)
		return s
	}
	for _, kind := range []claim.Kind{claim.Heartbeat, claim.Release, claim.Retain} {
		k.send(dated(kind, -time.Hour), 0, claim.Done, claim.NoReason)
		k.send(dated(kind, -time.Hour-time.Second), 0, claim.Refused, claim.FromFuture)
		k.send(dated(kind, 30*24*time.Hour), 0, claim.Done, claim.NoReason)
		k.send(dated(kind, 30*24*time.Hour+time.Second), 0, claim.Refused, claim.TooOld)
	}
	cut := func(kind claim.Kind, age time.Duration) claim.Statement {
		s := k.statement(kind)
		s.Before = k.now.Add(-age)
		return s
	}
	k.send(cut(claim.Retain, 72*time.Hour), 1, claim.Done, claim.NoReason)
	k.send(cut(claim.Retain, 72*time.Hour-time.Second), 1, claim.Refused, claim.BadCutOff)
	k.send(cut(claim.Retain, -time.Hour), 1, claim.Refused, claim.BadCutOff)
	k.send(cut(claim.Release, 0), 1, claim.Done, claim.NoReason)
	k.send(cut(claim.Release, -time.Second), 1, claim.Refused, claim.BadCutOff)
}

// TestNewBook says that a lender who knows nothing of an owner, or has lost what it knew, begins with a fresh heartbeat.
func TestNewBook(t *testing.T) {
	k := newTalk(t, 1000)
	var old []claim.Statement
	for _, kind := range []claim.Kind{claim.Heartbeat, claim.Release, claim.Retain} {
		old = append(old, k.statement(kind))
		k.send(old[len(old)-1], 0, claim.Done, claim.NoReason)
	}
	k.now = k.now.Add(2 * time.Hour)
	k.book = claim.NewBook(k.book.Owner, k.now) // lost
	for _, s := range old {
		k.send(s, 10, claim.Refused, claim.TooOld)
	}
	confirm := k.statement(claim.Confirmation)
	confirm.Confirms = dhash.Hash{1}
	k.send(confirm, 0, claim.Refused, claim.NoHeartbeat)
	k.say(claim.Release, 10, claim.Refused, claim.NoHeartbeat)
	k.say(claim.Retain, 10, claim.Refused, claim.NoHeartbeat)
	k.say(claim.Heartbeat, 0, claim.Done, claim.NoReason)
	k.say(claim.Release, 10, claim.Done, claim.NoReason)
	for _, s := range old {
		k.send(s, 10, claim.Refused, claim.LowNumber)
	}
}

// TestPause says when nothing is given up, whoever asks; a heartbeat is always good.
func TestPause(t *testing.T) {
	for _, c := range []struct {
		name   string
		env    func(*claim.Environment)
		reason claim.Reason
	}{
		{"just started", func(e *claim.Environment) { e.Served = 24*time.Hour - time.Second }, claim.PausedStart},
		{"new", func(e *claim.Environment) { e.Served = 0 }, claim.PausedStart},
		{"up for a day", func(e *claim.Environment) { e.Served = 24 * time.Hour }, claim.NoReason},
		{"clock", func(e *claim.Environment) { e.Jumped = true }, claim.PausedClock},
		{"half", func(e *claim.Environment) { e.Reachable = 5 }, claim.NoReason},
		{"less than half", func(e *claim.Environment) { e.Reachable = 4 }, claim.PausedRoster},
		{"no roster", func(e *claim.Environment) { e.Members, e.Reachable = 0, 0 }, claim.PausedRoster},
		{"no marker", func(e *claim.Environment) { e.Unmarked = true }, claim.PausedMarker},
	} {
		k := newTalk(t, 1000)
		list := k.statement(claim.Release)
		p, _ := k.send(list, 500, claim.Waits, claim.Braked)
		k.now = k.now.Add(25 * time.Hour)
		confirm := k.statement(claim.Confirmation)
		confirm.Confirms = p.Hash
		k.env = c.env
		verdict := claim.Waits
		if c.reason == claim.NoReason {
			verdict = claim.Done
		}
		release, retain := k.statement(claim.Release), k.statement(claim.Retain)
		number := k.book.Number
		for _, s := range []claim.Statement{confirm, release, retain} {
			_, a := k.send(s, 0, verdict, c.reason)
			if c.reason == claim.PausedStart && !a.Until.After(k.now) {
				t.Errorf("%s: %+v", c.name, a)
			}
		}
		if c.reason == claim.NoReason {
			continue
		}
		k.send(list, 500, claim.Waits, c.reason)
		if k.book.Number != number {
			t.Errorf("%s: number %d", c.name, k.book.Number)
		}
		k.env = nil
		for _, s := range []claim.Statement{confirm, release, retain} { // the same again, later
			k.send(s, 0, claim.Done, claim.NoReason)
		}
		k.env = c.env
		k.say(claim.Heartbeat, 0, claim.Done, claim.NoReason)
	}
}

// TestBegun interrupts the lender between the book and the claims: the same statement is carried on, whatever the brakes
// would say of it now.
func TestBegun(t *testing.T) {
	k := newTalk(t, 1000)
	s := k.statement(claim.Release)
	raw, hash, _ := claim.Sign(vectorKey(), swarm, s)
	p, _ := claim.Parse(raw, swarm, lender)
	env := claim.Environment{Now: k.now, Served: 1000 * time.Hour, Members: 1, Reachable: 1}
	d := claim.Decide(k.book, p, claim.Totals{Claims: 1000, Release: 100}, env, k.limits)
	if !d.Apply || d.Book.Begun != hash {
		t.Fatalf("%+v", d)
	}
	k.book = d.Book
	k.claims -= 40
	k.send(s, 60, claim.Done, claim.NoReason)
	if k.claims != 900 || k.book.Begun != (dhash.Hash{}) {
		t.Errorf("%d claims, %+v", k.claims, k.book)
	}
	if i := slices.IndexFunc(k.book.Tally, func(y claim.Tally) bool { return y.Claims != 100 }); i >= 0 || len(k.book.Tally) != 1 {
		t.Errorf("%+v", k.book.Tally)
	}
	k.say(claim.Release, 1, claim.Waits, claim.Braked)
}
