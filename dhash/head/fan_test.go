package head_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/venti"
)

// A script says what each of the members does, a letter for each in order: o has an old head, n the newest, c one in
// conflict with it, - none, x fails, h hangs until its context ends, s is slow (half a second) and has the newest.
type script string

func (s script) members() (ids []dhash.ID) {
	for i := range s {
		ids = append(ids, dhash.ID(fmt.Sprintf("%03d", i)))
	}
	return ids
}

// absent says that a member is away, which is so for a: it hangs, and is known to.
func (s script) absent(id dhash.ID) bool {
	var i int
	fmt.Sscanf(string(id), "%03d", &i)
	return s[i] == 'a'
}

var errDown = fmt.Errorf("%w: no answer", venti.ErrUnavailable)

func (s script) ask(ctx context.Context, id dhash.ID) ([]venti.Head, error) {
	var i int
	fmt.Sscanf(string(id), "%03d", &i)
	switch s[i] {
	case 'o':
		return []venti.Head{sign(1, 4, 44)}, nil
	case 'n':
		return []venti.Head{sign(1, 5, 55)}, nil
	case 's':
		time.Sleep(500 * time.Millisecond)
		return []venti.Head{sign(1, 5, 55)}, nil
	case 'c':
		return []venti.Head{sign(1, 5, 51)}, nil
	case '-':
		return nil, nil
	case 'h', 'a':
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, errDown
}

func TestFind(t *testing.T) {
	newest, other := sign(1, 5, 55), sign(1, 5, 51)
	const hung7 = "nnnnhhhhhhhnnnnnnnnnnnnn" // 24 members
	for _, c := range []struct {
		name            string
		s               script
		heads           []venti.Head
		answered, agree int
		within          time.Duration
		unavailable     bool
	}{
		{"all agree", "nnnnnnnnnnnnnnnnnnnnnnnn", []venti.Head{newest}, 24, 24, 0, false},
		{"one alone", "n", []venti.Head{newest}, 1, 1, 0, false},
		{"one alone, which knows nothing", "-", nil, 1, 0, 0, false},
		{"no members", "", nil, 0, 0, 0, true},
		{"a single one has the newest", "ooooooooooooooooooooo-on", []venti.Head{newest}, 24, 1, 0, false},
		{"most are down", "xxxxxxxxoxxxxxxxxxxxxxxn", []venti.Head{newest}, 2, 1, 0, false},
		{"nobody has it", "------------------------", nil, 24, 0, 0, false},
		{"half say that nobody has it", "xxxxxxxxxx----------", nil, 10, 0, 0, true},
		{"just more say so", "xxxxxxxxx-----------", nil, 11, 0, 0, false},
		{"all are down", "xxxxx", nil, 0, 0, 0, true},
		{"a conflict", "nnnncccco---nnnn", []venti.Head{other, newest}, 16, 12, 0, false},
		{"a third of the closest hangs", hung7, []venti.Head{newest}, 17, 17, 2 * time.Second, false},
		{"some of the closest hang", "nnnnhhhhhnnnnnnnnnnnnnhh", []venti.Head{newest}, 17, 17, time.Second, false},
		{"the newest is slow", "oooohhhhhsoooooooooooohh", []venti.Head{newest}, 17, 1, time.Second, false},
		{"some are known to be away", "nnnannnnnannnnnnnnnnnnnn", []venti.Head{newest}, 22, 22, 200 * time.Millisecond, false},
		{"of those that are not one hangs", "nnnannnnnannnnnnhnnnnnnn", []venti.Head{newest}, 21, 21, time.Second, false},
		{"most are known to be away", "naaaa", []venti.Head{newest}, 1, 1, 10 * time.Second, false},
		{"two of three hang", "nhh", []venti.Head{newest}, 1, 1, 10 * time.Second, false},
		{"all hang", "hhh", nil, 0, 0, 10 * time.Second, true},
		{"more than are asked", "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", []venti.Head{newest}, 32, 32, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				f, err := head.Find(t.Context(), c.s.members(), c.s.absent, c.s.ask)
				if took := time.Since(begun); took != c.within {
					t.Errorf("it took %v, want %v", took, c.within)
				}
				if errors.Is(err, venti.ErrUnavailable) != c.unavailable || (err != nil) != c.unavailable {
					t.Errorf("error %v", err)
				}
				if !slices.Equal(f.Heads, c.heads) || f.Asked != min(32, len(c.s)) || f.Answered != c.answered || f.Agree != c.agree {
					t.Errorf("%+v", f)
				}
			})
		})
	}
}

