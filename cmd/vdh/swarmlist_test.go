package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ventidhash/snapshot"
	"ventidhash/venti"
)

// on runs the program on one of several machines of an identity that share the swarm of m; its data are in a folder.
func (m *swarmMachine) on(name string, want int, args ...string) (out, errs string) {
	m.t.Helper()
	data := filepath.Join(m.dir, name)
	if identity, err := os.ReadFile(filepath.Join(m.dir, "data/vdh/identity")); err == nil && name != "data" {
		writeFile(m.t, filepath.Join(data, "vdh/identity"), identity)
	}
	m.t.Setenv("XDG_DATA_HOME", data)
	return m.run(want, args...)
}

// has holds that the list of a machine has so many snapshots, and returns them and what was noted.
func (m *swarmMachine) has(name string, n int) (out, errs string) {
	m.t.Helper()
	out, errs = m.on(name, exitOK, "snapshots", "--json")
	if got := strings.Count(out+"\n", `"type":"snapshot"`); got != n {
		m.t.Errorf("machine %s has %d snapshots, not %d:\n%s%s", name, got, n, out, errs)
	}
	return out, errs
}

// TestMachinesShareAList has two machines of one identity add and forget snapshots, and one fall back to an old state.
func TestMachinesShareAList(t *testing.T) {
	m := newSwarmMachine(t)
	src := m.source()
	first, _ := m.on("data", exitOK, "backup", src, "--host", "a")
	m.has("b", 1)
	old := filepath.Join(m.dir, "old")
	if err := os.CopyFS(old, os.DirFS(filepath.Join(m.dir, "b"))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(old, "vdh/identity"), 0o600); err != nil {
		t.Fatal(err)
	}
	second, _ := m.on("b", exitOK, "backup", src, "--host", "b")
	m.on("data", exitOK, "ls", "latest@b:"+src)
	m.has("data", 2)
	m.on("data", exitOK, "forget", first)
	m.on("b", exitNoSnapshot, "ls", "latest@a:"+src)
	if out, _ := m.has("b", 1); !strings.Contains(out, second) {
		t.Errorf("the wrong one was forgotten:\n%s", out)
	}
	m.on("b", exitOK, "backup", src, "--host", "c")
	m.on("old", exitOK, "backup", src, "--host", "d") // the disk of b as it was
	for _, name := range []string{"data", "b", "old", "new"} {
		if out, _ := m.has(name, 3); strings.Contains(out, first) {
			t.Errorf("machine %s: what was forgotten is back:\n%s", name, out)
		}
	}

	// Another machine's snapshot is the parent of a backup of the same host and paths.
	if s := m.summaryOn("new", exitOK, "backup", src, "--host", "d"); s["unchanged"] != 3.0 {
		t.Errorf("the parent that another machine made was not found: %v", s)
	}
}

// TestReadingAsks has verbs that only read find what another machine has done since this one last wrote: also on a machine
// that has no list. Nothing is asked where a whole score says what is meant, nor while a shell waits for completions.
func TestReadingAsks(t *testing.T) {
	m := newSwarmMachine(t)
	src := m.source()
	first, _ := m.on("data", exitOK, "backup", src, "--host", "a")
	m.has("b", 1)
	for i, args := range [][]string{
		{"ls", "latest@b"}, {"cat", "latest@b:" + src + "/a"}, {"find", "c", "--all", "--type", "f"}, {"check"}, {"stats"},
		{"dump", "latest"}, {"restore", "latest", "--target", filepath.Join(m.dir, "out")}, {"status", "latest"},
		{"diff", "latest", first}, {"check", "PREFIX"}, {"stats", "SCORE"}, {"ls", "PREFIX"},
	} {
		host := "a"
		if i < 2 {
			host = "b"
		}
		writeFile(t, filepath.Join(src, "new"), fmt.Append(nil, i))
		score, _ := m.on("data", exitOK, "backup", src, "--host", host)
		for j := range args {
			args[j] = strings.NewReplacer("PREFIX", score[4:16], "SCORE", score).Replace(args[j])
		}
		for _, name := range []string{"b", fmt.Sprint("new", i)} { // the second has no list
			asked := m.swarm.asked
			if _, errs := m.on(name, exitOK, args...); m.swarm.asked != asked+1 || errs != "" && strings.Contains(errs, "list") {
				t.Errorf("%s: %v: asked %d times; %s", name, args, m.swarm.asked-asked, errs)
			}
			if out, _ := m.on(name, exitOK, "__complete", "ls", ""); !strings.Contains(out, score[4:16]) {
				t.Errorf("%s: after %v what the other machine has made is not on the list:\n%s", name, args, out)
			}
		}
	}

	// Whoever cannot be answered goes on with what there is, and says so, once.
	m.swarm.deaf = fmt.Errorf("%w: nobody answers", venti.ErrUnavailable)
	for _, args := range [][]string{{"ls", "latest"}, {"diff", "latest", first[4:16]}, {"check"}} {
		if _, errs := m.on("b", exitOK, args...); strings.Count(errs, "may be out of date") != 1 {
			t.Errorf("%v: said %q", args, errs)
		}
	}
	asked := m.swarm.asked
	for _, args := range [][]string{{"ls", first}, {"check", first}, {"__complete", "ls", "latest/"}} {
		if _, errs := m.on("b", exitOK, args...); m.swarm.asked != asked || strings.Contains(errs, "out of date") {
			t.Errorf("%v: asked %d times; said %q", args, m.swarm.asked-asked, errs)
		}
	}
}

