package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/claim"
	"ventidhash/dhash/node"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// TestPruneSwarm forgets two of three snapshots: the members give up what only these needed, and what is kept comes back.
func TestPruneSwarm(t *testing.T) {
	const members = 5
	p := newPond(t, members)
	c := p.client("a")
	dir, first, second := c.backups(1 << 20)
	c.fill(3, 1<<20)
	third := c.backup(dir)
	c.vdh(exitOK, "forget", first, second)
	for _, old := range []string{first, second} {
		c.vdh(exitOK, "cat", old+dir+"/deep/small") // nothing has gone
	}
	before := make([]int64, members)
	for i, n := range p.nodes {
		before[i], _ = p.lent(i)
		if l := n.Lent(); len(l) != 1 || l[0].Heartbeat.IsZero() {
			t.Errorf("a backup sends a heartbeat: member %d heard %+v", i, l)
		}
	}
	p.nextSecond()
	if s, _ := c.prune(exitOK); s.Fragments != 0 || s.Unneeded == 0 || s.Told != members {
		t.Errorf("what was stored today stays, for another machine may be about to use it: %+v", s)
	}
	if s, _ := c.prune(exitOK, "--dry-run", "--alone"); s.Lenders != 0 || !s.DryRun {
		t.Errorf("dry run: %+v", s)
	}
	s, lines := c.prune(exitOK, "--alone")
	if s.Snapshots != 1 || s.Told != members || s.Fragments == 0 || s.WaitingFr != 0 {
		t.Errorf("%+v", s)
	}
	released := int64(0)
	for i, n := range p.nodes {
		claims, trash := p.lent(i)
		l := lines[n.Status().ID]
		if claims >= before[i] || trash == 0 || l.Fragments != before[i]-claims {
			t.Errorf("member %d: %d claims before, %d after, %d fragments in the trash; it said %+v", i, before[i], claims, trash, l)
		}
		released += l.Fragments
	}
	if released != s.Fragments {
		t.Errorf("the members released %d, the summary says %d", released, s.Fragments)
	}
	c.brings(third, dir)
	if out := c.vdh(exitOK, "check"); strings.Contains(out, "damaged") {
		t.Errorf("%s", out)
	}
	if s, _ := c.prune(exitOK, "--alone", "--retain"); s.Fragments != 0 || s.Told != members {
		t.Errorf("a second time, with all that is needed: %+v", s)
	}
	c.brings(third, dir)
	if out := c.vdh(exitOK, "status"); !strings.Contains(out, "I use") || !strings.Contains(out, "on 5 members") {
		t.Errorf("%s", out)
	}
}

// TestPruneByNode prunes on a machine whose node runs: statements go by way of it, also to itself.
func TestPruneByNode(t *testing.T) {
	const members = 3
	p := newPond(t, members)
	c := p.on(1)
	dir, first, second := c.backups(500_000)
	c.vdh(exitOK, "forget", first)
	p.nextSecond()
	s, lines := c.prune(exitOK, "--alone")
	if s.Told != members || s.Fragments == 0 || len(lines) != members {
		t.Errorf("%+v", s)
	}
	for i := range p.nodes {
		if _, trash := p.lent(i); trash == 0 {
			t.Errorf("member %d has no trash", i)
		}
	}
	if s, _ := c.prune(exitOK, "--alone"); !s.Idle {
		t.Errorf("with nothing to do: %+v", s)
	}
	c.brings(second, dir)
	out := c.vdh(exitOK, "status")
	for _, want := range []string{"to owner", "heard ", "trash", "I use"} {
		if !strings.Contains(out, want) {
			t.Errorf("status does not say %q:\n%s", want, out)
		}
	}
	var line statusLine
	a, o, _ := c.begin()
	if code := a.execute(t.Context(), []string{"status", "--json"}); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	text, _, _ := strings.Cut(o.String(), "\n")
	c.do(json.Unmarshal([]byte(text), &line))
	if len(line.Lends) != 1 || line.Lends[0].Bytes == 0 || line.Uses == nil || line.Uses.Members != members || line.Uses.Bytes == 0 {
		t.Errorf("%s", text)
	}
}

// TestPruneUnreached has a member that is down while its owner prunes: it is told the next time.
func TestPruneUnreached(t *testing.T) {
	const members = 4
	p := newPond(t, members)
	c := p.client("a")
	dir, first, second := c.backups(500_000)
	c.vdh(exitOK, "forget", first)
	before, _ := p.lent(3)
	p.end(3)
	p.nextSecond()
	if s, lines := c.prune(exitRedundancy, "--alone"); s.Lenders != members || s.Told != members-1 || s.Fragments == 0 {
		t.Errorf("%+v %+v", s, lines)
	}
	p.run(3)
	p.settle(members)
	if claims, _ := p.lent(3); claims != before {
		t.Errorf("it has %d of %d claims", claims, before)
	}
	p.nextSecond() // it has to have run for a while
	s, lines := c.prune(exitOK, "--alone")
	claims, trash := p.lent(3)
	if l := lines[p.nodes[3].Status().ID]; l.Fragments == 0 || l.Fragments != s.Fragments || claims+l.Fragments != before || trash == 0 {
		t.Errorf("%+v, %d claims, %d in the trash; %+v", l, claims, trash, s)
	}
	c.brings(second, dir)
}

