package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"ventidhash/bench/dataset"
	"ventidhash/bench/harness"
)

// Figures are what one step of one run took and left behind.
type figures struct {
	Step step `json:"step"`
	cost
	Store size  `json:"store"` // after the step
	Added int64 `json:"added_bytes"`
	Aside int64 `json:"aside_bytes"` // allocated in caches and databases outside the store, after the step
}

// A cycle is one run of one tool through all steps with a fresh store.
type cycle struct {
	Tool    string    `json:"tool"`
	Figures []figures `json:"figures"`
	// Differences between the restored tree and its source. A tool is asked for modes and times only when it is ours.
	Differences []string `json:"differences,omitempty"`
	// Failures are the steps that could not be done, with the reason. They have no figures.
	Failures []string `json:"failures,omitempty"`
}

// at returns the figures of a step, if it was done.
func (c *cycle) at(s step) (f figures, ok bool) {
	for _, f := range c.Figures {
		if f.Step == s {
			return f, true
		}
	}
	return figures{}, false
}

// A bench runs cycles below one folder.
type bench struct {
	dir      string
	programs map[string]string // tool name → executable
	// settle is how long files rest before they are backed up. Several tools do not trust a file that changed within
	// the second in which they looked at it, and would read it again the next time.
	settle time.Duration
}

// cycle makes the data set anew and takes one tool through all steps, in a folder of its own. A step that the tool fails
// in does not end the cycle.
//
// The folder stays until the comparison ends unless the set is one of few files: see forgotten.
func (b *bench) cycle(ctx context.Context, set dataset.Set, t *tool) (*cycle, error) {
	dir, err := os.MkdirTemp(b.dir, "cycle-")
	if err != nil {
		return nil, err
	}
	if set.Kind == dataset.Noise {
		defer os.RemoveAll(dir)
	}
	p := place{
		program: b.programs[t.name],
		home:    filepath.Join(dir, "home"),
		source:  filepath.Join(dir, "data"),
		target:  filepath.Join(dir, "restored"),
	}
	if err := errors.Join(set.Make(ctx, p.source), os.Mkdir(p.home, 0o700), os.Mkdir(p.target, 0o755)); err != nil {
		return nil, err
	}
	if err := errors.Join(warm(p.source), harness.Sleep(ctx, b.settle)); err != nil {
		return nil, err
	}
	result := &cycle{Tool: t.name}
	for _, s := range steps {
		if s == stepChanged {
			if err := errors.Join(set.Change(ctx, p.source), harness.Sleep(ctx, b.settle)); err != nil {
				return nil, err
			}
		}
		done, err := b.step(ctx, t, p, s)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			result.Failures = append(result.Failures, fmt.Sprintf("%s: %v", s, err))
			continue
		}
		done.Added = done.Store.Allocated
		if n := len(result.Figures); n > 0 {
			done.Added -= result.Figures[n-1].Store.Allocated
		}
		result.Figures = append(result.Figures, done)
		if s == stepRestore {
			if result.Differences, err = differences(p.source, t.tree(p), t.full); err != nil {
				return nil, err
			}
		}
	}
	return result, nil
}

// step runs the commands of one step, each after everything written before has reached the disk.
func (b *bench) step(ctx context.Context, t *tool, p place, s step) (figures, error) {
	done := figures{Step: s}
	env := append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.home, "LANG=C.UTF-8"}, t.env(p)...)
	for _, args := range t.args(p, s) {
		syscall.Sync()
		took, out, err := command{path: p.program, args: args, dir: p.target, env: env}.run(ctx)
		if err != nil {
			return done, err
		}
		if t == &vdh && args[0] == "backup" && !scoreLine.MatchString(out) {
			return done, fmt.Errorf("printed %q, want one line with the score of the snapshot", out)
		}
		done.cost = done.plus(took)
	}
	var err error
	if done.Store, err = sizeOf(t.storeOf(p)); err != nil {
		return done, err
	}
	all, err := sizeOf(p.home)
	done.Aside = all.Allocated - done.Store.Allocated
	return done, err
}

// scoreLine is all that vdh backup prints on standard output.
var scoreLine = regexp.MustCompile(`^vac:[0-9a-f]{64}\n$`)

// versionOf asks a program for its version, in one line.
func versionOf(ctx context.Context, t *tool, program string) string {
	_, out, err := command{path: program, args: t.version, env: os.Environ()}.run(ctx)
	if err != nil {
		return "version unknown"
	}
	line, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	return line
}
