package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/gateway"
	"ventidhash/dhash/placement"
	"ventidhash/venti"
	"ventidhash/venti/ventitest"
)

// waits is a gateway that waits an hour for the swarm.
func waits(c *gateway.Config) { c.Wait = time.Hour }

// later changes how all members behave after some time.
func (f *fakeSwarm) later(after time.Duration, m mode) {
	go func() {
		time.Sleep(after) // of a synctest bubble
		f.set(m, f.ids...)
	}()
}

// TestOutage takes the network away from writers and readers, in both of the ways in which that happens: they go on when it
// is back, and everything is stored as well as if nothing had been.
func TestOutage(t *testing.T) {
	for name, how := range map[string]mode{"unreachable": gone, "hung": hung} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				swarm := newFakeSwarm(24)
				g := swarm.open(t, waits)
				old := mustPut(t, g, ventitest.Random(1, 50_000))[0]
				swarm.set(how, swarm.ids...)
				swarm.later(30*time.Minute, good)
				begin := time.Now()
				told := make(chan gateway.Outage, 1)
				go func() {
					time.Sleep(10 * time.Minute)
					told <- g.Outage()
				}()
				if _, err := g.Put(t.Context(), ventitest.Random(2, 50_000)); err != nil {
					t.Fatal(err)
				}
				if err := g.Sync(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took < 30*time.Minute || took > 33*time.Minute {
					t.Errorf("a put took %v", took)
				}
				if o := <-told; o.Answering != 0 || o.Need != 8 || o.Since.Sub(begin) > 2*time.Minute ||
					o.Until.Sub(o.Since) < 58*time.Minute || o.Until.Sub(o.Since) > time.Hour {
					t.Errorf("during the outage: %+v", o)
				}
				if o := g.Outage(); o != (gateway.Outage{}) {
					t.Errorf("after the outage: %+v", o)
				}
				if rep, n := g.Report(), swarm.fragments(); rep.Blocks != 2 || rep.Below != 0 || n != 40 {
					t.Errorf("%+v, %d fragments", rep, n)
				}

				swarm.set(how, swarm.ids...)
				swarm.later(20*time.Minute, good)
				begin = time.Now()
				mustGet(t, g, old, ventitest.Random(1, 50_000))
				if took := time.Since(begin); took < 20*time.Minute || took > 23*time.Minute {
					t.Errorf("a get took %v", took)
				}
				for _, has := range []func(context.Context, []venti.Score) ([]bool, error){g.Has, g.Renew} {
					swarm.set(how, swarm.ids...)
					swarm.later(20*time.Minute, good)
					if got, err := has(t.Context(), []venti.Score{old, venti.Sum([]byte("none"))}); err != nil || !got[0] || got[1] {
						t.Errorf("has: %v, %v", got, err)
					}
				}
			})
		})
	}
}

// TestOutageWhilePut takes the network away while fragments travel, so that some are stored and too few of them.
func TestOutageWhilePut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(20)
		g := swarm.open(t, waits)
		block := ventitest.Random(1, 50_000)
		swarm.set(hung, swarm.ids[12:]...)
		swarm.later(100*time.Millisecond, hung)
		swarm.later(10*time.Minute, good)
		begin := time.Now()
		s := mustPut(t, g, block)[0]
		if rep := g.Report(); rep.Below != 0 || swarm.fragments() != 20 || time.Since(begin) < 10*time.Minute {
			t.Errorf("after %v: %+v, %d fragments", time.Since(begin), rep, swarm.fragments())
		}
		if n := swarm.puts(); n != 20 {
			t.Errorf("%d fragments were sent for 20", n)
		}
		mustGet(t, g, s, block)
	})
}