// Which members are to keep a head, and who of them has it, is counted apart: a majority of all that are asked says nothing
// about them.
func TestFindCountsKeepers(t *testing.T) {
	newest := sign(1, 5, 55)
	for s, want := range map[script]head.Found{
		"nno":                              {Asked: 3, Answered: 3, Agree: 2, Keepers: 3, Heard: 3, Kept: 2},
		"onx":                              {Asked: 3, Answered: 2, Agree: 1, Keepers: 3, Heard: 2, Kept: 1},
		"nnnnnnnnnnnnnnnnnnnn------------": {Asked: 32, Answered: 32, Agree: 20, Keepers: 20, Heard: 20, Kept: 20},
		"xxxxxxxxxxxxxxxnnnnnoooooooooooo": {Asked: 32, Answered: 17, Agree: 5, Keepers: 20, Heard: 5, Kept: 5},
		"ooooooooooooooooooonnnnnnnnnnnnn": {Asked: 32, Answered: 32, Agree: 13, Keepers: 20, Heard: 20, Kept: 1},
	} {
		want.Heads = []venti.Head{newest}
		if f, err := head.Find(t.Context(), s.members(), nil, s.ask); err != nil || !reflect.DeepEqual(f, want) {
			t.Errorf("%s: %+v, %v", s, f, err)
		}
	}
}

func TestFindEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s := script("hhhh")
		if _, err := head.Find(ctx, s.members(), nil, s.ask); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// send is how members take the head 5 of catalog 55, by the same letters: n and s take it, o says that it has it, c
// keeps it in conflict, p takes it in place of an older one, - is not responsible; f takes it for one from the future,
// u has a newer one.
func (s script) send(ctx context.Context, id dhash.ID) (head.Verdict, []venti.Head, error) {
	var i int
	fmt.Sscanf(string(id), "%03d", &i)
	switch s[i] {
	case 'f':
		return head.Future, nil, nil
	case 'u':
		return head.Older, []venti.Head{sign(1, 6, 66)}, nil
	case 'c':
		return head.Conflict, []venti.Head{sign(1, 5, 51)}, nil
	case 'o':
		return head.Same, nil, nil
	case 'p':
		return head.New, []venti.Head{sign(1, 4, 44)}, nil
	case '-':
		return head.NotMine, []venti.Head{sign(2, 9, 9)}, nil // another owner's
	}
	_, err := s.ask(ctx, id)
	return head.New, nil, err
}

func TestPublish(t *testing.T) {
	newer, other := sign(1, 6, 66), sign(1, 5, 51)
	for _, c := range []struct {
		name   string
		s      script
		kept   int
		others []venti.Head
		within time.Duration
		says   string
	}{
		{"all take it", "nnnnnnnnnnnnnnnnnnnnnnnn", 20, nil, 0, ""},
		{"some have it", "ononon", 6, nil, 0, ""},
		{"a third hangs", "nnnnnnhhh", 6, nil, 5 * time.Second, ""},
		{"a third is known to be away", "nnnnnnaaa", 6, nil, 200 * time.Millisecond, ""},
		{"one is away, one hangs", "nnnnnnah", 6, nil, 5 * time.Second, ""},
		{"most hang", "nnhhh", 2, nil, 30 * time.Second, ""},
		{"a third is down", "nnnnnnxxx", 6, nil, 0, ""},
		{"one has a newer one", "nnnnun", 5, []venti.Head{newer}, 0, ""},
		{"all have a newer one", "uuuu", 0, []venti.Head{newer}, 0, ""},
		{"a conflict, and a newer one", "nuccunn", 5, []venti.Head{other, newer}, 0, ""},
		{"in place of an older one", "nppu", 3, []venti.Head{sign(1, 4, 44), newer}, 0, ""},
		{"all are down", "xxx", 0, nil, 0, "none of 3 members keeps"},
		{"all hang", "hh", 0, nil, 30 * time.Second, "none of 2 members keeps"},
		{"no members", "", 0, nil, 0, "none of 0 members keeps"},
		{"from the future", "fff", 0, nil, 0, "clock"},
		{"nobody is responsible", "--", 0, nil, 0, "not responsible"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				p, err := head.Publish(t.Context(), c.s.members(), c.s.absent, sign(1, 5, 55), c.s.send)
				if took := time.Since(begun); took != c.within {
					t.Errorf("it took %v, want %v", took, c.within)
				}
				if (err != nil) != (c.says != "") || err != nil && (!errors.Is(err, venti.ErrUnavailable) || !contains(err, c.says)) {
					t.Errorf("error %v", err)
				}
				if p.Asked != min(20, len(c.s)) || p.Kept != c.kept || !slices.Equal(p.Others, c.others) {
					t.Errorf("%+v", p)
				}
			})
		})
	}
}
