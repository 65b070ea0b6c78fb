package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// A cost is what a step took.
type cost struct {
	Wall float64 `json:"wall_seconds"`
	CPU  float64 `json:"cpu_seconds"` // user and system, of the command and of all its descendants
	Peak int64   `json:"peak_bytes"`  // largest resident set of any one process among them
}

func (c cost) plus(d cost) cost {
	return cost{Wall: c.Wall + d.Wall, CPU: c.CPU + d.CPU, Peak: max(c.Peak, d.Peak)}
}

// A command is one process to run and measure.
type command struct {
	path string
	args []string
	dir  string
	env  []string
}

// tailSize is how much of a failed command's output an error quotes.
const tailSize = 2000

// run runs a command without standard input, in a process group of its own which is killed when ctx ends, and returns
// its cost and its standard output.
func (c command) run(ctx context.Context) (cost, string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	lowerOwnPeak()
	started := time.Now()
	err := cmd.Run()
	wall := time.Since(started)
	if err != nil {
		tail := append(stdout.Bytes(), stderr.Bytes()...)
		tail = tail[max(0, len(tail)-tailSize):]
		return cost{}, "", fmt.Errorf("%s %s: %w\n%s", c.path, strings.Join(c.args, " "), err, tail)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return cost{}, "", errors.New("no resource usage on this system")
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return cost{Wall: wall.Seconds(), CPU: cpu.Seconds(), Peak: usage.Maxrss << 10}, stdout.String(), nil
}

// lowerOwnPeak makes our own resident set small. A child starts out in our memory, and the kernel counts the peak that
// we had reached by then as the child's.
func lowerOwnPeak() {
	debug.FreeOSMemory()
	// Where the kernel does not offer this the peak is at most our own, some 20 MiB, too high.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// A size is what a folder holds.
type size struct {
	Files     int   `json:"files"`
	Apparent  int64 `json:"apparent_bytes"`  // sum of the files' lengths
	Allocated int64 `json:"allocated_bytes"` // what they take from the disk; no holes, but whole clusters
}

// sizeOf adds up the regular files of a folder. One that does not exist has no size, and a file that disappears while
// it is counted does not count.
func sizeOf(dir string) (size, error) {
	var sum size
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !info.Mode().IsRegular() || !ok {
			return nil
		}
		sum.Files++
		sum.Apparent += info.Size()
		sum.Allocated += stat.Blocks * 512
		return nil
	})
	return sum, err
}
