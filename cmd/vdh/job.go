package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"ventidhash/dhash/sim/years"
	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/retain"
)

// A job is a table [[job]] of the config file: what vdh run does, and when. The help topic jobs says what each key means.
type job struct {
	Name  string   `toml:"name"`
	Paths []string `toml:"paths"`
	Store string   `toml:"store"`
	Host  string   `toml:"host"`
	Tags  []string `toml:"tag"`

	Exclude          []string `toml:"exclude"`
	ExcludeFile      []string `toml:"exclude-file"`
	ExcludeIfPresent []string `toml:"exclude-if-present"`
	ExcludeCaches    bool     `toml:"exclude-caches"`
	OneFileSystem    bool     `toml:"one-file-system"`

	KeepLast    any      `toml:"keep-last"`
	KeepHourly  any      `toml:"keep-hourly"`
	KeepDaily   any      `toml:"keep-daily"`
	KeepWeekly  any      `toml:"keep-weekly"`
	KeepMonthly any      `toml:"keep-monthly"`
	KeepYearly  any      `toml:"keep-yearly"`
	KeepWithin  string   `toml:"keep-within"`
	KeepTag     []string `toml:"keep-tag"`

	Check       string `toml:"check"`
	Schedule    string `toml:"schedule"`
	RandomDelay string `toml:"random-delay"`
	Until       string `toml:"until"`
	Limit       string `toml:"limit"`

	Pre         string `toml:"pre"`
	Post        string `toml:"post"`
	OnFailure   string `toml:"on-failure"`
	HookTimeout string `toml:"hook-timeout"`
	Ping        string `toml:"ping"`
	MetricsFile string `toml:"metrics-file"`

	parsed
}

// parsed is what the texts of a job mean.
type parsed struct {
	policy      *retain.Policy // nil keeps everything
	checkDays   int            // in which all contents are read once; 0 for never
	calendar    *calendar      // nil if nobody runs it but the user
	delay       time.Duration  // at most, behind the times of the calendar
	until       *clock         // when it stops; nil for never
	limit       int64          // bytes in a second; 0 for no limit
	hookTimeout time.Duration
}

const (
	jobKey          = "job"
	jobNever        = "never"
	maxJobs         = 1000
	usualCheck      = "30d"
	usualHookTime   = 10 * time.Minute
	usualRandomWait = 30 * time.Minute
)

// jobName is what a name must be, since files, units and lines of a crontab are named by it.
var jobName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

// jobsOf reads the tables [[job]] of a config file. An error names the job and the key.
func jobsOf(value any) ([]*job, error) {
	tables, ok := value.([]any)
	if !ok {
		return nil, errors.New("jobs are tables like [[job]], with two brackets on each side")
	}
	if len(tables) > maxJobs {
		return nil, fmt.Errorf("%d jobs; more than %d are a mistake", len(tables), maxJobs)
	}
	jobs := make([]*job, len(tables))
	for i, table := range tables {
		var err error
		if jobs[i], err = jobOf(table); err != nil {
			return nil, fmt.Errorf("[[job]] %s: %w", cmp.Or(jobs[i].Name, fmt.Sprint("number ", i+1)), err)
		}
		if slices.ContainsFunc(jobs[:i], func(o *job) bool { return o.Name == jobs[i].Name }) {
			return nil, fmt.Errorf("[[job]] %s: there are two jobs of this name", jobs[i].Name)
		}
	}
	return jobs, nil
}

// jobOf reads one table. The job that comes with an error has a name if the table has.
func jobOf(table any) (*job, error) {
	j := &job{}
	if _, ok := table.(map[string]any); !ok {
		return j, errors.New("it is no table")
	}
	text, err := toml.Marshal(table)
	if err != nil {
		return j, err
	}
	err = toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(j)
	var unknown *toml.StrictMissingError
	switch {
	case errors.As(err, &unknown):
		return j, fmt.Errorf("%s: there is no such key; see: vdh help jobs", strings.Join(unknown.Errors[0].Key(), "."))
	case err != nil:
		return j, err
	}
	return j, j.parse()
}

// parse checks the job, and fills in what its texts mean.
func (j *job) parse() error {
	if !jobName.MatchString(j.Name) {
		return errors.New("name: want letters, digits, _ and -, 64 at most")
	}
	if len(j.Paths) == 0 {
		return errors.New("paths: say what to back up")
	}
	for _, p := range slices.Concat(j.Paths, j.ExcludeFile) {
		if !filepath.IsAbs(p) {
			return fmt.Errorf("%q: give the whole path, since the job is run from anywhere", p)
		}
	}
	for _, p := range []struct{ key, path string }{{"store", j.Store}, {"metrics-file", j.MetricsFile}} {
		if p.path != "" && !filepath.IsAbs(p.path) && (p.key != "store" || p.path != swarmWord) {
			return fmt.Errorf("%s %q: give the whole path, since the job is run from anywhere", p.key, p.path)
		}
	}
	if j.Ping != "" {
		u, err := url.Parse(j.Ping)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return errors.New("ping: want the URL of a check, like https://hc-ping.com/UUID")
		}
	}
	for _, part := range []func() error{j.parseKeep, j.parseTimes, j.parseCheck} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// parseKeep reads what to keep.
