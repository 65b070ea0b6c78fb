package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/sim/procs"
	"ventidhash/venti"
)

// TestCheckByChallenge compares what a check of a swarm says with what the swarm's members prove.
func TestCheckByChallenge(t *testing.T) {
	m := newSwarmMachine(t)
	src := m.source()
	m.run(0, "backup", src)
	if out, _ := m.run(0, "status", "latest"); !strings.Contains(out, "\nproven   never") {
		t.Errorf("before the first check: %s", out)
	}
	v := m.summary(0, "check")
	blocks := float64(m.swarm.Len())
	above := v["above"].(map[string]any)
	if v["ok"] != true || v["blocks"] != blocks || v["proven"] != blocks || v["unproven"] != 0.0 ||
		v["read_instead"] != 0.0 || v["not_downloaded"].(float64) < 6_200_000 || above["3"] != blocks || len(above) != 1 ||
		v["members"] != nil {
		t.Errorf("%v; there are %v blocks", v, blocks)
	}
	if out, _ := m.run(0, "status", "latest"); !proven(out, "3 above") {
		t.Errorf("%s", out)
	}
	if v := m.summary(0, "check", "--read-data"); v["proven"] != nil || v["ok"] != true {
		t.Errorf("with --read-data: %v", v)
	}

	m.swarm.thin = true
	out, errs := m.run(exitRedundancy, "check")
	if !strings.Contains(out, "short: block ") || !strings.Contains(out, "4 fragments of 8 proven, 3 needed") ||
		!strings.Contains(errs, "all can be had") {
		t.Errorf("thin: %s%s", out, errs)
	}
	out, _ = m.run(exitRedundancy, "check", "--json")
	if n := strings.Count(out, `"type":"short"`); float64(n) != blocks || !strings.Contains(out, `/sub/c"`) {
		t.Errorf("%d short blocks of %v: %s", n, blocks, out)
	}
	m.swarm.thin = false

	liar := dhash.ID("liar")
	m.swarm.proof = func(p *gateway.Proof) {
		p.False, p.Lacking, p.Silent = []dhash.ID{liar}, []dhash.ID{"lacking"}, []dhash.ID{"silent"}
	}
	out, _ = m.run(0, "check")
	if !strings.Contains(out, "Members that did not prove") ||
		!strings.Contains(out, "\n"+shortID(liar.String())+" ") || !strings.Contains(out, " larry ") {
		t.Errorf("liar: %s", out)
	}
	v = m.summary(0, "check")
	members := v["members"].([]any)
	if worst := members[0].(map[string]any); len(members) != 3 || worst["name"] != "larry" || worst["false"] != blocks ||
		worst["id"] != liar.String() || worst["lacking"] != 0.0 {
		t.Errorf("liar: %v", members)
	}
}

// proven reports whether a status says that a snapshot was proven a moment ago, and how well.
func proven(status, how string) bool {
	return regexp.MustCompile(`\nproven   (now|\d+ seconds? ago), ` + how).MatchString(status)
}

