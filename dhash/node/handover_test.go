package node_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/lenders"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// An owner hands over while a member is away, which hears of it when it is back. The old key stores and releases nothing
// more, and what it stored is found, claimed and released by the heir.
func TestHandOver(t *testing.T) {
	const members = 4
	s := found(t, members)
	for i := range members {
		s.end(i)
		s.upkeep = node.Upkeep{Limits: claim.Limits{StartPause: time.Nanosecond}}
		s.run(i)
		s.settle(members)
	}
	ctx := t.Context()
	ids := make([]dhash.ID, members)
	for i, f := range s.folders {
		ids[i] = f.ID()
	}
	scores := s.store(0, random(10, 10_000)...)
	was := s.dial(0) // owner 1
	cut := pass(t).Add(time.Second)

	s.end(3)
	heir := must(node.Dial(ctx, node.ClientConfig{Folder: s.folders[1], Owner: owner(2), MarkKey: [32]byte{2},
		Former: [][32]byte{{1}}, Log: s.log}))(t)
	defer heir.Close()
	cfg := lenders.Config{Dir: t.TempDir(), Swarm: s.founder.Swarm.Swarm(), Key: owner(2), Carrier: heir,
		Former: []ed25519.PrivateKey{owner(1)}}
	ledger := must(lenders.Open(cfg))(t)
	defer ledger.Close()
	told, missed, err := ledger.HandOver(ctx, ids)
	if err != nil || told != members-1 || !errors.Is(missed[ids[3]], venti.ErrUnavailable) {
		t.Fatalf("%d were told, not %v: %v", told, missed, err)
	}

	s.run(3)
	s.settle(members)
	for i := range members {
		lent := s.nodes[i].Lent()
		want := dhash.Owner(member.PublicOf(owner(2)))
		if i == 3 {
			want = dhash.Owner(member.PublicOf(owner(1)))
		}
		if len(lent) != 1 || lent[0].Fragments != 10 || lent[0].Owner != hex.EncodeToString(want[:]) {
			t.Errorf("member %d: %+v, want %x", i, lent, want)
		}
	}
	raw, _, err := claim.Sign(owner(1), cfg.Swarm, claim.Statement{Kind: claim.Release, Lender: ids[0], Number: 1 << 60,
		Date: time.Now().Truncate(time.Second), Before: cut, Scores: scores[:1]})
	if err != nil {
		t.Fatal(err)
	}
	if a := must(claim.ParseAnswer(must(was.State(ctx, ids[0], raw))(t)))(t); a.Reason != claim.HandedOver {
		t.Errorf("the old key: %+v", a)
	}
	heard, err := ledger.Heartbeat(ctx, ids, 0)
	for end := time.Now().Add(20 * time.Second); err == nil && heard[3].Err != nil && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond) // until it is known where the last one is now
		heard, err = ledger.Heartbeat(ctx, ids, 0)
	}
	for i, h := range heard {
		if h.Err != nil || h.Answer.Claims != 10 {
			t.Errorf("member %d: %+v, %v", i, h.Answer, h.Err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	thief := s.dial(0)
	if _, err := thief.Put(ctx, ventitest.Random(100, 10_000)); err == nil {
		err = thief.Sync(ctx)
		if !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("the old key stores: %v", err)
		}
	}
	if b, err := thief.Get(ctx, scores[0]); err != nil || len(b) != 10_000 {
		t.Errorf("what the old key could read it can not: %v", err)
	}
	if _, err := was.Renew(ctx, scores[:1]); err != nil && !errors.Is(err, peer.ErrNotGranted) && !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("the old key claims on an open stream: %v", err)
	}

	for i, ok := range must(heir.Has(ctx, scores))(t) {
		if !ok {
			t.Errorf("block %d is not known to the heir", i)
		}
	}
	for i, ok := range must(heir.Renew(ctx, scores[5:]))(t) {
		if !ok {
			t.Errorf("block %d is not the heir's to claim", i)
		}
	}
	for i := range members {
		if lent := s.nodes[i].Lent(); len(lent) != 1 || lent[0].Fragments != 10 {
			t.Errorf("member %d: %+v", i, lent)
		}
	}
	if err := ledger.Owe(scores, cut.Add(-time.Hour), func(venti.Score) bool { return false }); err != nil {
		t.Fatal(err)
	}
	out, err := ledger.Tell(ctx, lenders.Tell{Heard: heard, Cut: cut, Needs: func(venti.Score) bool { return false }})
	for i := range out {
		if out[i].Fragments != 5 || !out[i].Settled() {
			t.Errorf("member %d: %+v", i, out[i])
		}
	}
	if err != nil {
		t.Error(err)
	}
}
