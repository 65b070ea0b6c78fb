package sweep_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/placement"
	"ventidhash/dhash/sweep"
	"ventidhash/venti"
)

// An answerer that says whatever keeps the session going longest costs a bounded number of messages.
func TestSessionWithALiarEnds(t *testing.T) {
	r := random(4)
	points := pile(r, 20000)
	mine := listOf(points)
	other := fmt.Appendf(nil, "%016d", 7)
	split := func(parts int) []byte { // into parts of which all but the last are empty
		b := []byte{2, byte(parts)}
		for range parts - 1 {
			b = append(append(b, 12), bytes.Repeat([]byte{0xff}, 12)...)
		}
		return append(append(append(b, 0), 0x80, 1), other...)
	}
	for name, reply := range map[string]func(kind byte, n int) []byte{
		"never the same": func(kind byte, n int) []byte {
			if kind == 2 {
				return append(append([]byte{3}, make([]byte, (n+7)/8)...), 0)
			}
			return split(1)
		},
		"lacks everything": func(kind byte, n int) []byte {
			if kind == 2 {
				b := append([]byte{3}, bytes.Repeat([]byte{0xff}, n/8)...)
				if n%8 > 0 {
					b = append(b, 1<<(n%8)-1)
				}
				return append(b, 0)
			}
			return []byte{1}
		},
		"random": func(kind byte, n int) []byte {
			if kind == 2 {
				b := append([]byte{3}, make([]byte, (n+7)/8)...)
				return append(b, byte(r.IntN(100)))
			}
			return [][]byte{{0}, {1}, split(1)}[r.IntN(3)]
		},
	} {
		for _, most := range []int{1, 1 << 20} { // replies in an answer
			s := sweep.NewSession(sweep.NewSet(saltOf(1), 0, top, mine, nil))
			rounds := 0
			var err error
			for m := s.Next(); m != nil && err == nil; m = s.Next() {
				if rounds++; rounds > 100 || len(m) > sweep.MaxMessage {
					t.Fatalf("%s: message %d of %d bytes", name, rounds, len(m))
				}
				answer := []byte{1, 0}
				for i, a := range sweep.Asks(m) {
					next := reply(a.Kind, a.Points)
					if i >= most || len(answer)+len(next) > sweep.MaxMessage {
						break
					}
					answer = append(answer, next...)
				}
				err = s.Take(answer)
			}
			if err != nil && !errors.Is(err, sweep.ErrRounds) && !errors.Is(err, sweep.ErrMessage) {
				t.Fatal(err)
			}
			t.Logf("%s, %d at a time: %d messages, %v", name, most, rounds, err)
		}
	}
}

// One that answers from another set each time only makes work for itself.
func TestSessionWithAMadmanEnds(t *testing.T) {
	r := random(6)
	mine := listOf(pile(r, 20000))
	s := sweep.NewSession(sweep.NewSet(saltOf(1), 0, top, mine, nil))
	for m := s.Next(); m != nil; m = s.Next() {
		answer, err := sweep.Respond(sweep.NewSet(saltOf(1), 0, top, listOf(pile(r, r.IntN(5000))), nil), m)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Take(answer); err != nil {
			t.Fatal(err)
		}
	}
	if cost := s.Traffic(); cost.Rounds > 20 || cost.Sent+cost.Received > 1<<20 {
		t.Fatalf("%+v", cost)
	}
}