func (m *swarmMachine) summaryOn(name string, want int, args ...string) map[string]any {
	m.t.Helper()
	m.on(name, exitOK, "version") // sets the folders
	return m.summary(want, args...)
}

// TestListNotPublished has nobody who answers about heads: everything is done all the same, and told, and tried again.
func TestListNotPublished(t *testing.T) {
	m := newSwarmMachine(t)
	src := m.source()
	kept, _ := m.on("data", exitOK, "backup", src)
	m.swarm.deaf = fmt.Errorf("%w: nobody answers", venti.ErrUnavailable)
	for _, args := range [][]string{{"backup", src, "--tag", "late"}, {"share", "latest"}, {"forget", kept}, {"adopt", kept}} {
		_, errs := m.on("data", exitRedundancy, args...)
		if !strings.Contains(errs, "is not the one that other machines find: ") || !strings.Contains(errs, "tries again") {
			t.Errorf("%v: %s", args, errs)
		}
	}
	if _, errs := m.has("data", 3); !strings.Contains(errs, "what this machine knows") {
		t.Errorf("it is not said that others may have changed the list: %s", errs)
	}
	m.on("data", exitUnavailable, "prune")
	m.swarm.deaf = nil
	m.has("new", 1)
	if _, errs := m.has("data", 3); errs != "" {
		t.Errorf("the members answer: %s", errs)
	}
	m.has("new", 3)
}

// TestSnapshotsAllOfSwarm finds roots that no list names with the members, and what those that were forgotten follow.
func TestSnapshotsAllOfSwarm(t *testing.T) {
	m := newSwarmMachine(t)
	src := m.source()
	first, _ := m.on("data", exitOK, "backup", src)
	m.on("data", exitOK, "backup", src, "--tag", "second")
	m.on("data", exitOK, "forget", first)
	out, errs := m.on("data", exitOK, "snapshots", "--all")
	if strings.Count(out, "(not listed)") != 1 || !strings.Contains(errs, "1 snapshot is not on the list") {
		t.Errorf("%s\n%s", out, errs)
	}
	m.on("data", exitOK, "adopt", first[4:16])
	m.has("other", 2)
	m.swarm.heads = nil // and no machine is left that has the list
	out, _ = m.on("last", exitOK, "snapshots", "--all", "--json")
	if strings.Count(out, `"unlisted":true`) != 2 {
		t.Errorf("%s", out)
	}
	m.on("last", exitOK, "adopt", first)
	m.has("last", 1)
}

// TestOneListOfABackup has a backup of a machine that is set up otherwise than before: what is new is on one list.
func TestOneListOfABackup(t *testing.T) {
	m := newSwarmMachine(t)
	src := m.source()
	config := filepath.Join(m.dir, "config/vdh/config.toml")
	kept := func() string {
		t.Helper()
		a := newApp(strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer))
		a.dial, a.storePath = m.swarm.dial, swarmWord
		defer a.close()
		cat, err := a.snapshots(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all, err := cat.Machines(t.Context())
		if err != nil || len(all) != 1 || len(all[0].Files) > 1 {
			t.Fatalf("%d machines are kept, %v", len(all), err)
		}
		for _, f := range all[0].Files {
			return string(f.Content)
		}
		return ""
	}
	good := "store = \"swarm\"\n"
	for i, c := range []struct{ config, kept, told string }{
		{"", "", ""}, {good, good, ""}, {good, good, ""},
		{good + strings.Repeat("#", snapshot.MaxFileContent), good, "is not noted for vdh recover: catalog: file \"config.toml\""},
	} {
		if c.config != "" {
			writeFile(t, config, []byte(c.config))
		}
		_, errs := m.run(0, "backup", src)
		if h := m.swarm.heads; m.swarm.times != i+1 || len(h) != 1 || h[0].Sequence != uint64(i+1) {
			t.Errorf("backup %d: heads were published %d times, the last are %v", i, m.swarm.times, h)
		}
		if got := kept(); got != c.kept || c.told == "" && strings.Contains(errs, "not noted") || !strings.Contains(errs, c.told) {
			t.Errorf("backup %d: kept is %q; said %s", i, got, errs)
		}
	}
	m.has("data", 4)
}
