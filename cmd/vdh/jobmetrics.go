package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A jobMetric is a name, what it says, and a line for each set of labels. All are gauges.
type jobMetric struct {
	name, help string
	lines      []string
}

// add adds a line. Labels are names and values in turn.
func (m *jobMetric) add(value float64, labels ...string) {
	var in []string
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	for i := 0; i < len(labels); i += 2 {
		in = append(in, labels[i]+`="`+escape.Replace(strings.ToValidUTF8(labels[i+1], "\uFFFD"))+`"`)
	}
	m.lines = append(m.lines, fmt.Sprintf("%s{%s} %s", m.name, strings.Join(in, ","), strconv.FormatFloat(value, 'f', -1, 64)))
}

// when adds a line for a moment, if there was one.
func (m *jobMetric) when(t time.Time, labels ...string) {
	if !t.IsZero() {
		m.add(float64(t.Unix()), labels...)
	}
}

// A rememberedJob is a job by name, and what is remembered of it.
type rememberedJob struct {
	name string
	*jobState
}

// jobMetrics writes what is remembered of jobs as Prometheus' text format has it.
func jobMetrics(jobs []rememberedJob) []byte {
	began := &jobMetric{name: "vdh_job_last_start_timestamp_seconds", help: "When the job last began."}
	ended := &jobMetric{name: "vdh_job_last_end_timestamp_seconds", help: "When the job last ended."}
	success := &jobMetric{name: "vdh_job_last_success_timestamp_seconds", help: "When the job last ended with exit code 0."}
	seconds := &jobMetric{name: "vdh_job_last_duration_seconds", help: "How long the last run of the job took."}
	code := &jobMetric{name: "vdh_job_last_exit_code", help: "The exit code of the last run of the job."}
	damaged := &jobMetric{name: "vdh_job_damaged_parts", help: "Parts of the contents in which the check of the job has found damage."}
	files := &jobMetric{name: "vdh_job_snapshot_files", help: "Files in the newest snapshot of the job."}
	bytes := &jobMetric{name: "vdh_job_snapshot_bytes", help: "Bytes of files in the newest snapshot of the job."}
	read := &jobMetric{name: "vdh_job_snapshot_read_bytes", help: "Bytes that were read from files for it."}
	added := &jobMetric{name: "vdh_job_snapshot_added_bytes", help: "Bytes that the store grew by."}
	for _, j := range jobs {
		l := []string{"job", j.name}
		began.when(j.Began, l...)
		success.when(j.Success, l...)
		if !j.Ended.IsZero() {
			ended.when(j.Ended, l...)
			seconds.add(j.Seconds, l...)
			code.add(float64(j.Code), l...)
			damaged.add(float64(len(j.Check.Bad)), l...)
		}
		if k := j.Kept; k != nil {
			files.add(float64(k.Files), l...)
			bytes.add(float64(k.Bytes), l...)
			read.add(float64(k.Read), l...)
			added.add(float64(k.Added), l...)
		}
	}
	var b strings.Builder
	for _, m := range append([]*jobMetric{began, ended, success, seconds, code, damaged, files, bytes, read, added}, snapshotMetrics(jobs)...) {
		if len(m.lines) > 0 {
			fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n%s\n", m.name, m.help, m.name, strings.Join(m.lines, "\n"))
		}
	}
	return []byte(b.String())
}

// snapshotMetrics are those that a node has as well, of all snapshots; here they are of the newest of each job.
func snapshotMetrics(jobs []rememberedJob) []*jobMetric {
	at := &jobMetric{name: "vdh_snapshot_last_timestamp_seconds", help: "When the newest snapshot of a path was made."}
	unreadable := &jobMetric{name: "vdh_snapshot_last_unreadable_files", help: "Files that could not be read for the newest snapshot of a path."}
	jobs = slices.DeleteFunc(slices.Clone(jobs), func(j rememberedJob) bool { return j.Kept == nil })
	slices.SortStableFunc(jobs, func(a, b rememberedJob) int { return b.Kept.Time.Compare(a.Kept.Time) })
	seen := map[[3]string]bool{} // Prometheus refuses a file that says something twice
	for _, j := range jobs {
		for _, p := range j.Kept.Paths {
			if id := [3]string{j.Kept.Store, j.Kept.Host, p}; !seen[id] {
				seen[id] = true
				l := []string{"host", j.Kept.Host, "path", p, "store", j.Kept.Store}
				at.when(j.Kept.Time, l...)
				unreadable.add(float64(j.Kept.Unreadable), l...)
			}
		}
	}
	return []*jobMetric{at, unreadable}
}

// writeMetrics writes the file for Prometheus' node exporter, about all jobs that name it.
func (r *jobRun) writeMetrics() error {
	if r.job.MetricsFile == "" {
		return nil
	}
	unlock, err := lockFile(filepath.Join(r.dir, "metrics"), true) // no job has a name with an end like .lock
	if err != nil {
		return err
	}
	defer unlock()
	jobs, err := r.jobs()
	if err != nil {
		return err
	}
	var all []rememberedJob
	for _, j := range jobs {
		if j.MetricsFile != r.job.MetricsFile {
			continue
		}
		s, err := loadJob(r.dir, j.Name)
		if err == nil {
			all = append(all, rememberedJob{j.Name, s})
		}
	}
	slices.SortFunc(all, func(a, b rememberedJob) int { return cmp.Compare(a.name, b.name) })
	return replaceFile(r.job.MetricsFile, jobMetrics(all), 0o644)
}
