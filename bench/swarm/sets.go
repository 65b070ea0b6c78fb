package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"ventidhash/bench/dataset"
	"ventidhash/bench/harness"
	"ventidhash/dhash"
	"ventidhash/snapshot/equal"
)

// A summary has those fields of the JSON of a backup that are looked at.
type summary struct {
	Score string  `json:"score"`
	Files int64   `json:"files"`
	Bytes int64   `json:"bytes"`
	Added int64   `json:"bytes_added"`
	Below int64   `json:"blocks_below_target"`
	Nines float64 `json:"lowest_nines"`
}

// lossPercent is how many of the members are killed before the last restore.
const lossPercent = 30

// set measures one data set in a swarm of its own: put, get, and get without some of the members.
func (b *bench) set(ctx context.Context, set dataset.Set) (err error) {
	if set.Kind == dataset.Small {
		return b.night(ctx, set)
	}
	p, source, err := b.filled(ctx, set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if set.Kind == dataset.Noise { // many bytes, few files
		defer os.RemoveAll(source)
	}
	m := &measured{b: b, p: p, kind: set.Kind, source: source}
	if err := m.put(ctx); err != nil {
		return err
	}
	whole, err := m.get(ctx, "get", "swarm")
	if err != nil {
		return err
	}
	if set.Kind == dataset.Noise {
		if err := m.hang(ctx, set, whole); err != nil {
			return err
		}
	}
	lost := p.swarm.Len() * lossPercent / 100
	for i := range lost {
		if err := p.swarm.Kill(i); err != nil {
			return err
		}
	}
	harness.Say("%s: %d of %d members are gone", set.Kind, lost, p.swarm.Len())
	less, err := m.get(ctx, "get, 30 % gone", "swarm")
	if err != nil {
		return err
	}
	m.note("get, 30 % gone, of get", "", whole.wall.Seconds()/less.wall.Seconds())
	if set.Kind == dataset.Go {
		return m.local(ctx, whole)
	}
	return nil
}

// filled opens a place and makes the data in it. Close it in the end.
func (b *bench) filled(ctx context.Context, set dataset.Set) (p *place, source string, err error) {
	if p, err = b.open(ctx); err != nil {
		return nil, "", err
	}
	source = filepath.Join(p.dir, "data")
	harness.Say("%s: making the data", set.Kind)
	if err := set.Make(ctx, source); err != nil {
		return nil, "", errors.Join(err, p.close())
	}
	return p, source, nil
}

// measured is one run of one data set.
type measured struct {
	b       *bench
	p       *place
	kind    dataset.Kind
	source  string
	backup  summary
	putCost cost
}

func (m *measured) note(figure, unit string, v float64) {
	m.b.results.note(string(m.kind), figure, unit, v)
}

// put keeps the data in the swarm.
func (m *measured) put(ctx context.Context) error {
	before, err := m.p.swarm.Bytes()
	if err != nil {
		return err
	}
	st, err := m.p.swarm.Status(ctx, 0)
	if err != nil {
		return err
	}
	var code dhash.Code
	if _, err := fmt.Sscanf(st.Code, "%d/%d", &code.Need, &code.Total); err != nil {
		return fmt.Errorf("code %q: %w", st.Code, err)
	}
	if m.putCost, err = m.p.vdh(ctx, &m.backup, "backup", m.source, "--store", "swarm"); err != nil {
		return err
	}
	m.speed("put", m.putCost)
	if n := m.backup.Below; n > 0 {
		harness.Say("%s: %d blocks are below the target, the weakest at %.1f nines", m.kind, n, m.backup.Nines)
	}
	after, err := m.p.swarm.Bytes()
	if err != nil {
		return err
	}
	ideal := float64(m.backup.Added) * float64(code.Total) / float64(code.Need)
	m.note("disks, of n/k · sealed", "", float64(after-before)/ideal)
	m.note("sealed", "MiB", float64(m.backup.Added)/(1<<20))
	m.note("peak memory of a member", "MiB", float64(m.p.swarm.PeakMemory())/(1<<20))
	m.note("peak memory of the client", "MiB", float64(m.putCost.peak)/(1<<20))
	return nil
}

// hang lets a member hang, and gets the data and puts as much again.
func (m *measured) hang(ctx context.Context, set dataset.Set, got cost) error {
	last := m.p.swarm.Len() - 1
	if err := m.p.swarm.Signal(last, syscall.SIGSTOP); err != nil {
		return err
	}
	less, err := m.get(ctx, "get, one hangs", "swarm")
	if err != nil {
		return err
	}
	set.Seed += 1000
	more := filepath.Join(m.p.dir, "more")
	defer os.RemoveAll(more)
	if err := set.Make(ctx, more); err != nil {
		return err
	}
	put, err := m.p.vdh(ctx, nil, "backup", more, "--store", "swarm")
	if err != nil {
		return err
	}
	m.speed("put, one hangs", put)
	m.note("get, one hangs, times get", "", less.wall.Seconds()/got.wall.Seconds())
	m.note("put, one hangs, times put", "", put.wall.Seconds()/m.putCost.wall.Seconds())
	return m.p.swarm.Signal(last, syscall.SIGCONT)
}

// speed notes how fast something was, and how dear.
func (m *measured) speed(what string, c cost) {
	m.note(what, "MB/s", float64(m.backup.Bytes)/1e6/c.wall.Seconds())
	m.note(what, "files/s", float64(m.backup.Files)/c.wall.Seconds())
	m.note(what+" CPU", "s/GiB", c.cpu()/(float64(m.backup.Bytes)/(1<<30)))
	m.note(what+" CPU of the client", "s/GiB", c.client.Seconds()/(float64(m.backup.Bytes)/(1<<30)))
	harness.Say("%s: %s took %.2f s, CPU %.2f s of the client and %.2f s of the members", m.kind, what, c.wall.Seconds(),
		c.client.Seconds(), c.members.Seconds())
}

// get restores the data to an empty folder, and compares.
func (m *measured) get(ctx context.Context, what, store string) (cost, error) {
	target, err := os.MkdirTemp(m.p.dir, "restored-")
	if err != nil {
		return cost{}, err
	}
	c, err := m.p.vdh(ctx, nil, "restore", m.backup.Score+m.source, "--target", target, "--store", store)
	if err != nil {
		return c, err
	}
	m.speed(what, c)
	n, err := equal.Trees(ctx, equal.Config{Source: m.source, Copy: target, Owned: os.Geteuid() != 0,
		Differs: func(path, what string) { harness.Say("%s: restored %s: %s", m.kind, path, what) }})
	m.note("differences after "+what, "", float64(n.Differences))
	if m.kind == dataset.Noise {
		err = errors.Join(err, os.RemoveAll(target))
	}
	return c, err
}

// local does the same with a store in a folder of this machine, to compare with.
func (m *measured) local(ctx context.Context, got cost) error {
	store := filepath.Join(m.p.dir, "store")
	put, err := m.p.vdh(ctx, &m.backup, "backup", m.source, "--store", store)
	if err != nil {
		return err
	}
	m.speed("local put", put)
	get, err := m.get(ctx, "local get", store)
	if err != nil {
		return err
	}
	m.note("put, times a local store", "", m.putCost.wall.Seconds()/put.wall.Seconds())
	m.note("get, times a local store", "", got.wall.Seconds()/get.wall.Seconds())
	return nil
}
