package sweep

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
)

// errEnough ends a walk that has come far enough.
var errEnough = errors.New("enough")

// keyFrom and keyTo return the first and the last key of a position.
func keyFrom(position uint64) (k dhash.Key) {
	binary.BigEndian.PutUint64(k[:], position)
	return k
}

func keyTo(position uint64) dhash.Key {
	k := keyFrom(position)
	for i := 8; i < len(k); i++ {
		k[i] = 0xff
	}
	return k
}

// holding is one coding of a block that is held, with what it takes to look up its seating.
type holding struct {
	point Point
	key   dhash.Key
	code  dhash.Code
}

// gather lists the points of what is held and claimed at from … to, until it has limit of them and the next one has
// another position. each hears of each new point, in order, whose number is that of the call. It returns the last
// position that the list covers.
//
// One point may stand for several fragments of a coding: those have the same position, so only what is held there is
// put in order.
func gather(ctx context.Context, st Store, from, to uint64, limit int, each func(*holding)) (
	points *Points, last uint64, err error,
) {
	points = new(Points)
	var group []holding
	flush := func() {
		slices.SortFunc(group, func(a, b holding) int { return comparePoints(a.point, b.point) })
		for i := range group {
			if points.Add(group[i].point) {
				each(&group[i])
			}
		}
		group = group[:0]
	}
	last = to
	err = st.Walk(ctx, keyFrom(from), keyTo(to), func(h fragstore.Held) error {
		if h.Trash() || h.Code.Validate() != nil {
			return nil
		}
		key := dhash.KeyOf(h.Score)
		p := pointAt(key, h.Coding)
		if len(group) > 0 && group[0].point.Position != p.Position {
			flush()
			if points.Len() >= limit {
				last = p.Position - 1
				return errEnough
			}
		}
		if len(group) == 0 || group[len(group)-1].point != p {
			group = append(group, holding{p, key, h.Code})
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	flush()
	return points, last, err
}

// after returns the position behind a region that ends at last, and whether there is one.
func after(last uint64) (uint64, bool) { return last + 1, last < math.MaxUint64 }
