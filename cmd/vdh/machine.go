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

	"ventidhash/dhash/member"
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
	if i := slices.IndexFunc(all, func(m snapshot.Machine) bool { return m.Host == now.Host }); i >= 0 {
		if sameSetUp(all[i], now) {
			return nil, nil
		}
		other, err := a.namesake(ctx, all[i])
		if err != nil {
			return nil, err
		}
		if other != "" {
			a.note("vdh: another machine is called %s, too (member %s); it is the one that vdh recover brings back, and this one is "+
				"not.\nGive one of them another name; if that one is gone for good, ban its member: vdh swarm ban %s",
				printable(now.Host), shortID(other), other)
			return nil, nil
		}
	}
	if err := catalog.CheckMachine(now); err != nil {
		return nil, err
	}
	return &now, nil
}

// namesake returns which member a machine is that is kept under the name of this one, if it is another machine, and empty if
// it is what this machine was before it joined the swarm anew. A member that answers is another one, and one that was banned
// or is gone has no place that could be lost. Of all others, as of machines that run no node, the time tells: this machine
// joined after its own old place was noted, so that what was noted later was noted by another one. So of two machines of one
// name one replaces the other once at most, as far as their clocks agree.
func (a *app) namesake(ctx context.Context, kept snapshot.Machine) (string, error) {
	now, err := a.member()
	if errors.Is(err, node.ErrNoSwarm) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	old, err := memberOf(kept)
	if err != nil || old == nil || old.ID() == now.ID() {
		return "", nil // what cannot be read is no place
	}
	id := old.ID().String()
	if old.Swarm == now.Swarm {
		if _, err := old.Chain.Verify(old.Swarm, member.PublicOf(old.Key), time.Now(), now.Manifest); err != nil {
			return "", nil
		}
		list, err := a.swarm.Members(ctx)
		if err != nil {
			return "", err
		}
		i := slices.IndexFunc(list, func(m node.MemberInfo) bool { return m.ID == id })
		switch {
		case i >= 0 && isThere(list[i]):
			return id, nil
		case i >= 0 && (list[i].State == "gone" || list[i].State == "banned"):
			return "", nil
		}
	}
	if kept.Time.After(now.Chain[len(now.Chain)-1].Issued) {
		return id, nil
	}
	return "", nil
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
