package sweep_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/fragstore"
	"ventidhash/dhash/placement"
	"ventidhash/dhash/sweep"
)

// diary notes when regions were swept, and what was found in each.
type diary struct {
	mu    sync.Mutex
	times []time.Time
	items [][]sweep.Item
}

func (d *diary) note(items []sweep.Item) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.times = append(d.times, time.Now())
	d.items = append(d.items, items)
}

func (d *diary) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.times)
}

// run runs s until ctx ends, and returns a function that waits for it.
func run(t *testing.T, ctx context.Context, s *sweep.Sweeper) (wait func()) {
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// small returns a sweeper of o with regions of a hundred items and an interval of six hours.
func (w *swarm) small(o *one, d *diary, cursor string) *sweep.Sweeper {
	w.t.Helper()
	cfg := sweep.Small(w.config(o, d.note), 100)
	cfg.Cursor = cursor
	s, err := sweep.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func TestRunSpreadsRegionsOverTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSwarm(t, random(3), 20, 950)
		o := w.members[7]
		n := len(o.shelf.held)
		regions := (n + 99) / 100
		var d diary
		s := w.small(o, &d, "")
		ctx, cancel := context.WithCancel(t.Context())
		wait := run(t, ctx, s)
		began := time.Now()
		time.Sleep(18*time.Hour + time.Minute)
		synctest.Wait()
		cancel()
		wait()
		if d.len() < 2*regions || d.len() > 3*regions {
			t.Fatalf("%d regions in three rounds of %d", d.len(), regions)
		}
		if first := d.times[0].Sub(began); first > 6*time.Hour/8 {
			t.Fatalf("the first region waited %s", first)
		}
		for i := range 2 * regions {
			gap := d.times[i+1].Sub(d.times[i])
			want := 6 * time.Hour * 100 / time.Duration(n)
			if i%regions == regions-1 {
				want = 6 * time.Hour * time.Duration(n%100) / time.Duration(n)
			}
			if off := gap - want; off.Abs() > time.Second {
				t.Fatalf("region %d after %s, not %s", i+1, gap, want)
			}
		}
		r, ok := s.Last()
		if !ok || int(r.Items) != n || int(r.Regions) != regions {
			t.Fatalf("%+v", r)
		}
	})
}

func TestRunGoesOnAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSwarm(t, random(3), 20, 950)
		o := w.members[2]
		cursor := filepath.Join(t.TempDir(), "cursor")
		var whole diary
		if _, err := w.small(o, &whole, "").Now(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		regions := whole.len()
		var d diary
		for d.len() < regions { // a life of one or two regions each
			ctx, cancel := context.WithCancel(t.Context())
			wait := run(t, ctx, w.small(o, &d, cursor))
			time.Sleep(7 * time.Hour / time.Duration(regions))
			synctest.Wait()
			cancel()
			wait()
		}
		seen := map[what]bool{}
		for _, items := range d.items[:regions] {
			for _, i := range items {
				if seen[what{i.Score, i.Coding}] {
					t.Fatal("swept twice in a round")
				}
				seen[what{i.Score, i.Coding}] = true
			}
		}
		all := 0
		for _, items := range whole.items {
			all += len(items)
		}
		if all == 0 || len(seen) != all {
			t.Fatalf("%d items in many lives, %d in one", len(seen), all)
		}
		if took := d.times[regions-1].Sub(d.times[0]); took > 6*time.Hour+time.Second {
			t.Fatalf("a round with restarts took %s", took)
		}
	})
}

func TestRunWithoutAGoodCursor(t *testing.T) {
	long := time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC)
	good := sweep.EncodeCursor(1<<63, long)
	for name, content := range map[string][]byte{
		"nothing": nil, "short": good[:20], "long": append(good[:len(good):len(good)], 0),
		"flipped": append([]byte{1, 0}, good[2:]...), "another version": append([]byte{2}, good[1:]...),
		"the far future": good,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newSwarm(t, random(3), 20, 100)
				cursor := filepath.Join(t.TempDir(), "cursor")
				if err := os.WriteFile(cursor, content, 0o600); err != nil {
					t.Fatal(err)
				}
				var d diary
				ctx, cancel := context.WithCancel(t.Context())
				s := w.small(w.members[0], &d, cursor)
				wait := run(t, ctx, s)
				time.Sleep(6*time.Hour + 6*time.Hour/8 + time.Second)
				synctest.Wait()
				cancel()
				wait()
				if _, ok := s.Last(); !ok {
					t.Fatal("no round came to its end")
				}
			})
		})
	}
}

func TestRunOutlivesABadDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSwarm(t, random(3), 20, 100)
		o := w.members[0]
		o.shelf.err = errors.New("bad disk")
		var d diary
		ctx, cancel := context.WithCancel(t.Context())
		wait := run(t, ctx, w.small(o, &d, ""))
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		o.shelf.mu.Lock()
		if o.shelf.walks < 5 || o.shelf.walks > 20 {
			t.Errorf("%d tries in six hours", o.shelf.walks)
		}
		o.shelf.err = nil
		o.shelf.mu.Unlock()
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		cancel()
		wait()
		if d.len() == 0 {
			t.Error("no region was swept when the disk had come back")
		}
	})
}

func TestNowPutsTheNextRoundOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSwarm(t, random(3), 20, 950)
		o := w.members[2]
		cursor := filepath.Join(t.TempDir(), "cursor")
		var d diary
		s := w.small(o, &d, cursor)
		ctx, cancel := context.WithCancel(t.Context())
		wait := run(t, ctx, s)
		time.Sleep(3 * time.Hour)
		before := d.len()
		var done, of int64
		r, err := s.Now(ctx, func(d, o int64) { done, of = d, o })
		if err != nil || r.Items != done || r.Items != of || int(r.Items) != len(o.shelf.held) {
			t.Fatalf("%v: %+v, %d of %d", err, r, done, of)
		}
		if n := d.len() - before; n != int(r.Regions) {
			t.Fatalf("%d regions, not %d", n, r.Regions)
		}
		before = d.len()
		time.Sleep(5 * time.Hour)
		// The step that was due when Now came sees that there is nothing to do.
		if d.len() != before {
			t.Fatalf("%d regions were swept again", d.len()-before)
		}
		time.Sleep(8 * time.Hour)
		if d.len() == before {
			t.Fatal("no round after Now")
		}
		cancel()
		wait()
	})
}

func TestNowEndsWithItsContext(t *testing.T) {
	w := newSwarm(t, random(3), 20, 500)
	o := w.members[2]
	ctx, cancel := context.WithCancel(t.Context())
	cfg := sweep.Small(w.config(o, func([]sweep.Item) { cancel() }), 100)
	s, err := sweep.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.Now(ctx, nil); !errors.Is(err, context.Canceled) || r.Regions != 1 {
		t.Fatalf("%v, %+v", err, r)
	}
	if _, ok := s.Last(); ok {
		t.Fatal("half a round is reported as one")
	}
}

// A neighbour that holds far more than fits in a session is compared with in several.
func TestSweepWithALargerNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := random(11)
		w := newSwarm(t, r, 20, 3000)
		for _, o := range w.members {
			var err error
			o.responder, err = sweep.NewResponder(sweep.SmallSets(sweep.ResponderConfig{Self: o.id, Store: o.shelf,
				Table: func() *placement.Table { return o.table }}, 200))
			if err != nil {
				t.Fatal(err)
			}
		}
		few := w.members[4]
		few.shelf.drop(func(fragstore.Held) bool { return rand.N(100) > 1 })
		w.members[5].shelf.drop(func(fragstore.Held) bool { return rand.N(2) > 0 })
		for _, o := range []*one{few, w.members[5], w.members[6]} {
			w.check(o)
		}
	})
}

func TestConfigValidate(t *testing.T) {
	w := newSwarm(t, random(1), 3, 3)
	good := w.config(w.members[0], nil)
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for i, spoil := range []func(*sweep.Config){
		func(c *sweep.Config) { c.Self = "" }, func(c *sweep.Config) { c.Store = nil },
		func(c *sweep.Config) { c.Table = nil },
		func(c *sweep.Config) { c.Live = nil }, func(c *sweep.Config) { c.Reconcile = nil }, func(c *sweep.Config) { c.Found = nil },
		func(c *sweep.Config) { c.Interval = -1 }, func(c *sweep.Config) { c.Timeout = -1 },
	} {
		c := good
		spoil(&c)
		if _, err := sweep.New(c); err == nil {
			t.Errorf("config %d is taken", i)
		}
	}
	if _, err := sweep.NewResponder(sweep.ResponderConfig{Self: dhash.ID("x")}); err == nil {
		t.Error("a responder without a store")
	}
}