// TestPruneUnread holds that nothing is let go while something that is kept cannot be read, and that it is afterwards.
func TestPruneUnread(t *testing.T) {
	const members = 3
	p := newPond(t, members)
	c := p.client("a")
	_, first, _ := c.backups(100_000)
	c.vdh(exitOK, "forget", first)
	before, _ := p.lent(0)
	p.end(1)
	p.end(2)
	p.nextSecond()
	c.prune(exitUnavailable, "--alone")
	if claims, trash := p.lent(0); claims != before || trash != 0 {
		t.Errorf("%d of %d claims, %d in the trash", claims, before, trash)
	}
	p.run(1)
	p.run(2)
	p.settle(members)
	p.nextSecond()
	if s, _ := c.prune(exitOK, "--alone"); s.Fragments == 0 || s.Told != members {
		t.Errorf("%+v", s)
	}
}

// TestPruneBeside prunes while a backup runs that uses what a forgotten snapshot left: nothing of it is missed.
func TestPruneBeside(t *testing.T) {
	p := newPond(t, 3)
	c := p.client("a")
	dir := c.fill(1, 2<<20)
	kept := c.backup(dir)
	stream := ventitest.Random(99, 3<<20)
	name := filepath.Join(c.home, "stream")
	writeFile(t, name, stream)
	c.vdh(exitOK, "forget", c.backup(name))
	p.nextSecond()

	in, feed := io.Pipe()
	a, out, errs := c.begin()
	a.in = in
	ended := make(chan int)
	go func() { ended <- a.execute(t.Context(), []string{"backup", "-q", "--stdin"}) }()
	if _, err := feed.Write(stream); err != nil {
		t.Fatal(err)
	}
	if s, _ := c.prune(exitOK, "--alone"); s.Running != 1 || s.Unneeded == 0 || s.Fragments != 0 {
		t.Errorf("beside a backup: %+v", s)
	}
	c.do(feed.Close())
	if code := <-ended; code != exitOK {
		t.Fatalf("the backup beside a prune: exit code %d\n%s%s", code, out, errs)
	}
	p.nextSecond()
	if s, _ := c.prune(exitOK, "--alone", "--retain"); s.Running != 0 {
		t.Errorf("afterwards: %+v", s)
	}
	if got := c.vdh(exitOK, "cat", strings.TrimSpace(out.String())+"/stdin"); got != strings.TrimSpace(string(stream)) {
		t.Errorf("%d bytes came back", len(got))
	}
	c.brings(kept, dir)
}

// TestPruneOthers has two owners in a swarm, of whom one lets nearly everything go: it has to say so twice, and the other
// does not lose anything.
func TestPruneOthers(t *testing.T) {
	const members = 3
	p := newPond(t, members)
	a, b := p.client("a"), p.client("b")
	theirs := b.fill(1, 300_000)
	score := b.backup(theirs)
	others := p.nodes[0].Lent()[0]

	big := filepath.Join(a.home, "big")
	writeFile(t, big, ventitest.Random(5, 130<<20))
	all := a.backup(big)
	dir := a.fill(1, 300_000)
	kept := a.backup(dir)
	a.vdh(exitOK, "forget", all)
	most, before := 0, int64(0) // on a slow machine some may lag; the one who has the most has two thirds
	for i := range p.nodes {
		if claims, _ := p.lent(i); claims > before {
			most, before = i, claims
		}
	}
	p.nextSecond()
	s, lines := a.prune(exitOK, "--alone")
	l := lines[p.nodes[most].Status().ID]
	if claims, trash := p.lent(most); l.Fragments != 0 || len(l.Waiting) != 1 || s.Told != members || claims != before || trash != 0 {
		t.Errorf("most of it at once: %+v, %+v; %d of %d claims, %d in the trash", s, l, claims, before, trash)
	}
	if out := a.vdh(exitOK, "prune", "--alone"); !strings.Contains(out, "vdh prune --store swarm --confirm") ||
		!strings.Contains(out, "second word") {
		t.Errorf("%s", out)
	}
	if claims, _ := p.lent(most); claims != before {
		t.Errorf("without a second word: %d of %d claims", claims, before)
	}
	p.nextSecond()
	if s, lines := a.prune(exitOK, "--alone", "--confirm"); s.Fragments <= claim.MinBraked || s.WaitingFr != 0 {
		t.Errorf("with a second word: %+v %+v", s, lines)
	}
	a.brings(kept, dir)
	b.brings(score, theirs)
	left := others
	for _, l := range p.nodes[0].Lent() {
		if l.Owner == others.Owner {
			left = l
		}
	}
	if left.Fragments != others.Fragments || left.Bytes != others.Bytes {
		t.Errorf("the other owner had %+v, and has %+v", others, left)
	}
	if files, _ := filepath.Glob(filepath.Join(a.home, "data/vdh/swarm/lenders/*/waiting/*")); len(files) != 0 {
		t.Errorf("left over: %v", files)
	}
}

