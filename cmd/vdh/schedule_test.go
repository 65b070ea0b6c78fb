package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// strange is a name that means something else to a shell, to a crontab or to systemd in most of its letters.
const strange = "a b%h%n$HOME`id`\"c'd\\e;f&g|h#i*j?k~l<m>n(o)p!q\tr\u00fc\xff"

// asCron gives a command to the shell as cron(8) does: a per cent sign ends it, unless a backslash is before it, which goes.
func asCron(t *testing.T, line string) string {
	t.Helper()
	var b strings.Builder
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line) && line[i+1] == '%':
			i++
			b.WriteByte('%')
		case line[i] == '%' || line[i] == '\n':
			t.Fatalf("cron ends the command at byte %d of %q", i, line)
		default:
			b.WriteByte(line[i])
		}
	}
	return b.String()
}

// TestCronLine has a shell run the line of a crontab in which names are strange.
func TestCronLine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strange)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Skip(err)
	}
	s := &scheduling{program: filepath.Join(dir, "vdh"), env: []string{"HOME=" + dir, storeVariable + "=" + strange}}
	if err := os.WriteFile(s.program, []byte("#!/bin/sh\nprintf '%s\\n' \"$HOME\" \"$VDH_STORE\" \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	j := &job{Name: "srv", parsed: parsed{calendar: &calendar{hourly: true}}}
	command, ok := strings.CutPrefix(asCron(t, s.cronLine(j)), "0 * * * * ")
	if !ok {
		t.Fatal(command)
	}
	out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput()
	if want := strings.Join([]string{dir, strange, "run", "--quiet", "--due", "srv", ""}, "\n"); err != nil || string(out) != want {
		t.Errorf("the program saw %q, not %q; %v", out, want, err)
	}
}

// TestUnits asks systemd whether it understands units in which names are strange, where it is there to be asked.
func TestUnits(t *testing.T) {
	s := &scheduling{program: "/opt/a b%h$c/vdh", env: []string{"HOME=/home/a b%h\"c\\d"}, root: true}
	j := &job{Name: "srv", parsed: parsed{calendar: &calendar{days: [7]bool{1: true}, times: []clock{125}}, delay: time.Minute, hookTimeout: time.Minute}}
	text := s.service(j)
	for _, want := range []string{`Environment="HOME=/home/a b%%h\"c\\d"`, `ExecStart="/opt/a b%%h$c/vdh" run srv`} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(t.TempDir(), "a b%h$c")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s.program = filepath.Join(dir, "vdh")
	if err := os.WriteFile(s.program, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	s.jobs = []*job{j}
	args := []string{"verify"}
	for _, u := range s.allUnits() {
		args = append(args, filepath.Join(dir, u.name))
		if err := os.WriteFile(args[len(args)-1], []byte(u.text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, _ := exec.CommandContext(t.Context(), analyze, args...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "vdh-job-") {
			t.Errorf("systemd says: %s", line)
		}
	}
	s.program = `/opt/it's/vdh`
	if err := (&app{}).scheduleUnits(t.Context(), s, false); err == nil || !strings.Contains(err.Error(), "systemd runs no program") {
		t.Errorf("a program that systemd does not run: %v", err)
	}
}

// TestScheduledStore holds that jobs run with the store that was meant where they were scheduled, not where they run.
func TestScheduledStore(t *testing.T) {
	newWorkbench(t, "schedule = \"hourly\"\n")
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ flag, variable, want string }{
		{"", "store", filepath.Join(here, "store")}, {"other", "store", filepath.Join(here, "other")}, {"", swarmWord, swarmWord},
		{swarmWord, "", swarmWord}, {"", "", ""},
	} {
		t.Setenv(storeVariable, c.variable)
		if c.variable == "" {
			os.Unsetenv(storeVariable)
		}
		var out, errs strings.Builder
		a := newApp(strings.NewReader(""), &out, &errs)
		words := []string{"schedule", "--print"}
		if c.flag != "" {
			words = append(words, "--store", c.flag)
		}
		if code := a.execute(t.Context(), words); code != exitOK {
			t.Fatal(errs.String())
		}
		if err := a.close(); err != nil {
			t.Fatal(err)
		}
		want := storeVariable + "=" + c.want
		if got := strings.Contains(out.String(), "Environment=\""+want+"\"\n") && strings.Contains(out.String(), " "+want+" /"); got != (c.want != "") ||
			c.want == "" && strings.Contains(out.String(), storeVariable) {
			t.Errorf("%+v:\n%s", c, out.String())
		}
	}
}
