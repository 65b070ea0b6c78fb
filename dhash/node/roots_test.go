package node_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/head"
	"ventidhash/dhash/node"
	"ventidhash/dhash/peer"
	"ventidhash/venti"
)

// rooted is members that name roots, each in its own way. An answer takes a second.
type rooted map[dhash.ID]func(at dhash.Key) ([]venti.Score, dhash.Key)

func (r rooted) Roots(ctx context.Context, id dhash.ID, _ dhash.Owner, at dhash.Key) ([]venti.Score, dhash.Key, error) {
	select {
	case <-time.After(time.Second):
		scores, next := r[id](at)
		return scores, next, nil
	case <-ctx.Done():
		return nil, dhash.Key{}, ctx.Err()
	}
}

func (rooted) PublishHead(context.Context, dhash.ID, venti.Head) (head.Verdict, []venti.Head, error) {
	panic("not asked for")
}

func (rooted) FindHeads(context.Context, dhash.ID, []dhash.Owner) ([][]venti.Head, error) {
	panic("not asked for")
}

func (r rooted) members() (ids []dhash.ID) {
	for i := range len(r) {
		ids = append(ids, dhash.ID(fmt.Sprint(i)))
	}
	return ids
}

// after returns the next position.
func after(at dhash.Key) dhash.Key {
	n := binary.BigEndian.Uint64(at[24:]) + 1
	binary.BigEndian.PutUint64(at[24:], n)
	return at
}

// number returns a score of one member's own.
func number(of byte, n uint64) (s venti.Score) {
	s[0] = of
	binary.BigEndian.PutUint64(s[1:], n)
	return s
}

// named returns a page of as many scores as an honest member names.
func named(of byte, n int) func(dhash.Key) ([]venti.Score, dhash.Key) {
	return func(at dhash.Key) (scores []venti.Score, next dhash.Key) {
		begin := int(binary.BigEndian.Uint64(at[24:])) * peer.MaxRoots
		for i := begin; i < min(n, begin+peer.MaxRoots); i++ {
			scores = append(scores, number(of, uint64(i)))
		}
		if begin+peer.MaxRoots < n {
			next = after(at)
		}
		return scores, next
	}
}

// A member that leads on by one position at a time costs some minutes, and nothing of what the others say.
func TestRootsLedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rooted{}
		for i := range byte(4) {
			r[dhash.ID(fmt.Sprint(i))] = named(i, 10)
		}
		r["2"] = func(at dhash.Key) ([]venti.Score, dhash.Key) { return nil, after(at) }
		begun, got := time.Now(), 0
		err := node.RootsOf(t.Context(), r, r.members(), dhash.Owner{1}, func(venti.Score) error {
			got++
			return nil
		})
		if !errors.Is(err, venti.ErrUnavailable) || got != 30 {
			t.Errorf("%d roots, %v", got, err)
		}
		if took := time.Since(begun); took > 6*time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// Members that name without end what is none take nothing from what the others say, who name thousands each.
func TestRootsOfLiars(t *testing.T) {
	for _, c := range []struct{ honest, liars, each int }{
		{1, 0, 100_000}, {16, 8, 10_000}, {2, 22, 10_000}, {3, 0, 80_000}, {180, 20, 1200},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rooted{}
				for i := range c.liars + c.honest {
					n := c.each
					if i < c.liars {
						n = 1 << 30
					}
					r[dhash.ID(fmt.Sprint(i))] = named(byte(i), n)
				}
				got, lies := 0, 0
				err := node.RootsOf(t.Context(), r, r.members(), dhash.Owner{1}, func(s venti.Score) error {
					if int(s[0]) < c.liars {
						lies++
					} else {
						got++
					}
					return nil
				})
				if got != c.honest*c.each || got+lies > node.MaxRoots {
					t.Errorf("%d of %d roots, and %d others", got, c.honest*c.each, lies)
				}
				if (err != nil) != (c.liars > 0) || err != nil && !errors.Is(err, venti.ErrUnavailable) {
					t.Error(err)
				}
			})
		})
	}
}
