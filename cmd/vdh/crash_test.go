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

	"ventidhash/venti"
)

// TestKilled kills backups at random moments. After each, the store opens at once, every earlier snapshot is whole, and
// the next run uses what the killed one had stored.
func TestKilled(t *testing.T) {
	withoutRace(t)
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
	kept := 1
	for round := range rounds {
		change := fillTree(t, filepath.Join(tree, fmt.Sprint("round", round)), seed+uint64(round)+1, size/2)
		stored := int64(0)
		if round%2 == 0 { // also before anything is stored, or after all is
			after := time.Duration(r.Int64N(int64(full)))
			kill(t, m, func(begun time.Duration, _ int64) bool { return begun >= after })
		} else {
			stored = r.Int64N(change)
			kill(t, m, func(_ time.Duration, n int64) bool { return n >= stored })
		}
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
		t.Logf("round %d: killed with %d KiB of %d KiB stored, then %d KiB added", round, stored>>10, change>>10, added>>10)
		// The block whose record was being written is cut off and stored again, however long; and there are directories.
		if most := change - stored + venti.MaxBlock + 1<<20; added > most {
			t.Errorf("round %d: added %d bytes, at most %d were missing", round, added, most)
		}
	}
	m.must("check", "--read-data")
	m.must("restore", "latest"+tree, "--target", "out")
	sameTree(t, tree, filepath.Join(m.dir, "out"))
}

// kill begins a backup and kills it once due says so of the time since it began and the bytes it has stored.
func kill(t *testing.T, m *machine, due func(time.Duration, int64) bool) {
	t.Helper()
	before := segmentBytes(t, m.store)
	cmd := m.command("backup", "tree")
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	for !due(time.Since(begin), segmentBytes(t, m.store)-before) {
		select {
		case <-ended:
			return
		case <-time.After(time.Millisecond):
		}
	}
	cmd.Process.Kill() // or it has just ended
	<-ended
}

// segmentBytes returns the length of all segments of a store.
func segmentBytes(t *testing.T, store string) (n int64) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(store, "arenas"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
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
		for _, args := range [][]string{{"backup", "--force", "--stdin"}, {"backup", "tree", "--force"}, {"restore", "latest", "--target", "out"}, {"check", "--read-data"},
			{"copy", "--to", "copy"}} {
			if args[1] == "tree" { // so that there is something to do
				fillTree(t, filepath.Join(m.dir, "tree", sig.String()), uint64(sig), 40<<20)
			}
			interrupt(t, m, sig, args)
		}
	}
	m.must("check", "--read-data")
	m.must("backup", "tree")
	m.must("copy", "--to", "copy")
	m.must("check", "--read-data", "--store", "copy")
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
	for range 1000 { // until it has a session
		if files, _ := filepath.Glob(filepath.Join(m.store, "sessions", "[0-9]*")); len(files) > 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	time.Sleep(10 * time.Millisecond)
	sent := time.Now()
	cmd.Process.Signal(sig) // or it has just ended
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
