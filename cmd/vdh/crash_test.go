package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKilled kills backups at random moments. After each, the store opens at once, every earlier snapshot is whole, and
// the next run uses what the killed one had stored.
func TestKilled(t *testing.T) {
	rounds, size := 10, 50<<20
	if testing.Short() {
		rounds, size = 3, 10<<20
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	m := newMachine(t)
	tree := filepath.Join(m.dir, "tree")
	fillTree(t, filepath.Join(tree, "begin"), seed, size)
	begin := time.Now()
	m.must("backup", "tree")
	full := time.Since(begin)
	var whole, reused int64
	kept := 1
	for round := range rounds {
		fillTree(t, filepath.Join(tree, fmt.Sprint("round", round)), seed+uint64(round)+1, size/2)
		killAfter(t, m, time.Duration(r.Int64N(int64(full))))
		opened := time.Now()
		before := kept
		kept = strings.Count(m.must("snapshots", "--json")+"\n", "\n")
		if out := m.must("check"); kept < before || !strings.Contains(out, fmt.Sprintf("looked at %d snapshot", kept)) {
			t.Fatalf("round %d: %d snapshots, %d before; %s", round, kept, before, out)
		}
		if took := time.Since(opened); took > 20*time.Second {
			t.Errorf("round %d: the store took %v to open and check", round, took)
		}
		added := backupAdded(t, m)
		kept++
		if limit := int64(size/2) + 8<<20; added > limit {
			t.Errorf("round %d: the run after the kill added %d bytes, the change has %d", round, added, size/2)
		}
		whole += int64(size / 2)
		reused += max(0, int64(size/2)-added)
	}
	t.Logf("after the kills, %d MiB of %d MiB were there already", reused>>20, whole>>20)
	if reused == 0 && !testing.Short() {
		t.Error("no run used anything that a killed one had stored")
	}
	m.must("check", "--read-data")
	m.must("restore", "latest"+tree, "--target", "out")
	sameTree(t, tree, filepath.Join(m.dir, "out"))
}

// killAfter begins a backup and kills it.
func killAfter(t *testing.T, m *machine, after time.Duration) {
	t.Helper()
	cmd := m.command("backup", "tree")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
}

// backupAdded runs a backup and returns how many bytes it added.
func backupAdded(t *testing.T, m *machine) int64 {
	t.Helper()
	var line struct {
		Added int64 `json:"bytes_added"`
	}
	if err := json.Unmarshal([]byte(m.must("backup", "tree", "--json")), &line); err != nil {
		t.Fatal(err)
	}
	return line.Added
}

// sameTree fails if the files of two trees differ in name or content.
func sameTree(t *testing.T, a, b string) {
	t.Helper()
	for _, pair := range [][2]string{{a, b}, {b, a}} {
		err := filepath.Walk(pair[0], func(path string, info os.FileInfo, err error) error {
			if err != nil || !info.Mode().IsRegular() {
				return err
			}
			want, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			got, err := os.ReadFile(pair[1] + strings.TrimPrefix(path, pair[0]))
			if err == nil && string(got) != string(want) {
				err = fmt.Errorf("%s differs", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestInterrupted sends signals. The program ends soon with code 130, prints no score and leaves the store whole.
func TestInterrupted(t *testing.T) {
	m := newMachine(t)
	fillTree(t, filepath.Join(m.dir, "tree"), 7, 30<<20)
	m.must("backup", "tree")
	m.must("restore", "latest", "--target", "whole")
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		for _, args := range [][]string{{"backup", "--force", "--stdin"}, {"backup", "tree", "--force"}, {"restore", "latest", "--target", "out"}, {"check", "--read-data"}} {
			if args[1] == "tree" { // so that there is something to do
				fillTree(t, filepath.Join(m.dir, "tree", sig.String()), uint64(sig), 40<<20)
			}
			interrupt(t, m, sig, args)
		}
	}
	m.must("check", "--read-data")
	m.must("backup", "tree")
	m.must("restore", "latest", "--target", "out", "--overwrite", "if-changed")
	sameTree(t, filepath.Join(m.dir, "tree"), filepath.Join(m.dir, "out", m.dir, "tree"))
}

// interrupt runs the program and sends it a signal while it is at work.
func interrupt(t *testing.T, m *machine, sig syscall.Signal, args []string) {
	t.Helper()
	cmd := m.command(args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	stdin, err := cmd.StdinPipe() // never closed: a reader that waits has to be interrupted too
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(60 * time.Millisecond)
	sent := time.Now()
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	code := exitOf(t, cmd.Wait())
	if took := time.Since(sent); took > 5*time.Second {
		t.Errorf("vdh %v took %v to end after %v", args, took, sig)
	}
	if code == 0 && args[1] != "--force" {
		t.Logf("vdh %v was done before %v came", args, sig)
		return
	}
	if code != exitInterrupted || strings.Contains(out.String(), "vac:") {
		t.Errorf("vdh %v after %v: exit code %d, printed %q, %q", args, sig, code, out.String(), errs.String())
	}
}
