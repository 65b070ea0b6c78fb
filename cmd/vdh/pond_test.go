package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ma "github.com/multiformats/go-multiaddr"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/snapshot/equal"
	"ventidhash/venti/ventitest"
)

// A pond is a small swarm in this process, whose members let things go at once, and machines that are clients of it.
type pond struct {
	t       *testing.T
	dir     string
	founder *node.Folder
	folders []*node.Folder
	nodes   []*node.Node
	stop    []func()
	limits  claim.Limits
}

func newPond(t *testing.T, members int) *pond {
	t.Helper()
	dir, err := os.MkdirTemp("", "vdh-pond-") // t.TempDir's names are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	p := &pond{t: t, dir: dir, limits: claim.Limits{ConfirmAfter: time.Second, StartPause: time.Nanosecond}}
	t.Cleanup(func() {
		for i := range p.nodes {
			p.end(i)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	f, err := node.Found(filepath.Join(dir, "m0/data/vdh/swarm"), &member.Manifest{Name: "pond", MilliNines: 500, Availability: 900_000,
		Code: dhash.Code{Need: 2, Total: members}}, time.Now())
	p.do(err)
	p.founder, p.folders = f, []*node.Folder{f}
	p.run(0)
	for i := 1; i < members; i++ {
		p.folders = append(p.folders, p.join(filepath.Join(dir, fmt.Sprint("m", i), "data/vdh/swarm")))
		p.run(i)
	}
	p.settle(members)
	return p
}

func (p *pond) do(errs ...error) {
	p.t.Helper()
	for _, err := range errs {
		if err != nil {
			p.t.Fatal(err)
		}
	}
}

// join makes a folder that of one more member.
func (p *pond) join(dir string) *node.Folder {
	p.t.Helper()
	var seeds []ma.Multiaddr
	for _, text := range p.nodes[0].Status().Addrs {
		a, err := ma.NewMultiaddr(text)
		p.do(err)
		seeds = append(seeds, a)
	}
	now := time.Now()
	v, err := member.Invite(p.founder.Swarm, nil, p.founder.Founder, now, now.Add(time.Hour), 0, "test", seeds)
	p.do(err)
	f, err := node.Join(dir, v, "test", now)
	p.do(err)
	return f
}

// run starts member i.
func (p *pond) run(i int) {
	p.t.Helper()
	f, err := node.OpenFolder(p.folders[i].Dir)
	p.do(err)
	n, err := node.Open(p.t.Context(), node.Config{Folder: f, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Name: fmt.Sprint(i),
		Domain: fmt.Sprintf("site%d/host", i), Capacity: 1 << 30, Upkeep: node.Upkeep{Limits: p.limits}})
	p.do(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	if i == len(p.nodes) {
		p.nodes, p.stop = append(p.nodes, nil), append(p.stop, nil)
	}
	p.nodes[i], p.stop[i] = n, func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Errorf("member %d: %v", i, err)
		}
	}
}

func (p *pond) end(i int) {
	if p.stop[i] != nil {
		p.stop[i]()
		p.stop[i] = nil
	}
}

// settle waits until all members that run see so many alive.
func (p *pond) settle(alive int) {
	p.t.Helper()
	p.until("all see each other", func() bool {
		for i, n := range p.nodes {
			if p.stop[i] != nil && n.Status().Alive != alive {
				return false
			}
		}
		return true
	})
}

func (p *pond) until(what string, ok func() bool) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("never: %s", what)
		}
	}
}

// nextSecond waits until the clock shows another second: claims and cut-offs are in whole ones.
func (p *pond) nextSecond() {
	begin := time.Now().Unix()
	p.until("the clock goes", func() bool { return time.Now().Unix() > begin+1 })
}

// lent returns what member i lends.
func (p *pond) lent(i int) (fragments, trash int64) {
	st := p.nodes[i].Status()
	for _, l := range p.nodes[i].Lent() {
		fragments += l.Fragments
	}
	return fragments, st.Care.Trash
}

// trash returns how many fragments all members together have in their trash.
func (p *pond) trash() (all int64) {
	for i := range p.nodes {
		_, trash := p.lent(i)
		all += trash
	}
	return all
}

