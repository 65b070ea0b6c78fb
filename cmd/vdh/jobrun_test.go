package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A monitor is a service that jobs ping.
type monitor struct {
	*httptest.Server
	mu    sync.Mutex
	fails int // answers with an error before it works
	got   []string
	body  string
}

func newMonitor(t *testing.T) *monitor {
	m := &monitor{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.got, m.body = append(m.got, r.Method+" "+r.URL.String()), string(body)
		switch {
		case strings.Contains(r.URL.Path, "gone"):
			http.NotFound(w, r)
		case strings.Contains(r.URL.Path, "moved"):
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case m.fails > 0:
			m.fails--
			http.Error(w, "later", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *monitor) pings(t *testing.T, want ...string) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Equal(m.got, want) {
		t.Errorf("pings are %q, not %q", m.got, want)
	}
	m.got = nil
}

func TestPing(t *testing.T) {
	m := newMonitor(t)
	p := newPinger(m.URL + "/uuid?rid=1")
	p.pause = time.Millisecond
	if err := p.ping(t.Context(), "start", ""); err != nil {
		t.Error(err)
	}
	m.fails = 2
	if err := p.ping(t.Context(), "", "all is well"); err != nil || m.body != "all is well" {
		t.Error(err, m.body)
	}
	m.pings(t, "POST /uuid/start?rid=1", "POST /uuid?rid=1", "POST /uuid?rid=1", "POST /uuid?rid=1")
	for path, tries := range map[string]int{"/gone-secret": 1, "/moved-secret": 1, "/secret": pingTries} {
		m.fails = 10
		p.url = m.URL + path
		if err := p.ping(t.Context(), "fail", ""); err == nil || strings.Contains(err.Error(), "secret") || len(m.got) != tries {
			t.Errorf("%s: %v after %d", path, err, len(m.got))
		}
		m.got = nil
	}
	p.url = "http://127.0.0.1:1/secret"
	if err := p.ping(t.Context(), "", ""); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("nobody listens: %v", err)
	}
}

// A bench is a job in folders of its own.
type workbench struct {
	t    *testing.T
	dir  string
	job  *job
	out  bytes.Buffer
	errs bytes.Buffer
	*monitor
}

func newWorkbench(t *testing.T, more string) *workbench {
	w := &workbench{t: t, dir: t.TempDir(), monitor: newMonitor(t)}
	for _, v := range []string{"DATA", "CONFIG", "CACHE", "STATE"} {
		t.Setenv("XDG_"+v+"_HOME", filepath.Join(w.dir, strings.ToLower(v)))
	}
	config := filepath.Join(w.dir, "config/vdh/config.toml")
	if err := os.MkdirAll(filepath.Dir(config), 0o700); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("DIR", w.dir, "URL", w.URL).Replace("[[job]]\nname = \"srv\"\npaths = [\"DIR/tree\"]\nping = \"URL/uuid\"\n" + more)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	jobs, err := (&app{}).jobs()
	if err != nil {
		t.Fatal(err)
	}
	w.job = jobs[0]
	return w
}

// run runs the job and returns it, and its lines of JSON by step.
func (w *workbench) run(ctx context.Context) (*jobRun, map[string]stepLine) {
	w.t.Helper()
	w.out.Reset()
	w.errs.Reset()
	a := newApp(strings.NewReader(""), &w.out, &w.errs)
	a.json = true
	dir, err := jobFolder()
	if err != nil {
		w.t.Fatal(err)
	}
	r := &jobRun{app: a, job: w.job, dir: dir, ping: newPinger(w.job.Ping)}
	if err := r.run(ctx, false); err != nil {
		w.t.Fatal(err)
	}
	if err := a.close(); err != nil {
		w.t.Fatal(err)
	}
	steps := map[string]stepLine{}
	for line := range bytes.Lines(w.out.Bytes()) {
		var l stepLine
		if err := json.Unmarshal(line, &l); err != nil {
			w.t.Fatalf("%s: %v", line, err)
		}
		steps[l.Type+" "+l.Step] = l
	}
	return r, steps
}

// stored returns how many bytes the arenas of the store have.
func (w *workbench) stored() (n int64) {
	files, _ := filepath.Glob(filepath.Join(w.dir, "data/vdh/store/arenas/*"))
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			n += info.Size()
		}
	}
	return n
}

