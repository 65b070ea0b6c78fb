package head_test

import (
	"slices"
	"testing"
	"time"

	"ventidhash/dhash/head"
	"ventidhash/venti"
)

func TestDecide(t *testing.T) {
	four := []venti.Head{sign(1, 5, 10), sign(1, 5, 20), sign(1, 5, 30), sign(1, 5, 40)}
	for _, c := range []struct {
		name string
		have []venti.Head
		h    venti.Head
		want head.Verdict
	}{
		{"the first", nil, sign(1, 9, 1), head.New},
		{"the same", four[:1], sign(1, 5, 10), head.Same},
		{"the same, signed at another time", four[:1], signAt(1, 5, 10, start.Add(time.Minute)), head.Same},
		{"newer", four[:1], sign(1, 6, 9), head.New},
		{"newer, of the same catalog", four[:1], sign(1, 6, 10), head.New},
		{"newer than all in conflict", four, sign(1, 6, 90), head.New},
		{"newer by far", four[:1], sign(1, 1<<64-1, 9), head.New},
		{"older", four[:1], sign(1, 4, 9), head.Older},
		{"older, of the same catalog", four[:1], sign(1, 4, 10), head.Older},
		{"older, and from the future", four[:1], signAt(1, 4, 9, start.Add(2*time.Hour)), head.Older},
		{"in conflict", four[:1], sign(1, 5, 9), head.Conflict},
		{"one of two in conflict", four[:2], sign(1, 5, 20), head.Same},
		{"the fourth in conflict", four[:3], sign(1, 5, 40), head.Conflict},
		{"the fifth, higher than all", four, sign(1, 5, 50), head.Full},
		{"the fifth, lower than one", four, sign(1, 5, 35), head.Conflict},
		{"an hour ahead", nil, signAt(1, 1, 1, start.Add(time.Hour)), head.New},
		{"more than an hour ahead", nil, signAt(1, 1, 1, start.Add(time.Hour+time.Second)), head.Future},
		{"newer, and from the future", four[:1], signAt(1, 6, 1, start.Add(48*time.Hour)), head.Future},
		{"in conflict, and from the future", four[:1], signAt(1, 5, 1, start.Add(48*time.Hour)), head.Future},
		{"the same, and from the future", []venti.Head{signAt(1, 5, 1, start.Add(48*time.Hour))},
			signAt(1, 5, 1, start.Add(48*time.Hour)), head.Same},
		{"from long ago", nil, signAt(1, 1, 1, time.Unix(0, 0)), head.New},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := head.Decide(c.have, c.h, start); got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

// What is kept of any heads, in any order, is what a slow reference says that looks at all of them at once: those of
// the highest sequence that are not from the future, one of each catalog, the four of the lowest scores.
func TestAnyOrder(t *testing.T) {
	d := dice(7)
	for range 500 {
		var all []venti.Head
		for range 1 + d.IntN(12) {
			at := start.Add(time.Duration(d.IntN(3)) * 40 * time.Minute)
			all = append(all, signAt(1, 1+d.Uint64N(3), byte(1+d.IntN(7)), at))
		}
		var have []venti.Head
		for _, h := range all {
			before := slices.Clone(have)
			v := head.Decide(have, h, start)
			have = head.Apply(have, h, v)
			here := slices.ContainsFunc(have, func(o venti.Head) bool { return head.Equal(o, h) })
			if here != v.Kept() {
				t.Fatalf("%v of %d to %v: %v", v, h.Sequence, before, have)
			}
		}
		if want := reference(all); !slices.EqualFunc(have, want, head.Equal) {
			t.Fatalf("of %v are kept %v, want %v", all, have, want)
		}
	}
}

func reference(all []venti.Head) (want []venti.Head) {
	var most uint64
	byCatalog := map[byte]venti.Head{}
	for _, h := range all {
		if h.Time.After(start.Add(head.MaxAhead)) {
			continue
		}
		if h.Sequence > most {
			most = h.Sequence
			clear(byCatalog)
		}
		if h.Sequence == most {
			byCatalog[h.Score[0]] = h
		}
	}
	for c := range 256 {
		if h, ok := byCatalog[byte(c)]; ok && len(want) < 4 {
			want = append(want, h)
		}
	}
	return want
}

func TestNewer(t *testing.T) {
	conflict := []venti.Head{sign(1, 5, 10), sign(1, 5, 20)}
	for _, c := range []struct {
		name  string
		given []venti.Head
		want  []venti.Head
	}{
		{"nothing was given", nil, conflict},
		{"older", []venti.Head{sign(1, 4, 10)}, conflict},
		{"one of the two", conflict[:1], conflict[1:]},
		{"both", conflict, nil},
		{"a third", []venti.Head{sign(1, 5, 30)}, conflict},
		{"newer", []venti.Head{sign(1, 6, 30)}, nil},
	} {
		if got := head.Newer(conflict, c.given); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
