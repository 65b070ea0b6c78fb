package head_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
)

func contains(err error, text string) bool { return strings.Contains(err.Error(), text) }

const interval = 6 * time.Hour

// A pond is members that know each other and compare their shelves.
type pond struct {
	t   *testing.T
	dir string

	mu      sync.Mutex               // protects the following
	shelves map[dhash.ID]*head.Shelf // of members that answer
	stop    map[dhash.ID]context.CancelFunc
	staying []dhash.ID // of whom the table is made
	made    int
}

func newPond(t *testing.T, n int) *pond {
	p := &pond{t: t, dir: t.TempDir(), shelves: map[dhash.ID]*head.Shelf{}, stop: map[dhash.ID]context.CancelFunc{}}
	for range n {
		p.join()
	}
	return p
}

// name adds a member that does not run.
func (p *pond) name() dhash.ID {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made++
	id := dhash.ID(fmt.Sprintf("member %03d", p.made))
	p.staying = append(slices.Clone(p.staying), id)
	return id
}

func (p *pond) join() dhash.ID {
	p.t.Helper()
	id := p.name()
	p.run(id)
	return id
}

// answer has a member answer, from what is on its disk.
func (p *pond) answer(id dhash.ID) *head.Shelf {
	s := open(p.t, head.ShelfConfig{File: filepath.Join(p.dir, string(id))})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shelves[id] = s
	return s
}

func (p *pond) shelf(id dhash.ID) *head.Shelf {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shelves[id]
}

// hang has a member answer no more.
func (p *pond) hang(id dhash.ID) {
	p.stop[id]()
	p.shelf(id).Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.shelves, id)
}

func (p *pond) run(id dhash.ID) {
	k, err := head.NewKeeper(head.KeeperConfig{Self: id, Shelf: p.answer(id), Table: p.table, Interval: interval,
		Near: func(o dhash.Owner) bool { return slices.Contains(p.near(o, head.Keepers+head.Slack), id) },
		Send: func(ctx context.Context, to dhash.ID, heads []venti.Head) ([]head.Verdict, []venti.Head, error) {
			return p.send(ctx, to, heads)
		}})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(p.t.Context())
	p.stop[id] = cancel
	go k.Run(ctx)
}

// leave has a member stop for good.
func (p *pond) leave(id dhash.ID) {
	p.hang(id)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.staying = slices.DeleteFunc(slices.Clone(p.staying), func(o dhash.ID) bool { return o == id })
}

func (p *pond) table() *placement.Table {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []placement.Member
	for _, id := range p.staying {
		list = append(list, placement.Member{ID: id, Key: id.Key()})
	}
	return placement.New(list)
}

func (p *pond) near(o dhash.Owner, n int) (ids []dhash.ID) {
	for _, m := range p.table().Closest(dhash.OwnerKey(o), n) {
		ids = append(ids, m.ID)
	}
	return ids
}

func (p *pond) send(ctx context.Context, to dhash.ID, heads []venti.Head) ([]head.Verdict, []venti.Head, error) {
	if len(heads) == 0 || len(heads) > head.MaxHeads {
		p.t.Errorf("%d heads at once", len(heads))
	}
	s := p.shelf(to)
	if s == nil {
		<-ctx.Done()
		return nil, nil, ctx.Err()
	}
	v := make([]head.Verdict, len(heads))
	of := map[dhash.Owner][]venti.Head{}
	for i, h := range heads {
		of[h.Owner] = append(of[h.Owner], h)
		if !slices.Contains(p.near(h.Owner, head.Keepers+head.Slack), to) {
			v[i] = head.NotMine
			continue
		}
		one, _, err := s.Take([]venti.Head{h}, time.Now())
		if err != nil {
			return nil, nil, err
		}
		v[i] = one[0]
	}
	var newer []venti.Head
	for o, given := range of {
		newer = append(newer, head.Newer(s.Of(o), given)...)
	}
	return v, newer, nil
}

// have returns who has just these heads.
func (p *pond) have(o dhash.Owner, want ...venti.Head) (ids []dhash.ID) {
	for _, id := range p.staying {
		if s := p.shelf(id); s != nil && slices.EqualFunc(s.Of(o), want, head.Equal) {
			ids = append(ids, id)
		}
	}
	return ids
}

func now(n byte, sequence uint64, c byte) venti.Head { return signAt(n, sequence, c, time.Now()) }

