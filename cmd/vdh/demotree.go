package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ventidhash/dhash/codec"
	"ventidhash/dhash/sim/procs"
	"ventidhash/venti"
)

// demoTree returns the folder to keep: the one that was given, or one with real files.
func demoTree(ctx context.Context, argv []string) (string, error) {
	candidates := argv
	if len(argv) == 0 {
		candidates = []string{filepath.Join(goEnv(ctx, "GOROOT"), "src"), goEnv(ctx, "GOMODCACHE")}
		if self, err := os.Executable(); err == nil {
			candidates = append(candidates, filepath.Dir(self))
		}
	}
	var last error
	for _, dir := range candidates {
		if dir == "" || !filepath.IsAbs(dir) && len(argv) == 0 {
			continue
		}
		real, err := filepath.EvalSymlinks(dir)
		if err == nil {
			real, err = filepath.Abs(real)
		}
		var info os.FileInfo
		if err == nil {
			info, err = os.Stat(real)
		}
		if err == nil && !info.IsDir() {
			err = fmt.Errorf("%s is no folder", printable(dir))
		}
		if err == nil {
			return real, nil
		}
		last = err
	}
	if len(argv) == 0 {
		return "", errors.New("there is no folder that every machine has; name one: vdh demo PATH")
	}
	return "", last
}

// goEnv asks Go for one of its folders; nothing if there is no Go.
func goEnv(ctx context.Context, name string) string {
	out, err := exec.CommandContext(ctx, "go", "env", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// roomPerMember is what a member's indices and logs take beside the fragments, in bytes, with much to spare.
const roomPerMember = 24 << 20

// room makes sure that there is room for the fragments and for what is restored, as if nothing could be compressed.
func (d *demo) room() error {
	tmp, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(d.tree, tmp); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
		return fmt.Errorf("%s holds the folder for temporary files, in which the swarm would keep itself; set TMPDIR to "+
			"another folder, or name a smaller one", printable(d.tree))
	}
	var sum int64
	err = filepath.WalkDir(d.tree, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil // the backup says what it could not read
		}
		if info, err := e.Info(); err == nil {
			sum += info.Size() + 4096
		}
		return nil
	})
	if err != nil {
		return err
	}
	code := codec.Policy{}.Code(d.members, false)
	need := sum + sum*int64(code.Total)/int64(code.Need) + int64(d.members)*roomPerMember
	var st unix.Statfs_t
	if err := unix.Statfs(tmp, &st); err != nil {
		return err
	}
	if free := int64(st.Bavail) * st.Bsize; need > free {
		return fmt.Errorf("%s has %s of room, and keeping %s may take %s; set TMPDIR to a folder on another disk, or name "+
			"a smaller folder than %s", printable(tmp), size(free), size(sum), size(need), printable(d.tree))
	}
	return nil
}

// vdh runs the program as a client of the swarm, with folders of its own, and reads the line of JSON that it prints.
// That a few files could not be dealt with as they should is not its to judge: they are compared.
func (d *demo) vdh(ctx context.Context, into any, args ...string) error {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, d.program, append(args, "--store", swarmWord, "--json")...)
	cmd.Env = procs.Environ(d.client())
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is this process's, which passes it on
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch code := cmd.ProcessState.ExitCode(); {
	case err == nil, code == exitPartial, code == exitRedundancy:
		return json.Unmarshal(out.Bytes(), into)
	case code == exitUnavailable:
		err = venti.ErrUnavailable
	}
	return fmt.Errorf("vdh %s: %w: %s", args[0], err, lastError(errs.Bytes()))
}

// lastError returns why a program has ended, of what it wrote to standard error with --json.
func lastError(b []byte) string {
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	var line struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(lines[len(lines)-1], &line) != nil {
		return tail(b)
	}
	return line.Error
}

// tailOf returns the end of a file, to stand behind an error.
func tailOf(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return tail(b)
}

func tail(b []byte) string {
	const most = 1000
	if b = bytes.TrimSpace(b); len(b) == 0 {
		return ""
	}
	return "\n" + string(b[max(0, len(b)-most):])
}

// removeTree removes a folder, also what lies in directories that may not be written to.
func removeTree(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, _ error) error {
		if e != nil && e.IsDir() {
			_ = os.Chmod(path, 0o700) // what cannot be had shows below
		}
		return nil
	})
	return os.RemoveAll(dir)
}
