package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ventidhash/dhash/node"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// TestSwarm goes through the verbs with a swarm as the store.
func TestSwarm(t *testing.T) {
	m := newSwarmMachine(t)
	src := m.source()
	score, _ := m.run(0, "backup", src)
	if !strings.HasPrefix(score, "vac:") {
		t.Errorf("backup prints %q", score)
	}
	if !slices.Equal(m.swarm.opens, []bool{true}) {
		t.Errorf("a backup opens the swarm as %v", m.swarm.opens)
	}
	root, err := venti.ParseScore(strings.TrimPrefix(score, "vac:"))
	if err != nil || !m.swarm.vital[root] {
		t.Errorf("the root %s is not put with more care than others (%v)", score, err)
	}
	if len(m.files("data/vdh/swarm/owners/*/head")) != 1 || len(m.files("data/vdh/store")) != 0 {
		t.Errorf("in the data folder: %q", m.files("data/vdh/*/*/*/*"))
	}
	if len(m.files("cache/vdh/known-*")) != 1 {
		t.Errorf("in the cache folder: %q", m.files("cache/vdh/*"))
	}

	again := m.summary(0, "backup", src)
	if again["new"] != 0.0 || again["blocks_below_target"] != 0.0 || again["lowest_nines"] != 5.2 {
		t.Errorf("a second backup: %v", again)
	}
	m.run(0, "restore", "latest"+src, "--target", filepath.Join(m.dir, "out"))
	got, err := os.ReadFile(filepath.Join(m.dir, "out/sub/c"))
	if err != nil || !bytes.Equal(got, ventitest.Random(6_000_000, 6_000_000)) {
		t.Errorf("restored: %d bytes, %v", len(got), err)
	}
	if v := m.summary(0, "check", "--read-data"); v["ok"] != true || v["store_records"] != nil {
		t.Errorf("check: %v", v)
	}
	proven := regexp.MustCompile(`the catalog; \d+ blocks were proven by their holders, .* not downloaded`)
	if out, _ := m.run(0, "check"); !proven.MatchString(out) {
		t.Errorf("check: %s", out)
	}
	m.run(0, "share", "latest"+src+"/sub")
	if _, errs := m.run(exitUnavailable, "prune"); !strings.Contains(errs, "nothing was let go") {
		t.Errorf("prune: %s", errs)
	}
	if _, errs := m.run(0, "forget", score); !strings.Contains(errs, "vdh prune tells the members") {
		t.Errorf("forget: %s", errs)
	}
	if out, _ := m.run(0, "snapshots", "--json"); strings.Count(out, "\n") != 1 || strings.Count(out, `"share":true`) != 1 {
		t.Errorf("one snapshot and one share are left: %s", out)
	}
}

// TestSwarmStats compares what stats counts with what the swarm holds.
func TestSwarmStats(t *testing.T) {
	m := newSwarmMachine(t)
	m.run(0, "backup", m.source())
	blocks := m.swarm.Len() - len(m.files("data/vdh/swarm/owners/*/blocks/*")) // without those of the catalog
	out, _ := m.run(0, "stats", "--json")
	first, last, _ := strings.Cut(out, "\n")
	var line swarmLine
	if err := json.Unmarshal([]byte(first), &line); err != nil {
		t.Fatal(err)
	}
	if line.Type != "swarm" || line.ID != m.swarm.ID() || line.Blocks != int64(blocks) || line.Pointers < 1 {
		t.Errorf("%+v; there are %d blocks", line, blocks)
	}
	if !strings.Contains(last, `"snapshots":1,"files":3`) {
		t.Errorf("%s", last)
	}
	if out, _ := m.run(0, "stats"); !strings.Contains(out, fmt.Sprintf("blocks needed  %d,", blocks)) {
		t.Errorf("%s", out)
	}
}

// TestBelowTarget holds that a backup whose blocks stay below the target is kept, says so in one line, and ends with 4.
func TestBelowTarget(t *testing.T) {
	m := newSwarmMachine(t)
	m.swarm.thin = true
	src := m.source()
	score, errs := m.run(exitRedundancy, "backup", "--quiet", src)
	if !strings.HasPrefix(score, "vac:") || strings.Contains(score, "\n") {
		t.Errorf("printed %q", score)
	}
	n := m.swarm.run.Blocks
	want := fmt.Sprintf("stored, but with %d blocks below the swarm's target redundancy, the weakest at 3.45 nines", n)
	told := slices.DeleteFunc(strings.Split(strings.TrimSpace(errs), "\n"), func(line string) bool {
		return strings.Contains(line, "identity") // made by the first backup
	})
	if len(told) != 1 || !strings.Contains(told[0], want) {
		t.Errorf("said %q", told)
	}
	if v := m.summary(0, "snapshots"); v["score"] != score {
		t.Errorf("not kept: %v", v)
	}
	writeFile(t, filepath.Join(src, "more"), []byte("more"))
	v := m.summary(exitRedundancy, "backup", src)
	if put := float64(m.swarm.run.Blocks); put == 0 || v["blocks_put"] != put || v["blocks_below_target"] != put ||
		v["lowest_nines"] != 3.4567 {
		t.Errorf("summary %v; %v blocks were put", v, put)
	}
	if v := m.summary(0, "backup", "--dry-run", src); v["blocks_put"] != nil || m.swarm.run.Blocks != 0 {
		t.Errorf("a dry run: %v", v)
	}
	m.run(exitRedundancy, "share", "latest"+src)
	m.swarm.thin = false
	writeFile(t, filepath.Join(src, "more"), []byte("even more"))
	m.run(0, "backup", src)
}

