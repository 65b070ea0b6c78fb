package main

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash/node"
)

// TestReachable holds which of a node's addresses an invitation has, and in which order.
func TestReachable(t *testing.T) {
	for _, c := range []struct{ have, want string }{
		{"", ""},
		{"/ip4/127.0.0.1/tcp/1 /ip6/::1/tcp/1", "/ip4/127.0.0.1/tcp/1 /ip6/::1/tcp/1"},
		{"/ip4/127.0.0.1/tcp/1 /ip4/192.168.1.2/tcp/1 /ip4/8.8.8.8/tcp/1 /ip6/fe80::1/tcp/1", "/ip4/8.8.8.8/tcp/1 /ip4/192.168.1.2/tcp/1"},
		{"/ip4/0.0.0.0/tcp/1 /dns4/example.org/tcp/1", "/dns4/example.org/tcp/1"},
		{strings.Repeat("/ip4/10.0.0.1/tcp/1 ", 20), strings.Repeat("/ip4/10.0.0.1/tcp/1 ", 8)},
	} {
		var have []ma.Multiaddr
		for _, text := range strings.Fields(c.have) {
			a, err := ma.NewMultiaddr(text)
			if err != nil {
				t.Fatal(err)
			}
			have = append(have, a)
		}
		var got []string
		for _, a := range reachable(have) {
			got = append(got, a.String())
		}
		if !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("of %s: %v, want %s", c.have, got, c.want)
		}
	}
}

// TestMatchID holds which id a part of one means.
func TestMatchID(t *testing.T) {
	const (
		a = "12D3KooWBdPWV5aSiF13rJKLMNmKSCUphABa3UoB9FVwgwHhrFDE"
		b = "12D3KooWLqf23QSqUUBeRFVsz3poPBz9d9s9NzASJHz871yzemte"
	)
	for _, c := range []struct{ text, want string }{
		{a, a}, {"gwHhrFDE", a}, {"12D3KooWLq", b}, {"emte", b},
		{"mte", ""}, {"12D3KooW", ""}, {"", ""}, {"nobody", ""}, {a[1:], a}, {a + "x", ""}, {"KooWL", ""},
	} {
		id, err := matchID([]string{a, b}, c.text)
		if (err == nil) != (c.want != "") || err == nil && id.String() != c.want {
			t.Errorf("%q: %q, %v", c.text, id, err)
		}
	}
	if id, err := matchID(nil, b); err != nil || id.String() != b {
		t.Errorf("a whole id that is not in the list: %q, %v", id, err)
	}
	if _, err := matchID(nil, a[:len(a)-1]); err == nil {
		t.Error("an id that lacks a letter is taken")
	}
}

// TestNodeStops holds that SIGTERM ends a node well, and that one which is killed is back.
func TestNodeStops(t *testing.T) {
	m := newMachine(t)
	m.must("swarm", "init", "--name", "lab")
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM} {
		cmd := m.command("node", "--listen", "/ip4/127.0.0.1/tcp/0", "--capacity", "1GB")
		cmd.Stderr = os.Stderr
		if !testing.Verbose() {
			cmd.Stderr = nil
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(nodePatience); ; time.Sleep(20 * time.Millisecond) {
			l, err := node.DialLocal(t.Context(), m.dir+"/data/vdh/swarm")
			if err == nil {
				_, err = l.Status(t.Context())
				l.Close()
			}
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				cmd.Process.Kill()
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		want := 0
		if sig == syscall.SIGKILL {
			want = -1
		}
		if code := exitOf(t, cmd.Wait()); code != want {
			t.Errorf("%v ends it with %d", sig, code)
		}
	}
}