// TestCheckUnproven holds that of a block that is not proven no check says that it is good.
func TestCheckUnproven(t *testing.T) {
	m := newSwarmMachine(t)
	m.run(0, "backup", m.source())
	leaf := m.largest()

	m.swarm.proof = func(p *gateway.Proof) { // somebody has it whose proof does not count
		if p.Score == leaf {
			*p = gateway.Proof{Score: p.Score, Asked: p.Asked, Others: 6}
		}
	}
	v := m.summary(exitRedundancy, "check")
	if v["unproven"] != 1.0 || v["read_instead"] != 1.0 || v["below_threshold"] != 1.0 || v["ok"] != true {
		t.Errorf("read instead: %v", v)
	}
	if out, _ := m.run(0, "status", "latest"); !proven(out, "not all") {
		t.Errorf("read instead: %s", out)
	}
	m.swarm.proof = nil

	m.swarm.Unavailable(leaf, true)
	out, _ := m.run(exitUnavailable, "check", "--json")
	if !strings.Contains(out, `"state":"unavailable"`) || !strings.Contains(out, `/sub/c"`) ||
		!strings.Contains(out, `"ok":false`) {
		t.Errorf("unavailable: %s", out)
	}
	m.swarm.Unavailable(leaf, false)
	if out, _ := m.run(0, "status", "latest"); !proven(out, "not all") {
		t.Errorf("unavailable: %s", out)
	}

	kept, err := m.swarm.Get(t.Context(), leaf)
	if err != nil {
		t.Fatal(err)
	}
	m.swarm.Drop(leaf)
	out, _ = m.run(exitFailed, "check")
	if !strings.Contains(out, "block "+leaf.String()+" is missing") || !strings.Contains(out, "/sub/c, ") {
		t.Errorf("missing: %s", out)
	}
	// A directory that cannot be read is looked at all the same.
	if _, err := m.swarm.Put(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	all := m.summary(0, "check")["proven"]
	root, err := venti.ParseScore(strings.TrimPrefix(m.summary(0, "snapshots")["score"].(string), "vac:"))
	if err != nil {
		t.Fatal(err)
	}
	m.swarm.Unavailable(root, true)
	v = m.summary(exitUnavailable, "check")
	if v["unproven"] != 1.0 || v["proven"].(float64) >= all.(float64) || v["ok"] != false {
		t.Errorf("the root is unavailable: %v", v)
	}
}

// TestProvens holds that the list of proofs has one encoding, and that what is not one counts for nothing.
func TestProvens(t *testing.T) {
	one, two := strings.Repeat("1", 64), strings.Repeat("2", 64)
	good := "vdh proven 1\n" + one + " 1700000000 12\n" + two + " 1700000001 -1\n"
	k, err := parseProvens([]byte(good))
	if err != nil || len(k) != 2 || string(k.encode()) != good {
		t.Fatalf("%v: %v", k, err)
	}
	s, _ := venti.ParseScore(one)
	if p := k[s]; !p.at.Equal(time.Unix(1700000000, 0)) || p.above != 12 {
		t.Errorf("%+v", p)
	}
	for _, bad := range []string{"", "vdh proven 2\n", good[:len(good)-1], good + "\n", good + one + " 1 1\n",
		strings.ToUpper(good),
		"vdh proven 1\n" + one + " 1 65\n", "vdh proven 1\n" + one + " 1 +1\n", "vdh proven 1\n" + one + " 01 1\n",
		"vdh proven 1\n" + one + " 1\n", "vdh proven 1\n" + one + "  1 1\n", "vdh proven 1\n" + one + " 1 1\r\n",
		"vdh proven 1\n" + one[1:] + "z 1 1\n", "vdh proven 1\n" + two + " 1 1\n" + one + " 1 1\n"} {
		if _, err := parseProvens([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	dir := t.TempDir()
	if got := readProvens(dir); len(got) != 0 {
		t.Errorf("of no file: %v", got)
	}
	if err := k.write(dir); err != nil {
		t.Fatal(err)
	}
	if got := readProvens(dir); string(got.encode()) != good {
		t.Errorf("%v", got)
	}
	writeFile(t, filepath.Join(dir, provenFile), []byte("damaged"))
	if got := readProvens(dir); len(got) != 0 {
		t.Errorf("of a damaged file: %v", got)
	}
}

func FuzzProvens(f *testing.F) {
	f.Add([]byte("vdh proven 1\n" + strings.Repeat("1", 64) + " 1700000000 12\n"))
	f.Add([]byte("vdh proven 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := parseProvens(b); err == nil && string(k.encode()) != string(b) {
			t.Errorf("%q is accepted, and written as %q", b, k.encode())
		}
	})
}

// TestChallenge takes the members of a swarm of processes through what a check by challenge has to tell apart: a byte
// that is another one on a disk, a disk that is empty, members that are down.
func TestChallenge(t *testing.T) {
	const members = 8
	r := newTrial(t, members, dhash.Code{Need: 3, Total: members}, nil) // 6 are enough for a stored block
	r.store(r.source(5, 4<<20), "5", "7")
	check := func(want int) map[string]any {
		t.Helper()
		begin := time.Now()
		code, out, errs := r.run("check", "--json")
		v := lastLine(t, out)
		t.Logf("check took %v, exit code %d: above %v, members %v", time.Since(begin), code, v["above"], v["members"])
		if code != want {
			t.Errorf("exit code %d, want %d: %s%s", code, want, out, errs)
		}
		return v
	}
	v := check(exitOK)
	blocks := v["blocks"].(float64)
	above := func(v map[string]any, n string) float64 {
		count, _ := v["above"].(map[string]any)[n].(float64)
		return count
	}
	plain := above(v, "5") // 3 of 8 are needed, 1 of vital blocks
	if v["proven"] != blocks || plain < 4 || plain+above(v, "7") != blocks || v["members"] != nil {
		t.Errorf("%v", v)
	}
	named := func(v map[string]any, i int, kind string) bool {
		list, _ := v["members"].([]any)
		for _, m := range list {
			if m := m.(map[string]any); m["id"] == r.swarm.ID(i).String() {
				return m[kind].(float64) > 0 && m["name"] != nil
			}
		}
		return false
	}

	fragments := func(i int) string { return filepath.Join(procs.FolderIn(r.swarm.Dir(i)), "fragments") }
	r.do(flipInLargest(fragments(2)))
	if v := check(exitOK); !named(v, 2, "lacking") || above(v, "4")+above(v, "6") != 1 {
		t.Errorf("a byte is another one at member 2: %v", v)
	}

	r.do(r.swarm.Stop(3))
	entries, err := os.ReadDir(fragments(3))
	r.do(err)
	for _, e := range entries {
		if e.Name() != "FORMAT" {
			r.do(os.RemoveAll(filepath.Join(fragments(3), e.Name())))
		}
	}
	r.do(r.swarm.Run(3), r.swarm.Settle(t.Context(), members))
	v = check(exitOK)
	for end := time.Now().Add(20 * time.Second); named(v, 3, "silent") && time.Now().Before(end); {
		v = check(exitOK) // word is not round where it is
	}
	if above(v, "4")+above(v, "6") < blocks-2 || !named(v, 3, "without") || len(v["members"].([]any)) > 2 {
		t.Errorf("member 3 has lost everything: %v", v)
	}

	r.kill(4, 5)
	if v := check(exitRedundancy); v["below_threshold"].(float64) < plain-2 || !named(v, 4, "silent") || v["ok"] != true {
		t.Errorf("two members are down beside: %v", v)
	}
	r.kill(0, 1, 6, 7)
	if v := check(exitUnavailable); v["ok"] != false || v["unproven"].(float64) == 0 {
		t.Errorf("two members are left: %v", v)
	}
}

// flipInLargest changes a byte in the middle of the largest file below a folder.
func flipInLargest(dir string) error {
	var name string
	var most int64
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() > most {
			name, most = path, info.Size()
		}
		return err
	})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	b := make([]byte, 1)
	_, err = f.ReadAt(b, most/2)
	b[0] ^= 1
	_, err2 := f.WriteAt(b, most/2)
	return errors.Join(err, err2, f.Close())
}

// lastLine parses the last line of what was printed with --json.
func lastLine(t *testing.T, out string) (v map[string]any) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &v); err != nil {
		t.Fatalf("%v: %q", err, out)
	}
	return v
}
