package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"ventidhash/bench/harness"
	"ventidhash/dhash/node"
	"ventidhash/dhash/sim/procs"
)

// rotEvery is how many bytes of a member's segments have a bit flip in each round. Of the largest fragments, of 158 KiB, a
// seventh is hit: that a block of 8 of 20 loses 13 of them at once, which nothing could repair, has a chance of one in two
// million. With twice as many flips it has one of 1 in 1,300, and there are some hundred such blocks and six rounds.
const rotEvery = 1 << 20

// rot flips bits anywhere in the members' segments, round after round; each time all is scrubbed, swept and repaired.
func (b *bench) rot(ctx context.Context) (err error) {
	const name = "rot"
	p, err := b.begin(ctx, longGrace)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	dice := rand.New(rand.NewPCG(1, 3))
	flipped, unreadable := 0, 0
	var worst int64
	for round := range b.rounds {
		for i := range b.members {
			n, err := flip(p.swarm.Dir(i), dice)
			if err != nil {
				return err
			}
			flipped += n
		}
		for i := range b.members {
			if _, err := p.swarm.Work(ctx, i, node.WorkScrub); err != nil {
				return fmt.Errorf("scrub of member %d: %w", i, err)
			}
		}
		s, err := p.safety(ctx)
		if err != nil {
			return err
		}
		unreadable += s.Unreadable
		short := s.short()
		worst = max(worst, short)
		took, s, err := p.becomes(ctx, 2*time.Minute, safety.kept)
		if err != nil {
			return err
		}
		harness.Say("%s: round %d of %d: %d blocks were short, and %d are %.1f s after the scrub", name, round+1, b.rounds,
			short, s.short(), took.Seconds())
	}
	c, err := p.care(ctx)
	if err != nil {
		return err
	}
	b.check(c.Scrubbed.Damaged > 0, name, "the scrub found", "damage %d times, some of it again in later rounds; "+
		"%d bits flipped in %d rounds", c.Scrubbed.Damaged, flipped, b.rounds)
	s, err := p.safety(ctx)
	if err != nil {
		return err
	}
	b.check(s.kept() && unreadable == 0, name, "blocks short in the end", "%d of %d; %d at once at the worst, "+
		"none unreadable: %v; %d fragments made", s.short(), s.Blocks, worst, unreadable == 0, c.Repair.Made)
	return b.whole(ctx, p, name)
}

// flip flips bits anywhere in the segments of a member, while it runs, and returns how many.
func flip(dir string, dice *rand.Rand) (flipped int, err error) {
	files, err := filepath.Glob(filepath.Join(procs.FolderIn(dir), "fragments", "arenas", "*.seg"))
	if err != nil || len(files) == 0 {
		return 0, errors.Join(err, fmt.Errorf("there are no segments in %s", dir))
	}
	next := dice.Int64N(rotEvery) // how far from here on the next one is, across segments
	for _, name := range files {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			return flipped, err
		}
		info, err := f.Stat()
		for ; err == nil && next < info.Size(); next += 1 + dice.Int64N(2*rotEvery) {
			var b [1]byte
			if _, err = f.ReadAt(b[:], next); err != nil {
				break
			}
			b[0] ^= 1 << dice.IntN(8)
			if _, err = f.WriteAt(b[:], next); err == nil {
				flipped++
			}
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return flipped, err
		}
		next -= info.Size()
	}
	return flipped, nil
}
