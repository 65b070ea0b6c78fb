package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	pingTime  = 10 * time.Second // for one try
	pingTries = 3
	hookGrace = 5 * time.Second // from the end of a hook's time until nobody waits for what it started
)

// A pinger tells a monitoring service how a job goes, as healthchecks.io and its like expect it.
type pinger struct {
	url    string // of the check; empty tells nobody
	client *http.Client
	pause  time.Duration // between tries
}

func newPinger(url string) *pinger {
	// A check that answers with a redirect was moved, and a ping that follows it as a GET would lose what it says.
	c := &http.Client{Timeout: pingTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &pinger{url: url, client: c, pause: 2 * time.Second}
}

// ping sends a signal: "start", "log", "fail", or nothing for success. The URL is a secret of a kind, so no error has it.
func (p *pinger) ping(ctx context.Context, signal, text string) (err error) {
	if p.url == "" {
		return nil
	}
	u, err := url.Parse(p.url)
	if err != nil {
		return errors.New("the URL of the ping is none")
	}
	if signal != "" {
		u = u.JoinPath(signal)
	}
	for try := range pingTries {
		if try > 0 {
			select {
			case <-time.After(p.pause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		var again bool
		if again, err = p.once(ctx, u, text); err == nil || !again {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("ping %s: %w", u.Host, err)
	}
	return nil
}

// once sends one request. again says whether another one may do better.
func (p *pinger) once(ctx context.Context, u *url.URL, text string) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(text))
	if err != nil {
		return false, errors.New("the URL of the ping is none")
	}
	r.Header.Set("User-Agent", "vdh")
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	answer, err := p.client.Do(r)
	var broken *url.Error
	if errors.As(err, &broken) {
		err = broken.Err // without the URL
	}
	if err != nil {
		return true, err
	}
	answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return answer.StatusCode >= 500 || answer.StatusCode == http.StatusTooManyRequests, errors.New(answer.Status)
	}
	return false, nil
}

// hook runs a command of the user by the shell, with variables in its environment beside those of vdh. What it prints
// goes to standard error. When its time is over, it and what it has started are killed.
func (a *app) hook(ctx context.Context, command string, within time.Duration, env []string) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = a.stderr, a.stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = hookGrace
	err := cmd.Run()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("it took longer than %v and was killed (hook-timeout gives it more time)", within)
	}
	return err
}
