package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/archive"
)

func newRun(a *app) *cobra.Command {
	var due bool
	cmd := &cobra.Command{
		Use:   "run [JOB...]",
		Short: "do what a night asks for: back up, forget, prune, check a part",
		Long: `Runs the jobs of the config file, all of them or those that are named, one after the other, at low
priority. vdh help jobs has the keys of a job; vdh schedule has this done every night.

A job backs up its paths. If that was kept, it forgets those of its own snapshots that its keep rules
do not keep, and prunes; a backup that failed changes nothing. Then it reads a part of all contents,
so that each is read once in the time that the job says. A job whose window ends stops, keeps what it
has stored, and goes on from there the next time. Hooks, pings and the file for Prometheus' node
exporter tell how it went.

The exit code is that of the first step that failed; 3 or 4 if nothing worse happened than they say;
5 if the window ended, and 6 if the job was running already.

With --json, one line of "type":"step" for each step with job, step (pre, backup, forget, prune,
check, post, on-failure), code, seconds, error, and summary, which is a line as vdh backup, as vdh
prune or as vdh check has it; lines of "type":"damage", as vdh check has them; and one of
"type":"job" with job, status (ok, incomplete, stopped, running, failed), code, step, error, score,
seconds.`,
		Example: `  vdh run
  vdh run srv
  vdh run --due`,
		RunE: func(cmd *cobra.Command, names []string) error {
			jobs, err := a.jobs()
			if err != nil {
				return err
			}
			if jobs, err = pick(jobs, names); err != nil {
				return err
			}
			if err := lowPriority(); err != nil {
				a.note("vdh: running at the usual priority: %v", err)
			}
			return a.runJobs(cmd.Context(), jobs, due)
		},
		ValidArgsFunction: completeJobs(a),
	}
	cmd.Flags().BoolVar(&due, "due", false, "only jobs that should have run by their schedule, and have not")
	return cmd
}

// completeJobs makes the shell complete names of jobs.
func completeJobs(a *app) cobra.CompletionFunc {
	return func(cmd *cobra.Command, _ []string, _ string) (out []string, _ cobra.ShellCompDirective) {
		jobs, err := a.jobs()
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		for _, j := range jobs {
			out = append(out, j.Name)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// pick returns the jobs that are named, without names all of them.
func pick(jobs []*job, names []string) ([]*job, error) {
	if len(jobs) == 0 {
		name, err := configFile()
		return nil, usage{errors.Join(fmt.Errorf("there is no job in %s yet; vdh help jobs shows one", name), err)}
	}
	if len(names) == 0 {
		return jobs, nil
	}
	var out []*job
	for _, name := range names {
		i := slices.IndexFunc(jobs, func(j *job) bool { return j.Name == name })
		if i < 0 {
			return nil, usage{fmt.Errorf("there is no job %q in the config file", name)}
		}
		if !slices.Contains(out, jobs[i]) {
			out = append(out, jobs[i])
		}
	}
	return out, nil
}

// An ended error says that jobs ended with another exit code than 0. What was wrong has been said.
type ended struct {
	code int
	text string
}

func (e ended) Error() string { return e.text }

// badness orders exit codes: of two, the worse one is what a run of several steps or jobs ends with.
func badness(code int) int {
	order := []int{exitOK, exitRunning, exitWindow, exitRedundancy, exitPartial}
	if i := slices.Index(order, code); i >= 0 {
		return i
	}
	return len(order)
}

func worse(a, b int) bool { return badness(a) > badness(b) }

// runJobs runs jobs, one after the other.
func (a *app) runJobs(ctx context.Context, jobs []*job, due bool) error {
	dir, err := jobFolder()
	if err != nil {
		return err
	}
	code, bad := exitOK, []string{}
	for _, j := range jobs {
		r := &jobRun{app: a, job: j, dir: dir, ping: newPinger(j.Ping)}
		if err := r.run(ctx, due); err != nil {
			return err
		}
		if r.code != exitOK {
			bad = append(bad, fmt.Sprintf("%s %s", j.Name, r.outcome()))
		}
		if worse(r.code, code) {
			code = r.code
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if code == exitOK {
		return nil
	}
	return ended{code, strings.Join(bad, "; ")}
}

// errWindow is the cause of a context that ended with the window of a job.
var errWindow = errors.New("its window ended")

// windowLook is how often the clock is looked at while a job runs: a machine that slept wakes up behind the end.
const windowLook = 10 * time.Second

// within returns a context that ends at a time by the clock on the wall, with errWindow as its cause.
func within(ctx context.Context, end time.Time) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for {
			left := end.Sub(time.Now().Round(0))
			if left <= 0 {
				cancel(errWindow)
				return
			}
			select {
			case <-time.After(min(left, windowLook)):
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// isDue reports whether a job should have run by its schedule.
func (j *job) isDue(now time.Time, s *jobState) bool {
	return j.calendar != nil && j.calendar.due(now, s.Began, delayOf(archive.Hostname(), j.Name, j.delay))
}

// sameStore reports whether two jobs keep their snapshots in one store.
func (j *job) sameStore(o *job) bool { return filepath.Clean(j.Store) == filepath.Clean(o.Store) }
