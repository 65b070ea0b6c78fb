package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// maxSecret bounds what is read as a recovery phrase or an invitation.
const maxSecret = 16 << 10

// readSecret reads standard input: on a terminal one line, for which it prompts, and which is not shown.
func (a *app) readSecret(ctx context.Context, prompt string) (string, error) {
	f, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		b, err := io.ReadAll(io.LimitReader(interruptible(ctx, a.in), maxSecret))
		return string(b), err
	}
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return "", err
	}
	type answer struct {
		text []byte
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		b, err := term.ReadPassword(int(f.Fd()))
		done <- answer{b, err}
	}()
	for range 200 { // whoever types as soon as there is a prompt is not to see it
		if now, err := term.GetState(int(f.Fd())); err != nil || *now != *before {
			break
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Fprint(a.errs, prompt)
	defer fmt.Fprintln(a.errs)
	select {
	case got := <-done:
		return string(got.text), got.err
	case <-ctx.Done():
		return "", errors.Join(ctx.Err(), term.Restore(int(f.Fd()), before))
	}
}
