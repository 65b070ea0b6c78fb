package member_test

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/member"
)

func TestIDIsLibp2ps(t *testing.T) {
	for _, name := range []string{"a", "b", "c"} {
		key, err := crypto.UnmarshalEd25519PrivateKey(keyOf(name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := peer.IDFromPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		if idOf(name) != dhash.ID(want) {
			t.Errorf("id %x, libp2p has %x", idOf(name), want)
		}
		if id, err := member.ParseID(want.String()); err != nil || id != idOf(name) {
			t.Errorf("ParseID: %v, %v", id, err)
		}
		if k, err := member.KeyOf(dhash.ID(want)); err != nil || k != publicOf(name) {
			t.Errorf("KeyOf: %v, %v", k, err)
		}
	}
	for _, bad := range []string{
		"", "x", "0", strings.Repeat("1", 200), idOf("a").String() + "1",
		"QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", // of an RSA key
	} {
		if _, err := member.ParseID(bad); err == nil {
			t.Errorf("%q is taken for an id", bad)
		}
	}
}

func TestManifestNewer(t *testing.T) {
	now := time.Now()
	one, two := manifestOf(t, swarmKey, 1, now), manifestOf(t, swarmKey, 2, now)
	other := manifestOf(t, swarmKey, 2, now, idOf("a"))
	foreign := manifestOf(t, "another swarm", 3, now)
	for _, c := range []struct {
		name     string
		new, old *member.Manifest
		newer    bool
		refused  bool
	}{
		{"first", one, nil, true, false},
		{"higher", two, one, true, false},
		{"same", two, two, false, false},
		{"lower", one, two, false, true},
		{"same revision, other content", other, two, false, true},
		{"another swarm's", foreign, two, false, true},
	} {
		newer, err := c.new.Newer(c.old)
		if newer != c.newer || errors.Is(err, member.ErrManifest) != c.refused {
			t.Errorf("%s: %v, %v", c.name, newer, err)
		}
	}
}

func TestBanOfAnInvitation(t *testing.T) {
	now := time.Now()
	v := inviteTo(t, swarmKey, now, 0)
	chain := accept(t, v, publicOf("a"), now)
	m := manifestOf(t, swarmKey, 1, now, member.PublicOf(v.Key).ID())
	if _, err := chain.Verify(v.Swarm, publicOf("a"), now, m); !errors.Is(err, dhash.ErrStranger) {
		t.Errorf("a member of a banned invitation: %v", err)
	}
	if _, err := chain.Verify(v.Swarm, publicOf("a"), now, manifestOf(t, swarmKey, 1, now, idOf("b"))); err != nil {
		t.Error(err)
	}
}

func TestInvitation(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	at := []ma.Multiaddr{addrOf(t, "/ip4/192.0.2.1/tcp/4001/p2p/"+idOf("a").String())}
	v, err := member.Invite(publicOf(swarmKey), nil, keyOf(swarmKey), now, now.Add(time.Hour), 3, "for b", at)
	if err != nil {
		t.Fatal(err)
	}
	got, err := member.ParseInvitation("  " + v.String() + "\n")
	if err != nil {
		t.Fatal(err)
	}
	seeds := got.Seeds()
	if got.String() != v.String() || len(seeds) != 1 || dhash.ID(seeds[0].ID) != idOf("a") || len(seeds[0].Addrs) != 1 {
		t.Errorf("%v, seeds %v", got, seeds)
	}
	if _, err := got.Accept(publicOf("b"), now.Add(2*time.Hour), ""); !errors.Is(err, member.ErrInvitation) {
		t.Errorf("after it expired: %v", err)
	}
	chain, err := got.Accept(publicOf("b"), now, "")
	if err != nil {
		t.Fatal(err)
	}
	nextYear := now.AddDate(1, 0, 0)
	if role, err := chain.Verify(v.Swarm, publicOf("b"), nextYear, nil); role != member.RoleMember || err != nil {
		t.Errorf("%v, %v", role, err)
	}
	// Who has an invitation may pass on a narrower one, and no wider one.
	if _, err := member.Invite(v.Swarm, v.Chain, v.Key, now, now.Add(time.Minute), 2, "", nil); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		until time.Duration
		uses  int
	}{{2 * time.Hour, 1}, {time.Minute, 4}, {time.Minute, 0}} {
		if _, err := member.Invite(v.Swarm, v.Chain, v.Key, now, now.Add(c.until), c.uses, "", nil); err == nil {
			t.Errorf("a wider invitation: %v", c)
		}
	}
	if _, err := member.Invite(v.Swarm, chain, keyOf("b"), now, now.Add(time.Minute), 1, "", nil); err == nil {
		t.Error("a member invites")
	}
	// Each wrong character is noticed.
	text := v.String()
	for i := range text {
		c := byte('z')
		if text[i] == c {
			c = 'y'
		}
		_, err := member.ParseInvitation(text[:i] + string(c) + text[i+1:])
		if !errors.Is(err, member.ErrInvitation) || strings.Contains(err.Error(), text[10:20]) {
			t.Fatalf("character %d wrong: %v", i, err)
		}
	}
}

func TestGrant(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	swarm := publicOf(swarmKey).Swarm()
	g, err := member.NewGrant(keyOf("owner"), swarm, publicOf("a"), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	got, err := member.ParseGrant(g.Encode(), swarm, publicOf("a"), now)
	if err != nil || *got != *g || got.Owner != dhash.Owner(publicOf("owner")) {
		t.Errorf("%v, %v", got, err)
	}
	if len(g.Encode()) > member.MaxGrant {
		t.Errorf("%d bytes", len(g.Encode()))
	}
}

func TestSizes(t *testing.T) {
	now := time.Unix(1<<39, 0)
	long := func(n int) string { return strings.Repeat("x", n) }
	var chain member.Chain
	var err error
	key := keyOf(swarmKey)
	for _, name := range []string{"d1", "d2", "d3"} {
		if chain, err = chain.Issue(key, publicOf(swarmKey), now, member.Certificate{
			Role: member.RoleDelegate, Subject: publicOf(name), Expires: now.Add(time.Hour), Uses: member.MaxUses,
			Label: long(64),
		}); err != nil {
			t.Fatal(err)
		}
		key = keyOf(name)
	}
	if chain, err = chain.Issue(key, publicOf(swarmKey), now, member.Certificate{
		Role: member.RoleMember, Subject: publicOf("a"), Expires: now.Add(time.Hour), Label: long(64),
	}); err != nil {
		t.Fatal(err)
	}
	r := &member.Record{Chain: chain, Sequence: 1<<63 - 1, Info: member.Info{
		Name: long(64), Domain: long(128), Program: long(32), State: member.Full, Capacity: 1 << 56, Free: 1 << 56,
	}}
	a := addrOf(t, "/dns4/"+long(256-3)+"/tcp/4001")
	a = addrOf(t, "/dns4/"+long(256-3-(len(a.Bytes())-256))+"/tcp/4001")
	r.Addrs = slices.Repeat([]ma.Multiaddr{a}, member.MaxAddrs)
	if err := r.Sign(keyOf("a"), publicOf(swarmKey).Swarm(), now); err != nil {
		t.Fatal(err)
	}
	if n := len(r.Encode()); n > member.MaxRecord || n < member.MaxRecord-32 {
		t.Errorf("the longest record has %d bytes, and MaxRecord is %d", n, member.MaxRecord)
	}
	if _, err := member.ParseRecord(r.Encode(), publicOf(swarmKey).Swarm()); err != nil {
		t.Error(err)
	}
	m := manifestOf(t, swarmKey, 1, now)
	m.Revision, m.Name, m.Code = 1<<64-1, long(64), dhash.Code{Need: 8, Total: 20}
	for i := range member.MaxBans {
		var k member.PublicKey
		k[0], k[1] = byte(i>>8), byte(i)
		m.Bans = append(m.Bans, k.ID())
	}
	if err := m.Sign(keyOf(swarmKey), now); err != nil {
		t.Fatal(err)
	}
	if n := len(m.Encode()); n > member.MaxManifest || n < member.MaxManifest-8 {
		t.Errorf("the longest manifest has %d bytes, and MaxManifest is %d", n, member.MaxManifest)
	}
}

func TestIssueWantsTheRightKey(t *testing.T) {
	now := time.Now()
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (member.Chain)(nil).Issue(other, publicOf(swarmKey), now, member.Certificate{
		Role: member.RoleMember, Subject: publicOf("a"),
	}); err == nil {
		t.Error("a certificate of a key that may not issue it")
	}
}
