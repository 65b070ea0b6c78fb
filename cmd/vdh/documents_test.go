package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ventidhash/dhash/node"
	"ventidhash/snapshot/catalog"
)

// A step is a command that a document prints, and the machine to run it on.
type step struct {
	line    string
	machine string // first, second, third or new; empty means that of the step before
}

// commandWords are the first words of lines of a document that are commands to run. What else is indented is a picture, a
// file, or what a program prints.
var commandWords = regexp.MustCompile(`^(vdh|go|cp|diff|echo|mkdir|pg_dump|systemctl|bash|fusermount3|man) `)

var (
	machineWord = regexp.MustCompile(`\b(first|second|third|new) machine`)
	comment     = regexp.MustCompile(`\s+#\s.*$`)
)

// notRun says of commands why no test of documents runs them.
var notRun = map[string]string{
	"go install ./cmd/vdh":  "it writes to the home of whoever runs the test",
	"go run ./cmd/vdh demo": "TestDemo runs it",
	"go test ./...":         "it is what runs this test",

	"vdh schedule": "it changes the timers or the crontab of whoever runs the test; vdh schedule --print shows the same",

	"vdh swarm simulate --members 1000 --years 1": "half a minute; TestScripts/simulate has a smaller swarm",
}

// stepsOf returns the commands among the indented lines of a text.
func stepsOf(text string) (out []step) {
	job := ""
	for line := range strings.Lines(text) {
		body, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		if body == "[[job]]" || job != "" && ok {
			job += body + "\n"
			continue
		}
		if job != "" { // goes into the config file
			out = append(out, step{line: "cat >> ~/.config/vdh/config.toml <<'EOF'\n" + job + "EOF"})
			job = ""
		}
		if !ok || !commandWords.MatchString(body) {
			continue
		}
		s := step{line: comment.ReplaceAllString(body, "")}
		if notRun[s.line] != "" {
			continue
		}
		if m := machineWord.FindStringSubmatch(comment.FindString(body)); m != nil {
			s.machine = m[1]
		}
		out = append(out, s)
	}
	return out
}

// A setting is some machines on one: each has a home of its own, and all have the same folders /srv, /home, /etc and
// /mnt, which lie in a folder of the test. A document's commands are run there by a shell, as they are printed, but for the
// names of these folders and for what a reader has to fill in.
type setting struct {
	t     *testing.T
	dir   string
	at    string               // the machine of the last step
	nodes map[string]*exec.Cmd // that run, by machine
	score string               // of the first snapshot
	lost  string               // the machine whose member is named; empty means second
	words string               // the recovery phrase that was written down
	heir  map[string]string    // machines that have, once they are used, the place of another one
	said  map[string]string    // what the last command that begins like this printed
}

