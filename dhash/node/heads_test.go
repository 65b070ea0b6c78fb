package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/dhash/peer"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

func ownerID(seed byte) dhash.Owner { return dhash.Owner(member.PublicOf(owner(seed))) }

func signHead(seed byte, sequence uint64, catalog string) venti.Head {
	return venti.SignHead(owner(seed), sequence, venti.Sum([]byte(catalog)), time.Now())
}

// What a client publishes every member has on its disk, and a node finds it for a program of its machine, and the other
// way. An older head is refused, and whoever brings it hears of the newer one; a conflict is kept, and shown.
func TestHeads(t *testing.T) {
	s := found(t, 3)
	c, r := s.dial(2), s.remote(1)
	ctx := t.Context()
	if f := must(r.Heads(ctx, ownerID(1)))(t); len(f.Heads) != 0 || f.Asked != 3 || f.Answered != 3 || f.Agree != 0 {
		t.Errorf("before there is one: %+v", f)
	}
	first, second, other := signHead(1, 1, "first"), signHead(1, 2, "second"), signHead(1, 2, "other")
	if p := must(c.PublishHead(ctx, first))(t); p.Asked != 3 || p.Kept != 3 || len(p.Others) != 0 {
		t.Errorf("published: %+v", p)
	}
	if f := must(r.Heads(ctx, ownerID(1)))(t); !slices.Equal(f.Heads, []venti.Head{first}) || f.Agree != 3 {
		t.Errorf("found: %+v", f)
	}
	if p := must(r.PublishHead(ctx, second))(t); p.Kept != 3 || !slices.Equal(p.Others, []venti.Head{first}) {
		t.Errorf("published by the node: %+v", p)
	}
	if p := must(c.PublishHead(ctx, first))(t); p.Kept != 0 || !slices.Equal(p.Others, []venti.Head{second}) {
		t.Errorf("an older one again: %+v", p)
	}
	for i := range s.nodes {
		s.end(i)
		s.run(i)
		s.settle(3)
	}
	c, r = s.dial(0), s.remote(1)
	if f := must(c.Heads(ctx, ownerID(1)))(t); !slices.Equal(f.Heads, []venti.Head{second}) || f.Agree != 3 {
		t.Errorf("after all have started again: %+v", f)
	}
	if p := must(r.PublishHead(ctx, other))(t); p.Kept != 3 || !slices.Equal(p.Others, []venti.Head{second}) {
		t.Errorf("in conflict: %+v", p)
	}
	if f := must(c.Heads(ctx, ownerID(1)))(t); len(f.Heads) != 2 || f.Agree != 3 {
		t.Errorf("a conflict: %+v", f)
	}
	if care := s.nodes[2].Status().Care; care.Heads != 1 || care.Conflicts != 1 {
		t.Errorf("%+v", care)
	}
}

// Nobody writes a head of an owner who has not granted it, or whose clock is wrong, or that is not signed by the owner.
func TestRefusedHeads(t *testing.T) {
	s := found(t, 3)
	c := s.dial(0) // for owner 1
	ctx := t.Context()
	to := s.folders[1].ID()
	foreign := signHead(2, 1, "of another owner")
	if p, err := c.PublishHead(ctx, foreign); !errors.Is(err, venti.ErrUnavailable) || !errors.Is(err, peer.ErrNotGranted) || p.Kept != 0 {
		t.Errorf("another owner's: %+v, %v", p, err)
	}
	if _, _, err := c.Peers().Heads(ctx, to, []venti.Head{foreign}); !errors.Is(err, peer.ErrNotGranted) {
		t.Errorf("handed on by a client: %v", err)
	}
	future := venti.SignHead(owner(1), 1, venti.Sum(nil), time.Now().Add(2*time.Hour))
	if _, err := c.PublishHead(ctx, future); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("from the future: %v", err)
	}
	forged := signHead(1, 9, "forged")
	forged.Score[0] ^= 1
	if _, err := c.PublishHead(ctx, forged); !errors.Is(err, venti.ErrUnavailable) {
		t.Errorf("forged: %v", err)
	}
	if f := must(c.Heads(ctx, ownerID(1)))(t); len(f.Heads) != 0 || f.Answered != 3 {
		t.Errorf("%+v", f)
	}
	if owners := s.nodes[1].Status().Care.Heads; owners != 0 {
		t.Errorf("heads of %d owners", owners)
	}
}

// A member takes heads from another one that is close to the owner, without a grant, and asks nobody whether it is the
// owner.
func TestHandedOn(t *testing.T) {
	s := found(t, 3)
	h := signHead(7, 1, "away")
	v, _, err := s.nodes[0].Peers().Heads(t.Context(), s.folders[1].ID(), []venti.Head{h})
	if err != nil || v[0] != head.New {
		t.Fatal(v, err)
	}
	v, newer, err := s.nodes[2].Peers().Heads(t.Context(), s.folders[1].ID(), []venti.Head{signHead(7, 0+1, "b"), h})
	if err != nil || v[0] != head.Conflict || v[1] != head.Same || len(newer) != 0 {
		t.Error(v, newer, err)
	}
	// What the other lacks it is answered with, also where the first it sent is new.
	latest := signHead(7, 2, "latest")
	if v, _, err = s.nodes[2].Peers().Heads(t.Context(), s.folders[1].ID(), []venti.Head{latest}); err != nil || v[0] != head.New {
		t.Fatal(v, err)
	}
	v, newer, err = s.nodes[0].Peers().Heads(t.Context(), s.folders[1].ID(), []venti.Head{signHead(8, 1, "a"), h})
	if err != nil || v[0] != head.New || v[1] != head.Older || !slices.Equal(newer, []venti.Head{latest}) {
		t.Error(v, newer, err)
	}
}

