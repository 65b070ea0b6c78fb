package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/snapshot"
	"ventidhash/snapshot/archive"
)

// What became of the config file and of the place in the swarm.
const (
	cameBack = "restored"
	stays    = "kept"
	newPlace = "new"
)

// machineBack makes this machine what one was that the catalog knows.
func (r *recovery) machineBack(ctx context.Context) error {
	cat, err := r.snapshots(ctx)
	if err != nil {
		return err
	}
	all, err := cat.Machines(ctx)
	if err != nil {
		return fmt.Errorf("reading how machines were set up: %w", err)
	}
	for _, m := range all {
		r.line.Machines = append(r.line.Machines, rawName(m.Host))
	}
	m, err := pickMachine(all, r.f.as, archive.Hostname())
	if err != nil {
		return err
	}
	if m == nil && len(all) > 0 {
		r.note("vdh: this machine is none of %s; --as says whose place it takes", showPaths(hostsOf(all)))
	}
	if m == nil {
		return r.membershipSaid()
	}
	r.line.As = rawName(m.Host)
	r.note("vdh: this machine takes the place of %s, as it was on %s", printable(m.Host), localTime(m.Time))
	if err := r.configBack(*m); err != nil {
		return err
	}
	if err := r.memberBack(ctx, *m); err != nil {
		return err
	}
	return r.membershipSaid()
}

// pickMachine returns whose place a machine takes: that of its name, or else of the only one there is. It is nil if that
// does not say.
func pickMachine(all []snapshot.Machine, as, hostname string) (*snapshot.Machine, error) {
	named := func(name string) *snapshot.Machine {
		if i := slices.IndexFunc(all, func(m snapshot.Machine) bool { return m.Host == name }); i >= 0 {
			return &all[i]
		}
		return nil
	}
	if as != "" {
		if m := named(as); m != nil {
			return m, nil
		}
		return nil, usage{fmt.Errorf("--as %q: no machine of that name has backed up into the swarm; there are: %s", as,
			showPaths(hostsOf(all)))}
	}
	if m := named(hostname); m != nil {
		return m, nil
	}
	if len(all) == 1 {
		return &all[0], nil
	}
	return nil, nil
}

func hostsOf(all []snapshot.Machine) (names []string) {
	for _, m := range all {
		names = append(names, m.Host)
	}
	return names
}

// configBack writes the config file, if there is none.
func (r *recovery) configBack(m snapshot.Machine) error {
	i := slices.IndexFunc(m.Files, func(f snapshot.File) bool { return f.Name == keptConfig })
	if i < 0 {
		return nil
	}
	name, err := configFile()
	if err != nil {
		return err
	}
	here, err := os.ReadFile(name)
	switch {
	case err == nil:
		r.line.Config = stays
		if !bytes.Equal(here, m.Files[i].Content) {
			r.note("vdh: the config file %s is there already, differs from that of %s, and stays", name, printable(m.Host))
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(name+".tmp", m.Files[i].Content, 0o600); err != nil {
		return err
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return err
	}
	r.line.Config = cameBack
	r.note("vdh: the config file is back, in %s", name)
	if err := r.configure(r.cmd); err != nil { // what it says of this verb holds from here on
		r.note("vdh: the config file that came back is not followed: %v", err)
	}
	return nil
}

// memberBack makes this machine the member that another one was, unless that still answers, or is not wanted any more.
func (r *recovery) memberBack(ctx context.Context, m snapshot.Machine) error {
	old, err := memberOf(m)
	if err != nil || old == nil {
		return err
	}
	if r.rescued == nil { // it is in a swarm
		if now, err := r.member(); err == nil && now.ID() == old.ID() {
			r.line.Membership = stays
		} else if err == nil && r.line.Membership == "" {
			r.line.Membership = "this machine is another member"
		}
		return nil
	}
	if old.Swarm != r.rescued.Swarm {
		r.line.Membership = "it was a member of another swarm"
		return nil
	}
	if old.Manifest == nil || old.Manifest.Revision < r.rescued.Manifest.Revision {
		old.Manifest = r.rescued.Manifest
	}
	if _, err := old.Chain.Verify(old.Swarm, member.PublicOf(old.Key), time.Now(), old.Manifest); err != nil {
		r.line.Membership = fmt.Sprintf("it is not admitted any more: %v", err)
		return nil
	}
	if name, answers := r.answers(ctx, old.ID().String()); answers {
		r.line.Membership = fmt.Sprintf("the member %s (%s) still answers, and two machines cannot be one member", printable(name), shortID(old.ID().String()))
		return nil
	}
	old.Seeds = append(slices.Clone(r.rescued.Seeds), old.Seeds...)
	old.Seeds = old.Seeds[:min(len(old.Seeds), maxSeeds)]
	dir, err := swarmDir()
	if err != nil {
		return err
	}
	if err := old.SaveIn(dir); err != nil {
		return fmt.Errorf("making this machine the member %s: %w", old.ID(), err)
	}
	r.line.Membership = cameBack
	return nil
}

// maxSeeds bounds the addresses of members that a folder begins with.
const maxSeeds = 16

// answers reports whether a member answers now, and its name.
func (r *recovery) answers(ctx context.Context, id string) (name string, answers bool) {
	ctx, cancel := context.WithTimeout(ctx, meetTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		list, err := r.swarm.Members(ctx)
		if err != nil {
			return "", false
		}
		i := slices.IndexFunc(list, func(m node.MemberInfo) bool { return m.ID == id })
		if i < 0 {
			return "", false
		}
		if !unmet(list[i]) {
			return list[i].Name, isThere(list[i])
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return list[i].Name, false
		}
	}
}

// isThere reports whether a member answers, as far as is known.
func isThere(m node.MemberInfo) bool {
	return !slices.Contains([]string{"suspect", "dead", "away", "gone", "banned"}, m.State)
}

// membershipSaid says what this machine is in the swarm.
func (r *recovery) membershipSaid() error {
	next := "it is in no swarm: vdh swarm join - takes a token (vdh swarm invite), vdh recover does not need it"
	switch r.line.Membership {
	case cameBack:
		next = "it is the member again that it was; what that held is lost, and comes back from the others with: vdh node --refill"
	case newPlace:
		next = "it is a new member; start it with: vdh node"
	case stays:
		next = "it is the member that it was"
	case "":
		if r.rescued == nil {
			return nil
		}
	default:
		next = r.line.Membership
		if r.rescued != nil && !strings.Contains(next, "token") {
			next += "; to join as a new one: vdh swarm join -, with a token of vdh swarm invite"
		}
	}
	r.note("vdh: in the swarm: %s", next)
	return nil
}
