package sweep

import (
	"bytes"
	"slices"

	"ventidhash/dhash"
	"ventidhash/dhash/placement"
)

// seats answers who is expected to hold a block, for blocks in the order of positions. Placement looks only at the bits
// of a position in which members' keys branch off from each other, so neighbouring positions have the same holders, and
// the answer is computed once for all of them. It is for one goroutine.
type seats struct {
	table *placement.Table
	depth int // positions that share so many bits have the same holders
	at    dhash.Key
	lists map[dhash.Code]*seating // of the positions that share depth bits with at
	make  func(holders []placement.Member, c dhash.Code) *seating
}

// seating is what there is to know of the expected holders of blocks in one place.
type seating struct {
	order  []int32 // numbers of neighbours in the block's order, self for this member
	mine   bool    // this member is one of them
	theirs bool    // the member that asks is one of them
	look   bool    // whatever is compared, these blocks are to be looked at
	weak   bool
}

// self stands for this member in a seating's order.
const self = -1

func newSeats(t *placement.Table, make func([]placement.Member, dhash.Code) *seating) *seats {
	s := &seats{table: t, make: make}
	members := t.Closest(dhash.Key{}, t.Len())
	slices.SortFunc(members, func(a, b placement.Member) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	for i := 1; i < len(members); i++ {
		s.depth = max(s.depth, 1+members[i-1].Key.Common(members[i].Key))
	}
	return s
}

// of returns the seating of blocks of a code at a position.
func (s *seats) of(key dhash.Key, c dhash.Code) *seating {
	if s.lists == nil || s.at.Common(key) < s.depth {
		s.at, s.lists = key, map[dhash.Code]*seating{}
	}
	list := s.lists[c]
	if list == nil {
		list = s.make(s.table.Holders(key, c, 0), c)
		s.lists[c] = list
	}
	return list
}