func newSetting(t *testing.T) *setting {
	dir, err := os.MkdirTemp("", "vdh-doc-") // t.TempDir's names are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	s := &setting{t: t, dir: dir, at: "first", nodes: map[string]*exec.Cmd{}, said: map[string]string{}}
	t.Cleanup(func() {
		for m := range s.nodes {
			s.stop(m)
		}
		if past := filepath.Join(dir, "mnt/past"); t.Failed() && s.fuse() {
			_ = exec.Command("fusermount3", "-u", past).Run() // where it is not mounted there is nothing to do
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for name, text := range map[string]string{"srv/www/index.html": "hello", "srv/www/logo": strings.Repeat("logo", 1000),
		"srv/mail/1": "mail", "home/anna/notes": "notes", "etc/fstab": "none", "etc/ssh/config": "Host *"} {
		writeFile(t, filepath.Join(dir, name), []byte(text))
	}
	for _, name := range []string{"mnt/usb", "tmp"} {
		s.do(os.MkdirAll(filepath.Join(dir, name), 0o700))
	}
	return s
}

func (s *setting) do(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *setting) home(machine string) string {
	if before := s.heir[machine]; before != "" {
		machine = before
	}
	return filepath.Join(s.dir, machine)
}

// data returns the program's folder on a machine.
func (s *setting) data(machine string) string {
	return filepath.Join(s.home(machine), ".local/share/vdh")
}

// folders are what a document calls the folders that are the same on all machines.
var folders = regexp.MustCompile(`/(srv|home|etc|mnt|tmp/out)\b`)

// command returns a line of a document as a process on a machine.
func (s *setting) command(ctx context.Context, machine, line string) *exec.Cmd {
	line = folders.ReplaceAllString(line, s.dir+"$0")
	digits := strings.TrimPrefix(s.score, "vac:")
	line = strings.NewReplacer("vac:SCORE#KEY", s.said["vdh share"], "vac:SCORE", s.score,
		"4f1c0ab2", digits[:min(len(digits), 12)]).Replace(line)
	if before, after, ok := strings.Cut(line, "7RkqZ2vu"); ok {
		line = before + s.member(cmp.Or(s.lost, "second")) + after
	}
	if before, after, ok := strings.Cut(line, "--via backup.example.org"); ok {
		line = before + "--via " + s.address("first") + after
	}
	cmd := exec.CommandContext(ctx, "sh", "-ec", line)
	cmd.Dir = s.dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "VDH_") && !strings.HasPrefix(v, "XDG_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "GORACE="+noSleep, "HOME="+s.home(machine), "TZ=UTC", "VDH_NODE_LISTEN=/ip4/127.0.0.1/tcp/0",
		"VDH_NODE_NAME="+machine, "VDH_NODE_CAPACITY=1GiB", "VDH_NODE_DOMAIN="+machine+"/"+machine, "VDH_SWARM_INIT_NINES=0.5",
		"PATH="+filepath.Join(s.dir, "bin")+":"+os.Getenv("PATH"))
	switch {
	case strings.HasPrefix(line, "vdh swarm join -"):
		cmd.Stdin = strings.NewReader(s.said["vdh swarm invite"] + "\n")
	case strings.HasPrefix(line, "vdh recover") && !strings.Contains(line, "--head"):
		cmd.Stdin = strings.NewReader(s.words)
	}
	return cmd
}

// member returns the id of a machine's member.
func (s *setting) member(machine string) string {
	for line := range strings.Lines(s.run("first", "vdh swarm members --json")) {
		var m struct{ ID, Name string }
		s.do(json.Unmarshal([]byte(line), &m))
		if m.Name == machine {
			return m.ID
		}
	}
	s.t.Fatalf("no member is called %s", machine)
	return ""
}

// address returns where a machine's node is.
func (s *setting) address(machine string) string {
	l, err := node.DialLocal(s.t.Context(), filepath.Join(s.data(machine), "swarm"))
	s.do(err)
	defer l.Close()
	st, err := l.Status(s.t.Context())
	s.do(err)
	return st.Addrs[0]
}

// steps runs commands of a document in order. Each may end with exit code 0, or with 4, as a small swarm has it.
func (s *setting) steps(list []step) {
	s.t.Helper()
	for _, st := range list {
		if strings.Contains(st.line, "/mnt/past") && !s.fuse() {
			s.t.Logf("not run, without FUSE: %s", st.line)
			continue
		}
		if st.machine != "" {
			s.at = st.machine
			if s.heir[s.at] != "" {
				s.do(os.Rename(s.home(s.at), s.home(s.at)+".before"))
			}
		}
		switch {
		case st.line == "vdh init --show-phrase": // on a terminal; TestTerminal sees it there
			s.note(s.at)
		case st.line == "systemctl stop vdh-node":
			s.stop(s.at)
		case st.line == "systemctl restart vdh-node":
			s.node(s.at, "vdh node")
		case strings.HasPrefix(st.line, "vdh node") && !strings.HasPrefix(st.line, "vdh node scrub"):
			s.node(s.at, st.line)
		default:
			s.run(s.at, st.line)
		}
	}
}

// fuse reports whether file systems can be mounted here.
func (s *setting) fuse() bool {
	_, err := os.Stat("/dev/fuse")
	_, lookErr := exec.LookPath("fusermount3")
	return err == nil && lookErr == nil
}

// run runs a command to its end and returns what it printed.
func (s *setting) run(machine, line string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := s.command(ctx, machine, line)
	cmd.Stdout, cmd.Stderr = &out, &errs
	code := exitOf(s.t, cmd.Run())
	if code != exitOK && code != exitRedundancy {
		s.t.Fatalf("on the %s machine: %s: exit code %d\n%s%s", machine, line, code, out.String(), errs.String())
	}
	words := strings.Fields(line)
	said := strings.TrimSpace(out.String())
	s.said[strings.Join(words[:min(len(words), 2)], " ")], s.said[strings.Join(words[:min(len(words), 3)], " ")] = said, said
	if s.score == "" && strings.HasPrefix(said, "vac:") {
		s.score = said
	}
	return out.String()
}

// node starts a node, in place of one that runs there, and waits until all that run see each other.
func (s *setting) node(machine, line string) {
	s.t.Helper()
	s.stop(machine)
	cmd := s.command(context.WithoutCancel(s.t.Context()), machine, "exec "+line)
	var log bytes.Buffer
	cmd.Stderr = &log
	s.do(cmd.Start())
	s.nodes[machine] = cmd
	ctx, cancel := context.WithTimeout(s.t.Context(), nodePatience)
	defer cancel()
	for {
		if s.settled(ctx) {
			return
		}
		select {
		case <-ctx.Done():
			s.stop(machine)
			s.t.Fatalf("on the %s machine: %s: the nodes do not see each other\n%s", machine, line, log.String())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *setting) settled(ctx context.Context) bool {
	for m := range s.nodes {
		l, err := node.DialLocal(ctx, filepath.Join(s.data(m), "swarm"))
		if err != nil {
			return false
		}
		st, err := l.Status(ctx)
		l.Close()
		if err != nil || st.Alive != len(s.nodes) {
			return false
		}
	}
	return true
}

func (s *setting) stop(machine string) {
	cmd := s.nodes[machine]
	if cmd == nil {
		return
	}
	delete(s.nodes, machine)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		s.t.Errorf("the node of the %s machine: %v", machine, err)
	}
}

// lab founds a swarm of the first machine and others, all of which run, and has the first keep /srv.
func (s *setting) lab(others ...string) {
	s.run("first", "vdh swarm init --name lab")
	s.node("first", "vdh node")
	if len(others) == 0 {
		others = []string{"second", "third"}
	}
	for _, m := range others {
		s.run("first", "vdh swarm invite")
		s.run(m, "vdh swarm join -")
		s.node(m, "vdh node")
	}
	s.run("first", "vdh backup --store swarm /srv")
}

// note writes the recovery phrase of a machine down.
func (s *setting) note(machine string) {
	o, err := catalog.LoadOwner(s.data(machine))
	s.do(err)
	s.words = o.Phrase()
}

// lose removes what is at a path.
func (s *setting) lose(path string) { s.do(os.RemoveAll(filepath.Join(s.dir, path))) }

// use makes a store the one that the machine's config file names.
func (s *setting) use(machine, store string) {
	writeFile(s.t, filepath.Join(s.home(machine), ".config/vdh/config.toml"), fmt.Appendf(nil, "store = %q\n", store))
}
