package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"ventidhash/bench/dataset"
	"ventidhash/bench/harness"
)

const (
	together  = 5           // members that are lost: with fewer, hardly a block is at the threshold
	sizeNoise = 1 << 30     // bytes of the set noise
	slowdown  = 1.2         // times that a restore may take while repairs go on
	lostGrace = time.Minute // of the members that are lost
	lostSweep = 5 * time.Minute
)

// lost measures what it takes to make up for lost members, and how much that slows a restore.
func (b *bench) lost(ctx context.Context) (err error) {
	const name = "lost"
	p, err := b.open(ctx, lostGrace, lostSweep, b.rate)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	each := b.scale * (1 << 30)                                                  // at a member
	data := each * float64(b.members) * float64(code.Need) / float64(code.Total) // of all files
	sets := math.Ceil(data / sizeNoise)
	for i := range int(sets) {
		set := dataset.Set{Kind: dataset.Noise, Seed: uint64(1 + i), Shrink: int(math.Round(sets * sizeNoise / data))}
		if err := p.keep(ctx, set); err != nil {
			return err
		}
	}
	before, err := p.care(ctx)
	if err != nil {
		return err
	}
	var gone int64 // bytes that were lost
	for i := range together {
		st, err := p.swarm.Status(ctx, i)
		if err != nil {
			return err
		}
		gone += st.Used
		if err := p.swarm.Kill(i); err != nil {
			return err
		}
	}
	for range together {
		if _, err := p.swarm.Add(ctx); err != nil {
			return err
		}
	}
	if err := harness.Sleep(ctx, lostGrace+10*time.Second); err != nil { // until all take them for gone
		return err
	}
	if err := p.sweep(ctx); err != nil { // all know at once what there is to do, and do it while the restore is timed
		return err
	}
	begun := time.Now()
	n, during, err := p.restore(ctx)
	if err != nil {
		return err
	}
	busy, err := p.care(ctx)
	if err != nil {
		return err
	}
	_, s, err := p.becomes(ctx, 20*time.Minute, safety.kept)
	if err != nil {
		return err
	}
	took := time.Since(begun)
	c, err := p.care(ctx)
	if err != nil {
		return err
	}
	read, written := c.Repair.Read-before.Repair.Read, c.Repair.Written-before.Repair.Written
	part := float64(together) * float64(1<<30) / float64(gone) // from what was lost to five GiB
	b.note(name, "lost", "%d of %d members with %s in all, and %d empty ones joined", together, b.members, mib(gone), together)
	b.check(s.kept(), name, "made up for", "%d fragments made and %d handed over in %.1f s; %s read, %s written; "+
		"a member with 1 GiB: %.0f s, %s read, %s written", c.Repair.Made, c.Repair.HandedOff, took.Seconds(), mib(read),
		mib(written), took.Seconds()*part/together, mib(int64(float64(read)*part/together)),
		mib(int64(float64(written)*part/together)))
	if err := harness.Sleep(ctx, 2*lostGrace); err != nil { // until it is quiet
		return err
	}
	m, quiet, err := p.restore(ctx)
	if err != nil {
		return err
	}
	ratio := during.Seconds() / quiet.Seconds()
	b.check(n+m == 0 && ratio <= slowdown, name, "restore while repairs go on", "%.2f s, %.2f s afterwards: %.2f times; "+
		"%d differences; %s of the repairs meanwhile, at %s/s a member", during.Seconds(), quiet.Seconds(), ratio, n+m,
		mib(busy.Repair.Read+busy.Repair.Written-before.Repair.Read-before.Repair.Written), b.rate)
	return nil
}

// What sweeping is extrapolated to.
const (
	manyKeys  = 1_000_000
	region    = 65_536 // keys that a sweep compares at once
	realSweep = 6 * time.Hour
)

// idle measures what sweeping costs when nothing is missing.
func (b *bench) idle(ctx context.Context) (err error) {
	const name, sweep, span = "idle", 2 * time.Second, 20 * time.Second
	p, err := b.open(ctx, longGrace, sweep, unlimited)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	used := func() (float64, error) {
		begun, cpu := time.Now(), p.swarm.CPU()
		err := harness.Sleep(ctx, span)
		return (p.swarm.CPU() - cpu).Seconds() / time.Since(begun).Seconds() / float64(b.members), err
	}
	if err := harness.Sleep(ctx, 3*sweep); err != nil {
		return err
	}
	empty, err := used()
	if err != nil {
		return err
	}
	if err := p.keep(ctx, b.tree()); err != nil {
		return err
	}
	r, err := p.reader(ctx, b.readers) // puts many small blocks
	if err != nil {
		return err
	}
	r.stop()
	r.work.Wait()
	if err := r.c.Close(); err != nil {
		return err
	}
	if err := harness.Sleep(ctx, 10*time.Second); err != nil {
		return err
	}
	full, err := used()
	if err != nil {
		return err
	}
	c, err := p.care(ctx)
	if err != nil {
		return err
	}
	keys := float64(c.Swept.Blocks) / float64(b.members)
	if keys == 0 {
		return errors.New("no member has finished a round of its sweep")
	}
	bytes := float64(c.Swept.Bytes) / float64(b.members) // of a round of one member
	each := (full - empty) * sweep.Seconds() / keys      // of CPU, for a key in a round
	b.note(name, "keys a member", "%.0f, swept every %v: %.0f bytes a round, %.0f bytes/s", keys, sweep, bytes,
		bytes/sweep.Seconds())
	b.note(name, "CPU a member", "%.2f %% of a core with no keys, %.2f %% with these: %.1f µs a key and round", 100*empty,
		100*full, 1e6*each)
	regions := math.Ceil(manyKeys / region)
	b.note(name, "10⁶ keys, swept every 6 h", "%.2f bytes/s = bytes a round × ⌈10⁶/65,536⌉ regions / 6 h; "+
		"at most %.3f %% of a core = CPU a key × 10⁶ / 6 h",
		bytes*regions/realSweep.Seconds(), 100*each*manyKeys/realSweep.Seconds())
	return nil
}

// mib writes a number of bytes.
func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
