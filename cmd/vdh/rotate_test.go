package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
)

// rotate runs vdh key rotate and returns what it says.
func (c *pondClient) rotate(args ...string) (l rotatedLine) {
	c.t.Helper()
	a, out, errs := c.begin()
	if code := a.execute(c.t.Context(), append([]string{"key", "rotate", "--json"}, args...)); code != exitOK {
		c.t.Fatalf("rotate %v: exit code %d\n%s%s", args, code, out, errs)
	}
	c.do(json.Unmarshal(out.Bytes(), &l))
	return l
}

// added runs a backup and returns how many bytes it stored.
func (c *pondClient) added(dir string) int64 {
	c.t.Helper()
	a, out, errs := c.begin()
	if code := a.execute(c.t.Context(), []string{"backup", "--json", dir}); code != exitOK {
		c.t.Fatalf("backup: exit code %d\n%s%s", code, out, errs)
	}
	var s struct {
		Added int64 `json:"bytes_added"`
	}
	c.do(json.Unmarshal(bytes.TrimSpace(out.Bytes()), &s))
	return s.Added
}

// recover brings an identity back by its words, and returns what the program says.
func (c *pondClient) recover(phrase string) string {
	c.t.Helper()
	a, out, errs := c.begin()
	a.in = strings.NewReader(phrase)
	if code := a.execute(c.t.Context(), []string{"recover"}); code != exitOK {
		c.t.Fatalf("recover: exit code %d\n%s%s", code, out, errs)
	}
	return out.String() + errs.String()
}

// owners returns to whom member i lends.
func (p *pond) owners(i int) (keys []string) {
	for _, l := range p.nodes[i].Lent() {
		keys = append(keys, l.Owner)
	}
	return keys
}

func (c *pondClient) identity() *catalog.Owner {
	c.t.Helper()
	o, err := catalog.LoadOwner(filepath.Join(c.home, "data/vdh"))
	c.do(err)
	return o
}

// be makes a machine have the identity of another one.
func (c *pondClient) be(text []byte) {
	c.t.Helper()
	writeFile(c.t, filepath.Join(c.home, "data/vdh/identity"), text)
}

// TestRotateSwarm rotates while a member is away. The members count what they hold for the new identity, the old one can
// read and nothing else, the next backup sends nothing again, and a prune frees what was stored before.
func TestRotateSwarm(t *testing.T) {
	const members, size = 5, 1 << 20
	p := newPond(t, members)
	c, thief := p.client("a"), p.client("b")
	dir := c.fill(1, size)
	first := c.backup(dir)
	c.fill(2, size)
	filled := time.Now()
	second := c.backup(dir)
	c.backup(dir)
	text, err := os.ReadFile(filepath.Join(c.home, "data/vdh/identity"))
	c.do(err)
	thief.be(text)
	was, phrase := hex.EncodeToString(c.identity().PublicKey()), c.identity().Phrase()

	p.end(members - 1)
	p.settle(members - 1)
	l := c.rotate()
	if l.Members != members || l.Told != members-1 || l.Away != 1 || l.Conflicts != 0 || l.Former != was {
		t.Errorf("%+v", l)
	}
	for i := range members - 1 {
		if got := p.owners(i); len(got) != 1 || got[0] != l.Owner {
			t.Errorf("member %d lends to %v", i, got)
		}
	}
	c.brings(second, dir)
	if n := c.added(dir); n > 50_000 {
		t.Errorf("a backup of the same files stores %d bytes again", n)
	}
	if out := c.vdh(exitOK, "check"); strings.Contains(out, "damaged") {
		t.Errorf("%s", out)
	}

	thief.vdh(exitOK, "cat", first+dir+"/deep/small")
	if out := thief.vdh(exitUnavailable, "backup", thief.fill(3, size)); !strings.Contains(out, "handed over") {
		t.Errorf("the old identity stores: %s", out)
	}
	before := make([]int64, members)
	for i := range p.nodes[:members-1] {
		before[i], _ = p.lent(i)
	}
	thief.vdh(exitUnavailable, "prune", "--alone", "--retain", "--empty")
	for i := range p.nodes[:members-1] {
		if now, trash := p.lent(i); now != before[i] || trash != 0 {
			t.Errorf("the old identity releases: member %d has %d claims, %d before, and trash %d", i, now, before[i], trash)
		}
	}

	p.run(members - 1)
	p.settle(members)
	c.backup(dir)
	p.until("the member that was away is told", func() bool {
		if got := p.owners(members - 1); len(got) == 1 && got[0] == l.Owner {
			return true
		}
		c.backup(dir)
		return false
	})
	c.vdh(exitOK, "forget", first)
	p.nextSecond()
	if s, _ := c.prune(exitOK, "--alone"); s.Fragments == 0 || s.Told != members {
		t.Errorf("%+v", s)
	}
	c.brings(second, dir)

	// The old words bring back what there was, and say so; the new ones everything.
	p.until("the files are older than a backup", func() bool { return time.Since(filled) > 3*time.Second })
	c.backup(dir)
	old := p.client("c")
	if out := old.recover(phrase); !strings.Contains(out, "was followed by another one") {
		t.Errorf("recovered by the old words: %s", out)
	}
	old.brings(second, dir)
	fresh := p.client("d")
	if out := fresh.recover(c.identity().Phrase()); strings.Contains(out, "followed") {
		t.Errorf("recovered by the new words: %s", out)
	}
	fresh.brings(second, dir)
	if len(fresh.identity().Former()) != 1 {
		t.Error("the new words do not bring the former identity back")
	}
	if n := fresh.added(dir); n > 50_000 {
		t.Errorf("a backup of the same files on the machine that came back stores %d bytes again", n)
	}

	again := c.rotate()
	if again.Told != members || again.Former != l.Owner || len(c.identity().Former()) != 2 {
		t.Errorf("%+v", again)
	}
	c.brings(second, dir)
	if s, _ := c.prune(exitOK, "--alone", "--retain"); s.Told != members {
		t.Errorf("%+v", s)
	}
	c.brings(second, dir)
	for i := range members {
		if got := p.owners(i); len(got) != 1 || got[0] != again.Owner {
			t.Errorf("member %d lends to %v", i, got)
		}
	}
}

