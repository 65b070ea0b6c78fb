package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ventidhash/snapshot"
	"ventidhash/venti"
)

// readyVariable tells a mount that it is the one in the background: who started it waits until the file descriptor
// readyFile says that it is there.
const (
	readyVariable = "VDH_MOUNT_READY"
	readyFile     = 3
	readyWord     = "mounted"
)

// A callback is the way from a mount in the background to the process that started it.
type callback struct{ f *os.File }

// calledBack returns the callback of this process, nil if it is not in the background.
func calledBack() (*callback, error) {
	if os.Getenv(readyVariable) == "" {
		return nil, nil
	}
	f := os.NewFile(readyFile, "ready")
	if _, err := f.Stat(); err != nil {
		return nil, usage{fmt.Errorf("%s is for vdh mount's own use; unset it", readyVariable)}
	}
	unix.CloseOnExec(readyFile)
	return &callback{f}, nil
}

// ready says that the mount is there, and lets go of the terminal and of the working directory.
func (c *callback) ready() {
	if c == nil {
		return
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err == nil {
		for fd := range 3 {
			_ = unix.Dup3(int(null.Fd()), fd, 0)
		}
		_ = null.Close()
	}
	_ = os.Chdir("/")
	_, _ = c.f.WriteString(readyWord)
	_ = c.f.Close()
}

// mountBehind starts this command once more in the background, and returns when that has mounted, or with its error.
func (a *app) mountBehind(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ready, readyEnd, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ready.Close()
	errs, errsEnd, err := os.Pipe()
	if err != nil {
		return errors.Join(err, readyEnd.Close())
	}
	defer errs.Close()
	cmd := exec.Command(self)
	cmd.Args = os.Args
	cmd.Env = append(os.Environ(), readyVariable+"=1")
	cmd.ExtraFiles = []*os.File{readyEnd} // readyFile
	cmd.Stdout, cmd.Stderr = a.stdout, errsEnd
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	readyEnd.Close()
	errsEnd.Close()
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	text, _ := io.ReadAll(errs) // to the end of the process, or of its use for the terminal
	word, _ := io.ReadAll(ready)
	if string(word) == readyWord {
		_, err := a.errs.Write(text)
		return errors.Join(err, cmd.Process.Release())
	}
	return a.relay(string(text), cmd.Wait())
}

// relay returns the error of a process that ended with err and wrote text: what it wrote last, for the same exit code.
func (a *app) relay(text string, err error) error {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	last := lines[len(lines)-1]
	var said struct{ Error string }
	if words, ok := strings.CutPrefix(last, "vdh: "); ok {
		said.Error = words
	} else if !a.json || json.Unmarshal([]byte(last), &said) != nil {
		said.Error = fmt.Sprintf("the mount has ended before it was there: %v: %s", err, last)
	}
	for _, line := range lines[:len(lines)-1] {
		fmt.Fprintln(a.errs, line)
	}
	failed := errors.New(said.Error)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return failed
	}
	switch exit.ExitCode() {
	case exitUsage:
		return usage{failed}
	case exitPartial:
		return partial{said.Error}
	case exitNoSnapshot:
		return &relayed{failed, snapshot.ErrNoSnapshot}
	case exitUnavailable:
		return &relayed{failed, venti.ErrUnavailable}
	}
	return failed
}

// relayed is the error of another process, of a kind that has an exit code of its own.
type relayed struct{ said, kind error }

func (r *relayed) Error() string { return r.said.Error() }
func (r *relayed) Unwrap() error { return r.kind }