// A member takes the heads of owners to whose keys it is close, whoever sends them, and no others, even if the grant is
// shown.
func TestNearOwner(t *testing.T) {
	s := found(t, 1)
	now := time.Now()
	v := must(member.Invite(s.founder.Swarm, nil, s.founder.Founder, now, now.Add(time.Hour), 0, "test", nil))(t)
	for i := range byte(2*(head.Keepers+head.Slack) - 1) {
		key := owner(100 + i)
		rec := member.Record{Sequence: 1, Chain: must(v.Accept(member.PublicOf(key), now, ""))(t), Info: member.Info{Name: fmt.Sprint(i),
			Domain: fmt.Sprintf("site%d/host", i), Program: "test", Capacity: 1 << 30, Free: 1 << 30, State: member.Active}}
		if err := rec.Sign(key, v.Swarm.Swarm(), now); err != nil {
			t.Fatal(err)
		}
		if err := s.nodes[0].Learn(rec.Encode(), now); err != nil {
			t.Fatal(err)
		}
	}
	here, self := s.nodes[0].Handler(), s.folders[0].ID()
	var near, far int
	for i := range byte(99) {
		want := head.New
		by := s.nodes[0].Table().Closest(dhash.OwnerKey(ownerID(i)), head.Keepers+head.Slack)
		if !slices.ContainsFunc(by, func(m placement.Member) bool { return m.ID == self }) {
			want = head.NotMine
			far++
		} else {
			near++
		}
		for n, granted := range []bool{false, true} {
			h := signHead(i, uint64(1+n), "catalog")
			v, _, err := here.Heads(t.Context(), dhash.ID("from afar"), []venti.Head{h}, []bool{granted})
			if err != nil || v[0] != want {
				t.Errorf("owner %d, granted %v: %v, %v; want %v", i, granted, v, err, want)
			}
		}
	}
	if near == 0 || far == 0 {
		t.Errorf("it is near %d owners and far from %d", near, far)
	}
}

// A member whose disk was lost, heads and all, has them back after a sweep of the others.
func TestWipedHeads(t *testing.T) {
	s := found(t, 3)
	c := s.dial(0)
	ctx := t.Context()
	h := signHead(1, 3, "third")
	if p := must(c.PublishHead(ctx, h))(t); p.Kept != 3 {
		t.Fatalf("%+v", p)
	}
	s.end(1)
	if err := os.Remove(filepath.Join(s.folders[1].Dir, "heads")); err != nil {
		t.Fatal(err)
	}
	s.run(1)
	s.settle(3)
	if n := s.nodes[1].Status().Care.Heads; n != 0 {
		t.Fatalf("it has the heads of %d owners", n)
	}
	c = s.dial(2) // that knows where the member is now
	if f := must(c.Heads(ctx, ownerID(1)))(t); f.Answered != 3 || f.Agree != 2 {
		t.Errorf("%+v", f)
	}
	l := must(node.DialLocal(ctx, s.folders[2].Dir))(t)
	defer l.Close()
	if _, err := l.Work(ctx, node.WorkSweep, nil); err != nil {
		t.Fatal(err)
	}
	if f := must(c.Heads(ctx, ownerID(1)))(t); f.Agree != 3 || !slices.Equal(f.Heads, []venti.Head{h}) {
		t.Errorf("after a sweep: %+v", f)
	}
}

// Blocks that begin like roots are found, by their owner and by nobody else; what is said in part is said to be.
func TestRoots(t *testing.T) {
	s := found(t, 4)
	c, r := s.dial(1), s.remote(2)
	ctx := t.Context()
	var want []venti.Score
	for i := range 40 {
		b := ventitest.Random(uint64(i), 1000+i)
		b[0] = byte(i % 4)
		score := must(c.Put(ctx, b))(t)
		if b[0] == 2 {
			want = append(want, score)
		}
	}
	long := ventitest.Random(99, 1<<20) // begins like one, and is too long
	long[0] = 2
	if _, err := c.Put(ctx, long); err != nil {
		t.Fatal(err)
	}
	if err := c.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	byScore := func(a, b venti.Score) int { return bytes.Compare(a[:], b[:]) }
	slices.SortFunc(want, byScore)
	all := func(roots func(func(venti.Score) error) error) ([]venti.Score, error) {
		var got []venti.Score
		err := roots(func(s venti.Score) error {
			got = append(got, s)
			return nil
		})
		slices.SortFunc(got, byScore)
		return got, err
	}
	got, err := all(func(fn func(venti.Score) error) error { return c.Roots(ctx, ownerID(1), fn) })
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the client finds %d of %d: %v", len(got), len(want), err)
	}
	got, err = all(func(fn func(venti.Score) error) error { return r.Roots(ctx, ownerID(1), fn) })
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the node finds %d of %d: %v", len(got), len(want), err)
	}
	enough := errors.New("enough")
	if err := c.Roots(ctx, ownerID(1), func(venti.Score) error { return enough }); err != enough {
		t.Errorf("stopped: %v", err)
	}
	got, err = all(func(fn func(venti.Score) error) error { return c.Roots(ctx, ownerID(2), fn) })
	if !errors.Is(err, venti.ErrUnavailable) || len(got) != 0 {
		t.Errorf("another owner's, without a grant: %v, %v", got, err)
	}
	s.end(3)
	got, err = all(func(fn func(venti.Score) error) error { return r.Roots(ctx, ownerID(1), fn) })
	if !errors.Is(err, venti.ErrUnavailable) || len(got) == 0 || len(got) > len(want) {
		t.Errorf("with a member down: %d of %d, %v", len(got), len(want), err)
	}
}
