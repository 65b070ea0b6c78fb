package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"ventidhash/bench/harness"
)

const (
	idleRest = 10 * time.Second // after the start
	idleSpan = 30 * time.Second // of the measurement
)

// still measures what needs no data: an idle member, a start, a small backup from cold, what is asked of others.
func (b *bench) still(ctx context.Context) (err error) {
	p, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	note := func(figure, unit string, v float64) { b.results.note("–", figure, unit, v) }
	harness.Say("looking at idle members for %v", idleRest+idleSpan)
	if err := harness.Sleep(ctx, idleRest); err != nil {
		return err
	}
	before, begin := p.swarm.CPU(), time.Now()
	if err := harness.Sleep(ctx, idleSpan); err != nil {
		return err
	}
	used := (p.swarm.CPU() - before).Seconds() / time.Since(begin).Seconds() / float64(p.swarm.Len())
	note("idle member", "% of a core", used*100)
	note("idle member", "MiB", float64(p.swarm.PeakMemory())/(1<<20))

	small := filepath.Join(p.dir, "small")
	if err := os.WriteFile(small, []byte("a small file\n"), 0o600); err != nil {
		return err
	}
	for range b.runs {
		cold, err := p.vdh(ctx, nil, "backup", small, "--store", "swarm", "--force")
		if err != nil {
			return err
		}
		note("backup of one small file", "s", cold.wall.Seconds())
		start, err := restart(ctx, p, 1)
		if err != nil {
			return err
		}
		note("start-up to serving", "s", start.Seconds())
	}
	return b.asked(ctx, p)
}

// restart stops member i and starts it again, and returns how long it took until it served.
func restart(ctx context.Context, p *place, i int) (time.Duration, error) {
	if err := p.swarm.Stop(i); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	begin := time.Now()
	if err := p.swarm.Run(i); err != nil {
		return 0, err
	}
	for {
		_, err := p.swarm.Status(ctx, i)
		if err == nil {
			return time.Since(begin), nil
		}
		if e := harness.Sleep(ctx, 5*time.Millisecond); e != nil {
			return 0, errors.Join(err, e)
		}
	}
}
