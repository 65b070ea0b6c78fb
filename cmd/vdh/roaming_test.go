package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ventidhash/dhash"
)

// ownNetwork says that this process has a network of its own.
const ownNetwork = "VDH_TEST_OWN_NETWORK"

// TestRoaming has a machine back up and restore that loses its network, and comes back with another address.
func TestRoaming(t *testing.T) {
	if os.Getenv(ownNetwork) == "" {
		if testing.Short() {
			t.Skip("takes a minute or two")
		}
		inOwnNetwork(t)
		return
	}
	code := dhash.Code{Need: 2, Total: 6}
	l := newLaptop(t)
	r := newTrial(t, code.Total, code, nil, "--listen", "/ip4/"+l.here+"/tcp/0", "--sweep", "1h")
	dir := r.source(9, 100<<20)

	score := l.loses(r, func() { l.moves("10.77.0.3") }, "backup", "src")
	list := r.must("snapshots", "--json")
	if !strings.HasPrefix(score, "vac:") || strings.Count(list, "\n") != 0 || !strings.Contains(list, score) {
		t.Fatalf("backup printed %q, snapshots are %s", score, list)
	}
	l.loses(r, func() {}, "restore", score+dir, "--target", "out")
	sameTree(t, dir, r.dir+"/out")
}

// inOwnNetwork runs this test alone in a process with a network of its own.
func inOwnNetwork(t *testing.T) {
	t.Helper()
	probe := exec.Command("unshare", "-n", "ip", "link", "add", "vdh0", "type", "veth", "peer", "name", "vdh1")
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("no network can be made here: %v: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-n", self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), ownNetwork+"=1")
	out, err := cmd.CombinedOutput()
	if t.Logf("%s", out); err != nil {
		t.Error(err)
	}
}

// A laptop is a network with one machine, which a cable joins to that of this process.
type laptop struct {
	t           *testing.T
	pid         string // of a process there
	here, there string // addresses
}

func newLaptop(t *testing.T) *laptop {
	t.Helper()
	hold := exec.Command("unshare", "-n", "sleep", "1000")
	hold.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := hold.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = hold.Process.Kill()
		_ = hold.Wait() // killed
	})
	l := &laptop{t: t, pid: strconv.Itoa(hold.Process.Pid), here: "10.77.0.1", there: "10.77.0.2"}
	due := time.Now().Add(10 * time.Second)
	for l.isHere() && time.Now().Before(due) { // until it has left this network
		time.Sleep(10 * time.Millisecond)
	}
	l.ip("link", "set", "lo", "up")
	l.ip("link", "add", "vdh0", "type", "veth", "peer", "name", "vdh1", "netns", l.pid)
	l.ip("addr", "add", l.here+"/24", "dev", "vdh0")
	l.ip("link", "set", "vdh0", "up")
	l.inside("link", "set", "lo", "up")
	l.inside("addr", "add", l.there+"/24", "dev", "vdh1")
	l.inside("link", "set", "vdh1", "up")
	return l
}

// isHere reports whether the laptop still has the network of this process.
func (l *laptop) isHere() bool {
	a, err1 := os.Readlink("/proc/self/ns/net")
	b, err2 := os.Readlink("/proc/" + l.pid + "/ns/net")
	if err := errors.Join(err1, err2); err != nil {
		l.t.Fatal(err)
	}
	return a == b
}

func (l *laptop) ip(args ...string) {
	l.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// inside is ip on the laptop.
func (l *laptop) inside(args ...string) {
	l.t.Helper()
	args = append([]string{"-t", l.pid, "-n", "ip"}, args...)
	if out, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("nsenter %v: %v: %s", args, err, out)
	}
}

// moves gives the laptop another address.
func (l *laptop) moves(to string) {
	l.t.Helper()
	l.inside("addr", "del", l.there+"/24", "dev", "vdh1")
	l.inside("addr", "add", to+"/24", "dev", "vdh1")
	l.there = to
}

// loses runs the program on the laptop, and pulls the cable when it is at work. When it says that it waits, and meanwhile
// was done, the cable goes in again; the program has to end well. It returns what that printed.
func (l *laptop) loses(r *trial, meanwhile func(), args ...string) string {
	l.t.Helper()
	cmd := r.command(args...)
	cmd.Args = append([]string{"nsenter", "-t", l.pid, "-n"}, cmd.Args...)
	path, err := exec.LookPath("nsenter")
	r.do(err)
	cmd.Path = path
	var out bytes.Buffer
	var errs said
	cmd.Stdout, cmd.Stderr = &out, &errs
	r.do(cmd.Start())
	begin := time.Now()
	time.Sleep(700 * time.Millisecond) // any moment will do
	l.ip("link", "set", "vdh0", "down")
	l.await(&errs, "waiting for the swarm: 0 members answer, 2 are needed")
	waited := time.Since(begin)
	meanwhile()
	l.ip("link", "set", "vdh0", "up")
	back := time.Now()
	l.await(&errs, "the swarm answers again")
	l.t.Logf("%s: said to wait after %v; went on %v after the network was back", args[0], waited.Round(time.Millisecond),
		time.Since(back).Round(time.Millisecond))
	if code := exitOf(l.t, cmd.Wait()); code != 0 {
		l.t.Fatalf("vdh %v: exit code %d\n%s", args, code, errs.text())
	}
	l.t.Logf("%s: done %v after the network was back; %s", args[0], time.Since(back).Round(time.Millisecond), errs.text())
	return strings.TrimSpace(out.String())
}

// await waits until a text was said.
func (l *laptop) await(errs *said, text string) {
	l.t.Helper()
	due := time.Now().Add(2 * time.Minute)
	for !strings.Contains(errs.text(), text) {
		if time.Now().After(due) {
			l.t.Fatalf("%q is not said but %q", text, errs.text())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// said is what a program has written until now.
type said struct {
	mu sync.Mutex // protects b
	b  bytes.Buffer
}

// Write implements io.Writer.
func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
