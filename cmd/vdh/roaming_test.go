package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ventidhash/dhash"
)

// ownNetwork says that this process has a network of its own, and what to do in it.
const ownNetwork = "VDH_TEST_OWN_NETWORK"

// TestRoaming has a machine back up and restore that loses its network, and comes back with another address: as a client
// of the swarm, and through its own node. In a third part it has none when it begins.
func TestRoaming(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("takes a minute, and with the race detector minutes")
	}
	part := os.Getenv(ownNetwork)
	if part == "" {
		for _, part := range []string{"client", "node", "none"} {
			t.Run(part, func(t *testing.T) {
				t.Parallel() // it mostly waits
				inOwnNetwork(t, part)
			})
		}
		return
	}
	code := dhash.Code{Need: 2, Total: 6}
	l := newLaptop(t)
	r := newTrial(t, code.Total, code, nil, "--listen", "/ip4/"+l.here+"/tcp/0", "--sweep", "1h")
	if part == "none" {
		l.lacks(r)
		return
	}
	dir := r.source(9, 100<<20)
	left := "0 members answer, 2 are needed"
	if part == "node" {
		left = "1 member answers, 2 are needed"
		l.node(r)
	}
	score := l.loses(r, left, func() { l.moves("10.77.0.3") }, "backup", "src")
	list := r.must("snapshots", "--json")
	if !strings.HasPrefix(score, "vac:") || strings.Count(list, "\n") != 0 || !strings.Contains(list, score) {
		t.Fatalf("backup printed %q, snapshots are %s", score, list)
	}
	l.loses(r, left, func() {}, "restore", score+dir, "--target", "out")
	sameTree(t, dir, filepath.Join(r.dir, "out"))
}

// inOwnNetwork runs a part of TestRoaming in a process with a network of its own.
func inOwnNetwork(t *testing.T, part string) {
	t.Helper()
	probe := exec.Command("unshare", "-n", "ip", "link", "add", "vdh0", "type", "veth", "peer", "name", "vdh1")
	if out, err := probe.CombinedOutput(); err != nil {
		t.Skipf("no network can be made here: %v: %s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-n", self, "-test.run=^TestRoaming$", "-test.v")
	cmd.Env = append(os.Environ(), ownNetwork+"="+part)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
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

// carried returns how many bytes have gone over the cable.
func (l *laptop) carried() (n int64) {
	l.t.Helper()
	b, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		l.t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(b), "vdh0:")
	fields := strings.Fields(line) // the received bytes come first, the sent ones ninth
	for _, i := range []int{0, 8} {
		v, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			l.t.Fatal(err)
		}
		n += v
	}
	return n
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

// command returns the program as a process of the laptop that has not begun.
func (l *laptop) command(r *trial, args ...string) *exec.Cmd {
	l.t.Helper()
	cmd := r.command(args...)
	path, err := exec.LookPath("nsenter")
	r.do(err)
	cmd.Path, cmd.Args = path, append([]string{path, "-t", l.pid, "-n"}, cmd.Args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// node runs the laptop's own member of the swarm.
func (l *laptop) node(r *trial) {
	l.t.Helper()
	cmd := l.command(r, "node", "--listen", "/ip4/0.0.0.0/tcp/17035", "--capacity", "1GB", "--name", "laptop")
	r.do(cmd.Start())
	l.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
	r.do(r.swarm.Settle(l.t.Context(), r.swarm.Len()+1))
}

// loses runs the program on the laptop, and pulls the cable when it is at work. When it says that it waits, and who is left,
// and meanwhile was done, the cable goes in again; the program has to end well. It returns what that printed.
func (l *laptop) loses(r *trial, left string, meanwhile func(), args ...string) string {
	l.t.Helper()
	cmd := l.command(r, args...)
	var out bytes.Buffer
	var errs said
	cmd.Stdout, cmd.Stderr = &out, &errs
	r.do(cmd.Start())
	begin := time.Now()
	for before := l.carried(); l.carried() < before+20<<20; { // of more than 100 MiB
		if time.Since(begin) > 30*time.Second {
			l.t.Fatalf("vdh %v has not come far in %v: %s", args, time.Since(begin), errs.text())
		}
	}
	l.ip("link", "set", "vdh0", "down")
	l.await(&errs, "waiting for the swarm: "+left)
	waited := time.Since(begin)
	meanwhile()
	l.ip("link", "set", "vdh0", "up")
	back := time.Now()
	stop := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	if code := exitOf(l.t, cmd.Wait()); code != 0 {
		l.t.Fatalf("vdh %v: exit code %d\n%s", args, code, errs.text())
	}
	took := time.Since(back)
	l.t.Logf("%s: said to wait after %v; done %v after the network was back; %s", args[0], waited.Round(time.Millisecond),
		took.Round(time.Millisecond), errs.text())
	if took > time.Minute {
		l.t.Errorf("vdh %v goes on %v after the network was back", args, took)
	}
	return strings.TrimSpace(out.String())
}

// lacks begins a backup on the laptop while the cable is out.
func (l *laptop) lacks(r *trial) {
	l.t.Helper()
	r.source(10, 1<<20)
	l.ip("link", "set", "vdh0", "down")
	cmd := l.command(r, "backup", "src")
	var out bytes.Buffer
	var errs said
	cmd.Stdout, cmd.Stderr = &out, &errs
	r.do(cmd.Start())
	stop := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	l.await(&errs, "waiting for the swarm: no member answers; it is given up in 59m5")
	ls := l.command(r, "ls", "latest")
	var lists said
	ls.Stderr = &lists
	r.do(ls.Start())
	l.await(&errs, "no member answers; it is given up in 59m2") // a client that is not patient has given up by then, after 30 s
	code := exitOf(l.t, ls.Wait())                              // nobody lists a snapshot and waits an hour for it
	if text := lists.text(); code != exitUnavailable || !strings.Contains(text, "no member answers; it is given up in 25s") {
		l.t.Errorf("ls: exit code %d\n%s", code, text)
	}
	l.ip("link", "set", "vdh0", "up")
	if code := exitOf(l.t, cmd.Wait()); code != 0 || !strings.HasPrefix(out.String(), "vac:") {
		l.t.Fatalf("exit code %d\n%s", code, errs.text())
	}
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
