package node_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/node"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// TestRescue has an owner who has nothing but the key and an address read what was stored, and store more.
func TestRescue(t *testing.T) {
	s := found(t, 5)
	block := ventitest.Random(1, 50_000)
	score := s.store(1, block)[0]
	whole := must(ma.NewMultiaddr(s.nodes[3].Status().Addrs[0]))(t)
	bare, _ := ma.SplitLast(whole)
	port, err := whole.ValueForProtocol(ma.P_TCP)
	if err != nil {
		t.Fatal(err)
	}
	named := must(node.ParseAddr("127.0.0.1:" + port))(t)
	for _, addr := range []ma.Multiaddr{whole, bare, named} {
		begin := time.Now()
		f, err := node.Rescue(t.Context(), owner(1), addr, "test")
		if err != nil {
			t.Fatalf("%s: %v", addr, err)
		}
		if f.Dir != "" || f.Swarm != s.founder.Swarm || len(f.Seeds) != 6 {
			t.Errorf("%+v", f)
		}
		c, err := node.Dial(t.Context(), node.ClientConfig{Folder: f, Owner: owner(1)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Get(t.Context(), score)
		if err != nil || !bytes.Equal(got, block) {
			t.Error(err)
		}
		t.Logf("from the address %s to a block: %v", addr, time.Since(begin))
		if _, err = c.Put(t.Context(), ventitest.Random(2, 1000)); err == nil {
			err = c.Sync(t.Context())
		}
		if err := errors.Join(err, c.Close()); err != nil {
			t.Error(err)
		}
	}
	if _, err := node.Rescue(t.Context(), owner(2), whole, "test"); !errors.Is(err, dhash.ErrStranger) {
		t.Errorf("an owner of whom nobody keeps anything: %v", err)
	}
}

func TestRescueNobody(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	a := must(node.ParseAddr("127.0.0.1:1"))(t)
	if _, err := node.Rescue(ctx, owner(1), a, "test"); !errors.Is(err, venti.ErrUnavailable) {
		t.Error(err)
	}
}

func TestParseAddr(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"backup.example.org", "/dns/backup.example.org/tcp/17035"},
		{" backup.example.org:4001\n", "/dns/backup.example.org/tcp/4001"},
		{"192.0.2.7", "/ip4/192.0.2.7/tcp/17035"}, {"192.0.2.7:1", "/ip4/192.0.2.7/tcp/1"},
		{"2001:db8::1", "/ip6/2001:db8::1/tcp/17035"}, {"[2001:db8::1]", "/ip6/2001:db8::1/tcp/17035"},
		{"[2001:db8::1]:99", "/ip6/2001:db8::1/tcp/99"}, {"/ip4/192.0.2.7/tcp/17035", "/ip4/192.0.2.7/tcp/17035"},
		{"", ""}, {":17035", ""}, {"/", ""}, {"/nonsense/7", ""}, {"a/b", ""}, {"host:port", ""}, {"vdh1ABC:70000", ""},
	} {
		a, err := node.ParseAddr(c.in)
		got := ""
		if err == nil {
			got = a.String()
		} else if !strings.Contains(err.Error(), "address of a member") {
			t.Errorf("%q: %v", c.in, err)
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q (%v)", c.in, got, c.want, err)
		}
	}
}
