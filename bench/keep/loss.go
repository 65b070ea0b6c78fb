package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"ventidhash/bench/dataset"
	"ventidhash/bench/harness"
)

const (
	briskGrace = 15 * time.Second
	briskSweep = 3 * time.Second
	longGrace  = time.Minute // of what is to happen within it
	unlimited  = "1GB"       // of repair
	percent    = 30          // of the members are away at once
)

// tree is Go's tree, or a part of it.
func (b *bench) tree() dataset.Set {
	return dataset.Set{Kind: dataset.Go, Seed: 1, Shrink: int(math.Round(1 / b.scale))}
}

// replaced ends one member after the other, and starts a new one that has nothing in its place, until nobody is left who
// was there in the beginning.
func (b *bench) replaced(ctx context.Context) (err error) {
	const name = "replaced"
	p, err := b.open(ctx, briskGrace, briskSweep, unlimited)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.keep(ctx, b.tree()); err != nil {
		return err
	}
	r, err := p.reader(ctx, b.readers)
	if err != nil {
		return err
	}
	begun := time.Now()
	for i := range b.members {
		if err := p.swarm.Kill(i); err != nil {
			return err
		}
		if _, err := p.swarm.Add(ctx); err != nil {
			return err
		}
		harness.Say("%s: %d of %d", name, i+1, b.members)
		if err := harness.Sleep(ctx, b.pause); err != nil {
			return err
		}
	}
	b.note(name, "all members replaced in", "%.0f s, one every %v", time.Since(begun).Seconds(), b.pause)
	took, s, err := p.becomes(ctx, 2*time.Minute, safety.kept)
	if err != nil {
		return err
	}
	b.check(s.kept() && s.Unreadable == 0, name, "blocks short after the last one", "%d of %d after %.0f s", s.short(), s.Blocks,
		took.Seconds())
	if err := r.finish(b, name); err != nil {
		return err
	}
	c, err := p.care(ctx)
	if err != nil {
		return err
	}
	b.note(name, "made by those who are there now", "%d fragments; %d handed over; %s read, %s written", c.Repair.Made,
		c.Repair.HandedOff, mib(c.Repair.Read), mib(c.Repair.Written))
	return b.whole(ctx, p, name)
}

// whole restores the snapshot and compares it.
func (b *bench) whole(ctx context.Context, p *place, scenario string) error {
	n, took, err := p.restore(ctx)
	if err != nil {
		b.check(false, scenario, "restore", "%v", err)
		return nil
	}
	b.check(n == 0, scenario, "restore", "%d differences, in %.1f s", n, took.Seconds())
	return nil
}

// away ends 30 % of the members at once, and starts them again within the grace period.
func (b *bench) away(ctx context.Context) (err error) {
	const name = "away"
	p, err := b.open(ctx, longGrace, briskSweep, unlimited)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.keep(ctx, b.tree()); err != nil {
		return err
	}
	r, err := p.reader(ctx, b.readers)
	if err != nil {
		return err
	}
	_, at, err := p.becomes(ctx, 20*time.Second, safety.full)
	if err != nil || !at.full() {
		return errors.Join(err, fmt.Errorf("not all fragments are there in the beginning: %+v", at))
	}
	before, err := p.care(ctx)
	if err != nil {
		return err
	}
	lost := b.members * percent / 100
	// Not the first ones: who is killed in its first minute has not noted where the others are, and those that these would
	// ask for it would be away too.
	for i := b.members - lost; i < b.members; i++ {
		if err := p.swarm.Kill(i); err != nil {
			return err
		}
	}
	begun := time.Now()
	if err := harness.Sleep(ctx, longGrace/2); err != nil {
		return err
	}
	c, err := p.care(ctx)
	if err != nil {
		return err
	}
	s, err := p.safety(ctx)
	if err != nil {
		return err
	}
	b.check(c.Repair.Made == before.Repair.Made, name, "fragments made within the grace period", "%d, with %d of %d away for %.0f s; "+
		"%d of %d blocks at or below the threshold, %d unreadable", c.Repair.Made-before.Repair.Made, lost, b.members,
		time.Since(begun).Seconds(), s.short(), s.Blocks, s.Unreadable)
	for i := b.members - lost; i < b.members; i++ {
		if err := p.swarm.Run(i); err != nil {
			return err
		}
	}
	took, s, err := p.becomes(ctx, time.Minute, func(s safety) bool { return maps.Equal(s.Above, at.Above) })
	if err != nil {
		return err
	}
	b.check(maps.Equal(s.Above, at.Above), name, "all fragments count again", "%.1f s after the members are back: blocks by fragments above what they need %v, were %v",
		took.Seconds(), s.Above, at.Above)
	if err := harness.Sleep(ctx, longGrace/2); err != nil {
		return err
	}
	if c, err = p.care(ctx); err != nil {
		return err
	}
	b.check(c.Repair.Made <= before.Repair.Made, name, "afterwards", "%d fragments made; since the members started %d handed over, "+
		"%d given up", c.Repair.Made, c.Repair.HandedOff, c.Repair.Trimmed)
	if err := r.finish(b, name); err != nil {
		return err
	}
	return b.whole(ctx, p, name)
}
