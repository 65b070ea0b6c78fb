package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/snapshot/archive"
)

func newSchedule(a *app) *cobra.Command {
	var show, remove bool
	cmd := &cobra.Command{
		Use:   "schedule [JOB...]",
		Short: "have the jobs of the config file run when they say",
		Long: `Installs what runs the jobs, all that have a schedule or those that are named: a timer of systemd
where that runs, of the system for root and of the user for others; else a line in this user's
crontab. Run it again after a change of schedule, random-delay or the place of the program; what was
installed before is replaced. Where there is neither, vdh node --jobs runs them.

A timer runs a job that was missed, since the machine was off or asleep, as soon as it is back. The
line of a crontab looks every hour whether the job should have run. Timers of a user run while that
user is logged in; loginctl enable-linger makes it always.

With --json, one line of "type":"scheduled" for each job with job, by (systemd or cron), where
(files, or the line), next, and removed if it was; with --print, one of "type":"unit" with name and
text for each file, and one of "type":"cron" with text.`,
		Example: `  vdh schedule
  vdh schedule --print
  vdh schedule --remove srv`,
		RunE: func(cmd *cobra.Command, names []string) error {
			s, err := a.newScheduling(names, remove, cmd.Flags().Changed("store"))
			if err != nil {
				return err
			}
			if show {
				return a.showSchedule(s)
			}
			return a.schedule(cmd.Context(), s, remove)
		},
		ValidArgsFunction: completeJobs(a),
	}
	cmd.Flags().BoolVar(&show, "print", false, "install nothing, only print the units and the line of the crontab")
	cmd.Flags().BoolVar(&remove, "remove", false, "remove what was installed, of the jobs named or of all that there ever were")
	cmd.MarkFlagsMutuallyExclusive("print", "remove")
	return cmd
}

// storeVariable names the store, as --store does.
const storeVariable = "VDH_STORE"

// A scheduling is what is needed to install jobs.
type scheduling struct {
	program string   // to run
	env     []string // that it needs to find its files, as NAME=VALUE
	host    string
	jobs    []*job
	names   []string // of those that were asked for; empty for all
	root    bool     // the units are the system's
	units   string   // folder of them
}

// newScheduling finds out what is needed. stored says that the store was named by a flag, so that the jobs are to have it
// as well.
func (a *app) newScheduling(names []string, remove, stored bool) (*scheduling, error) {
	s := &scheduling{host: archive.Hostname(), names: names, root: os.Getuid() == 0, units: "/etc/systemd/system"}
	var err error
	if s.program, err = os.Executable(); err != nil {
		return nil, err
	}
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"} {
		if v := os.Getenv(name); v != "" {
			s.env = append(s.env, name+"="+v)
		}
	}
	if store := a.storePath; store != "" && (stored || os.Getenv(storeVariable) != "") {
		if store != swarmWord { // seen from where the jobs will run, another folder would have a name like ./store
			if store, err = filepath.Abs(store); err != nil {
				return nil, err
			}
		}
		s.env = append(s.env, storeVariable+"="+store)
	}
	if text := s.program + strings.Join(s.env, ""); strings.Contains(text, "\n") {
		return nil, fmt.Errorf("a newline in %q fits into no line", text)
	}
	if !s.root {
		config, err := os.UserConfigDir()
		if err != nil {
			return nil, err
		}
		s.units = filepath.Join(config, "systemd", "user")
	}
	jobs, err := a.jobs()
	if remove {
		return s, err // a job that is gone from the config file can be removed as well
	}
	if err == nil {
		jobs, err = pick(jobs, names)
	}
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if j.calendar != nil {
			s.jobs = append(s.jobs, j)
		} else if len(names) > 0 {
			return nil, usage{fmt.Errorf("job %s has no schedule; see: vdh help jobs", j.Name)}
		}
	}
	if len(s.jobs) == 0 {
		return nil, usage{errors.New("no job in the config file has a schedule; see: vdh help jobs")}
	}
	return s, nil
}

// wants reports whether a job of this name was asked for.
func (s *scheduling) wants(name string) bool {
	return len(s.names) == 0 || slices.Contains(s.names, name)
}

