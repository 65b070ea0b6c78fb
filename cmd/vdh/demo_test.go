package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// newDemoMachine returns a machine with a tree to keep, and its own folder for temporary files.
func newDemoMachine(t *testing.T) (m *machine, tree, temporary string) {
	t.Helper()
	m = newMachine(t)
	tree = filepath.Join(m.dir, "tree")
	fillTree(t, tree, 5, 2<<20)
	temporary, err := os.MkdirTemp("", "vdh-test-") // short, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeTree(temporary); err != nil {
			t.Error(err)
		}
	})
	t.Setenv("TMPDIR", temporary)
	return m, tree, temporary
}

// isEmpty fails if something is left in a folder.
func isEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("%s has %v: %v", dir, left, err)
	}
}

func TestDemo(t *testing.T) {
	m, tree, temporary := newDemoMachine(t)
	var line demoLine
	out := m.must("demo", tree, "--members", "6", "--json")
	newLineDoc(t).check("demo", out)
	if err := json.Unmarshal([]byte(out), &line); err != nil {
		t.Fatal(err)
	}
	if line.Members != 6 || line.Lost != 1 || line.Differences != 0 || line.Files == 0 ||
		line.Compared != int64(line.Files) {
		t.Errorf("%+v", line)
	}
	isEmpty(t, temporary)
	if left, err := os.ReadDir(m.dir); err != nil || len(left) != 1 {
		t.Errorf("the user's own folder has %v: %v", left, err)
	}
	code, out, errs := m.run("demo", tree, "--members", "3", "--lose", "1")
	for _, want := range []string{"1  founding", "2  keeping", "3  losing 1 of 3", "4  restoring", "5  comparing"} {
		if code != 0 || !strings.Contains(errs, want) {
			t.Errorf("exit code %d, and not %q in\n%s", code, want, errs)
		}
	}
	for _, want := range []string{"kept ", "as blocks ", "on the disks ", "safety ", "lost ", "restored ", "compared ",
		"What now:"} {
		if !strings.Contains(out, "\n"+want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestDemoEndsClean interrupts a demonstration, and kills one. Neither leaves a process; only the killed leaves files.
func TestDemoEndsClean(t *testing.T) {
	m, tree, temporary := newDemoMachine(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		cmd := m.command("demo", tree, "--members", "4")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pids := waitForMembers(t, temporary, cmd)
		cmd.Process.Signal(sig)
		err := cmd.Wait()
		var e *exec.ExitError
		if !errors.As(err, &e) || sig == syscall.SIGINT && e.ExitCode() != exitInterrupted {
			t.Errorf("after %v: %v", sig, err)
		}
		for deadline := time.Now().Add(10 * time.Second); len(membersIn(temporary)) > 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("after %v these still run: %v of %v", sig, membersIn(temporary), pids)
			}
		}
		if sig == syscall.SIGINT {
			isEmpty(t, temporary)
		}
	}
}

// waitForMembers waits until a demonstration has started a member, and returns the members' process ids.
func waitForMembers(t *testing.T, temporary string, cmd *exec.Cmd) []string {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if pids := membersIn(temporary); len(pids) > 0 {
			return pids
		}
	}
	cmd.Process.Kill()
	t.Fatal("no member was started")
	return nil
}

// membersIn returns the ids of the processes whose folder of data is below dir.
func membersIn(dir string) (pids []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ") // the pattern is good
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil && strings.Contains(string(b), "XDG_DATA_HOME="+dir) {
			pids = append(pids, filepath.Base(filepath.Dir(name)))
		}
	}
	return pids
}

func TestDemoRefuses(t *testing.T) {
	m, tree, temporary := newDemoMachine(t)
	for _, test := range []struct {
		code int
		args []string
		want string
	}{
		{exitUsage, []string{"--lose", "100%"}, "--lose"},
		{exitUsage, []string{"--lose", "some"}, "--lose"},
		{exitUsage, []string{"--members", "0"}, "--members"},
		{exitFailed, []string{filepath.Join(tree, "nothing")}, "no such file"},
		{exitFailed, []string{filepath.Join(tree, "d0", "0")}, "no folder"},
		{exitFailed, []string{filepath.Dir(temporary)}, "set TMPDIR"},
	} {
		args := append([]string{"demo"}, test.args...)
		if !filepath.IsAbs(test.args[0]) {
			args = append(args, tree)
		}
		code, out, errs := m.run(args...)
		if code != test.code || out != "" || !strings.Contains(errs, test.want) {
			t.Errorf("vdh %v: exit code %d, printed %q, %q", args, code, out, errs)
		}
	}
	isEmpty(t, temporary)
}
