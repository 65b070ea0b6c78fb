package lenders_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"ventidhash/dhash/claim"
	"ventidhash/dhash/lenders"
)

// TestReplay sends everything that was ever said again, in any order, after all of it was claimed again.
func TestReplay(t *testing.T) {
	o := newTown(t, 1)
	l, gone, live := o.lenders[0], blocks(1, 50), blocks(2, 1000)
	l.claim(old, append(gone, live...)...)
	o.tell(gone, live, func(tell *lenders.Tell) { tell.Retain = true })
	if l.has(gone...) > 0 {
		t.Fatal("nothing was released")
	}
	l.claim(time.Now().Add(time.Minute), gone...)
	raws := slices.Clone(l.raws)
	r := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		r.Shuffle(len(raws), func(i, j int) { raws[i], raws[j] = raws[j], raws[i] })
		for _, raw := range raws {
			if _, err := l.state(raw); err != nil {
				t.Fatal(err)
			}
		}
	}
	if l.has(gone...) != 50 || l.has(live...) != 1000 {
		t.Errorf("%d and %d are left", l.has(gone...), l.has(live...))
	}
}

// TestInterrupted loses the program, or the answer, at every statement in turn. The next run ends what was begun.
func TestInterrupted(t *testing.T) {
	for _, answered := range []bool{false, true} {
		for at := range 4 {
			t.Run(fmt.Sprint(answered, at), func(t *testing.T) {
				o := newTown(t, 2)
				gone, live := blocks(1, 30), blocks(2, 1000)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				n := 0
				for _, l := range o.lenders {
					l.claim(old, append(gone, live...)...)
				}
				o.lenders[1].refuses = func(*claim.Statement) error {
					if n++; n == at+1 && !answered {
						cancel()
						return context.Canceled
					} else if n == at+1 {
						cancel()
					}
					return nil
				}
				_, _ = o.try(ctx, gone, live, func(tell *lenders.Tell) { tell.Retain = true })
				o.tell(gone, live, func(tell *lenders.Tell) { tell.Retain = true })
				for i, l := range o.lenders {
					if l.has(gone...) != 0 || l.has(live...) != 1000 {
						t.Errorf("lender %d has %d and %d", i, l.has(gone...), l.has(live...))
					}
				}
				o.nothingWaits()
			})
		}
	}
}

// TestPaused has a lender that was away itself: it lets nothing go, and is told again.
func TestPaused(t *testing.T) {
	o := newTown(t, 1)
	l, gone, live := o.lenders[0], blocks(1, 10), blocks(2, 100)
	l.claim(old, append(gone, live...)...)
	l.served = time.Minute
	told := o.tell(gone, live, nil)
	if told[0].Paused != claim.PausedStart || told[0].Until.IsZero() || told[0].Settled() || l.has(gone...) != 10 {
		t.Errorf("%+v", told)
	}
	l.served = 25 * time.Hour
	if told = o.tell(nil, live, nil); told[0].Fragments != 10 {
		t.Errorf("afterwards: %+v", told)
	}
	o.nothingWaits()
}

// TestLost removes or damages each of the files: that releases nothing that is needed, and ends nothing.
func TestLost(t *testing.T) {
	for _, name := range []string{"lenders", "owed", "waiting"} {
		for _, damage := range []func(string) error{
			os.RemoveAll,
			func(name string) error {
				if st, err := os.Stat(name); err != nil || st.IsDir() {
					return err
				}
				return os.WriteFile(name, []byte("\x01junk"), 0o600)
			},
		} {
			o := newTown(t, 1)
			l, gone, live := o.lenders[0], blocks(1, 300), blocks(2, 300)
			l.claim(old, append(gone, live...)...)
			o.tell(gone, live, nil)
			if err := damage(filepath.Join(o.dir, name)); err != nil {
				t.Fatal(err)
			}
			l.ahead = 25 * time.Hour
			told := o.tell(blocks(1, 10), live, func(tell *lenders.Tell) { tell.Confirm = true })
			if l.has(live...) != 300 || told[0].Err != nil {
				t.Errorf("%s: %+v", name, told)
			}
		}
	}
}
