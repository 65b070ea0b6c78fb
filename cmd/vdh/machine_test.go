package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ventidhash/dhash/node"
	"ventidhash/snapshot/catalog"
)

// keptID returns which member the list keeps of the machines, all of which have one name.
func (c *pondClient) keptID() string {
	c.t.Helper()
	a, _, _ := c.begin()
	a.storePath = swarmWord
	cat, err := a.snapshots(c.t.Context())
	c.do(err)
	all, err := cat.Machines(c.t.Context())
	c.do(err)
	if len(all) != 1 {
		c.t.Fatalf("%d machines are kept", len(all))
	}
	f, err := memberOf(all[0])
	c.do(err, a.close())
	return f.ID().String()
}

// id returns which member the machine is.
func (c *pondClient) id() string {
	c.t.Helper()
	f, err := node.OpenFolder(filepath.Join(c.home, "data/vdh/swarm"))
	c.do(err)
	return f.ID().String()
}

// sequence returns the number of the list on the machine, 0 if there is none.
func (c *pondClient) sequence() uint64 {
	c.t.Helper()
	a, _, _ := c.begin()
	a.storePath = swarmWord
	cat, err := a.snapshots(c.t.Context())
	c.do(err)
	h, err := cat.Head()
	if errors.Is(err, catalog.ErrNoHead) {
		err = nil
	}
	c.do(err, a.close())
	return h.Sequence
}

// keeps backs up, and holds that the list then keeps a machine; told says whether it is said that this is another one.
func (c *pondClient) keeps(id string, told bool) {
	c.t.Helper()
	c.vdh(exitOK, "snapshots")
	before := c.sequence()
	said := c.vdh(exitOK, "backup", c.fill(1, 10_000))
	if got := c.keptID(); got != id {
		c.t.Errorf("%s is kept, not %s\n%s", got, id, said)
	}
	if strings.Contains(said, "another machine is called") != told || told && !strings.Contains(said, shortID(id)) {
		c.t.Errorf("said:\n%s", said)
	}
	if now := c.sequence(); now != before+1 {
		c.t.Errorf("the list was number %d, and is number %d", before, now)
	}
}

// TestNamesakes has two machines of one identity that have one name, and run nodes: the place of the one that was first is
// kept for as long as it is a member.
func TestNamesakes(t *testing.T) {
	p := newPond(t, 3)
	a, b := p.on(1), p.on(2)
	a.vdh(exitOK, "init")
	identity, err := os.ReadFile(filepath.Join(a.home, "data/vdh/identity"))
	p.do(err, os.WriteFile(filepath.Join(b.home, "data/vdh/identity"), identity, 0o600))
	a.keeps(a.id(), false)
	for range 2 {
		b.keeps(a.id(), true)
		a.keeps(a.id(), false)
	}
	p.end(1)
	banned := a.id()
	p.on(0).vdh(exitOK, "swarm", "ban", banned)
	p.until("the ban is known", func() bool {
		f, err := node.OpenFolder(p.folders[2].Dir)
		return err == nil && f.Manifest != nil && f.Manifest.Revision > 1
	})
	b.keeps(b.id(), false)
}

// TestJoinedAnew has machines that are clients only, so that nobody knows which of them there still are: one that joins anew
// takes the place that it had before; of two machines of one name one replaces the other no more than once.
func TestJoinedAnew(t *testing.T) {
	p := newPond(t, 3)
	a := p.client("a")
	a.vdh(exitOK, "init")
	a.keeps(a.id(), false)
	b := a.beside("b")
	p.nextSecond()
	swarm := filepath.Join(a.home, "data/vdh/swarm")
	p.do(os.Remove(filepath.Join(swarm, "chain")))
	p.join(swarm)
	a.keeps(a.id(), false)
	for range 2 {
		b.keeps(a.id(), true)
		a.keeps(a.id(), false)
	}
	c := a.beside("c") // joins later than what is kept was noted, as a machine with another disk would
	p.nextSecond()
	p.do(os.Remove(filepath.Join(c.home, "data/vdh/swarm/chain")))
	p.join(filepath.Join(c.home, "data/vdh/swarm"))
	c.keeps(c.id(), false)
	for range 2 {
		a.keeps(c.id(), true)
		c.keeps(c.id(), false)
	}
}
