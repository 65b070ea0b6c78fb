package main

import (
	"crypto/rand"
	"fmt"
	"math"
	mathrand "math/rand/v2"
	"runtime"
	"slices"
	"time"

	"ventidhash/dhash/sweep"
)

// region is how many points a Sweeper compares in one session.
const region = 1 << 16

func random() *mathrand.Rand { return mathrand.New(mathrand.NewPCG(1, 2)) }

func pile(n int) []sweep.Point {
	r := random()
	all := make([]sweep.Point, n)
	for i := range all {
		all[i] = sweep.Point{Position: r.Uint64(), Tag: r.Uint32()}
	}
	slices.SortFunc(all, func(a, b sweep.Point) int {
		if a.Less(b) {
			return -1
		}
		return 1
	})
	return all
}

func list(points []sweep.Point, keep func(i int) bool) *sweep.Points {
	l := new(sweep.Points)
	for i, p := range points {
		if keep(i) {
			l.Add(p)
		}
	}
	return l
}

// result is what sessions about all points have cost and found.
type result struct {
	sweep.Traffic
	most  int64 // rounds of any one session
	lacks int
	extra uint64
}

// compare compares ours with theirs, in sessions about ranges of at most so many of our points.
func compare(ours, theirs *sweep.Points, most int) (r result) {
	for first := 0; first == 0 || first < ours.Len(); first += most {
		var from, to uint64 = 0, math.MaxUint64
		if first > 0 {
			from = ours.At(first).Position
		}
		if first+most < ours.Len() {
			to = ours.At(first+most).Position - 1
		}
		var salt sweep.Salt
		_, _ = rand.Read(salt[:]) // never fails
		other := sweep.NewSet(salt, from, to, theirs, nil)
		s := sweep.NewSession(sweep.NewSet(salt, from, to, ours, nil))
		for m := s.Next(); m != nil; m = s.Next() {
			answer, err := sweep.Respond(other, m)
			if err == nil {
				err = s.Take(answer)
			}
			if err != nil {
				panic(err) // both sides are ours
			}
		}
		for i := first; i < min(first+most, ours.Len()); i++ {
			if s.Lacks(i) {
				r.lacks++
			}
		}
		r.extra += s.Extra()
		r.most = max(r.most, s.Traffic().Rounds)
		r.Add(s.Traffic())
	}
	return r
}

// sessions measures two members that hold nearly the same.
func sessions(t *table, n int) {
	all := pile(n)
	every := func(int) bool { return true }
	hole := func(i int) bool { return i < n/3 || i >= n/3+n/10 }
	gone := map[int]bool{}
	for r := random(); len(gone) < 1000; {
		gone[r.IntN(n)] = true
	}
	scattered := func(i int) bool { return !gone[i] }
	hundredth := func(i int) bool { return i%100 != 0 }
	fmt.Printf("two members, %d points each; sessions of all at once, and of %d points\n", n, region)
	for _, c := range []struct {
		name         string
		ours, theirs func(int) bool
		lacks, extra int
		limit        int64
	}{
		{"equal", every, every, 0, 0, 1 << 10},
		{"they lack a contiguous tenth", every, hole, n / 10, 0, 12 << 10},
		{"we lack a contiguous tenth", hole, every, 0, n / 10, 12 << 10},
		{"they lack 1,000 scattered", every, scattered, 1000, 0, 1 << 20},
		{"we lack 1,000 scattered", scattered, every, 0, 1000, 1 << 20},
		{"they lack a hundredth, scattered", every, hundredth, (n + 99) / 100, 0, 12 << 20},
		{"we lack a hundredth, scattered", hundredth, every, 0, (n + 99) / 100, 12 << 20},
		{"they were wiped", every, func(int) bool { return false }, n, 0, 1 << 10},
	} {
		ours, theirs := list(all, c.ours), list(all, c.theirs)
		for _, most := range []int{n, region} {
			r := compare(ours, theirs, most)
			ok := r.lacks == c.lacks && r.extra == uint64(c.extra) && r.Sent+r.Received < c.limit
			t.row(c.name, fmt.Sprintf("%d + %d bytes, at most %d rounds a session", r.Sent, r.Received, r.most), ok,
				fmt.Sprintf("< %d bytes, all found", c.limit))
		}
	}
}

// memory measures the set of a session.
func memory(t *table, n int) {
	all := pile(n)
	every := func(int) bool { return true }
	before := heap()
	l := new(sweep.Points)
	l.Grow(n)
	for _, p := range all {
		l.Add(p)
	}
	began := time.Now()
	set := sweep.NewSet(sweep.Salt{}, 0, math.MaxUint64, l, every)
	took := time.Since(began)
	per := float64(heap()-before) / float64(n)
	runtime.KeepAlive(set)
	runtime.KeepAlive(all)
	t.row("memory of a session's set", fmt.Sprintf("%.2f bytes a point", per), per < 16, "< 16")
	t.note("making it", fmt.Sprintf("%d ns a point", took.Nanoseconds()/int64(n)))
}
