package main

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash/node"
	"ventidhash/snapshot"
)

// TestJudge holds what the first line of vdh status says.
func TestJudge(t *testing.T) {
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	back := func(path string, hours int) source {
		return source{path: path, newest: now.Add(-time.Duration(hours) * time.Hour)}
	}
	proof := func(above, days int) *lastProof { return &lastProof{now.AddDate(0, 0, -days), above} }
	good := &node.Status{Members: 24, Alive: 22, Code: "8/20", Target: 5, Repair: 5.23}
	few := &node.Status{Members: 24, Alive: 7, Code: "8/20", Target: 5, Repair: 5.23}
	small := &node.Status{Members: 3, Alive: 3, Code: "1/3", Target: 5, Repair: 2}
	alone := &node.Status{Members: 1, Alive: 1, Code: "1/1", Target: 5, Repair: 1}
	srv, old := []source{back("/srv", 5)}, []source{back("/srv", 5), back("/home", 80)}
	for _, c := range []struct {
		name string
		s    standing
		want string
	}{
		{"nothing", standing{}, "NOT protected: there is no snapshot yet."},
		{"folder", standing{sources: srv},
			"Protected: the last snapshot of /srv is 5 hours old, its contents were not checked yet (vdh check --read-data)."},
		{"folder, checked", standing{sources: srv, proof: proof(0, 3)},
			"Protected: the last snapshot of /srv is 5 hours old, all contents were read and found right 3 days ago."},
		{"folder, damaged", standing{sources: srv, proof: proof(-1, 3)},
			"NOT protected: the last check found damage or could not prove every block, 3 days ago."},
		{"swarm", standing{sources: srv, swarm: true, Status: good, proof: proof(3, 2)}, "Protected: the last snapshot of /srv " +
			"is 5 hours old, every block had at least 3 fragments more than it needs 2 days ago, 22 of 24 members answer."},
		{"swarm, not proven", standing{sources: srv, swarm: true, Status: good}, "Protected: the last snapshot of /srv is 5 " +
			"hours old, its blocks were not proven yet (vdh check), 22 of 24 members answer."},
		{"swarm, none to spare", standing{sources: srv, swarm: true, Status: good, proof: proof(0, 2)},
			"NOT protected: the weakest block had no fragment more than it needs 2 days ago."},
		{"swarm, out of reach", standing{sources: srv, swarm: true, blind: errors.New("x")},
			"NOT protected: no member of the swarm can be reached."},
		{"swarm, few", standing{sources: srv, swarm: true, Status: few}, "NOT protected: 7 of 24 members answer, and a block needs 8."},
		{"swarm of one", standing{sources: srv, swarm: true, Status: alone},
			"NOT protected: this machine is the only member of the swarm."},
		{"swarm, small", standing{sources: srv, swarm: true, Status: small, proof: proof(2, 3)}, "Protected: the last snapshot " +
			"of /srv is 5 hours old, every block had at least 2 fragments more than it needs 3 days ago, 3 of 3 members answer, " +
			"a new block has 2.00 nines at least, below the target of 5."},
		{"swarm, term over", standing{sources: srv, swarm: true, Status: good, kept: now.Add(-time.Hour)},
			"NOT protected: members keep what they hold for this identity only with another backup."},
		{"late", standing{sources: old, proof: proof(0, 1)}, "NOT protected: the last snapshot of /home is 3 days old."},
		{"late and damaged", standing{sources: old, proof: proof(-1, 1)}, "NOT protected: the last snapshot of /home is 3 days " +
			"old, the last check found damage or could not prove every block, 24 hours ago."},
		{"at the limit", standing{sources: []source{back("/srv", 36)}, proof: proof(0, 1)},
			"Protected: the last snapshot of /srv is 36 hours old, all contents were read and found right 24 hours ago."},
		{"two", standing{sources: []source{back("/a b", 1), back("/c\n", 9)}, proof: proof(0, 0)}, "Protected: the last " +
			`snapshots of /a b and "/c\n" are up to 9 hours old, all contents were read and found right less than a minute ago.`},
		{"many", standing{sources: []source{back("/a", 1), back("/b", 2), back("/c", 3), back("/d", 4)}, proof: proof(0, 0)},
			"Protected: the last snapshots of /a, /b and 2 more are up to 4 hours old, all contents were read and found right " +
				"less than a minute ago."},
		{"never", standing{sources: []source{{path: "/x"}}}, "NOT protected: there is no snapshot of /x."},
		{"future", standing{sources: []source{back("/x", -9)}},
			"NOT protected: the last snapshot of /x is dated in the future (is the clock right?)."},
		{"unreadable", standing{sources: []source{{"/x", now, 2}}, proof: proof(0, 9)}, "Protected: the last snapshot of /x is " +
			"less than a minute old, 2 files could not be read for it, all contents were read and found right 9 days ago."},
	} {
		c.s.now, c.s.maxAge = now, statusMaxAge
		if got := sentence(c.s.judge()); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, got, c.want)
		}
	}
}