// Within an interval, whoever is to keep a head has the newest that any of them has, and all of a conflict; members
// that hang do not stop it, and those that come later get it too.
func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPond(t, 24)
		o, keepers := owner(1), p.near(owner(1), head.Keepers)
		for i, id := range keepers[:5] {
			p.take(id, now(1, uint64(1+i), byte(1+i)))
		}
		hung := p.near(o, 7)[5:]
		for _, id := range hung {
			p.hang(id)
		}
		p.take(keepers[10], now(2, 1, 2))
		p.take(keepers[11], now(2, 1, 3))
		time.Sleep(interval)
		if got := len(p.have(o, now(1, 5, 5))); got < 18 {
			t.Errorf("%d members have the newest head", got)
		}
		if got := len(p.have(owner(2), now(2, 1, 2), now(2, 1, 3))); got < 18 {
			t.Errorf("%d members have both heads in conflict", got)
		}
		for _, id := range hung {
			p.run(id)
		}
		newcomer := p.join()
		time.Sleep(interval)
		for _, id := range p.near(o, head.Keepers) {
			if !slices.Contains(p.have(o, now(1, 5, 5)), id) {
				t.Errorf("%s is to keep the head and has %v", id, p.shelf(id).Of(o))
			}
		}
		if got := p.have(o, now(1, 5, 5)); slices.Contains(p.near(o, head.Keepers), newcomer) && !slices.Contains(got, newcomer) {
			t.Errorf("the one that came has nothing")
		}
		p.end()
	})
}

func (p *pond) take(id dhash.ID, h venti.Head) {
	p.t.Helper()
	if v, _, err := p.shelf(id).Take([]venti.Head{h}, time.Now()); err != nil || !v[0].Kept() {
		p.t.Fatal(v, err)
	}
}

func (p *pond) end() {
	for _, stop := range p.stop {
		stop()
	}
	synctest.Wait()
}

// The owner is away, and all members are replaced, one after the other: the head is still there.
func TestEveryMemberReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPond(t, 24)
		h := now(1, 9, 9)
		for _, id := range p.near(owner(1), head.Keepers) {
			p.take(id, h)
		}
		first := slices.Clone(p.staying)
		for _, id := range first {
			p.leave(id)
			p.join()
			time.Sleep(interval)
		}
		if got := len(p.have(owner(1), h)); got < head.Keepers {
			t.Errorf("%d of %d members have the head", got, len(p.staying))
		}
		p.end()
	})
}

// Where many members came, those that are no longer close hand their heads on and drop them. What is kept does not
// grow, and several hundred owners go in batches.
func TestHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPond(t, 10)
		const owners = 9
		for i := range byte(owners) {
			p.take(p.staying[i], now(i, 1, 1))
		}
		time.Sleep(interval)
		for range 70 {
			p.join()
		}
		time.Sleep(2 * interval)
		for i := range byte(owners) {
			have, close := p.have(owner(i), now(i, 1, 1)), p.near(owner(i), head.Keepers+head.Slack)
			for _, id := range close[:head.Keepers] {
				if !slices.Contains(have, id) {
					t.Errorf("owner %d: %s is to keep the head and has none", i, id)
				}
			}
			for _, id := range have {
				if !slices.Contains(close, id) {
					t.Errorf("owner %d: %s has kept the head, and is far away", i, id)
				}
			}
		}
		p.end()
	})
}

// A round that is asked for is over at once, whatever hangs, and sends what does not fit into one message in several.
func TestKeeperNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPond(t, 0)
		for range 6 {
			p.name()
		}
		self, other := p.staying[0], p.staying[1]
		p.answer(self)
		p.answer(other)
		for i := range 200 {
			p.take(self, now(byte(i), 1, 1))
			p.take(self, now(byte(i), 1, 2))
		}
		k, err := head.NewKeeper(head.KeeperConfig{Self: self, Shelf: p.shelf(self), Table: p.table, Interval: interval,
			Near: func(dhash.Owner) bool { return true }, Send: p.send})
		if err != nil {
			t.Fatal(err)
		}
		newest := now(3, 2, 3)
		p.take(other, newest)
		p.take(other, now(4, 1, 3))
		begun := time.Now()
		if err := k.Now(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if owners, _ := p.shelf(other).Count(); owners != 200 {
			t.Errorf("%d owners were sent", owners)
		}
		wants(t, p.shelf(self), owner(3), newest)
		if got := p.shelf(self).Of(owner(4)); len(got) != 3 {
			t.Errorf("%v of a conflict", got)
		}
	})
}

// Of a member on whose disk a head is it is known whether others have it: not before a whole round, not while most of them
// do not answer, and not of an owner that has come since.
func TestLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPond(t, 0)
		for range 8 {
			p.name()
		}
		self := p.staying[0]
		for _, id := range p.staying[:4] { // of seven others three answer
			p.answer(id)
		}
		k, err := head.NewKeeper(head.KeeperConfig{Self: self, Shelf: p.shelf(self), Table: p.table, Interval: interval,
			Near: func(dhash.Owner) bool { return true }, Send: p.send})
		if err != nil {
			t.Fatal(err)
		}
		step := func(what string, want int) {
			t.Helper()
			if got := k.Left(); got != want {
				t.Errorf("%s: %d, want %d", what, got, want)
			}
		}
		round := func() {
			t.Helper()
			if err := k.Now(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		step("there is nothing here", 0)
		p.take(self, now(1, 1, 1))
		step("before a round", 1)
		round()
		step("three of seven have it", 1)
		p.answer(p.staying[4])
		round()
		step("four of seven have it", 0)
		p.take(self, now(2, 1, 1))
		step("another owner has come", 1)
		round()
		step("four of seven have both", 0)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := k.Now(ended); err == nil {
			t.Error("a round without time is whole")
		}
		step("a round was broken off", 0)
	})
}
