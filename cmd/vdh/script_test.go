package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"ventidhash/dhash/node"
)

// asProgram makes the test binary be vdh.
const asProgram = "VDH_TEST_AS_PROGRAM"

// noSleep makes a program that was built with the race detector end at once; else it waits for a second.
const noSleep = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"vdh": main})
}

// TestScripts runs the scripts in testdata/script. Beside what testscript brings, they have
//
//	exits CODE PROGRAM ARG...   run a program that ends with this exit code
//	keep VARIABLE               the standard output of the last program, without the newline, becomes a variable
//	lines FILE N                FILE, or stdout, has N lines
//	json FILE [KEY=VALUE...]    each line of FILE, or of stdout, is a JSON object; one has these fields
//	flip FILE                   damage: invert a byte in the middle of the file
//	odd DIR                     make files with names that are no text
//	same DIR DIR                two trees hold the same files with the same content and metadata
//	bytes DIR VARIABLE          how many bytes the files below DIR have
//	weak CODE PROGRAM ARG...    exits, without the powers of root
//	serves DIR N CODE           wait until the node of this XDG data folder sees N members alive, and codes blocks so
//	mounts DIR [NAME] [FLAG...] mount something at DIR, for as long as the script lasts
//	silent DIR                  wait until no node runs for this XDG data folder
//
// and the conditions [root], [powerless] (weak works), [systemd] (it runs this machine), [mounts] (unshare -m can be
// used to mount something), and [fuse] (vdh mount works).
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Vars = slices.DeleteFunc(e.Vars, func(v string) bool { return strings.HasPrefix(v, "VDH_") })
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("XDG_DATA_HOME", filepath.Join(e.WorkDir, "data"))
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "config"))
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, "cache"))
			e.Setenv("STORE", filepath.Join(e.WorkDir, "data/vdh/store"))
			e.Setenv("TZ", "UTC")
			e.Setenv("GORACE", noSleep)
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Getuid() == 0, nil
			case "fuse":
				return canMount(), nil
			case "systemd":
				return hasSystemd(), nil
			case "mounts":
				return exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt").Run() == nil, nil
			case "powerless":
				_, err := exec.LookPath("setpriv")
				return os.Getuid() != 0 || err == nil, nil
			}
			return false, errors.New("no such condition: " + cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "weak": weak, "keep": keep, "lines": lines, "json": jsonLines, "flip": flip, "odd": odd,
			"same": same, "bytes": dirSize, "serves": serves, "silent": silent, "mounts": mounts,
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: exits code program args...")
	}
	expectCode(ts, want, ts.Exec(args[1], args[2:]...))
}

func expectCode(ts *testscript.TestScript, want int, err error) {
	code := 0
	var e *exec.ExitError
	if errors.As(err, &e) {
		code = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != want {
		ts.Fatalf("exit code %d, not %d; %s", code, want, ts.ReadFile("stderr"))
	}
}

// weak is exits without the powers of root.
func weak(ts *testscript.TestScript, neg bool, args []string) {
	if os.Getuid() == 0 {
		args = append([]string{args[0], "setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"}, args[1:]...)
	}
	exits(ts, neg, args)
}

func keep(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSuffix(ts.ReadFile("stdout"), "\n"))
}

func lines(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, "\n"); strconv.Itoa(n) != args[1] {
		ts.Fatalf("%d lines, not %s:\n%s", n, args[1], text)
	}
}

func jsonLines(ts *testscript.TestScript, _ bool, args []string) {
	found := len(args) == 1
	text := ts.ReadFile(args[0])
	for line := range strings.Lines(text) {
		m := map[string]any{}
		ts.Check(json.Unmarshal([]byte(line), &m))
		if _, ok := m["type"].(string); !ok {
			ts.Fatalf("no type in %s", line)
		}
		fits := true
		for _, kv := range args[1:] {
			key, want, _ := strings.Cut(kv, "=")
			v, ok := m[key]
			got, err := json.Marshal(v)
			ts.Check(err)
			text, isText := v.(string)
			fits = fits && ok && (string(got) == want || isText && text == want)
		}
		found = found || fits
	}
	if !found {
		ts.Fatalf("no line has %v:\n%s", args[1:], text)
	}
}

func flip(ts *testscript.TestScript, _ bool, args []string) {
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	b[len(b)/2] ^= 0xff
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// oddNames are names of files that trip programs up.
var oddNames = []string{"new\nline", "invalid\xff\xfeutf8", `quote"d`, "quote'd", "glob*[a]?", " leading and trailing ", "-dash",
	"back\\slash", "tab\t", "\"whole\"", "\x1b[31mred", "umlaut-ü", "#hash", "!bang", strings.Repeat("x", 255)}

func odd(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Join(dir, "sub\xffdir\n"), 0o700))
	for _, name := range oddNames {
		ts.Check(os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600))
		ts.Check(os.WriteFile(filepath.Join(dir, "sub\xffdir\n", name), []byte(name), 0o600))
	}
}

// listing describes each file below dir.
func listing(ts *testscript.TestScript, dir string) (out []string) {
	ts.Check(filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		line := strconv.Quote(rel) + " " + info.Mode().String()
		if err == nil && info.Mode().IsRegular() {
			var b []byte
			b, err = os.ReadFile(path)
			line += " " + strconv.Quote(string(b))
		}
		if err == nil && info.Mode()&os.ModeSymlink != 0 {
			var target string
			target, err = os.Readlink(path)
			line += " -> " + target
		}
		out = append(out, line+" "+info.ModTime().UTC().String()+" "+strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid)))
		return err
	}))
	return out
}

func same(ts *testscript.TestScript, neg bool, args []string) {
	a, b := listing(ts, ts.MkAbs(args[0])), listing(ts, ts.MkAbs(args[1]))
	if slices.Equal(a, b) == neg {
		ts.Fatalf("same is %v:\n%s\n----\n%s", !neg, strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}

func dirSize(ts *testscript.TestScript, _ bool, args []string) {
	var n int64
	ts.Check(filepath.Walk(ts.MkAbs(args[0]), func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return err
	}))
	ts.Setenv(args[1], strconv.FormatInt(n, 10))
}

// nodePatience bounds how long a script waits for a node.
const nodePatience = 30 * time.Second

// atNode asks the node of an XDG data folder how it is until ok is content, with an error where none runs.
func atNode(ts *testscript.TestScript, dir string, ok func(node.Status, error) bool) {
	ctx, cancel := context.WithTimeout(context.Background(), nodePatience)
	defer cancel()
	for {
		var st node.Status
		l, err := node.DialLocal(ctx, filepath.Join(ts.MkAbs(dir), "vdh", "swarm"))
		if err == nil {
			st, err = l.Status(ctx)
			l.Close()
		}
		if ok(st, err) {
			return
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("the node of %s: %+v, %v", dir, st, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func serves(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	atNode(ts, args[0], func(st node.Status, err error) bool { return err == nil && st.Alive == want && st.Code == args[2] })
}

func silent(ts *testscript.TestScript, _ bool, args []string) {
	atNode(ts, args[0], func(_ node.Status, err error) bool { return errors.Is(err, node.ErrNotRunning) })
}
