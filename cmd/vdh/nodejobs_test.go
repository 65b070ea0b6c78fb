package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestKeepJobs holds that a node runs each job once for each time of its schedule, one at a time, tries one that could
// not begin again after a while, and runs one that was missed when the machine is back.
func TestKeepJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC on the first of January 2000
		table := []*job{{Name: "nightly"}, {Name: "broken"}, {Name: "never"}, {Name: "noon"}}
		for i, text := range []string{"02:00", "03:00", "", "12:00"} {
			if text != "" {
				c := mustCalendar(t, text)
				table[i].calendar = &c
			}
		}
		midnight := time.Now()
		began := map[string]time.Time{}
		for _, j := range table {
			began[j.Name] = midnight
		}
		var mu sync.Mutex // of all that follows
		var runs []string
		running := 0
		tableErr := errors.New("the config file cannot be read")
		ctx, cancel := context.WithCancel(t.Context())
		k := &jobKeeper{
			table: func() ([]*job, func(string) *jobState, error) {
				mu.Lock()
				defer mu.Unlock()
				return slices.Clone(table), func(name string) *jobState { mu.Lock(); defer mu.Unlock(); return &jobState{Began: began[name]} }, tableErr
			},
			start: func(_ context.Context, name string) error {
				mu.Lock()
				if running++; running > 1 {
					t.Error("two jobs at once")
				}
				defer func() { mu.Lock(); running--; mu.Unlock() }()
				runs = append(runs, name+time.Since(midnight).Truncate(time.Minute).String())
				if name != "broken" {
					began[name] = time.Now()
				}
				mu.Unlock()
				if name == "broken" {
					return errors.New("no such program")
				}
				time.Sleep(2 * time.Minute)
				return nil
			},
			log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		}
		go k.keep(ctx)
		time.Sleep(time.Hour)
		synctest.Wait()
		mu.Lock()
		tableErr = nil
		mu.Unlock()
		time.Sleep(2*time.Hour + 50*time.Minute) // until ten to four
		synctest.Wait()
		want := []string{"nightly2h0m0s", "broken3h0m0s", "broken3h15m0s", "broken3h30m0s", "broken3h45m0s"}
		if !slices.Equal(runs, want) {
			t.Errorf("ran %v, not %v", runs, want)
		}
		mu.Lock()
		runs, table = nil, slices.Delete(table, 1, 2)
		mu.Unlock()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if want := []string{"noon12h0m0s", "nightly26h0m0s"}; !slices.Equal(runs, want) {
			t.Errorf("ran %v, not %v", runs, want)
		}
		mu.Lock()
		runs = nil
		began["nightly"] = time.Now().Add(-5 * 24 * time.Hour) // as after days of sleep
		mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(runs) != 1 {
			t.Errorf("after sleep it ran %v", runs)
		}
		time.Sleep(3 * time.Minute)
		cancel()
		synctest.Wait()
	})
}
