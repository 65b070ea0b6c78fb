package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/node"
	"ventidhash/dhash/sim/procs"
	"ventidhash/snapshot/equal"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// A trial is a swarm whose members are processes, and a machine that is a client of it.
type trial struct {
	*machine
	swarm *procs.Swarm
}

// newTrial starts a swarm of such a code; the zero code leaves it to the policy. The members are this test binary, run as
// vdh node with args.
func newTrial(t *testing.T, members int, code dhash.Code, capacity func(i int) string, args ...string) *trial {
	t.Helper()
	t.Setenv(asProgram, "1")
	t.Setenv("GORACE", noSleep)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "vdh-test-") // t.TempDir's names are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "members.log"))
	if err != nil {
		t.Fatal(err)
	}
	m := procs.DefaultManifest()
	m.Code, m.MilliNines = code, 1500 // what three members can reach
	if len(args) > 0 {
		m.Grace = 12 * time.Second // of those who keep themselves while the test looks on
	}
	s, err := procs.Start(t.Context(), procs.Config{Program: self, Dir: filepath.Join(dir, "members"), Members: members,
		Manifest: m, Capacity: capacity, Args: args, Output: log})
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), log.Close()); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("what the members said last:%s", tailOf(log.Name()))
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err == nil {
		err = s.Invite(filepath.Join(dir, "data"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return &trial{&machine{t: t, dir: dir, store: swarmWord}, s}
}

func (r *trial) do(errs ...error) {
	r.t.Helper()
	if err := errors.Join(errs...); err != nil {
		r.t.Fatal(err)
	}
}

// source makes a tree of about size bytes, and returns its folder.
func (r *trial) source(seed uint64, size int) string {
	dir := filepath.Join(r.dir, "src")
	fillTree(r.t, dir, seed, size)
	return dir
}

// brings checks that a restore brings back all of dir, and returns how long it took.
func (r *trial) brings(score, dir string) time.Duration {
	r.t.Helper()
	target, err := os.MkdirTemp(r.dir, "out")
	r.do(err)
	begin := time.Now()
	r.must("restore", "-q", score+dir, "--target", target)
	took := time.Since(begin)
	_, err = equal.Trees(r.t.Context(), equal.Config{Source: dir, Copy: target, Differs: func(path, what string) {
		r.t.Errorf("restored %s: %s", path, what)
	}})
	r.do(err)
	return took
}

// kill ends members without warning.
func (r *trial) kill(members ...int) {
	r.t.Helper()
	for _, i := range members {
		r.do(r.swarm.Kill(i))
	}
}

// withoutRace skips a test of many processes that .ci/run plays without the race detector, with which it takes minutes.
func withoutRace(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("takes minutes with the race detector")
	}
}

// TestLoss takes a swarm through what its members may suffer: one hangs, one comes back at another address, as many are
// lost as the code allows, one more is, and that one returns.
func TestLoss(t *testing.T) {
	withoutRace(t)
	const members, slow = 8, 20 * time.Second
	r := newTrial(t, members, dhash.Code{Need: 3, Total: members}, nil)
	dir := r.source(1, 3<<20)

	r.do(r.swarm.Signal(2, syscall.SIGSTOP))
	begin := time.Now()
	score := r.must("backup", "-q", dir)
	put := time.Since(begin)
	get := r.brings(score, dir)
	t.Logf("with one that hangs: put in %v, get in %v", put, get)
	if put > 3*slow || get > slow {
		t.Error("a member that hangs holds up all")
	}
	r.do(r.swarm.Signal(2, syscall.SIGCONT))
	whole := filepath.Join(r.dir, "src", "more") // all members get their part of this
	fillTree(t, whole, 2, 3<<20)
	score = r.store(whole, "5", "7")

	r.do(r.swarm.Stop(1), r.swarm.Run(1), r.swarm.Settle(t.Context(), members))
	r.kill(0, 2, 3, 4, 5) // the one that founded the swarm among them
	t.Logf("with 3 of 8 left, one of them at a new address: get in %v", r.brings(score, whole))

	r.do(r.swarm.Stop(6)) // a member that is killed in its first minute has not noted where the others are
	one := score + filepath.Join(whole, "d0", "0")
	begin = time.Now()
	code, out, errs := r.run("cat", one)
	took := time.Since(begin)
	t.Logf("with 2 of 8 left: exit code %d in %v: %s", code, took, errs)
	if code != exitUnavailable || out != "" || took > slow {
		t.Errorf("exit code %d in %v, printed %d bytes", code, took, len(out))
	}
	begin = time.Now()
	r.do(r.swarm.Run(6))
	for code != exitOK { // until word is round where it is now
		if code, _, errs = r.run("cat", one); code != exitOK && (code != exitUnavailable || time.Since(begin) > slow) {
			t.Fatalf("one is back since %v: exit code %d: %s", time.Since(begin), code, errs)
		}
	}
	t.Logf("with 3 of 8 again: found after %v, then get in %v", time.Since(begin), r.brings(score, whole))
}

// TestKilledMember kills a member while it is being written to. After each restart every block is there that the writer
// was told is stored; the member is alone, so that no other can answer for it.
func TestKilledMember(t *testing.T) {
	withoutRace(t)
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	r := newTrial(t, 1, dhash.Code{}, nil)
	stored := map[venti.Score][]byte{}
	for round := range rounds {
		c := r.dial()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			r.write(c, uint64(round), stored)
		}()
		time.Sleep(time.Duration(100+200*round) * time.Millisecond) // any moment will do
		r.kill(0)
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Fatal("a put of which the member was killed does not end")
		}
		_ = c.Close() // it may say what it could not do
		r.do(r.swarm.Run(0), r.swarm.Settle(t.Context(), 1))
		c = r.dial()
		for s, want := range stored {
			got, err := c.Get(t.Context(), s)
			if err != nil || string(got) != string(want) {
				t.Fatalf("round %d: block %s was acknowledged: %v", round, s.Short(), err)
			}
		}
		r.do(c.Close())
		t.Logf("round %d: %d blocks were acknowledged, and are there", round, len(stored))
	}
	if len(stored) == 0 {
		t.Error("nothing was acknowledged, so nothing was tested")
	}
}

