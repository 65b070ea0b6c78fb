// Sweep measures what it costs a member to compare what it holds with its neighbours (package dhash/sweep).
//
//	go run ./bench/sweep [-points 1000000] [-members 24] [-rows 20000] [-dir DIR]
//
// It counts every byte of the messages, both ways, but nothing of what carries them. First come sessions of two
// members, in one piece and in regions as a Sweeper cuts them. Then one member of a swarm in this process sweeps all
// that it holds, while more and more is lost at the others. In an interval each member sweeps once and answers each of
// the others once, so the bytes count double, and the processor time of that one sweep, both sides together, is what a
// member spends in the interval. The members' stores are in memory; what a walk over a real one costs more is measured
// on a small one and added: three walks of the member's own, and one by each of the others. A member that keeps others
// busy is answered slowly, so the last figure, the time that the sweep took, is longer than its work. The exit status
// is that of the other benchmarks: 3 when an aim was missed.
package main

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"time"

	"ventidhash/bench/harness"
)

const (
	interval = 6 * time.Hour
	byteRate = 2000 // bytes a second that the sweep may cost a member
	cpuShare = 0.02 // of one processor
)

// table prints rows, and counts the aims that were missed.
type table struct{ missed int }

// row prints what was measured, and the verdict about an aim.
func (t *table) row(what, measured string, ok bool, aim string) {
	verdict := "PASS"
	if !ok {
		verdict = "FAIL"
		t.missed++
	}
	fmt.Printf("%-42s %-52s %s (%s)\n", what, measured, verdict, aim)
}

func (t *table) note(what, measured string) { fmt.Printf("%-42s %s\n", what, measured) }

func main() { harness.Main("sweep", parse) }

func parse(args []string) (harness.Measurement, error) {
	f := flag.NewFlagSet("sweep", flag.ContinueOnError)
	points := f.Int("points", 1_000_000, "what each of two members holds")
	members := f.Int("members", 24, "members of the swarm of which one sweeps")
	rows := f.Int("rows", 20_000, "fragments in a real store, to measure what a walk costs")
	dir := f.String("dir", "", "where that store is made (a temporary folder)")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case *points < 1000:
		return nil, fmt.Errorf("-points %d: 1000 or more", *points)
	case *members < 2 || *members > maxMembers:
		return nil, fmt.Errorf("-members %d: 2 to %d", *members, maxMembers)
	case *rows < 1:
		return nil, fmt.Errorf("-rows %d: at least one", *rows)
	}
	return func(ctx context.Context) (missed int, err error) {
		t := new(table)
		sessions(t, *points)
		memory(t, *points)
		walk, err := walkCost(ctx, *dir, *rows)
		if err != nil {
			return 0, err
		}
		err = whole(ctx, t, *members, *points, walk)
		return t.missed, err
	}, nil
}

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
