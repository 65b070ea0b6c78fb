package repair_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/repair"
	"ventidhash/venti"
)

func TestBudget(t *testing.T) {
	t.Run("idle", func(t *testing.T) { keepsWithin(t, 10_000, func(c *repair.Config) { c.Rate = 10_000 }) })
	t.Run("busy", func(t *testing.T) {
		keepsWithin(t, 10_000, func(c *repair.Config) { c.Rate, c.Busy = 40_000, func() bool { return true } })
	})
}

// keepsWithin holds that a node spends no more than a rate.
func keepsWithin(t *testing.T, rate int64, set func(*repair.Config)) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 30, set)
		var all []*codec.Encoded
		for i := range 200 {
			all = append(all, s.put(uint64(i), 20_000, usual))
		}
		for _, m := range s.members[3:8] {
			m.wipe()
		}
		s.sweep()
		ctx, cancel := context.WithCancel(t.Context())
		m := busiest(s, all)
		ended := make(chan error, 1)
		began := time.Now()
		go func() { ended <- m.rep.Run(ctx) }()
		var one int64 // what is under way at once
		for range 1000 {
			time.Sleep(time.Second)
			st := m.rep.Stats()
			spent := st.Mend.Read + st.Mend.Written + st.Handoff.Read + st.Handoff.Written
			one = 3 * int64(28*usual.PayloadSize(20_000))
			if most := int64(time.Since(began).Seconds()*float64(rate)) + 4*rate + one; spent > most {
				t.Fatalf("%d bytes after %v, want at most %d", spent, time.Since(began), most)
			}
			if st.Waiting+st.Due == 0 && st.Repaired > 0 {
				break
			}
		}
		synctest.Wait()
		st := m.rep.Stats()
		took := time.Since(began)
		if st.Repaired < 10 || st.Waiting != 0 {
			t.Errorf("%d repaired in %v, %d waiting", st.Repaired, took, st.Waiting)
		}
		least := time.Duration(float64(st.Mend.Read+st.Mend.Written-4*rate-one) / float64(rate) * float64(time.Second))
		if took < least {
			t.Errorf("it took %v, want %v at least", took, least)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// busiest returns the member that is the closest holder of most blocks.
func busiest(s *swarm, all []*codec.Encoded) *member {
	count := map[*member]int{}
	for _, enc := range all {
		count[s.holders(enc)[0]]++
	}
	best := s.members[0]
	for _, m := range s.members {
		if count[m] > count[best] {
			best = m
		}
	}
	return best
}

func TestUrgentExceedsTheBudget(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 60, func(c *repair.Config) { c.Rate = 1 })
		all := s.putAll(5, 5000, usual)
		for _, enc := range all {
			for _, m := range s.holders(enc)[8:] {
				for n := range m.held {
					if n.Score == enc.Score {
						delete(m.held, n)
					}
				}
			}
		}
		s.sweep()
		began := time.Now()
		for _, enc := range all {
			m := s.holders(enc)[0]
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := m.rep.Now(ctx, nil); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			cancel()
			if st := m.rep.Stats(); st.Urgency.Read == 0 || st.Urgency.Written == 0 {
				t.Errorf("%+v", st.Urgency)
			}
			s.full(enc, 20)
		}
		if d := time.Since(began); d > 5*time.Minute {
			t.Errorf("it took %v", d)
		}
	})
}

func TestMassFailureBrake(t *testing.T) {
	within(t, func(t *testing.T) {
		alive := 30
		known := 30
		s := newSwarm(t, 30, func(c *repair.Config) { c.Roster = func() (int, int) { return alive, known } })
		enc := s.put(1, 2000, usual)
		s.now() // once, so that all have seen the roster
		s.lose(enc, 10, die)
		m := s.holders(enc)[0]
		alive = 20 // a third has vanished
		s.sweep()
		for range 20 {
			time.Sleep(time.Hour)
			if err := m.rep.Now(t.Context(), nil); !errors.Is(err, venti.ErrUnavailable) {
				t.Fatalf("%v, want a node that takes itself for cut off", err)
			}
		}
		if s.copies+s.gets != 0 || !m.rep.Stats().Braked {
			t.Fatal("something was repaired")
		}
		alive = 27 // nine tenths of those that were there
		if err := m.rep.Now(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if n, _ := s.present(enc); n < usual.Threshold() {
			t.Errorf("%d present when they are back", n)
		}
	})
}

// A node that has just begun is cut off from members that it has heard of and not met yet.
func TestMassFailureBrakeOfAFreshNode(t *testing.T) {
	within(t, func(t *testing.T) {
		alive, known := 1, 1
		s := newSwarm(t, 30, func(c *repair.Config) { c.Roster = func() (int, int) { return alive, known } })
		enc := s.put(1, 2000, usual)
		s.now()
		time.Sleep(20 * time.Second)
		alive, known = 14, 30
		lost := s.lose(enc, 10, die)
		s.sweep()
		for _, m := range s.members {
			if err := m.rep.Now(t.Context(), nil); !m.dead && !errors.Is(err, venti.ErrUnavailable) {
				t.Fatalf("%v, want a node that takes itself for cut off", err)
			}
		}
		if s.copies+s.gets != 0 {
			t.Error("something was repaired")
		}
		alive = 30
		for _, m := range lost {
			m.dead = false
		}
		if err := s.holders(enc)[0].rep.Now(t.Context(), nil); err != nil {
			t.Error(err)
		}
		s.full(enc, 20)
	})
}

// The roster hears that a third has vanished from those whom a survey asks in vain: what was surveyed waits then.
func TestMassFailureIsSeenByTheSurvey(t *testing.T) {
	within(t, func(t *testing.T) {
		begun := time.Now()
		s := newSwarm(t, 30, func(c *repair.Config) {
			c.Roster = func() (int, int) {
				if time.Since(begun) > time.Hour { // as soon as somebody has waited for an answer
					return 20, 30
				}
				return 30, 30
			}
		})
		enc := s.put(1, 2000, usual)
		s.now()
		s.lose(enc, 10, die)
		m := s.holders(enc)[0]
		s.sweep()
		time.Sleep(time.Hour - time.Since(begun))
		if err := m.rep.Now(t.Context(), nil); !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("%v, want a node that takes itself for cut off", err)
		}
		if s.copies+s.gets != 0 || !m.rep.Stats().Braked {
			t.Error("something was repaired")
		}
	})
}

