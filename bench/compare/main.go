// Compare measures vdh beside the backup programs that people use today. How to run it and how to read what it prints
// stands in the documentation of package bench.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/bench/dataset"
	"ventidhash/bench/harness"
)

func main() {
	harness.Main("compare", func(args []string) (harness.Measurement, error) {
		o, err := parse(args)
		return func(ctx context.Context) (int, error) { return compare(ctx, o) }, err
	})
}

// Options are what the command line says.
type options struct {
	sets   []dataset.Set
	runs   int
	dir    string
	tools  []string // empty means vdh and whatever is installed
	json   string
	seed   uint64
	shrink int
}

func parse(args []string) (options, error) {
	var o options
	kinds := make([]string, 0, len(dataset.Kinds()))
	for _, k := range dataset.Kinds() {
		kinds = append(kinds, string(k))
	}
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	sets := f.String("sets", strings.Join(kinds, ","), "data sets")
	tools := f.String("tools", "", "programs to run (default vdh and those of restic, kopia, borg, bup that are installed)")
	f.IntVar(&o.runs, "runs", 3, "runs of every pair of vdh and another program")
	f.StringVar(&o.dir, "dir", "", "work in a new folder below this one (default the system's temporary folder)")
	f.StringVar(&o.json, "json", "", "also write every single figure to this file")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the data sets")
	f.IntVar(&o.shrink, "shrink", 1, "make the data sets this many times smaller, for a trial")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if o.runs < 1 {
		return o, fmt.Errorf("-runs %d: at least one", o.runs)
	}
	for name := range strings.SplitSeq(*sets, ",") {
		set := dataset.Set{Kind: dataset.Kind(name), Seed: o.seed, Shrink: o.shrink}
		if err := set.Validate(); err != nil {
			return o, err
		}
		o.sets = append(o.sets, set)
	}
	if *tools != "" {
		o.tools = strings.Split(*tools, ",")
	}
	for _, name := range o.tools {
		if name != vdh.name && !slices.ContainsFunc(others, func(t *tool) bool { return t.name == name }) {
			return o, fmt.Errorf("-tools: %q is unknown", name)
		}
	}
	return o, nil
}

// forgotten is how long whoever makes files on ext4 is held up by those that were removed before, by the build of vdh or by
// what else was done on the machine: without a journal, the inodes of the last minute are looked at and passed over for each
// new file, and those of five minutes more if they are not on the disk yet.
const forgotten = 65 * time.Second

// compare measures everything asked for, printing as it goes, and returns how many aims were missed.
func compare(ctx context.Context, o options) (missed int, err error) {
	if o.dir != "" {
		if o.dir, err = filepath.Abs(o.dir); err != nil {
			return 0, err
		}
		if err := os.MkdirAll(o.dir, 0o755); err != nil {
			return 0, err
		}
	}
	dir, err := os.MkdirTemp(o.dir, "compare-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return 0, err
	}
	b := &bench{dir: dir, programs: make(map[string]string), settle: 2 * time.Second}
	if err := b.findTools(ctx, o.tools); err != nil {
		return 0, err
	}
	r := &report{Machine: describe(dir), Versions: make(map[string]string), Seed: o.seed, Shrink: o.shrink}
	r.Machine.print(os.Stdout)
	for _, t := range append([]*tool{&vdh}, others...) {
		if path := b.programs[t.name]; path != "" {
			r.Versions[t.name] = versionOf(ctx, t, path)
			fmt.Printf("%s: %s\n", t.name, r.Versions[t.name])
		}
	}
	unix.Sync()
	if err := harness.Sleep(ctx, forgotten); err != nil {
		return 0, err
	}
	for _, set := range o.sets {
		result, err := b.set(ctx, set, o.runs)
		if err != nil {
			return 0, fmt.Errorf("set %s: %w", set.Kind, err)
		}
		if err := table(os.Stdout, result); err != nil {
			return 0, err
		}
		r.Sets = append(r.Sets, result)
		r.Verdicts = append(r.Verdicts, verdicts(result)...)
		if err := r.write(o.json); err != nil {
			return 0, err
		}
	}
	return judgement(os.Stdout, r.Verdicts)
}

// write saves the report so far, if a file was named.
func (r *report) write(path string) error {
	if path == "" {
		return nil
	}
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

// findTools builds vdh and looks for the others. Without names, those that cannot be had are left out with a word on
// standard error; a tool asked for by name must be there.
func (b *bench) findTools(ctx context.Context, names []string) error {
	for _, t := range append([]*tool{&vdh}, others...) {
		if len(names) > 0 && !slices.Contains(names, t.name) {
			continue
		}
		path, err := t.find(), error(nil)
		if t == &vdh {
			path, err = harness.Build(ctx, b.dir)
		} else if path == "" {
			err = errors.New("not on PATH")
		}
		switch {
		case err == nil:
			b.programs[t.name] = path
		case len(names) > 0:
			return fmt.Errorf("%s: %w", t.name, err)
		default:
			fmt.Fprintf(os.Stderr, "compare: without %s: %v\n", t.name, err)
		}
	}
	if len(b.programs) == 0 {
		return errors.New("nothing to compare")
	}
	return nil
}

// set takes every pair through one data set, runs times. The order is vdh, other, vdh, other, so that a slow minute of
// the machine hits both sides of a ratio.
func (b *bench) set(ctx context.Context, set dataset.Set, runs int) (*setResult, error) {
	r := &setResult{Set: string(set.Kind)}
	var err error
	if r.Data, err = b.sizeOfSet(ctx, set); err != nil {
		return nil, err
	}
	rivals := slices.DeleteFunc(slices.Clone(others), func(t *tool) bool { return b.programs[t.name] == "" })
	if len(rivals) == 0 {
		rivals = []*tool{nil}
	}
	for run := range runs {
		for _, rival := range rivals {
			var p pair
			if b.programs[vdh.name] != "" {
				if p.Ours, err = b.measured(ctx, set, &vdh, run); err != nil {
					return nil, err
				}
			}
			if rival != nil {
				if p.Other, err = b.measured(ctx, set, rival, run); err != nil {
					return nil, err
				}
			}
			r.Pairs = append(r.Pairs, p)
		}
	}
	return r, nil
}

// measured is a cycle with a word on standard error when it is done.
func (b *bench) measured(ctx context.Context, set dataset.Set, t *tool, run int) (*cycle, error) {
	c, err := b.cycle(ctx, set, t)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "%s: run %d of %s:", set.Kind, run+1, t.name)
	for _, f := range c.Figures {
		fmt.Fprintf(os.Stderr, " %s %.2fs", f.Step, f.Wall)
	}
	if n := len(c.Failures); n > 0 {
		fmt.Fprintf(os.Stderr, " (%d steps failed)", n)
	}
	fmt.Fprintln(os.Stderr)
	return c, nil
}

// sizeOfSet makes a set once to see how large it is. It stays as the folders of cycles do, and for the same reason.
func (b *bench) sizeOfSet(ctx context.Context, set dataset.Set) (size, error) {
	dir := filepath.Join(b.dir, "data-"+string(set.Kind))
	if set.Kind == dataset.Noise {
		defer os.RemoveAll(dir)
	}
	if err := set.Make(ctx, dir); err != nil {
		return size{}, err
	}
	return sizeOf(dir)
}