// TestOutageOfVital holds that a vital block, for which few members would do, waits for the swarm as the others do.
func TestOutageOfVital(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(20)
		var away atomic.Bool
		left := swarm.ids[:5]
		g := swarm.open(t, waits, func(c *gateway.Config) {
			c.Code = func(_ int, vital bool) dhash.Code {
				if vital {
					return dhash.Code{Need: 4, Total: 20}
				}
				return dhash.Code{Need: 8, Total: 20}
			}
			c.Absent = func(id dhash.ID) bool { return away.Load() && !slices.Contains(left, id) }
		})
		mustPut(t, g, ventitest.Random(1, 50_000))
		swarm.set(gone, swarm.ids[5:]...)
		away.Store(true)
		go func() {
			time.Sleep(10 * time.Minute)
			away.Store(false)
		}()
		swarm.later(10*time.Minute, good)
		if _, err := g.PutVital(t.Context(), ventitest.Random(2, 50_000)); err != nil {
			t.Fatal(err)
		}
		if err := g.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rep := g.Report(); rep.Blocks != 2 || rep.Below != 0 || rep.Fragments != 40 {
			t.Errorf("%+v", rep)
		}
	})
}

// TestOutageEndsSlowly holds that blocks which are put when just enough members are back, and the others are coming, wait for
// those as the blocks before them do.
func TestOutageEndsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(20)
		absent := map[dhash.ID]*atomic.Bool{}
		for _, id := range swarm.ids {
			absent[id] = new(atomic.Bool)
		}
		g := swarm.open(t, waits, func(c *gateway.Config) {
			c.Absent = func(id dhash.ID) bool { return absent[id].Load() }
		})
		set := func(how mode, ids ...dhash.ID) {
			swarm.set(how, ids...)
			for _, id := range ids {
				absent[id].Store(how != good)
			}
		}
		mustPut(t, g, ventitest.Random(1, 50_000))
		set(gone, swarm.ids...)
		go func() {
			time.Sleep(10 * time.Minute)
			set(good, swarm.ids[:8]...)
			for _, id := range swarm.ids[8:] {
				time.Sleep(time.Second)
				set(good, id)
			}
		}()
		begin := time.Now()
		for seed := range uint64(1300) { // from before the first is back to after the last is
			if _, err := g.Put(t.Context(), ventitest.Random(2+seed, 5_000)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond)
		}
		if err := g.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 12*time.Minute {
			t.Errorf("it took %v", took)
		}
		if rep := g.Report(); rep.Blocks != 1301 || rep.Below != 0 {
			t.Errorf("%+v", rep)
		}
	})
}

// TestLongOutage holds that a swarm whose members are taken for gone one after the other, all or all but a few, is not taken
// for one of so few: neither meanwhile, nor when the first of them is back.
func TestLongOutage(t *testing.T) {
	for left := range 4 {
		for name, idle := range map[string]time.Duration{"busy": 0, "idle": 25 * time.Minute} {
			t.Run(fmt.Sprintf("%d left/%s", left, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { longOutage(t, left, idle) })
			})
		}
	}
}

// longOutage puts blocks from some time after the members went away, for an hour of its synctest bubble: all sleeps are of
// virtual time.
func longOutage(t *testing.T, left int, idle time.Duration) {
	swarm := newFakeSwarm(20)
	var known atomic.Int64
	known.Store(20)
	g := swarm.open(t, waits, func(c *gateway.Config) {
		c.Table = func() *placement.Table { return newFakeSwarm(int(known.Load())).table() }
	})
	mustPut(t, g, ventitest.Random(1, 50_000))
	swarm.set(gone, swarm.ids[left:]...)
	go func() {
		time.Sleep(10 * time.Minute)
		for i := 19; i >= left; i-- {
			time.Sleep(3 * time.Second)
			known.Store(int64(i))
		}
		time.Sleep(20 * time.Minute)
		for i := left; i < 20; i++ {
			time.Sleep(3 * time.Second)
			swarm.set(good, swarm.ids[i])
			known.Store(int64(i + 1))
		}
	}()
	time.Sleep(idle)
	for seed := range uint64(1200) {
		if _, err := g.Put(t.Context(), ventitest.Random(2+seed, 1000)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
	}
	if err := g.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rep := g.Report(); rep.Blocks != 1201 || rep.Below != 0 || rep.Fragments != 1201*20 {
		t.Errorf("%+v", rep)
	}
}

// TestOutageUnnoticed holds that a block which is coded for the two members that are not taken for gone yet, before anybody
// has noticed that one of them does not answer either, is not left with one.
func TestOutageUnnoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(6)
		var known atomic.Int64
		known.Store(6)
		g := swarm.open(t, waits, func(c *gateway.Config) {
			c.Code = func(members int, vital bool) dhash.Code {
				return codec.Policy{Fixed: dhash.Code{Need: 2, Total: 6}}.Code(members, vital)
			}
			c.Nines = func(need, count int) float64 {
				return codec.Nines(codec.Unavailability(dhash.Code{Need: need, Total: count}, 0.9))
			}
			c.Table = func() *placement.Table { return newFakeSwarm(int(known.Load())).table() }
		})
		mustPut(t, g, ventitest.Random(1, 50_000))
		swarm.set(gone, swarm.ids[1:]...)
		known.Store(2)
		go func() {
			time.Sleep(10 * time.Minute)
			swarm.set(good, swarm.ids...)
			known.Store(6)
		}()
		mustPut(t, g, ventitest.Random(2, 50_000))
		if rep := g.Report(); rep.Blocks != 2 || rep.Below != 0 || rep.Nines < 1.9 {
			t.Errorf("%+v", rep)
		}
	})
}

