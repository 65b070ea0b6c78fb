package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A terminal is a pseudo terminal and what was written to it.
type terminal struct {
	master, slave *os.File
	more          chan struct{} // has an element when more was shown

	mu   sync.Mutex // protects the following
	text bytes.Buffer
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo terminals: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no pseudo terminals: %v", err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 120}); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	x := &terminal{master: master, slave: slave, more: make(chan struct{}, 1)}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			x.mu.Lock()
			x.text.Write(b[:n])
			x.mu.Unlock()
			if err != nil {
				return
			}
			select {
			case x.more <- struct{}{}:
			default:
			}
		}
	}()
	return x
}

func (x *terminal) shown() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.text.String()
}

// wait waits until the terminal shows a text.
func (x *terminal) wait(t *testing.T, text string) {
	t.Helper()
	end := time.After(5 * time.Second)
	for !strings.Contains(x.shown(), text) {
		select {
		case <-x.more:
		case <-end:
			t.Fatalf("the terminal does not show %q but %q", text, x.shown())
		}
	}
}

// attach makes the terminal the standard files of a process.
func (x *terminal) attach(cmd *exec.Cmd) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = x.slave, x.slave, x.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
}

// TestPhrase shows the phrase on a terminal and brings it back on another machine, where it is typed without an echo.
func TestPhrase(t *testing.T) {
	m, x := newMachine(t), openTerminal(t)
	cmd := m.command("init")
	x.attach(cmd)
	if err := cmd.Run(); err != nil {
		t.Fatal(err, x.shown())
	}
	x.wait(t, "    ")
	_, after, _ := strings.Cut(x.shown(), "    ")
	phrase, _, _ := strings.Cut(after, "\r")
	if n := len(strings.Fields(phrase)); n != 24 {
		t.Fatalf("%d words in %q", n, x.shown())
	}
	if code, out, _ := m.run("init", "--show-phrase"); code == 0 || strings.Contains(out, phrase) {
		t.Errorf("the phrase was shown to what is no terminal: %q", out)
	}
	if err := os.Mkdir(filepath.Join(m.dir, "tree"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.must("backup", "tree")

	other, y := newMachine(t), openTerminal(t)
	other.store = m.store
	cmd = other.command("recover")
	y.attach(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	y.wait(t, "not shown: ")
	fmt.Fprintln(y.master, phrase)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err, y.shown())
	}
	if strings.Contains(y.shown(), strings.Join(strings.Fields(phrase)[:3], " ")) {
		t.Errorf("the words were shown: %q", y.shown())
	}
	if n := strings.Count(other.must("snapshots", "--json")+"\n", "\n"); n != 1 {
		t.Errorf("%d snapshots", n)
	}
}

// TestDumpToTerminal holds that no archive is written to a terminal.
func TestDumpToTerminal(t *testing.T) {
	m, x := newMachine(t), openTerminal(t)
	fillTree(t, filepath.Join(m.dir, "tree"), 5, 1<<20)
	m.must("backup", "tree")
	cmd := m.command("dump", "latest")
	x.attach(cmd)
	if code := exitOf(t, cmd.Run()); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	x.wait(t, "not written to a terminal")
}

// TestBar looks at the progress bar of a terminal. What is wrong with a file stands on a line of its own above it.
func TestBar(t *testing.T) {
	m, x := newMachine(t), openTerminal(t)
	fillTree(t, filepath.Join(m.dir, "tree"), 3, 1<<20)
	m.must("backup", "tree")
	fillTree(t, filepath.Join(m.dir, "tree", "more"), 4, 150<<20)
	cmd := m.command("backup", "tree")
	cmd.Env = append(cmd.Env, "TERM=xterm")
	cmd.Stderr = x.slave
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatal(err, x.shown())
	}
	x.wait(t, "added,")
	if !strings.Contains(x.shown(), "backup: ") || !strings.Contains(x.shown(), "files, ") {
		t.Errorf("no bar in %q", x.shown())
	}
	if !strings.HasPrefix(out.String(), "vac:") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("standard output has %q", out.String())
	}
}

// TestRecoverAsks has the words and the address of a member typed on a terminal, one after the other, without an echo.
func TestRecoverAsks(t *testing.T) {
	p, x := newPond(t, 3), openTerminal(t)
	old := p.client("old")
	old.backup(old.fill(1, 50_000))
	phrase, addr := old.phrase(), p.addr(1)
	m := &machine{t: t, dir: t.TempDir()}
	cmd := m.command("recover")
	cmd.Env = append(cmd.Env, "VDH_STORE=")
	x.attach(cmd)
	p.do(cmd.Start())
	x.wait(t, "not shown: ")
	fmt.Fprintln(x.master, phrase)
	x.wait(t, "in a folder): ")
	fmt.Fprintln(x.master, addr)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err, x.shown())
	}
	x.wait(t, "whole")
	x.wait(t, "3 members that answered")
	if strings.Contains(x.shown(), strings.Join(strings.Fields(phrase)[:3], " ")) {
		t.Errorf("the words were shown: %q", x.shown())
	}
}
