package sweep_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"ventidhash/dhash/sweep"
)

const top = 1<<64 - 1

func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// pile returns n random points, in order.
func pile(r *rand.Rand, n int) []sweep.Point {
	all := make([]sweep.Point, n)
	for i := range all {
		all[i] = sweep.Point{Position: r.Uint64(), Tag: r.Uint32()}
	}
	sortPoints(all)
	return all
}

func sortPoints(all []sweep.Point) {
	slices.SortFunc(all, func(a, b sweep.Point) int {
		if a.Less(b) {
			return -1
		}
		if b.Less(a) {
			return 1
		}
		return 0
	})
}

func listOf(points []sweep.Point) *sweep.Points {
	var l sweep.Points
	for _, p := range points {
		l.Add(p)
	}
	return &l
}

func saltOf(n uint64) (s sweep.Salt) {
	binary.BigEndian.PutUint64(s[:], n)
	return s
}

// without returns the points that drop does not name.
func without(points []sweep.Point, drop func(i int) bool) []sweep.Point {
	var kept []sweep.Point
	for i, p := range points {
		if !drop(i) {
			kept = append(kept, p)
		}
	}
	return kept
}

// compare runs a session of ours with theirs, all points of both being compared, and checks what it finds against a
// map.
func compare(t *testing.T, ours, theirs []sweep.Point) *sweep.Session {
	t.Helper()
	salt := saltOf(7)
	mine := listOf(ours)
	a, b := sweep.NewSet(salt, 0, top, mine, nil), sweep.NewSet(salt, 0, top, listOf(theirs), nil)
	s := sweep.NewSession(a)
	for m := s.Next(); m != nil; m = s.Next() {
		answer, err := sweep.Respond(b, m)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Take(answer); err != nil {
			t.Fatal(err)
		}
	}
	has := map[sweep.Point]bool{}
	for _, p := range theirs {
		has[p] = true
	}
	common := 0
	for i := range mine.Len() {
		if s.Lacks(i) == has[mine.At(i)] {
			t.Fatalf("point %d of %d: lacks %v, has %v", i, mine.Len(), s.Lacks(i), has[mine.At(i)])
		}
		if has[mine.At(i)] {
			common++
		}
	}
	if extra := len(has) - common; s.Extra() != uint64(extra) {
		t.Fatalf("%d extra, not %d", s.Extra(), extra)
	}
	return s
}

func TestSessionFindsTheDifference(t *testing.T) {
	for seed := range uint64(200) {
		r := random(seed)
		all := pile(r, r.IntN(1+1<<r.IntN(13)))
		if seed%5 == 0 { // close together: many codings of few blocks
			for i := range all {
				all[i].Position = all[i].Position % 3
			}
			sortPoints(all)
			all = slices.Compact(all)
		}
		one, two := r.Float64(), r.Float64()
		if seed%3 == 0 {
			one, two = one/100, two/100
		}
		compare(t, without(all, func(int) bool { return r.Float64() < one }),
			without(all, func(int) bool { return r.Float64() < two }))
	}
}

func TestSessionCost(t *testing.T) {
	const n = 1 << 16
	r := random(1)
	all := pile(r, n)
	tenth := func(i int) bool { return n/3 <= i && i < n/3+n/10 }
	for _, c := range []struct {
		name          string
		ours, theirs  []sweep.Point
		bytes, rounds int64
	}{
		{"equal", all, all, 60, 1},
		{"they were wiped", all, nil, 60, 1},
		{"we were wiped", nil, all, 500, 1},
		{"they lack a tenth", all, without(all, tenth), 4000, 6},
		{"we lack a tenth", without(all, tenth), all, 4000, 6},
		{"they lack one", all, without(all, func(i int) bool { return i == n/2 }), 2000, 4},
		{"we lack one", without(all, func(i int) bool { return i == n/2 }), all, 2000, 4},
		{"nothing in common", all, pile(r, n), 2 << 20, 96},
	} {
		s := compare(t, c.ours, c.theirs)
		cost := s.Traffic()
		t.Logf("%s: %d rounds, %d + %d bytes", c.name, cost.Rounds, cost.Sent, cost.Received)
		if cost.Rounds > c.rounds || cost.Sent+cost.Received > c.bytes {
			t.Errorf("%s: %d rounds, %d + %d bytes", c.name, cost.Rounds, cost.Sent, cost.Received)
		}
	}
}
