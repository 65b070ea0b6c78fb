package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A jobRun is one run of a job.
type jobRun struct {
	*app
	job   *job
	dir   string // of what is remembered
	ping  *pinger
	state *jobState

	code   int
	step   string // that failed
	reason string // why
	kept   bool   // the backup is
	said   strings.Builder
}

// A stepResult is what came of a step.
type stepResult struct {
	code    int
	err     error
	lines   []json.RawMessage // that the verb printed
	summary json.RawMessage   // the last of them, if it is one
}

// stepLine is the JSON line of a step.
type stepLine struct {
	Type    string          `json:"type"` // "step"
	Job     string          `json:"job"`
	Step    string          `json:"step"`
	Code    int             `json:"code"`
	Seconds float64         `json:"seconds"`
	Error   string          `json:"error,omitempty"`
	Summary json.RawMessage `json:"summary,omitempty"`
}

// jobLine is the JSON line of a job.
type jobLine struct {
	Type    string  `json:"type"` // "job"
	Job     string  `json:"job"`
	Status  string  `json:"status"`
	Code    int     `json:"code"`
	Step    string  `json:"step,omitempty"`
	Error   string  `json:"error,omitempty"`
	Score   string  `json:"score,omitempty"`
	Seconds float64 `json:"seconds"`
}

// run runs the job, if it is due where due is set. An error says that nothing was done and nobody was told; what fails
// later is in r.code.
func (r *jobRun) run(ctx context.Context, due bool) error {
	if s, err := loadJob(r.dir, r.job.Name); due && err == nil && !r.job.isDue(time.Now(), s) {
		return nil // also while it runs: that it takes for hours is not to be told every hour
	}
	unlock, err := lockFile(filepath.Join(r.dir, r.job.Name+".lock"), false)
	if errors.Is(err, errRunning) {
		r.code, r.step, r.reason = exitRunning, "", "it is running already"
		return r.report()
	}
	if err != nil {
		return err
	}
	defer unlock()
	if r.state, err = loadJob(r.dir, r.job.Name); err != nil {
		r.note("vdh: %s: %v", r.job.Name, err)
	}
	begin := time.Now()
	if due && !r.job.isDue(begin, r.state) {
		return nil
	}
	r.state.Began = begin.UTC().Round(0)
	if err := r.state.save(r.dir, r.job.Name); err != nil {
		return fmt.Errorf("job %s: %w", r.job.Name, err)
	}
	window := ctx
	if u := r.job.until; u != nil {
		var stop context.CancelFunc
		window, stop = within(ctx, u.after(begin))
		defer stop()
	}
	r.tell(window, "start", "")
	r.work(window)
	return r.finish(context.WithoutCancel(ctx))
}

// work does the steps, as far as those before allow it.
func (r *jobRun) work(ctx context.Context) {
	if r.job.Pre != "" && r.hookStep(ctx, "pre", r.job.Pre) != nil {
		return
	}
	r.backup(ctx)
	if r.kept {
		r.forgetAndPrune(ctx)
	}
	if ctx.Err() == nil && r.code != exitUnavailable {
		r.checkParts(ctx)
	}
}

// finish remembers how it went, and tells whoever is to know.
func (r *jobRun) finish(ctx context.Context) error {
	s, before := r.state, r.state.Success
	ended := func() {
		s.Ended = time.Now().UTC().Round(0)
		s.Seconds, s.Code, s.Step = s.Ended.Sub(s.Began).Seconds(), r.code, r.step
		if r.code == exitOK {
			s.Success = s.Ended
		}
		r.remember()
	}
	ended()
	if r.job.Post != "" && r.hookStep(ctx, "post", r.job.Post) != nil {
		s.Success = before
		ended()
	}
	if r.job.OnFailure != "" && r.status() != "ok" && r.status() != "stopped" {
		r.hookStep(ctx, "on-failure", r.job.OnFailure)
	}
	if err := r.writeMetrics(); err != nil {
		r.failed("metrics-file", exitFailed, err)
		r.note("vdh: %s: %v", r.job.Name, err)
	}
	signal := map[string]string{"ok": "", "stopped": "log"}
	end, known := signal[r.status()]
	if !known {
		end = "fail"
	}
	r.tell(ctx, end, r.text())
	return r.report()
}

// failed notes that a step ended with an exit code, unless a worse one is noted.
func (r *jobRun) failed(step string, code int, err error) {
	if worse(code, r.code) {
		r.code, r.step, r.reason = code, step, err.Error()
	}
}

// status says in a word how the job went.
func (r *jobRun) status() string {
	switch r.code {
	case exitOK:
		return "ok"
	case exitPartial, exitRedundancy:
		return "incomplete"
	case exitWindow:
		return "stopped"
	case exitRunning:
		return "running"
	}
	return "failed"
}

// outcome says for people how the job went, if not well.
func (r *jobRun) outcome() string {
	switch r.status() {
	case "running":
		return "is running already"
	case "stopped":
		return "stopped in " + r.step + ", since its window ended; the next run goes on from there"
	case "ok":
		return "is done"
	}
	return fmt.Sprintf("%s in %s: %s", r.status(), r.step, r.reason)
}

// text says for people how the job and its steps went.
func (r *jobRun) text() string {
	return fmt.Sprintf("vdh job %s %s\n%s", r.job.Name, r.outcome(), r.said.String())
}

// tell pings. That a ping is lost is said, and does not make the job a failure.
func (r *jobRun) tell(ctx context.Context, signal, text string) {
	if err := r.ping.ping(ctx, signal, text); err != nil && ctx.Err() == nil {
		r.note("vdh: %s: %v", r.job.Name, err)
	}
}

