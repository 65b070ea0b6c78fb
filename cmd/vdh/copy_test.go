package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"ventidhash/venti"
)

// TestCopySwarm copies from a folder to the swarm and back into another folder.
func TestCopySwarm(t *testing.T) {
	m := newSwarmMachine(t)
	here, there := filepath.Join(m.dir, "here"), filepath.Join(m.dir, "there")
	src := m.source()
	score, _ := m.run(0, "backup", src, "--store", here)
	if v := m.summary(0, "copy", "--from", here, "--to", "swarm", "--dry-run"); v["blocks_sent"] == 0.0 || m.swarm.Len() > 0 {
		t.Errorf("a dry run: %v", v)
	}
	v := m.summary(0, "copy", "--from", here, "--to", "swarm")
	if v["from"] != here || v["to"] != "swarm" || v["complete"] != 1.0 || v["blocks_sent"] != v["blocks"] ||
		v["lowest_nines"] != 5.2 || v["blocks_below_target"] != 0.0 {
		t.Errorf("to the swarm: %v", v)
	}
	root, err := venti.ParseScore(strings.TrimPrefix(score, "vac:"))
	if err != nil || !m.swarm.vital[root] {
		t.Errorf("the root %s is not put with more care than others (%v)", score, err)
	}
	if len(m.files("data/vdh/swarm/lenders/*/running/*")) != 0 || len(m.files("data/vdh/swarm/lenders/*/running")) != 1 {
		t.Error("a copy does not say that it writes, or has not ended that")
	}
	if v := m.summary(0, "copy", "--to", there); v["from"] != "swarm" || v["complete"] != 1.0 || v["blocks_put"] != nil {
		t.Errorf("to a folder: %v", v)
	}
	for _, store := range []string{here, there, "swarm"} {
		if v := m.summary(0, "snapshots", "--store", store); v["score"] != score {
			t.Errorf("%s lists %v", store, v)
		}
	}
	m.run(0, "check", "--read-data", "--store", there)
	writeFile(t, filepath.Join(src, "more"), []byte("more"))
	m.run(0, "backup", src)
	m.swarm.thin = true
	m.run(0, "copy", "--to", here)
	if v := m.summary(0, "copy", "--from", here, "--to", "swarm"); v["already_there"] != 2.0 || v["blocks_sent"] != 0.0 {
		t.Errorf("back: %v", v)
	}
	if v := m.summary(exitRedundancy, "copy", "--from", here, "--to", "swarm", "latest"); v["blocks_sent"] != v["blocks"] {
		t.Errorf("what lacks fragments is not sent again: %v", v)
	}
	writeFile(t, filepath.Join(src, "more"), []byte("even more"))
	m.run(0, "backup", src, "--store", here)
	m.run(exitRedundancy, "copy", "--from", here, "--to", "swarm")
}

// TestCopyDamaged copies from a swarm of which some blocks cannot be had: they are named, snapshots that need them are not
// listed, and the rest goes on.
func TestCopyDamaged(t *testing.T) {
	m := newSwarmMachine(t)
	there := filepath.Join(m.dir, "there")
	src := m.source()
	m.run(0, "backup", src, "--tag", "whole")
	writeFile(t, filepath.Join(src, "more"), []byte("more"))
	m.run(0, "backup", src)
	shared := m.blockOf("latest" + src + "/more")
	list := func() int {
		out, _ := m.run(0, "snapshots", "--store", there, "--json")
		return strings.Count(out, `"type":"snapshot"`)
	}
	m.swarm.Unavailable(shared, true)
	out, errs := m.run(exitUnavailable, "copy", "--to", there, "--json")
	if !strings.Contains(errs, shared.String()) || !strings.Contains(errs, `"state":"unavailable"`) || !strings.Contains(errs, "/more") ||
		strings.Count(out, `"complete":true`) != 1 || strings.Count(out, `"complete":false`) != 1 || list() != 1 {
		t.Errorf("%s%s; %d are listed", out, errs, list())
	}
	m.swarm.Unavailable(shared, false)
	b, err := m.swarm.Get(t.Context(), shared)
	if err != nil {
		t.Fatal(err)
	}
	m.swarm.Drop(shared)
	if out, errs := m.run(exitPartial, "copy", "--to", there); !strings.Contains(out, "not listed") || !strings.Contains(errs, "/more: ") ||
		list() != 1 {
		t.Errorf("%s%s", out, errs)
	}
	if _, err := m.swarm.Put(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if v := m.summary(0, "copy", "--to", there); v["blocks_sent"] != 1.0 || list() != 2 {
		t.Errorf("with the block again: %v", v)
	}

	// What the swarm has lost for good, it gets back from the copy of a snapshot that is named.
	m.swarm.Drop(shared)
	if v := m.summary(0, "copy", "--from", there, "--to", "swarm", "latest"); v["blocks_sent"] != 1.0 {
		t.Errorf("to the swarm again: %v", v)
	}
	m.run(0, "check", "--read-data")
}

// blockOf returns the block that has the content of a small file.
func (m *swarmMachine) blockOf(name string) venti.Score {
	m.t.Helper()
	a := newApp(strings.NewReader(""), new(bytes.Buffer), new(bytes.Buffer))
	a.storePath, a.dial = swarmWord, m.swarm.dial
	n, err := a.open(m.t.Context(), name)
	if err != nil {
		m.t.Fatal(err)
	}
	d, err := n.lookup(m.t.Context())
	if err := errors.Join(err, a.close()); err != nil {
		m.t.Fatal(err)
	}
	return d.Content.Slice.Block.Score
}
