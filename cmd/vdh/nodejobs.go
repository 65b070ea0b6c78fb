package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	// jobsLook is how often a node looks whether a job is due: by the clock on the wall, so that it notices that the machine
	// slept.
	jobsLook = 30 * time.Second

	// jobsAgain is after what time a job is tried again that could not be begun.
	jobsAgain = 15 * time.Minute

	// jobStopTime is how long a job may take to stop with its node, hooks included: less than what a service has to stop.
	jobStopTime = 20 * time.Second
)

// A jobTable says which jobs there are, and what is remembered of each.
type jobTable func() ([]*job, func(name string) *jobState, error)

// jobTable reads the config file and what is remembered anew each time: both may have changed.
func (a *app) jobTable() ([]*job, func(string) *jobState, error) {
	jobs, err := a.jobs()
	if err != nil {
		return nil, nil, err
	}
	dir, err := jobFolder()
	return jobs, func(name string) *jobState {
		s, _ := loadJob(dir, name) // what is not believed is nothing
		return s
	}, err
}

// A jobKeeper runs jobs when they are due, one at a time.
type jobKeeper struct {
	table jobTable
	start func(ctx context.Context, name string) error // runs a job to its end
	log   *slog.Logger

	tried map[string]time.Time // when each was last begun
	said  string               // the last error of the table
}

// keep runs jobs until ctx is done.
func (k *jobKeeper) keep(ctx context.Context) {
	tick := time.NewTicker(jobsLook)
	defer tick.Stop()
	for {
		k.look(ctx, time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// look runs the jobs that are due now.
func (k *jobKeeper) look(ctx context.Context, now time.Time) {
	jobs, remembered, err := k.table()
	if err != nil {
		if k.said != err.Error() {
			k.said = err.Error()
			k.log.Error("jobs cannot be looked at", "error", err)
		}
		return
	}
	k.said = ""
	for _, j := range jobs {
		if ctx.Err() != nil {
			return
		}
		if last, ok := k.tried[j.Name]; ok && now.Sub(last).Abs() < jobsAgain || !j.isDue(now, remembered(j.Name)) {
			continue
		}
		if k.tried == nil {
			k.tried = map[string]time.Time{}
		}
		k.tried[j.Name] = now
		k.log.Info("job begins", "job", j.Name)
		if err := k.start(ctx, j.Name); err != nil {
			k.log.Warn("job did not end well; vdh help exit-codes", "job", j.Name, "error", err)
		} else {
			k.log.Info("job is done", "job", j.Name)
		}
	}
}

// keepJobs runs the jobs of the config file when they are due, as processes of their own, until ctx is done.
func (a *app) keepJobs(ctx context.Context, log *slog.Logger) {
	k := &jobKeeper{table: a.jobTable, log: log, start: func(ctx context.Context, name string) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		args := []string{"run", "--due", "--quiet", name}
		if a.storePath != "" {
			args = append(args, "--store", a.storePath)
		}
		cmd := exec.CommandContext(ctx, self, args...)
		cmd.Stderr = a.stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the node, which tells it
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = jobStopTime
		err = cmd.Run()
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Exited() {
			return fmt.Errorf("exit code %d", exit.ExitCode())
		}
		return err
	}}
	k.keep(ctx)
}