// dial joins as a client.
func (r *trial) dial() *node.Client {
	r.t.Helper()
	f, err := node.OpenFolder(procs.FolderIn(filepath.Join(r.dir, "data")))
	r.do(err)
	st, err := r.swarm.Status(r.t.Context(), 0)
	r.do(err)
	f.Seeds = nil // a member has another address after each start
	for _, text := range st.Addrs {
		a, err := ma.NewMultiaddr(text)
		r.do(err)
		f.Seeds = append(f.Seeds, a)
	}
	owner := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	c, err := node.Dial(r.t.Context(), node.ClientConfig{Folder: f, Owner: owner})
	r.do(err)
	return c
}

// write puts blocks until that fails, and notes those that a Sync has acknowledged.
func (r *trial) write(c *node.Client, seed uint64, stored map[venti.Score][]byte) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	for i := uint64(0); ; i++ {
		batch := map[venti.Score][]byte{}
		for j := range uint64(4) {
			b := ventitest.Random(seed<<32+i<<8+j, 20_000)
			s, err := c.Put(ctx, b)
			if err != nil {
				return
			}
			batch[s] = b
		}
		if c.Sync(ctx) != nil || c.Report().Below > 0 {
			return
		}
		for s, b := range batch {
			stored[s] = b
		}
	}
}

// TestFullMember has one member that lends next to nothing: what it cannot take, others do or the block does without.
func TestFullMember(t *testing.T) {
	r := newTrial(t, 8, dhash.Code{Need: 3, Total: 8}, func(i int) string {
		if i == 3 {
			return "200KB"
		}
		return "1GB"
	})
	dir := r.source(3, 6<<20)
	code, out, errs := r.run("backup", "-q", dir)
	if code != exitOK && code != exitRedundancy {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	score := strings.TrimSpace(out)
	r.brings(score, dir)
	st, err := r.swarm.Status(t.Context(), 3)
	r.do(err)
	if st.Used > 400_000 {
		t.Errorf("it lends 200 KB and holds %d bytes", st.Used)
	}
	r.kill(0, 1, 2, 4) // all blocks have seven fragments
	r.brings(score, dir)
}

// TestFolders holds that a member does not serve a folder of fragments that is not its own, or that is not there.
func TestFolders(t *testing.T) {
	r := newTrial(t, 3, dhash.Code{Need: 1, Total: 3}, nil)
	r.must("backup", "-q", r.source(4, 100_000))
	fragments := func(i int) string { return filepath.Join(procs.FolderIn(r.swarm.Dir(i)), "fragments") }
	r.do(r.swarm.Stop(1), r.swarm.Stop(2), os.Rename(fragments(1), fragments(1)+".away"))
	r.refuses(1, "missing")
	r.do(os.Mkdir(fragments(1), 0o700))
	r.refuses(1, "an empty folder in its place: its disk is not mounted")
	r.do(os.Remove(fragments(1)), os.Rename(fragments(2), fragments(1)))
	r.refuses(1, "that of another member")
	r.do(os.Rename(fragments(1), fragments(2)), os.Rename(fragments(1)+".away", fragments(1)))
	r.do(r.swarm.Run(1), r.swarm.Run(2), r.swarm.Settle(t.Context(), 3))
}

// refuses checks that member i, which is down, ends by itself with an error when it is started.
func (r *trial) refuses(i int, why string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	cmd := r.command("node", "--listen", "/ip4/127.0.0.1/tcp/0", "--capacity", "1GB")
	cmd.Env = procs.Environ(r.swarm.Dir(i))
	var errs strings.Builder
	cmd.Stderr = &errs
	r.do(cmd.Start())
	stop := context.AfterFunc(ctx, func() { cmd.Process.Kill() })
	defer stop()
	if code := exitOf(r.t, cmd.Wait()); code != exitFailed {
		r.t.Errorf("the folder is %s: exit code %d\n%s", why, code, errs.String())
	}
	lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
	r.t.Logf("%s: %s", why, lines[len(lines)-1])
}
