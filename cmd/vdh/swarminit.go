package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/dhash"
	"ventidhash/dhash/codec"
	"ventidhash/dhash/member"
	"ventidhash/dhash/node"
	"ventidhash/snapshot/archive"
)

// swarmInitFlags say what a new swarm agrees on.
type swarmInitFlags struct {
	name, code          string
	nines, availability float64
	grace               time.Duration
}

func newSwarmInit(a *app) *cobra.Command {
	var f swarmInitFlags
	cmd := &cobra.Command{
		Use:   "init",
		Short: "found a swarm, of which this machine is the first member",
		Long: `Makes the swarm's key and says what its members agree on, and makes this machine the first member.
Nothing is sent to anybody, and nothing runs yet; what to do next is printed.

--nines is how available each block is to be: 5 is 99.999 %. --availability is how likely a member
answers. From both follows into how many fragments a block is cut; --code NEED/TOTAL says it instead.
A member that was silent for --grace counts as gone: what it held is made anew for others.

The key lies in $XDG_DATA_HOME/vdh/swarm/swarm-key. Keep a copy of it: whoever has it can invite and
ban, and without it nobody can any more.

With --json, one line of "type":"swarm" with id, name, target_nines, availability, code, folder and
members_needed, the number of members at which the target is reached.`,
		Example: "  vdh swarm init --name lab\n  vdh swarm init --nines 4 --availability 0.8",
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.found(cmd.Context(), &f) },
	}
	l := cmd.Flags()
	l.StringVar(&f.name, "name", "", "name of the swarm, for people (default the machine's)")
	l.Float64Var(&f.nines, "nines", 5, "how available a block is to be, in nines")
	l.Float64Var(&f.availability, "availability", 0.9, "how likely a member answers, 0 to 1")
	l.StringVar(&f.code, "code", "", "cut every block like this, NEED/TOTAL (default what the target asks for)")
	f.grace = 24 * time.Hour
	l.Var((*spanFlag)(&f.grace), "grace", "time after which a member that is silent is gone")
	return cmd
}

// foundedLine is the JSON line of a new swarm.
type foundedLine struct {
	Type         string  `json:"type"` // "swarm"
	ID           string  `json:"id"`
	Name         string  `json:"name"`
	Target       float64 `json:"target_nines"`
	Availability float64 `json:"availability"`
	Code         string  `json:"code,omitempty"` // if it was given
	Folder       rawName `json:"folder"`
	Needed       int     `json:"members_needed,omitempty"` // 0 if no number of members is enough
}

func (a *app) found(_ context.Context, f *swarmInitFlags) error {
	m, err := f.manifest()
	if err != nil {
		return usage{err}
	}
	dir, err := swarmDir()
	if err != nil {
		return err
	}
	folder, err := node.Found(dir, m, time.Now())
	if err != nil {
		return err
	}
	line := foundedLine{"swarm", swarmID(folder), m.Name, m.Nines(), m.P(), f.code, rawName(dir), membersNeeded(m)}
	if a.json {
		return a.print(line)
	}
	fmt.Fprintf(a.out, "founded the swarm %s, %s\n", printable(line.Name), line.ID)
	if line.Needed > 0 {
		a.note("It keeps a block at %g nines once it has %s in places of their own.", line.Target,
			count(int64(line.Needed), "member", "members"))
	} else {
		a.note("With this code no number of members reaches its target of %g nines.", line.Target)
	}
	a.note(`Next:
  vdh node                             on this machine, and let it run (as a service: see README)
  vdh swarm invite                     on this machine; prints a token, which is a secret
  vdh swarm join TOKEN && vdh node     on the second machine
Then, on either: vdh backup --store swarm PATH`)
	return nil
}

// manifest returns what the flags say, not signed.
func (f *swarmInitFlags) manifest() (*member.Manifest, error) {
	m := &member.Manifest{Name: f.name}
	if m.Name == "" {
		m.Name = archive.Hostname()
	}
	if !(f.nines >= 0.5 && f.nines <= 12) {
		return nil, fmt.Errorf("--nines %v: want 0.5 to 12", f.nines)
	}
	if !(f.availability >= 0.01 && f.availability <= 0.9999) {
		return nil, fmt.Errorf("--availability %v: want 0.01 to 0.9999, the part of the time that a member answers", f.availability)
	}
	m.MilliNines, m.Availability = int(math.Round(f.nines*1000)), int(math.Round(f.availability*1e6))
	if m.Grace = f.grace.Truncate(time.Second); m.Grace < time.Minute || m.Grace > 366*24*time.Hour {
		return nil, fmt.Errorf("--grace %v: want a minute to a year", f.grace)
	}
	if f.code != "" {
		c, err := dhash.ParseCode(f.code)
		if err != nil {
			return nil, fmt.Errorf("--code %q: %w", f.code, err)
		}
		if c.Need == c.Total && c.Total > 1 {
			return nil, errors.New("--code " + f.code + ": one member that is away would make every block unreadable")
		}
		m.Code = c
	}
	return m, nil
}

// membersNeeded returns from how many members on the swarm reaches its target, 0 if no number does.
func membersNeeded(m *member.Manifest) int {
	p := codec.Policy{Nines: m.Nines(), P: m.P(), Fixed: m.Code}
	needed := 0
	for n := dhash.MaxTotal; n > 0 && p.Reach(n).OK; n-- {
		needed = n
	}
	return needed
}

// swarmID names a swarm, for programs.
func swarmID(f *node.Folder) string {
	id := f.Swarm.Swarm()
	return hex.EncodeToString(id[:])
}
