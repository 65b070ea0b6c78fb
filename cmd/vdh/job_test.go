package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// tables reads the tables [[job]] of a config file.
func tables(t *testing.T, text string) ([]*job, error) {
	t.Helper()
	var file map[string]any
	if err := toml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	return jobsOf(file["job"])
}

func TestJobsOf(t *testing.T) {
	jobs, err := tables(t, `[[job]]
name = "srv"
paths = ["/srv"]
keep-daily = 7
keep-yearly = "all"
keep-within = "1y6m"
check = "14d"
schedule = "mon-fri 02:00"
until = "06:00"
limit = "2MiB"
hook-timeout = "90s"
[[job]]
name = "swarm-1"
store = "swarm"
paths = ["/srv"]
`)
	if err != nil || len(jobs) != 2 {
		t.Fatal(jobs, err)
	}
	j := jobs[0]
	if p := j.policy; p == nil || p.Daily != 7 || p.Yearly != -1 || p.Within.Months != 6 || j.checkDays != 14 || *j.until != 360 ||
		j.limit != 2<<20 || j.hookTimeout != 90*time.Second || j.delay != usualRandomWait {
		t.Errorf("%+v", j)
	}
	if jobs[1].policy != nil || jobs[1].checkDays != 0 || jobs[1].calendar != nil || jobs[1].until != nil {
		t.Errorf("%+v", jobs[1])
	}
	const good = "[[job]]\nname = \"a\"\npaths = [\"/srv\"]\n"
	for text, want := range map[string]string{
		good + "keepdaily = 1":                    "[[job]] a: keepdaily: there is no such key",
		good + "[job.keep]\ndaily = 1":            "[[job]] a: keep",
		good + good:                               "two jobs of this name",
		"[[job]]\npaths = [\"/srv\"]":             "[[job]] number 1: name",
		"[[job]]\nname = \"../a\"\npaths=[\"/\"]": "name: want letters",
		"[[job]]\nname = \"a\"":                   "paths: say what",
		"[[job]]\nname = \"a\"\npaths=[\"srv\"]":  "give the whole path",
		good + "store = \"archive\"":              "store \"archive\"",
		good + "metrics-file = \"x.prom\"":        "metrics-file",
		good + "exclude-file = [\"x\"]":           "give the whole path",
		good + "keep-daily = -7":                  "keep-daily: want",
		good + "keep-daily = 1.5":                 "keep-daily: want",
		good + "keep-within = \"x\"":              "keep-within",
		good + "check = \"1h\"":                   "check \"1h\"",
		good + "check = \"99y\"":                  "check \"99y\"",
		good + "schedule = \"daily\"":             "schedule \"daily\"",
		good + "until = \"6\"":                    "until \"6\"",
		good + "limit = \"fast\"":                 "limit \"fast\"",
		good + "random-delay = \"x\"":             "random-delay",
		good + "hook-timeout = \"0s\"":            "hook-timeout",
		good + "ping = \"hc-ping.com/x\"":         "ping: want",
		good + "ping = \"file:///etc/passwd\"":    "ping: want",
		"[job]\nname = \"a\"":                     "two brackets",
		"job = 3":                                 "two brackets",
		"job = [3]":                               "number 1",
	} {
		if jobs, err := tables(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", text, jobs, err, want)
		}
	}
}

// TestRunLines holds what vdh run and vdh schedule print with --json against their help.
func TestRunLines(t *testing.T) {
	w := newWorkbench(t, "keep-last = 1\npre = \"true\"\npost = \"false\"\nschedule = \"02:00\"\n")
	fillTree(t, filepath.Join(w.dir, "tree"), 3, 1<<20)
	d := newLineDoc(t)
	if r, steps := w.run(t.Context()); r.step != "post" || len(steps) != 7 {
		t.Errorf("failed in %q: %v", r.step, steps)
	}
	d.check("run", w.out.String())

	w.out.Reset()
	a := newApp(strings.NewReader(""), &w.out, &w.errs)
	if code := a.execute(t.Context(), []string{"schedule", "--print", "--json"}); code != exitOK {
		t.Errorf("exit code %d: %s", code, w.errs.String())
	}
	a.json = true
	if err := a.saySchedule(scheduledLine{Job: "srv", By: "cron", Where: []string{"line"}, Next: time.Now(), Removed: true}); err != nil {
		t.Error(err)
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
	d.check("schedule", w.out.String())
}

// TestRivals holds that no job forgets what another one keeps.
func TestRivals(t *testing.T) {
	const one = "[[job]]\nname = \"nightly\"\npaths = [\"/srv\", \"/etc/\"]\nkeep-daily = 7\n"
	const two = "[[job]]\nname = \"byhand\"\npaths = [\"/etc\", \"/srv\"]\ntag = [\"hand\"]\n"
	for text, ok := range map[string]bool{
		one:                                       true,
		one + two:                                 false,
		two + one:                                 false,
		one + two + "keep-daily = 7\n":            true,
		one + two + "keep-daily = 8\n":            false,
		one + "keep-tag = [\"hand\"]\n" + two:     true,
		one + two + "store = \"/mnt/usb\"\n":      true,
		one + two + "host = \"elsewhere\"\n":      true,
		one + strings.Replace(two, "srv", "s", 1): true,
	} {
		jobs, err := tables(t, text)
		if err != nil {
			t.Fatal(err)
		}
		if err := rivals(jobs); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "job byhand keeps") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
