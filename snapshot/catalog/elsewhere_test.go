package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/snapshot"
	"ventidhash/snapshot/catalog"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// members are five that keep an owner's heads, of whom three are enough. A member refuses what is older than what it has,
// and keeps both of a conflict.
type members struct {
	mu   sync.Mutex
	rng  *rand.Rand
	slow time.Duration // how long an answer may take
	kept [5][]venti.Head
	down [5]bool
	full [5]bool // answers, and takes nothing new
	lose int     // of ten answers, so many do not come
}

const enough = 3

var errFew = fmt.Errorf("%w: too few members answer", venti.ErrUnavailable)

// wait lets some time go by, and returns the members in an order of its own that answer.
func (m *members) wait(ctx context.Context) ([]int, error) {
	m.mu.Lock()
	order, slow := m.rng.Perm(len(m.kept)), time.Duration(0)
	if m.slow > 0 {
		slow = time.Duration(m.rng.Int64N(int64(m.slow)))
	}
	order = slices.DeleteFunc(order, func(i int) bool { return m.down[i] || m.rng.IntN(10) < m.lose })
	m.mu.Unlock()
	select {
	case <-time.After(slow):
		return order, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Find asks just enough of them.
func (m *members) Find(ctx context.Context) (found []venti.Head, kept bool, err error) {
	order, err := m.wait(ctx)
	if err != nil {
		return nil, false, err
	}
	if len(order) < enough {
		return nil, false, errFew
	}
	have := 0 // of those asked, that have what was found
	for _, i := range order[:enough] {
		if _, err := m.wait(ctx); err != nil {
			return nil, false, err
		}
		m.mu.Lock()
		for _, h := range m.kept[i] {
			switch {
			case len(found) == 0 || h.Sequence > found[0].Sequence:
				found, have = []venti.Head{h}, 0
			case h.Sequence == found[0].Sequence && !slices.Contains(found, h):
				found = append(found, h)
			}
		}
		if len(found) > 0 && slices.Contains(m.kept[i], found[0]) {
			have++
		}
		m.mu.Unlock()
	}
	return found, len(found) == 1 && have >= enough, nil
}

func (m *members) Publish(ctx context.Context, h venti.Head) (others []venti.Head, err error) {
	order, err := m.wait(ctx)
	if err != nil {
		return nil, err
	}
	kept, blocked := 0, false
	for _, i := range order {
		if _, err := m.wait(ctx); err != nil {
			return nil, err
		}
		m.mu.Lock()
		had := m.kept[i]
		switch {
		case m.full[i]:
		case len(had) == 0 || had[0].Sequence < h.Sequence:
			m.kept[i] = []venti.Head{h}
			kept++
		case had[0].Sequence == h.Sequence && !slices.Contains(had, h):
			m.kept[i] = append(slices.Clone(had), h)
			kept++
		case slices.Contains(had, h):
			kept++
		}
		for _, o := range had {
			if o != h && !slices.Contains(others, o) {
				others = append(others, o)
				blocked = blocked || o.Sequence >= h.Sequence
			}
		}
		m.mu.Unlock()
	}
	if kept < enough && !blocked {
		err = errFew
	}
	return others, err
}

// A story is several machines of one owner, at work at the same time, by a seed.
type story struct {
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	members *members
	cfgs    []catalog.Config
	mu      sync.Mutex
	added   map[venti.Score]bool // by a change that was published
	gone    map[venti.Score]bool // forgotten, likewise
	unsure  map[venti.Score]bool // added or forgotten, but not published
	next    int
}

func newStory(t *testing.T, seed uint64, machines int) *story {
	rng := rand.New(rand.NewPCG(seed, 7))
	s := &story{t: t, seed: seed, rng: rng, added: map[venti.Score]bool{}, gone: map[venti.Score]bool{},
		unsure: map[venti.Score]bool{}, members: &members{rng: rand.New(rand.NewPCG(seed, 8)), slow: 200 * time.Millisecond}}
	store, owner, dir := ventitest.NewMemory(), ownerOf(t, make([]byte, 32)), t.TempDir()
	for i := range machines {
		s.cfgs = append(s.cfgs, catalog.Config{Dir: filepath.Join(dir, fmt.Sprint("machine", i)), Store: store, Owner: owner, Heads: s.members})
	}
	return s
}

func (s *story) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("seed %d: %s", s.seed, fmt.Sprintf(format, args...))
}

// published reports whether a change came through wholly; anything but that or an *UnpublishedError ends the test.
func (s *story) published(err error) bool {
	var apart *catalog.UnpublishedError
	if err != nil && !errors.As(err, &apart) {
		s.t.Errorf("seed %d: %v", s.seed, err)
	}
	return err == nil
}

// step makes one change on one machine, at once or a little later.
func (s *story) step(cfg catalog.Config, rng *rand.Rand) {
	time.Sleep(time.Duration(rng.Int64N(int64(time.Second))))
	c, err := catalog.Open(cfg)
	if err != nil {
		s.t.Error(err)
		return
	}
	list, err := c.List(s.t.Context())
	if err != nil {
		s.t.Error(err)
	}
	if rng.IntN(3) == 0 && len(list) > 0 {
		victim := list[rng.IntN(len(list))].Score
		ok := s.published(c.Remove(s.t.Context(), victim))
		s.mu.Lock()
		defer s.mu.Unlock()
		if ok {
			s.gone[victim] = true
		} else {
			s.unsure[victim] = true
		}
		return
	}
	s.mu.Lock()
	n := s.next
	s.next++
	s.mu.Unlock()
	ok := s.published(c.Add(s.t.Context(), snap(n)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		s.added[snap(n).Score] = true
	} else {
		s.unsure[snap(n).Score] = true
	}
}

// verify holds that a list has everything that was published, and nothing of which that it was forgotten was.
func (s *story) verify(what string, list []snapshot.Snapshot) {
	s.t.Helper()
	there := map[venti.Score]bool{}
	for _, l := range list {
		there[l.Score] = true
	}
	for score := range s.added {
		if !there[score] && !s.gone[score] && !s.unsure[score] {
			s.fatalf("%s: a snapshot that was published is lost", what)
		}
	}
	for score := range s.gone {
		if there[score] {
			s.fatalf("%s: a snapshot that was forgotten is back", what)
		}
	}
}

// stranger returns the list that a machine finds that has nothing but the owner's keys.
func (s *story) stranger() []snapshot.Snapshot {
	cfg := s.cfgs[0]
	cfg.Dir = s.t.TempDir()
	c := mustOpen(s.t, cfg)
	var apart *catalog.UnpublishedError
	if err := c.Refresh(s.t.Context()); err != nil && !errors.As(err, &apart) {
		s.fatalf("%v", err)
	}
	list, err := c.List(s.t.Context())
	must(s.t, err)
	return list
}

// settle has every machine look twice, and holds that they then agree.
func (s *story) settle() []snapshot.Snapshot {
	s.members.lose, s.members.down = 0, [5]bool{}
	for range 2 {
		for _, cfg := range s.cfgs {
			if err := mustOpen(s.t, cfg).Refresh(s.t.Context()); err != nil {
				s.fatalf("refresh: %v", err)
			}
		}
	}
	first, err := mustOpen(s.t, s.cfgs[0]).List(s.t.Context())
	must(s.t, err)
	for _, cfg := range s.cfgs[1:] {
		if list, err := mustOpen(s.t, cfg).List(s.t.Context()); err != nil || !reflect.DeepEqual(list, first) {
			s.fatalf("two machines have %d and %d snapshots, %v", len(first), len(list), err)
		}
	}
	if list := s.stranger(); !reflect.DeepEqual(list, first) {
		s.fatalf("a new machine finds %d snapshots of %d", len(list), len(first))
	}
	return first
}

// runStories plays stories by many seeds, in virtual time.
func runStories(t *testing.T, seeds int, play func(*story)) {
	if testing.Short() {
		seeds /= 10
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { play(newStory(t, uint64(seed), 2+seed%2)) })
		if t.Failed() {
			return
		}
	}
}

func (s *story) together(each int) {
	var wg sync.WaitGroup
	for i, cfg := range s.cfgs {
		rng := rand.New(rand.NewPCG(s.seed, uint64(100+i)))
		wg.Go(func() {
			for range each {
				s.step(cfg, rng)
			}
		})
	}
	wg.Wait()
}

func TestMachinesTogetherLoseNothing(t *testing.T) {
	runStories(t, 100, func(s *story) {
		s.together(3)
		if len(s.unsure) == 0 { // else what was published is not all that there is
			s.verify("a new machine", s.stranger())
		}
		s.verify("all", s.settle())
	})
}

// Answers are lost, so that many changes are not published, and are only here, or with a few members.
func TestMachinesWithLossesLoseNothing(t *testing.T) {
	runStories(t, 50, func(s *story) {
		s.members.lose = 1 + int(s.seed%4)
		s.together(4)
		all := s.settle()
		s.verify("all", all)
		for n := range s.next { // what was not published is there now
			score := snap(n).Score
			if !s.gone[score] && !s.unsure[score] && !slices.ContainsFunc(all, func(l snapshot.Snapshot) bool { return l.Score == score }) {
				s.fatalf("snapshot %d is lost", n)
			}
		}
	})
}

// everybody holds that whichever enough members answer, a machine that has nothing finds the same list.
func (s *story) everybody(what string, want []snapshot.Snapshot) {
	s.t.Helper()
	before := s.members.kept
	for i := range before {
		for j := range i {
			s.members.down, s.members.kept = [5]bool{}, before
			s.members.down[i], s.members.down[j] = true, true
			if list := s.stranger(); !reflect.DeepEqual(list, want) {
				s.fatalf("%s: without members %d and %d a new machine finds %d snapshots of %d", what, j, i, len(list), len(want))
			}
		}
	}
	s.members.down, s.members.kept = [5]bool{}, before
}

// A head that reached few members is not taken for published because it is found: neither by the machine that wrote it nor
// by another.
func TestHeadThatFewKeepIsPublished(t *testing.T) {
	for who, what := range []string{"the machine that wrote it", "another machine"} {
		synctest.Test(t, func(t *testing.T) {
			s := newStory(t, 0, 2)
			must(t, mustOpen(t, s.cfgs[0]).Add(t.Context(), snap(0)))
			must(t, mustOpen(t, s.cfgs[0]).Add(t.Context(), snap(1)))
			s.members.full = [5]bool{0: true, 1: true, 2: true}
			wantApart(t, mustOpen(t, s.cfgs[0]).Remove(t.Context(), snap(1).Score), errFew)
			s.members.down = [5]bool{0: true, 1: true} // so that what few have is found
			wantApart(t, mustOpen(t, s.cfgs[who]).Refresh(t.Context()), errFew)
			s.members.full = [5]bool{}
			must(t, mustOpen(t, s.cfgs[who]).Refresh(t.Context()))
			s.members.down = [5]bool{}
			s.everybody(what, snaps(1))
		})
	}
}

// What a head replaced at few members, before its publishing failed, is taken in although nobody shows it again.
func TestHeadThatWasReplacedInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStory(t, 0, 2)
		must(t, mustOpen(t, s.cfgs[0]).Add(t.Context(), snap(0)))
		late := s.cfgs[1] // looks before the other machine publishes, and publishes after it, with a higher number
		late.Heads = &between{s.members, func() {
			must(t, mustOpen(t, s.cfgs[0]).Add(t.Context(), snap(1)))
			s.members.full = [5]bool{0: true, 1: true, 2: true, 3: true}
		}}
		alone := s.cfgs[1]
		alone.Heads = nil
		must(t, mustOpen(t, alone).Add(t.Context(), snap(2)))
		must(t, mustOpen(t, alone).Remove(t.Context(), snap(2).Score))
		must(t, mustOpen(t, alone).Add(t.Context(), snap(2)))
		wantApart(t, mustOpen(t, late).Refresh(t.Context()), errFew)
		wantList(t, mustOpen(t, alone), snaps(3))
		s.members.full = [5]bool{}
		must(t, mustOpen(t, s.cfgs[1]).Refresh(t.Context()))
		s.everybody("all", snaps(3))
	})
}

// between does something after the first time that it finds, and before anything is published.
type between struct {
	catalog.Heads
	do func()
}

func (b *between) Find(ctx context.Context) ([]venti.Head, bool, error) {
	found, kept, err := b.Heads.Find(ctx)
	if b.do != nil {
		b.do()
		b.do = nil
	}
	return found, kept, err
}

// The disk of a machine is put back to what it was some changes ago.
func TestRolledBackDiskLosesNothing(t *testing.T) {
	runStories(t, 25, func(s *story) {
		s.together(2)
		old := filepath.Join(s.t.TempDir(), "old")
		must(s.t, os.CopyFS(old, os.DirFS(s.cfgs[0].Dir)))
		s.together(2)
		whole := len(s.unsure) == 0
		must(s.t, os.RemoveAll(s.cfgs[0].Dir))
		must(s.t, os.CopyFS(s.cfgs[0].Dir, os.DirFS(old)))
		s.together(2)
		if whole {
			s.verify("all", s.settle())
		}
	})
}
