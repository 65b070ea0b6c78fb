package claim_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
)

// handOver returns a hand-over from the vectors' owner to their heir, as Parse returned it.
func handOver(t *testing.T, number uint64, date time.Time) *claim.Statement {
	t.Helper()
	raw, hash, err := claim.SignHandOver(vectorKey(), vectorHeir(), swarm, claim.Statement{Lender: lender, Number: number, Date: date})
	if err != nil {
		t.Fatal(err)
	}
	s, err := claim.Parse(raw, swarm, lender)
	if err != nil || s.Hash != hash || s.Kind != claim.HandOver {
		t.Fatal(s, err)
	}
	return s
}

// TestSucceed goes through what is to become of a hand-over.
func TestSucceed(t *testing.T) {
	owner := dhash.Owner(vectorKey().Public().(ed25519.PublicKey))
	heir := dhash.Owner(vectorHeir().Public().(ed25519.PublicKey))
	third := dhash.Owner{3}
	plain := claim.Succession{Owner: owner, Heir: heir, Line: 1}
	known := claim.Book{Owner: owner, Since: start.Add(-day), Heartbeat: start.Add(-day), Number: 1<<63 - 1,
		Pending: []claim.Pending{{Number: 5, Since: start}}, Tally: []claim.Tally{{Hour: start.Unix() / 3600, Claims: 70}}}
	fresh := claim.NewBook(owner, start)
	gone := claim.Book{Owner: owner, Heir: heir, Since: start.Add(-day)}
	env := claim.Environment{Now: start, Jumped: true} // of which a hand-over takes no notice
	for name, c := range map[string]struct {
		book    claim.Book
		age     time.Duration
		n       claim.Succession
		env     claim.Environment
		verdict claim.Verdict
		reason  claim.Reason
		apply   bool
	}{
		"taken":                              {known, 0, plain, env, claim.Done, claim.NoReason, true},
		"taken after a week":                 {known, 7 * day, plain, env, claim.Done, claim.NoReason, true},
		"by a lender that knows little":      {fresh, time.Minute, plain, env, claim.Done, claim.NoReason, true},
		"late by a lender that knows little": {fresh, 2 * time.Hour, plain, env, claim.Refused, claim.TooOld, false},
		"too old":                            {known, 31 * day, plain, env, claim.Refused, claim.TooOld, false},
		"from the future":                    {known, -2 * time.Hour, plain, env, claim.Refused, claim.FromFuture, false},
		"again":                              {gone, 31 * day, claim.Succession{Owner: heir, Heir: heir, Line: 2}, env, claim.Done, claim.NoReason, false},
		"again, the heir having followed":    {gone, 0, claim.Succession{Owner: third, Heir: third, Line: 2}, env, claim.Done, claim.NoReason, false},
		"to another":                         {gone, 0, claim.Succession{Owner: third, Heir: heir, Line: 2}, env, claim.Refused, claim.HandedOver, false},
		"in a circle":                        {known, 0, claim.Succession{Owner: owner, Heir: owner, Line: 2}, env, claim.Refused, claim.BadHeir, false},
		"the last there can be":              {known, 0, claim.Succession{Owner: owner, Heir: heir, Line: claim.MaxFormer}, env, claim.Done, claim.NoReason, true},
		"one too many":                       {known, 0, claim.Succession{Owner: owner, Heir: heir, Line: claim.MaxFormer + 1}, env, claim.Refused, claim.BadHeir, false},
		"without a marker": {known, 0, plain, claim.Environment{Now: start, Unmarked: true}, claim.Waits,
			claim.PausedMarker, false},
	} {
		was := c.book.Encode()
		d, book := claim.Succeed(c.book, claim.NewBook(heir, start.Add(-200*day)), handOver(t, 1, start.Add(-c.age)), c.n, c.env, claim.Limits{})
		if d.Answer.Verdict != c.verdict || d.Answer.Reason != c.reason || d.Apply != c.apply || d.Changed != c.apply {
			t.Errorf("%s: %+v", name, d)
		}
		if !bytes.Equal(c.book.Encode(), was) {
			t.Errorf("%s: the book that was given is changed", name)
		}
		if _, err := claim.ParseAnswer(d.Answer.Encode()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !c.apply {
			if !bytes.Equal(d.Book.Encode(), was) || len(book.Tally) != 0 || book.Since != start.Add(-200*day) {
				t.Errorf("%s: a book is changed", name)
			}
			continue
		}
		if d.Book.Heir != heir || d.Book.Owner != owner || !d.Book.Since.Equal(start) || len(d.Book.Pending)+len(d.Book.Tally) > 0 {
			t.Errorf("%s: %+v", name, d.Book)
		}
		if again, err := claim.ParseBook(d.Book.Encode()); err != nil || !bytes.Equal(again.Encode(), d.Book.Encode()) || again.Heir != heir {
			t.Errorf("%s: %+v, %v", name, again, err)
		}
		if !book.Since.Equal(start) || len(book.Tally) != len(c.book.Tally) || len(book.Tally) > 0 && book.Tally[0].Claims != 70 {
			t.Errorf("%s: the heir's book is %+v", name, book)
		}
		// Whatever the owner says now is refused, also what it said before.
		for _, kind := range []claim.Kind{claim.Heartbeat, claim.Release} {
			s := claim.Statement{Kind: kind, Lender: lender, Number: 9, Date: start}
			if kind == claim.Release {
				s.Before, s.Scores = start, scores(1)
			}
			if d, more := claim.Screen(d.Book, &s, env, claim.Limits{}); more || d.Answer.Reason != claim.HandedOver {
				t.Errorf("%s: then a %v: %+v", name, kind, d.Answer)
			}
		}
	}
}

// TestSucceedTally adds up what both have given up, hour by hour, and keeps no more than there can be.
func TestSucceedTally(t *testing.T) {
	hour := start.Unix() / 3600
	was, heir := claim.NewBook(dhash.Owner{1}, start), claim.NewBook(dhash.Owner{2}, start)
	for i := range int64(25) {
		was.Tally = append(was.Tally, claim.Tally{Hour: hour - 24 + i, Claims: 1})
		heir.Tally = append(heir.Tally, claim.Tally{Hour: hour - 25 + i, Claims: 10})
	}
	_, heir = claim.Succeed(was, heir, handOver(t, 1, start), claim.Succession{Owner: was.Owner, Heir: heir.Owner, Line: 1},
		claim.Environment{Now: start}, claim.Limits{})
	sum := int64(0)
	for _, h := range heir.Tally {
		sum += h.Claims
	}
	if len(heir.Tally) != 25 || sum != 25+240 || heir.Tally[0].Hour != hour-24 || heir.Tally[24] != (claim.Tally{Hour: hour, Claims: 1}) {
		t.Errorf("%d hours, %d claims: %v", len(heir.Tally), sum, heir.Tally)
	}
}

// TestSignHandOver refuses to sign what is not to be.
func TestSignHandOver(t *testing.T) {
	s := claim.Statement{Lender: lender, Number: 1, Date: start}
	if _, _, err := claim.SignHandOver(vectorKey(), vectorKey(), swarm, s); err == nil {
		t.Error("a hand-over to itself")
	}
	s.Kind, s.Heir = claim.HandOver, dhash.Owner{1}
	if _, _, err := claim.Sign(vectorKey(), swarm, s); err == nil {
		t.Error("a hand-over that the heir did not sign")
	}
}
