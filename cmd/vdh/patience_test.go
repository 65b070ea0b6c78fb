package main

import (
	"strings"
	"testing"
	"time"

	"ventidhash/dhash/gateway"
)

// TestOutageTeller holds what is said of an outage, and how often.
func TestOutageTeller(t *testing.T) {
	begin := time.Unix(1_700_000_000, 0)
	out := gateway.Outage{Since: begin, Until: begin.Add(time.Hour), Answering: 1, Need: 8}
	var teller outageTeller
	for _, c := range []struct {
		after time.Duration
		o     gateway.Outage
		want  string
	}{
		{0, gateway.Outage{}, ""},
		{2 * time.Second, out, "waiting for the swarm: 1 member answers, 8 are needed; it is given up in 59m58s"},
		{4 * time.Second, out, ""},
		{31 * time.Second, out, ""},
		{32 * time.Second, out, "given up in 59m28s"},
		{34 * time.Second, gateway.Outage{}, "the swarm answers again, after 34s"},
		{36 * time.Second, gateway.Outage{}, ""},
		{38 * time.Second, out, "waiting for the swarm"},
	} {
		if got := teller.text(c.o, begin.Add(c.after)); !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("after %v: %q, not %q", c.after, got, c.want)
		}
	}
}

// TestPatience holds which times can be given.
func TestPatience(t *testing.T) {
	m := newSwarmMachine(t)
	src := m.source()
	m.run(exitUsage, "backup", "--patience", "-1s", src)
	m.run(exitUsage, "backup", "--patience", "169h", src)
	m.run(0, "backup", "--patience", "0", src)
	m.run(0, "restore", "--patience", "168h", "latest", "--target", m.dir+"/out")
}
