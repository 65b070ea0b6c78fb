package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"ventidhash/snapshot/vac"
	"ventidhash/venti"
)

// damage takes the top block of a directory's stream, or of a snapshot for the empty path, from the swarm.
func (m *swarmMachine) damage(name, path string) {
	m.t.Helper()
	a := newApp(strings.NewReader(""), new(strings.Builder), new(strings.Builder))
	a.dial, a.storePath = m.swarm.dial, swarmWord
	defer a.close()
	n, err := a.open(m.t.Context(), name)
	if err != nil {
		m.t.Fatal(err)
	}
	var lost venti.Score
	if lost = n.tree.Ref.Score; path != "" {
		d, err := n.tree.Lookup(m.t.Context(), path)
		if err != nil || d.Content.Kind != vac.Stream {
			m.t.Fatalf("%s has no stream of its own (%v)", path, err)
		}
		lost = d.Content.Stream.Top.Score
	}
	if !m.swarm.Drop(lost) {
		m.t.Fatal("no such block")
	}
}

// TestDamagedDirectory holds that ls -R and find report a directory, or a snapshot, that cannot be read, and go on.
func TestDamagedDirectory(t *testing.T) {
	m := newSwarmMachine(t)
	src := filepath.Join(m.dir, "src")
	for i := range 2000 {
		writeFile(t, filepath.Join(src, "big", fmt.Sprintf("%04d%s", i, strings.Repeat("x", 100))), nil)
	}
	writeFile(t, filepath.Join(src, "before/wanted"), nil)
	writeFile(t, filepath.Join(src, "later/wanted"), nil)
	first, _ := m.run(0, "backup", src, "--time", "2024-01-01")
	m.damage(first, src+"/big")

	expect := func(what, text string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q:\n%s", what, w, text)
			}
		}
	}
	out, errs := m.run(exitPartial, "ls", "-R", first, first+src+"/later")
	expect("ls -R", out, src+"/before/wanted\n", src+"/big\n", src+"/later\n")
	if n := strings.Count(out, src+"/later/wanted"); n != 2 {
		t.Errorf("ls -R lists the file behind the damage %d times:\n%s", n, out)
	}
	expect("ls -R", errs, src+"/big: ", "not found", "1 directory or snapshot")

	out, errs = m.run(exitPartial, "find", "wanted", first)
	expect("find", out, src+"/before/wanted", src+"/later/wanted")
	expect("find", errs, src+"/big: ")
	m.run(exitFailed, "ls", first+src+"/big")

	// The next backup reports the damaged directory of its parent, and mends it. Of several snapshots, it is said which
	// one is damaged.
	second, _ := m.run(exitPartial, "backup", src, "--time", "2024-01-02", "--force")
	writeFile(t, filepath.Join(src, "later/wanted"), []byte("other"))
	third, _ := m.run(0, "backup", src, "--time", "2024-01-03")
	m.damage(second, "")
	out, errs = m.run(exitPartial, "find", "--all", "wanted")
	expect("find --all", out, third[:16]+src+"/later/wanted", first[:16]+src+"/before/wanted")
	expect("find --all", errs, second[:16]+": ", "1 directory or snapshot")
	if strings.Contains(out, second[:16]) {
		t.Errorf("find --all prints of %s:\n%s", second, out)
	}
}