func TestMassFailureBrakeEndsAfterTheGrace(t *testing.T) {
	within(t, func(t *testing.T) {
		alive := 30
		s := newSwarm(t, 40, func(c *repair.Config) { c.Roster = func() (int, int) { return alive, 30 } })
		enc := s.put(1, 2000, usual)
		lost := s.lose(enc, 12, die)
		m := s.holders(enc)[0]
		if err := m.rep.Now(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		alive = 10
		s.sweep()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- m.rep.Run(ctx) }()
		time.Sleep(23*time.Hour + 50*time.Minute)
		if s.copies != 0 {
			t.Fatal("repaired within the grace period")
		}
		for _, m := range lost {
			leave(m)
		}
		time.Sleep(20 * time.Minute)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.full(enc, 20)
	})
}

func TestRunTakesNews(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 30)
		enc := s.put(1, 2000, usual)
		s.lose(enc, 6, wipe)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		m := s.holders(enc)[0]
		go func() { ended <- m.rep.Run(ctx) }()
		time.Sleep(time.Hour)
		s.sweep()
		time.Sleep(time.Second)
		s.full(enc, 20)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Members that leave one after the other, and a node that starts while it is cut off.
func TestBrakeTellsSlowFromSudden(t *testing.T) {
	within(t, func(t *testing.T) {
		alive := 100
		s := newSwarm(t, 3, func(c *repair.Config) { c.Roster = func() (int, int) { return alive, 100 } })
		rep := s.members[0].rep
		for alive > 20 {
			if err := rep.Now(t.Context(), nil); err != nil {
				t.Fatalf("%d alive: %v", alive, err)
			}
			alive -= alive / 10
			time.Sleep(30 * time.Minute)
		}
		if err := s.members[1].rep.Now(t.Context(), nil); !errors.Is(err, venti.ErrUnavailable) {
			t.Errorf("a node that has just started and sees %d of 100: %v", alive, err)
		}
	})
}

func TestValidate(t *testing.T) {
	s := newSwarm(t, 1)
	good := repair.Config{Self: "m", Peers: wire{s, s.members[0]}, Store: disk{s.members[0]}, Table: s.table}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*repair.Config){
		"no self": func(c *repair.Config) { c.Self = "" }, "no table": func(c *repair.Config) { c.Table = nil },
		"rate": func(c *repair.Config) { c.Rate = -1 }, "confirm": func(c *repair.Config) { c.Confirm = -1 },
	} {
		bad := good
		change(&bad)
		if _, err := repair.New(bad); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	within(t, func(t *testing.T) {
		s := newSwarm(t, 1, func(c *repair.Config) { c.Queue = 100 })
		rep := s.members[0].rep
		add := func(n, present int) {
			var list []repair.Candidate
			for i := range n {
				score := venti.Score{byte(i), byte(i >> 8), byte(present)}
				list = append(list, repair.Candidate{Score: score, Code: usual, Present: present})
			}
			rep.Add(list)
		}
		add(80, 20)
		add(30, 12) // ten of the whole ones go
		if st := rep.Stats(); st.Queued != 100 || st.Dropped != 10 || st.Urgent != 0 {
			t.Errorf("%+v", st)
		}
		add(50, 9)
		if st := rep.Stats(); st.Queued != 100 || st.Dropped != 60 || st.Urgent != 50 {
			t.Errorf("%+v", st)
		}
		add(60, 12) // 30 are known, 20 whole ones are left to go
		if st := rep.Stats(); st.Queued != 100 || st.Dropped != 90 || st.Urgent != 50 {
			t.Errorf("%+v", st)
		}
		add(200, 20) // nothing is healthier
		if st := rep.Stats(); st.Queued != 100 || st.Urgent != 50 {
			t.Errorf("%+v", st)
		}
		add(300, 8)
		if st := rep.Stats(); st.Queued != 100 || st.Urgent != 100 {
			t.Errorf("%+v", st)
		}
		rep.Add([]repair.Candidate{{Code: dhash.Code{Need: 3, Total: 1}}, {Code: usual, Present: 1, Stray: true}})
		if st := rep.Stats(); st.Queued != 100 || st.Urgent != 100 {
			t.Errorf("%+v", st)
		}
	})
}
