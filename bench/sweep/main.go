// Sweep measures what it costs a member to compare what it holds with its neighbours (package sweep): see package bench.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"
)

const (
	interval = 6 * time.Hour
	byteRate = 2000 // bytes a second that the sweep may cost a member
	cpuShare = 0.02 // of one processor
)

// table collects rows, and whether every aim was reached.
type table struct{ missed bool }

// row prints what was measured, and the verdict about an aim.
func (t *table) row(what, measured string, ok bool, aim string) {
	verdict := "PASS"
	if !ok {
		verdict, t.missed = "FAIL", true
	}
	fmt.Printf("%-42s %-52s %s (%s)\n", what, measured, verdict, aim)
}

func (t *table) note(what, measured string) { fmt.Printf("%-42s %s\n", what, measured) }

func main() {
	points := flag.Int("points", 1_000_000, "what each of two members holds")
	members := flag.Int("members", 24, "members of the swarm of which one sweeps")
	rows := flag.Int("rows", 20_000, "fragments in a real store, to measure what a walk costs")
	dir := flag.String("dir", "", "where that store is made (a temporary folder)")
	flag.Parse()
	if flag.NArg() > 0 || *points < 1000 || *members < 2 || *rows < 1 {
		flag.Usage()
		os.Exit(2)
	}
	t := new(table)
	sessions(t, *points)
	memory(t, *points)
	walk, err := walkCost(context.Background(), *dir, *rows)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sweep:", err)
		os.Exit(1)
	}
	if err := whole(context.Background(), t, *members, *points, walk); err != nil {
		fmt.Fprintln(os.Stderr, "sweep:", err)
		os.Exit(1)
	}
	if t.missed {
		os.Exit(3)
	}
}

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