func TestSessionRefusesAnswers(t *testing.T) {
	mine := listOf(pile(random(4), 500))
	good, err := sweep.Respond(sweep.NewSet(saltOf(1), 0, top, listOf(pile(random(5), 500)), nil),
		sweep.NewSession(sweep.NewSet(saltOf(1), 0, top, mine, nil)).Next())
	if err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string][]byte{
		"nothing": {}, "a version": {1}, "version 2": {2, 0, 0}, "an unknown form": {1, 2, 0}, "no reply": {1, 0},
		"two replies to one ask": {1, 0, 0, 0}, "an unknown reply": {1, 0, 4}, "a list nobody asked for": {1, 0, 3, 0},
		"a split in none": {1, 0, 2, 0}, "a split in too many": {1, 0, 2, 17, 0}, "cut short": good[:len(good)-1],
		"too long": append(good[:len(good):len(good)], 0), "too large": make([]byte, sweep.MaxMessage+1),
		"a cut where it begins": {1, 1, 0, 0, 0, 0, 0, 0, 0, 0}, "half a cut": {1, 1, 9, 0, 0},
		"a cut and more": {1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0},
		"parts that fall": append(append(append([]byte{1, 0, 2, 3, 1, 9, 1}, make([]byte, 16)...), 1, 8, 1),
			make([]byte, 16+2+16)...),
		"a last part with a bound": append([]byte{1, 0, 2, 1, 1, 9, 1}, make([]byte, 16)...),
		"a count beyond counting":  append([]byte{1, 0, 2, 1, 0, 255, 255, 255, 255, 255, 255, 255, 127}, make([]byte, 16)...),
	} {
		s := sweep.NewSession(sweep.NewSet(saltOf(1), 0, top, mine, nil))
		s.Next()
		if err := s.Take(answer); !errors.Is(err, sweep.ErrMessage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// query returns the first message of a member that holds nothing.
func queryOf(salt uint64, from, to uint64) []byte {
	return sweep.NewSession(sweep.NewSet(saltOf(salt), from, to, new(sweep.Points), nil)).Next()
}

func TestResponderRefuses(t *testing.T) {
	o := newSwarm(t, random(1), 3, 100).members[0]
	good := queryOf(1, 0, top)
	for _, m := range [][]byte{nil, good[:len(good)-1], append(good[:len(good):len(good)], 1),
		make([]byte, sweep.MaxMessage+1)} {
		if _, err := o.responder.Answer(t.Context(), "x", m); !errors.Is(err, sweep.ErrMessage) {
			t.Errorf("%d bytes: %v", len(m), err)
		}
	}
	if sets, _, _ := o.responder.Kept(); sets != 0 {
		t.Error("a set was made for a bad message")
	}
	other := sweep.NewSet(saltOf(2), 0, top, new(sweep.Points), nil)
	if _, err := sweep.Respond(other, good); !errors.Is(err, sweep.ErrMessage) {
		t.Error("the salt of another session was answered")
	}
}

// A member that answers each message just in time, and has each session end with a cut right behind where it began, keeps a
// sweep for a bounded time, and counts as absent.
func TestSweepDoesNotWaitForAMiser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSwarm(t, random(3), 20, 200)
		o, miser := w.members[0], w.members[1].id
		cfg := w.config(o, func([]sweep.Item) {})
		reconcile := cfg.Reconcile
		cfg.Reconcile = func(ctx context.Context, id dhash.ID, m []byte) ([]byte, error) {
			if id != miser {
				return reconcile(ctx, id, m)
			}
			select {
			case <-time.After(59 * time.Second):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			from := binary.BigEndian.Uint64(m[1+16:])
			return binary.BigEndian.AppendUint64([]byte{1, 1}, from+1), nil
		}
		s, err := sweep.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		report, err := s.Now(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 11*time.Minute {
			t.Errorf("the sweep took %s", took)
		}
		if n := report.Neighbours[miser]; n.Failed != 1 || n.Compared != 0 {
			t.Errorf("%+v", n)
		}
		for id, n := range report.Neighbours {
			if id != miser && (n.Failed != 0 || n.Compared == 0) {
				t.Errorf("%s: %+v", id, n)
			}
		}
	})
}

// slow is a store of n fragments, that takes time to walk over.
type slow struct {
	n     int
	delay time.Duration
	walks int
}

func (s *slow) Walk(ctx context.Context, from, to dhash.Key, fn func(fragstore.Held) error) error {
	s.walks++
	time.Sleep(s.delay)
	h := fragstore.Held{Code: dhash.Code{Need: 1, Total: 1}, Claims: make([]dhash.Claim, 1)}
	for i := range s.n { // all of one block, so that nothing has to be sorted
		h.Coding = dhash.Coding{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		if err := fn(h); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func newSlow(t *testing.T, n int, delay time.Duration) (*slow, *sweep.Responder) {
	t.Helper()
	table := placement.New([]placement.Member{{ID: "me", Key: dhash.ID("me").Key()}})
	st := &slow{n: n, delay: delay}
	r, err := sweep.NewResponder(sweep.ResponderConfig{Self: "me", Store: st,
		Table: func() *placement.Table { return table }})
	if err != nil {
		t.Fatal(err)
	}
	return st, r
}

// However many members ask for whatever, what is kept is bounded, and forgotten when it is not used.
func TestResponderMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, r := newSlow(t, 100_000, 0)
		ask := func(i int) {
			id := dhash.ID(fmt.Sprint("member ", i))
			for n := range uint64(2) {
				if _, err := r.Answer(t.Context(), id, queryOf(n, 0, top)); err != nil {
					t.Fatal(err)
				}
			}
			sets, points, _ := r.Kept()
			if points > sweep.MaxCached || sets > sweep.MaxCached/100_000 {
				t.Fatalf("%d sets of %d points", sets, points)
			}
		}
		for i := range 8 {
			ask(i)
		}
		if st.walks != 16 {
			t.Fatalf("%d walks", st.walks)
		}
		time.Sleep(2 * sweep.KeepFor)
		ask(99)
		if sets, _, askers := r.Kept(); sets != 1 || askers != 1 {
			t.Fatalf("%d sets of %d members after a pause", sets, askers)
		}
	})
}

// A session takes one walk; a member that wants another set each time waits four times as long as that takes.
func TestResponderPacesWhoKeepsItBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st, r := newSlow(t, 10, time.Second)
		began := time.Now()
		for range 10 {
			if _, err := r.Answer(t.Context(), "honest", queryOf(1, 0, top)); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); st.walks != 1 || took > 6*time.Second {
			t.Fatalf("%d walks, %s", st.walks, took)
		}
		began = time.Now()
		for n := range uint64(10) {
			if _, err := r.Answer(t.Context(), "greedy", queryOf(n, 0, top)); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 45*time.Second {
			t.Fatalf("ten sets in %s", took)
		}
		// Giving up does not help.
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.Answer(ctx, "greedy", queryOf(11, 0, top)); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		began = time.Now()
		if _, err := r.Answer(t.Context(), "greedy", queryOf(12, 0, top)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 5*time.Second {
			t.Fatalf("answered after %s", took)
		}
	})
}

func TestResponderAnswersAMemberOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, r := newSlow(t, 10, time.Second)
		first := make(chan error)
		go func() {
			_, err := r.Answer(t.Context(), "one", queryOf(1, 0, top))
			first <- err
		}()
		synctest.Wait()
		if _, err := r.Answer(t.Context(), "one", queryOf(1, 0, top)); !errors.Is(err, dhash.ErrBusy) {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := r.Answer(t.Context(), "two", queryOf(1, 0, top)); err != nil || time.Since(began) != 2*time.Second {
			t.Fatalf("%v after %s: sets are made one at a time", err, time.Since(began))
		}
		if err := <-first; err != nil {
			t.Fatal(err)
		}
	})
}

// A neighbour that lies or hangs is counted as absent, in bounded time, and the others are counted all the same.
func TestSweepWithBadNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSwarm(t, random(8), 24, 300)
		o := w.members[0]
		bad := map[dhash.ID]func(ctx context.Context, m []byte) ([]byte, error){
			w.members[1].id: func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() },
			w.members[2].id: func(context.Context, []byte) ([]byte, error) { return []byte("nonsense"), nil },
			w.members[3].id: func(context.Context, []byte) ([]byte, error) { return []byte{1, 1, 0, 0, 0, 0, 0, 0, 0, 9}, nil },
			w.members[4].id: func(context.Context, []byte) ([]byte, error) { return nil, venti.ErrUnavailable },
		}
		var found []sweep.Item
		cfg := w.config(o, func(items []sweep.Item) { found = append(found, items...) })
		honest := cfg.Reconcile
		cfg.Reconcile = func(ctx context.Context, id dhash.ID, m []byte) ([]byte, error) {
			if f := bad[id]; f != nil {
				return f(ctx, m)
			}
			return honest(ctx, id, m)
		}
		s, err := sweep.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		report, err := s.Now(t.Context(), nil)
		if took := time.Since(began); err != nil || took > 2*time.Minute {
			t.Fatalf("%v after %s", err, took)
		}
		for _, m := range w.members[1:] {
			n := report.Neighbours[m.id]
			if m.failing = bad[m.id] != nil; m.failing != (n.Failed == 1) || n.Rounds > 200 {
				t.Fatalf("%s: %+v", m.id, n)
			}
		}
		want, _ := w.truth(o)
		for _, i := range found {
			if want[what{i.Score, i.Coding}] != i {
				t.Fatalf("found %+v", i)
			}
		}
		if len(found) != len(want) {
			t.Fatalf("%d found, not %d", len(found), len(want))
		}
	})
}
