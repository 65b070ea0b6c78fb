// Mount measures vdh mount beside the mounts of other backup programs. How to run it and how to read what it prints
// stands in the documentation of package bench.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"ventidhash/bench/dataset"
)

const (
	maxFirst = 300 * time.Millisecond
	maxPeak  = 256 << 20
	large    = "noise"
	find     = "find ."
)

// A row is one thing that is measured of every tool. Each run is on a mount of its own.
type row struct {
	name     string
	set      string
	commands []string // the last one is measured
}

var rows = []row{
	{"go: find", "go", []string{find}},
	{"go: find again", "go", []string{find, find}},
	{"go: find -size", "go", []string{find + " -size +1k"}},
	{"small: find", "small", []string{find}},
	{"small: find again", "small", []string{find, find}},
	{"small: find -size", "small", []string{find + " -size +1k"}},
	{"small: read all", "small", []string{find + " -type f -print0 | xargs -0 cat"}},
	{"128 MiB: read", "large", []string{"cat " + large}},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	runs := flag.Int("runs", 3, "runs of every measurement")
	shrink := flag.Int("shrink", 1, "make the data this many times smaller, for a trial")
	under := flag.String("dir", "", "work in a new folder below this one (default the system's temporary folder)")
	flag.Parse()
	if *runs < 1 || *shrink < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	failed, err := compare(ctx, *under, *runs, *shrink)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mount:", err)
		os.Exit(1)
	}
	if failed {
		os.Exit(3)
	}
}

// figures are what was measured of one tool, by row.
type figures struct {
	times map[string][]time.Duration
	peak  int64
}

func (f *figures) add(row string, d time.Duration) { f.times[row] = append(f.times[row], d) }

func (f *figures) median(row string) time.Duration {
	d := slices.Clone(f.times[row])
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2]
}

// compare makes the data, lets every tool keep it, and measures.
func compare(ctx context.Context, under string, runs, shrink int) (failed bool, err error) {
	dir, err := os.MkdirTemp(under, "mount-")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	sources, err := makeSets(ctx, dir, shrink)
	if err != nil {
		return false, err
	}
	program := filepath.Join(dir, "bin", "vdh")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "ventidhash/cmd/vdh").CombinedOutput(); err != nil {
		return false, fmt.Errorf("building vdh: %w\n%s", err, out)
	}
	names := []string{vdh.name}
	sessions := map[string]map[string]*session{}
	for _, t := range append([]*tool{&vdh}, others...) {
		path := program
		if t != &vdh {
			if path = t.find(); path == "" {
				continue
			}
			names = append(names, t.name)
		}
		sessions[t.name] = map[string]*session{}
		for set, source := range sources {
			home := filepath.Join(dir, t.name, set)
			s := &session{t, path, place{home, source, home + ".mnt"}}
			if err := s.prepare(ctx); err != nil {
				return false, err
			}
			sessions[t.name][set] = s
		}
	}
	all := map[string]*figures{}
	for _, name := range names {
		all[name] = &figures{times: map[string][]time.Duration{}}
	}
	for range runs {
		for _, r := range rows {
			for _, name := range names {
				if err := measure(ctx, sessions[name][r.set], r, all[name]); err != nil {
					return false, err
				}
			}
		}
		took, err := sessions[vdh.name]["large"].cat(ctx, large)
		if err != nil {
			return false, err
		}
		all[vdh.name].add("cat", took)
	}
	return report(os.Stdout, names, all)
}

// measure takes one row of one tool.
func measure(ctx context.Context, s *session, r row, f *figures) error {
	syscall.Sync()
	first, peak, err := s.mounted(ctx, func(at string) error {
		for i, command := range r.commands {
			took, err := shell(ctx, at, command)
			if err != nil {
				return err
			}
			if i == len(r.commands)-1 {
				f.add(r.name, took)
			}
		}
		return nil
	})
	f.add(r.set+": first ls", first)
	f.peak = max(f.peak, peak)
	return err
}

// makeSets makes the folders that are kept.
func makeSets(ctx context.Context, dir string, shrink int) (map[string]string, error) {
	sources := map[string]string{}
	for _, kind := range []dataset.Kind{dataset.Go, dataset.Small} {
		at := filepath.Join(dir, "data", string(kind))
		if err := (dataset.Set{Kind: kind, Seed: 1, Shrink: shrink}).Make(ctx, at); err != nil {
			return nil, err
		}
		sources[string(kind)] = at
	}
	at := filepath.Join(dir, "data", "large")
	if err := os.MkdirAll(at, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(filepath.Join(at, large))
	if err != nil {
		return nil, err
	}
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{1}), int64(128<<20/shrink))
	sources["large"] = at
	return sources, errors.Join(err, f.Close())
}

// report prints the medians and whether what was promised is reached.
func report(w io.Writer, names []string, all map[string]*figures) (failed bool, err error) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "seconds\t")
	for _, name := range names {
		fmt.Fprint(t, name, "\t")
	}
	fmt.Fprintln(t, "aim\t")
	us := all[vdh.name]
	line := func(row string, reached func(best time.Duration) bool) {
		fmt.Fprint(t, row, "\t")
		best := time.Duration(0)
		for _, name := range names {
			d := all[name].median(row)
			fmt.Fprintf(t, "%.3f\t", d.Seconds())
			if name != vdh.name && (best == 0 || d < best) {
				best = d
			}
		}
		switch {
		case reached == nil:
			fmt.Fprintln(t, "\t")
		case reached(best):
			fmt.Fprintln(t, "pass\t")
		default:
			failed = true
			fmt.Fprintln(t, "FAIL\t")
		}
	}
	for _, set := range []string{"go", "small", "large"} {
		row := set + ": first ls"
		line(row, func(time.Duration) bool { return us.median(row) < maxFirst })
	}
	for _, r := range rows {
		line(r.name, func(best time.Duration) bool { return best == 0 || us.median(r.name) <= best })
	}
	read, cat := us.median("128 MiB: read"), us.median("cat")
	fmt.Fprintf(t, "vdh cat\t%.3f\t", cat.Seconds())
	for range names[1:] {
		fmt.Fprint(t, "\t")
	}
	ok := cat.Seconds() >= 0.8*read.Seconds()
	fmt.Fprintf(t, "%s\t\npeak MiB\t", map[bool]string{true: "pass", false: "FAIL"}[ok])
	for _, name := range names {
		fmt.Fprintf(t, "%d\t", all[name].peak>>20)
	}
	fmt.Fprintf(t, "%s\t\n", map[bool]string{true: "pass", false: "FAIL"}[us.peak < maxPeak])
	return failed || !ok || us.peak >= maxPeak, t.Flush()
}