// showSchedule prints what would be installed, in both ways.
func (a *app) showSchedule(s *scheduling) error {
	for _, u := range s.allUnits() {
		if a.json {
			if err := a.print(map[string]string{"type": "unit", "name": u.name, "text": u.text}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.out, "# %s\n%s\n", filepath.Join(s.units, u.name), u.text)
	}
	if !a.json {
		fmt.Fprintln(a.out, "# where there is no systemd: crontab -e")
	}
	for _, j := range s.jobs {
		if a.json {
			if err := a.print(map[string]string{"type": "cron", "text": s.cronLine(j)}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintln(a.out, s.cronLine(j))
	}
	return nil
}

// hasSystemd reports whether systemd runs this machine, as sd_booted(3) finds out.
func hasSystemd() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}

// schedule installs or removes.
func (a *app) schedule(ctx context.Context, s *scheduling, remove bool) error {
	if hasSystemd() {
		return a.scheduleUnits(ctx, s, remove)
	}
	if _, err := exec.LookPath("crontab"); err != nil {
		return errors.New("there is neither systemd nor crontab here; vdh node --jobs runs the jobs")
	}
	return a.scheduleCron(ctx, s, remove)
}

// scheduledLine is the JSON line of a job that was installed or removed.
type scheduledLine struct {
	Type    string    `json:"type"` // "scheduled"
	Job     string    `json:"job"`
	By      string    `json:"by"`
	Where   []string  `json:"where"`
	Next    time.Time `json:"next,omitzero"`
	Removed bool      `json:"removed,omitempty"`
}

func (a *app) saySchedule(l scheduledLine) error {
	l.Type = "scheduled"
	if a.json {
		return a.print(l)
	}
	text := fmt.Sprintf("%s runs by %s, next from %s on", l.Job, l.By, localTime(l.Next))
	if l.Removed {
		text = fmt.Sprintf("%s does not run by %s any more", l.Job, l.By)
	}
	_, err := fmt.Fprintln(a.out, text)
	return err
}

// next returns from when on a job runs next.
func (s *scheduling) next(j *job) time.Time { return j.calendar.next(time.Now()) }

// command runs a program that installs something. An error has what it printed.
func command(ctx context.Context, in string, words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdin = strings.NewReader(in)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, cmp.Or(strings.TrimSpace(errs.String()), "no reason given"))
	}
	return out.String(), nil
}

// scheduleUnits installs or removes timers of systemd.
func (a *app) scheduleUnits(ctx context.Context, s *scheduling, remove bool) error {
	ctl := []string{"systemctl"}
	if !s.root {
		ctl = append(ctl, "--user")
	}
	if remove {
		return a.removeUnits(ctx, s, ctl)
	}
	if strings.ContainsAny(s.program, `"'\`) {
		return fmt.Errorf("systemd runs no program with a quote or a backslash in its path; move %s elsewhere", printable(s.program))
	}
	if err := os.MkdirAll(s.units, 0o755); err != nil {
		return err
	}
	for _, u := range s.allUnits() {
		if err := replaceFile(filepath.Join(s.units, u.name), []byte(u.text), 0o644); err != nil {
			return err
		}
	}
	if _, err := command(ctx, "", append(ctl, "daemon-reload")...); err != nil {
		return err
	}
	for _, j := range s.jobs {
		if _, err := command(ctx, "", append(ctl, "enable", unitName(j.Name)+".timer")...); err != nil {
			return err
		}
		// A timer that runs goes by its old times until it begins anew.
		if _, err := command(ctx, "", append(ctl, "restart", unitName(j.Name)+".timer")...); err != nil {
			return err
		}
		if err := a.saySchedule(scheduledLine{Job: j.Name, By: "systemd", Where: s.files(j.Name), Next: s.next(j)}); err != nil {
			return err
		}
	}
	if !s.root {
		a.note("vdh: these run while you are logged in; to have them run always: loginctl enable-linger")
	}
	return nil
}

// removeUnits removes timers and services, of jobs that are not in the config file any more as well.
func (a *app) removeUnits(ctx context.Context, s *scheduling, ctl []string) error {
	entries, err := os.ReadDir(s.units)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), unitName(""))
		name, isTimer := strings.CutSuffix(name, ".timer")
		if !ok || !isTimer || !s.wants(name) {
			continue
		}
		if _, err := command(ctx, "", append(ctl, "disable", "--now", e.Name())...); err != nil {
			return err
		}
		for _, f := range s.files(name) {
			if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := a.saySchedule(scheduledLine{Job: name, By: "systemd", Where: s.files(name), Removed: true}); err != nil {
			return err
		}
	}
	_, err = command(ctx, "", append(ctl, "daemon-reload")...)
	return err
}
