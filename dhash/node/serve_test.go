package node_test

import (
	"errors"
	"strings"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// A member takes a fragment from another one with all its claims, and proves that it has it. A client cannot do that, and
// a stranger is not responsible. What nothing answers is refused.
func TestCopyAndChallenge(t *testing.T) {
	s := found(t, 3)
	ctx := t.Context()
	payload := ventitest.Random(1, 5000)
	f := &dhash.Fragment{Score: venti.Sum(payload), Length: len(payload), Code: dhash.Code{Need: 1, Total: 1},
		Payload: payload}
	claims := []dhash.Claim{{Owner: dhash.Owner{9}, Mark: [16]byte{1}}, {Owner: dhash.Owner{2}, Mark: [16]byte{3}}}
	to := must(member.ParseID(s.nodes[1].Status().ID))(t)
	peers := s.nodes[0].Peers()
	r := must(peers.Copy(ctx, to, claims, f))(t)
	if r.Coding != f.Coding() || r.Free <= 0 {
		t.Errorf("%+v", r)
	}
	for _, c := range claims {
		held := must(peers.Have(ctx, to, c.Owner, []venti.Score{f.Score}))(t)
		if len(held[0]) != 1 || held[0][0].Mark != c.Mark {
			t.Errorf("the claim of %x: %+v", c.Owner[:1], held)
		}
	}
	list := []peer.Challenge{{Score: f.Score, Coding: f.Coding(), Nonce: 4}, {Score: f.Score, Nonce: 4}}
	cl := s.dial(2)
	for name, p := range map[string]*peer.Client{"member": peers, "client": cl.Peers()} {
		proofs := must(p.Challenge(ctx, to, list))(t)
		if proofs[0].Err != nil || proofs[0].Leaf == nil || proofs[0].Leaf.Number != 4 || proofs[1] != (peer.Proof{}) {
			t.Errorf("%s: %+v", name, proofs)
		}
	}
	var refused *peer.Refusal
	if _, err := peers.Reconcile(ctx, to, []byte{1}); !errors.As(err, &refused) || !strings.Contains(refused.Text, "sweep") {
		t.Errorf("reconcile: %v", err)
	}
	if _, err := cl.Peers().State(ctx, to, []byte{1}); !errors.As(err, &refused) || refused.Err != venti.ErrUnavailable {
		t.Errorf("statement: %v", err)
	}
	if _, err := cl.Peers().Copy(ctx, to, claims, f); !errors.Is(err, venti.ErrUnavailable) || errors.As(err, &refused) {
		t.Errorf("copy by a client: %v", err)
	}
}
