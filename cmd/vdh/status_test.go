package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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

// TestRhythmsOfStore holds which jobs vdh status takes for those of a store, however it is named.
func TestRhythmsOfStore(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"DATA", "CONFIG", "CACHE"} {
		t.Setenv("XDG_"+name+"_HOME", filepath.Join(dir, strings.ToLower(name)))
	}
	usual := filepath.Join(dir, "data/vdh/store")
	config := ""
	for name, store := range map[string]string{"silent": "", "usual": usual, "slash": usual + "/", "other": "/mnt/other", "swarm": "swarm"} {
		config += fmt.Sprintf("[[job]]\nname = %q\npaths = [\"/%s\"]\nschedule = \"hourly\"\n", name, name)
		if store != "" {
			config += fmt.Sprintf("store = %q\n", store)
		}
	}
	writeFile(t, filepath.Join(dir, "config/vdh/config.toml"), []byte(config))
	for _, c := range []struct {
		store string
		want  []string
	}{
		{"", []string{"/silent", "/slash", "/usual"}}, {usual + "/", []string{"/silent", "/slash", "/usual"}},
		{"/mnt//other", []string{"/other", "/silent"}}, {"swarm", []string{"/silent", "/swarm"}},
	} {
		a := newApp(strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer))
		a.storePath = c.store
		at, err := a.where()
		if err != nil {
			t.Fatal(err)
		}
		rhythms, err := a.rhythms(at, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rhythms {
			got = append(got, r.paths...)
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("--store %q: %q, not %q", c.store, got, c.want)
		}
	}

	// One job would forget what another one keeps, in a store that they name in two ways: no job runs, and all is said.
	writeFile(t, filepath.Join(dir, "config/vdh/config.toml"), fmt.Appendf(nil,
		"[[job]]\nname = \"a\"\npaths = [\"/a\"]\nkeep-daily = 1\nschedule = \"hourly\"\n[[job]]\nname = \"b\"\npaths = [\"/a\"]\nstore = %q\n", usual))
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"status"}, strings.NewReader(""), &out, &errs); code != exitOK ||
		!strings.Contains(out.String(), "there is no snapshot of /a.") || !strings.Contains(errs.String(), "keeps of the same paths") {
		t.Errorf("exit code %d\n%s%s", code, out.String(), errs.String())
	}
	if code := run(t.Context(), []string{"run"}, strings.NewReader(""), &out, &errs); code != exitUsage {
		t.Errorf("vdh run: exit code %d", code)
	}
}
