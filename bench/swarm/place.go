package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"ventidhash/bench/harness"
	"ventidhash/dhash/sim/procs"
)

// A place is a swarm and one client of it, in a folder of their own.
type place struct {
	dir     string
	program string
	swarm   *procs.Swarm
}

// open starts a swarm. Close it in the end.
func (b *bench) open(ctx context.Context) (*place, error) {
	dir, err := os.MkdirTemp(b.dir, "place-")
	if err != nil {
		return nil, err
	}
	p := &place{dir: dir, program: b.program}
	log, err := os.Create(filepath.Join(dir, "members.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the members have it open
	begin := time.Now()
	p.swarm, err = procs.Start(ctx, procs.Config{Program: b.program, Dir: filepath.Join(dir, "members"),
		Members: b.members, Output: log})
	if err == nil {
		harness.Say("%d members know each other after %.1f s", b.members, time.Since(begin).Seconds())
		err = p.swarm.Invite(p.client())
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// close ends the members. The folder stays until the bench ends: to remove many files makes the next ones slow.
func (p *place) close() error {
	if p.swarm == nil {
		return nil
	}
	err := p.swarm.Close()
	for i := range p.swarm.Len() { // few files, many bytes
		err = errors.Join(err, os.RemoveAll(p.swarm.Dir(i)))
	}
	return err
}

func (p *place) client() string { return filepath.Join(p.dir, "client") }

// A cost is what a command of the client took.
type cost struct {
	wall    time.Duration
	client  time.Duration // processor time of the client
	members time.Duration // and of all members, meanwhile
	peak    int64         // memory of the client
}

// afterwards is how long members are given for what a command leaves them to do, which is a part of its cost.
const afterwards = time.Second

func (c cost) cpu() float64 { return (c.client + c.members).Seconds() }

// vdh runs the program as a client, and reads the line of JSON that it prints, if into is not nil. What the commands
// before have written is on the disk first.
func (p *place) vdh(ctx context.Context, into any, args ...string) (cost, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, p.program, append(args, "--json")...)
	cmd.Env = procs.Environ(p.client())
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	syscall.Sync()
	before, begin := p.swarm.CPU(), time.Now()
	err := cmd.Run()
	c := cost{wall: time.Since(begin)}
	if e := harness.Sleep(ctx, afterwards); err == nil {
		err = e
	}
	c.members = p.swarm.CPU() - before
	if err != nil {
		return c, fmt.Errorf("vdh %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(errs.Bytes()))
	}
	c.client = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		c.peak = usage.Maxrss << 10
	}
	if into == nil {
		return c, nil
	}
	return c, json.Unmarshal(out.Bytes(), into)
}