// TestWindow holds that a job whose window ends stops soon, is no failure to whoever monitors it, and that the next run
// stores nothing again that the first one had.
func TestWindow(t *testing.T) {
	w := newWorkbench(t, "keep-last = 1\npost = \"echo $VDH_JOB_STATUS $VDH_JOB_STEP >> DIR/hooks\"\non-failure = \"echo failure >> DIR/hooks\"\n")
	fillTree(t, filepath.Join(w.dir, "tree"), 3, 24<<20)
	w.job.limit = 16 << 20
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for w.stored() < 12<<20 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		dir, err := jobFolder()
		if s, e := loadJob(dir, "srv"); err != nil || e != nil || s.Unfinished.IsZero() {
			t.Errorf("if it were killed now, nothing would say that it has stored a part: %+v, %v, %v", s, err, e)
		}
		cancel(errWindow)
	}()
	r, steps := w.run(ctx)
	cancel(nil)
	<-done
	if r.code != exitWindow || r.step != "backup" || r.kept || r.state.Unfinished.IsZero() || len(steps) != 3 {
		t.Fatalf("code %d in %s: %+v; %s", r.code, r.step, r.state, w.errs.String())
	}
	w.pings(t, "POST /uuid/start", "POST /uuid/log")
	if b, err := os.ReadFile(filepath.Join(w.dir, "hooks")); err != nil || string(b) != "stopped backup\n" {
		t.Errorf("the hooks wrote %q, %v", b, err)
	}
	first := w.stored()

	w.job.limit = 0
	r, steps = w.run(t.Context())
	if r.code != exitOK || !r.kept || !r.state.Unfinished.IsZero() {
		t.Fatalf("code %d in %s: %s; %s", r.code, r.step, r.reason, w.errs.String())
	}
	w.pings(t, "POST /uuid/start", "POST /uuid")
	var s backupSummaryBytes
	if err := json.Unmarshal(steps["step backup"].Summary, &s); err != nil {
		t.Fatal(err)
	}
	t.Logf("stored %d, then added %d, of %d", first, s.Added, s.Bytes)
	if again := first + s.Added - s.Bytes; again > s.Bytes/20 {
		t.Errorf("stored %d bytes, then %d, of %d: %d came twice", first, s.Added, s.Bytes, again)
	}
}

type backupSummaryBytes struct {
	Bytes int64 `json:"bytes"`
	Added int64 `json:"bytes_added"`
}

// TestJobDamage holds that damage is found when its part is read, is told, and is looked at each night from then on.
func TestJobDamage(t *testing.T) {
	w := newWorkbench(t, "check = \"4d\"\non-failure = \"echo $VDH_JOB_STEP $VDH_JOB_CODE >> DIR/hooks\"\n")
	fillTree(t, filepath.Join(w.dir, "tree"), 3, 8<<20)
	r, _ := w.run(t.Context())
	if r.code != exitOK {
		t.Fatal(r.outcome())
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "data/vdh/store/arenas/*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 0xff
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	back := func() { // a day passes
		r.state.Check.Last = r.state.Check.Last.Add(-24 * time.Hour)
		if err := r.state.save(r.dir, "srv"); err != nil {
			t.Fatal(err)
		}
	}
	found := 0
	for range 6 {
		back()
		before := slices.Clone(r.state.Check.Bad)
		r, _ = w.run(t.Context())
		for _, part := range before {
			if !strings.Contains(r.text(), (&partFlag{part + 1, 4}).String()) {
				t.Errorf("part %d, which was damaged, was not looked at: %s", part, r.text())
			}
		}
		if bad := r.state.Check.Bad; len(bad) > 0 {
			found++
			if r.code != exitFailed || r.step != "check" || r.status() != "failed" || !strings.Contains(r.text(), "is corrupt and touches /") {
				t.Errorf("damage in %v: %s", bad, r.text())
			}
		} else if r.code != exitOK { // a backup stores anew what the check has found to be damaged
			t.Errorf("no damage: %s", r.text())
		}
	}
	if found == 0 {
		t.Error("damage was not found")
	}
	if b, err := os.ReadFile(filepath.Join(w.dir, "hooks")); err != nil || strings.Count(string(b), "check 1\n") != found {
		t.Errorf("the hook wrote %q, %v", b, err)
	}
}

// TestNoPruneBeside holds that a job prunes nothing while what another one has stored is in no snapshot yet.
func TestNoPruneBeside(t *testing.T) {
	w := newWorkbench(t, "keep-last = 1\n[[job]]\nname = \"other\"\npaths = [\"/srv\"]\n[[job]]\nname = \"away\"\nstore = \"/mnt\"\npaths = [\"/srv\"]\n")
	fillTree(t, filepath.Join(w.dir, "tree"), 3, 1<<20)
	dir, err := jobFolder()
	if err != nil {
		t.Fatal(err)
	}
	for name, since := range map[string]time.Duration{"other": time.Hour, "away": time.Hour} {
		s := &jobState{Version: jobStateVersion, Unfinished: time.Now().Add(-since).UTC().Round(0)}
		if err := s.save(dir, name); err != nil {
			t.Fatal(err)
		}
	}
	if _, steps := w.run(t.Context()); steps["step forget"].Type == "" || steps["step prune"].Type != "" {
		t.Errorf("steps are %v", steps)
	}
	if err := (&jobState{Version: jobStateVersion}).save(dir, "other"); err != nil {
		t.Fatal(err)
	}
	if r, steps := w.run(t.Context()); steps["step prune"].Type == "" || r.state.Unpruned {
		t.Errorf("steps are %v", steps)
	}
}

func TestWithin(t *testing.T) {
	ctx, stop := within(t.Context(), time.Now().Add(20*time.Millisecond))
	defer stop()
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the window does not end")
	}
	if context.Cause(ctx) != errWindow {
		t.Errorf("it ended by %v", context.Cause(ctx))
	}
	ctx, stop = within(t.Context(), time.Now().Add(time.Hour))
	stop()
	if <-ctx.Done(); context.Cause(ctx) == errWindow {
		t.Error("what was stopped says that the window ended")
	}
}