// beside returns another machine of the same identity.
func (c *pondClient) beside(name string) *pondClient {
	c.t.Helper()
	b := c.client(name)
	identity, err := os.ReadFile(filepath.Join(c.home, "data/vdh/identity"))
	c.do(err, os.WriteFile(filepath.Join(b.home, "data/vdh/identity"), identity, 0o600))
	return b
}

// TestPruneElsewhere has one identity on two machines: each knows what the other keeps, and lets go of nothing else.
func TestPruneElsewhere(t *testing.T) {
	p := newPond(t, 3)
	a := p.client("a")
	dir, first, second := a.backups(200_000)
	a.vdh(exitOK, "forget", first)
	b := a.beside("b")
	theirs := b.fill(1, 200_000)
	score := b.backup(theirs)
	if out := b.vdh(exitOK, "snapshots"); !strings.Contains(out, second[4:16]) || strings.Contains(out, first[4:16]) {
		t.Errorf("what the other machine has done is not known:\n%s", out)
	}
	before, _ := p.lent(0)
	p.nextSecond()
	if s, _ := a.prune(exitOK); s.Told != 3 || s.Snapshots != 2 || s.Fragments != 0 {
		t.Errorf("within a day nothing is let go: %+v", s)
	}
	if claims, trash := p.lent(0); claims != before || trash != 0 {
		t.Errorf("%d of %d claims, %d in the trash", claims, before, trash)
	}
	if s, _ := a.prune(exitOK, "--alone", "--retain"); s.Fragments == 0 || s.Snapshots != 2 {
		t.Errorf("told to be alone: %+v", s)
	}
	if s, _ := b.prune(exitOK, "--alone", "--retain"); s.Fragments != 0 || s.Snapshots != 2 {
		t.Errorf("the other machine: %+v", s)
	}
	a.brings(second, dir)
	a.brings(score, theirs)
	b.brings(score, theirs)
}

// mute is a swarm whose members do not answer about heads.
type mute struct{ swarmStore }

func (mute) Heads(context.Context, dhash.Owner) (node.FoundHeads, error) {
	return node.FoundHeads{}, venti.ErrUnavailable
}

func (mute) PublishHead(context.Context, venti.Head) (node.PublishedHead, error) {
	return node.PublishedHead{}, venti.ErrUnavailable
}

// muted runs the program on the machine while no member answers about heads.
func (c *pondClient) muted(want int, args ...string) (out, errs string) {
	c.t.Helper()
	a, o, e := c.begin()
	a.mute()
	c.executes(a, want, args, o, e)
	return strings.TrimSpace(o.String()), e.String()
}

// mute makes the members not answer the program about heads.
func (a *app) mute() {
	a.dial = func(ctx context.Context, create bool) (swarmStore, error) {
		s, err := a.openSwarm(ctx, create)
		return mute{s}, err
	}
}

// TestPruneLate has a backup that could not be published, and is made of blocks that another machine lets go of meanwhile:
// it claims them anew, out of the trash, before anybody hears of it.
func TestPruneLate(t *testing.T) {
	p := newPond(t, 3)
	a := p.client("a")
	dir := a.fill(1, 500_000)
	first := a.backup(dir)
	b := a.beside("b")
	b.vdh(exitOK, "snapshots")
	late, errs := b.muted(exitRedundancy, "backup", "-q", dir)
	if !strings.Contains(errs, "other machines find") || late == "" {
		t.Fatalf("%q, %s", late, errs)
	}
	if out := a.vdh(exitOK, "snapshots"); strings.Contains(out, late[4:16]) {
		t.Fatalf("it is published:\n%s", out)
	}

	// Nothing is let go by a machine that cannot know what others have.
	was := dir + ".was"
	a.do(os.Rename(dir, was))
	a.fill(2, 500_000)
	a.backup(dir)
	a.vdh(exitOK, "forget", first)
	p.nextSecond()
	if _, errs := a.muted(exitUnavailable, "prune", "--alone"); !strings.Contains(errs, "nothing was let go") {
		t.Error(errs)
	}
	if s, _ := a.prune(exitOK, "--alone", "--retain"); s.Fragments == 0 {
		t.Fatalf("nothing was let go: %+v", s)
	}
	thrown := p.trash()

	told := b.vdh(exitOK, "snapshots")
	if out := a.vdh(exitOK, "snapshots"); !strings.Contains(out, late[4:16]) {
		t.Fatalf("it is not published:\n%s\n%s", out, told)
	}
	p.nextSecond()
	if s, _ := a.prune(exitOK, "--alone", "--retain"); s.Snapshots != 2 {
		t.Errorf("%+v", s)
	}
	if left := p.trash(); left >= thrown {
		t.Errorf("%d fragments are in the trash, and were %d before what the late snapshot needs was claimed", left, thrown)
	}
	a.do(os.RemoveAll(dir), os.Rename(was, dir))
	a.brings(late, dir)
}
