package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// A unit is a file of systemd.
type unit struct{ name, text string }

// unitName returns the name of a job's units, without what they are.
func unitName(job string) string { return "vdh-job-" + job }

// files returns where the units of a job are.
func (s *scheduling) files(job string) []string {
	return []string{filepath.Join(s.units, unitName(job)+".service"), filepath.Join(s.units, unitName(job)+".timer")}
}

// allUnits returns the units of all jobs.
func (s *scheduling) allUnits() (out []unit) {
	for _, j := range s.jobs {
		out = append(out, unit{unitName(j.Name) + ".service", s.service(j)}, unit{unitName(j.Name) + ".timer", s.timer(j)})
	}
	return out
}

// service returns the unit that runs a job. It has time for its hooks when it is told to stop, and that its window ended,
// or that it runs already, is no failure.
func (s *scheduling) service(j *job) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by vdh schedule; vdh schedule --remove takes it away.\n\n[Unit]\nDescription=vdh run %s\n", j.Name)
	if s.root {
		b.WriteString("Wants=network-online.target\nAfter=network-online.target\n")
	}
	b.WriteString("\n[Service]\nType=oneshot\n")
	for _, e := range s.env {
		fmt.Fprintf(&b, "Environment=%s\n", unitQuote(e))
	}
	fmt.Fprintf(&b, "ExecStart=%s run %s\n", unitQuote(s.program), j.Name)
	fmt.Fprintf(&b, "SuccessExitStatus=%d %d\n", exitWindow, exitRunning)
	b.WriteString("Nice=10\nIOSchedulingClass=best-effort\nIOSchedulingPriority=7\nKillMode=mixed\n")
	fmt.Fprintf(&b, "TimeoutStopSec=%d\n", int(2*j.hookTimeout.Seconds())+60)
	return b.String()
}

// timer returns the unit that starts the service of a job.
func (s *scheduling) timer(j *job) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by vdh schedule; vdh schedule --remove takes it away.\n\n[Unit]\nDescription=when vdh runs %s\n\n[Timer]\n", j.Name)
	for _, at := range j.calendar.systemd() {
		fmt.Fprintf(&b, "OnCalendar=%s\n", at)
	}
	fmt.Fprintf(&b, "Persistent=true\nRandomizedDelaySec=%d\nAccuracySec=1min\n\n[Install]\nWantedBy=timers.target\n", int(j.delay.Seconds()))
	return b.String()
}

// systemd returns a calendar as systemd.time(7) has it.
func (c *calendar) systemd() (out []string) {
	if c.hourly {
		return []string{"hourly"}
	}
	var days []string
	for i, name := range weekdays {
		if c.days[weekday(i)] {
			days = append(days, strings.ToUpper(name[:1])+name[1:])
		}
	}
	on := strings.Join(days, ",") + " "
	if len(days) == len(weekdays) {
		on = ""
	}
	for _, t := range c.times {
		out = append(out, fmt.Sprintf("%s*-*-* %02d:%02d:00", on, t/60, t%60))
	}
	return out
}

// unitQuote writes a word as systemd.syntax(7) wants it.
func unitQuote(word string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "%", "%%").Replace(word) + `"`
}

// cronMark ends the line of a job in a crontab. The shell takes it for a comment.
func cronMark(job string) string { return " # vdh schedule: " + job }

// cronLine returns the line of a crontab that runs a job. It looks every hour, at the minute at which the job is due,
// whether it has run, so that it runs an hour after the machine is back at the latest.
func (s *scheduling) cronLine(j *job) string {
	minute := 0
	if !j.calendar.hourly {
		minute = int(j.calendar.times[0]) % 60
	}
	minute = (minute + int(delayOf(s.host, j.Name, j.delay)/time.Minute)) % 60
	words := []string{"env"}
	for _, e := range s.env {
		words = append(words, cronQuote(e))
	}
	words = append(words, cronQuote(s.program), "run", "--quiet", "--due", j.Name)
	return fmt.Sprintf("%d * * * * %s%s", minute, strings.Join(words, " "), cronMark(j.Name))
}

// cronQuote writes a word for the shell, in a crontab, where a percent sign is a newline unless a backslash is before it.
// Quotes of the shell would keep that backslash, so there are none around it.
func cronQuote(word string) string {
	var b strings.Builder
	for _, c := range []byte(word) {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 || strings.IndexByte("/._-=:,+@", c) >= 0
		if !plain {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// scheduleCron installs or removes lines of the crontab.
func (a *app) scheduleCron(ctx context.Context, s *scheduling, remove bool) error {
	before, err := readCrontab(ctx)
	if err != nil {
		return err
	}
	after, removed := editCrontab(before, s, remove)
	if after != before {
		if _, err := command(ctx, after, "crontab", "-"); err != nil {
			return err
		}
	}
	for _, name := range removed {
		if remove {
			if err := a.saySchedule(scheduledLine{Job: name, By: "cron", Where: []string{}, Removed: true}); err != nil {
				return err
			}
		}
	}
	for _, j := range s.jobs {
		if err := a.saySchedule(scheduledLine{Job: j.Name, By: "cron", Where: []string{s.cronLine(j)}, Next: s.next(j)}); err != nil {
			return err
		}
	}
	return nil
}

// readCrontab returns the user's crontab, which need not exist.
func readCrontab(ctx context.Context) (string, error) {
	text, err := command(ctx, "", "crontab", "-l")
	if err != nil && strings.Contains(err.Error(), "no crontab") {
		return "", nil
	}
	return text, err
}

// editCrontab returns a crontab with the lines of the jobs in place of those that it has of them, and the names of those
// whose lines were taken out. It leaves all other lines as they are.
func editCrontab(before string, s *scheduling, remove bool) (after string, removed []string) {
	var b strings.Builder
	for line := range strings.Lines(before) {
		_, name, ours := strings.Cut(strings.TrimSuffix(line, "\n"), cronMark(""))
		if ours && jobName.MatchString(name) && (remove && s.wants(name) || !remove && s.has(name)) {
			removed = append(removed, name)
			continue
		}
		b.WriteString(line)
	}
	after = b.String()
	if remove || len(s.jobs) == 0 {
		return after, removed
	}
	if after != "" && !strings.HasSuffix(after, "\n") {
		after += "\n"
	}
	for _, j := range s.jobs {
		after += s.cronLine(j) + "\n"
	}
	return after, removed
}

// has reports whether a job of this name is to be installed.
func (s *scheduling) has(name string) bool {
	for _, j := range s.jobs {
		if j.Name == name {
			return true
		}
	}
	return false
}
