package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"ventidhash/dhash/node"
	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
	"ventidhash/snapshot/catalog"
)

// What the catalog keeps of a machine: the config file, and in a folder of its own what makes the member (node.Pack).
const (
	keptConfig = "config.toml"
	keptMember = "swarm/"
	keptSeeds  = keptMember + "seeds"
)

// seedsAge is how old what is kept of a machine may be if only the addresses of members have changed since.
const seedsAge = 24 * time.Hour

// keepMachine puts how this machine is set up into the catalog (setUp). That it cannot be is no failure of what was done.
func (a *app) keepMachine(ctx context.Context, cat *catalog.Catalog) {
	if m := a.setUp(ctx, cat); m != nil {
		a.notKept(ctx, a.kept(cat.SetMachine(ctx, *m)))
	}
}

// setUp returns what the catalog of a swarm is to keep of this machine, so that vdh recover can set up one that takes its
// place: nil if it is there, or cannot be kept.
func (a *app) setUp(ctx context.Context, cat *catalog.Catalog) *snapshot.Machine {
	if a.swarm == nil {
		return nil
	}
	m, err := a.changedMachine(ctx, cat)
	a.notKept(ctx, err)
	return m
}

func (a *app) notKept(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		a.note("vdh: how this machine is set up is not noted for vdh recover: %v", err)
	}
}

// changedMachine returns how this machine is set up, nil if what is kept of it is good enough.
func (a *app) changedMachine(ctx context.Context, cat *catalog.Catalog) (*snapshot.Machine, error) {
	now, err := a.thisMachine()
	if err != nil {
		return nil, err
	}
	all, err := cat.Machines(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(all, func(m snapshot.Machine) bool { return m.Host == now.Host }); i >= 0 && sameSetUp(all[i], now) {
		return nil, nil
	}
	if err := catalog.CheckMachine(now); err != nil {
		return nil, err
	}
	return &now, nil
}

// thisMachine takes down how this machine is set up.
func (a *app) thisMachine() (snapshot.Machine, error) {
	m := snapshot.Machine{Host: archive.Hostname(), Time: time.Now().UTC().Truncate(time.Second)}
	name, err := configFile()
	if err != nil {
		return m, err
	}
	b, err := os.ReadFile(name)
	if err == nil {
		m.Files = append(m.Files, snapshot.File{Name: keptConfig, Content: b})
	} else if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	f, err := a.member()
	if err == nil && f.Dir != "" {
		for _, file := range f.Pack() {
			m.Files = append(m.Files, snapshot.File{Name: path.Join(keptMember, file.Name), Content: []byte(file.Content)})
		}
	} else if err != nil && !errors.Is(err, node.ErrNoSwarm) {
		return m, err
	}
	slices.SortFunc(m.Files, func(x, y snapshot.File) int { return strings.Compare(x.Name, y.Name) })
	return m, nil
}

// sameSetUp reports whether what is kept of a machine is good enough for what it is now.
func sameSetUp(kept, now snapshot.Machine) bool {
	old := now.Time.Sub(kept.Time) > seedsAge
	return slices.EqualFunc(kept.Files, now.Files, func(x, y snapshot.File) bool {
		return x.Name == y.Name && (string(x.Content) == string(y.Content) || x.Name == keptSeeds && !old)
	})
}

// memberOf returns who a machine was in its swarm, nil if it was in none.
func memberOf(m snapshot.Machine) (*node.Folder, error) {
	var files []node.File
	for _, f := range m.Files {
		if name, ok := strings.CutPrefix(f.Name, keptMember); ok {
			files = append(files, node.File{Name: name, Content: string(f.Content)})
		}
	}
	if len(files) == 0 {
		return nil, nil
	}
	return node.Unpack(files)
}