func TestWorse(t *testing.T) {
	order := []int{exitOK, exitRunning, exitWindow, exitRedundancy, exitPartial, exitUnavailable}
	for i, a := range order {
		for j, b := range order {
			if worse(a, b) != (i > j) {
				t.Errorf("worse(%d, %d) is %v", a, b, worse(a, b))
			}
		}
	}
	if worse(exitFailed, exitUnavailable) || worse(exitUnavailable, exitFailed) {
		t.Error("of two failures the first one counts")
	}
}

// TestJobInterrupted holds that whoever stops a job by a signal gets its exit code, and that it is told all the same.
func TestJobInterrupted(t *testing.T) {
	w := newWorkbench(t, "post = \"echo $VDH_JOB_STATUS $VDH_JOB_CODE >> DIR/hooks\"\n")
	fillTree(t, filepath.Join(w.dir, "tree"), 3, 1<<20)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, steps := w.run(ctx); r.code != exitInterrupted || len(steps) != 3 || r.state.Ended.IsZero() {
		t.Errorf("code %d: %v, %+v", r.code, steps, r.state)
	}
	if b, err := os.ReadFile(filepath.Join(w.dir, "hooks")); err != nil || string(b) != "failed 130\n" {
		t.Errorf("the hook wrote %q, %v", b, err)
	}
	w.pings(t, "POST /uuid/fail")
}

// TestPostFails holds that a hook that fails behind all does not make it forgotten when the job last went well.
func TestPostFails(t *testing.T) {
	w := newWorkbench(t, "post = \"test ! -e DIR/bad\"\n")
	fillTree(t, filepath.Join(w.dir, "tree"), 1, 1<<10)
	r, _ := w.run(t.Context())
	well := r.state.Success
	if r.code != exitOK || well.IsZero() {
		t.Fatal(r.outcome())
	}
	if err := os.WriteFile(filepath.Join(w.dir, "bad"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, _ = w.run(t.Context()); r.code != exitFailed || r.step != "post" || !r.state.Success.Equal(well) {
		t.Errorf("it failed in %q, and went well last at %v, not %v", r.step, r.state.Success, well)
	}
}

// TestHookText holds that a hook is started however much there is to tell.
func TestHookText(t *testing.T) {
	w := newWorkbench(t, "")
	a := newApp(strings.NewReader(""), &w.out, &w.errs)
	r := &jobRun{app: a, job: w.job, state: &jobState{Began: time.Now()}, code: exitFailed, reason: strings.Repeat("\u00fc", 1<<20) + "\x00"}
	r.said.WriteString("x" + strings.Repeat("\u00fc", 1<<20))
	const ask = `test ${#VDH_JOB_SUMMARY} -gt 10000 && printf %s "$VDH_JOB_SUMMARY" | iconv -f utf-8 -t utf-8 > /dev/null`
	if err := r.hookStep(t.Context(), "on-failure", ask); err != nil {
		t.Errorf("%v; %.1000s", err, w.errs.String())
	}
}

// TestDueBeside holds that a run that is not due is none, also while the job runs: a crontab asks every hour.
func TestDueBeside(t *testing.T) {
	w := newWorkbench(t, "schedule = \"hourly\"\n")
	dir, err := jobFolder()
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := lockFile(filepath.Join(dir, "srv.lock"), false)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for began, code := range map[time.Time]int{time.Now(): exitOK, time.Now().AddDate(0, 0, -1): exitRunning} {
		if err := (&jobState{Version: jobStateVersion, Began: began.UTC().Round(0)}).save(dir, "srv"); err != nil {
			t.Fatal(err)
		}
		r := &jobRun{app: newApp(strings.NewReader(""), &w.out, &w.errs), job: w.job, dir: dir, ping: newPinger("")}
		if err := r.run(t.Context(), true); err != nil || r.code != code {
			t.Errorf("begun at %v: code %d, %v; want %d", began, r.code, err, code)
		}
	}
}
