// Keep shows that a swarm of processes keeps itself: its members are replaced, are away, and have bits flip on their disks,
// and a snapshot stays readable. How to run it and how to read what it prints stands in the documentation of package bench.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"ventidhash/bench/harness"
)

func main() {
	harness.Main("keep", func(args []string) (harness.Measurement, error) {
		o, err := parse(args)
		return func(ctx context.Context) (int, error) { return measure(ctx, o) }, err
	})
}

// Options are what the command line says.
type options struct {
	members int
	scale   float64
	pause   time.Duration
	rounds  int
	readers int
	rate    string
	dir     string
	only    []string
}

// scenarios are what can happen to a swarm, in the order in which it does.
var scenarios = []struct {
	name string
	play func(*bench, context.Context) error
}{
	{"replaced", (*bench).replaced},
	{"away", (*bench).away},
	{"rot", (*bench).rot},
	{"lost", (*bench).lost},
	{"idle", (*bench).idle},
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("keep", flag.ContinueOnError)
	f.IntVar(&o.members, "members", 24, "members of the swarm")
	f.Float64Var(&o.scale, "scale", 0.1, "how much data: 1 is all of Go's tree, and 1 GiB at each member to be lost")
	f.DurationVar(&o.pause, "pause", 4*time.Second, "between two members that are replaced")
	f.IntVar(&o.rounds, "rounds", 6, "of bits that flip")
	f.IntVar(&o.readers, "readers", 1, "blocks that a client reads at once while members are replaced or away")
	f.StringVar(&o.rate, "rate", "4MiB", "what repair may read and write in a second at each member while a restore is timed")
	f.StringVar(&o.dir, "dir", "", "work in a new folder below this one (default the system's temporary folder)")
	var names []string
	for _, s := range scenarios {
		names = append(names, s.name)
	}
	only := f.String("only", strings.Join(names, ","), "which of these to do")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.only = strings.Split(*only, ",")
	for _, name := range o.only {
		if !strings.Contains(","+strings.Join(names, ",")+",", ","+name+",") {
			return o, fmt.Errorf("-only: %q is none of %v", name, names)
		}
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.members < 22 || o.members > 100:
		return o, fmt.Errorf("-members %d: 22 to 100, for a block has 20 fragments", o.members)
	case !(o.scale > 0 && o.scale <= 1):
		return o, fmt.Errorf("-scale %g: more than 0, at most 1", o.scale)
	case o.rounds < 1 || o.readers < 1 || o.pause < time.Second:
		return o, errors.New("-rounds, -readers and -pause: one at least, and a second at least")
	}
	return o, nil
}

// A bench measures in a folder of its own.
type bench struct {
	options
	program string // vdh
	missed  int
}

// measure plays the scenarios, prints what it sees, and returns how many aims were missed.
func measure(ctx context.Context, o options) (missed int, err error) {
	if o.dir, err = os.MkdirTemp(o.dir, "keep-"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	b := &bench{options: o}
	if b.program, err = harness.Build(ctx, o.dir); err != nil {
		return 0, err
	}
	for _, s := range scenarios {
		if !strings.Contains(","+strings.Join(o.only, ",")+",", ","+s.name+",") {
			continue
		}
		if err := s.play(b, ctx); err != nil {
			return b.missed, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return b.missed, nil
}

// note prints a figure.
func (b *bench) note(scenario, what, format string, args ...any) {
	fmt.Printf("%-9s %-44s %s\n", scenario, what, fmt.Sprintf(format, args...))
}

// check prints a figure that has an aim, and whether it is reached.
func (b *bench) check(ok bool, scenario, what, format string, args ...any) {
	verdict := "  pass"
	if !ok {
		b.missed++
		verdict = "  FAIL"
	}
	b.note(scenario, what, "%s%s", fmt.Sprintf(format, args...), verdict)
}
