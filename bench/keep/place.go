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

	"golang.org/x/sync/errgroup"

	"ventidhash/bench/dataset"
	"ventidhash/bench/harness"
	"ventidhash/dhash"
	"ventidhash/dhash/node"
	"ventidhash/dhash/sim/procs"
	"ventidhash/snapshot/equal"
)

// code is that of all blocks, which is repaired at 16 of 20.
var code = dhash.Code{Need: 8, Total: 20}

// A place is a swarm, one client of it, and snapshots, in a folder of their own.
type place struct {
	dir, program string
	source       string   // of the last snapshot
	scores       []string // of all
	swarm        *procs.Swarm
}

// open starts a swarm whose members are gone after the grace period, and sweep every so often. Close it in the end.
func (b *bench) open(ctx context.Context, grace, sweep time.Duration, rate string) (*place, error) {
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
	m := procs.DefaultManifest()
	m.Code, m.Grace = code, grace
	p.swarm, err = procs.Start(ctx, procs.Config{Program: b.program, Dir: filepath.Join(dir, "members"), Members: b.members,
		Manifest: m, Args: []string{"-q", "--sweep", sweep.String(), "--repair-rate", rate}, Output: log})
	if err == nil {
		err = p.swarm.Invite(p.client())
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// begin opens a place whose members are gone after the grace period, and keeps Go's tree there.
func (b *bench) begin(ctx context.Context, grace time.Duration) (*place, error) {
	p, err := b.open(ctx, grace, briskSweep, unlimited)
	if err != nil {
		return nil, err
	}
	if err := p.keep(ctx, b.tree()); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// close ends the members, and removes all.
func (p *place) close() error {
	var err error
	if p.swarm != nil {
		err = p.swarm.Close()
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

func (p *place) client() string { return filepath.Join(p.dir, "client") }

// keep makes data and backs it up. What it made before goes: it is in the swarm.
func (p *place) keep(ctx context.Context, set dataset.Set) error {
	if p.source != "" {
		if err := os.RemoveAll(p.source); err != nil {
			return err
		}
	}
	p.source = filepath.Join(p.dir, fmt.Sprint("data-", len(p.scores)))
	if err := set.Make(ctx, p.source); err != nil {
		return err
	}
	var told struct {
		Score string `json:"score"`
		Below int64  `json:"blocks_below_target"`
	}
	if err := p.vdh(ctx, &told, "backup", p.source, "--store", "swarm"); err != nil {
		return err
	}
	p.scores = append(p.scores, told.Score)
	if told.Below > 0 {
		harness.Say("%d blocks are below the target", told.Below)
	}
	return nil
}

// vdh runs the program as a client, and reads the line of JSON that it prints last, if into is not nil.
func (p *place) vdh(ctx context.Context, into any, args ...string) error {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, p.program, append(args, "--json")...)
	cmd.Env = procs.Environ(p.client())
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if into != nil && out.Len() > 0 { // status says how things are, whatever its exit code is
		return json.Unmarshal(out.Bytes(), into)
	}
	if err != nil {
		return fmt.Errorf("vdh %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(errs.Bytes()))
	}
	return nil
}

// restore brings the last snapshot back, compares it with its source, and returns how many differences there are and how long
// it took without the comparison.
func (p *place) restore(ctx context.Context) (differences int64, took time.Duration, err error) {
	target, err := os.MkdirTemp(p.dir, "restored-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(target)) }()
	begun := time.Now()
	if err := p.vdh(ctx, nil, "restore", p.scores[len(p.scores)-1]+p.source, "--target", target, "--store", "swarm"); err != nil {
		return 0, 0, err
	}
	took = time.Since(begun)
	n, err := equal.Trees(ctx, equal.Config{Source: p.source, Copy: target, Owned: os.Geteuid() != 0,
		Differs: func(path, what string) { harness.Say("restored %s: %s", path, what) }})
	return int64(n.Differences), took, err
}

// safety is what vdh status says of snapshots.
type safety struct {
	Blocks     int              `json:"blocks"`
	Below      int              `json:"below_threshold"`
	Unreadable int              `json:"unreadable"`
	Above      map[string]int64 `json:"above"`
}

// full reports whether no fragment of any block is missing; vital blocks, which need fewer, may lack some.
func (s safety) full() bool {
	n := int64(0)
	for left := code.Total - code.Need; left <= code.Total; left++ {
		n += s.Above[fmt.Sprint(left)]
	}
	return s.Blocks > 0 && n == int64(s.Blocks)
}

// kept reports whether no block has so few fragments that it is to be repaired.
func (s safety) kept() bool { return s.Blocks > 0 && s.short() == 0 }

// short counts the blocks that are at the threshold or below.
func (s safety) short() (n int64) {
	for left := -1; left <= code.Threshold()-code.Need; left++ {
		n += s.Above[fmt.Sprint(left)]
	}
	return n
}

// safety asks for all snapshots that were kept.
func (p *place) safety(ctx context.Context) (sum safety, err error) {
	sum.Above = make(map[string]int64)
	for _, score := range p.scores {
		var s safety
		if err := p.vdh(ctx, &s, "status", score, "--store", "swarm"); err != nil {
			return sum, err
		}
		sum.Blocks += s.Blocks
		sum.Below += s.Below
		sum.Unreadable += s.Unreadable
		for above, n := range s.Above {
			sum.Above[above] += n
		}
	}
	return sum, nil
}

// becomes waits until ok holds of the snapshot's safety, and returns how long that took. To ask costs the members
// something, too: they are asked for a sixth of the time at most.
func (p *place) becomes(ctx context.Context, patience time.Duration, ok func(safety) bool) (time.Duration, safety, error) {
	begun := time.Now()
	for {
		asked := time.Now()
		s, err := p.safety(ctx)
		took := time.Since(begun)
		if err == nil && (ok(s) || took > patience) || took > patience+time.Minute {
			return took, s, err
		}
		if err := harness.Sleep(ctx, max(300*time.Millisecond, 5*time.Since(asked))); err != nil {
			return took, s, err
		}
	}
}

// sweep has all members that run compare what they hold with the others', at the same time.
func (p *place) sweep(ctx context.Context) error {
	work, ctx := errgroup.WithContext(ctx)
	for i := range p.swarm.Len() {
		if p.swarm.Running(i) {
			work.Go(func() error {
				_, err := p.swarm.Work(ctx, i, node.WorkSweep)
				return err
			})
		}
	}
	return work.Wait()
}

// care sums up what all members that run say of their repairs and scrubs.
func (p *place) care(ctx context.Context) (sum node.Care, err error) {
	sum.Swept = new(node.Swept)
	for i := range p.swarm.Len() {
		if !p.swarm.Running(i) {
			continue
		}
		st, err := p.swarm.Status(ctx, i)
		if err != nil {
			return sum, err
		}
		c, r := st.Care, &sum.Repair
		r.Made += c.Repair.Made
		r.HandedOff += c.Repair.HandedOff
		r.Trimmed += c.Repair.Trimmed
		r.Read += c.Repair.Read
		r.Written += c.Repair.Written
		r.Repaired += c.Repair.Repaired
		r.Urgent += c.Repair.Urgent
		sum.Trash += c.Trash
		sum.Scrubbed.Damaged += c.Scrubbed.Damaged
		sum.Scrubbed.Fragments += c.Scrubbed.Fragments
		if c.Swept != nil {
			sum.Swept.Blocks += c.Swept.Blocks
			sum.Swept.Bytes += c.Swept.Bytes
		}
	}
	return sum, nil
}
