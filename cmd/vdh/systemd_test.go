package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSystemd schedules a job on a machine of its own on which systemd runs, and has it make up for a night on which that
// was off.
func TestSystemd(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("starts a machine")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can")
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		t.Skip(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"boot.sh", "inside.sh"} {
		b, err := os.ReadFile(filepath.Join("testdata/systemd", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "root"), 0o700); err != nil {
		t.Fatal(err)
	}
	boot := exec.Command("unshare", "--fork", "--pid", "--mount", "--net", "--uts", "--ipc", "--cgroup", "--kill-child",
		"bash", filepath.Join(dir, "boot.sh"), dir, self, asProgram)
	boot.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var errs bytes.Buffer
	boot.Stderr = &errs
	if err := boot.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = boot.Wait() // it is killed, or says why in errs
		close(ended)
	}()
	defer func() {
		_ = boot.Process.Kill()
		<-ended
	}()

	said := func() string {
		b, _ := os.ReadFile(filepath.Join(dir, "log"))
		return string(b)
	}
	until := func(text string, limit time.Duration) bool {
		for due := time.Now().Add(limit); time.Now().Before(due); time.Sleep(50 * time.Millisecond) {
			if strings.Contains(said(), text) {
				return true
			}
			select {
			case <-ended:
				return strings.Contains(said(), text)
			default:
			}
		}
		return false
	}
	if !until("up\n", 30*time.Second) {
		t.Skipf("systemd cannot be started here: %s", errs.String())
	}
	until("\ndone\n", time.Minute)
	for _, want := range []string{
		`srv runs by systemd, next from \S+ \S+ on`,
		`left +- +- +vdh-job-srv\.timer +vdh-job-srv\.service`,
		`snapshots: 0`,
		`pre: 10, best-effort: prio 7`,
		`post: ok`,
		`success 0 `,
		`snapshots: 1`,
		`Protected: .*`,
		`srv does not run by systemd any more`,
		`timers: 0, files: 0`,
		`done`,
	} {
		if !regexp.MustCompile(`(?m)` + want + `$`).MatchString(said()) {
			t.Errorf("nothing like %q in\n%s", want, said())
		}
	}
}
