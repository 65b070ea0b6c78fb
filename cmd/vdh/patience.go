package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/dhash/gateway"
	"ventidhash/dhash/node"
)

const (
	// defaultPatience is how long what writes or restores much waits for the swarm while it is out of reach.
	defaultPatience = time.Hour

	// outageEvery is how often it is looked whether a swarm is waited for.
	outageEvery = 2 * time.Second

	// firstTold is after how long it is said that joining a swarm takes its time.
	firstTold = 5 * time.Second
)

// patiently makes a verb wait for a swarm that is out of reach, for as long as a flag says. Other verbs fail soon.
func (a *app) patiently(cmd *cobra.Command) *cobra.Command {
	patience := cmd.Flags().Duration("patience", defaultPatience, "swarm: wait so long when it is out of reach; 0 fails soon")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, argv []string) error {
		a.patience = *patience
		if err := a.checkPatience(); err != nil {
			return err
		}
		return run(cmd, argv)
	}
	return cmd
}

// checkPatience returns an error if that is no time to wait.
func (a *app) checkPatience() error {
	if a.patience < 0 || a.patience > node.MaxWait {
		return usage{fmt.Errorf("--patience %v: give 0 up to %v", a.patience, node.MaxWait)}
	}
	return nil
}

// tellDialling says from time to time that the swarm is waited for which this machine is about to join, until stop is called.
func (a *app) tellDialling() (stop func()) {
	until := time.Now().Add(max(a.patience, node.DialTime))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for next := time.NewTimer(firstTold); ; next.Reset(lineEvery) {
			select {
			case <-ctx.Done():
				next.Stop()
				return
			case now := <-next.C:
				a.note("waiting for the swarm: no member answers; it is given up in %v", max(0, until.Sub(now)).Round(time.Second))
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// tellOutages says when the swarm is waited for, and when no more, until stop is called.
func (a *app) tellOutages(s swarmStore) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(outageEvery)
		defer tick.Stop()
		var t outageTeller
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				o, err := s.Outage(ctx)
				if err != nil {
					continue // whoever needs the swarm says so
				}
				if text := t.text(o, now); text != "" {
					a.note("%s", text)
				}
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// An outageTeller remembers what was said of an outage.
type outageTeller struct {
	since, said time.Time
}

// text returns what there is to say at a time.
func (t *outageTeller) text(o gateway.Outage, now time.Time) string {
	switch {
	case o.Since.IsZero() && t.since.IsZero():
		return ""
	case o.Since.IsZero():
		text := fmt.Sprintf("the swarm answers again, after %v", now.Sub(t.since).Round(time.Second))
		*t = outageTeller{}
		return text
	case now.Sub(t.said) < lineEvery:
		return ""
	}
	t.since, t.said = o.Since, now
	return fmt.Sprintf("waiting for the swarm: %s, %d are needed; it is given up in %v", count(int64(o.Answering), "member answers",
		"members answer"), o.Need, max(0, o.Until.Sub(now)).Round(time.Second))
}
