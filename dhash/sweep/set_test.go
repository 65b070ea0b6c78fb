package sweep_test

import (
	"testing"

	"ventidhash/dhash/sweep"
)

func TestSetTakesLessThan16BytesAPoint(t *testing.T) {
	const n = 1 << 16
	set := sweep.NewSet(saltOf(1), 0, top, listOf(pile(random(1), n)), nil)
	if per := float64(set.Bytes()) / n; per > 13 {
		t.Fatalf("%.2f bytes a point", per)
	}
}

func TestPoints(t *testing.T) {
	var l sweep.Points
	for i, c := range []struct {
		p    sweep.Point
		want bool
	}{
		{sweep.Point{Position: 0, Tag: 0}, true}, {sweep.Point{Position: 0, Tag: 0}, false},
		{sweep.Point{Position: 5, Tag: 1}, true},
		{sweep.Point{Position: 5, Tag: 0}, false}, {sweep.Point{Position: 4, Tag: 9}, false},
		{sweep.Point{Position: 5, Tag: 2}, true},
		{sweep.Point{Position: top, Tag: 1<<32 - 1}, true},
	} {
		if l.Add(c.p) != c.want {
			t.Errorf("point %d", i)
		}
	}
	if l.Len() != 4 || l.At(2) != (sweep.Point{Position: 5, Tag: 2}) {
		t.Errorf("%d points", l.Len())
	}
}

// Sets of parts of the space add up to the set of the whole.
func TestSessionsAboutPartsOfTheSpace(t *testing.T) {
	r := random(2)
	all := pile(r, 3000)
	ours := without(all, func(int) bool { return r.IntN(50) == 0 })
	theirs := without(all, func(int) bool { return r.IntN(50) == 0 })
	mine, others := listOf(ours), listOf(theirs)
	has := map[sweep.Point]bool{}
	for _, p := range theirs {
		has[p] = true
	}
	lacks, extra := 0, uint64(0)
	for from, parts := uint64(0), 7; parts > 0; parts-- {
		to := from + top/7
		if parts == 1 {
			to = top
		}
		s := sweep.NewSession(sweep.NewSet(saltOf(3), from, to, mine, nil))
		for m := s.Next(); m != nil; m = s.Next() {
			answer, err := sweep.Respond(sweep.NewSet(saltOf(3), from, to, others, nil), m)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Take(answer); err != nil {
				t.Fatal(err)
			}
		}
		for i := range mine.Len() {
			if p := mine.At(i); from <= p.Position && p.Position <= to {
				if s.Lacks(i) == has[p] {
					t.Fatalf("point %d", i)
				}
			} else if s.Lacks(i) {
				t.Fatalf("point %d is not in the part", i)
			}
			if s.Lacks(i) {
				lacks++
			}
		}
		extra += s.Extra()
		from = to + 1
	}
	if common := len(ours) - lacks; extra != uint64(len(theirs)-common) || lacks == 0 {
		t.Fatalf("%d lacking, %d extra of %d and %d", lacks, extra, len(ours), len(theirs))
	}
}
