package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A machine is a place to run the program in: folders of its own, and a store.
type machine struct {
	t     *testing.T
	dir   string
	store string
}

func newMachine(t *testing.T) *machine {
	dir := t.TempDir()
	return &machine{t: t, dir: dir, store: filepath.Join(dir, "data/vdh/store")}
}

// command returns the program as a process that has not begun.
func (m *machine) command(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = m.dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "VDH_") && !strings.HasPrefix(v, "XDG_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, asProgram+"=1", "GORACE="+noSleep, "TZ=UTC", "HOME="+m.dir, "XDG_DATA_HOME="+m.dir+"/data",
		"XDG_CONFIG_HOME="+m.dir+"/config", "XDG_CACHE_HOME="+m.dir+"/cache", "VDH_STORE="+m.store)
	return cmd
}

// run runs the program to its end.
func (m *machine) run(args ...string) (code int, out, errs string) {
	m.t.Helper()
	cmd := m.command(args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	return exitOf(m.t, cmd.Run()), o.String(), e.String()
}

// must runs the program, which has to end with code 0, and returns what it printed.
func (m *machine) must(args ...string) string {
	m.t.Helper()
	code, out, errs := m.run(args...)
	if code != 0 {
		m.t.Fatalf("vdh %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return strings.TrimSuffix(out, "\n")
}

// exitOf returns the exit code of a process, -1 if a signal killed it.
func exitOf(t *testing.T, err error) int {
	t.Helper()
	var e *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.ExitCode()
	}
	t.Fatal(err)
	return 0
}

// fillTree writes a tree of at least size bytes that do not compress, small files and large ones. It returns how many.
func fillTree(t *testing.T, dir string, seed uint64, size int) (total int64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	random := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	for i := 0; total < int64(size); i++ {
		n := 1000 + r.IntN(20_000)
		if i%20 == 0 {
			n = 200_000 + r.IntN(4_000_000)
		}
		sub := filepath.Join(dir, fmt.Sprint("d", i%7))
		if err := os.MkdirAll(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, n)
		random.Read(b)
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprint(i)), b, 0o600); err != nil {
			t.Fatal(err)
		}
		total += int64(n)
	}
	return total
}