// TestRotateConflict has somebody with the old phrase rotate first: the owner hears of it, and can store anew.
func TestRotateConflict(t *testing.T) {
	const members = 3
	p := newPond(t, members)
	c, thief := p.client("a"), p.client("b")
	dir := c.fill(1, 300_000)
	c.backup(dir)
	text, err := os.ReadFile(filepath.Join(c.home, "data/vdh/identity"))
	c.do(err)
	thief.be(text)
	if l := thief.rotate(); l.Told != members || l.Conflicts != 0 {
		t.Errorf("%+v", l)
	}
	if l := c.rotate(); l.Conflicts != members {
		t.Errorf("%+v", l)
	}
	if out := c.vdh(exitOK, "key", "rotate"); !strings.Contains(out, "member keys") {
		t.Errorf("nothing is said of what the old list holds beside snapshots: %s", out)
	}
	score := strings.Fields(c.vdh(exitOK, "backup", "-q", "--force", dir))[0]
	c.brings(score, dir)
	for i := range members {
		if got := p.owners(i); len(got) != 2 {
			t.Errorf("member %d lends to %v", i, got)
		}
	}
}

// TestRotateInterrupted has a rotation end after each of its steps: the same command, and any other, goes on.
func TestRotateInterrupted(t *testing.T) {
	const members = 3
	for step, undo := range []func(c *pondClient, at location, o, was *catalog.Owner){
		0: func(c *pondClient, at location, o, _ *catalog.Owner) { // the identity alone is in place
			c.do(os.RemoveAll(at.catalog(o)))
		},
		1: func(c *pondClient, at location, o, was *catalog.Owner) { // the list is written, and it is not noted
			c.do(os.Remove(filepath.Join(at.catalog(o), fmt.Sprintf("inherited-%x", []byte(was.PublicKey())))))
		},
		2: func(*pondClient, location, *catalog.Owner, *catalog.Owner) {}, // no member was told
	} {
		for _, verb := range [][]string{{"key", "rotate", "--continue"}, {"backup", "-q", "--force"}} {
			t.Run(fmt.Sprint(step, verb), func(t *testing.T) {
				p := newPond(t, members)
				c := p.client("a")
				dir := c.fill(1, 300_000)
				score := c.backup(dir)
				was := c.identity()
				next, err := was.Next(bytes.NewReader(bytes.Repeat([]byte{7}, 32)))
				c.do(err)
				next, err = catalog.ReplaceOwner(t.Context(), filepath.Join(c.home, "data/vdh"), was, next)
				c.do(err)
				at := location{swarm: true, dir: filepath.Join(c.home, "data/vdh/swarm")}
				if step > 0 {
					c.vdh(exitOK, "snapshots")
				}
				undo(c, at, next, was)
				if verb[0] == "backup" {
					verb = append(verb, dir)
				}
				c.vdh(exitOK, verb...)
				for i := range members {
					if got := p.owners(i); len(got) != 1 || got[0] != hex.EncodeToString(next.PublicKey()) {
						t.Errorf("member %d lends to %v", i, got)
					}
				}
				c.brings(score, dir)
			})
		}
	}
}

