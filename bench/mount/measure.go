package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A session is one tool with a store that has a snapshot in it.
type session struct {
	*tool
	program string
	place
}

const patience = 5 * time.Minute // for any one command

func (s *session) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "LANG=C.UTF-8"}, s.env...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// prepare makes the store.
func (s *session) prepare(ctx context.Context) error {
	for _, dir := range []string{s.home, s.dir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, args := range s.keep(s.place) {
		ctx, cancel := context.WithTimeout(ctx, patience)
		out, err := s.command(ctx, args...).CombinedOutput()
		cancel()
		if err != nil {
			return fmt.Errorf("%s %s: %w\n%s", s.name, strings.Join(args, " "), err, out)
		}
	}
	return nil
}

// mounted mounts the store anew, so that neither the kernel nor the program knows anything, calls do with the folder
// that was kept, and unmounts it. It returns how long it took from the start of the program until that folder could be
// listed, and the program's peak memory in bytes.
func (s *session) mounted(ctx context.Context, do func(dir string) error) (first time.Duration, peak int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var said bytes.Buffer
	cmd := s.command(ctx, s.mount(s.place)...)
	cmd.Stdout, cmd.Stderr = &said, &said
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	dir := s.within(s.place)
	for {
		if names, err := os.ReadDir(dir); err == nil && len(names) > 0 {
			break
		}
		select {
		case err := <-ended:
			return 0, 0, fmt.Errorf("%s mount: %w\n%s", s.name, err, said.Bytes())
		case <-time.After(time.Millisecond):
		}
	}
	first = time.Since(begin)
	err = do(dir)
	peak, peakErr := peakOf(cmd.Process.Pid)
	return first, peak, errors.Join(err, peakErr, s.unmount(cmd, ended))
}

// unmount ends a mount and its program.
func (s *session) unmount(cmd *exec.Cmd, ended <-chan error) error {
	for try := 0; ; try++ {
		out, err := exec.Command("fusermount3", "-u", s.dir).CombinedOutput()
		if err == nil {
			break
		}
		if try == 50 {
			_ = cmd.Process.Signal(syscall.SIGKILL)
			return fmt.Errorf("unmounting %s: %w\n%s", s.dir, err, out)
		}
		time.Sleep(100 * time.Millisecond)
	}
	<-ended // some programs end with an error then
	return nil
}

// peakOf returns the largest resident set of a process and its children, one by one, in bytes.
func peakOf(pid int) (peak int64, err error) {
	pids := []string{strconv.Itoa(pid)}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range tasks {
		b, _ := os.ReadFile(name)
		pids = append(pids, strings.Fields(string(b))...)
	}
	for _, p := range pids {
		b, err := os.ReadFile("/proc/" + p + "/status")
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(b), "VmHWM:")
		var kb int64
		if _, err := fmt.Sscan(rest, &kb); err != nil {
			return 0, fmt.Errorf("memory of process %s: %w", p, err)
		}
		peak = max(peak, kb<<10)
	}
	return peak, nil
}

// shell runs a command of the system in dir and returns how long it took.
func shell(ctx context.Context, dir, command string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said // its output goes to the null device
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", command, err, said.Bytes())
	}
	return took, nil
}

// cat measures how long vdh cat takes for a file of the newest snapshot.
func (s *session) cat(ctx context.Context, file string) (time.Duration, error) {
	cmd := s.command(ctx, "cat", "latest"+filepath.Join(s.source, file))
	cmd.Stdout = nil // the null device
	begin := time.Now()
	err := cmd.Run()
	return time.Since(begin), err
}
