// Swarm measures a swarm of members that are processes of this machine, over TCP. How to run it and how to read what it
// prints stands in the documentation of package bench.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"ventidhash/bench/dataset"
	"ventidhash/bench/harness"
)

func main() {
	harness.Main("swarm", func(args []string) (harness.Measurement, error) {
		o, err := parse(args)
		return func(ctx context.Context) (int, error) { return measure(ctx, o) }, err
	})
}

// Options are what the command line says.
type options struct {
	members int
	sets    []dataset.Kind
	runs    int
	shrink  int
	dir     string
}

// kinds are the data sets of this benchmark.
var kinds = []dataset.Kind{dataset.Noise, dataset.Go, dataset.Thumbs, dataset.Small}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("swarm", flag.ContinueOnError)
	f.IntVar(&o.members, "members", 24, "members of the swarm")
	sets := f.String("sets", "noise,go,thumbs,small", "data sets; none measures what needs no data")
	f.IntVar(&o.runs, "runs", 1, "how often each set is measured; medians are printed")
	scale := f.Float64("scale", 1, "how large the sets are: 0.1 is a tenth, for a trial")
	f.StringVar(&o.dir, "dir", "", "work in a new folder below this one (default the system's temporary folder)")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.members < 3 || o.members > 200:
		return o, fmt.Errorf("-members %d: 3 to 200", o.members)
	case o.runs < 1:
		return o, fmt.Errorf("-runs %d: at least one", o.runs)
	case !(*scale > 0 && *scale <= 1):
		return o, fmt.Errorf("-scale %g: more than 0, at most 1", *scale)
	}
	o.shrink = int(math.Round(1 / *scale))
	for name := range strings.SplitSeq(*sets, ",") {
		if name == "none" {
			continue
		}
		if !slices.Contains(kinds, dataset.Kind(name)) {
			return o, fmt.Errorf("-sets: %q is none of %v", name, kinds)
		}
		o.sets = append(o.sets, dataset.Kind(name))
	}
	return o, nil
}

// A bench measures in a folder of its own.
type bench struct {
	options
	program string // vdh
	results results
}

// measure measures everything asked for, prints it, and returns how many aims were missed.
func measure(ctx context.Context, o options) (missed int, err error) {
	if o.dir, err = os.MkdirTemp(o.dir, "swarm-"); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	b := &bench{options: o}
	if b.program, err = harness.Build(ctx, o.dir); err != nil {
		return 0, err
	}
	if err := b.still(ctx); err != nil {
		return 0, fmt.Errorf("without data: %w", err)
	}
	for _, kind := range o.sets {
		for run := range o.runs {
			set := dataset.Set{Kind: kind, Seed: uint64(run) + 1, Shrink: o.shrink}
			if err := b.set(ctx, set); err != nil {
				return 0, fmt.Errorf("set %s: %w", kind, err)
			}
		}
	}
	return b.results.print(os.Stdout)
}