// A pondClient is a machine with an identity of its own that stores with a pond.
type pondClient struct {
	*pond
	home string
}

func (p *pond) client(name string) *pondClient {
	p.t.Helper()
	c := &pondClient{p, filepath.Join(p.dir, name)}
	p.join(filepath.Join(c.home, "data/vdh/swarm"))
	return c
}

// on returns the machine of member i.
func (p *pond) on(i int) *pondClient { return &pondClient{p, filepath.Join(p.dir, fmt.Sprint("m", i))} }

// begin prepares a run of the program on the machine.
func (c *pondClient) begin() (a *app, out, errs *bytes.Buffer) {
	for _, name := range []string{"data", "cache", "config"} {
		c.t.Setenv("XDG_"+strings.ToUpper(name)+"_HOME", filepath.Join(c.home, name))
	}
	c.t.Setenv("VDH_STORE", "swarm")
	out, errs = new(bytes.Buffer), new(bytes.Buffer)
	return newApp(strings.NewReader(""), out, errs), out, errs
}

func (c *pondClient) vdh(want int, args ...string) string {
	c.t.Helper()
	a, out, errs := c.begin()
	c.executes(a, want, args, out, errs)
	return strings.TrimSpace(out.String()) + errs.String()
}

// executes runs a program that was begun, which has to end with such an exit code.
func (c *pondClient) executes(a *app, want int, args []string, out, errs *bytes.Buffer) {
	c.t.Helper()
	if code := a.execute(c.t.Context(), args); code != want {
		c.t.Fatalf("vdh %v: exit code %d, not %d\n%s%s", args, code, want, out, errs)
	}
}

// prune runs vdh prune --json, and returns its summary and the lenders' lines.
func (c *pondClient) prune(want int, args ...string) (s swarmPruneSummary, lines map[string]lenderLine) {
	c.t.Helper()
	a, out, errs := c.begin()
	c.executes(a, want, append([]string{"prune", "--json"}, args...), out, errs)
	lines = map[string]lenderLine{}
	for text := range strings.Lines(out.String()) {
		var l lenderLine
		c.do(json.Unmarshal([]byte(text), &l))
		if l.Type == "lender" {
			lines[l.ID] = l
		} else {
			c.do(json.Unmarshal([]byte(text), &s))
		}
	}
	return s, lines
}

// fill makes the files in a folder of the machine, a third of which each seed changes.
func (c *pondClient) fill(seed uint64, size int) string {
	dir := filepath.Join(c.home, "src")
	c.do(os.RemoveAll(dir))
	writeFile(c.t, filepath.Join(dir, "same"), ventitest.Random(1, size))
	writeFile(c.t, filepath.Join(dir, fmt.Sprint("changed", seed)), ventitest.Random(seed+100, size))
	writeFile(c.t, filepath.Join(dir, "deep/small"), fmt.Append(nil, "small ", seed))
	return dir
}

// backup makes a snapshot of what is in the folder.
func (c *pondClient) backup(dir string) string {
	c.t.Helper()
	a, out, errs := c.begin()
	c.executes(a, exitOK, []string{"backup", "-q", dir}, out, errs)
	return strings.TrimSpace(out.String())
}

// backups makes two snapshots of a folder, the second of which has two thirds of what is in the first.
func (c *pondClient) backups(size int) (dir, first, second string) {
	c.t.Helper()
	dir = c.fill(1, size)
	first = c.backup(dir)
	c.fill(2, size)
	return dir, first, c.backup(dir)
}

// brings restores a snapshot and compares it with a folder.
func (c *pondClient) brings(score, dir string) {
	c.t.Helper()
	target, err := os.MkdirTemp(c.dir, "out")
	c.do(err)
	c.vdh(exitOK, "restore", "-q", score+dir, "--target", target)
	_, err = equal.Trees(c.t.Context(), equal.Config{Source: dir, Copy: target, Differs: func(path, what string) {
		c.t.Errorf("restored %s: %s", path, what)
	}})
	c.do(err)
}