// report prints how the job went.
func (r *jobRun) report() error {
	line := jobLine{Type: "job", Job: r.job.Name, Status: r.status(), Code: r.code, Step: r.step, Error: r.reason}
	if r.kept {
		line.Score = r.state.Kept.Score
	}
	if r.state != nil {
		line.Seconds = r.state.Seconds
	}
	if r.json {
		return r.print(line)
	}
	if !r.kept {
		return nil
	}
	_, err := fmt.Fprintln(r.out, line.Score)
	return err
}

// do does a step: what a verb does, in an app of its own, which has closed all that it opened when do returns.
func (r *jobRun) do(ctx context.Context, name string, verb func(context.Context, *app) error) stepResult {
	var out bytes.Buffer
	a := newApp(strings.NewReader(""), &out, r.stderr)
	a.storePath, a.limit, a.json, a.told, a.quiet, a.verbose = r.job.Store, r.job.limit, true, !r.json, r.quiet || r.json, r.verbose
	if name == "backup" {
		a.patience = defaultPatience
	}
	begin := time.Now()
	err := verb(ctx, a)
	if closeErr := a.close(); err == nil {
		err = closeErr
	}
	res := stepResult{code: exitCode(ctx, err), err: err}
	if res.code == exitInterrupted && errors.Is(context.Cause(ctx), errWindow) {
		res.code, res.err = exitWindow, errWindow
	}
	for line := range bytes.Lines(out.Bytes()) {
		res.lines = append(res.lines, bytes.TrimSuffix(line, []byte("\n")))
		if typeOf(line) == "summary" {
			res.summary = res.lines[len(res.lines)-1]
		}
	}
	if res.err != nil && !(name == "prune" && res.code == exitRedundancy && !res.waits()) {
		r.failed(name, res.code, res.err) // members that were away are told by the next prune
	}
	r.sayStep(name, &res, time.Since(begin))
	return res
}

// waits reports whether members wait for the user's word before they do what a prune has told them.
func (s *stepResult) waits() bool {
	var w struct {
		Fragments int64 `json:"waiting_fragments"`
	}
	return json.Unmarshal(s.summary, &w) != nil || w.Fragments > 0
}

// typeOf returns the type of a JSON line.
func typeOf(line []byte) string {
	var l struct {
		Type string `json:"type"`
	}
	_ = json.Unmarshal(line, &l) // our own
	return l.Type
}

// sayStep says how a step went.
func (r *jobRun) sayStep(name string, res *stepResult, took time.Duration) {
	text := sayResult(name, res)
	line := stepLine{Type: "step", Job: r.job.Name, Step: name, Code: res.code, Seconds: took.Seconds(), Summary: res.summary}
	if res.err != nil {
		line.Error = res.err.Error()
		text = strings.Join([]string{text, line.Error}, "; ")
	}
	text = fmt.Sprintf("%s: %s (%.1f s)", name, strings.TrimPrefix(text, "; "), took.Seconds())
	fmt.Fprintln(&r.said, text)
	if !r.json {
		r.note("vdh: %s: %s", r.job.Name, text)
		return
	}
	for _, l := range res.lines {
		if typeOf(l) == "damage" {
			fmt.Fprintf(r.out, "%s\n", l)
		}
	}
	_ = r.print(line) // what cannot be written is found at the end
}

// hookStep runs a hook.
func (r *jobRun) hookStep(ctx context.Context, name, command string) error {
	begin := time.Now()
	res := stepResult{err: r.hook(ctx, command, r.job.hookTimeout, r.variables(name))}
	switch {
	case res.err == nil:
	case errors.Is(context.Cause(ctx), errWindow):
		res.code, res.err = exitWindow, errWindow
	case ctx.Err() != nil:
		res.code = exitInterrupted
	default:
		res.code = exitFailed
	}
	if res.err != nil {
		r.failed(name, res.code, res.err)
	}
	r.sayStep(name, &res, time.Since(begin))
	return res.err
}

// maxVariable bounds the texts in the environment of a hook, in bytes: Linux starts no program with a longer one than
// 128 KiB.
const maxVariable = 32 << 10

// variableText cuts off a text that is too long for a variable, and takes out what cannot be in one.
func variableText(text string) string {
	if len(text) > maxVariable {
		text = strings.ToValidUTF8(text[:maxVariable], "")
	}
	return strings.ReplaceAll(text, "\x00", "")
}

// variables returns what a hook finds in its environment.
func (r *jobRun) variables(hook string) []string {
	vars := map[string]any{"NAME": r.job.Name, "HOOK": hook, "STORE": r.job.Store, "HOST": r.job.host(), "PATHS": strings.Join(r.job.Paths, "\n")}
	if hook != "pre" {
		vars["STATUS"], vars["CODE"], vars["STEP"], vars["ERROR"], vars["SUMMARY"] = r.status(), r.code, r.step, r.reason, r.text()
		vars["SECONDS"] = int64(time.Since(r.state.Began).Seconds())
	}
	if k := r.state.Kept; r.kept {
		vars["SCORE"], vars["FILES"], vars["BYTES"], vars["BYTES_ADDED"] = k.Score, k.Files, k.Bytes, k.Added
		vars["UNREADABLE"] = k.Unreadable
	}
	var env []string
	for name, v := range vars {
		env = append(env, "VDH_JOB_"+name+"="+variableText(fmt.Sprint(v)))
	}
	if exe, err := os.Executable(); err == nil {
		env = append(env, "VDH_JOB_PROGRAM="+exe)
	}
	return env
}
