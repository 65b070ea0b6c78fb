package node_test

import (
	"errors"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// pass waits until the clock shows another second than at the call, twice over: claims and cut-offs are in whole ones.
func pass(t *testing.T) time.Time {
	t.Helper()
	begin := time.Now().Unix()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Unix() < begin+2; {
		if time.Now().After(deadline) {
			t.Fatal("the clock stands still")
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Unix(begin+1, 0)
}

// An owner's statements reach every member through the node of this machine, itself included. A release takes the claims
// that were not made anew since.
func TestState(t *testing.T) {
	const members = 3
	s := found(t, members)
	for i := range members { // with other times
		s.end(i)
		s.upkeep = node.Upkeep{Limits: claim.Limits{StartPause: time.Nanosecond}}
		s.run(i)
		s.settle(members)
	}
	l := must(node.DialLocal(t.Context(), s.folders[0].Dir))(t)
	defer l.Close()
	id := must(member.ParseID(must(l.Status(t.Context()))(t).ID))(t)
	session := node.Session{Owner: dhash.Owner(member.PublicOf(owner(1))), MarkKey: [32]byte{1},
		Grant: must(s.folders[0].Grant(owner(1), must(member.KeyOf(id))(t), time.Now()))(t)}
	scores := s.store(0, ventitest.Random(1, 1000), ventitest.Random(2, 1000))
	let, kept := scores[0], scores[1]
	cut := pass(t)
	again := must(l.Blocks(t.Context(), session))(t)
	defer again.Close()
	if has := must(again.Renew(t.Context(), []venti.Score{kept, venti.Sum([]byte("none"))}))(t); !has[0] || has[1] {
		t.Errorf("renewed: %v", has)
	}
	list := []venti.Score{let, kept}
	if list[0].String() > list[1].String() {
		list[0], list[1] = list[1], list[0]
	}
	for i, f := range s.folders {
		say := func(st claim.Statement, bring func(raw []byte) ([]byte, error)) claim.Answer {
			t.Helper()
			st.Lender, st.Date = f.ID(), time.Now().Truncate(time.Second)
			raw, _, err := claim.Sign(owner(1), f.Swarm.Swarm(), st)
			if err != nil {
				t.Fatal(err)
			}
			return must(claim.ParseAnswer(must(bring(raw))(t)))(t)
		}
		byNode := func(raw []byte) ([]byte, error) { return l.State(t.Context(), f.ID(), raw) }
		if a := say(claim.Statement{Kind: claim.Heartbeat, Number: 1}, byNode); a.Verdict != claim.Done || a.Claims != 2 {
			t.Errorf("member %d: %+v", i, a)
		}
		client := s.dial(1)
		if a := say(claim.Statement{Kind: claim.Heartbeat, Number: 2},
			func(raw []byte) ([]byte, error) { return client.State(t.Context(), f.ID(), raw) }); a.Verdict != claim.Done {
			t.Errorf("member %d, by a client: %+v", i, a)
		}
		if a := say(claim.Statement{Kind: claim.Release, Number: 3, Before: cut, Scores: list}, byNode); a.Fragments != 1 || a.Claims != 1 {
			t.Errorf("member %d: %+v", i, a)
		}
	}
	if lent := must(l.Lent(t.Context()))(t); len(lent) != 1 || lent[0].Fragments != 1 || lent[0].Heartbeat.IsZero() || lent[0].State != "active" {
		t.Errorf("%+v", lent)
	}
	if _, err := l.State(t.Context(), s.folders[1].ID(), []byte("no statement")); err == nil {
		t.Error("what is no statement is answered")
	}
	s.end(2)
	if _, err := l.State(t.Context(), s.folders[2].ID(), []byte{1}); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("a member that is gone: %v", err)
	}
}
