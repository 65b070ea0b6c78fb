package node

import (
	"fmt"
	"testing"

	"ventidhash/dhash"
	"ventidhash/dhash/sweep"
)

// TestAgreed: of 23 neighbours two may say something else, of nine nobody.
func TestAgreed(t *testing.T) {
	for _, c := range []struct {
		extra, failed, agree int
		items                int64
		want                 bool
	}{
		{0, 0, 23, 5, true},
		{1, 1, 21, 5, true},
		{2, 0, 21, 5, true},
		{2, 1, 20, 5, false},
		{0, 3, 20, 5, false},
		{20, 0, 3, 5, false},
		{1, 0, 8, 5, false},
		{0, 0, 9, 5, true},
		{0, 0, 23, 0, false}, // it has nothing yet
	} {
		r := sweep.Report{Items: c.items, Neighbours: map[dhash.ID]sweep.Neighbour{}}
		add := func(n int, nb sweep.Neighbour) {
			for range n {
				r.Neighbours[dhash.ID(fmt.Sprint(len(r.Neighbours)))] = nb
			}
		}
		add(c.extra, sweep.Neighbour{Extra: 1})
		add(c.failed, sweep.Neighbour{Failed: 1})
		add(c.agree, sweep.Neighbour{Compared: 10, Lacks: 3})
		if got := agreed(r); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