func (j *job) parseKeep() error {
	k := keepFlags{within: j.KeepWithin, tags: j.KeepTag}
	values := []any{j.KeepLast, j.KeepHourly, j.KeepDaily, j.KeepWeekly, j.KeepMonthly, j.KeepYearly}
	for i, c := range k.counts() {
		if values[i] == nil {
			continue
		}
		if err := c.n.Set(fmt.Sprint(values[i])); err != nil {
			return fmt.Errorf("keep-%s: %w", c.word, err)
		}
	}
	p, err := k.policy()
	if errors.Is(err, retain.ErrNoRule) {
		return nil
	}
	j.policy = &p
	return err
}

// parseTimes reads when the job runs, for how long, and how fast.
func (j *job) parseTimes() error {
	if j.Schedule != "" {
		c, err := parseCalendar(j.Schedule)
		if err != nil {
			return fmt.Errorf("schedule %q: %w", j.Schedule, err)
		}
		j.calendar = &c
	}
	if j.Until != "" {
		c, err := parseClock(j.Until)
		if err != nil {
			return fmt.Errorf("until %q: %w", j.Until, err)
		}
		j.until = &c
	}
	if j.Limit != "" {
		if err := (*bytesFlag)(&j.limit).Set(j.Limit); err != nil {
			return fmt.Errorf("limit %q: %w", j.Limit, err)
		}
	}
	j.delay, j.hookTimeout = usualRandomWait, usualHookTime
	if j.calendar != nil && j.calendar.hourly {
		j.delay = 0
	}
	for _, s := range []struct {
		key, text string
		to        *time.Duration
	}{{"random-delay", j.RandomDelay, &j.delay}, {"hook-timeout", j.HookTimeout, &j.hookTimeout}} {
		if s.text == "" {
			continue
		}
		var err error
		if *s.to, err = readSpan(s.text); err != nil {
			return fmt.Errorf("%s %q: %w", s.key, s.text, err)
		}
	}
	if j.hookTimeout == 0 {
		return errors.New("hook-timeout: want more than nothing")
	}
	return nil
}

// parseCheck reads in which time all contents are read. A swarm's are read only if the job says so: its members look at
// what they hold themselves, and reading means fetching.
func (j *job) parseCheck() error {
	text := cmp.Or(j.Check, usualCheck)
	if j.Check == jobNever || j.Check == "" && j.Store == swarmWord {
		return nil
	}
	d, err := parseSpan(text)
	if err != nil || d < years.Day || d > maxParts*years.Day {
		return fmt.Errorf("check %q: want the days in which all contents are read once, like %s, or %s", text, usualCheck, jobNever)
	}
	j.checkDays = int(d / years.Day)
	return nil
}

// host returns the host that the snapshots of the job are of.
func (j *job) host() string { return cmp.Or(j.Host, archive.Hostname()) }

// backup returns what the words of a backup would say.
func (j *job) backup() *backupFlags {
	return &backupFlags{exclude: j.Exclude, excludeFiles: j.ExcludeFile, excludeIfPresent: j.ExcludeIfPresent, tags: j.Tags,
		excludeCaches: j.ExcludeCaches, oneFileSystem: j.OneFileSystem, host: j.Host}
}

// jobs returns the jobs of the config file. The store of a job that names none is the usual one.
func (a *app) jobs() ([]*job, error) {
	jobs, clash, err := a.listedJobs()
	if err == nil {
		err = clash
	}
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

// listedJobs is jobs for who runs none of them: clash says why jobs does not return these.
func (a *app) listedJobs() (list []*job, clash, err error) {
	name, err := configFile()
	if err != nil {
		return nil, nil, err
	}
	usual, err := a.where()
	if err != nil {
		return nil, nil, err
	}
	if list, err = readJobs(name); err != nil {
		return nil, nil, usage{fmt.Errorf("config %s: %w", name, err)}
	}
	for _, j := range list {
		if j.Store != "" {
			continue
		}
		j.Store = usual.String()
		if usual.swarm {
			j.checkDays = 0
			if err := j.parseCheck(); err != nil {
				return nil, nil, err
			}
		}
	}
	if err := rivals(list); err != nil {
		clash = usage{fmt.Errorf("config %s: %w", name, err)}
	}
	return list, clash, nil
}

// rivals returns an error if a job would forget what another one keeps: if both make snapshots of the same host and paths
// in one store, its rules decide about all of them.
func rivals(jobs []*job) error {
	for _, j := range jobs {
		for _, o := range jobs {
			if j.policy == nil || reflect.DeepEqual(j.policy, o.policy) || !j.sameStore(o) ||
				slices.ContainsFunc(o.Tags, func(tag string) bool { return slices.Contains(j.policy.Tags, tag) }) {
				continue
			}
			if ofJob(j.host(), archive.Clean(j.Paths))(snapshot.Snapshot{Host: o.host(), Paths: archive.Clean(o.Paths)}) {
				return fmt.Errorf("[[job]] %s: it would forget what job %s keeps of the same paths in the same store; "+
					"give both the same keep rules, or have %s keep a tag that %s gives (keep-tag)", j.Name, o.Name, j.Name, o.Name)
			}
		}
	}
	return nil
}