// TestSources holds which paths vdh status looks at.
func TestSources(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 7, n, 1, 0, 0, 0, time.UTC) }
	snap := func(n int, host string, paths ...string) snapshot.Snapshot {
		return snapshot.Snapshot{Time: day(n), Host: host, Paths: paths}
	}
	share := snap(9, "me", "/share")
	share.Share = true
	list := []snapshot.Snapshot{snap(6, "me", "/etc", "/srv"), snap(1, "me", "/once"), snap(2, "me", "/srv"), snap(3, "me", "/home"),
		snap(4, "me", "/home"), snap(5, "me", "/srv/mail"), snap(4, "me", "/srv/mail"), snap(8, "other", "/x"), share}
	for _, c := range []struct {
		name  string
		list  []snapshot.Snapshot
		named []string
		want  []source
	}{
		{"none", nil, nil, nil},
		{"usual", list, nil, []source{{"/etc", day(6), 0}, {"/home", day(4), 0}, {"/srv", day(6), 0}}},
		{"named", list, []string{"/srv/mail", "/gone", "/once"},
			[]source{{"/gone", time.Time{}, 0}, {"/once", day(1), 0}, {"/srv/mail", day(6), 0}}},
		{"others only", list[7:8], nil, []source{{"/x", day(8), 0}}},
		{"one only", list[1:2], nil, []source{{"/once", day(1), 0}}},
	} {
		if got := sourcesOf(c.list, "me", c.named, nil); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v\nwant %v", c.name, got, c.want)
		}
	}
}

// TestRhythms holds that a path may be as old as the job that backs it up has it, and that a job's path is missed from the
// start.
func TestRhythms(t *testing.T) {
	now := time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)
	made := func(store, at string, paths ...string) *job {
		c, err := parseCalendar(at)
		if err != nil {
			t.Fatal(err)
		}
		return &job{Name: "j", Store: store, Paths: paths, parsed: parsed{calendar: &c}}
	}
	unscheduled := made("", "hourly", "/manual")
	unscheduled.calendar = nil
	elsewhere := made("", "hourly", "/other host")
	elsewhere.Host = "elsewhere"
	rhythms := rhythmsOf([]*job{made("", "02:00", "/srv", "/home"), made("", "sun 03:00", "/weekly", "/srv"), made("/disk", "hourly", "/disk"),
		made("", "mon-fri 12:00,18:00", "/work"), made("", "hourly", "/hourly"), unscheduled, elsewhere}, "", now)
	s := standing{maxAge: time.Minute, rhythms: rhythms}
	for path, want := range map[string]time.Duration{
		"/srv": 36, "/srv/mail": 36, "/home": 36, "/weekly": 7*24 + 12, "/work": 3*24 - 6 + 12, "/hourly": 13, "/srv2": 0, "/disk": 0, "/manual": 0,
	} {
		got := s.limit(path)
		if want == 0 && got != time.Minute || want != 0 && got != want*time.Hour {
			t.Errorf("%s may be %v old, not %v hours", path, got, int64(want))
		}
	}
	list := []snapshot.Snapshot{{Time: now, Host: "me", Paths: []string{"/srv/mail"}}, {Time: now.Add(-time.Hour), Host: "me", Paths: []string{"/home"}}}
	var got []string
	for _, src := range sourcesOf(list, "me", nil, rhythms) {
		got = append(got, fmt.Sprint(src.path, " ", !src.newest.IsZero()))
	}
	if want := []string{"/home true", "/hourly false", "/srv false", "/weekly false", "/work false"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}

// TestLastProof holds which of the proofs of snapshots vdh status speaks of.
func TestLastProof(t *testing.T) {
	at := func(day, above int) lastProof { return lastProof{time.Date(2026, 7, day, 0, 0, 0, 0, time.UTC), above} }
	for _, c := range []struct {
		list []lastProof
		want lastProof
	}{
		{[]lastProof{at(1, 1), at(2, 5), at(2, 3), at(1, 7)}, at(2, 3)},
		{[]lastProof{at(1, -2), at(2, 5), at(2, 3)}, at(1, -2)},
		{[]lastProof{at(1, -2), at(3, 5), at(2, -1)}, at(2, -1)},
	} {
		k := provens{}
		for i, p := range c.list {
			k[[32]byte{byte(i)}] = p
		}
		if got := k.last(); *got != c.want {
			t.Errorf("%v: %v", c.list, *got)
		}
	}
	if provens(nil).last() != nil {
		t.Error("of none there is one")
	}
}
