package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestKeepingUp holds when those who show a list ask what others have done to it.
func TestKeepingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var mu sync.Mutex // protects asked and fails
		var asked []time.Duration
		var fails error
		var log bytes.Buffer
		k := newKeepingUp(func(ctx context.Context) error {
			mu.Lock()
			asked = append(asked, time.Since(begin))
			err := fails
			mu.Unlock()
			time.Sleep(refreshTime)
			return err
		}, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { k.run(ctx) })
		looks := func(span time.Duration) {
			t.Helper()
			for end := time.Now().Add(span); time.Now().Before(end); time.Sleep(time.Second) {
				at := time.Now()
				if k.looked(); !time.Now().Equal(at) {
					t.Error("whoever looks has to wait")
				}
			}
			synctest.Wait()
		}
		time.Sleep(time.Hour)
		if len(asked) != 0 {
			t.Errorf("nobody looks, and it is asked after %v", asked)
		}
		looks(10 * time.Minute)
		if len(asked) != 10 || asked[0] != time.Hour {
			t.Errorf("within ten minutes it is asked after %v", asked)
		}
		for i := range asked[1:] {
			if between := asked[i+1] - asked[i]; between < keepUpEvery {
				t.Errorf("it is asked again after %v", between)
			}
		}
		mu.Lock()
		fails = errors.New("out of reach")
		mu.Unlock()
		looks(10 * time.Minute)
		cancel()
		work.Wait()
		if n := strings.Count(log.String(), "may be out of date"); n != 1 || !strings.Contains(log.String(), "out of reach") {
			t.Errorf("said %d times: %s", n, log.String())
		}
	})
}

// TestMountedKeepsUp has a mount show what another machine has made meanwhile, and stays quiet while no member answers.
func TestMountedKeepsUp(t *testing.T) {
	p := newPond(t, 3)
	a := p.client("a")
	dir := a.fill(1, 10_000)
	a.backup(dir)
	b := a.beside("b")
	app, _, errs := b.begin()
	app.storePath = swarmWord
	list, err := app.allSnapshots(t.Context())
	p.do(err)
	stop := list.keepUp(t.Context(), slog.New(slog.DiscardHandler))
	defer stop()
	shows := func(want int) {
		t.Helper()
		got, err := list.List(t.Context())
		if err != nil || len(got) != want {
			t.Fatalf("%d snapshots are shown, not %d: %v; %s", len(got), want, err, errs)
		}
	}
	shows(1)
	score := a.backup(dir)
	shows(1)
	p.do(app.takeInLater(t.Context()))
	shows(2)
	a.vdh(exitOK, "forget", score)
	p.do(app.takeInLater(t.Context()))
	shows(1)
	if app.writing != nil {
		t.Error("a mount keeps prunes from freeing anything")
	}
	stop()
	p.do(app.close())
}

// TestStatusAsks has vdh status tell of what another machine has made, where a node runs: also if there is no list here yet.
func TestStatusAsks(t *testing.T) {
	p := newPond(t, 3)
	a, b := p.client("a"), p.on(1)
	dir := a.fill(1, 10_000)
	a.backup(dir)
	identity, err := os.ReadFile(filepath.Join(a.home, "data/vdh/identity"))
	p.do(err, os.WriteFile(filepath.Join(b.home, "data/vdh/identity"), identity, 0o600))
	for i := range 2 {
		out := strings.Join(strings.Fields(b.vdh(exitOK, "status")), " ")
		if !strings.Contains(out, fmt.Sprintf("snapshots %d SCORE", i+1)) || strings.Contains(out, "out of date") {
			t.Errorf("%s", out)
		}
		a.backup(dir)
	}
}