// through runs the program on the machine with words on standard input, while the swarm is what around makes of it.
func (c *pondClient) through(around func(swarmStore) swarmStore, want int, in string, args ...string) (out, errs string) {
	c.t.Helper()
	a, o, e := c.begin()
	a.in = strings.NewReader(in)
	a.dial = func(ctx context.Context, create bool) (swarmStore, error) {
		s, err := a.openSwarm(ctx, create)
		return around(s), err
	}
	if code := a.execute(c.t.Context(), args); code != want {
		c.t.Fatalf("vdh %v: exit code %d, not %d\n%s%s", args, code, want, o, e)
	}
	return strings.TrimSpace(o.String()), e.String()
}

// refusing is a swarm whose members take no block.
type refusing struct{ swarmStore }

func (refusing) Put(context.Context, []byte) (venti.Score, error) {
	return venti.Score{}, fmt.Errorf("%w: no room", venti.ErrUnavailable)
}

func (r refusing) PutVital(ctx context.Context, b []byte) (venti.Score, error) { return r.Put(ctx, b) }

// TestRotateNotTakenOver has a machine follow another one to a new identity, whose list cannot be stored there: it goes by
// the old list, about which it asks nobody, so it lets go of nothing, and says that others do not know of its backup.
func TestRotateNotTakenOver(t *testing.T) {
	const members = 3
	p := newPond(t, members)
	a := p.client("a")
	dir := a.fill(1, 300_000)
	first := a.backup(dir)
	b := a.beside("b")
	b.backup(b.fill(2, 300_000))
	a.rotate()
	a.fill(3, 300_000)
	third := a.backup(dir)

	refuse := func(s swarmStore) swarmStore { return refusing{s} }
	_, errs := b.through(refuse, exitFailed, a.identity().Phrase(), "key", "rotate", "--given")
	if !strings.Contains(errs, "not taken over") {
		t.Error(errs)
	}
	before, _ := p.lent(0)
	p.nextSecond()
	_, errs = b.through(refuse, exitUnavailable, "", "prune", "--alone", "--retain")
	if !strings.Contains(errs, "nothing was let go") {
		t.Error(errs)
	}
	if claims, trash := p.lent(0); claims != before || trash != 0 {
		t.Errorf("%d of %d claims, %d in the trash", claims, before, trash)
	}

	blocked := filepath.Join(b.home, "data/vdh/swarm/owners", hex.EncodeToString(a.identity().PublicKey()), "lock")
	a.do(os.RemoveAll(blocked), os.MkdirAll(blocked, 0o700))
	late := strings.Fields(b.vdh(exitRedundancy, "backup", "-q", b.fill(4, 300_000)))[0]
	a.do(os.Remove(blocked))
	out := b.vdh(exitOK, "snapshots")
	for _, score := range []string{first, third, late} {
		if !strings.Contains(out, score[4:16]) {
			t.Errorf("%s is not on the list that is taken over now:\n%s", score, out)
		}
	}
	if out := a.vdh(exitOK, "snapshots"); !strings.Contains(out, late[4:16]) {
		t.Errorf("the other machine does not know:\n%s", out)
	}
	a.brings(third, dir)

	// What the old list here says since is not known.
	former := a.identity().Former()[0]
	list := filepath.Join(b.home, "data/vdh/swarm/owners", hex.EncodeToString(former.PublicKey()))
	writeFile(t, filepath.Join(list, "head"), []byte("?"))
	out = b.vdh(exitFailed, "prune", "--alone", "--retain")
	if !strings.Contains(out, "nothing was let go") || !strings.Contains(out, "remove "+list) {
		t.Error(out)
	}
	a.do(os.RemoveAll(list))
	b.vdh(exitOK, "prune", "--alone", "--retain")
	a.brings(third, dir)
}
