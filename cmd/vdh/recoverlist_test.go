package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/snapshot/check"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// joined makes the machine a member, so that it need not ask for a way into the swarm.
func (m *swarmMachine) joined() {
	m.t.Helper()
	_, err := node.Found(filepath.Join(m.dir, "data/vdh/swarm"), &member.Manifest{Name: "fake", MilliNines: 5000, Availability: 900_000},
		time.Now())
	if err != nil {
		m.t.Fatal(err)
	}
}

// TestRecoverWaits: of a snapshot that cannot be had it is said how many blocks are missing, and for whom it waits.
func TestRecoverWaits(t *testing.T) {
	m := newSwarmMachine(t)
	m.joined()
	src := m.source()
	m.run(0, "backup", src)
	before := m.swarm.Scores()
	writeFile(t, filepath.Join(src, "new"), ventitest.Random(9, 300_000))
	score, _ := m.run(0, "backup", src)
	root, err := venti.ParseScore(strings.TrimPrefix(score, "vac:"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range m.swarm.Scores() {
		b, err := m.swarm.Get(t.Context(), s)
		if err == nil && !slices.Contains(before, s) && s != root && len(b) > 200_000 {
			m.swarm.Unavailable(s, true)
		}
	}
	m.swarm.proof = func(p *gateway.Proof) {
		if p.Proven < p.Code.Need {
			p.Silent = []dhash.ID{"liar"}
		}
	}
	out, _ := m.run(0, "recover", "--json")
	all := linesOf(t, out)
	if len(all) != 3 || all[1]["whole"] != true || all[1]["waits_for"] != nil {
		t.Errorf("%s", out)
	}
	if all[2]["whole"] != false || all[2]["missing_blocks"] != 1.0 || fmt.Sprint(all[2]["waits_for"]) != "[larry]" {
		t.Errorf("%v", all[2])
	}
	out, errs := m.run(0, "recover")
	if !strings.Contains(out, "whole") || !strings.Contains(out, "waits for larry") {
		t.Errorf("%s", out)
	}
	if !strings.Contains(errs, "1 of the 1 member") || !strings.Contains(errs, "--restore-all") {
		t.Errorf("%s", errs)
	}
	for _, s := range m.swarm.Scores() {
		m.swarm.Unavailable(s, false)
	}
}

// TestRecoverConflict: two lists of one number become one, and the members are told.
func TestRecoverConflict(t *testing.T) {
	m := newSwarmMachine(t)
	m.joined()
	m.run(0, "init")
	o, err := catalog.LoadOwner(filepath.Join(m.dir, "data/vdh"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		cat, err := catalog.Open(catalog.Config{Dir: t.TempDir(), Store: m.swarm, Owner: o})
		if err != nil {
			t.Fatal(err)
		}
		s := snapshot.Snapshot{Score: venti.Sum([]byte{byte(i)}), Time: time.Unix(int64(i)+1, 0), Host: "h", Paths: []string{"/p"}}
		if err := cat.Add(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		h, err := cat.Head()
		if err != nil || h.Sequence != 1 {
			t.Fatal(h, err)
		}
		m.swarm.heads = append(m.swarm.heads, h)
	}
	_, errs := m.run(exitNoSnapshot, "recover", "--latest", "--target", "/", "--host", "nobody")
	if !strings.Contains(errs, "there were 2 lists") {
		t.Errorf("%s", errs)
	}
	if len(m.swarm.heads) != 1 || m.swarm.heads[0].Sequence < 2 {
		t.Errorf("the members have %v", m.swarm.heads)
	}
	if out, _ := m.run(0, "snapshots", "--json"); strings.Count(out, "vac:") != 2 {
		t.Errorf("%s", out)
	}
}

func TestNewestOf(t *testing.T) {
	at := func(n int, host string, share bool, paths ...string) snapshot.Snapshot {
		return snapshot.Snapshot{Score: venti.Sum([]byte{byte(n)}), Time: time.Unix(int64(n), 0), Host: host, Share: share, Paths: paths}
	}
	list := []snapshot.Snapshot{at(5, "a", false, "/srv"), at(1, "a", false, "/srv"), at(2, "a", false, "/etc"),
		at(3, "b", false, "/etc"), at(4, "a", false, "/srv/www"), at(6, "a", true, "/etc"), at(7, "a", false, "/home/u")}
	for _, c := range []struct {
		hosts, want string
	}{{"a", "2 5 7"}, {"b", "3"}, {"a b", "2 3 5 7"}, {"c", ""}} {
		var got []string
		for _, s := range newestOf(list, strings.Fields(c.hosts)) {
			got = append(got, fmt.Sprint(s.Time.Unix()))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("of %s: %v, want %s", c.hosts, got, c.want)
		}
	}
}

func TestPickMachine(t *testing.T) {
	all := []snapshot.Machine{{Host: "a"}, {Host: "b"}}
	for _, c := range []struct {
		all            []snapshot.Machine
		as, host, want string
		bad            bool
	}{
		{all, "", "b", "b", false}, {all, "a", "b", "a", false}, {all, "", "c", "", false}, {all[:1], "", "c", "a", false},
		{all, "c", "a", "", true}, {nil, "", "a", "", false},
	} {
		m, err := pickMachine(c.all, c.as, c.host)
		got := ""
		if m != nil {
			got = m.Host
		}
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

func TestFolderOf(t *testing.T) {
	for host, want := range map[string]string{"pear": "pear", "../x": ".._x", "..": "host ..", "": "host ", ".": "host ."} {
		if got := folderOf(host); got != want || strings.Contains(got, "/") {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

func TestSameSetUp(t *testing.T) {
	kept := snapshot.Machine{Time: time.Unix(1e9, 0), Files: []snapshot.File{{Name: "config.toml", Content: []byte("a")},
		{Name: keptSeeds, Content: []byte("x")}}}
	change := func(file int, after time.Duration) snapshot.Machine {
		now := snapshot.Machine{Time: kept.Time.Add(after), Files: slices.Clone(kept.Files)}
		if file >= 0 {
			now.Files[file].Content = []byte("b")
		}
		return now
	}
	for _, c := range []struct {
		now  snapshot.Machine
		want bool
	}{
		{change(-1, 1000*time.Hour), true}, {change(0, time.Minute), false}, {change(1, time.Hour), true}, {change(1, 25*time.Hour), false},
		{snapshot.Machine{Time: kept.Time}, false},
	} {
		if got := sameSetUp(kept, c.now); got != c.want {
			t.Errorf("%+v: %v", c.now, got)
		}
	}
}

// TestUnwritten: blocks that are there need not be stored, and others are not taken for stored.
func TestUnwritten(t *testing.T) {
	m := ventitest.NewMemory()
	score, err := m.Put(t.Context(), []byte("there"))
	if err != nil {
		t.Fatal(err)
	}
	u := &unwritten{Store: m}
	if _, err := u.Put(t.Context(), []byte("there")); err == nil {
		t.Error("a block that nobody has seen is taken for stored")
	}
	if _, err := u.Get(t.Context(), score); err != nil {
		t.Fatal(err)
	}
	if got, err := u.Put(t.Context(), []byte("there")); err != nil || got != score {
		t.Errorf("a block that was got: %v, %v", got, err)
	}
	if _, err := u.Put(t.Context(), []byte("new")); err == nil {
		t.Error("a new block goes into nothing")
	}
}

// TestRecoverWaitsForUnnamed has more blocks wait than are asked about by name, and some that are lost.
func TestRecoverWaitsForUnnamed(t *testing.T) {
	m := newSwarmMachine(t)
	m.swarm.proof = func(p *gateway.Proof) { p.Silent = []dhash.ID{"liar"} }
	s := &readiness{swarm: m.swarm, missing: make([]int64, 5), waiting: make([]int64, 5), waits: make([][]string, 5)}
	var damaged []check.Damage
	lack := func(err error, in ...int) {
		score := venti.Sum(fmt.Append(nil, len(damaged)))
		damaged = append(damaged, check.Damage{Score: score, Err: &venti.BlockError{Op: "survey", Score: score, Err: err},
			Touched: []check.Touch{{Snapshots: in}}})
	}
	lack(venti.ErrNotFound, 2, 3)
	for range maxAsked {
		lack(venti.ErrUnavailable, 0)
	}
	lack(venti.ErrUnavailable, 1, 3)
	silent, err := s.silent(t.Context(), damaged)
	if err != nil {
		t.Fatal(err)
	}
	s.name(damaged, silent)
	for i, want := range []string{"waits for larry", "waits for members that do not answer", "1 block lost",
		"1 block lost; waits for members that do not answer", "whole"} {
		if got := s.now(i); got != want {
			t.Errorf("snapshot %d: %q, want %q", i, got, want)
		}
	}
	if l := s.line(3, snapshot.Snapshot{}); *l.Whole || l.Missing != 2 || l.Waiting != 1 || len(l.WaitsFor) != 0 {
		t.Errorf("%+v", l)
	}
}

// A blind swarm cannot say what there is of blocks, or who its members are.
type blind struct {
	*fakeSwarm
	survey, members error
}

func (b *blind) Survey(ctx context.Context, scores []venti.Score, fn func(gateway.State) error) error {
	if b.survey != nil {
		return b.survey
	}
	return b.fakeSwarm.Survey(ctx, scores, fn)
}

func (b *blind) Members(ctx context.Context) ([]node.MemberInfo, error) {
	if b.members != nil {
		return nil, b.members
	}
	return b.fakeSwarm.Members(ctx)
}

// TestRecoverBlind: the list is shown even if it cannot be found out what of it can be brought back.
func TestRecoverBlind(t *testing.T) {
	m := newSwarmMachine(t)
	m.joined()
	m.run(0, "backup", m.source())
	recover := func(b *blind, args ...string) (string, string) {
		t.Helper()
		var o, e bytes.Buffer
		a := newApp(strings.NewReader(""), &o, &e)
		a.dial = func(ctx context.Context, create bool) (swarmStore, error) {
			_, err := m.swarm.dial(ctx, create)
			return b, err
		}
		if code := a.execute(t.Context(), append([]string{"recover"}, args...)); code != exitOK {
			t.Fatalf("exit code %d\n%s%s", code, o.String(), e.String())
		}
		return o.String(), e.String()
	}
	out, errs := recover(&blind{m.swarm, errors.New("nobody can be asked"), nil})
	if !strings.Contains(out, "not known") || !strings.Contains(errs, "nobody can be asked") || !strings.Contains(errs, "--restore-all") {
		t.Errorf("%s%s", out, errs)
	}
	out, _ = recover(&blind{m.swarm, errors.New("nobody can be asked"), nil}, "--json")
	if all := linesOf(t, out); len(all) != 2 || all[1]["score"] == nil || all[1]["whole"] != nil {
		t.Errorf("%s", out)
	}

	for _, s := range m.swarm.Scores() {
		if b, err := m.swarm.Get(t.Context(), s); err == nil && len(b) > 150_000 {
			m.swarm.Unavailable(s, true)
			defer m.swarm.Unavailable(s, false)
		}
	}
	out, errs = recover(&blind{m.swarm, nil, errors.New("no roster")})
	if !strings.Contains(out, "waits for members that do not answer") || !strings.Contains(errs, "no roster") {
		t.Errorf("%s%s", out, errs)
	}
}

// TestRecoverIncomplete: where the snapshot that comes back lacks files that could not be read, it is said which one has all.
func TestRecoverIncomplete(t *testing.T) {
	at := func(n int, host string, incomplete uint64, share bool, paths ...string) snapshot.Snapshot {
		return snapshot.Snapshot{Score: venti.Sum([]byte{byte(n)}), Time: time.Unix(int64(n), 0), Host: host, Incomplete: incomplete,
			Share: share, Paths: paths}
	}
	list := []snapshot.Snapshot{at(9, "a", 2, false, "/srv/www"), at(1, "a", 0, false, "/srv"), at(2, "a", 0, false, "/srv/www"),
		at(3, "a", 0, false, "/srv/www/x"), at(4, "b", 0, false, "/srv/www"), at(5, "a", 0, true, "/srv/www"),
		at(6, "a", 1, false, "/srv/www"), at(7, "a", 1, false, "/etc")}
	for i, want := range map[int]int64{0: 2, 7: 0} {
		w, ok := lastWhole(list, list[i])
		if ok != (want > 0) || ok && w.Time.Unix() != want {
			t.Errorf("snapshot %d: %v, %v; want %d", i, w.Time.Unix(), ok, want)
		}
	}

	var o, e bytes.Buffer
	r := &recovery{app: newApp(strings.NewReader(""), &o, &e)}
	bring := func(s snapshot.Snapshot) *bringing { return &bringing{named: &named{snap: s}, target: "/out"} }
	r.noteUnread(list, []*bringing{bring(list[0]), bring(list[2]), bring(list[7])})
	lines := strings.Split(strings.TrimSpace(e.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "2 files of a, /srv/www") || !strings.Contains(lines[0],
		"vdh restore "+list[2].Score.Short()+" --target /out --overwrite never") || !strings.Contains(lines[1], "no snapshot") {
		t.Errorf("%s", e.String())
	}
}