// TestVerdict holds which exit code a backup ends with, and that nothing is left unsaid.
func TestVerdict(t *testing.T) {
	good, poor := &redundancy{Blocks: 9, Nines: 5.1}, &redundancy{Blocks: 9, Below: 2, Nines: 4.999}
	for _, c := range []struct {
		name   string
		failed int64
		held   *redundancy
		code   int
		say    []string
	}{
		{"folder", 0, nil, exitOK, nil},
		{"swarm", 0, good, exitOK, nil},
		{"nothing put", 0, &redundancy{}, exitOK, nil},
		{"below", 0, poor, exitRedundancy, []string{"2 blocks", "4.99 nines"}},
		{"swarm too small", 0, &redundancy{Blocks: 9, Nines: 1.999, Target: 5, Promise: 1}, exitRedundancy,
			[]string{"target of 5", "has 1.99 now", "1.00 before"}},
		{"one member", 0, &redundancy{Blocks: 9, Nines: 1, Target: 5, Promise: 1, Alone: true}, exitRedundancy,
			[]string{"by one member alone", "1.00 nines", "target is 5"}},
		{"promise below", 0, &redundancy{Blocks: 9, Nines: 5, Target: 5, Promise: 4}, exitRedundancy, []string{"4.00 before"}},
		{"on target", 0, &redundancy{Blocks: 9, Nines: 6, Target: 5, Promise: 5}, exitOK, nil},
		{"nothing to be put, target", 0, &redundancy{Target: 5}, exitOK, nil},
		{"files", 3, good, exitPartial, []string{"3 files"}},
		{"files, folder", 3, nil, exitPartial, []string{"3 files"}},
		{"both", 3, poor, exitPartial, []string{"3 files", "2 blocks"}},
	} {
		err := verdict(c.failed, c.held.shortfall())
		if code := exitCode(t.Context(), err); code != c.code {
			t.Errorf("%s: exit code %d, not %d", c.name, code, c.code)
		}
		for _, text := range c.say {
			if !strings.Contains(fmt.Sprint(err), text) {
				t.Errorf("%s: %v lacks %q", c.name, err, text)
			}
		}
	}
}

// TestSwarmUnavailable holds that blocks which cannot be had now are not called lost.
func TestSwarmUnavailable(t *testing.T) {
	m := newSwarmMachine(t)
	src := m.source()
	score, _ := m.run(0, "backup", src)
	gone, err := venti.ParseScore(strings.TrimPrefix(score, "vac:"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range m.swarm.Scores() {
		m.swarm.Unavailable(s, true)
	}
	m.run(exitUnavailable, "ls", "latest")
	m.run(exitUnavailable, "stats")
	m.run(exitUnavailable, "cat", "latest"+src+"/a")
	m.run(0, "snapshots") // from the copies on this machine
	out, errs := m.run(exitUnavailable, "check")
	if !strings.Contains(out, "is unavailable") || !strings.Contains(errs, "nothing is known to be lost") {
		t.Errorf("check: %s%s", out, errs)
	}
	m.swarm.Fail(fmt.Errorf("no member answers: %w", venti.ErrUnavailable))
	m.run(exitUnavailable, "backup", "--force", src)
	m.swarm.Fail(nil)
	for _, s := range m.swarm.Scores() {
		m.swarm.Unavailable(s, false)
	}
	m.swarm.Drop(gone)
	m.run(exitFailed, "check")
}

// TestNoSwarm holds that no verb takes a machine that has joined no swarm for one whose list is empty.
func TestNoSwarm(t *testing.T) {
	m := newSwarmMachine(t)
	src := m.source()
	vdh := func(args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		code := run(t.Context(), args, strings.NewReader(""), &out, &errs)
		if code != exitFailed || !strings.Contains(errs.String(), node.ErrNoSwarm.Error()) || out.Len() > 0 {
			t.Errorf("vdh %v: %d, %s%s", args, code, out.String(), errs.String())
		}
	}
	vdh("backup", src)
	vdh("backup", "--dry-run", src)
	for _, verb := range []string{"snapshots", "check", "stats"} {
		vdh(verb)
	}
	for _, verb := range []string{"ls", "cat", "dump", "share", "forget"} {
		vdh(verb, "latest")
	}
	vdh("ls", "vac:"+strings.Repeat("01", 32)+"#"+strings.Repeat("23", 32))
	if len(m.files("data/vdh/*")) != 1 || len(m.files("cache/vdh/*")) != 0 {
		t.Errorf("left behind: %q %q", m.files("data/vdh/*"), m.files("cache/vdh/*"))
	}
}

// TestWhere holds what --store may be.
func TestWhere(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_DATA_HOME", "/data")
	for _, c := range []struct {
		store string
		want  location
	}{
		{"", location{dir: "/data/vdh/store"}},
		{"swarm", location{swarm: true, dir: "/data/vdh/swarm"}},
		{"./swarm", location{dir: dir + "/swarm"}},
		{"swarm/", location{dir: dir + "/swarm"}},
		{"Swarm", location{dir: dir + "/Swarm"}},
		{"/mnt/swarm", location{dir: "/mnt/swarm"}},
		{"a:b", location{dir: dir + "/a:b"}},
	} {
		a := &app{storePath: c.store}
		if got, err := a.where(); err != nil || got != c.want {
			t.Errorf("%q: %+v, %v", c.store, got, err)
		}
	}
	for _, store := range []string{"venti://host", "swarm://x", "file:///srv"} {
		_, err := (&app{storePath: store}).where()
		var u usage
		if !errors.As(err, &u) || !strings.Contains(err.Error(), "the word swarm") {
			t.Errorf("%q: %v", store, err)
		}
	}
}
