// Package harness is what the programs of package bench have in common: how they begin, how they end, and how they build
// and run vdh. It measures nothing.
package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Exit codes beside 0.
const (
	exitFailed = 1
	exitUsage  = 2
	exitMissed = 3
)

// A Measurement is what a command line asks for. It returns how many aims were missed, and an error if it could not be done.
type Measurement func(context.Context) (missed int, err error)

// Main runs the measurement that parse makes of the command line, until SIGINT or SIGTERM cancels its context, and ends the
// process: with 0 if every aim was reached, 3 if one was missed, 1 if the measurement could not be done, and 2 for a wrong
// command line. The name stands before what goes wrong.
func Main(name string, parse func(args []string) (Measurement, error)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	measure, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(exitUsage)
	}
	missed, err := measure(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(exitFailed)
	}
	if missed > 0 {
		os.Exit(exitMissed)
	}
}

// Say tells what is being done, in a line on standard error.
func Say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// Build compiles vdh, of the module in which the command was started, into a folder, and returns the program's path.
func Build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "vdh")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", program, "ventidhash/cmd/vdh").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return program, nil
}

// Sleep waits for d, or until ctx ends, and returns the error of ctx then.
func Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