// TestOutageIsBounded holds that waiting ends: with the time given, with the context, and with the gateway.
func TestOutageIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(24)
		g := swarm.open(t, waits)
		s := mustPut(t, g, ventitest.Random(1, 50_000))[0]
		swarm.set(gone, swarm.ids...)
		begin := time.Now()
		if _, err := g.Get(t.Context(), s); !errors.Is(err, venti.ErrUnavailable) || time.Since(begin) < time.Hour ||
			time.Since(begin) > 62*time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		begin = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := g.Get(ctx, s); err == nil || time.Since(begin) > 61*time.Second {
			t.Errorf("with a minute's time, after %v: %v", time.Since(begin), err)
		}
		begin = time.Now()
		if _, err := g.Put(t.Context(), []byte("block")); err != nil {
			t.Fatal(err)
		}
		if err := g.Sync(t.Context()); !errors.Is(err, venti.ErrUnavailable) || time.Since(begin) > 62*time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		begin = time.Now()
		other := swarm.open(t, waits)
		if _, err := other.Put(t.Context(), []byte("block")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if err := other.Close(); err != nil || time.Since(begin) > 61*time.Second {
			t.Errorf("closed after %v: %v", time.Since(begin), err)
		}
	})
}

// TestUnavailableIsSaidSoon holds that a block is not waited for that is lost, or out of reach, while members answer; and
// that nobody waits who has not asked for it.
func TestUnavailableIsSaidSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(40)
		g := swarm.open(t, waits)
		block := ventitest.Random(1, 50_000)
		s := mustPut(t, g, block)[0]
		swarm.set(gone, swarm.holders(s)[:13]...) // one too many
		begin := time.Now()
		if _, err := g.Get(t.Context(), s); !errors.Is(err, venti.ErrUnavailable) || time.Since(begin) > 2*time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		begin = time.Now()
		if _, err := g.Get(t.Context(), venti.Sum([]byte("none"))); err == nil || time.Since(begin) > 2*time.Minute {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		swarm.set(gone, swarm.ids...)
		begin = time.Now()
		if _, err := swarm.open(t).Get(t.Context(), s); !errors.Is(err, venti.ErrUnavailable) || time.Since(begin) > time.Minute {
			t.Errorf("without Wait, after %v: %v", time.Since(begin), err)
		}
		swarm.set(good, swarm.ids...)
		if got, err := g.Get(t.Context(), s); err != nil || !bytes.Equal(got, block) {
			t.Error(err)
		}
	})
}

// TestProbeCancelled holds that what a caller has heard who gave up while members were asked is not told to others.
func TestProbeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		swarm := newFakeSwarm(24)
		g := swarm.open(t, waits)
		swarm.set(hung, swarm.ids...)
		before := time.Now()
		time.Sleep(time.Second) // of the bubble, so that the probe begins after that
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		g.Probe(ctx, venti.Score{1}, before)
		swarm.set(good, swarm.ids...)
		if n := g.Probe(t.Context(), venti.Score{2}, before); n != 24 {
			t.Errorf("%d members answer", n)
		}
	})
}
