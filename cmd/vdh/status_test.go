package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"ventidhash/dhash/node"
	"ventidhash/snapshot"
	"ventidhash/venti"
)

// statusOf runs vdh status of the last snapshot.
func (m *swarmMachine) statusOf(want int) (s survey) {
	m.t.Helper()
	out, _ := m.run(want, "status", "latest", "--json")
	var v struct {
		*survey
		Above map[int]int64 `json:"above"`
	}
	v.survey = &s
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
	s.Above = v.Above
	return s
}

// TestStatusOf compares what is said about a snapshot with what the swarm says of its blocks.
func TestStatusOf(t *testing.T) {
	m := newSwarmMachine(t)
	src := m.source()
	m.run(0, "backup", src)
	s := m.statusOf(0)
	blocks := int64(m.swarm.Len() - len(m.files("data/vdh/swarm/owners/*/blocks/*"))) // without those of the catalog
	if s.Blocks != blocks || s.Above[3] != blocks || len(s.Above) != 1 || s.Below != 0 || s.Unreadable != 0 ||
		s.Asked != 8*blocks || s.Silent != 0 {
		t.Errorf("%+v; there are %d blocks", s, blocks)
	}
	if s.Bytes < 6_200_000 || s.Overhead < 2 || s.Overhead > 2.1 || s.Weakest.Present != 6 || s.Weakest.Need != 3 || s.Weakest.Total != 8 {
		t.Errorf("%+v, weakest %+v", s, s.Weakest)
	}
	out, _ := m.run(0, "status", "latest")
	if !strings.Contains(out, "Every block has 3 fragments more than it needs") || !strings.Contains(out, "6 fragments of 8, 3 needed") {
		t.Errorf("%s", out)
	}
	m.run(exitUsage, "status", "latest"+src)
	m.run(exitNoSnapshot, "status", "vac:"+strings.Repeat("01", 32))

	m.swarm.thin = true
	if s := m.statusOf(exitRedundancy); s.Below != blocks || s.Above[1] != blocks {
		t.Errorf("thin: %+v", s)
	}
	m.swarm.thin = false

	leaf := m.largest()
	m.swarm.Unavailable(leaf, true)
	if s := m.statusOf(exitUnavailable); s.Unreadable != 1 || s.Above[-2] != 1 || s.Above[3] != blocks-1 || s.Silent != 7 ||
		s.Weakest.Text != leaf.String() || !strings.HasSuffix(string(s.Weakest.Path), "/sub/c") {
		t.Errorf("unavailable: %+v, weakest %+v", s, s.Weakest)
	}
	m.swarm.Unavailable(leaf, false)
	m.swarm.Drop(leaf)
	if s := m.statusOf(exitFailed); s.Unreadable != 1 || s.Above[-1] != 1 || s.Silent != 0 {
		t.Errorf("lost: %+v", s)
	}
	out, errs := m.run(exitFailed, "status", "latest")
	if !strings.Contains(out, "1 of ") || !strings.Contains(errs, "have answered") {
		t.Errorf("lost: %s%s", out, errs)
	}
}

// largest returns the largest block of the swarm.
func (m *swarmMachine) largest() (s venti.Score) {
	m.t.Helper()
	most := 0
	for _, score := range m.swarm.Scores() {
		b, err := m.swarm.Get(m.t.Context(), score)
		if err != nil {
			m.t.Fatal(err)
		}
		if len(b) > most {
			s, most = score, len(b)
		}
	}
	return s
}

// TestSentence holds what the first line of vdh status says.
func TestSentence(t *testing.T) {
	day := []snapshot.Snapshot{{Time: time.Now().Add(-72 * time.Hour)}, {Time: time.Now().Add(-25 * time.Hour)}}
	good := &node.Status{Swarm: "lab", Members: 24, Alive: 24, Target: 5, Repair: 5.234}
	small := &node.Status{Swarm: "lab\n", Members: 3, Alive: 2, Target: 5, Repair: 2}
	for _, c := range []struct {
		line  statusLine
		list  []snapshot.Snapshot
		blind error
		want  string
	}{
		{statusLine{}, nil, nil, "This machine is in no swarm; no snapshots yet."},
		{statusLine{}, day, nil, "This machine is in no swarm; 2 snapshots, the newest made 1 day ago."},
		{statusLine{Joined: true}, nil, errors.New("x"), "No member of the swarm can be reached; no snapshots yet."},
		{statusLine{Joined: true, Status: good}, day[1:], nil,
			"24 of 24 members of the swarm lab answer, a new block has 5.23 nines at least; 1 snapshot, the newest made 1 day ago."},
		{statusLine{Joined: true, Status: small}, nil, nil,
			`2 of 3 members of the swarm "lab\n" answer, too few for the target of 5 nines: a new block has 2.00 at least; no snapshots yet.`},
	} {
		if got := c.line.sentence(c.list, c.blind); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}
