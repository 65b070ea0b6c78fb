package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ventidhash/dhash/node"
	"ventidhash/venti"
)

func newSwarm(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "swarm",
		Short: "found a swarm, join one, and see who is in it",
		Long: `A swarm is a number of machines that keep each other's blocks. Each block is cut into fragments,
which go to different members; some of them are enough to bring it back.

The swarm's key is on the machine where it was founded; a member is whoever was invited with it.
There is no other authority, and no server.

With --json, each verb below prints lines as its help says.`,
		Example: `  vdh swarm init --name lab && vdh node     the first machine
  vdh swarm invite                          prints a token for the second
  vdh swarm join TOKEN && vdh node          the second`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, argv []string) error {
			if len(argv) == 0 {
				return cmd.Help()
			}
			return noVerb(cmd, argv[0])
		},
		SuggestionsMinimumDistance: 2,
	}
	for _, verb := range []func(*app) *cobra.Command{newSwarmInit, newInvite, newJoin, newMembers, newBan, newUnban, newPlan,
		newSimulate} {
		cmd.AddCommand(verb(a))
	}
	return cmd
}

// swarmDir returns the folder of this machine's member.
func swarmDir() (string, error) {
	dir, err := dataDir()
	return filepath.Join(dir, "swarm"), err
}

// member returns who this machine is in its swarm. node.ErrNoSwarm says that it is in none.
func (a *app) member() (*node.Folder, error) {
	dir, err := swarmDir()
	if err != nil {
		return nil, err
	}
	f, err := node.OpenFolder(dir)
	if errors.Is(err, node.ErrNoSwarm) && a.rescued != nil {
		return a.rescued, nil
	}
	return f, err
}

// A view is a swarm as this machine sees it.
type view interface {
	Status(ctx context.Context) (node.Status, error)
	Members(ctx context.Context) ([]node.MemberInfo, error)
	Close() error
}

// view returns the swarm as the node of this machine sees it, or, where none runs, as a client does that joins for this
// run of the program. running says which.
func (a *app) view(ctx context.Context, f *node.Folder) (v view, running bool, err error) {
	l, err := node.DialLocal(ctx, f.Dir)
	if err == nil {
		return l, true, nil
	}
	if !errors.Is(err, node.ErrNotRunning) {
		return nil, false, err
	}
	c, err := a.client(ctx, f)
	if err != nil {
		return nil, false, err
	}
	return clientView{c}, false, nil
}

// client joins the swarm for this run of the program, for the owner, or for nobody if there is none yet.
func (a *app) client(ctx context.Context, f *node.Folder) (*node.Client, error) {
	if len(f.Seeds) == 0 { // it was founded here, and no node ever ran
		return nil, fmt.Errorf("%w: no member of the swarm runs yet (vdh node starts this machine's)", venti.ErrUnavailable)
	}
	sign, mark, err := a.actFor()
	if err != nil {
		return nil, err
	}
	return node.Dial(ctx, node.ClientConfig{Folder: f, Owner: sign, MarkKey: mark, Former: a.formerMarks(), Program: program(),
		Wait: a.patience})
}

// actFor returns the keys of the owner. Where there is none, whoever asks only reads, and does so under keys that are
// forgotten.
func (a *app) actFor() (sign ed25519.PrivateKey, mark [32]byte, err error) {
	if a.owner != nil {
		return a.owner.SigningKey(), a.owner.MarkKey(), nil
	}
	if _, err := rand.Read(mark[:]); err != nil {
		return nil, mark, err
	}
	_, sign, err = ed25519.GenerateKey(rand.Reader)
	return sign, mark, err
}

// A clientView is a client as a view. The client knows from the start who the members are, but not yet who of them
// answers.
type clientView struct{ *node.Client }

// Status implements view.
func (c clientView) Status(ctx context.Context) (node.Status, error) {
	c.meet(ctx)
	return c.Client.Status(), nil
}

// Members implements view.
func (c clientView) Members(ctx context.Context) ([]node.MemberInfo, error) {
	c.meet(ctx)
	return c.Client.Members(), nil
}

// unmet reports whether it is not known yet whether a member answers.
func unmet(m node.MemberInfo) bool {
	return m.State == "suspect" && m.Seen.IsZero() && m.Failing.IsZero()
}

// meetTime bounds how long a client waits for the members to answer before it says who does.
const meetTime = 3 * time.Second

// meet waits until every member has answered, or has had the time to.
func (c clientView) meet(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, meetTime)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for slices.ContainsFunc(c.Client.Members(), unmet) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// maxProgram bounds what a member tells of its program, in bytes.
const maxProgram = 32

// program returns the version of the program as members tell it to each other.
func program() string {
	version, commit := buildVersion()
	version, _, _ = strings.Cut(version, "+")
	if len(version) > maxProgram || version == "(devel)" && commit != "" {
		return "devel-" + commit
	}
	return version
}
